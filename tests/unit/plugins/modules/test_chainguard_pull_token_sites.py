# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pull tokens of several sites, and of consumers that had another name before."""

from __future__ import annotations

import pytest
from scripted_chainguard import CONSUMER, CREDENTIALS, DESIRED, OLD, ORG, TOKEN, ScriptedChainguard, identity

from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard import _jwt
from ansible_collections.cgr.pull_through.plugins.modules import chainguard_pull_token, chainguard_pull_token_info

BEFORE = "https://old.example.com/cgr-private"
SECOND, THIRD = f"{ORG}/{'1' * 16}", f"{ORG}/{'2' * 16}"


@pytest.fixture(autouse=True)
def quick_keys(monkeypatch):
    """Generate smaller keys: one of the real size takes half a second."""
    monkeypatch.setattr(_jwt, "_KEY_BITS", 1024)


def marked(uid=OLD, *, site="", consumer=CONSUMER, **fields):
    marker = (
        f"Managed by cgr.pull_through (site {site}) for {consumer}"
        if site
        else f"Managed by cgr.pull_through for {consumer}"
    )
    return identity(uid, description=marker, **fields)


@pytest.mark.parametrize("site", ["", "team-a"])
def test_the_site_is_a_part_of_the_marker(run_module, site):
    chainguard = ScriptedChainguard()
    result = run_module(chainguard_pull_token, chainguard.transport, **DESIRED, site=site)
    (issued,) = chainguard.identities.values()
    assert issued["description"] == marked(site=site)["description"]
    assert (result["token"]["site"], result["token"]["consumer"]) == (site, CONSUMER)


@pytest.mark.parametrize(
    ("own", "other", "days", "options", "kept"),
    [
        pytest.param("a", "b", 1, {}, True, id="due-at-another-site"),
        pytest.param("", "b", 1, {}, True, id="due-at-a-site"),
        pytest.param("a", "b", -1, {}, False, id="expired-at-another-site"),
        pytest.param("a", "b", 1, {"force_rotation": True}, False, id="forced"),
        pytest.param("a", "", 30, {}, True, id="without-a-site"),
        pytest.param("a", "", 1, {}, False, id="due-without-a-site"),
        pytest.param("a", "a", 1, {}, False, id="due-at-the-same-site"),
    ],
)
def test_a_token_of_another_site_in_use(run_module, own, other, days, options, kept):
    chainguard = ScriptedChainguard(marked(site=other, days=days))
    options = {**DESIRED, "site": own, "active_identities": [OLD], **options}
    result = run_module(chainguard_pull_token, chainguard.transport, **options)
    assert (result["changed"], result["due"]) == (not kept, not kept)
    assert result["superseded"] == ([OLD] if not kept and own == other else [])
    assert ("only its site rotates it" in result["reason"]) == (kept and bool(other))


@pytest.mark.parametrize("site", ["", "a"])
def test_tokens_of_another_site_are_not_superseded_and_not_revoked(run_module, site):
    others = [marked(uid, site=name, days=-1) for uid, name in ((SECOND, "b"), (THIRD, "" if site else "c"))]
    chainguard = ScriptedChainguard(marked(site=site, days=1), *others)
    options = {**DESIRED, "site": site}
    assert run_module(chainguard_pull_token, chainguard.transport, check=True, **options)["superseded"] == [OLD]
    revoked = run_module(chainguard_pull_token, chainguard.transport, **options, state="absent")
    assert revoked["revoked"] == chainguard.deleted == [OLD]


@pytest.mark.parametrize("other", [{"site": "b"}, {"consumer": BEFORE}])
def test_a_managed_token_is_not_revoked_as_an_unmanaged_one(run_module, other):
    chainguard = ScriptedChainguard(marked(**other))
    options = {"state": "absent", "identities": [OLD], "unmanaged": True}
    result = run_module(chainguard_pull_token, chainguard.transport, **DESIRED, **options)
    assert "does not carry the marker" in result["msg"] and chainguard.deleted == []


@pytest.mark.parametrize("listed", [False, True])
def test_a_token_of_a_previous_consumer_is_revoked_only_when_it_is_listed(run_module, listed):
    chainguard = ScriptedChainguard(marked(consumer=BEFORE, days=1))
    options = {**DESIRED, "active_identities": [OLD], "previous_consumers": [BEFORE] if listed else []}
    result = run_module(chainguard_pull_token, chainguard.transport, **options)
    assert result["changed"] and result["superseded"] == ([OLD] if listed else [])
    assert result["replaces"]["consumer"] == BEFORE
    again = {**options, "active_identities": [result["username"]]}
    assert run_module(chainguard_pull_token, chainguard.transport, **again)["superseded"] == ([OLD] if listed else [])
    revoked = run_module(
        chainguard_pull_token, chainguard.transport, **again, state="absent", keep=[result["username"]]
    )
    assert revoked["revoked"] == ([OLD] if listed else [])


def test_a_list_names_the_tokens_that_no_item_is_for(run_module):
    tokens = [
        marked(),
        marked(SECOND, consumer=f"{CONSUMER}-before", name="pull before"),
        marked(THIRD, consumer=f"{CONSUMER}-b", site="b"),
        marked(f"{ORG}/{'5' * 16}", consumer="https://other.example.com/cgr-b", name="pull other", site="b"),
        identity(f"{ORG}/{'3' * 16}", description="by hand"),
        identity(f"{ORG}/{'4' * 16}", description="Managed by cgr.pull_through"),
    ]
    chainguard = ScriptedChainguard(*tokens)
    items = [{**TOKEN, "active_identities": [OLD]}]
    for options in ({}, {"check": True}):
        result = run_module(chainguard_pull_token, chainguard.transport, **options, **CREDENTIALS, tokens=items)
        assert [(token["uid"], token["site"]) for token in result["unlisted"]] == [(SECOND, ""), (THIRD, "b")]
    listed = [
        *items,
        {
            "name": "pull x",
            "consumer": f"{CONSUMER}-b",
            "state": "absent",
            "previous_consumers": [f"{CONSUMER}-before"],
        },
    ]
    assert run_module(chainguard_pull_token, chainguard.transport, **CREDENTIALS, tokens=listed)["unlisted"] == []
    assert "unlisted" not in run_module(chainguard_pull_token, chainguard.transport, **DESIRED)


@pytest.mark.parametrize("site", ["team a", "a" * 41, "a)"])
def test_a_site_that_a_marker_cannot_hold(run_module, site):
    chainguard = ScriptedChainguard()
    result = run_module(chainguard_pull_token, chainguard.transport, **DESIRED, site=site)
    assert "site is not valid" in result["msg"] and chainguard.transport.requests == []


@pytest.mark.parametrize(("site", "uids"), [(None, [OLD, SECOND, THIRD]), ("", [OLD]), ("b", [SECOND]), ("c", [])])
def test_tokens_are_listed_by_site(run_module, site, uids):
    tokens = [marked(), marked(SECOND, site="b"), identity(THIRD, description="by hand")]
    options = {} if site is None else {"site": site}
    result = run_module(chainguard_pull_token_info, ScriptedChainguard(*tokens).transport, **CREDENTIALS, **options)
    assert [token["uid"] for token in result["tokens"]] == uids
    assert {token["uid"]: token["site"] for token in result["tokens"]} == {
        uid: "b" if uid == SECOND else "" for uid in uids
    }
