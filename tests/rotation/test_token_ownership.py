# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Scenarios 9 to 13: tokens that chainctl or an administrator issued, restricted roles, the grace period and removal."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from rotation import chainctl
from rotation.conftest import HarnessPool
from rotation.scenarios import Report
from support.forked_ansible import RunResult
from support.lab_client import Json
from support.rotation_harness import KEY, PullClient, RotationHarness

README = Path(__file__).parents[2] / "roles/pull_through/README.md"


def descriptions(harness: RotationHarness) -> dict[str, str]:
    """Return the descriptions of all pull tokens by UID."""
    return {token["uid"]: token["description"] for token in harness.lab.pull_tokens()}


# --- 9: tokens issued by chainctl -------------------------------------------------------------------------------------
def install_chainctl(harness: RotationHarness, folder: Path) -> str:
    """Install a replacement for chainctl that is logged in to the harness's lab, and return its path."""
    program = folder / "chainctl"
    token = harness.lab.api_tokens["owner"]
    # The token is in the file, since a process list shows arguments. The real program keeps its token in a file as well.
    text = f"#!{sys.executable}\nimport runpy, sys\nmain = runpy.run_path({chainctl.__file__!r})['main']\n"
    program.write_text(f"{text}main({token!r}, sys.argv[1:])\n", encoding="utf-8")
    program.chmod(0o700)
    return str(program)


def rotate_with_methods(harness: RotationHarness, methods: list[Json]) -> None:
    """Set up with the first method to issue tokens, then rotate with each of them."""
    client = harness.reset(**methods[0])
    username = harness.username
    assert harness.run("setup", **methods[0]).code == 0
    assert harness.username == username
    harness.lab.advance(days=16)
    with client.pull_continuously("while tokens are rotated"):
        for variables in methods:
            result = harness.run("rotate", **variables, force_rotation=True)
            assert result.code == 0, result.output
            assert harness.username != username
            assert harness.token_errors(str(variables)) == []
            username = harness.username
            harness.lab.advance(days=1)
    assert client.failures == []


@pytest.mark.parametrize(("first", "second"), [("chainctl", "api"), ("api", "chainctl")])
def test_tokens_issued_by_chainctl(
    harnesses: HarnessPool, report: Report, tmp_path: Path, first: str, second: str
) -> None:
    def run(harness: RotationHarness) -> None:
        program = install_chainctl(harness, tmp_path)
        methods: dict[str, Json] = {
            "chainctl": {"token_method": "chainctl", "chainctl": program, "chainguard_api_token": None},
            "api": {},
        }
        rotate_with_methods(harness, [methods[first], methods[second]])

    harnesses.run(run)
    report(9, f"{first}, then {second}", [])


# --- 10: unmanaged tokens ---------------------------------------------------------------------------------------------
def set_up_unmanaged(harness: RotationHarness) -> tuple[PullClient, str]:
    """Create the repository and its token as an administrator does in both UIs, and return the token's UID."""
    harness.lab.reset()
    options = {
        "parent": harness.lab.organization["uid"],
        "name": "pull-token",
        "description": "created in the UI",
        "ttl": "2592000s",
        "repository": "oci",
    }
    with harness.lab.chainguard_client() as api:
        token = chainctl.create_pull_token(api, options)
    harness.lab.create_repository(KEY, username=token["identity_id"], password=token["token"])
    return harness.new_client(), token["identity_id"]


@pytest.mark.parametrize("revoke_unmanaged", [False, True])
def test_an_unmanaged_token(harnesses: HarnessPool, report: Report, revoke_unmanaged: bool) -> None:
    def run(harness: RotationHarness) -> None:
        client, unmanaged = set_up_unmanaged(harness)
        variables: Json = {"revoke_unmanaged": revoke_unmanaged}
        first = harness.run("setup", **variables)
        assert first.code == 0, first.output
        assert harness.username == unmanaged
        assert "30.0 days are left; it is unmanaged" in first.output
        harness.lab.advance(days=16)
        with client.pull_continuously("while it is replaced"):
            rotation = harness.run("rotate", **variables)
        assert rotation.code == 0, rotation.output
        assert harness.username != unmanaged
        assert set(descriptions(harness)) == {harness.username, *([] if revoke_unmanaged else [unmanaged])}
        assert f"{unmanaged}, which this collection did not issue, is replaced" in rotation.output
        assert ("remains valid until" in rotation.output) is not revoke_unmanaged
        assert client.failures == []

    harnesses.run(run)
    report(10, f"revoke_unmanaged: {str(revoke_unmanaged).lower()}", [])


# --- 11: restricted Chainguard roles ----------------------------------------------------------------------------------
def restrict_workload(harness: RotationHarness, *missing: str) -> None:
    """Give the lab's workload identity only the capabilities that the role's README.md names, without the missing ones."""
    lab, organization = harness.lab, harness.lab.organization["uid"]
    workload = lab.workload["identity"]
    for binding in lab.bindings():
        if binding["identityUid"] == workload and binding["uid"].startswith(organization):
            lab.chainguard("DELETE", f"/iam/v2/roleBindings/{binding['uid']}")
    body = {"name": "pull-through", "capabilities": sorted(set(documented_capabilities()) - set(missing))}
    role = lab.chainguard("POST", f"/iam/v2/roles/{organization}", body).json()
    lab.chainguard("POST", f"/iam/v2/roleBindings/{organization}", {"identityUid": workload, "roleUid": role["uid"]})


