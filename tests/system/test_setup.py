# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From an empty Artifactory to verified pulls, and how they keep working. Three scenarios run once, and all tests inspect them."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import re
from pathlib import Path

import pytest

from support.developer import section_lines
from support.lab_client import Json, LabClient
from support.playbook_runner import PlaybookRunner
from support.scenario import PRIVATE, PUBLIC, Scenario, Step
from support.task_names import ENSURE_REPOSITORIES

BOTH = ("containers_public", "containers")
PUBLIC_IMAGE = "chainguard/wolfi-base"

# The settings that Chainguard's guides require, and the only ones that may differ from Artifactory's defaults.
REQUIRED = {
    "url": "https://cgr.dev/",
    "includesPattern": "**/*",
    "enableTokenAuthentication": True,
    "blockMismatchingMimeTypes": True,
}


@dataclasses.dataclass(frozen=True)
class Scenarios:
    setup: SetupScenario
    rotation: RotationScenario
    drift: DriftScenario


@pytest.fixture(scope="module")
def scenarios(
    running_lab: LabClient,
    running_plain_lab: LabClient,
    run_playbook: PlaybookRunner,
    tmp_path_factory: pytest.TempPathFactory,
) -> Scenarios:
    """Run two scenarios at a time, each with its own lab."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        rotation = pool.submit(run_rotation, Scenario(running_plain_lab, run_playbook))
        scenario = Scenario(running_lab, run_playbook)
        setup = run_setup(scenario, tmp_path_factory.mktemp("credentials"))
        drift = run_drift(scenario)
        return Scenarios(setup, rotation.result(), drift)


@pytest.fixture
def setup(scenarios: Scenarios) -> SetupScenario:
    return scenarios.setup


@pytest.fixture
def rotation(scenarios: Scenarios) -> RotationScenario:
    return scenarios.rotation


@pytest.fixture
def drift(scenarios: Scenarios) -> DriftScenario:
    return scenarios.drift


def split_reference(reference: str) -> tuple[str, str]:
    """Return the name and the tag of `name:tag@digest`."""
    name, _colon, tag = reference.partition("@")[0].partition(":")
    return name, tag or "latest"


# --- from an empty Artifactory ----------------------------------------------------------------------------------------
@dataclasses.dataclass(frozen=True)
class SetupScenario:
    """Five runs from an empty Artifactory. upstream: digests of the verified images from Chainguard's registry, by repository."""

    predicted: Step
    first: Step
    second: Step
    third: Step
    verify: Step
    defaults: Json
    upstream: dict[str, str]


def run_setup(scenario: Scenario, folder: Path) -> SetupScenario:
    """Run with each way to log in to Chainguard, which must not make a difference."""
    lab = scenario.lab
    token_file, chainctl = folder / "oidc-token", folder / "chainctl"
    token_file.write_text(lab.workload["oidc_token"] + "\n", encoding="utf-8")
    chainctl.write_text(CHAINCTL.format(token=lab.api_tokens["owner"]), encoding="utf-8")
    chainctl.chmod(0o700)
    by_file = {
        "chainguard_api_token": None,
        "chainguard_identity": lab.workload["identity"],
        "chainguard_identity_token_file": str(token_file),
    }

    predicted = scenario.run("setup", lab.variables(*BOTH), "--check", "--diff", "-v")
    first = scenario.run("setup", lab.variables(*BOTH), "-v")
    second = scenario.run("setup", lab.variables(*BOTH, **lab.workload_variables()))
    third = scenario.run("setup", lab.variables(*BOTH, **by_file))
    verify = scenario.run("verify", lab.variables(*BOTH, chainguard_api_token=None, chainctl=str(chainctl)))
    private = split_reference(first.pull_result(PRIVATE)["image"])
    upstream = {
        PUBLIC: lab.upstream_digest(PUBLIC_IMAGE),
        PRIVATE: lab.upstream_digest(*private, credentials=first.credentials),
    }
    lab.create_repository("untouched", enableTokenAuthentication=False)
    return SetupScenario(predicted, first, second, third, verify, lab.repositories()["untouched"], upstream)


CHAINCTL = """\
#!/bin/sh
# Replaces chainctl, logged in.
[ "$*" = "auth token --audience https://console-api.enforce.dev" ] && echo "{token}"
"""


