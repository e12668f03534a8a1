# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`make demo`: the real playbooks against a simulated Artifactory and Chainguard, told step by step."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

from lab.client import LabProcess, started

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")

DAY = 86400

State = dict[str, t.Any]


def configuration(state: State) -> dict[str, t.Any]:
    """Return the variables of the playbooks: what a user writes, and below it where the simulated Chainguard is."""
    chainguard = state["chainguard"]
    return {
        "pull_through_artifactory_url": state["artifactory"]["url"],
        "pull_through_organization": chainguard["organization"]["name"],
        "pull_through_sources": ["containers_public", "containers"],
        "pull_through_chainguard_api_url": chainguard["api_url"],
        "pull_through_chainguard_issuer_url": chainguard["issuer_url"],
        "pull_through_chainguard_registry_url": chainguard["registry_url"],
        "pull_through_ca_path": state["ca_path"],
    }


def run_playbook(name: str, variables: Path, state: State) -> None:
    """Run a playbook of the collection as a user does, with the secrets in the environment."""
    environment = {
        **os.environ,
        "ARTIFACTORY_ACCESS_TOKEN": state["artifactory"]["users"]["admin"]["token"],
        "CHAINGUARD_API_TOKEN": state["chainguard"]["api_tokens"]["owner"],
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache" / "collections"),
        "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false",
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
    }
    if subprocess.run([PLAYBOOK, name, "-e", f"@{variables}"], env=environment, check=False).returncode != 0:
        sys.exit(f"{name} failed; what it says is above.")


def tell_requests(lab: LabProcess, since: int) -> int:
    """Print how many requests the services got after an entry of their request log, and return the last one's number."""
    news, writes = lab.request_log(since), lab.writes(since)
    print(f"The services got {len(news)} requests. {len(writes) or 'None'} of them changed something.")
    return int(news[-1]["n"])


def say(title: str, *lines: str) -> None:
    """Print a chapter's heading."""
    print("\n".join(["", "=" * 100, title, *(f"  {line}" for line in lines), "=" * 100]), flush=True)


NEXT = """\
Write your own settings, secrets in the environment:

    # pull-through.yml
    pull_through_artifactory_url: https://myproject.jfrog.io
    pull_through_organization: example.com
    pull_through_sources: [containers_public, containers]

    export ARTIFACTORY_ACCESS_TOKEN=...             # an administrator's
    export CHAINGUARD_API_TOKEN=$(chainctl auth token)

    ansible-playbook cgr.pull_through.setup -e @pull-through.yml --check --diff    # look first
    ansible-playbook cgr.pull_through.setup -e @pull-through.yml

Then, from any machine with docker:

    docker login myproject.jfrog.io
    docker pull myproject.jfrog.io/cgr-public/chainguard/wolfi-base:latest
    docker pull myproject.jfrog.io/cgr-private/example.com/nginx:latest
"""


def main() -> None:
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="pull-through-demo-") as folder, started() as lab:
        state, variables = lab.state, Path(folder, "pull-through.json")
        variables.write_text(json.dumps(configuration(state)), encoding="utf-8")

        say(
            "1. An empty Artifactory. One run sets up two repositories and a pull token, and pulls through both.",
            f"Artifactory (simulated): {state['artifactory']['url']}",
            f"Chainguard (simulated):  {state['chainguard']['api_url']}",
        )
        run_playbook("cgr.pull_through.setup", variables, state)
        last = tell_requests(lab, 0)

        say("2. The same run again. Nothing is left to do: changed=0, no write, the same pull token.")
        run_playbook("cgr.pull_through.setup", variables, state)
        last = tell_requests(lab, last)

        lab.control("POST", "/clock", {"advance": 16 * DAY})
        say(
            "3. Sixteen days later: the pull token is due. It is renewed, proved, and only then the old one is revoked."
        )
        run_playbook("cgr.pull_through.rotate", variables, state)
        tell_requests(lab, last)

        say("4. What to type next, for your own Artifactory")
        print(NEXT)
    print(f"The demo took {time.monotonic() - begun:.0f} seconds, and left nothing running.")


if __name__ == "__main__":
    main()
