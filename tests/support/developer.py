# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A developer, who types the lines that a run printed as they are, and then fetches with programs that nobody here wrote."""

from __future__ import annotations

import dataclasses
import os
import shlex
import subprocess
import typing as t
from pathlib import Path

from lab import archives
from lab.tests.test_package_clients import PROJECT

from support.lab_client import LabClient
from support.playbook_runner import LONGEST_RUN, PROGRAMS, private_file

# Without systemd, and without the limits that a container inside a container may not raise.
CONTAINERS_CONF = """\
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""
# podman takes docker's commands, and is installed as `docker` by many.
DOCKER = """#!/bin/sh
exec podman --root "$HOME/storage" --runroot "$HOME/run" --storage-driver vfs "$@"
"""


@dataclasses.dataclass(frozen=True)
class Client:
    """begins: how the printed lines begin. typed: what is typed for them, with {line} or its {word}s by number.

    command: what fetches afterward. programs: what has to be installed. says: what the whole prints, among other things.
    """

    begins: tuple[str, ...]
    command: str
    programs: tuple[str, ...]
    typed: str = "{line}"
    says: str = ""


LOGIN = "{line} --username puller --password-stdin < token"
CLIENTS = {
    "pip": Client(
        ("pip ",),
        "pip download --disable-pip-version-check --no-input --no-cache-dir --no-deps lab-greeting && ls",
        ("pip",),
        says="lab_greeting-1.1.0-py3-none-any.whl",
    ),
    "npm": Client(("npm ",), "npm pack @example/greeting", ("npm",), says="example-greeting-1.1.0.tgz"),
    "mvn": Client(
        ("<settings>",),
        "mvn --batch-mode --strict-checksums --settings settings.xml -Dmaven.repo.local=$HOME/m2 validate && ls m2/com/example/lab-greeting/1.0.0",
        ("mvn", "keytool"),
        typed="echo {quoted} > settings.xml",
        says="lab-greeting-1.0.0.jar",
    ),
    "go": Client(
        ("go ",), "go mod download -json example.com/lab/greeting@latest", ("go",), says='"Version": "v1.1.0"'
    ),
    "podman": Client(
        ("docker pull",),
        "docker images --no-trunc",
        ("podman",),
        says="/cgr-containers-all/example.com/nginx",
    ),
    "skopeo": Client(
        ("docker pull",),
        "",
        ("skopeo",),
        typed="skopeo inspect docker://{words[2]}",
        says='"Name": ',
    ),
}


class Developer:
    """With a home of their own, where nothing of this machine is set."""

    def __init__(self, lab: LabClient, home: Path) -> None:
        home.mkdir()
        self._lab, self._home = lab, home
        (home / "bin").mkdir()
        (home / "bin" / "docker").write_text(DOCKER, encoding="utf-8")
        (home / "bin" / "docker").chmod(0o755)
        private_file(home / "token", {}).write_text(lab.users["puller"]["token"], encoding="utf-8")
        containers = home / ".config" / "containers"
        containers.mkdir(parents=True)
        private_file(containers / "policy.json", {"default": [{"type": "insecureAcceptAnything"}]})
        (home / "containers.conf").write_text(CONTAINERS_CONF, encoding="utf-8")
        (home / "pom.xml").write_text(PROJECT, encoding="utf-8")
        # Maven wants it for each extension, and it is in no repository here.
        plexus = home / "m2" / "org/codehaus/plexus/plexus-utils/1.1"
        plexus.mkdir(parents=True)
        (plexus / "plexus-utils-1.1.jar").write_bytes(archives.pack_zip({"empty": b""}))

    @property
    def _environment(self) -> dict[str, str]:
        trusted, home = str(self._lab.ca_path), self._home
        java = f"-Djavax.net.ssl.trustStore={home}/trusted.p12 -Djavax.net.ssl.trustStorePassword=changeit"
        return {
            "PATH": os.pathsep.join([f"{home}/bin", str(PROGRAMS), os.environ["PATH"]]),
            "HOME": str(home),
            "PIP_CERT": trusted,
            "npm_config_cafile": trusted,
            "SSL_CERT_FILE": trusted,
            "MAVEN_OPTS": java,
            "GOPATH": f"{home}/go",
            "GONOSUMDB": "*",
            "GOFLAGS": "-mod=mod -modcacherw",
            "GOTOOLCHAIN": "local",
            "CONTAINERS_CONF": f"{home}/containers.conf",
            "REGISTRY_AUTH_FILE": f"{home}/auth.json",
            "XDG_RUNTIME_DIR": f"{home}",
        }

    def run_all(self, lines: t.Sequence[str]) -> dict[str, subprocess.CompletedProcess[str]]:
        """Return how each client fared."""
        keytool = "keytool -importcert -noprompt -alias lab -keystore trusted.p12 -storepass changeit -file"
        self._run(f"{keytool} {shlex.quote(str(self._lab.ca_path))}")
        (login,) = (line for line in lines if line.startswith("docker login"))
        self._run(LOGIN.format(line=login))
        return {name: self._run(self._script(client, lines)) for name, client in CLIENTS.items()}

    def _script(self, client: Client, lines: t.Sequence[str]) -> str:
        token = self._lab.users["puller"]["token"]
        found = [
            line.replace("USER", "puller").replace("TOKEN", token) for line in lines if line.startswith(client.begins)
        ]
        typed = [client.typed.format(line=line, quoted=shlex.quote(line), words=line.split()) for line in found]
        assert typed, f"no line for {client.begins}"
        return "\n".join([*typed, client.command])

    def _run(self, script: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", "-ec", script],
            cwd=self._home,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LONGEST_RUN,
            check=False,
        )
