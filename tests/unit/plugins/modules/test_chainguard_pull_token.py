# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import json
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from scripted_chainguard import (
    API_TOKEN,
    DAY,
    DESIRED,
    ENOUGH,
    MARKER,
    NOW,
    OLD,
    ORG,
    ScriptedChainguard,
    decoded,
    encoded,
    identity,
    rejected,
)

from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard import _jwt
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._pull_tokens import subject_for_key
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._time import parse_timestamp
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import TransportError
from ansible_collections.cgr.pull_through.plugins.modules import chainguard_pull_token


@pytest.fixture(autouse=True)
def quick_keys(monkeypatch):
    """Generate smaller keys: one of the real size takes half a second."""
    monkeypatch.setattr(_jwt, "_KEY_BITS", 1024)


def test_issues_a_token_that_chainguard_can_verify(run_module):
    chainguard = ScriptedChainguard()
    result = run_module(chainguard_pull_token, chainguard.transport, **DESIRED, ttl="30d")
    identity = chainguard.identities[result["username"]]
    header, payload, signature = result["password"].split(".")
    key = json.loads(identity["staticKeys"]["issuerKeys"])["keys"][0]
    numbers = [int.from_bytes(base64.urlsafe_b64decode(key[part] + "=="), "big") for part in ("e", "n")]
    rsa.RSAPublicNumbers(*numbers).public_key().verify(
        base64.urlsafe_b64decode(signature + "=="), f"{header}.{payload}".encode(), padding.PKCS1v15(), hashes.SHA256()
    )
    claims = decoded(payload)
    assert (claims["iss"], claims["sub"]) == (identity["staticKeys"]["issuer"], identity["staticKeys"]["subject"])
    assert claims["sub"] == subject_for_key(key["n"])
    assert claims["aud"] == "https://issuer.enforce.dev"
    assert claims["exp"] - claims["iat"] == 30 * DAY
    assert parse_timestamp(identity["staticKeys"]["expirationTime"]) == claims["exp"]
    assert abs(claims["iat"] - NOW) < 60, "the time of the service counts, not that of the controller"
    assert identity["description"] == MARKER
    assert result["changed"] and result["reason"] == "no token exists"


def test_a_new_token_is_tested_before_it_is_returned(run_module):
    chainguard = ScriptedChainguard()
    result = run_module(chainguard_pull_token, chainguard.transport, **DESIRED)
    exchange = chainguard.transport.requests[-1]
    assert exchange.headers["Authorization"] == f"Bearer {result['password']}"
    assert parse_qs(exchange.body.decode()) == {"aud": ["cgr.dev"], "identity": [result["username"]]}


def test_check_mode_predicts_a_new_token_and_sends_no_write(run_module):
    chainguard = ScriptedChainguard()
    result = run_module(chainguard_pull_token, chainguard.transport, check=True, **DESIRED)
    real = run_module(chainguard_pull_token, ScriptedChainguard().transport, **DESIRED)
    assert chainguard.writes == []
    assert result["username"] == f"{ORG}/new-identity" and "password" not in result
    assert (result["changed"], result["diff"], result["reason"]) == (real["changed"], real["diff"], real["reason"])


