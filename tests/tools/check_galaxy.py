# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Publishes the collection to a server with the API of Galaxy on this machine, installs it from there, and runs its playbooks.

Usage: python tests/tools/check_galaxy.py, as in make galaxy. It requires PostgreSQL. It is not a part of make test.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

import yaml

import galaxy_server
from ansible_cores import ANSIBLE_CORES, AnsibleCore
from build import build_artifact, package
from demo.__main__ import role_variables, secrets_of
from environments import ROOT, make_environment
from lab.client import LabProcess, started
from source_tree import copy_tree

NAME = "cgr.pull_through"
# The version that is there before, for --upgrade. Its content is that of the next one.
OLD = "0.0.1"
PLAYBOOKS = ("preflight", "setup", "setup", "verify", "rotate", "diagnose", "warm", "remove")


class Client:
    """ansible-galaxy and ansible-playbook of a release, with empty folders and the server in ansible.cfg."""

    def __init__(self, core: AnsibleCore, server: galaxy_server.GalaxyServer, folder: Path) -> None:
        self.release, self.folder, self._programs = core.release, folder, core.make_environment()
        lines = [
            "[defaults]",
            "localhost_warning = false",
            "inventory_unparsed_warning = false",
            "[galaxy]",
            "server_list = local",
        ]
        lines += ["[galaxy_server.local]", f"url = {server.url}", f"username = {galaxy_server.USER}"]
        configuration = folder / "ansible.cfg"
        configuration.write_text("\n".join([*lines, f"password = {server.password}", ""]), encoding="utf-8")
        self._environment = {
            **os.environ,
            "PATH": os.pathsep.join([str(self._programs), "/usr/local/bin", "/usr/bin", "/bin"]),
            "HOME": str(folder),
            "ANSIBLE_HOME": str(folder / "ansible"),
            "ANSIBLE_CONFIG": str(configuration),
            "ANSIBLE_COLLECTIONS_PATH": str(folder / "collections"),
            "ANSIBLE_NOCOLOR": "1",
        }

    def run(self, program: str, *arguments: str | Path, **variables: str) -> str:
        """Run a program in the folder and return its output. Ends the check if it fails."""
        start = time.monotonic()
        result = subprocess.run(
            [self._programs / program, *arguments],
            cwd=self.folder,
            env={**self._environment, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
        )
        step = f"ansible-core {self.release}: {program} {' '.join(Path(word).name for word in map(str, arguments))}"
        print(f"{'FAILED' if result.returncode else 'ok':8}{step} ({time.monotonic() - start:.0f} s)", flush=True)
        if result.returncode:
            sys.exit(result.stdout[-4000:])
        return result.stdout

    def galaxy(self, *arguments: str | Path) -> str:
        return self.run("ansible-galaxy", "collection", *arguments)

    def installed_version(self) -> str:
        file = self.folder / "collections/ansible_collections/cgr/pull_through/MANIFEST.json"
        return str(json.loads(file.read_text(encoding="utf-8"))["collection_info"]["version"])


def build_artifacts(folder: Path) -> tuple[Path, Path, str]:
    """Return the file with the old version, that with the version of galaxy.yml, and this version."""
    programs = make_environment("release", "release")
    tree = copy_tree("galaxy")
    galaxy = tree / "galaxy.yml"
    text = galaxy.read_text(encoding="utf-8")
    galaxy.write_text(re.sub("^version: .*$", f"version: {OLD}", text, flags=re.MULTILINE), encoding="utf-8")
    return package(tree, programs, folder), build_artifact(programs), yaml.safe_load(text)["version"]


def publish(client: Client, artifact: Path) -> None:
    """Publish a file, which the server imports with galaxy-importer. Ends the check if the importer objects to something."""
    output = client.galaxy("publish", artifact)
    if objections := re.findall("^.*(?:WARNING|ERROR).*$", output, re.MULTILINE):
        sys.exit("\n".join(objections))


def check_installation(client: Client, version: str) -> None:
    """Install the old version and upgrade it, and do what the README says."""
    client.galaxy("install", f"{NAME}:{OLD}")
    client.galaxy("install", NAME, "--upgrade")
    expect(client.installed_version(), version)
    client.galaxy("verify", NAME)
    requirements = re.findall(
        "```yaml\n(collections:\n.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL
    )
    (client.folder / "requirements.yml").write_text(requirements[0], encoding="utf-8")
    client.galaxy("install", "-r", "requirements.yml", "--force")
    client.galaxy("download", NAME)
    expect([file.name for file in client.folder.glob("collections/*.tar.gz")], [f"cgr-pull_through-{version}.tar.gz"])


def check_playbooks(client: Client, lab: LabProcess) -> None:
    """Run each playbook by its name, with the installed collection. The second setup changes nothing."""
    variables = client.folder / "variables.json"
    content = {**role_variables(lab.state), "pull_through_remove_confirmed": True}
    variables.write_text(json.dumps(content), encoding="utf-8")
    outputs = [
        client.run("ansible-playbook", f"{NAME}.{playbook}", "-e", f"@{variables}", **secrets_of(lab.state))
        for playbook in PLAYBOOKS
    ]
    expect(re.findall("changed=([0-9]+)", outputs[2]), ["0"])
    expect(lab.control("GET", "/artifactory/repositories"), {})


def expect(value: t.Any, expected: t.Any) -> None:
    """End the check if a value is not the expected one."""
    if value != expected:
        sys.exit(f"Expected {expected!r}, got {value!r}.")


def main() -> None:
    expect(sorted(set(PLAYBOOKS)), sorted(file.stem for file in (ROOT / "playbooks").glob("*.yml")))
    programs = make_environment("galaxy", "galaxy")
    with tempfile.TemporaryDirectory(prefix="galaxy-") as name:
        folder = Path(name)
        server_folder = folder / "server"
        server_folder.mkdir()
        folder.chmod(0o755)
        with galaxy_server.started(programs, server_folder) as server:
            *artifacts, version = build_artifacts(folder)
            for number, core in enumerate((ANSIBLE_CORES[0], ANSIBLE_CORES[-1])):
                home = folder / core.release
                home.mkdir()
                client = Client(core, server, home)
                for artifact in () if number else artifacts:
                    publish(client, Path(artifact))
                check_installation(client, str(version))
                with started() as lab:
                    check_playbooks(client, lab)


if __name__ == "__main__":
    main()
