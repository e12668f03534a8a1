# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Job templates of extensions/awx run by ansible-runner, as AWX runs them: its variables, and the environment of its credentials."""

from __future__ import annotations

import dataclasses
import typing as t
from pathlib import Path
from urllib.parse import urlsplit

import ansible_runner
import pytest

from support import awx
from support.lab_client import LabClient
from support.playbook_runner import build_environment, write_private_json

CONFIG = awx.load_config()
TYPES = {credential_type["name"]: credential_type for credential_type in CONFIG["controller_credential_types"]}
TEMPLATES = {template["playbook"]: template for template in CONFIG["controller_templates"]}

Credentials = dict[str, awx.Json]


@dataclasses.dataclass(frozen=True)
class Job:
    status: str
    output: str


RunJob = t.Callable[..., Job]


@pytest.fixture
def run_job(lab: LabClient, tmp_path: Path) -> RunJob:
    """Return a function that runs a job template against the lab. hosts: the inventory, by default localhost."""

    def run(playbook: str, entries: awx.Json, credentials: Credentials, hosts: awx.Json | None = None) -> Job:
        folder = tmp_path / playbook
        (folder / "env").mkdir(parents=True)
        (folder / "inventory").mkdir()
        template = TEMPLATES[playbook]
        # The lab's addresses replace those of the real services. The sources remain those of the template.
        addresses = {name: value for name, value in lab.variables().items() if "_url" in name or "_path" in name}
        addresses["pull_through_organization"] = lab.organization["name"]
        if hosts or "Artifactory" in credentials:
            addresses.pop("pull_through_artifactory_url")
        pull_through_hosts = {"pull_through_hosts": "all"} if hosts else {}
        extra_vars = {**template["extra_vars"], **addresses, **pull_through_hosts}
        variables = awx.job_variables({**template, "extra_vars": extra_vars}, entries)
        (folder / "env" / "extravars").write_text(awx.write_extra_vars(variables), encoding="utf-8")
        write_private_json(folder / "inventory" / "hosts.json", {"all": {"hosts": hosts or {"localhost": {}}}})
        environment = build_environment(folder)
        # The credentials are from the environment, and so are the hosts that pull tokens may be sent to.
        hosts_of_chainguard = {urlsplit(url).netloc for name, url in addresses.items() if "_chainguard_" in name}
        environment["CHAINGUARD_HOSTS"] = ",".join(sorted(hosts_of_chainguard))
        for name, inputs in credentials.items():
            environment |= awx.inject_environment(TYPES[name], inputs)
        result = ansible_runner.run(
            private_data_dir=str(folder),
            project_dir=str(awx.FOLDER / "project"),
            playbook=playbook,
            envvars=environment,
            quiet=True,
        )
        with result.stdout as output:
            return Job(result.status, output.read())

    return run


def test_templates_work_on_their_sources_without_entries_and_with_empty_ones(run_job: RunJob, lab: LabClient) -> None:
    admin = lab.users["admin"]
    token = {"url": lab.artifactory_url, "access_token": admin["token"]}
    password = {"url": lab.artifactory_url, "username": "admin", "password": admin["password"]}
    owner = {"Chainguard API token": {"api_token": lab.api_tokens["owner"]}}
    identity = {"identity": lab.workload["identity"], "identity_token": lab.workload["oidc_token"]}

    job = run_job("setup.yml", {}, {"Artifactory": token, **owner})
    assert job.status == "successful", job.output
    first = lab.repositories()
    assert set(first) == {"cgr-public", "cgr-private"}

    entries: awx.Json = {"verify_username": "", "pull_through_depth": "manifest"}
    job = run_job("verify.yml", entries, {"Artifactory": password, "Chainguard identity with a token": identity})
    assert job.status == "successful", job.output

    # The inventory of many sites gets its token from a credential with a field for each site.
    europe = next(host["variables"] for host in CONFIG["controller_hosts"] if host["name"] == "europe")
    hosts = {"europe": {**europe, "pull_through_artifactory_url": lab.artifactory_url}}
    credentials = {"Artifactory of many sites": {"europe": admin["token"]}, **owner}
    entries = {"pull_through_force_rotation": "true", "pull_through_grace_period": "0s"}
    job = run_job("rotate.yml", entries, credentials, hosts)
    assert job.status == "successful", job.output
    assert lab.repositories()["cgr-private"]["username"] != first["cgr-private"]["username"]


def test_an_unconfirmed_removal_ends_before_the_first_request(run_job: RunJob, lab: LabClient) -> None:
    position = lab.log_position()
    artifactory = {"url": lab.artifactory_url, "access_token": lab.admin_token}
    job = run_job("remove.yml", {"pull_through_remove_confirmed": "false"}, {"Artifactory": artifactory})
    assert job.status == "failed"
    assert "Set pull_through_remove_confirmed to true to confirm that." in job.output
    assert not lab.request_log(position)
