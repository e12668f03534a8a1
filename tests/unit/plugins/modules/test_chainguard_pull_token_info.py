# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from scripted_chainguard import (
    API_TOKEN,
    CONSUMER,
    CREDENTIALS,
    OLD,
    ORG,
    ScriptedChainguard,
    identity,
)

from ansible_collections.cgr.pull_through.plugins.modules import chainguard_pull_token_info


def test_reports_what_a_token_is_for_and_which_repositories_use_it(run_module):
    other = identity(f"{ORG}/{'1' * 16}")
    remotes = [{"key": "b", "username": OLD}, {"key": "a", "username": OLD}, {"key": "c"}, {}]
    chainguard = ScriptedChainguard(identity(days=1), other)
    result = run_module(chainguard_pull_token_info, chainguard.transport, **CREDENTIALS, remotes=remotes)
    assert [(item["ecosystems"], item["used_by_repositories"]) for item in result["tokens"]] == [
        (["oci"], ["a", "b"]),
        (["oci"], []),
    ]
    assert (
        "used_by_repositories"
        not in run_module(chainguard_pull_token_info, chainguard.transport, **CREDENTIALS)["tokens"][0]
    )


@pytest.mark.parametrize("token", [f"{API_TOKEN}\n", f" {API_TOKEN}\t", f"{API_TOKEN}\r\n"])
def test_white_space_at_the_ends_of_a_token_is_not_sent(run_module, token):
    transport = ScriptedChainguard().transport
    run_module(chainguard_pull_token_info, transport, **{**CREDENTIALS, "chainguard_api_token": token})
    assert {request.headers["Authorization"] for request in transport.requests} == {f"Bearer {API_TOKEN}"}


def test_lists_managed_and_unmanaged_tokens_by_expiration_time(run_module):
    tokens = [identity(), identity(f"{ORG}/{'1' * 16}", days=-2, description="by hand"), identity("x", issuer="other")]
    result = run_module(chainguard_pull_token_info, ScriptedChainguard(*tokens).transport, **CREDENTIALS)
    assert [(item["managed"], item["consumer"], item["days_left"], item["roles"]) for item in result["tokens"]] == [
        (False, "", -2.0, ["registry.pull"]),
        (True, CONSUMER, 30.0, ["registry.pull"]),
    ]


def test_filters_and_queries(run_module):
    tokens = [identity(), identity(f"{ORG}/{'1' * 16}", description="by hand")]
    result = run_module(
        chainguard_pull_token_info,
        ScriptedChainguard(*tokens).transport,
        **CREDENTIALS,
        consumer=CONSUMER,
        query="[].days_left",
    )
    assert result["result"] == [30.0]


@pytest.mark.parametrize(
    ("days", "role", "valid", "summary"),
    [
        (3, "apk.pull", True, "3.0 days are left"),
        (-1, "apk.pull", False, "it expired on 2030-12-31T00:00:00Z"),
        (3, "viewer", False, "it is not bound to the role of a pull token"),
    ],
)
def test_reports_whether_a_token_is_valid(run_module, days, role, valid, summary):
    chainguard = ScriptedChainguard(identity(days=days), role=role)
    (token,) = run_module(chainguard_pull_token_info, chainguard.transport, **CREDENTIALS)["tokens"]
    assert (token["valid"], token["summary"]) == (valid, summary)
