# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pip, npm, mvn and go download packages through the simulated Artifactory, and verify them as usual."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from lab import archives
from support.maven import POM
from support.programs import find_program

from .conftest import Lab, PullToken
from .test_artifactory_docker import change
from .test_artifactory_files import FOLDER, JAR, MAVEN
from .test_artifactory_go import GO, MODULE, ZIP
from .test_artifactory_npm import NPM
from .test_artifactory_pypi import PYPI, WHEEL
from .test_artifactory_rest import create, secret
from .test_chainguard_libraries import fetch

Create = Callable[..., PullToken]


@pytest.fixture
def remote(lab: Lab, pull_token: Callable[..., PullToken]) -> Create:
    """Creates the remote repository `direct` with its own pull token, and the virtual repository `all` of it."""

    def create_remote(role: str, body: dict[str, Any]) -> PullToken:
        token = pull_token(role)
        create(lab, "direct", {**body, "username": token.username, "password": token.password})
        holds = {"rclass": "virtual", "packageType": body["packageType"], "repositories": ["direct"]}
        create(lab, "all", holds)
        return token

    return create_remote


@dataclass(frozen=True)
class Shell:
    """Runs programs with a temporary folder as their home, so that they do not use settings of this machine."""

    lab: Lab
    folder: Path

    def __call__(self, *command: str, fails: bool = False, environment: Mapping[str, str] | None = None) -> str:
        """The standard output of a command, or with `fails` standard output and error."""
        clean = {"PATH": os.environ["PATH"], "HOME": str(self.folder), **(environment or {})}
        ended = subprocess.run(
            command, cwd=self.folder, env=clean, capture_output=True, text=True, timeout=120, check=False
        )
        assert (ended.returncode != 0) is fails, ended.stdout + ended.stderr
        return ended.stdout + ended.stderr if fails else ended.stdout

    @property
    def ca(self) -> str:
        return str(self.lab.simulator.ca_path)

    def url(self, path: str) -> str:
        return f"{self.lab.state['artifactory']['url']}/artifactory/{path}"

    def authenticated_url(self, path: str) -> str:
        """The same URL with credentials."""
        scheme, _ignored, rest = self.url(path).partition("://")
        return f"{scheme}://puller:{secret(self.lab, 'puller', 'token')}@{rest}"


@pytest.fixture
def shell(lab: Lab, tmp_path: Path) -> Shell:
    return Shell(lab, tmp_path)


# --- pip ---


def pip(shell: Shell, index_url: str, requirement: str, fails: bool = False) -> str:
    index = ("--index-url", index_url, "--cert", shell.ca)
    options = ("--isolated", "--no-cache-dir", "--disable-pip-version-check", "--no-deps", "--no-input")
    return shell(sys.executable, "-m", "pip", "download", *options, *index, requirement, fails=fails)


@pytest.mark.parametrize("where", ["direct", "all"])
def test_pip_downloads_a_wheel(shell: Shell, remote: Create, where: str) -> None:
    token = remote("libraries.python.pull", PYPI)
    index = shell.authenticated_url(f"api/pypi/{where}/simple")
    pip(shell, index, "lab-greeting==1.0.0")
    assert (shell.folder / WHEEL.rpartition("/")[2]).read_bytes() == fetch(shell.lab, f"/{WHEEL}", token)
    pip(shell, index, "urllib3==2.5.0")
    pip(shell, index, "lab-upstream")
    assert (shell.folder / "lab_upstream-2.0.0-py3-none-any.whl").exists()


def test_pip_rejects_an_html_page(shell: Shell, remote: Create) -> None:
    remote("libraries.python.pull", PYPI)
    change(shell.lab, "direct", bypassHeadRequests=False)
    assert "DO NOT MATCH THE HASHES" in pip(
        shell, shell.authenticated_url("api/pypi/direct/simple"), "lab-greeting==1.0.0", fails=True
    )


