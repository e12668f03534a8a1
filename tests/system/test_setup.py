# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The main job: from an empty Artifactory to proven pulls, kept that way. A few stories are played, and all tests look at them."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import re
from pathlib import Path

import pytest

from support.lab_client import Json, LabClient
from support.playbook_runner import PlaybookRunner, Run

PUBLIC, PRIVATE = "cgr-public", "cgr-private"
BOTH = ("containers_public", "containers")
PUBLIC_IMAGE = "chainguard/wolfi-base"

# Tasks of the role, which end with the repository's key.
WRITE = "Create or mend the repository"

# What Chainguard's guides ask for (chainguard.md §5), and so all in which a repository of ours differs from Artifactory's defaults.
DEMANDED = {
    "url": "https://cgr.dev/",
    "includesPattern": "**/*",
    "enableTokenAuthentication": True,
    "blockMismatchingMimeTypes": True,
}


@dataclasses.dataclass(frozen=True)
class Step:
    """One run of a story, and how the lab was after it."""

    run: Run
    writes: list[Json]
    repositories: dict[str, Json]
    pull_tokens: list[Json]

    @property
    def only_token(self) -> str:
        """The user name of the one pull token that there is."""
        assert len(self.pull_tokens) == 1, self.pull_tokens
        return str(self.pull_tokens[0]["uid"])

    @property
    def login(self) -> tuple[str, str]:
        """What Artifactory logs in with, from its own configuration."""
        stored = self.repositories[PRIVATE]
        return stored["username"], stored["password"]

    def kinds(self) -> list[str]:
        """The kinds of the writes, in their order."""
        return [entry["kind"] for entry in self.writes]


class Scenario:
    """Runs playbooks against a lab, and notes what each did."""

    def __init__(self, lab: LabClient, run_playbook: PlaybookRunner) -> None:
        lab.reset()
        self.lab = lab
        self._play = run_playbook

    def run(self, playbook: str, variables: Json, *arguments: str) -> Step:
        before = self.lab.log_position()
        run = self._play(f"cgr.pull_through.{playbook}", variables, *arguments)
        return Step(run, self.lab.writes(before), self.lab.repositories(), self.lab.pull_tokens())


@dataclasses.dataclass(frozen=True)
class Stories:
    beginning: Beginning
    later: Later
    repair: Repair


@pytest.fixture(scope="module")
def stories(
    running_lab: LabClient,
    running_plain_lab: LabClient,
    run_playbook: PlaybookRunner,
    tmp_path_factory: pytest.TempPathFactory,
) -> Stories:
    """Two at a time, each with a lab of its own."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        later = pool.submit(tell_later, Scenario(running_plain_lab, run_playbook))
        scenario = Scenario(running_lab, run_playbook)
        beginning = tell_beginning(scenario, tmp_path_factory.mktemp("logins"))
        repair = tell_repair(scenario)
        return Stories(beginning, later.result(), repair)


@pytest.fixture
def beginning(stories: Stories) -> Beginning:
    return stories.beginning


@pytest.fixture
def later(stories: Stories) -> Later:
    return stories.later


@pytest.fixture
def repair(stories: Stories) -> Repair:
    return stories.repair


def pulled(step: Step, key: str) -> Json:
    """Return the result of the one image that a run proved a source with."""
    (image,) = step.run.proofs(key)
    return image


def image_and_tag(reference: str) -> tuple[str, str]:
    """Return `name:tag@digest` as the name and the tag."""
    name, _colon, tag = reference.partition("@")[0].partition(":")
    return name, tag or "latest"


# --- from an empty Artifactory ----------------------------------------------------------------------------------------
@dataclasses.dataclass(frozen=True)
class Beginning:
    """An empty Artifactory, and five runs. upstream: the digests of the proved images, asked of Chainguard's registry itself."""

    predicted: Step
    first: Step
    second: Step
    third: Step
    check: Step
    defaults: Json
    upstream: dict[str, str]