@pytest.mark.parametrize(
    ("tokens", "options", "kept"),
    [
        pytest.param([identity()], {}, True, id="valid-for-long-enough"),
        pytest.param([identity(days=15)], {}, False, id="half-of-its-lifetime-left"),
        pytest.param([identity(days=15)], {"renew_before": "7d"}, True, id="rotated-later"),
        pytest.param([identity(days=-1)], {}, False, id="expired"),
        pytest.param([identity(description="chainctl")], {}, False, id="unmanaged"),
        pytest.param([identity(issuer="https://other")], {}, False, id="not-a-pull-token"),
        pytest.param([identity(name="pull cgr-private - registry")], {}, True, id="issued-by-chainctl"),
        pytest.param([identity(name="pull cgr-private-2")], {}, False, id="another-name"),
        pytest.param([identity()], {"active_identities": [OLD]}, True, id="in-use"),
        pytest.param([identity()], {"active_identities": [""]}, False, id="password-lost"),
        pytest.param([identity()], {"active_identities": ["somebody@example.com"]}, False, id="another-user-name"),
        pytest.param([identity(description="by hand")], {"active_identities": [OLD]}, True, id="unmanaged-and-in-use"),
        pytest.param([], {"active_identities": [OLD]}, False, id="in-use-but-deleted"),
        pytest.param([identity()], {"force_rotation": True}, False, id="forced"),
    ],
)
def test_keeps_or_rotates(run_module, tokens, options, kept):
    chainguard = ScriptedChainguard(*tokens)
    result = run_module(chainguard_pull_token, chainguard.transport, **{**DESIRED, **options})
    assert result["changed"] is not kept
    assert ("password" in result) is not kept
    assert (chainguard.writes == []) is kept
    if kept:
        assert result["valid"] is True
        assert result["username"] == result["token"]["uid"] == OLD


@pytest.mark.parametrize(
    ("tokens", "valid"),
    [
        pytest.param([identity(days=1)], True, id="due"),
        pytest.param([identity(days=-1)], False, id="expired"),
        pytest.param([], False, id="deleted"),
    ],
)
def test_reports_whether_the_token_in_use_is_valid(run_module, tokens, valid):
    chainguard = ScriptedChainguard(*tokens)
    result = run_module(chainguard_pull_token, chainguard.transport, check=True, **DESIRED, active_identities=[OLD])
    assert (result["changed"], result["valid"]) == (True, valid)


def jwks(*moduli):
    return json.dumps({"keys": [{"kty": "RSA", "n": modulus} for modulus in moduli]})


@pytest.mark.parametrize(
    ("subject", "keys", "kept"),
    [
        pytest.param(subject_for_key("abc"), jwks("x", "abc"), True, id="its-own"),
        pytest.param(subject_for_key("abc"), jwks("x"), False, id="another-one"),
        pytest.param(subject_for_key("abc"), jwks(), False, id="none"),
        pytest.param("pull-token-1", jwks("x"), True, id="of-another-program"),
        pytest.param("pull-token-1", jwks(), False, id="of-another-program-and-deleted"),
        pytest.param(subject_for_key("abc"), None, True, id="not-shown"),
        pytest.param(subject_for_key("abc"), "[]", True, id="not-readable"),
    ],
)
def test_a_token_without_its_key_is_rotated(run_module, subject, keys, kept):
    token = identity()
    token["staticKeys"] |= {"subject": subject, "issuerKeys": keys}
    result = run_module(chainguard_pull_token, ScriptedChainguard(token).transport, **DESIRED, active_identities=[OLD])
    assert result["changed"] is not kept
    assert kept or (result["reason"], result["valid"]) == (f"the key of {OLD} was deleted or replaced", False)


def test_a_token_without_its_role_is_rotated(run_module):
    chainguard = ScriptedChainguard(identity(), role="apk.pull")
    result = run_module(chainguard_pull_token, chainguard.transport, **DESIRED)
    assert result["changed"] and "registry.pull" in result["reason"]


def test_reports_what_a_new_token_supersedes_and_revokes_nothing(run_module):
    chainguard = ScriptedChainguard(identity(days=1))
    result = run_module(chainguard_pull_token, chainguard.transport, **DESIRED, active_identities=[OLD])
    assert result["superseded"] == [OLD] and chainguard.deleted == []