def test_pip_downloads_from_chainguard_directly(shell: Shell, remote: Create) -> None:
    token = remote("libraries.python.pull", PYPI)
    host = shell.lab.state["chainguard"]["libraries_url"].partition("://")[2]
    pip(shell, f"https://{quote(token.username, safe='')}:{token.password}@{host}/python/simple", "lab-greeting==1.0.0")
    assert (shell.folder / WHEEL.rpartition("/")[2]).exists()


# --- npm ---


@pytest.fixture
def npm(shell: Shell) -> Callable[..., str]:
    program = find_program("npm")

    def run(key: str, *words: str, fails: bool = False) -> str:
        registry = f"{shell.url(f'api/npm/{key}')}/"
        credentials = base64.b64encode(f"puller:{secret(shell.lab, 'puller', 'token')}".encode()).decode()
        lines = [f"registry={registry}", f"{registry.partition(':')[2]}:_auth={credentials}"]
        lines += [f"cafile={shell.ca}"] if registry.startswith("https:") else []
        (shell.folder / ".npmrc").write_text("\n".join([*lines, "fetch-retries=0", "update-notifier=false"]))
        return shell(program, *words, fails=fails)

    return run


@pytest.mark.parametrize("where", ["direct", "all"])
def test_npm_packs_a_package(shell: Shell, remote: Create, npm: Callable[..., str], where: str) -> None:
    token = remote("libraries.javascript.pull", NPM)
    assert npm(where, "view", "lab-greeting", "version").strip() == "1.1.0"
    for name, file in (("lab-greeting", "lab-greeting-1.0.0.tgz"), ("@example/greeting", "example-greeting-1.0.0.tgz")):
        (packed,) = json.loads(npm(where, "pack", f"{name}@1.0.0", "--json"))
        upstream = fetch(shell.lab, f"/javascript/{name}/-/{name.rpartition('/')[2]}-1.0.0.tgz", token)
        assert packed["filename"] == file and (shell.folder / file).read_bytes() == upstream


@pytest.mark.parametrize("where", ["direct", "all"])
def test_npm_packs_a_tarball_from_outside_of_the_url(
    shell: Shell, remote: Create, npm: Callable[..., str], where: str
) -> None:
    token = remote("libraries.javascript.pull", NPM)
    npm(where, "pack", "picocolors@1.1.1")
    upstream = fetch(shell.lab, "/javascript-upstream/picocolors/-/picocolors-1.1.1.tgz", token)
    assert (shell.folder / "picocolors-1.1.1.tgz").read_bytes() == upstream


@pytest.mark.parametrize("running_lab", [False], indirect=True, ids=["http"])
@pytest.mark.parametrize("outside", ["rewritten", "unchanged"])
def test_npm_packs_a_package_over_plain_http(
    shell: Shell, remote: Create, npm: Callable[..., str], outside: str
) -> None:
    """The links of the upstream are below the URL of the remote, which is the real one with https."""
    shell.lab.configure(artifactory_npm_outside_tarballs=outside)
    token = remote("libraries.javascript.pull", NPM)
    npm("all", "pack", "lab-greeting@1.0.0")
    upstream = fetch(shell.lab, "/javascript/lab-greeting/-/lab-greeting-1.0.0.tgz", token)
    assert (shell.folder / "lab-greeting-1.0.0.tgz").read_bytes() == upstream


def test_npm_rejects_an_html_page(shell: Shell, remote: Create, npm: Callable[..., str]) -> None:
    remote("libraries.javascript.pull", NPM)
    change(shell.lab, "direct", bypassHeadRequests=False)
    assert "EINTEGRITY" in npm("direct", "pack", "lab-greeting@1.0.0", fails=True)


# --- mvn ---

SETTINGS = """<settings>
  <servers><server><id>lab</id><username>puller</username><password>{password}</password></server></servers>
  <mirrors><mirror><id>lab</id><mirrorOf>*</mirrorOf><url>{url}</url></mirror></mirrors>
</settings>
"""