def tell_beginning(scenario: Scenario, folder: Path) -> Beginning:
    """The runs log in to Chainguard in all ways that there are, which must not make a difference."""
    lab = scenario.lab
    token_file, chainctl = folder / "oidc-token", folder / "chainctl"
    token_file.write_text(lab.workload["oidc_token"] + "\n", encoding="utf-8")
    chainctl.write_text(CHAINCTL.format(token=lab.api_tokens["owner"]), encoding="utf-8")
    chainctl.chmod(0o700)
    identity = {"chainguard_api_token": None, "chainguard_identity": lab.workload["identity"]}

    predicted = scenario.run("setup", lab.variables(*BOTH), "--check", "--diff")
    first = scenario.run("setup", lab.variables(*BOTH))
    token = {"chainguard_identity_token": lab.workload["oidc_token"]}
    second = scenario.run("setup", lab.variables(*BOTH, **identity, **token))
    third = scenario.run("setup", lab.variables(*BOTH, **identity, chainguard_identity_token_file=str(token_file)))
    check = scenario.run("verify", lab.variables(*BOTH, chainguard_api_token=None, chainctl=str(chainctl)))
    private = image_and_tag(pulled(first, PRIVATE)["image"])
    upstream = {
        PUBLIC: lab.upstream_digest(PUBLIC_IMAGE),
        PRIVATE: lab.upstream_digest(*private, login=first.login),
    }
    lab.create_repository("untouched", enableTokenAuthentication=False)
    return Beginning(predicted, first, second, third, check, lab.repositories()["untouched"], upstream)


CHAINCTL = """\
#!/bin/sh
# Stands in for Chainguard's own program, which is logged in.
[ "$*" = "auth token --audience https://console-api.enforce.dev" ] && echo "{token}"
"""


def test_one_run_makes_both_repositories_and_one_token(beginning: Beginning) -> None:
    first = beginning.first
    assert first.run.code == 0, first.run.output
    assert set(first.repositories) == {PUBLIC, PRIVATE}
    assert first.repositories[PRIVATE]["username"] == first.only_token
    assert sorted(first.kinds()) == [
        "artifactory.repository.create",
        "artifactory.repository.create",
        "iam.identity.create",
        "iam.role_binding.create",
    ]


@pytest.mark.parametrize("key", [PUBLIC, PRIVATE])
def test_the_stored_settings_are_those_of_the_guides_and_no_others(beginning: Beginning, key: str) -> None:
    stored, defaults = beginning.first.repositories[key], beginning.defaults
    own = {name: value for name, value in stored.items() if value != defaults[name]}
    login = {name: own.pop(name, None) for name in ("key", "username", "password")}
    assert {name: stored[name] for name in DEMANDED} == DEMANDED
    assert set(own) <= set(DEMANDED)
    assert [bool(login["username"]), bool(login["password"])] == [key == PRIVATE] * 2


@pytest.mark.parametrize("key", [PUBLIC, PRIVATE])
def test_a_fresh_pull_proves_each_repository_with_the_digest_of_upstream(beginning: Beginning, key: str) -> None:
    image = pulled(beginning.first, key)
    assert image["digest"] == beginning.upstream[key]
    assert image["from_upstream"] is True
    assert image["layers"] > 0
    assert image["platforms"].keys() == {"linux/amd64"}
    assert any(beginning.upstream[key] in line for line in what_it_proves(beginning.first, key))


def what_it_proves(step: Step, key: str) -> list[str]:
    """Return the lines in which a run tells people what it proved."""
    return step.run.told(key)


def test_it_ends_with_what_to_type_next(beginning: Beginning, running_lab: LabClient) -> None:
    lines = beginning.first.run.task("What to type next").result["msg"]
    name, tag = image_and_tag(pulled(beginning.first, PRIVATE)["image"])
    assert lines[:3] == [
        f"docker login {running_lab.host}",
        f"docker pull {running_lab.host}/{PUBLIC}/{PUBLIC_IMAGE}:latest",
        f"docker pull {running_lab.host}/{PRIVATE}/{name}:{tag}",
    ]


def test_check_mode_writes_nothing(beginning: Beginning) -> None:
    predicted = beginning.predicted
    assert predicted.run.code == 0, predicted.run.output
    assert predicted.writes == []
    assert predicted.repositories == {}
    assert predicted.pull_tokens == []


def test_check_mode_predicts_the_run_task_by_task(beginning: Beginning) -> None:
    predicted, real = beginning.predicted.run, beginning.first.run
    assert [task.outcome for task in predicted.tasks] == [task.outcome for task in real.tasks]
    assert f"{WRITE} | {PRIVATE}" in real.changed


@pytest.mark.parametrize("key", [PUBLIC, PRIVATE])
def test_the_diff_of_check_mode_is_what_is_sent_then(beginning: Beginning, key: str) -> None:
    predicted, real = (step.run.task(f"{WRITE} | {key}").result for step in (beginning.predicted, beginning.first))
    after = dict(predicted["diff"]["after"])
    assert after.pop("username", "").endswith("/new-identity") == (key == PRIVATE)
    assert predicted["diff"]["before"] == {}
    assert real["diff"] == {"before": {}, "after": {**predicted["diff"]["after"], **sent_login(beginning.first, key)}}
    assert DEMANDED.items() <= after.items()
    assert f'"key": "{key}"' in beginning.predicted.run.output