@pytest.mark.parametrize(
    ("other_age", "superseded"),
    [
        pytest.param(6 * DAY, True, id="older"),
        pytest.param(60, False, id="of-a-concurrent-run"),
        pytest.param(DAY, True, id="unused"),
    ],
)
@pytest.mark.parametrize("days", [pytest.param(30, id="kept"), pytest.param(1, id="rotated")])
def test_which_other_tokens_are_superseded(run_module, other_age, superseded, days):
    other = identity(f"{ORG}/{'1' * 16}", age=other_age)
    chainguard = ScriptedChainguard(identity(days=days), other)
    result = run_module(chainguard_pull_token, chainguard.transport, **DESIRED, active_identities=[OLD])
    rotated = [OLD] if days == 1 else []
    assert set(result["superseded"]) == {*rotated, *([other["uid"]] if superseded else [])}


@pytest.mark.parametrize(
    ("age", "grace_period", "superseded"),
    [
        pytest.param(5, "6d", False, id="too-early"),
        pytest.param(7, "6d", True, id="over"),
        pytest.param(0.1, "0s", True, id="none"),
        pytest.param(-1 / DAY, "0s", True, id="none-and-just-issued-by-a-clock-that-rounds-down"),
    ],
)
def test_a_replaced_token_is_superseded_after_the_grace_period(run_module, age, grace_period, superseded):
    old = identity(f"{ORG}/{'1' * 16}", age=40 * DAY)
    chainguard = ScriptedChainguard(identity(age=age * DAY), old)
    result = run_module(
        chainguard_pull_token, chainguard.transport, **DESIRED, active_identities=[OLD], grace_period=grace_period
    )
    assert result["superseded"] == ([old["uid"]] if superseded else [])


def test_a_rotation_with_a_grace_period_supersedes_only_expired_tokens(run_module):
    expired = identity(f"{ORG}/{'1' * 16}", days=-1)
    chainguard = ScriptedChainguard(identity(days=1), expired)
    result = run_module(
        chainguard_pull_token, chainguard.transport, **DESIRED, active_identities=[OLD], grace_period="1d"
    )
    assert result["changed"] and result["superseded"] == [expired["uid"]]


def test_a_rotation_reports_what_it_replaces(run_module):
    chainguard = ScriptedChainguard(identity(days=1, description="by hand"))
    result = run_module(chainguard_pull_token, chainguard.transport, **DESIRED, active_identities=[OLD])
    assert (result["replaces"]["uid"], result["replaces"]["managed"]) == (OLD, False)
    assert result["superseded"] == [], "an unmanaged token is not revoked"


def test_yields_to_a_concurrent_run_while_the_old_token_is_valid(run_module):
    chainguard = ScriptedChainguard(identity(days=1))
    other = identity(f"{ORG}/{'9' * 16}", age=-1)

    def issue_concurrently():
        chainguard.identities[other["uid"]] = other

    chainguard.override("POST", "^/sts/exchange", issue_concurrently)
    result = run_module(chainguard_pull_token, chainguard.transport, **DESIRED, active_identities=[OLD])
    assert (result["changed"], result["username"], "password" in result) == (False, OLD, False)
    assert "another run" in result["reason"]
    assert set(chainguard.identities) == {OLD, other["uid"]}


def test_does_not_yield_without_a_valid_token(run_module):
    chainguard = ScriptedChainguard()
    other = identity(f"{ORG}/{'9' * 16}", age=-1)
    chainguard.override("POST", "^/sts/exchange", lambda: chainguard.identities.update({other["uid"]: other}))
    result = run_module(chainguard_pull_token, chainguard.transport, **DESIRED, active_identities=[""])
    assert result["changed"] and result["password"]


def test_a_new_token_is_revoked_if_concurrent_runs_cannot_be_read(run_module):
    chainguard = ScriptedChainguard(identity(days=1))
    chainguard.override("GET", "^/iam/v2/identities$", None, rejected(500, "broken"))
    result = run_module(chainguard_pull_token, chainguard.transport, **DESIRED, active_identities=[OLD])
    assert result["failed"] and "broken" in result["msg"]
    assert set(chainguard.identities) == {OLD}


