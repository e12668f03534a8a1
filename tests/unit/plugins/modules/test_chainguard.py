# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import json
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from scripted import ScriptedAnswer, ScriptedTransport

from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard import (
    _capabilities,
    _catalog,
    _jwt,
    _pull_tokens,
    _tag_age,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import (
    InputError,
    PullThroughError,
    TransportError,
)
from ansible_collections.cgr.pull_through.plugins.modules import (
    chainguard_image_info,
    chainguard_pull_token,
    chainguard_pull_token_info,
)

ORG = "a" * 40
OLD = f"{ORG}/{'0' * 16}"
PLACE = "https://artifactory.example.com/cgr-private"
MARK = f"Managed by cgr.pull_through for {PLACE}"
NOW = 1924992000
DATE = "Wed, 01 Jan 2031 00:00:00 GMT"
DAY = 86400


@pytest.fixture(autouse=True)
def quick_keys(monkeypatch):
    """Make smaller keys: one of the real size takes half a second."""
    monkeypatch.setattr(_jwt, "_KEY_BITS", 1024)


def encoded(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def decoded(part):
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


API_TOKEN = f"{encoded({'alg': 'RS256'})}.{encoded({'aud': 'https://console-api.enforce.dev'})}.c2lnbmF0dXJl"
LOGIN = {"organization": "example.com", "chainguard_api_token": API_TOKEN}
TOKEN = {"name": "pull cgr-private", "consumer": PLACE}
WANTED = {**LOGIN, **TOKEN}


def identity(uid=OLD, *, days=30.0, age=5 * DAY, description=MARK, name="pull cgr-private", issuer=_pull_tokens.ISSUER):
    expires = _pull_tokens.rfc3339(NOW + days * DAY)
    keys = {"issuer": issuer, "subject": "pull-token-1", "expirationTime": expires}
    created = _pull_tokens.rfc3339(NOW - age)
    return {"uid": uid, "name": name, "description": description, "staticKeys": keys, "createTime": created}


def ok(body):
    return ScriptedAnswer(200, body, {"Date": DATE})


def refused(status, message="no"):
    return ScriptedAnswer(status, {"code": 7, "message": message, "details": []}, {"Date": DATE})


PULL = {"CAP_REPO_LIST": "repo.list", "CAP_REPO_BLOBS_GET": "repo.blobs.get", "CAP_TENANT_SBOMS_LIST": "sboms.list"}
ENOUGH = {*_capabilities.LOOK, *_capabilities.MAKE, *_capabilities.REVOKE, *PULL.values()}


class Platform:
    """As much of Chainguard as the modules ask, and what they did to it. holds: what the login may do."""

    def __init__(self, *identities, role="registry.pull", holds=frozenset(ENOUGH)):
        self.holds = holds
        self.identities = {one["uid"]: one for one in identities}
        self.bindings = {one["uid"]: role for one in identities}
        self.deleted = []
        self.overrides = {}
        self.transport = ScriptedTransport(by=self.answer)

    def override(self, method, path, *answers):
        """Give these answers first to requests whose path matches. A function is called; None stands for the usual answer."""
        self.overrides.setdefault((method, path), []).extend(answers)

    def answer(self, request):
        path = urlsplit(request.url).path
        for (method, pattern), answers in self.overrides.items():
            if answers and method == request.method and re.search(pattern, path):
                override = answers.pop(0)
                answer = override() if callable(override) else override
                if answer is not None:
                    return answer
        return self.usual(request, path)

    def usual(self, request, path):
        query = {name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()}
        body = json.loads(request.body) if request.body and b"{" in request.body else {}
        uid = path.partition("/iam/v2/identities/")[2]
        if path == "/sts/exchange":
            return ok({"token": "short-lived"})
        if path == "/iam/v2/groups":
            found = [{"uid": ORG, "name": "example.com"}, {"uid": f"{ORG}/1", "name": "example.com"}]
            return ok(
                {"groups": [one for one in found if query.get("name") in (None, one["name"])], "nextPageToken": ""}
            )
        if path == "/iam/v2/roles":
            name = query["name"]
            managed = {"uid": "role", "name": name, "capabilities": list(PULL)}
            return ok({"roles": [{"uid": f"{ORG}/custom", "name": name}, managed]})
        if path == "/auth/v1/ok":
            elsewhere = {"group": f"{ORG}/folder", "capabilities": ["everything.create"]}
            return ok({"capabilities": [elsewhere, {"group": ORG, "capabilities": sorted(self.holds)}]})
        if path == "/iam/v2/identities":
            return ok(
                {"identities": [one for one in self.identities.values() if query.get("name") in (None, one["name"])]}
            )
        if path == "/iam/v2/roleBindings":
            rows = [
                {"identity": {"uid": bound}, "role": {"name": role}}
                for bound, role in self.bindings.items()
                if query.get("identity") in (None, bound)
            ]
            return ok({"roleBindings": rows})
        if path.startswith("/iam/v2/roleBindings/"):
            self.bindings[body["identityUid"]] = "registry.pull"
            return ok({"uid": "binding"})
        if request.method == "POST":
            return ok(self.create(body))
        if request.method == "DELETE":
            self.deleted.append(uid)
            return ok({}) if self.identities.pop(uid, None) else refused(404)
        return ok(self.identities[uid]) if uid in self.identities else refused(404)

    def create(self, body):
        uid = f"{ORG}/{len(self.identities) + 1:016x}"
        self.identities[uid] = {**body, "uid": uid, "createTime": _pull_tokens.rfc3339(NOW)}
        return self.identities[uid]

    @property
    def writes(self):
        return [
            (request.method, urlsplit(request.url).path)
            for request in self.transport.requests
            if request.method != "GET" and not request.url.endswith("/sts/exchange")
        ]


def test_makes_a_token_that_the_platform_can_verify(run_module):
    platform = Platform()
    result = run_module(chainguard_pull_token, platform.transport, **WANTED, ttl="30d")
    made = platform.identities[result["username"]]
    header, payload, signature = result["password"].split(".")
    key = json.loads(made["staticKeys"]["issuerKeys"])["keys"][0]
    numbers = [int.from_bytes(base64.urlsafe_b64decode(key[part] + "=="), "big") for part in ("e", "n")]
    rsa.RSAPublicNumbers(*numbers).public_key().verify(
        base64.urlsafe_b64decode(signature + "=="), f"{header}.{payload}".encode(), padding.PKCS1v15(), hashes.SHA256()
    )
    claims = decoded(payload)
    assert (claims["iss"], claims["sub"]) == (made["staticKeys"]["issuer"], made["staticKeys"]["subject"])
    assert claims["sub"] == _pull_tokens.subject_for_key(key["n"])
    assert claims["aud"] == "https://issuer.enforce.dev"
    assert claims["exp"] - claims["iat"] == 30 * DAY
    assert _pull_tokens.timestamp(made["staticKeys"]["expirationTime"]) == claims["exp"]
    assert abs(claims["iat"] - NOW) < 60, "the platform's clock counts, not the controller's"
    assert made["description"] == MARK
    assert result["changed"] and result["reason"] == "there is none"


def test_a_new_token_logs_in_before_it_is_returned(run_module):
    platform = Platform()
    result = run_module(chainguard_pull_token, platform.transport, **WANTED)
    exchange = platform.transport.requests[-1]
    assert exchange.headers["Authorization"] == f"Bearer {result['password']}"
    assert parse_qs(exchange.body.decode()) == {"aud": ["cgr.dev"], "identity": [result["username"]]}


def test_check_mode_predicts_a_new_token_and_sends_no_write(run_module):
    platform = Platform()
    result = run_module(chainguard_pull_token, platform.transport, check=True, **WANTED)
    real = run_module(chainguard_pull_token, Platform().transport, **WANTED)
    assert platform.writes == []
    assert result["username"] == f"{ORG}/new-identity" and "password" not in result
    assert (result["changed"], result["diff"], result["reason"]) == (real["changed"], real["diff"], real["reason"])


@pytest.mark.parametrize(
    ("tokens", "options", "kept"),
    [
        pytest.param([identity()], {}, True, id="lives-long-enough"),
        pytest.param([identity(days=15)], {}, False, id="half-of-its-life-is-over"),
        pytest.param([identity(days=15)], {"renew_before": "7d"}, True, id="renewed-later"),
        pytest.param([identity(days=-1)], {}, False, id="expired"),
        pytest.param([identity(description="chainctl")], {}, False, id="not-ours"),
        pytest.param([identity(issuer="https://other")], {}, False, id="no-pull-token"),
        pytest.param([identity(name="pull cgr-private - registry")], {}, True, id="made-by-chainctl"),
        pytest.param([identity(name="pull cgr-private-2")], {}, False, id="another-name"),
        pytest.param([identity()], {"active_identities": [OLD]}, True, id="in-use"),
        pytest.param([identity()], {"active_identities": [""]}, False, id="password-lost"),
        pytest.param([identity()], {"active_identities": ["somebody@example.com"]}, False, id="another-user-name"),
        pytest.param(
            [identity(description="by hand")], {"active_identities": [OLD]}, True, id="made-by-hand-and-in-use"
        ),
        pytest.param([], {"active_identities": [OLD]}, False, id="in-use-but-gone"),
        pytest.param([identity()], {"force_rotation": True}, False, id="asked-for"),
    ],
)
def test_keeps_or_renews(run_module, tokens, options, kept):
    platform = Platform(*tokens)
    result = run_module(chainguard_pull_token, platform.transport, **{**WANTED, **options})
    assert result["changed"] is not kept
    assert ("password" in result) is not kept
    assert (platform.writes == []) is kept
    if kept:
        assert result["valid"] is True
        assert result["username"] == result["token"]["uid"] == OLD


@pytest.mark.parametrize(
    ("tokens", "valid"),
    [
        pytest.param([identity(days=1)], True, id="due"),
        pytest.param([identity(days=-1)], False, id="expired"),
        pytest.param([], False, id="gone"),
    ],
)
def test_says_whether_the_token_in_use_works(run_module, tokens, valid):
    platform = Platform(*tokens)
    result = run_module(chainguard_pull_token, platform.transport, check=True, **WANTED, active_identities=[OLD])
    assert (result["changed"], result["valid"]) == (True, valid)


def jwks(*moduli):
    return json.dumps({"keys": [{"kty": "RSA", "n": modulus} for modulus in moduli]})


@pytest.mark.parametrize(
    ("subject", "keys", "kept"),
    [
        pytest.param(_pull_tokens.subject_for_key("abc"), jwks("x", "abc"), True, id="its-own"),
        pytest.param(_pull_tokens.subject_for_key("abc"), jwks("x"), False, id="another-one"),
        pytest.param(_pull_tokens.subject_for_key("abc"), jwks(), False, id="none"),
        pytest.param("pull-token-1", jwks("x"), True, id="somebody-else-s"),
        pytest.param("pull-token-1", jwks(), False, id="somebody-else-s-that-is-gone"),
        pytest.param(_pull_tokens.subject_for_key("abc"), None, True, id="not-shown"),
        pytest.param(_pull_tokens.subject_for_key("abc"), "[]", True, id="not-readable"),
    ],
)
def test_a_token_without_its_key_is_renewed(run_module, subject, keys, kept):
    token = identity()
    token["staticKeys"] |= {"subject": subject, "issuerKeys": keys}
    result = run_module(chainguard_pull_token, Platform(token).transport, **WANTED, active_identities=[OLD])
    assert result["changed"] is not kept
    assert kept or (result["reason"], result["valid"]) == (f"the key of {OLD} is gone", False)


def test_a_token_without_its_role_is_renewed(run_module):
    platform = Platform(identity(), role="apk.pull")
    result = run_module(chainguard_pull_token, platform.transport, **WANTED)
    assert result["changed"] and "registry.pull" in result["reason"]


def test_says_what_a_new_token_supersedes_and_revokes_nothing(run_module):
    platform = Platform(identity(days=1))
    result = run_module(chainguard_pull_token, platform.transport, **WANTED, active_identities=[OLD])
    assert result["superseded"] == [OLD] and platform.deleted == []


@pytest.mark.parametrize(
    ("other_age", "superseded"),
    [
        pytest.param(6 * DAY, True, id="older"),
        pytest.param(60, False, id="of-a-run-that-is-about-to-use-it"),
        pytest.param(DAY, True, id="nobody-came-back-for-it"),
    ],
)
@pytest.mark.parametrize("days", [pytest.param(30, id="kept"), pytest.param(1, id="renewed")])
def test_which_other_tokens_can_go(run_module, other_age, superseded, days):
    other = identity(f"{ORG}/{'1' * 16}", age=other_age)
    platform = Platform(identity(days=days), other)
    result = run_module(chainguard_pull_token, platform.transport, **WANTED, active_identities=[OLD])
    renewed = [OLD] if days == 1 else []
    assert set(result["superseded"]) == {*renewed, *([other["uid"]] if superseded else [])}


@pytest.mark.parametrize(
    ("age", "grace_period", "superseded"),
    [
        pytest.param(5, "6d", False, id="too-early"),
        pytest.param(7, "6d", True, id="over"),
        pytest.param(0.1, "0s", True, id="none"),
        pytest.param(-1 / DAY, "0s", True, id="none-and-just-made-by-a-clock-that-rounds-down"),
    ],
)
def test_what_was_replaced_lives_on_for_the_grace_period(run_module, age, grace_period, superseded):
    old = identity(f"{ORG}/{'1' * 16}", age=40 * DAY)
    platform = Platform(identity(age=age * DAY), old)
    result = run_module(
        chainguard_pull_token, platform.transport, **WANTED, active_identities=[OLD], grace_period=grace_period
    )
    assert result["superseded"] == ([old["uid"]] if superseded else [])


def test_a_renewal_with_a_grace_period_supersedes_only_what_has_expired(run_module):
    expired = identity(f"{ORG}/{'1' * 16}", days=-1)
    platform = Platform(identity(days=1), expired)
    result = run_module(chainguard_pull_token, platform.transport, **WANTED, active_identities=[OLD], grace_period="1d")
    assert result["changed"] and result["superseded"] == [expired["uid"]]


def test_a_renewal_says_what_it_replaces(run_module):
    platform = Platform(identity(days=1, description="by hand"))
    result = run_module(chainguard_pull_token, platform.transport, **WANTED, active_identities=[OLD])
    assert (result["replaces"]["uid"], result["replaces"]["managed"]) == (OLD, False)
    assert result["superseded"] == [], "what is not ours is nobody's to revoke"


def test_yields_to_a_run_that_overtook_it_while_the_old_token_works(run_module):
    platform = Platform(identity(days=1))
    other = identity(f"{ORG}/{'9' * 16}", age=-1)

    def superseded_by_concurrent_run():
        platform.identities[other["uid"]] = other

    platform.override("POST", "^/sts/exchange", superseded_by_concurrent_run)
    result = run_module(chainguard_pull_token, platform.transport, **WANTED, active_identities=[OLD])
    assert (result["changed"], result["username"], "password" in result) == (False, OLD, False)
    assert "another run" in result["reason"]
    assert set(platform.identities) == {OLD, other["uid"]}


def test_does_not_yield_when_nothing_works(run_module):
    platform = Platform()
    other = identity(f"{ORG}/{'9' * 16}", age=-1)
    platform.override("POST", "^/sts/exchange", lambda: platform.identities.update({other["uid"]: other}))
    result = run_module(chainguard_pull_token, platform.transport, **WANTED, active_identities=[""])
    assert result["changed"] and result["password"]


def test_a_creation_without_answer_is_found_by_its_subject(run_module):
    platform = Platform()

    def done_but_cut():
        platform.create(json.loads(platform.transport.requests[-1].body))
        return TransportError("cut.", method="POST", url="u")

    platform.override("POST", "^/iam/v2/identities/", done_but_cut)
    result = run_module(chainguard_pull_token, platform.transport, **WANTED)
    assert result["username"] in platform.identities and len(platform.identities) == 1


def test_a_creation_that_did_not_happen_fails(run_module):
    platform = Platform()
    platform.override("POST", "^/iam/v2/identities/", refused(503))
    result = run_module(chainguard_pull_token, platform.transport, **WANTED)
    assert result["failed"] and platform.identities == {}
    assert len(platform.writes) == 1


def test_a_binding_without_answer_is_looked_for(run_module):
    platform = Platform()

    def done_but_cut():
        body = json.loads(platform.transport.requests[-1].body)
        platform.bindings[body["identityUid"]] = "registry.pull"
        return TransportError("cut.", method="POST", url="u")

    platform.override("POST", "^/iam/v2/roleBindings/", done_but_cut)
    assert run_module(chainguard_pull_token, platform.transport, **WANTED)["changed"] is True
    assert platform.deleted == []


@pytest.mark.parametrize("path", ["^/iam/v2/roleBindings/", "^/sts/exchange"])
def test_a_token_that_does_not_work_is_taken_back(run_module, path):
    platform = Platform()
    platform.override("POST", path, *[refused(403, "not allowed")] * 20)
    result = run_module(chainguard_pull_token, platform.transport, **WANTED, propagation_timeout=0)
    assert result["failed"] and "not allowed" in result["msg"]
    assert platform.identities == {} and len(platform.deleted) == 1


def test_waits_until_a_new_identity_is_known(run_module):
    platform = Platform()
    platform.override("POST", "^/iam/v2/roleBindings/", refused(404))
    platform.override("POST", "^/sts/exchange", refused(403), refused(401))
    assert run_module(chainguard_pull_token, platform.transport, **WANTED)["changed"] is True


def test_the_first_error_counts_when_taking_back_fails_too(run_module):
    platform = Platform()
    platform.override("POST", "^/iam/v2/roleBindings/", refused(400, "no binding"))
    platform.override("DELETE", "", *[refused(403, "no delete")])
    result = run_module(chainguard_pull_token, platform.transport, **WANTED)
    assert "no binding" in result["msg"]


@pytest.mark.parametrize("lacking", sorted(ENOUGH - {"sboms.list"}))
@pytest.mark.parametrize("check", [True, False])
def test_what_the_login_may_not_do_is_named_before_anything_is_made(run_module, lacking, check):
    platform = Platform(holds=ENOUGH - {lacking, "sboms.list"})
    result = run_module(chainguard_pull_token, platform.transport, check=check, **WANTED)
    assert f"lacks {', '.join(sorted([lacking, 'sboms.list']))} in {ORG}" in result["msg"]
    command = f"chainctl iam roles create pull-through --parent {ORG} --capabilities {','.join(sorted(ENOUGH))}"
    assert command in result["msg"]
    assert platform.writes == []


def test_without_revocation_a_login_that_may_not_delete_does(run_module):
    holds = ENOUGH - {"identity.delete"}
    told = run_module(chainguard_pull_token, Platform(holds=holds).transport, **WANTED)
    assert "identity.delete" in told["msg"] and "pull_through_revoke" in told["msg"]
    result = run_module(
        chainguard_pull_token, Platform(identity(days=1), holds=holds).transport, **WANTED, revoke=False
    )
    assert result["changed"] and result["superseded"] == []


def test_a_platform_that_does_not_tell_what_a_login_may_do_is_asked_for_it(run_module):
    assert run_module(chainguard_pull_token, Platform(holds=()).transport, **WANTED)["changed"] is True


def test_nothing_to_do_needs_no_look_at_the_capabilities(run_module):
    platform = Platform(identity())
    run_module(chainguard_pull_token, platform.transport, **WANTED)
    assert len(platform.transport.requests) == 3


@pytest.mark.parametrize(
    ("capability", "name"),
    [
        ("CAP_IAM_ROLE_BINDINGS_LIST", "role_bindings.list"),
        ("CAP_TENANT_RECORD_SIGNATURES_LIST", "record_signatures.list"),
        ("CAP_MANIFEST_METADATA_LIST", "manifest.metadata.list"),
        ("identity.create", "identity.create"),
    ],
)
def test_capabilities_as_people_know_them(capability, name):
    assert _capabilities.capability_name(capability) == name


@pytest.mark.parametrize(
    ("options", "revoked"),
    [
        pytest.param({}, [OLD], id="all-of-ours"),
        pytest.param({"keep": [OLD]}, [], id="kept"),
        pytest.param({"identities": [OLD]}, [OLD], id="one"),
        pytest.param({"identities": [OLD], "keep": [OLD]}, [], id="one-that-is-in-use"),
        pytest.param({"identities": [f"{ORG}/{'f' * 16}"]}, [], id="gone-already"),
        pytest.param({"identities": [f"{ORG}/new-identity"]}, [], id="not-made-in-check-mode"),
    ],
)
def test_revokes(run_module, options, revoked):
    platform = Platform(identity(), identity(f"{ORG}/{'1' * 16}", description="chainctl"))
    options = {**WANTED, "state": "absent", **options}
    check = run_module(chainguard_pull_token, platform.transport, check=True, **options)
    assert platform.deleted == []
    result = run_module(chainguard_pull_token, platform.transport, **options)
    assert platform.deleted == revoked == result["revoked"] == check["revoked"]
    assert (result["changed"], result["diff"]) == (check["changed"], check["diff"])
    assert result["changed"] is bool(revoked)


def test_never_revokes_what_is_not_ours(run_module):
    platform = Platform(identity(description="chainctl"))
    result = run_module(chainguard_pull_token, platform.transport, **WANTED, state="absent", identities=[OLD])
    assert result["failed"] and "does not carry the marker" in result["msg"] and platform.deleted == []


def test_revokes_what_is_not_ours_when_it_is_named_and_asked_for(run_module):
    platform = Platform(identity(description="chainctl"), identity(f"{ORG}/{'1' * 16}", description="chainctl"))
    options = {**WANTED, "state": "absent", "unmanaged": True}
    assert run_module(chainguard_pull_token, platform.transport, **options)["failed"]
    assert platform.deleted == []
    result = run_module(chainguard_pull_token, platform.transport, **options, identities=[OLD])
    assert platform.deleted == result["revoked"] == [OLD]


def test_a_login_that_may_not_revoke_is_told(run_module):
    platform = Platform(identity(), holds=ENOUGH - {"identity.delete"})
    platform.override("DELETE", "", refused(403, "no"))
    result = run_module(chainguard_pull_token, platform.transport, **WANTED, state="absent")
    assert "lacks identity.delete" in result["msg"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"ttl": "8761h"}, "at most 8760h"),
        ({"ttl": "0h"}, "more than 0"),
        ({"ttl": "a month"}, "not a duration"),
        ({"run_interval": "weekly"}, "run_interval is not a duration"),
        ({"renew_before": "720h"}, "must be less than ttl"),
        ({"name": "Pull"}, "name is not valid"),
        ({"consumer": "a\nb"}, "consumer"),
        ({"chainguard_api_token": "x"}, "not a JSON web token"),
        ({"chainguard_api_token": f"x.{encoded({'aud': 'https://issuer.enforce.dev'})}.y"}, "pull token's password"),
        ({"chainguard_api_token": None, "chainctl": "/nowhere/chainctl"}, "no login for Chainguard"),
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
def test_bad_input_ends_it_before_any_request(run_module, options, words):
    platform = Platform()
    result = run_module(chainguard_pull_token, platform.transport, **{**WANTED, **options})
    assert result["failed"] and words in result["msg"]
    assert not platform.transport.requests


@pytest.mark.parametrize(("run_interval", "warned"), [("7d", False), ("", False), ("8d", True)])
def test_warns_when_one_missed_run_can_let_it_expire(run_module, run_interval, warned):
    result = run_module(chainguard_pull_token, Platform(identity()).transport, **WANTED, run_interval=run_interval)
    assert ("one missed run" in str(result.get("warnings"))) is warned


def test_an_unknown_organization(run_module):
    result = run_module(chainguard_pull_token, Platform().transport, **{**WANTED, "organization": "exmaple.com"})
    assert result["failed"] and "no organization 'exmaple.com'" in result["msg"]


def test_an_organization_by_its_uid(run_module):
    result = run_module(chainguard_pull_token, Platform(identity()).transport, **{**WANTED, "organization": ORG})
    assert result["organization"] == {"name": "example.com", "uid": ORG}


def test_a_missing_capability_is_named(run_module):
    platform = Platform()
    platform.override("GET", "^/iam/v2/identities", refused(403, "identity.list is missing"))
    result = run_module(chainguard_pull_token, platform.transport, **WANTED)
    assert "identity.list" in result["msg"] and "chainctl iam roles create" in result["msg"]


def test_a_login_by_an_oidc_token_from_a_file(run_module, tmp_path):
    file = tmp_path / "token"
    file.write_text("oidc-token\n")
    platform = Platform(identity())
    login = {"chainguard_api_token": None, "chainguard_identity": OLD, "chainguard_identity_token_file": str(file)}
    assert run_module(chainguard_pull_token, platform.transport, **{**WANTED, **login})["changed"] is False
    exchange, listing = platform.transport.requests[:2]
    assert exchange.headers["Authorization"] == "Bearer oidc-token"
    assert parse_qs(exchange.body.decode()) == {"aud": ["https://console-api.enforce.dev"], "identity": [OLD]}
    assert listing.headers["Authorization"] == "Bearer short-lived"


def stand_in(tmp_path, text):
    program = tmp_path / "chainctl"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    return {"chainguard_api_token": None, "chainctl": str(program)}


def test_a_login_by_chainctl(run_module, tmp_path):
    platform = Platform(identity())
    login = stand_in(
        tmp_path, f'[ "$*" = "auth token --audience https://console-api.enforce.dev" ] && echo {API_TOKEN}'
    )
    assert run_module(chainguard_pull_token, platform.transport, **{**WANTED, **login})["changed"] is False
    assert platform.transport.requests[0].headers["Authorization"] == f"Bearer {API_TOKEN}"


def test_chainctl_that_is_not_logged_in(run_module, tmp_path):
    platform = Platform()
    result = run_module(
        chainguard_pull_token, platform.transport, **{**WANTED, **stand_in(tmp_path, "echo no >&2; exit 1")}
    )
    assert "chainctl gave no token: no" in result["msg"] and "chainctl auth login" in result["msg"]


MAKES_A_TOKEN = """\
[ "$1 $2" = "auth token" ] && echo {api_token} && exit
printf '%s\\n' "$@" > {log}
echo '{{"identity_id": "{uid}", "token": "{password}"}}'
"""


def making(tmp_path, platform, **made):
    """Return the options that have a stand-in for chainctl make a token, which the platform knows from then on."""
    log, uid = tmp_path / "arguments", f"{ORG}/{'c' * 16}"
    text = MAKES_A_TOKEN.format(api_token=API_TOKEN, log=log, uid=uid, password="a-password")
    platform.identities[uid] = identity(uid, **{"name": "pull cgr-private - registry", **made})
    return {**stand_in(tmp_path, text), "method": "chainctl", "active_identities": [""]}, log, uid


def test_chainctl_makes_a_token(run_module, tmp_path):
    platform = Platform()
    options, log, uid = making(tmp_path, platform)
    result = run_module(chainguard_pull_token, platform.transport, **{**WANTED, **options})
    assert (result["changed"], result["username"], result["password"]) == (True, uid, "a-password")
    assert log.read_text().splitlines() == [
        "auth",
        "pull-token",
        "create",
        f"--parent={ORG}",
        "--name=pull cgr-private",
        f"--description={MARK}",
        "--ttl=2592000s",
        "--repository=oci",
        "--output=json",
        "--api=https://console-api.enforce.dev",
        "--issuer=https://issuer.enforce.dev",
    ]
    assert platform.writes == []
    assert platform.transport.requests[-1].url.endswith("/sts/exchange")


def test_chainctl_is_not_asked_in_check_mode(run_module, tmp_path):
    platform = Platform()
    options, log, _uid = making(tmp_path, platform)
    result = run_module(chainguard_pull_token, platform.transport, check=True, **{**WANTED, **options})
    assert result["changed"] and not log.exists()


def test_waits_for_what_chainctl_made(run_module, tmp_path):
    platform = Platform()
    options, _log, uid = making(tmp_path, platform)
    platform.override("GET", f"/iam/v2/identities/{uid}", refused(404))
    assert run_module(chainguard_pull_token, platform.transport, **{**WANTED, **options})["username"] == uid


def test_what_chainctl_made_without_the_marker_is_taken_back(run_module, tmp_path):
    platform = Platform()
    options, _log, uid = making(tmp_path, platform, description="")
    result = run_module(chainguard_pull_token, platform.transport, **{**WANTED, **options})
    assert "without the name and the description" in result["msg"] and "a-password" not in json.dumps(result)
    assert platform.deleted == [uid]


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo 'unknown flag: --description' >&2; exit 1", "exit code 1): unknown flag: --description"),
        ("echo Username: a-password", "it printed no JSON with a token"),
    ],
)
def test_chainctl_that_makes_no_token(run_module, tmp_path, script, words):
    options = {**WANTED, **stand_in(tmp_path, f'[ "$2" = token ] && echo {API_TOKEN} && exit\n{script}')}
    result = run_module(chainguard_pull_token, Platform().transport, **options, method="chainctl")
    assert words in result["msg"] and "a-password" not in json.dumps(result)


