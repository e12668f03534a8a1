# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the role resolves its sources, and what it refuses before the first request."""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from role_sources import CATALOG, URL, resolved

from ansible_collections.cgr.pull_through.plugins.plugin_utils._phases import NOT_SET_UP
from ansible_collections.cgr.pull_through.plugins.plugin_utils._sources import (
    Source,
    grace_period_to_wait,
    is_left_to_later_run,
    resolve_sources,
)
from ansible_collections.cgr.pull_through.plugins.plugin_utils._virtual_repositories import (
    add_virtual_results,
    resolve_virtual_repositories,
    without_members,
)

VIRTUALS = {"all": {"key": "all", "package_type": "docker", "members": ["private", "public"], "settings": {"b": 1}}}


@pytest.mark.parametrize(
    ("text", "waits", "is_later"), [("5m", 300, False), ("10m", 600, False), ("601s", 0, True), ("0s", 0, False)]
)
def test_a_grace_period_is_waited_out_or_left_to_a_later_run(text, waits, is_later):
    assert (grace_period_to_wait(text), is_left_to_later_run(text)) == (waits, is_later)


@pytest.mark.parametrize("name", ["private", "apk", "open"])
def test_sources_that_need_an_organization(name):
    needing, public = resolved(name, "public")
    assert (needing.needs_organization, public.needs_organization) == (True, False)


def test_a_pull_token_is_specified_by_its_consumer():
    private, public = resolved("private", "public")
    assert private.token_spec == {
        "organization": "example.com",
        "name": "pull cgr_private",
        "ecosystem": "oci",
        "consumer": "https://artifactory.example.com/CGR_private",
        "previous_consumers": [],
        "site": "",
    }
    assert public.token_spec == {}


def test_a_pull_token_is_also_that_of_previous_urls_of_artifactory():
    options: dict[str, t.Any] = {"overrides": {}, "organization": "o", "registry_url": "", "only_pull_tokens": True}
    urls = ["https://old.example.com/ui/admin", "http://older.example.com/base/artifactory/", URL]
    (source,) = resolve_sources(["apk"], CATALOG, artifactory_url=URL, site="a", previous_urls=urls, **options)
    assert source.token_spec["previous_consumers"] == [
        "https://old.example.com/cgr-apk",
        "http://older.example.com/base/cgr-apk",
    ]
    assert source.token_spec["site"] == "a"


def test_only_sources_with_a_pull_token():
    options: dict[str, t.Any] = {"overrides": {}, "organization": "o", "artifactory_url": URL, "registry_url": ""}
    sources = resolve_sources(["public", "apk", "private"], CATALOG, only_pull_tokens=True, **options)
    assert [source.name for source in sources] == ["apk", "private"]


def test_what_is_pulled_directly_from_where():
    public, private, apk, open_source = resolved("public", "private", "apk", "open")
    assert (public.direct_url, private.direct_url) == ("https://cgr.dev", "https://cgr.dev")
    assert apk.direct_url.startswith("https://apk.cgr.dev/")
    assert open_source.direct_url == "", "its host is empty, so it cannot be reached"
    assert [source.needs_public_digest for source in (public, private, apk)] == [True, False, False]


def test_the_default_artifacts_are_told_from_those_of_the_user():
    (by_default,) = resolved("apk")
    (by_user,) = resolved("apk", apk={"artifacts": ["curl"]})
    assert (by_default.has_default_artifacts, by_user.has_default_artifacts) == (True, False)


def test_facts_and_back():
    (source,) = resolved("apk")
    facts = source.to_facts()
    assert (facts["is_registry"], facts["exists"], facts["key"]) == (False, False, "cgr-apk")
    assert Source.from_facts(facts) == source


@pytest.mark.parametrize(
    "change", [{}, {"rclass": "local"}, {"packageType": "pypi"}, {"url": "https://a"}, {"a": None}]
)
def test_only_a_repository_that_reads_back_exactly_is_known_not_to_differ(change):
    (source,) = resolved("public", public={"settings": {"a": [1]}})
    assert source.may_differ
    settings = {**source.settings, "url": source.url, "description": "from others"}
    current = {"rclass": "remote", "packageType": "docker", **settings, **change}
    assert dataclasses.replace(source, current=current).may_differ is bool(change)


# --- virtual repositories -----------------------------------------------------------------------------------------------
def existing(*names):
    return [Source.from_facts({**source.to_facts(), "current": {"key": source.key}}) for source in resolved(*names)]


def virtuals_of(*sources, repositories=(), prune=False):
    return resolve_virtual_repositories(["all"], VIRTUALS, sources, CATALOG, list(repositories), prune)