def test_a_creation_without_response_is_found_by_its_subject(run_module):
    chainguard = ScriptedChainguard()

    def succeed_without_response():
        chainguard.create(chainguard.transport.json_body(-1))
        return TransportError("cut.", method="POST", url="u")

    chainguard.override("POST", "^/iam/v2/identities/", succeed_without_response)
    result = run_module(chainguard_pull_token, chainguard.transport, **DESIRED)
    assert result["username"] in chainguard.identities and len(chainguard.identities) == 1


def test_a_creation_that_did_not_happen_fails(run_module):
    chainguard = ScriptedChainguard()
    chainguard.override("POST", "^/iam/v2/identities/", rejected(503))
    result = run_module(chainguard_pull_token, chainguard.transport, **DESIRED)
    assert result["failed"] and chainguard.identities == {}
    assert len(chainguard.writes) == 1


def test_a_binding_without_response_is_found(run_module):
    chainguard = ScriptedChainguard()

    def succeed_without_response():
        body = chainguard.transport.json_body(-1)
        chainguard.bindings[body["identityUid"]] = "registry.pull"
        return TransportError("cut.", method="POST", url="u")

    chainguard.override("POST", "^/iam/v2/roleBindings/", succeed_without_response)
    assert run_module(chainguard_pull_token, chainguard.transport, **DESIRED)["changed"] is True
    assert chainguard.deleted == []


@pytest.mark.parametrize("path", ["^/iam/v2/roleBindings/", "^/sts/exchange"])
def test_a_token_that_does_not_work_is_revoked(run_module, path):
    chainguard = ScriptedChainguard()
    chainguard.override("POST", path, *[rejected(403, "not allowed")] * 20)
    result = run_module(chainguard_pull_token, chainguard.transport, **DESIRED, propagation_timeout=0)
    assert result["failed"] and "not allowed" in result["msg"]
    assert chainguard.identities == {} and len(chainguard.deleted) == 1


def test_waits_until_a_new_identity_has_propagated(run_module):
    chainguard = ScriptedChainguard()
    chainguard.override("POST", "^/iam/v2/roleBindings/", rejected(404))
    chainguard.override("POST", "^/sts/exchange", rejected(403), rejected(401))
    assert run_module(chainguard_pull_token, chainguard.transport, **DESIRED)["changed"] is True


def test_reports_the_first_error_if_revoking_fails_too(run_module):
    chainguard = ScriptedChainguard()
    chainguard.override("POST", "^/iam/v2/roleBindings/", rejected(400, "no binding"))
    chainguard.override("DELETE", "", *[rejected(403, "no delete")])
    result = run_module(chainguard_pull_token, chainguard.transport, **DESIRED)
    assert "no binding" in result["msg"]


@pytest.mark.parametrize("lacking", sorted(ENOUGH - {"sboms.list"}))
@pytest.mark.parametrize("check", [True, False])
def test_missing_capabilities_are_reported_before_a_token_is_issued(run_module, lacking, check):
    chainguard = ScriptedChainguard(capabilities=ENOUGH - {lacking, "sboms.list"})
    result = run_module(chainguard_pull_token, chainguard.transport, check=check, **DESIRED)
    assert f"lack {', '.join(sorted([lacking, 'sboms.list']))} in {ORG}" in result["msg"]
    command = f"chainctl iam roles create pull-through --parent {ORG} --capabilities {','.join(sorted(ENOUGH))}"
    assert command in result["msg"]
    assert chainguard.writes == []


def test_without_revocation_no_capability_to_delete_is_needed(run_module):
    capabilities = ENOUGH - {"identity.delete"}
    result = run_module(chainguard_pull_token, ScriptedChainguard(capabilities=capabilities).transport, **DESIRED)
    assert "identity.delete" in result["msg"] and "set revoke to false" in result["msg"]
    result = run_module(
        chainguard_pull_token,
        ScriptedChainguard(identity(days=1), capabilities=capabilities).transport,
        **DESIRED,
        revoke=False,
    )
    assert result["changed"] and result["superseded"] == []


