# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Job templates of extensions/awx run by ansible-runner, as AWX runs them: its variables, and the environment of its credentials.

A sample on the oldest and the newest ansible-core. The unit tests apply AWX's rules to each survey with each kind of entries, and `make awx`
runs them all.
"""

from __future__ import annotations

import typing as t

import pytest

from ansible_cores import ANSIBLE_CORES, AnsibleCore
from support import awx
from support.awx_jobs import CONFIG, Job, JobRunner
from support.lab_client import LabClient

RunJob = t.Callable[..., Job]
CORES = (ANSIBLE_CORES[0], ANSIBLE_CORES[-1])


@pytest.fixture(params=CORES, ids=lambda core: core.release)
def run_job(request: pytest.FixtureRequest, lab: LabClient, tmp_path_factory: pytest.TempPathFactory) -> RunJob:
    """Return a function that runs a job template against the lab. Its parameters are those of JobRunner."""
    core: AnsibleCore = request.param
    if core.python is None:
        pytest.skip(f"no Python for ansible-core {core.release} is installed")
    programs = core.make_environment()

    def run(*arguments: t.Any) -> Job:
        # A short name: Ansible creates a socket below the folder, whose path is limited to 107 characters.
        return JobRunner(lab, tmp_path_factory.mktemp("job") / "data", programs)(*arguments)

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

    entries = {"warm_images": "", "warm_changed_within": "", "pull_through_warm_limit": 1}
    job = run_job("warm.yml", entries, {"Artifactory": token, **owner})
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
