# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each program that runs playbooks sets up the repositories, and changes nothing when it runs again."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from environments import make_environment
from support.lab_client import LabClient
from support.playbook_runner import MAX_RUN_SECONDS, build_environment, write_private_json

PLAYBOOK = "cgr.pull_through.setup"
# Each command runs in a folder with variables.json.
COMMANDS = {
    "ansible-playbook": [PLAYBOOK, "-e", "@variables.json"],
    "ansible-runner": ["run", ".", "--playbook", PLAYBOOK, "--cmdline", "-e @../variables.json"],
    "ansible-navigator": ["run", PLAYBOOK, "--mode", "stdout", "--ee", "false", "--playbook-artifact-enable", "false"]
    + ["-e", "@variables.json"],
}


@pytest.mark.parametrize("program", COMMANDS)
def test_a_program_runs_setup(lab: LabClient, tmp_path: Path, program: str) -> None:
    write_private_json(tmp_path / "variables.json", lab.variables("containers_public", "containers", depth="manifest"))
    environment = build_environment(tmp_path)
    if program == "ansible-navigator":
        programs = make_environment("navigator", "navigator")
        environment["PATH"] = os.pathsep.join([str(programs), environment["PATH"]])
    (tmp_path / "project").mkdir()
    runs = [run([program, *COMMANDS[program]], tmp_path, environment) for _number in range(2)]
    changed, unchanged = (re.findall("changed=([0-9]+) .* failed=0", output) for output in runs)
    assert [int(number) > 0 for number in changed] == [True] and unchanged == ["0"], "\n".join(runs)
    assert set(lab.repositories()) == {"cgr-public", "cgr-private"}


def run(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    """Return the output of a command. Raises AssertionError if it fails."""
    process = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=MAX_RUN_SECONDS,
        check=False,
    )
    assert process.returncode == 0, process.stdout
    return process.stdout