def test_unknown_capabilities_do_not_prevent_a_rotation(run_module):
    assert (
        run_module(chainguard_pull_token, ScriptedChainguard(capabilities=()).transport, **DESIRED)["changed"] is True
    )


def test_a_kept_token_needs_no_request_for_the_capabilities(run_module):
    chainguard = ScriptedChainguard(identity())
    run_module(chainguard_pull_token, chainguard.transport, **DESIRED)
    assert len(chainguard.transport.requests) == 3


@pytest.mark.parametrize(
    ("options", "revoked"),
    [
        pytest.param({}, [OLD], id="all-managed"),
        pytest.param({"keep": [OLD]}, [], id="kept"),
        pytest.param({"identities": [OLD]}, [OLD], id="by-uid"),
        pytest.param({"identities": [OLD], "keep": [OLD]}, [], id="one-that-is-in-use"),
        pytest.param({"identities": [f"{ORG}/{'f' * 16}"]}, [], id="already-deleted"),
        pytest.param({"identities": [f"{ORG}/new-identity"]}, [], id="placeholder-of-check-mode"),
    ],
)
def test_revokes(run_module, options, revoked):
    chainguard = ScriptedChainguard(identity(), identity(f"{ORG}/{'1' * 16}", description="chainctl"))
    options = {**DESIRED, "state": "absent", **options}
    check = run_module(chainguard_pull_token, chainguard.transport, check=True, **options)
    assert chainguard.deleted == []
    result = run_module(chainguard_pull_token, chainguard.transport, **options)
    assert chainguard.deleted == revoked == result["revoked"] == check["revoked"]
    assert (result["changed"], result["diff"]) == (check["changed"], check["diff"])
    assert result["changed"] is bool(revoked)


def test_never_revokes_an_unmanaged_token(run_module):
    chainguard = ScriptedChainguard(identity(description="chainctl"))
    result = run_module(chainguard_pull_token, chainguard.transport, **DESIRED, state="absent", identities=[OLD])
    assert result["failed"] and "does not carry the marker" in result["msg"] and chainguard.deleted == []


def test_revokes_an_unmanaged_token_by_its_uid_on_request(run_module):
    chainguard = ScriptedChainguard(
        identity(description="chainctl"), identity(f"{ORG}/{'1' * 16}", description="chainctl")
    )
    options = {**DESIRED, "state": "absent", "unmanaged": True}
    assert run_module(chainguard_pull_token, chainguard.transport, **options)["failed"]
    assert chainguard.deleted == []
    result = run_module(chainguard_pull_token, chainguard.transport, **options, identities=[OLD])
    assert chainguard.deleted == result["revoked"] == [OLD]


def test_reports_the_missing_capability_to_revoke(run_module):
    chainguard = ScriptedChainguard(identity(), capabilities=ENOUGH - {"identity.delete"})
    chainguard.override("DELETE", "", rejected(403, "no"))
    result = run_module(chainguard_pull_token, chainguard.transport, **DESIRED, state="absent")
    assert "lack identity.delete" in result["msg"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ttl": "8761h"}, "at most 8760h"),
        ({"ttl": "0h"}, "more than 0"),
        ({"ttl": "a month"}, "not a duration"),
        ({"run_interval": "weekly"}, "run_interval is not a duration"),
        ({"renew_before": "720h"}, "must be less than ttl"),
        ({"name": "Pull"}, "name is not valid"),
        ({"consumer": "a\nb"}, "consumer"),
        ({"chainguard_api_token": "not-one"}, "not a JSON Web Token"),
        ({"chainguard_api_token": f"x.{encoded({'aud': 'https://issuer.enforce.dev'})}.y"}, "password of a pull token"),
        ({"chainguard_api_token": None, "chainctl": "/nowhere/chainctl"}, "no credentials for Chainguard"),
        ({"chainguard_api_token": None, "chainguard_identity": OLD}, "needs its OIDC token"),
        (
            {"chainguard_api_token": None, "chainguard_identity": OLD, "chainguard_identity_token_file": "/nowhere"},
            "cannot be read",
        ),
        ({"chainguard_api_url": "console"}, "chainguard_api_url is not a URL"),
        ({"grace_period": "soon"}, "grace_period is not a duration"),
        ({"method": "chainctl", "chainctl": "/nowhere/chainctl"}, "needs the program /nowhere/chainctl"),
    ],
)
def test_invalid_input_fails_before_any_request(run_module, options, message):
    chainguard = ScriptedChainguard()
    result = run_module(chainguard_pull_token, chainguard.transport, **{**DESIRED, **options})
    assert result["failed"] and message in result["msg"]
    assert not chainguard.transport.requests


