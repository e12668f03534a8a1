# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Public APK packages with an organization and without one, and a repository that exists before that changes."""

from __future__ import annotations

import dataclasses

import pytest

from support.forked_ansible import open_forked_runner
from support.lab_client import Json, LabClient
from support.playbook_runner import MAX_RUN_SECONDS
from support.scenario import Scenario, Step

NAMES = {
    "packages_chainguard": ("cgr-apk-chainguard", "chainguard"),
    "packages_extra": ("cgr-apk-extra", "extra-packages"),
}
NO_ORGANIZATION = {"organization": None, "chainguard_api_token": None}


@dataclasses.dataclass(frozen=True)
class Steps:
    """Runs with one organization or none. services: what Artifactory and the role contacted without one. uid: of the one."""

    without: Step
    services: set[str]
    then_with: Step
    diagnosed: Step
    then_without: Step
    uid: str


@pytest.fixture(scope="module")
def steps(running_plain_lab: LabClient, tmp_path_factory: pytest.TempPathFactory) -> Steps:
    with open_forked_runner(tmp_path_factory.mktemp("ansible"), timeout=MAX_RUN_SECONDS) as run_playbook:
        lab, scenario = running_plain_lab, Scenario(running_plain_lab, run_playbook)
        with_one: Json = lab.variables(*NAMES)
        with_none: Json = lab.variables(*NAMES, **NO_ORGANIZATION)
        before = lab.log_position()
        without = scenario.run("setup", with_none)
        services = {entry["service"] for entry in lab.request_log(before)}
        then_with, diagnosed = scenario.run("setup", with_one), scenario.run("diagnose", with_one)
        uid = lab.organization["uid"]
        for key, folder in NAMES.values():
            lab.set_config(key, url=f"https://virtualapk.cgr.dev/{uid}/{folder}")
        return Steps(without, services, then_with, diagnosed, scenario.run("verify", with_none), uid)


def urls_of(step: Step) -> list[str]:
    assert step.run.code == 0, step.run.output
    return [step.repositories[key]["url"] for key, _folder in NAMES.values()]


def test_without_an_organization_they_need_no_uid_and_no_credentials(steps: Steps) -> None:
    assert urls_of(steps.without) == [f"https://apk.cgr.dev/{folder}" for _key, folder in NAMES.values()]
    assert steps.services == {"artifactory", "apk", "blobs"}


def test_a_repository_that_exists_keeps_its_url(steps: Steps) -> None:
    assert urls_of(steps.then_with) == urls_of(steps.without)
    assert urls_of(steps.then_without) == [
        f"https://virtualapk.cgr.dev/{steps.uid}/{folder}" for _key, folder in NAMES.values()
    ]
    for step in (steps.then_with, steps.then_without):
        assert (step.run.changed, step.changes) == ([], [])
        assert "should be" not in step.run.output


def test_the_diagnosis_accepts_both_urls(steps: Steps) -> None:
    assert steps.diagnosed.run.code == 0, steps.diagnosed.run.output
    assert "upstream_url_mismatch" not in steps.diagnosed.run.output


@pytest.mark.parametrize("which", ["without", "then_with", "then_without"])
@pytest.mark.parametrize("key", [key for key, _folder in NAMES.values()])
def test_they_are_compared_with_what_the_same_url_serves(steps: Steps, which: str, key: str) -> None:
    result = getattr(steps, which).pull_result(key)
    assert (result["ok"], result["upstream_version"]) == (True, result["version"])