def test_info_tells_what_a_token_is_for_and_who_uses_it(run_module):
    other = identity(f"{ORG}/{'1' * 16}")
    remotes = [{"key": "b", "username": OLD}, {"key": "a", "username": OLD}, {"key": "c"}, {}]
    platform = Platform(identity(days=1), other)
    result = run_module(chainguard_pull_token_info, platform.transport, **LOGIN, remotes=remotes)
    assert [(one["ecosystems"], one["used_by_repositories"]) for one in result["tokens"]] == [
        (["oci"], ["a", "b"]),
        (["oci"], []),
    ]
    assert (
        "used_by_repositories" not in run_module(chainguard_pull_token_info, platform.transport, **LOGIN)["tokens"][0]
    )


def test_info_lists_the_tokens_of_everyone_the_next_to_end_in_front(run_module):
    tokens = [identity(), identity(f"{ORG}/{'1' * 16}", days=-2, description="by hand"), identity("x", issuer="other")]
    result = run_module(chainguard_pull_token_info, Platform(*tokens).transport, **LOGIN)
    assert [(one["managed"], one["consumer"], one["days_left"], one["roles"]) for one in result["tokens"]] == [
        (False, "", -2.0, ["registry.pull"]),
        (True, PLACE, 30.0, ["registry.pull"]),
    ]


