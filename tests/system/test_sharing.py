# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs that share an Artifactory: fewer sources, another team, a withdrawn user. A run takes away only what it is asked to."""

from __future__ import annotations

import pytest

from support.lab_client import Json, LabClient
from support.playbook_runner import PlaybookRunner, Run
from support.scenario import Scenario, Step

SOURCES = ("python_remediated", "python", "java")
VIRTUAL = "cgr-python-all"
MEMBERS = ["cgr-python-remediated", "cgr-python"]
PERMISSION = "cgr-pull"


class Site:
    """A set-up site, as text from a survey would configure it, and further runs of it."""

    def __init__(self, lab: LabClient, run_playbook: PlaybookRunner) -> None:
        self._lab = lab
        self._scenario = Scenario(lab, run_playbook)
        first = self.run("setup", users="reader", virtuals="python")
        assert first.run.code == 0, first.run.output

    def run(self, playbook: str, *, sources: tuple[str, ...] = SOURCES, **variables: object) -> Step:
        return self._scenario.run(playbook, self._lab.variables(*sources, depth="manifest", **variables))

    def permission_names(self) -> list[str]:
        """Return the permissions that concern a repository of the site."""
        permissions = self._lab.permissions().items()
        return [
            name for name, parts in permissions if set(parts.get("artifact", {}).get("targets", {})) & set(ALL_KEYS)
        ]

    def permission(self) -> Json:
        """Return the repositories and the users of the permission."""
        artifact = self._lab.permissions().get(PERMISSION, {}).get("artifact", {})
        return {"repositories": sorted(artifact.get("targets", {})), "users": sorted(artifact["actions"]["users"])}


@pytest.fixture(scope="module")
def site(running_lab: LabClient, run_playbook: PlaybookRunner) -> Site:
    return Site(running_lab, run_playbook)


ALL_KEYS = sorted(["cgr-java", *MEMBERS])


def members_of(step: Step) -> list[str]:
    return list(step.repositories[VIRTUAL]["repositories"])


def assert_unchanged(run: Run) -> None:
    assert run.code == 0, run.output
    assert run.changed == []


def test_a_run_with_fewer_sources_takes_nothing_away(site: Site) -> None:
    step = site.run("setup", sources=("python",), virtuals="python", users="reader")
    assert_unchanged(step.run)
    assert members_of(step) == MEMBERS
    assert site.permission() == {"repositories": ALL_KEYS, "users": ["reader"]}


def test_unset_users_remain(site: Site) -> None:
    step = site.run("setup", virtuals="python")
    assert_unchanged(step.run)
    assert site.permission()["users"] == ["reader"]


def test_a_run_that_is_limited_to_a_source_leaves_the_users_alone(site: Site) -> None:
    step = site.run("setup", only="python", virtuals="python", users="ci")
    assert_unchanged(step.run)
    assert site.permission()["users"] == ["reader"]
    assert "cgr-java" not in step.run.output


def test_an_empty_list_withdraws_the_permission(site: Site) -> None:
    step = site.run("setup", virtuals="python", users=[])
    assert step.run.code == 0, step.run.output
    assert "The permission cgr-pull: users removed: reader." in step.run.output
    assert site.permission() == {"repositories": ALL_KEYS, "users": []}
    again = site.run("setup", virtuals="python", users="reader")
    assert again.run.code == 0 and site.permission()["users"] == ["reader"]


def test_only_prune_takes_away_what_is_not_listed(site: Site) -> None:
    step = site.run("setup", sources=("python",), virtuals="python", users="reader", prune="true")
    assert step.run.code == 0, step.run.output
    assert members_of(step) == ["cgr-python"]
    assert "cgr-python-all: members removed: cgr-python-remediated." in step.run.output
    assert "The permission cgr-pull: repositories removed: cgr-java, cgr-python-remediated." in step.run.output
    assert site.permission()["repositories"] == ["cgr-python"]
    restored = site.run("setup", virtuals="python", users="reader")
    assert members_of(restored) == MEMBERS and site.permission()["repositories"] == ALL_KEYS


def test_remove_finds_what_refers_to_a_repository_whatever_the_variables_say(site: Site) -> None:
    first = site.run("remove", sources=("python",), remove_confirmed="yes", permission_name="another-name-today")
    assert first.run.code == 0, first.run.output
    assert members_of(first) == ["cgr-python-remediated"]
    assert site.permission()["repositories"] == ["cgr-java", "cgr-python-remediated"]
    rest = site.run("remove", remove_confirmed="yes", permission_name="another-name-today")
    assert rest.run.code == 0, rest.run.output
    assert site.permission_names() == []
    assert (rest.repositories, rest.pull_tokens) == ({}, [])


def test_a_reference_token_and_a_user_name_with_a_space(plain_lab: LabClient, run_playbook: PlaybookRunner) -> None:
    plain_lab.create_user("build agent")
    options = {
        "headers": {"Authorization": f"Bearer {plain_lab.admin_token}"},
        "json": {"include_reference_token": True},
    }
    response = plain_lab.request("POST", f"{plain_lab.artifactory_url}/access/api/v1/tokens", **options).json()
    token = {"artifactory_access_token": response["reference_token"]}
    users = {"users": "build agent, reader", "verify_username": "build agent", "depth": "manifest"}
    run = run_playbook("cgr.pull_through.setup", plain_lab.variables("containers_public", **token, **users))
    assert run.code == 0, run.output
    assert "also as build agent" in run.output and response["reference_token"] not in run.output
    permission = plain_lab.permissions()[PERMISSION]["artifact"]
    assert sorted(permission["actions"]["users"]) == ["build agent", "reader"]


def test_a_password_that_the_access_api_rejects(plain_lab: LabClient, run_playbook: PlaybookRunner) -> None:
    plain_lab.configure(artifactory_access_accepts_passwords=False)
    password = plain_lab.users["admin"]["password"]
    login = {"artifactory_access_token": None, "artifactory_username": "admin", "artifactory_password": password}
    login["depth"] = "manifest"
    run = run_playbook("cgr.pull_through.setup", plain_lab.variables("containers_public", users="reader", **login))
    assert run.code == 0, run.output
    assert sorted(plain_lab.permissions()[PERMISSION]["artifact"]["actions"]["users"]) == ["reader"]
