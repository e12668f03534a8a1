# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The printed client setup commands without virtual repositories, and for programs that `make clients` installs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from support.developer import CLIENTS, USER, Client, Developer
from support.lab_client import LabClient
from support.playbook_runner import PlaybookRunner
from support.programs import find_program
from support.sources import SOURCE_PULLS

SOURCES = ["containers_public", "charts", "java", "java_remediated", "python", "python_remediated", "javascript"]
HELM_LOGIN = f"helm registry login $(echo {{words[2]}} | cut -d/ -f3) --username {USER} --password-stdin < token"
OWN_CLIENTS = {
    "yarn": Client(
        "yarn 1",
        "echo '{}' > package.json && yarn add --silent @example/greeting lab-greeting && ls node_modules",
        (),
        output="lab-greeting",
    ),
    "helm": Client(
        "helm", "ls", (), prefix="helm pull", setup=f"{HELM_LOGIN} && {{line}}", output="lab-greeting-1.1.0.tgz"
    ),
    "remediated pip": Client(
        "pip",
        "pip download --no-cache-dir --no-deps lab-greeting==1.0.0+cgr.1 six==1.17.0 && ls",
        ("pip",),
        output="lab_greeting-1.0.0+cgr.1-py3-none-any.whl",
    ),
}
ALL_CLIENTS = {**{name: CLIENTS[name] for name in ("mvn", "pip", "uv")}, **OWN_CLIENTS, "npm": CLIENTS["npm"]}


@pytest.fixture(scope="module")
def results(
    lab: LabClient, programs: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, subprocess.CompletedProcess[str]]:
    """Set up the sources, and then each client with the printed commands."""
    token = lab.create_user(USER)
    variables = lab.variables(*SOURCES, source_overrides=SOURCE_PULLS, users=[USER])
    run = PlaybookRunner(lambda: tmp_path_factory.mktemp("run"))("cgr.pull_through.setup", variables, "-v")
    assert run.code == 0, run.output
    developer = Developer(lab, tmp_path_factory.mktemp("home") / "developer", token, path=[programs])
    return developer.run_clients(run.client_setup(), ALL_CLIENTS)


@pytest.mark.parametrize("client", ALL_CLIENTS)
def test_a_client_downloads_after_the_printed_setup(
    results: dict[str, subprocess.CompletedProcess[str]], client: str
) -> None:
    for name in ALL_CLIENTS[client].programs:
        find_program(name)
    process = results[client]
    assert process.returncode == 0, process.stdout + process.stderr
    assert ALL_CLIENTS[client].output in process.stdout
