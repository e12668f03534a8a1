# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests and responses of the API's REST gateway (facts/chainguard.md#api-gateway)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .conftest import Lab

BuildIdentity = Callable[..., dict[str, Any]]
IDENTITIES = "/iam/v2/identities"
NOT_ALLOWED = {"code": 12, "message": "Method Not Allowed", "details": []}


def test_body_in_camel_or_snake_case(lab: Lab, static_identity: BuildIdentity) -> None:
    camel = static_identity()
    keys = static_identity()["staticKeys"]
    snake = {
        "name": "snake",
        "static_keys": {
            "issuer": keys["issuer"],
            "subject": keys["subject"],
            "issuer_keys": keys["issuerKeys"],
            "expiration_time": keys["expirationTime"],
        },
    }
    for body, sent in ((camel, camel["staticKeys"]), (snake, keys)):
        response = lab.api().post(f"{IDENTITIES}/{lab.org}", json=body)
        assert response.status_code == 200, response.text
        identity = response.json()
        assert identity["staticKeys"] == {**sent, "audiences": []}
        assert identity["uid"].startswith(f"{lab.org}/")
        assert (identity["updateTime"], identity["lastSeenTime"], identity["email"]) == (None, None, "")
        assert "claimMatch" not in identity


def test_unset_fields_can_be_left_out(lab: Lab, static_identity: BuildIdentity) -> None:
    lab.configure(omit_unpopulated=True)
    identity = lab.api().post(f"{IDENTITIES}/{lab.org}", json=static_identity(audiences=[])).json()
    assert set(identity) == {"uid", "name", "description", "staticKeys", "createTime"}
    assert "audiences" not in identity["staticKeys"]
    assert set(lab.api().get(IDENTITIES).json()) == {"identities", "totalCount"}


@pytest.mark.parametrize("content_type", [None, "application/json", "text/plain"])
def test_content_type_does_not_matter_and_unknown_fields_are_ignored(lab: Lab, content_type: str | None) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    response = lab.api().post(f"/iam/v2/groups/{lab.org}?bogus=1", content=b'{"name":"abc","bogus":1}', headers=headers)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert "bogus" not in response.json()


@pytest.mark.parametrize("body", ["{not json", "[]", '{"name": 5}', '{"staticKeys": "x"}'])
def test_malformed_body(lab: Lab, body: str) -> None:
    response = lab.api().post(f"{IDENTITIES}/{lab.org}", content=body)
    assert (response.status_code, response.json()["code"]) == (400, 3)


@pytest.mark.parametrize("slash", ["/", "%2F", "%2f"])
def test_uid_in_the_path(lab: Lab, slash: str) -> None:
    uid = lab.state["chainguard"]["workload"]["identity"]
    response = lab.api().get(f"{IDENTITIES}/{uid.replace('/', slash)}")
    assert response.json()["uid"] == uid
    deleted = lab.api().get(f"{IDENTITIES}/{lab.org}{slash}{'0' * 16}")
    assert (deleted.status_code, deleted.json()["code"]) == (404, 5)


def test_trailing_slash_is_a_get_without_uid(lab: Lab) -> None:
    response = lab.api().get("/iam/v2/groups/?name=example.com")
    assert response.status_code == 400
    assert "groups" not in response.json()


def test_create_without_parent_reaches_the_service(lab: Lab, static_identity: BuildIdentity) -> None:
    response = lab.api().post(IDENTITIES, json=static_identity())
    assert (response.status_code, response.json()["code"]) == (400, 3)


def test_unknown_path_and_wrong_method(lab: Lab) -> None:
    unknown = lab.api().get("/nope")
    assert (unknown.status_code, unknown.json()) == (404, {"code": 5, "message": "Not Found", "details": []})
    for method, path in (("PUT", f"{IDENTITIES}/x"), ("DELETE", IDENTITIES), ("POST", "/auth/v1/ok")):
        wrong = lab.api().request(method, path)
        assert (wrong.status_code, wrong.json()) == (501, NOT_ALLOWED)


@pytest.mark.parametrize("query", ["pageSize=abc", "page_size=abc"])
def test_invalid_number(lab: Lab, query: str) -> None:
    response = lab.api().get(f"{IDENTITIES}?{query}")
    message = 'parsing field "page_size": strconv.ParseInt: parsing "abc": invalid syntax'
    assert (response.status_code, response.json()) == (400, {"code": 3, "message": message, "details": []})


@pytest.mark.parametrize("name", ["uidp.descendantsOf", "uidp.descendants_of", "uidp.childrenOf", "uidp.children_of"])
def test_query_in_camel_or_snake_case(lab: Lab, name: str) -> None:
    identities = lab.api().get(IDENTITIES, params={name: lab.org}).json()["identities"]
    assert {identity["name"] for identity in identities} == {"owner", "viewer", "pull-token-creator", "workload"}