def test_one_run_creates_both_repositories_and_one_token(setup: SetupScenario) -> None:
    first = setup.first
    assert first.run.code == 0, first.run.output
    assert set(first.repositories) == {PUBLIC, PRIVATE}
    assert first.repositories[PRIVATE]["username"] == first.only_token
    assert sorted(first.write_kinds()) == [
        "artifactory.repository.create_batch",
        "iam.identity.create",
        "iam.role_binding.create",
    ]


@pytest.mark.parametrize("key", [PUBLIC, PRIVATE])
def test_the_repository_has_the_settings_of_the_guides_and_no_others(setup: SetupScenario, key: str) -> None:
    repository, defaults = setup.first.repositories[key], setup.defaults
    changed = {name: value for name, value in repository.items() if value != defaults[name]}
    identity = {name: changed.pop(name, None) for name in ("key", "username", "password")}
    assert {name: repository[name] for name in REQUIRED} == REQUIRED
    assert set(changed) <= set(REQUIRED)
    assert [bool(identity["username"]), bool(identity["password"])] == [key == PRIVATE] * 2


@pytest.mark.parametrize("key", [PUBLIC, PRIVATE])
def test_each_repository_is_verified_with_a_pull_from_upstream(setup: SetupScenario, key: str) -> None:
    image = setup.first.pull_result(key)
    assert image["digest"] == setup.upstream[key]
    assert image["from_upstream"] is True
    assert image["layers"] > 0
    assert image["platforms"].keys() == {"linux/amd64"}
    assert any(setup.upstream[key] in line for line in setup.first.run.report(key))


def test_setup_shows_the_client_setup_commands(setup: SetupScenario, running_lab: LabClient) -> None:
    lines = setup.first.run.client_setup()
    name, tag = split_reference(setup.first.pull_result(PRIVATE)["image"])
    assert section_lines(lines, "docker") == [
        f"docker login {running_lab.host}",
        f"docker pull {running_lab.host}/{PUBLIC}/{PUBLIC_IMAGE}:latest",
        f"docker pull {running_lab.host}/{PRIVATE}/{name}:{tag}",
    ]


def test_check_mode_writes_nothing(setup: SetupScenario) -> None:
    predicted = setup.predicted
    assert predicted.run.code == 0, predicted.run.output
    assert predicted.writes == []
    assert predicted.repositories == {}
    assert predicted.pull_tokens == []


def test_check_mode_predicts_each_task(setup: SetupScenario) -> None:
    predicted, first = setup.predicted.run, setup.first.run
    assert [task.summary for task in predicted.tasks] == [task.summary for task in first.tasks]
    assert first.repository_results(ENSURE_REPOSITORIES)[PRIVATE]["changed"]


@pytest.mark.parametrize("key", [PUBLIC, PRIVATE])
def test_the_diff_of_check_mode_is_what_setup_sends(setup: SetupScenario, key: str) -> None:
    predicted, first = (
        step.run.repository_results(ENSURE_REPOSITORIES)[key] for step in (setup.predicted, setup.first)
    )
    after = dict(predicted["diff"]["after"])
    assert after.pop("username", "").endswith("/new-identity") == (key == PRIVATE)
    assert predicted["diff"]["before"] == {}
    username = {"username": setup.first.only_token} if key == PRIVATE else {}
    assert first["diff"] == {"before": {}, "after": {**predicted["diff"]["after"], **username}}
    assert REQUIRED.items() <= after.items()
    assert f'"key": "{key}"' in setup.predicted.run.output


@pytest.mark.parametrize("which", ["second", "third"])
def test_another_run_changes_and_writes_nothing(setup: SetupScenario, which: str) -> None:
    step: Step = getattr(setup, which)
    assert step.run.code == 0, step.run.output
    assert step.run.changed == []
    assert step.changes == []
    assert step.only_token == setup.first.only_token
    assert step.repositories == setup.first.repositories
    assert step.pull_result(PUBLIC)["upstream_digest"] == setup.upstream[PUBLIC]


def test_verify_succeeds_and_writes_nothing(setup: SetupScenario) -> None:
    verify = setup.verify
    assert verify.run.code == 0, verify.run.output
    assert verify.run.changed == []
    assert verify.changes == []
    for key in (PUBLIC, PRIVATE):
        assert verify.pull_result(key)["digest"] == setup.upstream[key]