def test_info_filters_and_queries(run_module):
    tokens = [identity(), identity(f"{ORG}/{'1' * 16}", description="by hand")]
    result = run_module(
        chainguard_pull_token_info, Platform(*tokens).transport, **LOGIN, consumer=PLACE, query="[].days_left"
    )
    assert result["result"] == [30.0]


class ImageCatalog(Platform):
    def usual(self, request, path):
        query = parse_qs(urlsplit(request.url).query)
        if path == "/registry/v2/repos":
            names = ["python", "nginx"]
            page = int(query.get("pageToken", ["0"])[0])
            repo = {"uid": f"{ORG}/{names[page]}", "name": names[page]}
            return ok({"repos": [repo], "nextPageToken": "" if page else "1"})
        if path == "/registry/v2/tags":
            tag = query["name"][0]
            rows = [
                {
                    "uid": f"{ORG}/{name}/1",
                    "name": tag,
                    "digest": f"sha256:{name}-{tag}",
                    "updateTime": "2031-01-01T00:00:00Z",
                }
                for name in ("nginx", "python", "hidden")
                if tag != "1.0" or name == "nginx"
            ]
            return ok({"tags": rows})
        return super().usual(request, path)


def test_images_of_the_organization(run_module):
    result = run_module(chainguard_image_info, ImageCatalog().transport, **LOGIN)
    assert [image["reference"] for image in result["images"]] == [
        "example.com/nginx:latest@sha256:nginx-latest",
        "example.com/python:latest@sha256:python-latest",
    ]