@pytest.mark.parametrize(("run_interval", "warned"), [("7d", False), ("", False), ("8d", True)])
def test_warns_if_a_token_can_expire_after_one_missed_run(run_module, run_interval, warned):
    result = run_module(
        chainguard_pull_token, ScriptedChainguard(identity()).transport, **DESIRED, run_interval=run_interval
    )
    assert ("one missed run" in str(result.get("warnings"))) is warned


def test_an_unknown_organization(run_module):
    result = run_module(
        chainguard_pull_token, ScriptedChainguard().transport, **{**DESIRED, "organization": "exmaple.com"}
    )
    assert result["failed"] and "no access to an organization 'exmaple.com'" in result["msg"]


def test_an_organization_by_its_uid(run_module):
    result = run_module(
        chainguard_pull_token, ScriptedChainguard(identity()).transport, **{**DESIRED, "organization": ORG}
    )
    assert result["organization"] == {"name": "example.com", "uid": ORG}


def test_reports_a_missing_capability(run_module):
    chainguard = ScriptedChainguard()
    chainguard.override("GET", "^/iam/v2/identities", rejected(403, "identity.list is missing"))
    result = run_module(chainguard_pull_token, chainguard.transport, **DESIRED)
    assert "identity.list" in result["msg"] and "chainctl iam roles create" in result["msg"]


def test_credentials_from_a_file_with_an_oidc_token(run_module, tmp_path):
    file = tmp_path / "token"
    file.write_text("oidc-token\n")
    chainguard = ScriptedChainguard(identity())
    credentials = {
        "chainguard_api_token": None,
        "chainguard_identity": OLD,
        "chainguard_identity_token_file": str(file),
    }
    assert run_module(chainguard_pull_token, chainguard.transport, **{**DESIRED, **credentials})["changed"] is False
    exchange, listing = chainguard.transport.requests[:2]
    assert exchange.headers["Authorization"] == "Bearer oidc-token"
    assert parse_qs(exchange.body.decode()) == {"aud": ["https://console-api.enforce.dev"], "identity": [OLD]}
    assert listing.headers["Authorization"] == "Bearer short-lived"


def fake_chainctl(tmp_path, text):
    program = tmp_path / "chainctl"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    return {"chainguard_api_token": None, "chainctl": str(program)}


def test_credentials_from_chainctl(run_module, tmp_path):
    chainguard = ScriptedChainguard(identity())
    credentials = fake_chainctl(
        tmp_path, f'[ "$*" = "auth token --audience https://console-api.enforce.dev" ] && echo {API_TOKEN}'
    )
    assert run_module(chainguard_pull_token, chainguard.transport, **{**DESIRED, **credentials})["changed"] is False
    assert chainguard.transport.requests[0].headers["Authorization"] == f"Bearer {API_TOKEN}"


def test_chainctl_that_is_not_logged_in(run_module, tmp_path):
    chainguard = ScriptedChainguard()
    result = run_module(
        chainguard_pull_token, chainguard.transport, **{**DESIRED, **fake_chainctl(tmp_path, "echo no >&2; exit 1")}
    )
    assert "chainctl returned no token: no" in result["msg"] and "chainctl auth login" in result["msg"]


