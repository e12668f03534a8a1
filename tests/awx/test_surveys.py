# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each survey of extensions/awx with each kind of entries, and each credential type with each kind of inputs, on two ansible-cores.

A job is successful with the sources of its template, or fails with a short message before the first request.
"""

from __future__ import annotations

import itertools
import re
import typing as t
from pathlib import Path

import pytest

from ansible_cores import ANSIBLE_CORES
from lab.client import started
from support import awx
from support.awx_jobs import TEMPLATES, Credentials, Job, JobRunner
from support.lab_client import LabClient

CORES = (ANSIBLE_CORES[0], ANSIBLE_CORES[-1])
EXAMPLES = {
    "verify_username": "puller",
    "warm_images": "example.com/nginx:latest\nchainguard/go:latest",
    "warm_changed_within": "3650d",
    "pull_through_warm_limit": 2,
}
# A removal comes last, because it removes what the others need.
RUNS = [(name, entries) for name, template in TEMPLATES.items() for entries in awx.survey_runs(template, EXAMPLES)]
MAX_MESSAGE = 1000


class Site:
    """A lab, and the jobs on one ansible-core."""

    def __init__(self, lab: LabClient, programs: Path, create_folder: t.Callable[[str], Path]) -> None:
        self.lab = lab
        self._programs = programs
        self._create_folder = create_folder
        token = create_folder("token") / "token"
        token.write_text(lab.workload["oidc_token"], encoding="utf-8")
        admin, identity = lab.users["admin"], {"identity": lab.workload["identity"]}
        self.artifactory: dict[str, awx.Json] = {
            "access_token": {"access_token": admin["token"]},
            "username": {"username": "admin"},
            "password": {"password": admin["password"]},
        }
        self.chainguard: list[Credentials] = [
            {"Chainguard API token": {"api_token": lab.api_tokens["owner"]}},
            {"Chainguard identity with a token": {**identity, "identity_token": lab.workload["oidc_token"]}},
            {"Chainguard identity with a token file": {**identity, "identity_token_file": str(token)}},
        ]

    def credentials(self, number: int, *fields: str) -> Credentials:
        """Return an Artifactory credential with these optional fields, and one of the credentials of Chainguard."""
        inputs = {"url": self.lab.artifactory_url}
        for field in fields:
            inputs |= self.artifactory[field]
        return {"Artifactory": inputs, **self.chainguard[number % len(self.chainguard)]}

    def run(self, playbook: str, entries: awx.Json, credentials: Credentials) -> tuple[Job, bool]:
        """Run a job. Return it, and whether it sent requests. A forced rotation is predicted: it would wait for the grace period."""
        position = self.lab.log_position()
        cmdline = "--check" if entries.get("pull_through_force_rotation") == "true" else ""
        runner = JobRunner(self.lab, self._create_folder("job") / "data", self._programs)
        job = runner(playbook, entries, credentials, None, cmdline)
        return job, bool(self.lab.request_log(position))


@pytest.fixture(scope="module", params=CORES, ids=lambda core: core.release)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Site]:
    if request.param.python is None:
        pytest.skip("no Python for this ansible-core is installed")
    with started() as process:
        site = Site(LabClient(process.state), request.param.make_environment(), tmp_path_factory.mktemp)
        job, _has_requests = site.run("setup.yml", {}, site.credentials(0, "access_token"))
        assert job.status == "successful", job.output
        yield site


def optional_fields() -> list[tuple[str, ...]]:
    """Return no optional field of an Artifactory credential, each alone, those that belong together, and all."""
    fields = ("access_token", "username", "password")
    return [(), *((field,) for field in fields), *itertools.combinations(fields, 2), fields]


@pytest.mark.parametrize("fields", optional_fields(), ids=lambda fields: "+".join(fields) or "none")
def test_credentials(site: Site, fields: tuple[str, ...]) -> None:
    is_complete = "access_token" in fields or {"username", "password"} <= set(fields)
    for number in range(len(site.chainguard)):
        job, has_requests = site.run(
            "verify.yml", {"pull_through_depth": "manifest"}, site.credentials(number, *fields)
        )
        assert (job.status == "successful") == is_complete, job.output
        if not is_complete:
            assert not has_requests and len(failure(job)) <= MAX_MESSAGE, job.output


@pytest.mark.parametrize("kind", range(4))
def test_missing_credentials(site: Site, kind: int) -> None:
    """Without a credential of Chainguard, and without any, a job says so."""
    complete = site.credentials(kind, "access_token")
    credentials = [{}, {"Artifactory": complete["Artifactory"]}][kind % 2]
    job, _has_requests = site.run(["setup.yml", "rotate.yml"][kind // 2], {}, credentials)
    assert job.status == "failed" and len(failure(job)) <= MAX_MESSAGE, job.output


@pytest.mark.parametrize(("playbook", "entries"), RUNS)
def test_surveys(site: Site, playbook: str, entries: awx.Json) -> None:
    number = RUNS.index((playbook, entries))
    job, has_requests = site.run(playbook, entries, site.credentials(number, "access_token"))
    is_rejected = playbook == "remove.yml" and entries["pull_through_remove_confirmed"] == "false"
    assert (job.status == "failed") == is_rejected, job.output
    if is_rejected:
        assert not has_requests and len(failure(job)) <= MAX_MESSAGE, job.output


def failure(job: Job) -> str:
    """Return the message of the failed task."""
    message = re.search(r"fatal: .*", job.output, re.DOTALL)
    assert message and "Traceback" not in job.output, job.output
    return message[0].partition("PLAY RECAP")[0]