def test_a_virtual_repository_has_the_members_that_exist_in_their_order():
    (repository,) = virtuals_of(*existing("public", "private", "apk"))
    assert repository["repositories"] == ["CGR_private", "cgr-public"]
    assert repository["spec"] == {
        "key": "all",
        "package_type": "docker",
        "settings": {"b": 1},
        "repositories": ["CGR_private", "cgr-public"],
        "members_mode": "included",
    }
    (partial,) = virtuals_of(*resolved("private"), *existing("public"))
    assert partial["repositories"] == ["cgr-public"]
    assert virtuals_of(*resolved("public")) == []


@pytest.mark.parametrize("current", [[], [{"key": "all", "repositories": ["cgr-public"]}]])
def test_a_missing_virtual_repository_is_a_failure_of_a_run_that_creates_none(current):
    sources = existing("public")
    for must_exist in (False, True):
        (repository,) = resolve_virtual_repositories(["all"], VIRTUALS, sources, CATALOG, current, False, must_exist)
        assert repository["failure"] == (NOT_SET_UP if must_exist and not current else "")


def test_a_run_with_fewer_sources_keeps_the_order_and_removes_a_member_only_when_asked():
    current = [{"key": "all", "repositories": ["CGR_private", "added-by-others"]}]
    (kept,) = virtuals_of(*existing("public"), repositories=current)
    assert (kept["repositories"], kept["spec"]["members_mode"]) == (["CGR_private", "cgr-public"], "included")
    (pruned,) = virtuals_of(*existing("public"), repositories=current, prune=True)
    assert (pruned["repositories"], pruned["spec"]["members_mode"]) == (["cgr-public"], "exact")


@pytest.mark.parametrize(
    ("change", "prune", "may_differ"),
    [
        ({}, False, False),
        ({}, True, True),
        ({"repositories": ["CGR_private", "cgr-public"]}, True, False),
        ({"repositories": ["CGR_private"]}, False, True),
        ({"b": 2}, False, True),
        ({"rclass": "remote"}, False, True),
    ],
)
def test_only_a_virtual_repository_that_reads_back_exactly_is_known_not_to_differ(change, prune, may_differ):
    members = ["cgr-public", "added-by-others", "CGR_private"]
    current = {"key": "all", "rclass": "virtual", "packageType": "docker", "b": 1, "repositories": members, **change}
    (repository,) = virtuals_of(*existing("public", "private"), repositories=[current], prune=prune)
    assert repository["may_differ"] is may_differ
    skipped = {"skipped": True}
    assert bool(add_virtual_results(repository, skipped, planned=False)["failure"]) is may_differ


@pytest.mark.parametrize(
    ("item", "planned", "state", "failure"),
    [
        ({"changed": False, "failed": False}, False, "unchanged", ""),
        (
            {"changed": True, "failed": False, "diff": {"before": {}, "after": {"repositories": ["x"]}}},
            False,
            "created",
            "",
        ),
        (
            {"changed": True, "failed": False, "diff": {"before": {"a": 1}, "after": {"a": 2}}},
            True,
            "would be changed",
            "",
        ),
        ({"changed": False, "failed": True, "msg": "no member"}, False, "unchanged", "no member"),
        (None, False, "unchanged", "status 500"),
    ],
)
def test_the_state_of_a_virtual_repository(item, planned, state, failure):
    (repository,) = virtuals_of(*existing("public"))
    result = {"virtual_repositories": [{"key": "all", **item}]} if item else {"msg": "status 500"}
    added = add_virtual_results(repository, result, planned)
    assert (added["state"], added["failure"]) == (state, failure)


def test_members_that_are_removed_are_recorded():
    (repository,) = virtuals_of(*existing("public"))
    diff = {"before": {"repositories": ["x", "y"]}, "after": {"repositories": ["y", "z"]}}
    result = {"virtual_repositories": [{"key": "all", "changed": True, "failed": False, "diff": diff}]}
    assert add_virtual_results(repository, result, False)["removed"] == ["x"]


def test_the_last_member_takes_the_virtual_repository_along():
    repositories = [
        {"key": "a", "packageType": "Docker", "repositories": ["x", "y"]},
        {"key": "b", "packageType": "pypi", "repositories": ["x"]},
        {"key": "c", "packageType": "pypi", "repositories": ["z"]},
    ]
    assert without_members(repositories, ["x"]) == [
        {"key": "a", "package_type": "docker", "repositories": ["y"], "state": "present"},
        {"key": "b", "package_type": "pypi", "state": "absent"},
    ]
