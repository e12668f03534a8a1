# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose token it is: made by chainctl, made by hand, of a login that may do too little; and the end of them all."""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

import pytest
from support.lab_client import Json
from support.rotation_harness import KEY, Client, RotationHarness, RunResult

from rotation import chainctl
from rotation.conftest import HarnessPool

Uids = dict[str, str]


def at_a_station(harnesses: HarnessPool, story: t.Callable[[RotationHarness, None], None]) -> None:
    harnesses.map(story, [None])


def descriptions(harness: RotationHarness) -> Uids:
    """Return the pull tokens that there are, by their UIDs, with their descriptions."""
    return {token["uid"]: token["description"] for token in harness.lab.pull_tokens()}


# --- chainctl ---------------------------------------------------------------------------------------------------------
def install_chainctl(harness: RotationHarness, folder: Path) -> str:
    """Install a stand-in for chainctl that is logged in at the station's lab, and return its path."""
    program = folder / "chainctl"
    token = harness.lab.api_tokens["owner"]
    # The token would show in a process list otherwise; that of the real program lies in a file of its own as well.
    text = f"#!{sys.executable}\nimport runpy, sys\nmain = runpy.run_path({chainctl.__file__!r})['main']\n"
    program.write_text(f"{text}main({token!r}, sys.argv[1:])\n", encoding="utf-8")
    program.chmod(0o700)
    return str(program)


@pytest.mark.parametrize("first", ["chainctl", "api"])
def test_a_site_that_has_chainctl_make_its_tokens(harnesses: HarnessPool, tmp_path: Path, first: str) -> None:
    """Also one that changes from the one method to the other."""

    def story(harness: RotationHarness, _case: None) -> None:
        program = install_chainctl(harness, tmp_path)
        methods = {
            "chainctl": {"token_method": "chainctl", "chainctl": program, "chainguard_api_token": None},
            "api": {},
        }
        second = "api" if first == "chainctl" else "chainctl"
        client = harness.reset(**methods[first])
        made = harness.username
        assert harness.run("setup", **methods[first]).code == 0
        assert harness.username == made
        harness.lab.advance(days=16)
        with client.pulling("while chainctl rotates"):
            for method in (first, second):
                ended = harness.run("rotate", **methods[method], force_rotation=True)
                assert ended.code == 0, ended.output
                assert harness.username != made
                assert harness.assert_single_token(method) == []
                made = harness.username
                harness.lab.advance(days=1)
        assert client.failures == []

    at_a_station(harnesses, story)


# --- made by hand -----------------------------------------------------------------------------------------------------
def make_by_hand(harness: RotationHarness, folder: Path) -> tuple[Client, str]:
    """Make the repository and its token as an administrator does in the two web pages, and return the token's UID."""
    harness.lab.reset()
    options = {
        "parent": harness.lab.organization["uid"],
        "name": "pull-token",
        "description": "made by hand",
        "ttl": "2592000s",
        "repository": "oci",
    }
    with harness.lab.chainguard_client() as api:
        made = chainctl.make_pull_token(api, options)
    harness.lab.create_repository(KEY, username=made["identity_id"], password=made["token"])
    return harness.new_client(), made["identity_id"]


@pytest.mark.parametrize("asked", [False, True])
def test_a_token_that_was_made_by_hand(harnesses: HarnessPool, tmp_path: Path, asked: bool) -> None:
    def story(harness: RotationHarness, _case: None) -> None:
        client, by_hand = make_by_hand(harness, tmp_path)
        variables: Json = {"revoke_unmanaged": asked}
        first = harness.run("setup", **variables)
        assert first.code == 0, first.output
        assert harness.username == by_hand
        assert "30.0 days are left; somebody made it by hand" in first.output
        harness.lab.advance(days=16)
        with client.pulling("while it is replaced"):
            renewed = harness.run("rotate", **variables)
        assert renewed.code == 0, renewed.output
        assert harness.username != by_hand
        assert set(descriptions(harness)) == {harness.username, *([] if asked else [by_hand])}
        assert f"{by_hand}, was made by hand" in renewed.output
        assert ("lives on until" in renewed.output) is not asked
        assert client.failures == []

    at_a_station(harnesses, story)


# --- a login that may do too little -----------------------------------------------------------------------------------
def lend(harness: RotationHarness, *without: str) -> str:
    """Give the identity of the lab's workload just the capabilities that the role's README.md asks for, less some. Return its UID."""
    lab, organization = harness.lab, harness.lab.organization["uid"]
    workload = lab.workload["identity"]
    for binding in lab.bindings():
        if binding["identityUid"] == workload and binding["uid"].startswith(organization):
            lab.chainguard("DELETE", f"/iam/v2/roleBindings/{binding['uid']}")
    names = sorted(set(documented_capabilities()) - set(without))
    role = lab.chainguard(
        "POST", f"/iam/v2/roles/{organization}", {"name": "pull-through", "capabilities": names}
    ).json()
    lab.chainguard("POST", f"/iam/v2/roleBindings/{organization}", {"identityUid": workload, "roleUid": role["uid"]})
    return str(workload)


