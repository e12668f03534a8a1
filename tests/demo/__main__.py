# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`make demo`: the real playbooks against a simulated Artifactory and Chainguard, step by step."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path
from urllib.parse import urlsplit

from lab.client import LabProcess, started

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")

DAY = 86400
# Instead of five minutes, and of the four for which Artifactory keeps the bearer tokens of its upstream.
GRACE_PERIOD, UPSTREAM_TOKEN_SECONDS = "5s", 4

State = dict[str, t.Any]


def role_variables(state: State) -> dict[str, t.Any]:
    """Return the variables of the playbooks, with the URLs of the simulated Chainguard."""
    chainguard = state["chainguard"]
    return {
        "pull_through_artifactory_url": state["artifactory"]["url"],
        "pull_through_organization": chainguard["organization"]["name"],
        "pull_through_sources": ["containers_public", "containers"],
        "pull_through_chainguard_api_url": chainguard["api_url"],
        "pull_through_chainguard_issuer_url": chainguard["issuer_url"],
        "pull_through_chainguard_registry_url": chainguard["registry_url"],
        "pull_through_ca_path": state["ca_path"],
        "pull_through_grace_period": GRACE_PERIOD,
    }


def secrets_of(state: State) -> dict[str, str]:
    """Return the environment with the credentials."""
    return {
        "ARTIFACTORY_ACCESS_TOKEN": state["artifactory"]["users"]["admin"]["token"],
        "CHAINGUARD_API_TOKEN": state["chainguard"]["api_tokens"]["owner"],
        "CHAINGUARD_HOSTS": urlsplit(state["chainguard"]["registry_url"]).netloc,
    }


def run_playbook(name: str, variables: Path, state: State) -> None:
    """Run a playbook of the collection as a user does, with the secrets in the environment. End the demo if it fails."""
    environment = {
        **os.environ,
        **secrets_of(state),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache" / "collections"),
        "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false",
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
    }
    if subprocess.run([PLAYBOOK, name, "-e", f"@{variables}"], env=environment, check=False).returncode != 0:
        sys.exit(f"{name} failed. Its output is above.")


def print_requests(lab: LabProcess, since: int) -> int:
    """Print the number of requests since a position in the request log, and return the new position."""
    entries, changes = lab.request_log(since), lab.changes(since)
    print(f"The services got {len(entries)} requests. {len(changes) or 'None'} of them changed something.")
    return int(entries[-1]["n"])


def print_heading(title: str, *lines: str) -> None:
    """Print the heading of a step."""
    print("\n".join(["", "=" * 100, title, *(f"  {line}" for line in lines), "=" * 100]), flush=True)


NEXT_STEPS = """\
Get Ansible and the collection, which is not on Galaxy yet:

    python3 -m venv ~/ansible && . ~/ansible/bin/activate
    pip install ansible-core requests cryptography jmespath
    make build
    ansible-galaxy collection install .cache/build/cgr-pull_through-*.tar.gz

Write your own settings, and put the secrets into the environment:

    # pull-through.yml
    pull_through_artifactory_url: https://myproject.jfrog.io
    pull_through_organization: example.com
    pull_through_sources: [containers_public, containers]

    export ARTIFACTORY_ACCESS_TOKEN=...             # an administrator's
    export CHAINGUARD_API_TOKEN=$(chainctl auth token)

    ansible-playbook cgr.pull_through.setup -e @pull-through.yml --check --diff    # predict the changes
    ansible-playbook cgr.pull_through.setup -e @pull-through.yml

Then, from any machine with docker:

    docker login myproject.jfrog.io
    docker pull myproject.jfrog.io/cgr-public/chainguard/wolfi-base:latest
    docker pull myproject.jfrog.io/cgr-private/example.com/nginx:latest
"""


def main() -> None:
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="pull-through-demo-") as folder, started() as lab:
        state, variables = lab.state, Path(folder, "pull-through.json")
        variables.write_text(json.dumps(role_variables(state)), encoding="utf-8")
        lab.control("POST", "/settings", {"artifactory_upstream_token_seconds": UPSTREAM_TOKEN_SECONDS})

        print_heading(
            "1. An empty Artifactory. One run sets up two repositories and a pull token, and pulls through both.",
            f"Artifactory (simulated): {state['artifactory']['url']}",
            f"Chainguard (simulated):  {state['chainguard']['api_url']}",
        )
        run_playbook("cgr.pull_through.setup", variables, state)
        position = print_requests(lab, 0)

        print_heading("2. The same run again, with nothing to change: changed=0, and the same pull token.")
        run_playbook("cgr.pull_through.setup", variables, state)
        position = print_requests(lab, position)

        lab.control("POST", "/clock", {"advance": 16 * DAY})
        print_heading(
            "3. Sixteen days later the pull token is due. It is rotated and verified, and only then is the old one revoked.",
            f"The grace period is {GRACE_PERIOD} here. With a real Artifactory it is five minutes.",
        )
        run_playbook("cgr.pull_through.rotate", variables, state)
        print_requests(lab, position)

        print_heading("4. Next steps, for your own Artifactory")
        print(NEXT_STEPS)
    print(f"The demo took {time.monotonic() - start:.0f} seconds. No process is left running.")


if __name__ == "__main__":
    main()
