# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the client setup commands that the role prints, unchanged, and then downloads with real package managers."""

from __future__ import annotations

import dataclasses
import os
import shlex
import shutil
import subprocess
import tempfile
import typing as t
from pathlib import Path

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
    """A program that downloads, set up by some of the printed commands.

    prefixes: how these commands begin. setup: what is run for each of them, with {line}, the {quoted} line or its {words[N]}.
    command: what downloads afterward. programs: what has to be installed. output: a text that the script has to print.
    """

    prefixes: tuple[str, ...]
    command: str
    programs: tuple[str, ...]
    setup: str = "{line}"
    output: str = ""


DOCKER_LOGIN = "{line} --username puller --password-stdin < token"
CLIENTS = {
    "pip": Client(
        ("pip ",),
        "pip download --disable-pip-version-check --no-input --no-cache-dir --no-deps lab-greeting && ls",
        ("pip",),
        output="lab_greeting-1.1.0-py3-none-any.whl",
    ),
    "npm": Client(("npm ",), "npm pack @example/greeting", ("npm",), output="example-greeting-1.1.0.tgz"),
    "mvn": Client(
        ("<settings>",),
        "mvn --batch-mode --strict-checksums --settings settings.xml -Dmaven.repo.local=$HOME/m2 validate"
        " && ls m2/com/example/lab-greeting/1.0.0",
        ("mvn", "keytool"),
        setup="echo {quoted} > settings.xml",
        output="lab-greeting-1.0.0.jar",
    ),
    "go": Client(
        ("go ",), "go mod download -json example.com/lab/greeting@latest", ("go",), output='"Version": "v1.1.0"'
    ),
    "podman": Client(
        ("docker pull",),
        "docker images --no-trunc",
        ("podman",),
        output="/cgr-containers-all/example.com/nginx",
    ),
    "skopeo": Client(
        ("docker pull",),
        "",
        ("skopeo",),
        setup="skopeo inspect docker://{words[2]}",
        output='"Name": ',
    ),
}


class Developer:
    """A developer's account, with a home folder of its own and no settings of this machine."""

    def __init__(self, lab: LabClient, home: Path) -> None:
        home.mkdir()
        self._lab, self._home = lab, home
        # podman rejects a path of more than 50 characters.
        self._runroot = tempfile.mkdtemp(prefix="podman-")
        (home / "bin").mkdir()
        (home / "bin" / "docker").write_text(DOCKER, encoding="utf-8")
        (home / "bin" / "docker").chmod(0o755)
        write_private_json(home / "token", {}).write_text(lab.users["puller"]["token"], encoding="utf-8")
        containers = home / ".config" / "containers"
        containers.mkdir(parents=True)
        write_private_json(containers / "policy.json", {"default": [{"type": "insecureAcceptAnything"}]})
        (home / "containers.conf").write_text(CONTAINERS_CONF, encoding="utf-8")
        (home / "pom.xml").write_text(POM, encoding="utf-8")
        # Maven needs plexus-utils for each extension, and no repository of the lab has it.
        plexus = home / "m2" / "org/codehaus/plexus/plexus-utils/1.1"
        plexus.mkdir(parents=True)
        (plexus / "plexus-utils-1.1.jar").write_bytes(archives.pack_zip({"empty": b""}))

    @property
    def _environment(self) -> dict[str, str]:
        ca_path, home = str(self._lab.ca_path), self._home
        java = f"-Djavax.net.ssl.trustStore={home}/trusted.p12 -Djavax.net.ssl.trustStorePassword=changeit"
        return {
            "PATH": os.pathsep.join([f"{home}/bin", str(PROGRAMS), os.environ["PATH"]]),
            "HOME": str(home),
            "RUNROOT": self._runroot,
            "PIP_CERT": ca_path,
            "npm_config_cafile": ca_path,
            "SSL_CERT_FILE": ca_path,
            "MAVEN_OPTS": java,
            "GOPATH": f"{home}/go",
            "GONOSUMDB": "*",
            "GOFLAGS": "-mod=mod -modcacherw",
            "GOTOOLCHAIN": "local",
            "CONTAINERS_CONF": f"{home}/containers.conf",
            "REGISTRY_AUTH_FILE": f"{home}/auth.json",
            "XDG_RUNTIME_DIR": f"{home}",
        }

    def run_clients(self, lines: t.Sequence[str]) -> dict[str, subprocess.CompletedProcess[str]]:
        """Set up each client with the printed lines, download with it, and return the results by client."""
        keytool = "keytool -importcert -noprompt -alias lab -keystore trusted.p12 -storepass changeit -file"
        self._run(f"{keytool} {shlex.quote(str(self._lab.ca_path))}")
        (docker_login,) = (line for line in lines if line.startswith("docker login"))
        self._run(DOCKER_LOGIN.format(line=docker_login))
        results = {name: self._run(self._script(client, lines)) for name, client in CLIENTS.items()}
        shutil.rmtree(self._runroot, ignore_errors=True)
        return results

    def _script(self, client: Client, lines: t.Sequence[str]) -> str:
        token = self._lab.users["puller"]["token"]
        printed = [
            line.replace("USER", "puller").replace("TOKEN", token) for line in lines if line.startswith(client.prefixes)
        ]
        setup = [client.setup.format(line=line, quoted=shlex.quote(line), words=line.split()) for line in printed]
        assert setup, f"no line begins with {client.prefixes}"
        return "\n".join([*setup, client.command])

    def _run(self, script: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-ec", script],
            cwd=self._home,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=MAX_RUN_SECONDS,
            check=False,
        )
