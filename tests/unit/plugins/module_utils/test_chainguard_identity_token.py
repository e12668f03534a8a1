# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What users read when Chainguard rejects the OIDC token for an identity."""

from __future__ import annotations

import base64
import json
import time

import pytest
from scripted import ScriptedResponse, ScriptedTransport

from ansible_collections.cgr.pull_through.plugins.modules import chainguard_pull_token_info

IDENTITY = f"{'a' * 40}/{'b' * 16}"
GITHUB = {"iss": "https://token.actions.githubusercontent.com", "sub": "repo:org@1/name@2:ref:refs/heads/main"}


def token(**claims: object) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"aGVhZGVy.{payload}.c2lnbmF0dXJl"


@pytest.fixture
def log_in(run_module, tmp_path):
    """Return a function that logs in with a token that is rejected, and returns the message and the requests."""

    def run(text: str, status: int = 403) -> tuple[str, list[tuple[str, str]]]:
        file = tmp_path / "token"
        file.write_text(text, encoding="utf-8")
        transport = ScriptedTransport(ScriptedResponse(status, {"code": 7, "message": "token does not match identity"}))
        options = {"chainguard_identity": IDENTITY, "chainguard_identity_token_file": str(file)}
        result = run_module(chainguard_pull_token_info, transport, organization="example.com", **options)
        assert result["failed"] is True
        return result["msg"], transport.calls

    return run


@pytest.mark.parametrize("status", [400, 401, 403])
def test_the_claims_of_a_rejected_token_are_named(log_in, status):
    text = token(iss="https://issuer.example.com", sub="system:runner", aud=["a", "b"], exp=4102444800)
    message, calls = log_in(text, status)
    claims = "issuer https://issuer.example.com, subject system:runner, audience a, b, expiry 2100-01-01T00:00:00Z"
    assert claims in message and IDENTITY in message and len(calls) == 1
    assert f"chainctl iam identities list --parent {'a' * 40} --output json" in message
    assert "capability" not in message and "c2lnbmF0dXJl" not in message and len(message) <= 1000


def test_the_new_subjects_of_github_are_named(log_in):
    message, _calls = log_in(token(**GITHUB, aud="issuer.enforce.dev"))
    assert "subject repo:org@1/name@2:ref:refs/heads/main" in message and "repo:OWNER@ID/NAME@ID" in message


def test_an_expired_token_is_not_sent(log_in):
    message, calls = log_in(token(**GITHUB, exp=time.time() - 3600))
    assert "chainguard_identity_token_file expired at" in message and calls == []
    assert "Check whether what writes this file still does." in message


@pytest.mark.parametrize("claims", [{}, {"exp": "soon", "aud": None, "sub": 5}, {"exp": 1e300}, {"sub": "x" * 5000}])
def test_a_token_with_unusual_claims_is_sent(log_in, claims):
    message, calls = log_in(token(**claims))
    assert "The token has" in message and len(message) <= 1000 and len(calls) == 1


def test_a_token_that_cannot_be_read_is_sent(log_in):
    message, calls = log_in("opaque")
    assert "no claims that can be read" in message and len(calls) == 1
