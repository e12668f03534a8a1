# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run of `setup` costs that has nothing to do, with all sources, their virtual repositories and a permission.

Its peers are a play of one trivial task, and uri_peer.yml, what one writes without the collection. That pulls what the proofs pull, once
each, and looks into no cache. A first round is not measured.

Requests of proofs are counted per pull and hop. A pull is one image or artifact of a source through one repository: its own, and the
virtual one that it is a member of. The hops are the one to Artifactory and the one to Chainguard. All requests to any service count,
those that Artifactory sends by itself too, and those of the round that had most of them.
"""

from __future__ import annotations

import collections
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path
from urllib.parse import urlencode

from _metrics import ROOT, Figure, show
from system.test_sources import PROVED, SOURCES, VIRTUALS

from lab.client import started
from support.lab_client import LabClient
from support.rotation_harness import USER_AGENT

ROUNDS = 5
HOPS = 2
PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
SETUP = "cgr.pull_through.setup"
PEER = Path(__file__).with_name("uri_peer.yml")
PERMISSION = "cgr-pull"

TRIVIAL, PLAIN, PROVEN, BY_HAND = "one trivial task", "setup without proofs", "setup with proofs", "uri_peer.yml"

# The requests with which a proof pulls something, by the kinds of the lab's request log: through Artifactory, and directly.
_PULLS = {"docker.manifest", "files.get", "pypi.index", "pypi.file", "npm.get", "nuget.get", "go.get"}
_DIRECT_PULLS = {"registry.manifest", "virtualapk.get", "platform.repo.list", "platform.tag.list"}

Json = dict[str, t.Any]
Requests = collections.Counter[str]
Pull = tuple[str, str]  # the service, and its path with the query


class Bench:
    """Runs playbooks, and counts what they ask for."""

    def __init__(self, lab: LabClient, folder: Path) -> None:
        self._lab = lab
        self._folder = folder
        collections_path = str(ROOT / ".cache" / "collections")
        self._environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": collections_path, "ANSIBLE_NOCOLOR": "1"}

    def write(self, name: str, content: t.Any) -> Path:
        """Write a file that may hold secrets."""
        path = self._folder / name
        path.touch(mode=0o600)
        path.write_text(json.dumps(content), encoding="utf-8")
        return path

    def run_playbook(self, playbook: str | Path, variables: Path, *, changes: bool = False) -> float:
        """Return the wall seconds of a playbook. Ends the benchmark when it fails, or changes something unasked."""
        command = [str(PLAYBOOK), str(playbook), "-e", f"@{variables}"]
        begun = time.monotonic()
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - begun
        if done.returncode != 0 or ("changed=0 " not in done.stdout and not changes):
            sys.exit(f"{playbook}:\n{done.stdout[-1500:]}{done.stderr[-500:]}")
        return seconds

    def pulled(self, playbook: str | Path, variables: Path) -> list[Pull]:
        """Return what a playbook pulls. What it finds in no cache is left out: it is another thing each time."""
        runs = []
        for _run in range(2):
            mark = self._lab.log_position()
            self.run_playbook(playbook, variables)
            runs.append(dict.fromkeys(filter(None, map(_pull, self._lab.request_log(mark)))))
        return [pull for pull in runs[0] if pull in runs[1]]

    def counted(self, playbook: str | Path, variables: Path) -> tuple[float, Requests]:
        """Return the wall seconds of a playbook, and the requests that each service got."""
        mark = self._lab.log_position()
        seconds = self.run_playbook(playbook, variables)
        return seconds, collections.Counter(entry["service"] for entry in self._lab.request_log(mark))


def trivial() -> list[Json]:
    """Return a play with one task, the smallest module."""
    variables = {"ansible_python_interpreter": "{{ ansible_playbook_python }}", "ansible_pipelining": True}
    header = {"hosts": "localhost", "connection": "local", "gather_facts": False, "vars": variables}
    return [{**header, "tasks": [{"name": "Do nothing", "ansible.builtin.ping": {}}]}]


def _pull(entry: Json) -> Pull | None:
    """Return what a module pulled, from an entry of the request log; None for anything else."""
    kinds = _PULLS if entry["service"] == "artifactory" else _DIRECT_PULLS
    ours = entry["user_agent"].startswith(USER_AGENT)
    if not ours or entry["kind"] not in kinds or entry["status"] not in (200, 302):
        return None
    return entry["service"], "?".join(filter(None, (entry["path"], urlencode(entry["query"]))))


def peer_variables(lab: LabClient, pulled: t.Sequence[Pull]) -> Json:
    """Return what uri_peer.yml has to know, to find everything as `setup` left it. pulled: what it has to pull."""
    repositories = []
    for source in SOURCES.values():
        url = source.settings["url"].format(uid=lab.organization["uid"])
        kind = {"key": source.key, "rclass": "remote", "packageType": source.package_type}
        repositories.append({**kind, **source.settings, "url": url})
    for key, package_type, members in VIRTUALS.values():
        kind = {"key": key, "rclass": "virtual", "packageType": package_type}
        repositories.append({**kind, "repositories": members})
    chainguard = {name: lab.state["chainguard"][f"{name}_url"] for name in ("api", "registry", "virtualapk")}
    urls = {"artifactory": lab.artifactory_url, **chainguard}
    granted = lab.permissions()[PERMISSION]["artifact"]
    return {
        "artifactory": lab.artifactory_url,
        "artifactory_token": lab.admin_token,
        "chainguard_api": chainguard["api"],
        "chainguard_token": lab.api_tokens["owner"],
        "registry": chainguard["registry"],
        "ca_path": lab.ca_path,
        "repositories": repositories,
        "permission": {"name": PERMISSION, "resources": {"artifact": granted}},
        "pulls": [{"service": service, "url": urls[service] + path} for service, path in pulled],
    }


def count_pulls() -> int:
    """Return how many pulls the proofs are made of. The public images are named in the catalog, and count as one."""
    of_source = {source.key: sum(map(len, source.proved.values())) or 1 for source in SOURCES.values()}
    return sum(of_source.values()) + sum(of_source[key] for _key, _type, keys in VIRTUALS.values() for key in keys)


def measured(bench: Bench, lab: LabClient) -> list[Figure]:
    """Set everything up, and run all in turns."""
    wanted = {"source_overrides": PROVED, "virtuals": list(VIRTUALS), "users": ["reader"], "depth": "manifest"}
    proven = bench.write("proven.json", lab.variables(*SOURCES, **wanted))
    plain = bench.write("plain.json", lab.variables(*SOURCES, **wanted, verify_unchanged=False))
    print(f"setup of an empty Artifactory: {bench.run_playbook(SETUP, proven, changes=True):.1f} s", flush=True)
    by_hand = bench.write("by_hand.json", peer_variables(lab, bench.pulled(SETUP, proven)))
    runs: dict[str, tuple[str | Path, Path]] = {
        TRIVIAL: (bench.write("trivial.json", trivial()), by_hand),
        PLAIN: (SETUP, plain),
        PROVEN: (SETUP, proven),
        BY_HAND: (PEER, by_hand),
    }
    rounds = [{name: bench.counted(*run) for name, run in runs.items()} for _round in range(ROUNDS + 1)]
    seconds = {name: statistics.median(one[name][0] for one in rounds[1:]) for name in runs}
    requests = {name: max((one[name][1] for one in rounds), key=lambda asked: asked.total()) for name in runs}
    for name in runs:
        print(f"{name:21} {seconds[name]:6.2f} s, {requests[name].total():4} requests: {dict(requests[name])}")
    pulls = count_pulls()
    more = requests[PROVEN].total() - requests[PLAIN].total()
    return [
        Figure("without proofs, times one trivial task", seconds[PLAIN] / seconds[TRIVIAL], 5),
        Figure("without proofs, requests", requests[PLAIN].total(), 16),
        Figure(f"requests per pull and hop ({pulls} pulls, {HOPS} hops)", more / (pulls * HOPS), 3),
        Figure("with proofs, times uri_peer.yml", seconds[PROVEN] / seconds[BY_HAND], 0.2),
    ]


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name, started() as process:
        lab = LabClient(process.state)
        show(measured(Bench(lab, Path(name)), lab))


if __name__ == "__main__":
    main()
