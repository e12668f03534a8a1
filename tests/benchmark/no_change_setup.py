# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run of `setup` costs that has nothing to do, against a play of as many trivial tasks.

Prints medians of interleaved rounds in the same run, their ratio, and the requests that each service gets.
"""

from __future__ import annotations

import collections
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lab.client import LabProcess, started

ROUNDS = 5
ROOT = Path(__file__).resolve().parents[2]
PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")


def play(playbook: str, environment: dict[str, str], *arguments: str) -> tuple[float, str]:
    """Return the wall seconds of a playbook, and its output."""
    begun = time.monotonic()
    done = subprocess.run(
        [PLAYBOOK, playbook, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        sys.exit(done.stdout + done.stderr)
    return time.monotonic() - begun, done.stdout


def trivial(folder: Path, tasks: int) -> str:
    """Write a play with this many tasks, each the smallest module, and return its path."""
    each = [{"name": f"Task {number}", "ansible.builtin.ping": {}} for number in range(tasks)]
    variables = {"ansible_python_interpreter": "{{ ansible_playbook_python }}", "ansible_pipelining": True}
    header = {"hosts": "localhost", "connection": "local", "gather_facts": False, "vars": variables}
    path = folder / "trivial.yml"
    path.write_text(json.dumps([{**header, "tasks": each}]), encoding="utf-8")
    return str(path)


def settings(lab: LabProcess, folder: Path) -> tuple[dict[str, str], str]:
    """Return the environment and the file of variables for `setup`."""
    artifactory, chainguard = lab.state["artifactory"], lab.state["chainguard"]
    variables = {
        "pull_through_artifactory_url": artifactory["url"],
        "pull_through_artifactory_access_token": artifactory["users"]["admin"]["token"],
        "pull_through_organization": chainguard["organization"]["name"],
        "pull_through_sources": ["containers_public", "containers"],
        "pull_through_chainguard_api_token": chainguard["api_tokens"]["owner"],
        "pull_through_chainguard_api_url": chainguard["api_url"],
        "pull_through_chainguard_issuer_url": chainguard["issuer_url"],
        "pull_through_chainguard_registry_url": chainguard["registry_url"],
        "pull_through_ca_path": lab.state["ca_path"],
    }
    path = folder / "variables.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps(variables), encoding="utf-8")
    collections_path = str(ROOT / ".cache" / "collections")
    return {**os.environ, "ANSIBLE_COLLECTIONS_PATH": collections_path, "ANSIBLE_NOCOLOR": "1"}, f"@{path}"


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name, started() as lab:
        folder = Path(name)
        environment, variables = settings(lab, folder)
        setup = ("cgr.pull_through.setup", environment, "-e", variables)
        play(*setup)
        last = int(lab.journal()[-1]["n"])
        output = play(*setup)[1]
        requests = collections.Counter(entry["service"] for entry in lab.journal(last))
        tasks = int(re.search(r"ok=(\d+)", output)[1])  # type: ignore[index]  # the recap is always there
        peer = trivial(folder, tasks)
        ours, theirs = [], []
        for _round in range(ROUNDS):
            ours.append(play(*setup)[0])
            theirs.append(play(peer, environment)[0])
    mine, other = statistics.median(ours), statistics.median(theirs)
    print(f"no-change setup, two sources, with proofs: {mine:.2f} s")
    print(f"play of {tasks} trivial tasks:               {other:.2f} s")
    print(f"ratio:                                     {mine / other:.2f}")
    print(f"requests:                                  {sum(requests.values())} {dict(requests)}")


if __name__ == "__main__":
    main()
