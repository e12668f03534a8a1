# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Job templates of extensions/awx run by ansible-runner, as AWX runs them: its variables, and the environment of its credentials."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from urllib.parse import urlsplit

import ansible_runner

from support import awx
from support.lab_client import LabClient
from support.playbook_runner import build_environment, write_private_json

CONFIG = awx.load_config()
TYPES = {credential_type["name"]: credential_type for credential_type in CONFIG["controller_credential_types"]}
TEMPLATES = {template["playbook"]: template for template in CONFIG["controller_templates"]}

Credentials = dict[str, awx.Json]  # the inputs of each credential by the name of its type


@dataclasses.dataclass(frozen=True)
class Job:
    status: str
    output: str


@dataclasses.dataclass(frozen=True)
class JobRunner:
    """Runs job templates against the lab. folder: of the files. programs: the folder of ansible-playbook, by default this one's."""

    lab: LabClient
    folder: Path
    programs: Path | None = None

    def __call__(
        self,
        playbook: str,
        entries: awx.Json,
        credentials: Credentials,
        hosts: awx.Json | None = None,
        cmdline: str = "",
    ) -> Job:
        """Run a template with the entries of its survey. hosts: the inventory, by default localhost."""
        (self.folder / "env").mkdir(parents=True)
        (self.folder / "inventory").mkdir()
        variables = self._variables(playbook, entries, has_url="Artifactory" in credentials, hosts=hosts)
        (self.folder / "env" / "extravars").write_text(awx.write_extra_vars(variables), encoding="utf-8")
        write_private_json(self.folder / "inventory" / "hosts.json", {"all": {"hosts": hosts or {"localhost": {}}}})
        result = ansible_runner.run(
            private_data_dir=str(self.folder),
            project_dir=str(awx.FOLDER / "project"),
            playbook=playbook,
            envvars=self._environment(variables, credentials),
            quiet=True,
            **({"cmdline": cmdline} if cmdline else {}),
        )
        with result.stdout as output:
            return Job(result.status, output.read())

    def _variables(self, playbook: str, entries: awx.Json, *, has_url: bool, hosts: awx.Json | None) -> awx.Json:
        """Return the extra variables. The lab's addresses replace those of the real services. The sources remain those of the template."""
        template = TEMPLATES[playbook]
        addresses = {name: value for name, value in self.lab.variables().items() if "_url" in name or "_path" in name}
        addresses["pull_through_organization"] = self.lab.organization["name"]
        if hosts or has_url:
            addresses.pop("pull_through_artifactory_url")
        pull_through_hosts = {"pull_through_hosts": "all"} if hosts else {}
        extra_vars = {**template["extra_vars"], **addresses, **pull_through_hosts}
        return awx.job_variables({**template, "extra_vars": extra_vars}, entries)

    def _environment(self, variables: awx.Json, credentials: Credentials) -> dict[str, str]:
        environment = build_environment(self.folder)
        if self.programs:
            environment["PATH"] = os.pathsep.join([str(self.programs), environment["PATH"]])
        # The credentials are from the environment, and so are the hosts that pull tokens may be sent to.
        urls = [str(value) for name, value in variables.items() if "_chainguard_" in name]
        environment["CHAINGUARD_HOSTS"] = ",".join(sorted({urlsplit(url).netloc for url in urls}))
        for name, inputs in credentials.items():
            environment |= awx.inject_environment(TYPES[name], inputs)
        return environment