def documented_capabilities() -> list[str]:
    """Return the capabilities in the command of the role's README.md, as the API names them."""
    words = README.read_text(encoding="utf-8").split("--capabilities")[1].split()[0].split(",")
    prefixes = {"groups": "IAM_", "identity": "IAM_", "role_bindings": "IAM_", "roles": "IAM_"}
    prefixes |= dict.fromkeys(("record_signatures", "sboms", "vuln_reports"), "TENANT_")
    return [f"CAP_{prefixes.get(word.split('.')[0], '')}{word.upper().replace('.', '_')}" for word in words]


def test_the_documented_role_is_sufficient(harnesses: HarnessPool, report: Report) -> None:
    def run(harness: RotationHarness) -> None:
        harness.lab.reset()
        restrict_workload(harness)
        credentials = harness.lab.workload_variables()
        for playbook in ("setup", "setup", "verify"):
            result = harness.run(playbook, **credentials)
            assert result.code == 0, result.output
        harness.lab.advance(days=16)
        assert harness.run("rotate", **credentials).code == 0
        assert harness.token_errors("at the end") == []

    harnesses.run(run)
    report(11, "the documented role", [])


def test_a_missing_capability_is_reported_before_any_write(harnesses: HarnessPool, report: Report) -> None:
    def run(harness: RotationHarness) -> None:
        harness.lab.reset()
        restrict_workload(harness, "CAP_IAM_IDENTITY_DELETE", "CAP_IAM_ROLE_BINDINGS_CREATE")
        before = harness.lab.log_position()
        result = harness.run("setup", **harness.lab.workload_variables())
        assert result.code == 2
        assert "lack identity.delete, role_bindings.create in" in result.output
        assert "chainctl iam roles create pull-through" in result.output
        assert harness.lab.writes(before) == []

    harnesses.run(run)
    report(11, "two missing capabilities", [])


def test_revocation_can_be_disabled_without_the_capability(harnesses: HarnessPool, report: Report) -> None:
    def run(harness: RotationHarness) -> None:
        harness.lab.reset()
        restrict_workload(harness, "CAP_IAM_IDENTITY_DELETE")
        credentials = harness.lab.workload_variables()
        failed = harness.run("setup", **credentials)
        assert failed.code == 2 and "pull_through_revoke" in failed.output
        assert harness.run("setup", **credentials, revoke=False).code == 0
        first = harness.username
        harness.lab.advance(days=16)
        assert harness.run("rotate", **credentials, revoke=False).code == 0
        assert set(descriptions(harness)) == {first, harness.username}

    harnesses.run(run)
    report(11, "revoke: false", [])


# --- 12: grace period -------------------------------------------------------------------------------------------------
def test_a_superseded_token_is_revoked_after_the_grace_period(harnesses: HarnessPool, report: Report) -> None:
    def run(harness: RotationHarness) -> None:
        client = harness.reset(grace_period="2d")
        first = harness.username
        harness.lab.advance(days=16)
        counts = []
        with client.pull_continuously("in the grace period"):
            for _day in range(3):
                assert harness.run("rotate", grace_period="2d").code == 0
                counts.append(len(descriptions(harness)))
                harness.lab.advance(days=1.1)
        assert counts == [2, 2, 1]
        assert first not in descriptions(harness)
        assert client.failures == []

    harnesses.run(run)
    report(12, "three days, with a grace period of two", [])


# --- 13: removal ------------------------------------------------------------------------------------------------------
def test_remove_keeps_what_the_role_does_not_manage(harnesses: HarnessPool, report: Report) -> None:
    def run(harness: RotationHarness) -> None:
        _client, unmanaged = set_up_unmanaged(harness)
        harness.lab.create_repository("unmanaged")
        bindings = len(harness.lab.bindings())
        assert harness.run("setup", force_rotation=True).code == 0
        unconfirmed = harness.run("remove")
        assert unconfirmed.code == 2 and "pull_through_remove_confirmed" in unconfirmed.output
        assert KEY in harness.lab.repositories()
        check, removal, again = remove(harness, "--check"), remove(harness), remove(harness)
        assert (check.code, removal.code, again.code) == (0, 0, 0), removal.output
        assert count_changes(check) == count_changes(removal) == 2
        assert count_changes(again) == 0
        assert set(harness.lab.repositories()) == {"unmanaged"}
        assert set(descriptions(harness)) == {unmanaged}
        assert len(harness.lab.bindings()) == bindings

    harnesses.run(run)
    report(13, "unconfirmed, in check mode, confirmed, and again", [])


def remove(harness: RotationHarness, *arguments: str) -> RunResult:
    return harness.run("remove", *arguments, remove_confirmed=True)


def count_changes(result: RunResult) -> int:
    """Return the number of changed tasks, from the recap."""
    return int(result.output.rpartition("changed=")[2].split()[0])
