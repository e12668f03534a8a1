# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""artifact_pull against third-party package servers, and servers of static files: directly and through Artifactory."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import hashlib
import sys
import typing as t
from pathlib import Path

import pytest

from lab.packages import ORIGIN, golang, java, javascript, python
from support.lab_client import Json, LabClient
from support.playbook_runner import PlaybookRunner, Run
from support.services import find_free_port, run_server, serve_files

USER, PASSWORD = "ci", "the-password-of-ci"
VERSIONS = {"1.0.0": 0, "1.1.0": 0}
NEWEST = "1.1.0"


@dataclasses.dataclass(frozen=True)
class Server:
    """A package server. url: where the packages are. settings: what its remote repository needs besides the URL."""

    package_type: str
    url: str
    artifact: str
    settings: Json = dataclasses.field(default_factory=dict)
    credentials: tuple[str, str] = ("", "")

    def direct(self, password: str) -> Json:
        """Return the options of a pull without Artifactory."""
        user, _password = self.credentials
        options = {"package_type": self.package_type, "artifacts": [self.artifact], "upstream_url": self.url}
        return {**options, "upstream_username": user, "upstream_password": password} if user else options


@contextlib.contextmanager
def run_pypiserver(folder: Path, *, protected: bool) -> t.Iterator[Server]:
    """Run pypiserver with the versions of a project. protected: whether it requires a password."""
    index = python.build_packages("python", {"lab-greeting": VERSIONS})
    for path, file in index.items():
        if path.endswith(".whl"):
            (folder / path.rpartition("/")[2]).write_bytes(file.body)
    digest = base64.b64encode(hashlib.sha1(PASSWORD.encode()).digest()).decode()
    (folder / "passwords").write_text(f"{USER}:{{SHA}}{digest}\n", encoding="ascii")
    access = ("-a", "list,download", "-P", str(folder / "passwords")) if protected else ("-a", ".", "-P", ".")
    port = find_free_port()
    command = [
        sys.executable,
        "-m",
        "pypiserver",
        "run",
        "-i",
        "127.0.0.1",
        "-p",
        str(port),
        "--disable-fallback",
        *access,
    ]
    with run_server([*command, str(folder)], f"http://127.0.0.1:{port}", folder / "log") as url:
        settings = {"pyPIRegistryUrl": url, "pyPIRepositorySuffix": "simple"}
        credentials = (USER, PASSWORD) if protected else ("", "")
        yield Server("pypi", f"{url}/simple/", "lab-greeting", settings, credentials)


@contextlib.contextmanager
def run_servers(folder: Path) -> t.Iterator[dict[str, Server]]:
    """Run a server of each ecosystem, and yield them by name."""
    for name in ("open", "protected"):
        (folder / name).mkdir()
    packages = {
        **java.build_packages("maven", {"com.example:lab-greeting": VERSIONS}),
        **golang.build_packages("go", {"example.com/lab/greeting": VERSIONS}),
        **javascript.build_packages("npm", {"@example/greeting": VERSIONS}),
    }

    def make_files(url: str) -> dict[str, bytes]:
        return {path: file.body.replace(ORIGIN.encode(), url.encode()) for path, file in packages.items()}

    with (
        serve_files(make_files) as url,
        run_pypiserver(folder / "open", protected=False) as pypi,
        run_pypiserver(folder / "protected", protected=True) as protected,
    ):
        yield {
            "static Maven": Server("maven", f"{url}/maven/", "com.example:lab-greeting"),
            "static Go": Server("go", f"{url}/go/", "example.com/lab/greeting"),
            "static npm": Server("npm", f"{url}/npm/", "@example/greeting"),
            "pypiserver": pypi,
            "pypiserver with a password": protected,
        }


NAMES = ["static Maven", "static Go", "static npm", "pypiserver", "pypiserver with a password"]


@pytest.fixture(scope="module")
def run(running_lab: LabClient, run_playbook: PlaybookRunner, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Pull from each server directly, and through a remote repository in front of it."""
    running_lab.reset()
    with run_servers(tmp_path_factory.mktemp("servers")) as servers:
        pulls = {name: server.direct(server.credentials[1]) for name, server in servers.items()}
        for number, (name, server) in enumerate(servers.items()):
            user, password = server.credentials
            url = server.url.removesuffix("simple/") if server.package_type == "pypi" else server.url
            running_lab.create_repository(
                f"remote-{number}",
                packageType=server.package_type,
                url=url,
                username=user,
                password=password,
                **server.settings,
            )
            through = {"repository": f"remote-{number}", "from_upstream": "required"}
            pulls[f"{name}, through Artifactory"] = {**server.direct(password), **through}
        pulls["wrong password"] = servers["pypiserver with a password"].direct("wrong")
        tasks = [{"name": name, "cgr.pull_through.artifact_pull": options} for name, options in pulls.items()]
        return run_playbook.run_tasks(tasks, running_lab.module_defaults("manager"))


@pytest.mark.parametrize("name", NAMES)
def test_an_artifact_is_pulled_directly(run: Run, name: str) -> None:
    (artifact,) = run.task(name).result["artifacts"]
    assert (artifact["ok"], artifact["version"].removeprefix("v")) == (True, NEWEST)
    assert artifact["from_upstream"] is None


@pytest.mark.parametrize("name", NAMES)
def test_an_artifact_is_pulled_through_artifactory_and_matches(run: Run, name: str) -> None:
    (artifact,) = run.task(f"{name}, through Artifactory").result["artifacts"]
    assert (artifact["ok"], artifact["from_upstream"]) == (True, True)
    assert artifact["upstream_version"] == artifact["version"]
    # A Go proxy may format the details of a version as it likes.
    assert all(file["matches_upstream"] for file in artifact["files"] if not file["name"].endswith(".info"))


def test_the_error_page_of_a_server_is_quoted(run: Run) -> None:
    (artifact,) = run.task("wrong password").result["artifacts"]
    assert run.task("wrong password").status == "failed"
    assert artifact["diagnosis"]["code"] == "html_response"
    assert "an HTML page titled 'Error: 403 Forbidden' (status 403)" in artifact["diagnosis"]["cause"]
    assert "-cache" not in artifact["diagnosis"]["fix"]