def test_images_by_name(run_module):
    wanted = ["nginx:1.0", "example.com/python", "python:1.0", "none"]
    result = run_module(chainguard_image_info, ImageCatalog().transport, **LOGIN, images=wanted, query="[].tag")
    assert result["references_by_name"] == {
        "nginx:1.0": "example.com/nginx:1.0@sha256:nginx-1.0",
        "example.com/python": "example.com/python:latest@sha256:python-latest",
    }
    assert result["not_found"] == ["python:1.0", "none"]
    assert result["result"] == ["1.0", "latest"]


class Shop(Platform):
    """Three images, whose tags changed so many days before NOW."""

    DAYS = {
        "nginx": {"latest": 1, "1.27": 3, "1.26": 90, "1.27.3-r1": 3},
        "node": {"latest": 40, "22": 2},
        "python": {"latest": 0.5},
    }

    def __init__(self):
        super().__init__()
        self.history = []

    def usual(self, request, path):
        query = {name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()}
        if path == "/registry/v2/repos":
            return ok({"repos": [{"uid": f"{ORG}/{name}", "name": name} for name in self.DAYS]})
        if path == "/registry/v2/tags":
            return ok({"tags": [tag for tag in map(self.tag, self.tags()) if self.is_asked(tag, query)]})
        if path.endswith("/architectures"):
            return ok({"architectures": ["amd64", "arm64"]})
        if path.endswith("/size"):
            sizes = {"amd64": "1000", "arm64": "200"}
            size = sizes.get(query["architecture"])
            return ok({"size": size}) if size else refused(404)
        if path.endswith("/history"):
            return ok({"items": [{"updateTimestamp": when, "digest": digest} for when, digest in self.history]})
        return super().usual(request, path)

    def tags(self):
        return [(name, tag, days) for name, tags in self.DAYS.items() for tag, days in tags.items()]

    def tag(self, one):
        name, tag, days = one
        updated = _pull_tokens.rfc3339(NOW - days * DAY)
        return {"uid": f"{ORG}/{name}/{tag}", "name": tag, "digest": f"sha256:{name}-{tag}", "updateTime": updated}

    def is_asked(self, tag, query):
        return (
            query.get("name") in (None, tag["name"])
            and (query.get("includeEpochs") == "true" or "-r" not in tag["name"])
            and query.get("updatedSince", "") <= tag["updateTime"]
            and query.get("uidp.childrenOf", tag["uid"]).split("/")[:2] == tag["uid"].split("/")[:2]
        )

    def listings(self):
        return [url for _method, url in self.transport.asked if "/registry/v2/tags" in url]