@pytest.mark.parametrize("relationship", ["RELATIONSHIP_TYPE_STATIC", "2"])
def test_enum_by_name_or_number(lab: Lab, static_identity: BuildIdentity, relationship: str) -> None:
    identity = lab.api().post(f"{IDENTITIES}/{lab.org}", json=static_identity()).json()
    identities = lab.api().get(IDENTITIES, params={"relationship_type": relationship}).json()
    assert ([item["uid"] for item in identities["identities"]], identities["totalCount"]) == ([identity["uid"]], "1")
    assert lab.api().get(IDENTITIES, params={"relationshipType": "NONE"}).status_code == 400


def test_patch_without_mask_changes_what_the_body_has(lab: Lab, static_identity: BuildIdentity) -> None:
    identity = lab.api().post(f"{IDENTITIES}/{lab.org}", json=static_identity(ttl=7200)).json()
    sooner = static_identity(ttl=60)["staticKeys"]["expirationTime"]
    changed = (
        lab.api().patch(f"{IDENTITIES}/{identity['uid']}", json={"static_keys": {"expiration_time": sooner}}).json()
    )
    expected = {**identity, "staticKeys": {**identity["staticKeys"], "expirationTime": sooner}}
    assert changed == {**expected, "updateTime": changed["updateTime"]}
    assert changed["updateTime"]


def test_patch_with_mask_changes_only_that(lab: Lab, static_identity: BuildIdentity) -> None:
    identity = lab.api().post(f"{IDENTITIES}/{lab.org}", json=static_identity()).json()
    path = f"{IDENTITIES}/{identity['uid']}"
    changed = lab.api().patch(f"{path}?updateMask=description", json={"description": "new", "name": "other"}).json()
    assert (changed["description"], changed["name"]) == ("new", identity["name"])
    cleared = lab.api().patch(f"{path}?update_mask=description", json={}).json()
    assert cleared["description"] == ""
    assert lab.api().patch(f"{path}?updateMask=staticKeys.nope", json={}).status_code == 400


def test_pages(lab: Lab, static_identity: BuildIdentity) -> None:
    for _ignored in range(5):
        assert lab.api().post(f"{IDENTITIES}/{lab.org}", json=static_identity()).status_code == 200
    seen: list[str] = []
    query: dict[str, str] = {"pageSize": "4", "uidp.childrenOf": lab.org}
    sizes = []
    while True:
        page = lab.api().get(IDENTITIES, params=query).json()
        seen += [identity["uid"] for identity in page["identities"]]
        sizes.append(len(page["identities"]))
        assert page["totalCount"] == "9"
        if not page["nextPageToken"]:
            break
        query["pageToken"] = page["nextPageToken"]
    assert sizes == [4, 4, 1]
    assert seen == sorted(set(seen))


def test_page_after_its_last_record_was_deleted(lab: Lab) -> None:
    everyone = [item["uid"] for item in lab.api().get(IDENTITIES).json()["identities"]]
    first = lab.api().get(IDENTITIES, params={"pageSize": "1"}).json()
    lab.control("POST", "/chainguard/identities/revoke", {"uid": everyone[0]})
    rest = lab.api().get(IDENTITIES, params={"pageToken": first["nextPageToken"]}).json()
    assert [item["uid"] for item in rest["identities"]] == everyone[1:]


def test_order_and_skip(lab: Lab) -> None:
    def names(**query: str) -> list[str]:
        return [item["name"] for item in lab.api().get(IDENTITIES, params=query).json()["identities"]]

    ordered = ["owner", "pull-token-creator", "viewer", "workload"]
    assert names(orderBy="name asc") == ordered
    assert names(order_by="name desc", skip="1") == ordered[-2::-1]
    first = lab.api().get(IDENTITIES, params={"orderBy": "name desc", "pageSize": "1", "skip": "1"}).json()
    assert first["skipped"] == 1
    assert names(orderBy="name desc", pageToken=first["nextPageToken"]) == ordered[1::-1]


@pytest.mark.parametrize(
    "query", [{"orderBy": "name asc"}, {"orderBy": "nothing"}, {"pageToken": "x"}, {"pageSize": "-1"}, {"skip": "-1"}]
)
def test_invalid_page_parameters(lab: Lab, query: dict[str, str]) -> None:
    token = lab.api().get(IDENTITIES, params={"pageSize": "1"}).json()["nextPageToken"]
    assert lab.api().get(IDENTITIES, params={"pageToken": token} | query).status_code == 400


def test_page_token_expires_after_three_days(lab: Lab) -> None:
    token = lab.api().get(IDENTITIES, params={"pageSize": "1"}).json()["nextPageToken"]
    lab.advance(3 * 86400 - 60)
    assert lab.api().get(IDENTITIES, params={"pageToken": token}).status_code == 200
    lab.advance(120)
    assert lab.api().get(IDENTITIES, params={"pageToken": token}).status_code == 400
