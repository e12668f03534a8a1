# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role with a login that administers one project of Artifactory, and nothing else."""

from __future__ import annotations

import dataclasses

import pytest

from support.forked_ansible import open_forked_runner
from support.lab_client import Json, LabClient
from support.playbook_runner import MAX_RUN_SECONDS
from support.scenario import Scenario, Step

SOURCES = ("containers_public", "containers", "java")
KEYS = {"cgr-public", "cgr-private", "cgr-java", "cgr-containers-all"}
IN_PROJECT = {"settings": {"projectKey": "cgr"}}
# What needs an administrator of the platform, and what the message says about it.
LACKING: Json = {
    "source_overrides": {"containers": IN_PROJECT},
    "virtual_overrides": {},
    "users": ["reader"],
    "verify_username": "reader",
}
SENTENCE = (
    "The login of Artifactory may not create cgr-public, cgr-java, cgr-containers-all outside of a project (set projectKey in the "
    "settings of each), nor manage permissions (leave pull_through_users and pull_through_groups unset), nor create an access token "
    "for reader (leave pull_through_verify_username unset): only an administrator of the platform may do that."
)

# What refers to a repository of the project without being in the project.
VIRTUAL: Json = {"key": "all-java", "rclass": "virtual", "packageType": "maven", "repositories": ["cgr-java"]}
PERMISSION: Json = {"name": "java", "repo": {"repositories": ["cgr-java"], "actions": {"users": {"reader": ["read"]}}}}
KEPT_MEMBER = "The login of Artifactory may not remove members from all-java: only an administrator of the platform or of the project may do that."
KEPT_NAMES = (
    "The login of Artifactory may not manage permissions, so those that name cgr-public, cgr-private, cgr-java keep doing so: "
    "only an administrator of the platform may change that."
)


@dataclasses.dataclass(frozen=True)
class Runs:
    """Runs by name, the kinds of the requests that Artifactory rejected in those that succeeded, and the permissions at the end."""

    steps: dict[str, Step]
    rejected: set[str]
    permissions: set[str]


def variables(lab: LabClient, **overrides: object) -> Json:
    login = {"artifactory_access_token": lab.users["project_admin"]["token"]}
    project: Json = {
        "source_overrides": dict.fromkeys(SOURCES, IN_PROJECT),
        "virtual_overrides": {"containers": IN_PROJECT},
    }
    return lab.variables(*SOURCES, virtuals=["containers"], depth="manifest", **{**login, **project, **overrides})


@pytest.fixture(scope="module")
def runs(running_plain_lab: LabClient, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    lab = running_plain_lab
    with open_forked_runner(tmp_path_factory.mktemp("ansible"), timeout=MAX_RUN_SECONDS) as run_playbook:
        scenario = Scenario(lab, run_playbook)
        steps = {"lacking": scenario.run("setup", variables(lab, **LACKING))}
        position = lab.log_position()
        steps["setup"] = scenario.run("setup", variables(lab))
        steps["again"] = scenario.run("setup", variables(lab))
        steps["rotate"] = scenario.run("rotate", variables(lab, force_rotation=True))
        for playbook in ("verify", "diagnose", "warm"):
            steps[playbook] = scenario.run(playbook, variables(lab))
        rejected = {entry["kind"] for entry in lab.request_log(position) if entry["status"] == 403}
        lab.configure(artifactory_project_administrators_read_settings=False)
        steps["settings hidden"] = scenario.run("rotate", variables(lab, force_rotation=True))
        lab.configure(artifactory_project_administrators_read_settings=True)
        lab.artifactory("PUT", "/repositories/all-java", VIRTUAL)
        lab.artifactory("POST", "/v2/security/permissions/java", PERMISSION)
        steps["remove, lacking"] = scenario.run("remove", variables(lab, remove_confirmed=True))
        lab.artifactory("DELETE", "/repositories/all-java")
        steps["remove, planned"] = scenario.run("remove", variables(lab, remove_confirmed=True), "--check")
        steps["remove"] = scenario.run("remove", variables(lab, remove_confirmed=True))
    return Runs(steps, rejected, set(lab.permissions()))


def test_what_needs_an_administrator_of_the_platform_is_said_before_the_first_write(runs: Runs) -> None:
    step = runs.steps["lacking"]
    assert (step.run.code, step.writes) == (2, [])
    assert SENTENCE in step.run.failure()


def test_setup_and_rotation_need_no_administrator_of_the_platform(runs: Runs) -> None:
    setup, again, rotate = (runs.steps[name] for name in ("setup", "again", "rotate"))
    assert setup.run.code == 0, setup.run.output
    assert set(setup.repositories) == KEYS
    assert {repository["projectKey"] for repository in setup.repositories.values()} == {"cgr"}
    assert again.run.code == 0 and again.changes == [], again.run.output
    assert rotate.run.code == 0, rotate.run.output
    assert {"cgr-private", "cgr-java"} == {
        key for key in KEYS if setup.repositories[key].get("username") != rotate.repositories[key].get("username")
    }


def test_each_source_is_verified(runs: Runs) -> None:
    for step in (runs.steps["setup"], runs.steps["verify"]):
        assert step.run.code == 0, step.run.output
        for key in KEYS - {"cgr-containers-all"}:
            assert step.pull_result(key)["from_upstream"], key


def test_nothing_is_wrong_and_images_are_cached(runs: Runs) -> None:
    for step in (runs.steps["diagnose"], runs.steps["warm"]):
        assert step.run.code == 0 and step.changes == [], step.run.output


def test_only_a_request_with_an_alternative_is_rejected(runs: Runs) -> None:
    """One request reads all repositories. Where it is rejected, each is read alone."""
    assert runs.rejected == {"artifactory.configurations"}


def test_settings_that_cannot_be_read_are_said_before_the_first_write(runs: Runs) -> None:
    step = runs.steps["settings hidden"]
    assert (step.run.code, step.writes) == (2, [])
    assert "returned only a part of the configuration" in step.run.failure()


def test_remove_says_what_its_login_may_not_do_before_the_first_write(runs: Runs) -> None:
    step = runs.steps["remove, lacking"]
    assert (step.run.code, step.writes) == (2, [])
    assert KEPT_MEMBER in step.run.failure()


def test_remove_needs_no_administrator_of_the_platform(runs: Runs) -> None:
    planned, removed = runs.steps["remove, planned"], runs.steps["remove"]
    assert planned.run.code == 0 and planned.writes == [], planned.run.output
    assert removed.run.code == 0, removed.run.output
    assert (removed.repositories, removed.pull_tokens) == ({}, [])
    assert all(KEPT_NAMES in step.run.output for step in (planned, removed)), removed.run.output
    assert removed.run.output.index(KEPT_NAMES) < removed.run.output.index("Delete the repositories")
    assert "java" in runs.permissions
