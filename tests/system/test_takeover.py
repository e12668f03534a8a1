# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What setup says about a repository that somebody made by hand: what it overwrites, what it keeps, and until when its token is valid."""

from __future__ import annotations

import pytest

from rotation import chainctl
from support.lab_client import Json, LabClient
from support.playbook_runner import PlaybookRunner
from support.scenario import PRIVATE, Scenario, Step

OWN: Json = {
    "includesPattern": "example.com/**",
    "excludesPattern": "example.com/secret/**",
    "retrievalCachePeriodSecs": 600,
    "blockMismatchingMimeTypes": False,
}
OWN_PATTERN = {"settings": {"includesPattern": OWN["includesPattern"]}}


class Takeover(Scenario):
    """Runs of setup with a repository that was made by hand, and its pull token from the UI."""

    def __init__(self, lab: LabClient, run_playbook: PlaybookRunner) -> None:
        super().__init__(lab, run_playbook)
        self.made_by_hand()
        self.check = self.set_up("--check")
        self.setup = self.set_up()
        self.made_by_hand()
        self.kept = self.set_up(containers=OWN_PATTERN)

    def made_by_hand(self) -> None:
        options = {"name": "pull-token", "description": "created in the UI", "ttl": "2592000s", "repository": "oci"}
        with self.lab.chainguard_client() as api:
            token = chainctl.create_pull_token(api, {**options, "parent": self.lab.organization["uid"]})
        self.lab.artifactory("DELETE", f"/repositories/{PRIVATE}")
        self.lab.create_repository(PRIVATE, username=token["identity_id"], password=token["token"], **OWN)
        self.username = token["identity_id"]

    def set_up(self, *arguments: str, **overrides: Json) -> Step:
        variables = self.lab.variables("containers", source_overrides=overrides, depth="manifest")
        return self.run("setup", variables, *arguments)


@pytest.fixture(scope="module")
def takeover(running_lab: LabClient, run_playbook: PlaybookRunner) -> Takeover:
    return Takeover(running_lab, run_playbook)


def summary(step: Step) -> str:
    """Return what the summary of a run says, without line breaks."""
    assert step.run.code == 0, step.run.output
    return " ".join(step.run.output.replace('\\"', "'").split())


@pytest.mark.parametrize(
    ("which", "changed", "keeps"), [("check", "would change", "would keep"), ("setup", "changed", "keeps")]
)
def test_settings_that_are_overwritten_or_kept_are_named(
    takeover: Takeover, which: str, changed: str, keeps: str
) -> None:
    text = summary(getattr(takeover, which))
    assert f"{PRIVATE}: includesPattern {changed} from 'example.com/**' to '**/*'." in text
    assert f"{PRIVATE}: blockMismatchingMimeTypes {changed} from false to true." in text
    assert "set it in the settings of pull_through_source_overrides.containers" in text
    kept = "such as excludesPattern 'example.com/secret/**', retrievalCachePeriodSecs 600."
    assert f"{PRIVATE} {keeps} its cached content and all other settings, {kept}" in text


@pytest.mark.parametrize("which", ["check", "setup", "kept"])
def test_the_token_that_was_made_by_hand_is_named_with_its_end(takeover: Takeover, which: str) -> None:
    text = summary(getattr(takeover, which))
    assert "which this collection did not issue. It is valid until 20" in text and "is replaced when it is due" in text
    assert getattr(takeover, which).only_token in text if which != "kept" else takeover.username in text


def test_check_mode_writes_nothing(takeover: Takeover) -> None:
    assert takeover.check.changes == []
    assert {name: takeover.check.repositories[PRIVATE][name] for name in OWN} == OWN


def test_setup_does_what_it_says(takeover: Takeover) -> None:
    repository = takeover.setup.repositories[PRIVATE]
    expected = {**OWN, "includesPattern": "**/*", "blockMismatchingMimeTypes": True}
    assert {name: repository[name] for name in OWN} == expected


def test_an_override_keeps_a_narrower_pattern(takeover: Takeover) -> None:
    assert takeover.kept.repositories[PRIVATE]["includesPattern"] == OWN["includesPattern"]
    assert "includesPattern" not in summary(takeover.kept)