# --- the life of a pull token -----------------------------------------------------------------------------------------
@dataclasses.dataclass(frozen=True)
class RotationScenario:
    """A private repository whose token is due, is rotated after two failed attempts, and is revoked manually.

    status_after_failures, status_after_rotation: the status codes of pulls after these runs.
    """

    first: Step
    rejected: Step
    not_stored: Step
    status_after_failures: int
    rotated: Step
    status_after_rotation: int
    revoked: Step


def run_rotation(scenario: Scenario) -> RotationScenario:
    lab = scenario.lab

    def variables(image: str) -> Json:
        return lab.variables("containers", depth="manifest", source_overrides={"containers": {"images": [image]}})

    first = scenario.run("setup", variables("nginx"))
    lab.advance(days=20)

    lab.inject_fault({"status": 403, "body": FORBIDDEN}, service="registry", kind="registry.token")
    rejected = scenario.run("setup", variables("nginx"))
    lab.clear_faults()
    lab.inject_fault(
        {"status": 500, "body": "the disk is full"}, service="artifactory", kind="artifactory.repository.update"
    )
    lab.inject_fault({"status": 500}, service="api", kind="iam.identity.delete")
    not_stored = scenario.run("setup", variables("nginx"))
    lab.clear_faults()
    status_after_failures = lab.pull(PRIVATE, "example.com/nginx", "1.27")

    # A younger unused token could belong to a run that is still in progress.
    lab.advance(days=0.02)
    rotated = scenario.run("setup", variables("nginx"), "-v")
    status_after_rotation = lab.pull(PRIVATE, "example.com/nginx", "1.27-dev")

    lab.revoke(rotated.credentials[0])
    revoked = scenario.run("verify", variables("python"))
    return RotationScenario(first, rejected, not_stored, status_after_failures, rotated, status_after_rotation, revoked)


FORBIDDEN = {"errors": [{"code": "FORBIDDEN", "message": "not for you"}]}


def test_an_image_with_a_short_name_is_shown_with_its_full_name(rotation: RotationScenario) -> None:
    lines = rotation.rotated.run.client_setup()
    assert any(
        line.startswith("docker pull ") and line.endswith(f"/{PRIVATE}/example.com/nginx:latest") for line in lines
    )


def test_a_token_that_cannot_pull_directly_is_revoked(rotation: RotationScenario) -> None:
    rejected = rotation.rejected
    assert rejected.run.code != 0
    assert "cannot pull from Chainguard" in rejected.run.failure()
    assert "not for you" in rejected.run.failure()
    assert "iam.identity.create" in rejected.write_kinds()
    assert rejected.only_token == rotation.first.only_token


def test_a_token_that_can_be_neither_stored_nor_revoked_is_left_for_the_next_run(rotation: RotationScenario) -> None:
    not_stored = rotation.not_stored
    assert not_stored.run.code != 0
    assert "the disk is full" in not_stored.run.failure()
    assert len(not_stored.pull_tokens) == 2


@pytest.mark.parametrize("which", ["rejected", "not_stored"])
def test_a_failed_rotation_does_not_change_artifactory(rotation: RotationScenario, which: str) -> None:
    step: Step = getattr(rotation, which)
    assert step.repositories == rotation.first.repositories
    assert rotation.status_after_failures == 200


def test_the_next_run_replaces_the_token_and_revokes_it_with_the_unused_one(rotation: RotationScenario) -> None:
    rotated = rotation.rotated
    assert rotated.run.code == 0, rotated.run.output
    assert rotated.credentials[0] == rotated.only_token
    assert rotated.only_token not in {token["uid"] for token in rotation.not_stored.pull_tokens}
    assert rotated.write_kinds().count("iam.identity.create") == 1
    assert rotated.write_kinds()[-2:] == ["iam.identity.delete"] * 2


def test_the_new_token_is_verified_with_a_pull_from_upstream(rotation: RotationScenario) -> None:
    assert rotation.rotated.pull_result(PRIVATE)["from_upstream"] is True
    assert rotation.status_after_rotation == 200


def test_the_diff_of_a_rotation_shows_the_user_name_and_no_password(rotation: RotationScenario) -> None:
    diff = rotation.rotated.run.repository_results(ENSURE_REPOSITORIES)[PRIVATE]["diff"]
    assert diff["before"] == {"username": rotation.first.only_token}
    assert diff["after"] == {"username": rotation.rotated.only_token, "password": "(sent, never shown)"}


def test_verify_names_a_revoked_token_when_it_pulls_an_uncached_image(rotation: RotationScenario) -> None:
    revoked = rotation.revoked
    assert revoked.run.code != 0
    assert revoked.writes == []
    assert PRIVATE in revoked.run.failure()
    assert re.search(r"pull token.*revoked", revoked.run.failure(), re.IGNORECASE)


