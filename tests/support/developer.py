# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the client setup commands that the role prints, unchanged, and then downloads with real package managers."""

from __future__ import annotations

import dataclasses
import os
import shlex
import subprocess
import tempfile
import typing as t
from pathlib import Path
from urllib.parse import quote

from lab import archives
from support.lab_client import LabClient
from support.maven import POM
from support.playbook_runner import MAX_RUN_SECONDS, PROGRAMS, write_private_json

# Works without systemd, and without limits that a container inside a container cannot raise.
CONTAINERS_CONF = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
# podman accepts docker's commands, and Debian's podman-docker installs it as `docker`.
DOCKER = """#!/bin/sh
exec podman --root "$HOME/storage" --runroot "$RUNROOT" --storage-driver vfs "$@"
"""


@dataclasses.dataclass(frozen=True)
class Client:
    """A program that downloads, set up by the printed commands of a section.

    section: its heading. command: what downloads afterward. programs: what has to be installed. output: a text that the
    script has to print. setup: what is run for each line that begins with prefix, with {line}, the {quoted} line or its
    {words[N]}.
    """

    section: str
    command: str
    programs: tuple[str, ...]
    output: str = ""
    setup: str = "{line}"
    prefix: str = ""


USER = "ci@example.com"  # has a character that URLs encode
DOCKER_LOGIN = "{line} --username {user} --password-stdin < token"
CLIENTS = {
    "pip": Client(
        "pip",
        "pip download --disable-pip-version-check --no-input --no-cache-dir --no-deps lab-greeting && ls",
        ("pip",),
        output="lab_greeting-1.1.0-py3-none-any.whl",
    ),
    "uv": Client(
        "uv",
        "uv pip install --quiet --no-deps --target uv lab-greeting && ls uv",
        ("uv",),
        output="lab_greeting-1.1.0.dist-info",
    ),
    "npm": Client("npm", "npm pack @example/greeting", ("npm",), output="example-greeting-1.1.0.tgz"),
    "mvn": Client(
        "mvn",
        "mvn --batch-mode --strict-checksums --settings settings.xml -Dmaven.repo.local=$HOME/m2 validate"
        " && ls m2/com/example/lab-greeting/1.0.0",
        ("mvn", "keytool"),
        setup="echo {quoted} > settings.xml",
        output="lab-greeting-1.0.0.jar",
    ),
    "go": Client("go", "go mod download -json example.com/lab/greeting@latest", ("go",), output='"Version": "v1.1.0"'),
    "podman": Client(
        "docker",
        "docker images --no-trunc",
        ("podman",),
        prefix="docker pull",
        output="/example.com/nginx",
    ),
    "skopeo": Client(
        "docker",
        "",
        ("skopeo",),
        prefix="docker pull",
        setup="skopeo inspect docker://{words[2]}",
        output='"Name": ',
    ),
}


def section_lines(lines: t.Sequence[str], section: str) -> list[str]:
    """Return the commands below a heading of the printed lines, without comments."""
    begin = lines.index(f"# {section}") + 1
    commands: list[str] = []
    for line in lines[begin:]:
        if not line.startswith("# "):
            commands.append(line)
        elif commands:
            break
    return commands


class Developer:
    """A developer's account, with a home folder of its own and no settings of this machine."""

    def __init__(self, lab: LabClient, home: Path, token: str, path: t.Sequence[Path] = ()) -> None:
        """token: an access token of USER. path: folders of additional programs."""
        home.mkdir()
        self._lab, self._home, self._token = lab, home, token
        self._path = [home / "bin", *path, PROGRAMS, os.environ["PATH"]]
        (home / "bin").mkdir()
        (home / "bin" / "docker").write_text(DOCKER, encoding="utf-8")
        (home / "bin" / "docker").chmod(0o755)
        write_private_json(home / "token", {}).write_text(token, encoding="utf-8")
        containers = home / ".config" / "containers"
        containers.mkdir(parents=True)
        write_private_json(containers / "policy.json", {"default": [{"type": "insecureAcceptAnything"}]})
        (home / "containers.conf").write_text(CONTAINERS_CONF, encoding="utf-8")
        (home / "pom.xml").write_text(POM, encoding="utf-8")
        # Maven needs plexus-utils for each extension, and no repository of the lab has it.
        plexus = home / "m2" / "org/codehaus/plexus/plexus-utils/1.1"
        plexus.mkdir(parents=True)
        (plexus / "plexus-utils-1.1.jar").write_bytes(archives.pack_zip({"empty": b""}))

    def _build_environment(self, runroot: str) -> dict[str, str]:
        ca_path, home = str(self._lab.ca_path), self._home
        java = f"-Djavax.net.ssl.trustStore={home}/trusted.p12 -Djavax.net.ssl.trustStorePassword=changeit"
        return {
            "PATH": os.pathsep.join(map(str, self._path)),
            "HOME": str(home),
            "RUNROOT": runroot,
            "PIP_CERT": ca_path,
            "npm_config_cafile": ca_path,
            "SSL_CERT_FILE": ca_path,
            "MAVEN_OPTS": java,
            "GOPATH": f"{home}/go",
            "GOFLAGS": "-mod=mod -modcacherw",
            "GOTOOLCHAIN": "local",
            "UV_PYTHON": str(PROGRAMS / "python"),
            "CONTAINERS_CONF": f"{home}/containers.conf",
            "REGISTRY_AUTH_FILE": f"{home}/auth.json",
            "XDG_RUNTIME_DIR": f"{home}",
        }

    def run_clients(
        self, lines: t.Sequence[str], clients: t.Mapping[str, Client]
    ) -> dict[str, subprocess.CompletedProcess[str]]:
        """Set up each client with the printed lines, download with it, and return the results by client."""
        keytool = "keytool -importcert -noprompt -alias lab -keystore trusted.p12 -storepass changeit -file"
        docker_login = section_lines(lines, "docker")[0]
        # podman rejects a path of more than 50 characters.
        with tempfile.TemporaryDirectory(prefix="podman-", ignore_cleanup_errors=True) as runroot:
            environment = self._build_environment(runroot)
            self._run(f"{keytool} {shlex.quote(str(self._lab.ca_path))}", environment)
            self._run(DOCKER_LOGIN.format(line=docker_login, user=USER), environment)
            return {name: self._run(self._script(client, lines), environment) for name, client in clients.items()}

    def _script(self, client: Client, lines: t.Sequence[str]) -> str:
        printed = [self._fill_in(line) for line in section_lines(lines, client.section)]
        chosen = [line for line in printed if line.startswith(client.prefix)]
        setup = [client.setup.format(line=line, quoted=shlex.quote(line), words=line.split()) for line in chosen]
        assert setup, f"the section {client.section} has no line that begins with {client.prefix}"
        return "\n".join([*setup, client.command])

    def _fill_in(self, line: str) -> str:
        """Return a line with credentials, as the comment above the printed lines says."""
        in_url = f"{quote(USER, safe='')}:{self._token}@"
        return line.replace("USER:TOKEN@", in_url).replace("USER", USER).replace("TOKEN", self._token)

    def _run(self, script: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-ec", script],
            cwd=self._home,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=MAX_RUN_SECONDS,
            check=False,
        )