def sent_login(step: Step, key: str) -> Json:
    return {"username": step.only_token} if key == PRIVATE else {}


@pytest.mark.parametrize("which", ["second", "third"])
def test_a_further_run_changes_and_writes_nothing(beginning: Beginning, which: str) -> None:
    step: Step = getattr(beginning, which)
    assert step.run.code == 0, step.run.output
    assert step.run.changed == []
    assert step.writes == []
    assert step.only_token == beginning.first.only_token
    assert step.repositories == beginning.first.repositories
    assert pulled(step, PUBLIC)["upstream_digest"] == beginning.upstream[PUBLIC]


def test_check_is_green_and_writes_nothing(beginning: Beginning) -> None:
    check = beginning.check
    assert check.run.code == 0, check.run.output
    assert check.run.changed == []
    assert check.writes == []
    for key in (PUBLIC, PRIVATE):
        assert pulled(check, key)["digest"] == beginning.upstream[key]


# --- as time goes by --------------------------------------------------------------------------------------------------
@dataclasses.dataclass(frozen=True)
class Later:
    """A private repository whose token gets old, is renewed, and is revoked behind our back."""

    first: Step
    refused: Step
    unwritten: Step
    meanwhile: int
    renewed: Step
    afterward: int
    dead: Step


def tell_later(scenario: Scenario) -> Later:
    lab = scenario.lab

    def variables(image: str) -> Json:
        return lab.variables("containers", depth="manifest", source_overrides={"containers": {"images": [image]}})

    first = scenario.run("setup", variables("nginx"))
    lab.advance(days=20)

    lab.inject_fault({"status": 403, "body": NOT_YOURS}, service="registry", kind="registry.token")
    refused = scenario.run("setup", variables("nginx"))
    lab.clear_faults()
    lab.inject_fault(
        {"status": 500, "body": "the disk is full"}, service="artifactory", kind="artifactory.repository.update"
    )
    lab.inject_fault({"status": 500}, service="api", kind="iam.identity.delete")
    unwritten = scenario.run("setup", variables("nginx"))
    lab.clear_faults()
    meanwhile = lab.pull(PRIVATE, "example.com/nginx", "1.27")

    # An orphan that is younger could belong to a run that goes on.
    lab.advance(days=0.02)
    renewed = scenario.run("setup", variables("nginx"))
    afterward = lab.pull(PRIVATE, "example.com/nginx", "1.27-dev")

    lab.revoke(renewed.login[0])
    dead = scenario.run("verify", variables("python"))
    return Later(first, refused, unwritten, meanwhile, renewed, afterward, dead)


NOT_YOURS = {"errors": [{"code": "FORBIDDEN", "message": "not for you"}]}


def test_an_image_by_its_short_name_is_told_whole(later: Later) -> None:
    lines = later.renewed.run.task("What to type next").result["msg"]
    assert any(
        line.startswith("docker pull ") and line.endswith(f"/{PRIVATE}/example.com/nginx:latest") for line in lines
    )


def test_a_token_that_cannot_pull_directly_is_taken_back(later: Later) -> None:
    refused = later.refused
    assert refused.run.code != 0
    assert "cannot pull from Chainguard" in refused.run.failure()
    assert "not for you" in refused.run.failure()
    assert "iam.identity.create" in refused.kinds()
    assert refused.only_token == later.first.only_token


def test_a_token_that_can_neither_be_stored_nor_taken_back_stays_for_the_next_run(later: Later) -> None:
    unwritten = later.unwritten
    assert unwritten.run.code != 0
    assert "the disk is full" in unwritten.run.failure()
    assert len(unwritten.pull_tokens) == 2


@pytest.mark.parametrize("which", ["refused", "unwritten"])
def test_a_renewal_that_breaks_leaves_artifactory_as_it_was(later: Later, which: str) -> None:
    step: Step = getattr(later, which)
    assert step.repositories == later.first.repositories
    assert later.meanwhile == 200


def test_an_old_token_is_replaced_and_revoked_with_the_orphan_of_the_broken_run(later: Later) -> None:
    renewed = later.renewed
    assert renewed.run.code == 0, renewed.run.output
    assert renewed.login[0] == renewed.only_token
    assert renewed.only_token not in {token["uid"] for token in later.unwritten.pull_tokens}
    assert renewed.kinds().count("iam.identity.create") == 1
    assert renewed.kinds()[-2:] == ["iam.identity.delete"] * 2


def test_the_renewed_token_is_proved_past_the_cache(later: Later) -> None:
    assert pulled(later.renewed, PRIVATE)["from_upstream"] is True
    assert later.afterward == 200


