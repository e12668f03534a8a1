# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""With anonymous access on, a verification as a user who may not pull fails, and so does a wrong password."""

from __future__ import annotations

import pytest

from support.lab_client import Json, LabClient
from support.playbook_runner import PlaybookRunner, Run
from support.scenario import PUBLIC
from support.sources import APK

APK_KEY = "cgr-apk-chainguard"
MODULES: dict[str, Json] = {
    "registry_pull": {"pulls": [{"repository": PUBLIC, "images": ["chainguard/wolfi-base"]}], "depth": "manifest"},
    "artifact_pull": {"pulls": [{"repository": APK_KEY, "package_type": "alpine", "artifacts": ["lab-greeting"]}]},
}


@pytest.fixture(scope="module")
def pulls(running_plain_lab: LabClient, run_playbook: PlaybookRunner) -> Run:
    """Pull through empty caches as the user without any right, with a wrong password, and anonymously."""
    lab = running_plain_lab
    lab.reset()
    lab.configure(artifactory_anonymous=True)
    lab.create_repository(PUBLIC)
    url = f"https://virtualapk.cgr.dev/{lab.organization['uid']}/chainguard"
    lab.create_repository(APK_KEY, packageType="alpine", url=url, enableTokenAuthentication=False, **APK)
    reader = {"artifactory_username": "reader", "artifactory_access_token": lab.users["reader"]["token"]}
    wrong = {"artifactory_username": "puller", "artifactory_password": "wrong"}
    callers: dict[str, Json] = {"reader": reader, "wrong": wrong, "anonymous": {}}
    tasks: list[Json] = [
        {
            "name": f"{module} {caller}",
            f"cgr.pull_through.{module}": {"artifactory_url": lab.artifactory_url, **options, **credentials},
        }
        for caller, credentials in callers.items()
        for module, options in MODULES.items()
    ]
    return run_playbook.run_tasks(tasks, {})


@pytest.mark.parametrize("module", MODULES)
def test_the_credentials_are_sent_although_an_anonymous_pull_would_succeed(pulls: Run, module: str) -> None:
    assert pulls.task(f"{module} anonymous").status == "ok", pulls.output
    for caller, text in (("reader", "Deploy/Cache"), ("wrong", "401")):
        task = pulls.task(f"{module} {caller}")
        assert task.status == "failed", pulls.output
        assert text in task.message


def test_a_playbook_verifies_with_the_credentials_of_the_user(
    plain_lab: LabClient, run_playbook: PlaybookRunner
) -> None:
    """An anonymous pull would succeed, but the user may not pull."""
    plain_lab.configure(artifactory_anonymous=True)
    variables = plain_lab.variables("containers_public", depth="manifest", verify_username="reader")
    run = run_playbook("cgr.pull_through.setup", variables)
    assert run.code == 2
    assert "reader" in run.failure() and "Deploy/Cache" in run.failure()