def listed(result):
    return [f"{image['name']}:{image['tag']}" for image in result["images"]]


@pytest.mark.parametrize(
    ("options", "expected", "requests"),
    [
        ({}, ["nginx:latest", "node:latest", "python:latest"], 1),
        ({"names": ["n*"]}, ["nginx:latest", "node:latest"], 1),
        ({"names": ["nginx"], "tags": ["1.27*", "latest"]}, ["nginx:1.27", "nginx:latest"], 2),
        ({"tags": ["1.27.3-r1"]}, ["nginx:1.27.3-r1"], 1),
        ({"tags": ["*"], "changed_within": "4d"}, ["nginx:1.27", "nginx:latest", "node:22", "python:latest"], 3),
        ({"tags": ["*"], "limit": 2}, ["nginx:latest", "python:latest"], 3),
        ({"names": ["none"], "tags": ["*"]}, [], 0),
    ],
)
def test_images_that_are_chosen(run_module, options, expected, requests):
    shop = Shop()
    assert listed(run_module(chainguard_image_info, shop.transport, **LOGIN, **options)) == expected
    assert len(shop.listings()) == requests


def test_one_listing_serves_many_images(run_module, monkeypatch):
    monkeypatch.setattr(_catalog, "_PER_IMAGE_LISTING_LIMIT", 2)
    shop = Shop()
    assert len(run_module(chainguard_image_info, shop.transport, **LOGIN, tags=["l*"])["images"]) == 3
    assert len(shop.listings()) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"names": []}, "names is empty"),
        ({"tags": ["latest", ""]}, "tags is empty"),
        ({"limit": 0}, "limit is 0"),
        ({"changed_within": "soon"}, "changed_within is not a duration"),
        ({"images": ["nginx"], "tags": ["1"]}, "mutually exclusive: images|tags"),
        ({"compare_images": [{"digest": "sha256:1"}]}, "an element without image and digest"),
        ({"compare_images": [], "cache_period": -1}, "cache_period is -1"),
        ({"cache_period": 1}, "compare_images"),
        ({"size_platforms": ["amd64"]}, "size_platforms has 'amd64'"),
        ({"size_platforms": ["all"], "kind": "chart"}, "Charts have no platforms"),
    ],
)
def test_choices_that_cannot_be_meant(run_module, options, words):
    shop = Shop()
    assert words in run_module(chainguard_image_info, shop.transport, **LOGIN, **options)["msg"]
    assert shop.transport.requests == []