def documented_capabilities() -> list[str]:
    """Return what the command in the role's README.md asks for, as the API names it."""
    text = (Path(__file__).parents[2] / "roles/pull_through/README.md").read_text(encoding="utf-8")
    words = text.split("--capabilities")[1].split()[0].split(",")
    families = {"groups": "IAM_", "identity": "IAM_", "role_bindings": "IAM_", "roles": "IAM_"}
    families |= dict.fromkeys(("record_signatures", "sboms", "vuln_reports"), "TENANT_")
    return [f"CAP_{families.get(word.split('.')[0], '')}{word.upper().replace('.', '_')}" for word in words]


def as_workload(harness: RotationHarness) -> Json:
    workload = harness.lab.workload
    return {
        "chainguard_api_token": None,
        "chainguard_identity": workload["identity"],
        "chainguard_identity_token": workload["oidc_token"],
    }


def test_the_documented_role_is_enough(harnesses: HarnessPool) -> None:
    def story(harness: RotationHarness, _case: None) -> None:
        harness.lab.reset()
        lend(harness)
        for playbook in ("setup", "setup", "verify"):
            ended = harness.run(playbook, **as_workload(harness))
            assert ended.code == 0, ended.output
        harness.lab.advance(days=16)
        assert harness.run("rotate", **as_workload(harness)).code == 0
        assert harness.assert_single_token("in the end") == []

    at_a_station(harnesses, story)


def test_a_role_that_lacks_something_is_told_before_anything_is_written(harnesses: HarnessPool) -> None:
    def story(harness: RotationHarness, _case: None) -> None:
        harness.lab.reset()
        lend(harness, "CAP_IAM_IDENTITY_DELETE", "CAP_IAM_ROLE_BINDINGS_CREATE")
        mark = harness.lab.log_position()
        ended = harness.run("setup", **as_workload(harness))
        assert ended.code == 2
        assert "lacks identity.delete, role_bindings.create in" in ended.output
        assert "chainctl iam roles create pull-through" in ended.output
        assert harness.lab.writes(mark) == []

    at_a_station(harnesses, story)


def test_a_login_that_may_not_revoke_does_when_that_is_chosen(harnesses: HarnessPool) -> None:
    def story(harness: RotationHarness, _case: None) -> None:
        harness.lab.reset()
        lend(harness, "CAP_IAM_IDENTITY_DELETE")
        told = harness.run("setup", **as_workload(harness))
        assert told.code == 2 and "pull_through_revoke" in told.output
        assert harness.run("setup", **as_workload(harness), revoke=False).code == 0
        first = harness.username
        harness.lab.advance(days=16)
        assert harness.run("rotate", **as_workload(harness), revoke=False).code == 0
        assert set(descriptions(harness)) == {first, harness.username}

    at_a_station(harnesses, story)


# --- the end ----------------------------------------------------------------------------------------------------------
def test_what_was_replaced_is_revoked_after_the_grace_period(harnesses: HarnessPool) -> None:
    def story(harness: RotationHarness, _case: None) -> None:
        client = harness.reset(grace_period="2d")
        first = harness.username
        harness.lab.advance(days=16)
        counts = []
        with client.pulling("in the grace period"):
            for _day in range(3):
                assert harness.run("rotate", grace_period="2d").code == 0
                counts.append(len(descriptions(harness)))
                harness.lab.advance(days=1.1)
        assert counts == [2, 2, 1]
        assert first not in descriptions(harness)
        assert client.failures == []

    at_a_station(harnesses, story)


def test_remove_leaves_both_services_as_they_were_but_for_what_is_not_ours(
    harnesses: HarnessPool, tmp_path: Path
) -> None:
    def story(harness: RotationHarness, _case: None) -> None:
        _client, by_hand = make_by_hand(harness, tmp_path)
        harness.lab.create_repository("somebody-elses")
        bindings = len(harness.lab.bindings())
        assert harness.run("setup", force_rotation=True).code == 0
        unsure = harness.run("remove")
        assert unsure.code == 2 and "pull_through_remove_confirmed" in unsure.output
        assert KEY in harness.lab.repositories()
        check, ended, again = remove(harness, "--check"), remove(harness), remove(harness)
        assert (check.code, ended.code, again.code) == (0, 0, 0), ended.output
        assert changes(check) == changes(ended) == 2
        assert changes(again) == 0
        assert set(harness.lab.repositories()) == {"somebody-elses"}
        assert set(descriptions(harness)) == {by_hand}
        assert len(harness.lab.bindings()) == bindings

    at_a_station(harnesses, story)


def remove(harness: RotationHarness, *arguments: str) -> RunResult:
    return harness.run("remove", *arguments, remove_confirmed=True)


def changes(ended: RunResult) -> int:
    """Return the number of changed tasks, from the recap."""
    return int(ended.output.rpartition("changed=")[2].split()[0])