# --- drift ------------------------------------------------------------------------------------------------------------
MANUAL_CHANGES: dict[str, Json] = {
    PUBLIC: {"url": "https://cgr.dev/chainguard", "enableTokenAuthentication": False},
    PRIVATE: {"username": "someone@example.com", "blockMismatchingMimeTypes": False},
}


@dataclasses.dataclass(frozen=True)
class DriftScenario:
    """Manual changes and the run that corrects them. before: the repositories before the changes.

    statuses: the status codes of pulls while the settings were wrong.
    """

    before: dict[str, Json]
    statuses: dict[str, int]
    after: Step


def run_drift(scenario: Scenario) -> DriftScenario:
    """Continue where run_setup() ends. The run verifies with the images that could not be pulled before it."""
    lab, before = scenario.lab, scenario.lab.repositories()
    lab.advance(days=0.004)  # until Artifactory does not use an earlier login any longer
    for key, settings in MANUAL_CHANGES.items():
        lab.set_config(key, **settings)
    statuses = {
        PUBLIC: lab.pull(PUBLIC, PUBLIC_IMAGE, "latest-dev"),
        PRIVATE: lab.pull(PRIVATE, "example.com/nginx", "latest-dev"),
    }
    lab.advance(days=0.02)
    images = {"containers_public": f"{PUBLIC_IMAGE}:latest-dev", "containers": "nginx:latest-dev"}
    overrides = {source: {"images": [image]} for source, image in images.items()}
    after = scenario.run("setup", lab.variables(*BOTH, depth="manifest", source_overrides=overrides), "--diff")
    return DriftScenario(before, statuses, after)


@pytest.mark.parametrize("key", MANUAL_CHANGES)
def test_manual_changes_are_corrected_and_nothing_else(drift: DriftScenario, key: str) -> None:
    result, changed = drift.after.run.repository_results(ENSURE_REPOSITORIES)[key], MANUAL_CHANGES[key]
    before, after = result["diff"]["before"], result["diff"]["after"]
    assert result["changed"]
    assert before == changed
    assert set(after) == set(changed) | ({"password"} if key == PRIVATE else set())
    for repositories in (drift.after.repositories, drift.before):
        assert {name: repositories[key][name] for name in REQUIRED} == REQUIRED


@pytest.mark.parametrize("key", MANUAL_CHANGES)
def test_the_correction_is_verified_in_spite_of_the_negative_cache(drift: DriftScenario, key: str) -> None:
    assert drift.statuses[key] == 404
    assert drift.after.run.code == 0, drift.after.run.output
    image = drift.after.pull_result(key)
    assert split_reference(image["image"])[1] == "latest-dev"
    assert image["from_upstream"] is True


def test_a_lost_user_name_is_replaced_by_one_new_token(drift: DriftScenario) -> None:
    assert drift.after.credentials[0] == drift.after.only_token != drift.before[PRIVATE]["username"]


# --- two Artifactory instances ----------------------------------------------------------------------------------------
def test_one_run_sets_up_two_artifactory_instances(
    lab: LabClient, plain_lab: LabClient, run_playbook: PlaybookRunner
) -> None:
    labs = {"over-tls": lab, "over-http": plain_lab}
    nginx = {"containers": {"images": ["nginx"]}}
    inventory = {
        name: instance.variables("containers", depth="manifest", source_overrides=nginx)
        for name, instance in labs.items()
    }
    run = run_playbook("cgr.pull_through.setup", {"pull_through_hosts": "all"}, inventory=inventory)
    assert run.code == 0, run.output
    times = [[entry["time"] for entry in instance.request_log()] for instance in labs.values()]
    assert max(map(min, times)) < min(map(max, times)), "side by side, and not one after the other"
    for name, instance in labs.items():
        (token,) = instance.pull_tokens()
        repository = instance.repositories()[PRIVATE]
        (image,) = run.pull_results(PRIVATE, name)
        assert repository["username"] == token["uid"]
        assert instance.host in token["description"]
        assert image["reference"].startswith(f"{instance.host}/{PRIVATE}/example.com/nginx")
        assert image["from_upstream"] is True
        credentials = (token["uid"], repository["password"])
        assert image["digest"] == instance.upstream_digest("example.com/nginx", credentials=credentials)