@pytest.mark.parametrize(
    ("platforms", "size", "requests"),
    [(["linux/amd64"], 1000, 1), (["all"], 1200, 3), (["linux/arm64/v8", "linux/s390x"], 200, 2)],
)
def test_sizes(run_module, platforms, size, requests):
    shop = Shop()
    result = run_module(chainguard_image_info, shop.transport, **LOGIN, names=["node"], size_platforms=platforms)
    assert [image["bytes"] for image in result["images"]] == [size]
    place = f"/registry/v2/repos/{ORG}/node/digests/sha256:node-latest/"
    assert sum(place in url for _method, url in shop.transport.asked) == requests


class Charts(Shop):
    """Two folders with charts, and one without. An empty chart was made last."""

    FOLDERS = ("charts", "iamguarded-charts", "flowcharts")
    DAYS = {
        "charts/old": {"0.1.0": 90},
        "iamguarded-charts/empty": {},
        "iamguarded-charts/redis": {"22.0.7": 2, "9.1.0": 40},
        "iamguarded-charts/nginx": {"1.1.0": 3, "1.2.0": 1},
    }

    def usual(self, request, path):
        query = {name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()}
        parent = query.get("uidp.childrenOf")
        if path == "/iam/v2/groups" and parent == ORG:
            return ok({"groups": [{"uid": f"{ORG}/{name}", "name": name} for name in self.FOLDERS]})
        if path == "/registry/v2/repos":
            below = {name: tags for name, tags in self.DAYS.items() if f"{ORG}/{name.partition('/')[0]}" == parent}
            changed = {
                name: _pull_tokens.rfc3339(NOW - min(tags.values(), default=0) * DAY) for name, tags in below.items()
            }
            return ok(
                {
                    "repos": [
                        {"uid": f"{ORG}/{name}", "name": name.partition("/")[2], "updateTime": when}
                        for name, when in changed.items()
                    ]
                }
            )
        return super().usual(request, path)

    def is_asked(self, tag, query):
        where = query.get("uidp.childrenOf") or query["uidp.descendantsOf"]
        return tag["uid"].startswith(f"{where}/") and query.get("name") in (None, tag["name"])


