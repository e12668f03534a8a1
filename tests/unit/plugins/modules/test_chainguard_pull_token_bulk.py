# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from urllib.parse import urlsplit

import pytest
from scripted_chainguard import (
    CONSUMER,
    CREDENTIALS,
    MARKER,
    OLD,
    ORG,
    TOKEN,
    ScriptedChainguard,
    identity,
)

from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard import _jwt
from ansible_collections.cgr.pull_through.plugins.modules import chainguard_pull_token


@pytest.fixture(autouse=True)
def quick_keys(monkeypatch):
    """Generate smaller keys: one of the real size takes half a second."""
    monkeypatch.setattr(_jwt, "_KEY_BITS", 1024)


ITEMS = [
    {"name": "pull cgr-private", "consumer": CONSUMER, "active_identities": [OLD]},
    {"name": "pull cgr-other", "consumer": f"{CONSUMER}-other", "active_identities": [""]},
    {"name": "pull cgr-third", "consumer": f"{CONSUMER}-third", "active_identities": [""]},
]


def count_requests(chainguard, path):
    return sum(urlsplit(request.url).path == path for request in chainguard.transport.requests)


def test_a_list_of_kept_tokens_takes_three_requests(run_module):
    chainguard = ScriptedChainguard(
        identity(), identity(f"{ORG}/{2:016x}", name="pull cgr-other", description=f"{MARKER}-other")
    )
    tokens = [ITEMS[0], {**ITEMS[1], "active_identities": [f"{ORG}/{2:016x}"]}]
    result = run_module(chainguard_pull_token, chainguard.transport, **CREDENTIALS, tokens=tokens)
    assert [(item["changed"], item["due"]) for item in result["tokens"]] == [(False, False)] * 2
    assert len(chainguard.transport.requests) == 3


def test_issues_the_tokens_that_are_due_and_keeps_the_others(run_module):
    chainguard = ScriptedChainguard(identity())
    result = run_module(chainguard_pull_token, chainguard.transport, **CREDENTIALS, tokens=ITEMS)
    kept, *issued = result["tokens"]
    assert (kept["username"], kept["changed"], "password" in kept) == (OLD, False, False)
    assert [token["changed"] for token in issued] == [True, True]
    for token, item in zip(issued, ITEMS[1:]):
        assert chainguard.identities[token["username"]]["name"] == item["name"]
        assert token["password"].count(".") == 2
    assert [diff["after_header"] for diff in result["diff"]] == ["pull cgr-other", "pull cgr-third"]
    assert count_requests(chainguard, "/iam/v2/groups") == 1


def test_a_failed_token_does_not_stop_the_others(run_module):
    chainguard = ScriptedChainguard()
    wrong = {"name": "pull wrong", "organization": "nowhere.example"}
    result = run_module(chainguard_pull_token, chainguard.transport, **CREDENTIALS, tokens=[wrong, *ITEMS[1:]])
    assert result["failed"] is True
    assert [item["failed"] for item in result["tokens"]] == [True, False, False]
    assert [item["consumer"] for item in result["tokens"]] == ["", f"{CONSUMER}-other", f"{CONSUMER}-third"]
    assert result["msg"].startswith(
        "pull wrong: These Chainguard credentials have no access to an organization 'nowhere.example'"
    )


def test_check_mode_predicts_a_list_and_sends_no_write(run_module):
    chainguard = ScriptedChainguard(identity())
    result = run_module(chainguard_pull_token, chainguard.transport, check=True, **CREDENTIALS, tokens=ITEMS)
    assert chainguard.writes == []
    assert [item["changed"] for item in result["tokens"]] == [False, True, True]


def test_a_list_is_revoked_with_one_listing(run_module):
    other = identity(f"{ORG}/{2:016x}", name="pull cgr-other", description=f"{MARKER}-other")
    theirs = identity(f"{ORG}/{3:016x}", name="pull cgr-third", description="by hand")
    chainguard = ScriptedChainguard(identity(), other, theirs)
    tokens = [{**token, "state": "absent"} for token in ITEMS]
    result = run_module(chainguard_pull_token, chainguard.transport, **CREDENTIALS, tokens=tokens)
    assert [item["revoked"] for item in result["tokens"]] == [[OLD], [other["uid"]], []]
    assert sorted(chainguard.deleted) == sorted([OLD, other["uid"]])
    assert count_requests(chainguard, "/iam/v2/identities") == 1


