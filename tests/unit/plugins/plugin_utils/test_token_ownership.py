# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which pull tokens a run of the role leaves alone, and what it reports about them."""

from __future__ import annotations

import dataclasses

import pytest
from role_sources import CATALOG, NEW, OLD, URL, issued_result, managed_token, resolved, token_result

from ansible_collections.cgr.pull_through.plugins.plugin_utils._module_arguments import organizations_to_list
from ansible_collections.cgr.pull_through.plugins.plugin_utils._phases import add_token_results
from ansible_collections.cgr.pull_through.plugins.plugin_utils._token_ownership import (
    notices_of_kept_tokens,
    notices_of_replaced_tokens,
    notices_of_unlisted_tokens,
    other_site_errors,
)

BEFORE = {"consumer": "https://old.example.com/CGR_private"}


def with_result(result, **fields):
    (source,) = resolved("private")
    token = managed_token(source, **fields)
    results = {"kept": {"token": token}, "replaced": {"replaces": token}}
    make = token_result if result == "kept" else issued_result
    return add_token_results(source, {"tokens": [make(source, **results[result])]}, revoke_unmanaged=False)


@pytest.mark.parametrize(
    ("fields", "texts"),
    [
        ({}, []),
        ({"managed": False, "consumer": ""}, ["which this collection did not issue", "pull_through_revoke_unmanaged"]),
        ({"site": "b"}, [f"{OLD} of the site b is replaced", "valid until 2031-01-21", "Only that site revokes it"]),
        (BEFORE, ["https://old.example.com/CGR_private", "If https://old.example.com was", "valid until 2031-01-21"]),
    ],
)
def test_a_replaced_token_that_is_not_revoked_is_named_with_its_end(fields, texts):
    notice = "".join(notices_of_replaced_tokens([with_result("replaced", **fields)], planned=False))
    assert bool(notice) == bool(texts)
    assert all(text in notice for text in texts)


@pytest.mark.parametrize("fields", [{"managed": False, "consumer": ""}, {"site": "b"}, BEFORE])
@pytest.mark.parametrize(
    ("planned", "verbs"), [(False, "is replaced and remains"), (True, "would be replaced and would remain")]
)
def test_check_mode_says_would_about_a_replaced_token(fields, planned, verbs):
    (notice,) = notices_of_replaced_tokens([with_result("replaced", **fields)], planned)
    assert f"{verbs} valid until 2031-01-21" in notice


def test_a_token_that_was_not_replaced_is_not_named():
    source = with_result("replaced", site="b")
    assert list(notices_of_replaced_tokens([dataclasses.replace(source, failure="not written")], False)) == []
    assert list(notices_of_replaced_tokens([with_result("kept", site="b")], False)) == []


@pytest.mark.parametrize(
    ("fields", "texts"),
    [
        ({}, []),
        ({"managed": False, "consumer": ""}, ["did not issue", "until 2031-01-21", "is replaced when it is due"]),
        ({"site": "b"}, ["of the site b", "only that site rotates it", "pull_through_force_rotation"]),
        (BEFORE, ["marker names https://old.example.com/CGR_private", "pull_through_artifactory_previous_urls"]),
    ],
)
def test_a_kept_token_that_is_not_of_this_run_is_named(fields, texts):
    source = with_result("kept", **fields)
    verified = dataclasses.replace(resolved("private")[0], token_status=managed_token(source, **fields))
    for each in (source, verified):
        notice = "".join(notices_of_kept_tokens([each]))
        assert bool(notice) == bool(texts)
        assert all(text in notice for text in texts)


def test_a_listed_previous_url_needs_no_notice():
    (source,) = resolved("private")
    source = dataclasses.replace(source, token_spec={**source.token_spec, "previous_consumers": [BEFORE["consumer"]]})
    source = dataclasses.replace(source, token_status=managed_token(source, **BEFORE))
    assert list(notices_of_kept_tokens([source])) == []


def unlisted(*tokens, names=("private",), urls=(URL,), site=""):
    return notices_of_unlisted_tokens(tokens, site, urls, CATALOG, names)


def token_of(key, base="https://artifactory.example.com", **fields):
    return managed_token(resolved("private")[0], consumer=f"{base}/{key}", **fields)


def test_a_repository_whose_source_is_no_longer_listed_is_named_once_with_its_last_token():
    older = token_of("cgr-apk", uid=NEW, expires="2030-12-01T00:00:00Z")
    (notice,) = unlisted(older, token_of("cgr-apk"), token_of("CGR_private"))
    assert notice.startswith("cgr-apk was set up by this role and is no longer listed: list the source apk in")
    assert "remove" in notice and "expires on 2031-01-21" in notice


def test_a_key_that_was_changed_is_named_as_well():
    (notice,) = unlisted(token_of("cgr-before"))
    assert notice.startswith("cgr-before was set up by this role") and "a source with this key" in notice


@pytest.mark.parametrize(
    "token",
    [
        token_of("cgr-apk", managed=False),
        token_of("cgr-apk", base="https://staging.example.com"),
        token_of("cgr-apk", base="https://artifactory.example.com/other"),
        token_of("CGR_private", site="b"),
    ],
)
def test_what_is_listed_or_of_another_artifactory_is_not_named(token):
    assert unlisted(token) == []


@pytest.mark.parametrize(
    ("site", "others", "text"),
    [
        ("", ["b"], "1 pull token of the site b is not managed here."),
        ("a", [""], "1 pull token of no site is not managed here."),
        ("a", ["b", "c", "b"], "3 pull tokens of the sites b, c are not managed here."),
        ("a", ["", "b", ""], "3 pull tokens of the site b and of no site are not managed here."),
        ("", [f"team{number:02}" for number in range(40)], "team03, team04 and 35 more are not managed here."),
    ],
)
def test_the_tokens_of_other_sites_are_counted_in_one_sentence_without_advice(site, others, text):
    tokens = [token_of("cgr-apk", uid=f"org/{number:016}", site=name) for number, name in enumerate(others)]
    # A run reads some tokens twice.
    (notice,) = unlisted(*tokens, *tokens, site=site)
    assert notice.endswith(text)


def test_each_site_names_its_own():
    own, other = unlisted(token_of("cgr-apk", site="b"), token_of("cgr-open", uid=NEW), site="b")
    assert own.startswith("cgr-apk was set up by this role") and other.startswith("1 pull token of no site")
    before = "https://old.example.com"
    assert len(unlisted(token_of("cgr-apk", base=before), urls=(URL, before))) == 1


@pytest.mark.parametrize(("site", "owner", "count"), [("", "b", 1), ("a", "b", 1), ("b", "b", 0), ("a", "", 0)])
def test_a_repository_with_a_token_of_another_site_is_not_removed(site, owner, count):
    private, public = resolved("private", "public")
    private = dataclasses.replace(private, current={"username": OLD})
    errors = other_site_errors([private, public], [managed_token(private, site=owner)], site)
    assert len(errors) == count
    assert all("CGR_private uses a pull token of the site b" in error for error in errors)


@pytest.mark.parametrize(
    ("names", "reads_all", "organizations"),
    [
        (["private", "public"], True, ["example.com"]),
        (["private", "public"], False, []),
        (["public"], False, ["example.com"]),
        ([], False, ["example.com"]),
    ],
)
def test_whose_pull_tokens_are_listed(names, reads_all, organizations):
    assert organizations_to_list(resolved(*names), reads_all, "example.com") == organizations
    assert organizations_to_list(resolved("public"), reads_all, "") == []