@pytest.mark.parametrize(
    ("options", "expected", "requests"),
    [
        ({}, ["charts/old:0.1.0", "iamguarded-charts/nginx:1.2.0", "iamguarded-charts/redis:22.0.7"], 4),
        ({"limit": 1}, ["iamguarded-charts/nginx:1.2.0"], 2),
        ({"names": ["*/redis"], "limit": 1}, ["iamguarded-charts/redis:22.0.7"], 1),
        ({"changed_within": "30d"}, ["iamguarded-charts/nginx:1.2.0", "iamguarded-charts/redis:22.0.7"], 4),
        (
            {"tags": ["9.*", "1.*"]},
            ["iamguarded-charts/nginx:1.1.0", "iamguarded-charts/nginx:1.2.0", "iamguarded-charts/redis:9.1.0"],
            4,
        ),
        ({"images": ["example.com/iamguarded-charts/redis:9.1.0"]}, ["iamguarded-charts/redis:9.1.0"], 1),
    ],
)
def test_charts_that_are_chosen(run_module, options, expected, requests):
    shop = Charts()
    result = run_module(chainguard_image_info, shop.transport, **LOGIN, kind="chart", **options)
    assert listed(result) == expected
    assert len(shop.listings()) == requests
    name, tag = expected[0].split(":")
    assert result["images"][0]["reference"] == f"example.com/{name}:{tag}@sha256:{name}-{tag}"


def test_an_organization_without_a_folder_for_charts(run_module):
    shop = Charts()
    shop.FOLDERS = ("flowcharts",)
    result = run_module(chainguard_image_info, shop.transport, **LOGIN, kind="chart", limit=1)
    assert (result["images"], shop.listings()) == ([], [])


def came(image, digest):
    return {"image": image, "digest": digest, "status": "compare_images"}


def test_tag_age(run_module):
    shop = Shop()
    # Out of order, with a rebuild that changed nothing, and without the newest record.
    shop.history = [
        (_pull_tokens.rfc3339(NOW - days * DAY), digest)
        for days, digest in ((3, "sha256:b"), (9, "sha256:a"), (8, "sha256:a"), (2, "sha256:c"))
    ]
    pulled = [
        came("example.com/nginx:latest@sha256:pinned", "sha256:b"),
        came("example.com/python", "sha256:python-latest"),
        came("example.com/nginx:1.27", "sha256:gone"),
        came("example.com/nginx@sha256:digest", "sha256:digest"),
        came("example.com/none", "sha256:none"),
        came("example.com/failed", None),
    ]
    result = run_module(chainguard_image_info, shop.transport, **LOGIN, compare_images=pulled, cache_period=30 * 3600)
    assert [(one["image"], one["builds_behind"], one["hours_behind"], one["overdue"]) for one in result["tag_age"]] == [
        ("example.com/nginx:latest@sha256:pinned", 2, 48.0, True),
        ("example.com/python", 0, 0.0, False),
        ("example.com/nginx:1.27", None, None, True),
    ]
    assert result["not_found"] == ["example.com/none"]
    assert sum("/history" in url for _method, url in shop.transport.asked) == 2
    assert "serves an old copy" in result["tag_age"][0]["summary"]


def test_freshness_without_a_history(run_module):
    shop = Shop()
    shop.override("GET", "/history$", refused(404))
    pulled = [came("example.com/node", "sha256:a")]
    (found,) = run_module(chainguard_image_info, shop.transport, **LOGIN, compare_images=pulled, cache_period=60)[
        "tag_age"
    ]
    assert (found["builds_behind"], found["hours_behind"], found["overdue"]) == (None, None, None)


@pytest.mark.parametrize(
    ("history", "period", "expected", "words"),
    [
        ([(NOW - 9000, "sha256:a"), (NOW - 7200, "sha256:new")], 7200, (1, 2.0, False), "1 build and 2.0 hours"),
        ([(NOW - 9000, "sha256:a"), (NOW - 7600, "sha256:new")], 7200, (1, 2.1, True), "serves an old copy"),
        ([(NOW - 9000, "sha256:a"), (NOW - 7600, "sha256:new")], None, (1, 2.1, None), "hours behind Chainguard."),
        ([(NOW - 60, "sha256:new")], 7200, (None, None, None), "its history does not know it."),
        ([], 0, (None, None, None), "its history does not know it."),
    ],
)
def test_standing(history, period, expected, words):
    image = {"name": "nginx", "tag": "latest", "digest": "sha256:new", "updated": _pull_tokens.rfc3339(NOW - 7600)}
    found = _tag_age.describe_age("sha256:a", image, history, NOW, period)
    assert (found["builds_behind"], found["hours_behind"], found["overdue"]) == expected
    assert words in found["summary"]


@pytest.mark.parametrize(
    ("text", "expected"), [("720h", 720 * 3600), ("30d", 30 * DAY), ("1d12h", 36 * 3600), ("90m", 5400), ("1h1s", 3601)]
)
def test_durations(text, expected):
    assert _pull_tokens.seconds(text, "ttl") == expected


@pytest.mark.parametrize("text", ["", "h", "720", "1h1d", "-1h", "1.5h"])
def test_durations_that_are_none(text):
    with pytest.raises(InputError):
        _pull_tokens.seconds(text, "ttl")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2031-01-01T00:00:00Z", NOW),
        ("2031-01-01T00:00:00.5Z", NOW + 0.5),
        ("2031-01-01T00:00:00.123456789Z", NOW + 0.123456789),
        (None, 0),
        ("", 0),
    ],
)
def test_timestamps(text, expected):
    assert _pull_tokens.timestamp(text) == expected


@pytest.mark.parametrize("text", ["soon", "2031-01-01", "2031-01-01T00:00:00+01:00"])
def test_timestamps_that_are_none(text):
    with pytest.raises(PullThroughError, match="cannot be read"):
        _pull_tokens.timestamp(text)


def test_claims_of_something_else():
    with pytest.raises(InputError, match="password is not a JSON web token"):
        _jwt.decode_claims("a.b", "password")


@pytest.mark.parametrize(
    ("days", "role", "valid", "summary"),
    [
        (3, "apk.pull", True, "3.0 days are left"),
        (-1, "apk.pull", False, "it expired on 2030-12-31T00:00:00Z"),
        (3, "viewer", False, "it is not bound to the role of a pull token"),
    ],
)
def test_info_tells_whether_a_token_works(run_module, days, role, valid, summary):
    platform = Platform(identity(days=days), role=role)
    (token,) = run_module(chainguard_pull_token_info, platform.transport, **LOGIN)["tokens"]
    assert (token["valid"], token["summary"]) == (valid, summary)