@pytest.mark.parametrize("check", [True, False])
def test_one_list_issues_keeps_and_revokes(run_module, check):
    revocable = identity(f"{ORG}/{2:016x}", name="pull cgr-other", description=f"{MARKER}-other")
    chainguard = ScriptedChainguard(identity(), revocable)
    tokens = [ITEMS[0], {**ITEMS[1], "state": "absent"}, ITEMS[2]]
    result = run_module(chainguard_pull_token, chainguard.transport, check=check, **CREDENTIALS, tokens=tokens)
    kept, revoked, issued = result["tokens"]
    assert [(token["name"], token["consumer"]) for token in result["tokens"]] == [
        (token["name"], token["consumer"]) for token in tokens
    ]
    assert {json.dumps(token["organization"]) for token in result["tokens"]} == {
        json.dumps({"name": "example.com", "uid": ORG})
    }
    assert (kept["changed"], kept["username"]) == (False, OLD)
    assert (revoked["changed"], revoked["revoked"]) == (True, [revocable["uid"]])
    assert (issued["changed"], "password" in issued) == (True, not check)
    assert chainguard.deleted == ([] if check else [revocable["uid"]])
    assert [diff["after_header"] for diff in result["diff"]] == ["pull cgr-other", "pull cgr-third"]


@pytest.mark.parametrize("state", ["present", "absent"])
def test_the_result_of_a_single_token_is_that_of_an_item(run_module, state):
    item = {**TOKEN, "state": state}
    single = run_module(chainguard_pull_token, ScriptedChainguard(identity()).transport, **CREDENTIALS, **item)
    bulk = run_module(chainguard_pull_token, ScriptedChainguard(identity()).transport, **CREDENTIALS, tokens=[item])
    (result,) = bulk["tokens"]
    assert (result["name"], result["consumer"], result["failed"]) == (TOKEN["name"], CONSUMER, False)
    assert result.items() <= single.items()


def test_an_item_without_a_consumer_has_an_empty_one(run_module):
    result = run_module(
        chainguard_pull_token, ScriptedChainguard().transport, **CREDENTIALS, tokens=[{"name": "pull cgr-private"}]
    )
    assert result["tokens"][0]["consumer"] == ""


@pytest.mark.parametrize(
    "option",
    [
        {"name": "pull cgr-private"},
        {"state": "absent"},
        {"state": "present"},
        {"ecosystem": "oci"},
        {"consumer": CONSUMER},
        {"active_identities": []},
        {"identities": []},
        {"keep": []},
        {"unmanaged": False},
    ],
    ids=lambda option: "-".join(map(str, *option.items())),
)
def test_an_option_of_a_token_beside_the_list_is_rejected(run_module, option):
    chainguard = ScriptedChainguard()
    result = run_module(chainguard_pull_token, chainguard.transport, **CREDENTIALS, tokens=ITEMS, **option)
    (name,) = option
    assert result["failed"] and f"parameters are mutually exclusive: {name}|tokens" in result["msg"]
    assert chainguard.transport.requests == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"tokens": [{"name": "UPPER"}]}, "name is not valid", id="bad-name"),
        pytest.param(
            {"tokens": [ITEMS[0], {**ITEMS[0], "active_identities": []}]},
            "is in the list more than once",
            id="twice",
        ),
        pytest.param(
            {"organization": None}, "organization is missing for the token 'pull cgr-private'", id="no-organization"
        ),
    ],
)
def test_invalid_items_fail_before_any_request(run_module, options, message):
    chainguard = ScriptedChainguard()
    result = run_module(chainguard_pull_token, chainguard.transport, **{**CREDENTIALS, "tokens": ITEMS, **options})
    assert result["failed"] is True and message in result["msg"]
    assert chainguard.transport.requests == []