def test_a_renewal_shows_the_user_name_and_no_password(later: Later) -> None:
    diff = later.renewed.run.task(f"{WRITE} | {PRIVATE}").result["diff"]
    assert diff["before"] == {"username": later.first.only_token}
    assert diff["after"] == {"username": later.renewed.only_token, "password": "(sent, never shown)"}


def test_check_names_a_dead_token_when_an_uncached_image_is_asked_for(later: Later) -> None:
    dead = later.dead
    assert dead.run.code != 0
    assert dead.writes == []
    assert PRIVATE in dead.run.failure()
    assert re.search(r"pull token.*(is gone|revoked)", dead.run.failure(), re.IGNORECASE)


# --- what somebody changed by hand ------------------------------------------------------------------------------------
CHANGED_BY_HAND: dict[str, Json] = {
    PUBLIC: {"url": "https://cgr.dev/chainguard", "enableTokenAuthentication": False},
    PRIVATE: {"username": "someone@example.com", "blockMismatchingMimeTypes": False},
}


@dataclasses.dataclass(frozen=True)
class Repair:
    """What somebody changed by hand, how pulls fared then, and the run after it. before: the repositories as they were."""

    before: dict[str, Json]
    statuses: dict[str, int]
    after: Step


def tell_repair(scenario: Scenario) -> Repair:
    """Goes on where tell_beginning() ends. The proof pulls just what could not be pulled in between."""
    lab, before = scenario.lab, scenario.lab.repositories()
    for key, settings in CHANGED_BY_HAND.items():
        lab.set_config(key, **settings)
    statuses = {
        PUBLIC: lab.pull(PUBLIC, PUBLIC_IMAGE, "latest-dev"),
        PRIVATE: lab.pull(PRIVATE, "example.com/nginx", "latest-dev"),
    }
    lab.advance(days=0.02)
    images = {"containers_public": f"{PUBLIC_IMAGE}:latest-dev", "containers": "nginx:latest-dev"}
    overrides = {source: {"images": [image]} for source, image in images.items()}
    after = scenario.run("setup", lab.variables(*BOTH, depth="manifest", source_overrides=overrides), "--diff")
    return Repair(before, statuses, after)


@pytest.mark.parametrize("key", CHANGED_BY_HAND)
def test_what_was_changed_by_hand_comes_back_with_a_diff_of_just_that(repair: Repair, key: str) -> None:
    task, changed = repair.after.run.task(f"{WRITE} | {key}"), CHANGED_BY_HAND[key]
    before, after = task.result["diff"]["before"], task.result["diff"]["after"]
    assert task.changed
    assert before == changed
    assert set(after) == set(changed) | ({"password"} if key == PRIVATE else set())
    assert demanded_of(repair.after.repositories[key]) == demanded_of(repair.before[key]) == DEMANDED


def demanded_of(stored: Json) -> Json:
    return {name: stored[name] for name in DEMANDED}


@pytest.mark.parametrize("key", CHANGED_BY_HAND)
def test_the_repair_is_proved_in_spite_of_the_negative_cache(repair: Repair, key: str) -> None:
    assert repair.statuses[key] == 404
    assert repair.after.run.code == 0, repair.after.run.output
    image = pulled(repair.after, key)
    assert image_and_tag(image["image"])[1] == "latest-dev"
    assert image["from_upstream"] is True


def test_a_lost_user_name_costs_one_new_token_and_no_orphan(repair: Repair) -> None:
    assert repair.after.login[0] == repair.after.only_token != repair.before[PRIVATE]["username"]


# --- several instances ------------------------------------------------------------------------------------------------
def test_one_run_serves_several_artifactory_instances(
    lab: LabClient, plain_lab: LabClient, run_playbook: PlaybookRunner
) -> None:
    labs = {"over-tls": lab, "over-http": plain_lab}
    nginx = {"containers": {"images": ["nginx"]}}
    inventory = {
        name: one.variables("containers", depth="manifest", source_overrides=nginx) for name, one in labs.items()
    }
    run = run_playbook("cgr.pull_through.setup", {"pull_through_hosts": "all"}, inventory=inventory)
    assert run.code == 0, run.output
    for name, one in labs.items():
        (token,) = one.pull_tokens()
        stored = one.repositories()[PRIVATE]
        (image,) = run.proofs(PRIVATE, name)
        assert stored["username"] == token["uid"]
        assert one.host in token["description"]
        assert image["reference"].startswith(f"{one.host}/{PRIVATE}/example.com/nginx")
        assert image["from_upstream"] is True
        assert image["digest"] == one.upstream_digest("example.com/nginx", login=(token["uid"], stored["password"]))