@pytest.fixture
def mvn(shell: Shell) -> Callable[..., str]:
    """Runs Maven's validate phase on a project that needs the artifact."""
    program, keytool = find_program("mvn"), find_program("keytool")
    trusted = ("-keystore", str(shell.folder / "trusted.p12"), "-storepass", "changeit")
    shell(keytool, "-importcert", "-noprompt", "-alias", "lab", "-file", shell.ca, *trusted)
    (shell.folder / "pom.xml").write_text(POM)
    repository = shell.folder / "repository"
    # Maven adds plexus-utils to every extension, because old ones use it without declaring it.
    plexus = repository / "org/codehaus/plexus/plexus-utils/1.1"
    plexus.mkdir(parents=True)
    (plexus / "plexus-utils-1.1.jar").write_bytes(archives.pack_zip({"empty": b""}))
    java = f"-Djavax.net.ssl.trustStore={trusted[1]} -Djavax.net.ssl.trustStorePassword=changeit"

    def run(where: str, fails: bool = False) -> str:
        settings = SETTINGS.format(password=secret(shell.lab, "puller", "token"), url=shell.url(where))
        (shell.folder / "settings.xml").write_text(settings)
        options = (
            "--batch-mode",
            "--strict-checksums",
            "--settings",
            "settings.xml",
            f"-Dmaven.repo.local={repository}",
        )
        return shell(program, *options, "validate", environment={"MAVEN_OPTS": java}, fails=fails)

    return run


@pytest.mark.parametrize("where", ["direct", "all"])
def test_mvn_downloads_an_artifact(shell: Shell, remote: Create, mvn: Callable[..., str], where: str) -> None:
    token = remote("libraries.java.pull", MAVEN)
    mvn(where)
    repository = shell.folder / "repository"
    assert (repository / JAR).read_bytes() == fetch(shell.lab, f"/java/{JAR}", token)
    assert (repository / FOLDER / "1.0.0" / "lab-greeting-1.0.0.jar.sha1").exists()


def test_mvn_cannot_use_an_html_page(shell: Shell, remote: Create, mvn: Callable[..., str]) -> None:
    """The checksum matches, because it is that of the page, and Maven continues without a broken extension."""
    remote("libraries.java.pull", MAVEN)
    change(shell.lab, "direct", bypassHeadRequests=False)
    assert "lab-greeting:1.0.0: zip END header not found" in mvn("direct")


# --- go ---


@pytest.fixture
def go(shell: Shell) -> Callable[..., str]:
    program = find_program("go")

    def run(where: str, *words: str, fails: bool = False) -> str:
        environment = {
            "GOPROXY": shell.authenticated_url(where),
            "GOPATH": str(shell.folder / "go"),
            "GONOSUMDB": "*",
            "GOFLAGS": "-mod=mod -modcacherw",
            "GOTOOLCHAIN": "local",
            "SSL_CERT_FILE": shell.ca,
        }
        return shell(program, *words, environment=environment, fails=fails)

    return run


@pytest.mark.parametrize("where", ["api/go/direct", "api/go/all", "direct"])
def test_go_downloads_a_module(shell: Shell, remote: Create, go: Callable[..., str], where: str) -> None:
    token = remote("libraries.go.pull", GO)
    report = json.loads(go(where, "mod", "download", "-json", f"{MODULE}@v1.0.0"))
    assert report["Version"] == "v1.0.0" and report["Sum"].startswith("h1:")
    assert Path(report["Zip"]).read_bytes() == fetch(shell.lab, f"/go/{ZIP}", token)
    versions = go(where, "list", "-m", "-versions", MODULE)
    assert "v1.1.0" in versions and "v0.9.0" not in versions
    assert json.loads(go(where, "mod", "download", "-json", "rsc.io/quote@v1.5.2"))["Version"] == "v1.5.2"


def test_go_rejects_an_html_page(shell: Shell, remote: Create, go: Callable[..., str]) -> None:
    remote("libraries.go.pull", GO)
    change(shell.lab, "direct", bypassHeadRequests=False)
    assert "not a valid zip file" in go("api/go/direct", "mod", "download", f"{MODULE}@v1.0.0", fails=True)
