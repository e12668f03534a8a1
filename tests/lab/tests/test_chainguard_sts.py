# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The token exchange (facts/chainguard.md#token-exchange)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from lab.chainguard import jwt

from .conftest import HOUR, Lab, PullToken

CreatePullToken = Callable[..., PullToken]
API = "https://console-api.enforce.dev"


def exchange(lab: Lab, token: str, **parameters: Any) -> httpx.Response:
    return lab.client("api", token).post("/sts/exchange", data=parameters)


def assert_error(response: httpx.Response, status: int, code: int) -> None:
    assert (response.status_code, response.json()["code"]) == (status, code), response.text


def test_workload_gets_an_api_token(lab: Lab) -> None:
    workload = lab.state["chainguard"]["workload"]
    response = exchange(lab, workload["oidc_token"], aud=API, identity=workload["identity"]).json()
    assert response["refreshToken"] == ""
    api = lab.client("api", response["token"])
    me = api.get("/auth/v1/ok").json()
    assert (me["subject"], me["audience"]) == (workload["identity"], [API])
    assert api.get("/iam/v2/identities").status_code == 200
    lab.advance(HOUR + 1)
    assert_error(api.get("/iam/v2/identities"), 401, 16)


def test_parameters_in_the_query_or_as_a_form(lab: Lab) -> None:
    workload = lab.state["chainguard"]["workload"]
    client, uid = lab.client("api", workload["oidc_token"]), workload["identity"]
    assert client.get(f"/sts/exchange?aud=cgr.dev&identity={uid}").status_code == 200
    assert client.get(f"/sts/exchange?aud=cgr.dev&identity={uid.replace('/', '%2F')}").status_code == 200
    assert client.post(f"/sts/exchange?aud=cgr.dev&identity={uid}").status_code == 200
    two = client.post("/sts/exchange", data={"aud": [API, "cgr.dev"], "identity": uid}).json()["token"]
    assert lab.simulator.chainguard.authority.verify(two, 0)["aud"] == [API, "cgr.dev"]
    ignored = client.post("/sts/exchange", json={"aud": ["cgr.dev"], "identity": uid})
    assert (ignored.status_code, ignored.json()) == (
        400,
        {"code": 3, "message": "Audience must be specified", "details": []},
    )


def test_pull_token_gets_a_registry_token(lab: Lab, pull_token: CreatePullToken) -> None:
    token = pull_token()
    response = exchange(lab, token.password, aud="cgr.dev", identity=token.username)
    assert response.status_code == 200
    seen = lab.api().get(f"/iam/v2/identities/{token.username}").json()["lastSeenTime"]
    assert seen is not None
    bearer = {"Authorization": f"Bearer {response.json()['token']}"}
    assert lab.registry.get("/v2/example.com/nginx/tags/list", headers=bearer).status_code == 200
    assert lab.registry.get("/v2/other.example.org/nginx/tags/list", headers=bearer).status_code == 403
    missing = lab.registry.get("/v2/example.com/nothing/tags/list", headers=bearer)
    assert (missing.status_code, missing.json()["errors"][0]["code"]) == (404, "NAME_UNKNOWN")


def test_rejected_exchanges(lab: Lab, pull_token: CreatePullToken, key: rsa.RSAPrivateKey) -> None:
    good, other = pull_token(), pull_token()
    stranger = jwt.sign(rsa.generate_private_key(public_exponent=65537, key_size=2048), {"exp": 9e9})
    for identity, password, status, code in (
        ("nonsense", good.password, 400, 3),
        (f"{lab.org}/{'0' * 16}", good.password, 403, 7),
        (good.username, "nonsense", 401, 16),
        (good.username, stranger, 401, 16),
        (good.username, f"{good.password[:-8]}AAAAAAAA", 401, 16),
        (good.username, other.password, 403, 7),
        (good.username, "", 401, 16),
    ):
        headers = {"Authorization": f"Bearer {password}"} if password else {}
        query = {"aud": "cgr.dev", "identity": identity}
        assert_error(lab.client("api").get("/sts/exchange", params=query, headers=headers), status, code)


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"aud": ["https://issuer.enforce.dev"]}, 200),
        ({"aud": "issuer.enforce.dev"}, 200),
        ({"aud": "cgr.dev"}, 403),
        ({"iss": "https://elsewhere.example.org"}, 403),
        ({"sub": "pull-token-of-another"}, 403),
        ({"exp": None}, 401),
        ({"exp": 1}, 401),
    ],
)
def test_claims_are_checked(lab: Lab, pull_token: CreatePullToken, claims: dict[str, Any], status: int) -> None:
    token = pull_token(**claims)
    assert exchange(lab, token.password, aud="cgr.dev", identity=token.username).status_code == status


def test_keys_expire(lab: Lab, pull_token: CreatePullToken) -> None:
    token = pull_token(ttl=HOUR)
    lab.advance(HOUR - 30)
    assert exchange(lab, token.password, aud="cgr.dev", identity=token.username).status_code == 200
    lab.advance(60)
    response = exchange(lab, token.password, aud="cgr.dev", identity=token.username)
    assert_error(response, 400, 3)
    assert "keys have expired" in response.json()["message"]
    assert lab.api().get(f"/iam/v2/identities/{token.username}").status_code == 200, "listed until deleted"


def test_propagation(lab: Lab, pull_token: CreatePullToken) -> None:
    lab.configure(propagation=5)
    token = pull_token()
    assert lab.api().get(f"/iam/v2/identities/{token.username}").status_code == 200
    assert_error(exchange(lab, token.password, aud="cgr.dev", identity=token.username), 403, 7)
    assert lab.registry.get("/token", auth=token.credentials).status_code == 403
    lab.advance(6)
    assert exchange(lab, token.password, aud="cgr.dev", identity=token.username).status_code == 200
    assert lab.registry.get("/token", auth=token.credentials).status_code == 200


def test_claims_matched_by_pattern(lab: Lab) -> None:
    match = {"issuerPattern": "https://oidc[.].+", "subjectPattern": "work.*", "audience": "https://issuer.enforce.dev"}
    body = {"name": "pattern", "claimMatch": match}
    uid = lab.api().post(f"/iam/v2/identities/{lab.org}", json=body).json()["uid"]
    token = lab.state["chainguard"]["workload"]["oidc_token"]
    assert exchange(lab, token, aud="cgr.dev", identity=uid).status_code == 200
    for changed in ({"subjectPattern": "work"}, {"audience": "cgr.dev"}, {"issuerPattern": "x"}):
        patched = lab.api().patch(f"/iam/v2/identities/{uid}", json={"claimMatch": {**match, **changed}})
        assert patched.status_code == 200
        assert_error(exchange(lab, token, aud="cgr.dev", identity=uid), 403, 7)