# --- several tokens in one task ---------------------------------------------------------------------------------------
SEVERAL = [
    {"name": "pull cgr-private", "consumer": PLACE, "active_identities": [OLD]},
    {"name": "pull cgr-other", "consumer": f"{PLACE}-other", "active_identities": [""]},
    {"name": "pull cgr-third", "consumer": f"{PLACE}-third", "active_identities": [""]},
]


def asked(platform, path):
    return sum(urlsplit(request.url).path == path for request in platform.transport.requests)


def test_several_tokens_are_looked_at_in_three_requests(run_module):
    platform = Platform(identity(), identity(f"{ORG}/{2:016x}", name="pull cgr-other", description=f"{MARK}-other"))
    tokens = [SEVERAL[0], {**SEVERAL[1], "active_identities": [f"{ORG}/{2:016x}"]}]
    result = run_module(chainguard_pull_token, platform.transport, **LOGIN, tokens=tokens)
    assert [(one["changed"], one["due"]) for one in result["tokens"]] == [(False, False)] * 2
    assert len(platform.transport.requests) == 3


def test_each_that_is_due_is_made_and_the_others_stay(run_module):
    platform = Platform(identity())
    result = run_module(chainguard_pull_token, platform.transport, **LOGIN, tokens=SEVERAL)
    kept, *made = result["tokens"]
    assert (kept["username"], kept["changed"], "password" in kept) == (OLD, False, False)
    assert [one["changed"] for one in made] == [True, True]
    for one, wanted in zip(made, SEVERAL[1:]):
        assert platform.identities[one["username"]]["name"] == wanted["name"]
        assert one["password"].count(".") == 2
    assert [diff["after_header"] for diff in result["diff"]] == ["pull cgr-other", "pull cgr-third"]
    assert asked(platform, "/iam/v2/groups") == 1


def test_one_token_that_cannot_be_made_does_not_stop_the_others(run_module):
    platform = Platform()
    wrong = {"name": "pull wrong", "organization": "nowhere.example"}
    result = run_module(chainguard_pull_token, platform.transport, **LOGIN, tokens=[wrong, *SEVERAL[1:]])
    assert result["failed"] is True
    assert [one["failed"] for one in result["tokens"]] == [True, False, False]
    assert [one["consumer"] for one in result["tokens"]] == ["", f"{PLACE}-other", f"{PLACE}-third"]
    assert result["msg"].startswith("pull wrong: Chainguard shows this login no organization 'nowhere.example'")


def test_check_mode_predicts_several_and_sends_no_write(run_module):
    platform = Platform(identity())
    told = run_module(chainguard_pull_token, platform.transport, check=True, **LOGIN, tokens=SEVERAL)
    assert platform.writes == []
    assert [one["changed"] for one in told["tokens"]] == [False, True, True]


def test_several_are_revoked_with_one_look(run_module):
    other = identity(f"{ORG}/{2:016x}", name="pull cgr-other", description=f"{MARK}-other")
    theirs = identity(f"{ORG}/{3:016x}", name="pull cgr-third", description="by hand")
    platform = Platform(identity(), other, theirs)
    tokens = [{**token, "state": "absent"} for token in SEVERAL]
    result = run_module(chainguard_pull_token, platform.transport, **LOGIN, tokens=tokens)
    assert [one["revoked"] for one in result["tokens"]] == [[OLD], [other["uid"]], []]
    assert sorted(platform.deleted) == sorted([OLD, other["uid"]])
    assert asked(platform, "/iam/v2/identities") == 1


@pytest.mark.parametrize("check", [True, False])
def test_one_list_issues_keeps_and_revokes(run_module, check):
    revocable = identity(f"{ORG}/{2:016x}", name="pull cgr-other", description=f"{MARK}-other")
    platform = Platform(identity(), revocable)
    tokens = [SEVERAL[0], {**SEVERAL[1], "state": "absent"}, SEVERAL[2]]
    result = run_module(chainguard_pull_token, platform.transport, check=check, **LOGIN, tokens=tokens)
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
    assert platform.deleted == ([] if check else [revocable["uid"]])
    assert [diff["after_header"] for diff in result["diff"]] == ["pull cgr-other", "pull cgr-third"]


@pytest.mark.parametrize("state", ["present", "absent"])
def test_the_result_of_a_single_token_is_that_of_an_item(run_module, state):
    item = {**TOKEN, "state": state}
    single = run_module(chainguard_pull_token, Platform(identity()).transport, **LOGIN, **item)
    bulk = run_module(chainguard_pull_token, Platform(identity()).transport, **LOGIN, tokens=[item])
    (result,) = bulk["tokens"]
    assert (result["name"], result["consumer"], result["failed"]) == (TOKEN["name"], PLACE, False)
    assert result.items() <= single.items()


def test_an_item_without_a_consumer_has_an_empty_one(run_module):
    result = run_module(chainguard_pull_token, Platform().transport, **LOGIN, tokens=[{"name": "pull cgr-private"}])
    assert result["tokens"][0]["consumer"] == ""


@pytest.mark.parametrize(
    "option",
    [
        {"name": "pull cgr-private"},
        {"state": "absent"},
        {"state": "present"},
        {"ecosystem": "oci"},
        {"consumer": PLACE},
        {"active_identities": []},
        {"identities": []},
        {"keep": []},
        {"unmanaged": False},
    ],
    ids=lambda option: "-".join(map(str, *option.items())),
)
def test_an_option_of_a_token_beside_the_list_is_rejected(run_module, option):
    platform = Platform()
    result = run_module(chainguard_pull_token, platform.transport, **LOGIN, tokens=SEVERAL, **option)
    (name,) = option
    assert result["failed"] and f"parameters are mutually exclusive: {name}|tokens" in result["msg"]
    assert platform.transport.requests == []


@pytest.mark.parametrize(
    ("options", "says"),
    [
        pytest.param({"tokens": [{"name": "UPPER"}]}, "name is not valid", id="bad-name"),
        pytest.param(
            {"tokens": [SEVERAL[0], {**SEVERAL[0], "active_identities": []}]},
            "is in the list more than once",
            id="twice",
        ),
        pytest.param(
            {"organization": None}, "organization is missing for the token 'pull cgr-private'", id="no-organization"
        ),
    ],
)
def test_a_mistake_in_any_token_is_told_before_the_first_request(run_module, options, says):
    platform = Platform()
    result = run_module(chainguard_pull_token, platform.transport, **{**LOGIN, "tokens": SEVERAL, **options})
    assert result["failed"] is True and says in result["msg"]
    assert platform.transport.requests == []
