# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests and time of a run of `setup` with nothing to change, with all sources, their virtual repositories and a permission.

The peers are a play of one trivial task, and uri_peer.yml, a playbook without the collection. It pulls what the verification pulls, once
each, and reads no cache. It runs in three rounds. The first round of the others is not measured.

Requests of the verification are counted per pull and hop. A pull is one image or artifact of a source through one repository: its own
and the virtual one. The hops are the one to Artifactory and the one to Chainguard. All requests to any service count, including those
that Artifactory sends itself, and the round with the most requests counts. Cache probes are counted by themselves: a verification asks
what is cached, and expires an index or a tag, so that each run goes upstream with the stored login.
"""

from __future__ import annotations

import statistics
import typing as t
from pathlib import Path
from urllib.parse import urlencode

from _metrics import Figure, print_figures
from _playbooks import CACHE_PROBES, SETUP, Bench, Requests, create_setup_variables, create_trivial_play, start_bench

from support.lab_client import Json, LabClient
from support.rotation_harness import USER_AGENT
from support.sources import SOURCES, VIRTUALS

ROUNDS = 5
HOPS = 2
MAX_UNVERIFIED_RATIO, MAX_VERIFIED_RATIO, MAX_PEER_RATIO = 4.5, 7.5, 0.2
MAX_UNVERIFIED_REQUESTS, MAX_VERIFIED_REQUESTS, MAX_REQUESTS_PER_HOP, MAX_PROBES_PER_PULL = 8, 126, 3, 4
PEER = Path(__file__).with_name("uri_peer.yml")
PERMISSION = "cgr-pull"

TRIVIAL, UNVERIFIED, VERIFIED, PEER_PLAYBOOK = "trivial task", "setup, unverified", "setup, verified", "uri_peer.yml"

# The kinds of requests in the lab's request log that pull something: through Artifactory, and directly.
_PULLS = {"docker.manifest", "files.get", "pypi.index", "pypi.file", "npm.get", "nuget.get", "go.get"}
_DIRECT_PULLS = {"registry.manifest", "virtualapk.get", "platform.repo.list", "platform.tag.list"}

Pull = tuple[str, str]  # the service, and its path with the query


def list_pulls(bench: Bench, playbook: str | Path, variables: Path) -> list[Pull]:
    """Return what a playbook pulls every time. Content that is in no cache is left out, since it differs each time."""
    runs = []
    for _run in range(2):
        mark = bench.lab.log_position()
        bench.run_playbook(playbook, variables)
        runs.append(dict.fromkeys(filter(None, map(_parse_pull, bench.lab.request_log(mark)))))
    return [pull for pull in runs[0] if pull in runs[1]]


def _parse_pull(entry: Json) -> Pull | None:
    """Return what a module pulled, from an entry of the request log. Return None for any other request."""
    kinds = _PULLS if entry["service"] == "artifactory" else _DIRECT_PULLS
    is_from_module = entry["user_agent"].startswith(USER_AGENT)
    if not is_from_module or entry["kind"] not in kinds or entry["status"] not in (200, 302):
        return None
    return entry["service"], "?".join(filter(None, (entry["path"], urlencode(entry["query"]))))


def peer_variables(lab: LabClient, pulls: t.Sequence[Pull]) -> Json:
    """Return the variables with which uri_peer.yml finds nothing to change after `setup`. pulls: what it has to pull."""
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
        "pulls": [{"service": service, "url": urls[service] + path} for service, path in pulls],
    }


def count_pulls() -> int:
    """Return the number of pulls of a verification. The public images have no override, and count as one."""
    counts = {source.key: sum(map(len, source.pulls.values())) or 1 for source in SOURCES.values()}
    return sum(counts.values()) + sum(counts[key] for _key, _type, keys in VIRTUALS.values() for key in keys)


def measure(bench: Bench) -> list[Figure]:
    """Set up everything, and run the playbooks in turns."""
    verified = bench.write("verified.json", create_setup_variables(bench.lab))
    unverified = bench.write("unverified.json", create_setup_variables(bench.lab, verify_unchanged=False))
    bench.run_playbook(SETUP, verified, changes=True)
    peer = bench.write("peer.json", peer_variables(bench.lab, list_pulls(bench, SETUP, verified)))
    runs: dict[str, tuple[str | Path, Path]] = {
        TRIVIAL: (bench.write("trivial.json", create_trivial_play()), peer),
        UNVERIFIED: (SETUP, unverified),
        VERIFIED: (SETUP, verified),
        PEER_PLAYBOOK: (PEER, peer),
    }
    rounds = [
        # The peer takes longer than all others together, so it is not run in each round.
        {name: bench.count_requests(*run) for name, run in runs.items() if name != PEER_PLAYBOOK or number % 2}
        for number in range(ROUNDS + 1)
    ]
    seconds = {name: statistics.median(results[name][0] for results in rounds[1:] if name in results) for name in runs}
    requests = {
        name: max((results[name][1] for results in rounds if name in results), key=lambda counter: counter.total())
        for name in runs
    }
    for name in runs:
        print(f"{name:21} {seconds[name]:6.2f} s, {requests[name].total():4} requests: {dict(requests[name])}")
    return create_figures(seconds, requests)


def create_figures(seconds: t.Mapping[str, float], requests: t.Mapping[str, Requests]) -> list[Figure]:
    """Return the figures of the medians, and of the round with the most requests."""
    pulls, probes = count_pulls(), requests[VERIFIED][CACHE_PROBES]
    unverified, verified = requests[UNVERIFIED].total(), requests[VERIFIED].total() - probes
    per_hop = (verified - unverified) / (pulls * HOPS)
    return [
        Figure(
            "without verification, times one trivial task", seconds[UNVERIFIED] / seconds[TRIVIAL], MAX_UNVERIFIED_RATIO
        ),
        Figure("with verification, times one trivial task", seconds[VERIFIED] / seconds[TRIVIAL], MAX_VERIFIED_RATIO),
        Figure("with verification, times uri_peer.yml", seconds[VERIFIED] / seconds[PEER_PLAYBOOK], MAX_PEER_RATIO),
        Figure("without verification, requests", unverified, MAX_UNVERIFIED_REQUESTS),
        Figure("with verification, requests without cache probes", verified, MAX_VERIFIED_REQUESTS),
        Figure(f"the same per pull and hop ({pulls} pulls, {HOPS} hops)", per_hop, MAX_REQUESTS_PER_HOP),
        Figure("cache probes per pull", probes / pulls, MAX_PROBES_PER_PULL),
    ]


def main() -> None:
    with start_bench() as bench:
        print_figures(measure(bench))


if __name__ == "__main__":
    main()