CREATE_TOKEN_SCRIPT = """\
[ "$1 $2" = "auth token" ] && echo {api_token} && exit
printf '%s\\n' "$@" > {log}
echo '{{"identity_id": "{uid}", "token": "{password}"}}'
"""


def chainctl_that_creates(tmp_path, chainguard, **overrides):
    """Return options with a fake chainctl that creates a token, the file with its arguments, and the UID of the token."""
    log, uid = tmp_path / "arguments", f"{ORG}/{'c' * 16}"
    text = CREATE_TOKEN_SCRIPT.format(api_token=API_TOKEN, log=log, uid=uid, password="a-password")
    chainguard.identities[uid] = identity(uid, **{"name": "pull cgr-private - registry", **overrides})
    return {**fake_chainctl(tmp_path, text), "method": "chainctl", "active_identities": [""]}, log, uid


def test_a_lifetime_that_the_plan_does_not_allow(run_module):
    chainguard = ScriptedChainguard()
    chainguard.override("POST", "^/iam/v2/identities/", rejected(400, "expiration time must be within 168 hours"))
    result = run_module(chainguard_pull_token, chainguard.transport, **DESIRED)
    assert "within 168 hours" in result["msg"] and "168h for Team" in result["msg"]
    assert chainguard.identities == {}


def test_chainctl_creates_a_token(run_module, tmp_path):
    chainguard = ScriptedChainguard()
    options, log, uid = chainctl_that_creates(tmp_path, chainguard)
    result = run_module(chainguard_pull_token, chainguard.transport, **{**DESIRED, **options})
    assert (result["changed"], result["username"], result["password"]) == (True, uid, "a-password")
    assert log.read_text().splitlines() == [
        "auth",
        "pull-token",
        "create",
        f"--parent={ORG}",
        "--name=pull cgr-private",
        f"--description={MARKER}",
        "--ttl=2592000s",
        "--repository=oci",
        "--output=json",
        "--api=https://console-api.enforce.dev",
        "--issuer=https://issuer.enforce.dev",
    ]
    assert chainguard.writes == []
    assert chainguard.transport.requests[-1].url.endswith("/sts/exchange")


def test_chainctl_creates_nothing_in_check_mode(run_module, tmp_path):
    chainguard = ScriptedChainguard()
    options, log, _uid = chainctl_that_creates(tmp_path, chainguard)
    result = run_module(chainguard_pull_token, chainguard.transport, check=True, **{**DESIRED, **options})
    assert result["changed"] and not log.exists()


def test_waits_for_the_token_of_chainctl(run_module, tmp_path):
    chainguard = ScriptedChainguard()
    options, _log, uid = chainctl_that_creates(tmp_path, chainguard)
    chainguard.override("GET", f"/iam/v2/identities/{uid}", rejected(404))
    assert run_module(chainguard_pull_token, chainguard.transport, **{**DESIRED, **options})["username"] == uid


def test_a_token_of_chainctl_without_the_marker_is_revoked(run_module, tmp_path):
    chainguard = ScriptedChainguard()
    options, _log, uid = chainctl_that_creates(tmp_path, chainguard, description="")
    result = run_module(chainguard_pull_token, chainguard.transport, **{**DESIRED, **options})
    assert "without the requested name and description" in result["msg"] and "a-password" not in json.dumps(result)
    assert chainguard.deleted == [uid]


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo 'unknown flag: --description' >&2; exit 1", "exit code 1): unknown flag: --description"),
        ("echo Username: a-password", "its output is not JSON with a token"),
        ("echo 'the ttl is too long' >&2; exit 1", "168h for Team"),
    ],
)
def test_chainctl_that_creates_no_token(run_module, tmp_path, script, message):
    options = {**DESIRED, **fake_chainctl(tmp_path, f'[ "$2" = token ] && echo {API_TOKEN} && exit\n{script}')}
    result = run_module(chainguard_pull_token, ScriptedChainguard().transport, **options, method="chainctl")
    assert message in result["msg"] and "a-password" not in json.dumps(result)
