# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The platform API: objects, validation and capabilities.

See facts/chainguard.md#platform-api and facts/chainguard.md#pull-tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from lab.chainguard import jwt

from .conftest import HOUR, Lab, PullToken, rfc3339

BuildIdentity = Callable[..., dict[str, Any]]
IDENTITIES, BINDINGS, ROLES, GROUPS = (f"/iam/v2/{name}" for name in ("identities", "roleBindings", "roles", "groups"))


def assert_error(response: httpx.Response, status: int, code: int, *words: str) -> None:
    body = response.json()
    assert (response.status_code, body["code"]) == (status, code), response.text
    for word in words:
        assert word in body["message"]


# --- organizations -------------------------------------------------------------------------------------------------


def test_organization_by_name(lab: Lab) -> None:
    by_name = lab.api().get(GROUPS, params={"name": "example.com"}).json()["groups"]
    in_root = lab.api().get(GROUPS, params={"name": "example.com", "uidp.inRoot": "true"}).json()["groups"]
    assert len(by_name) == 2, "a folder may have the same name"
    assert [group["uid"] for group in in_root] == [lab.org]
    assert len(lab.org) == 40


def test_other_organizations_are_not_visible(lab: Lab) -> None:
    other = lab.state["chainguard"]["other_organization"]
    assert lab.api().get(GROUPS, params={"name": other["name"]}).json()["groups"] == []
    assert_error(lab.api().get(f"{GROUPS}/{other['uid']}"), 403, 7, other["uid"], "groups.list")
    assert_error(lab.api().get(IDENTITIES, params={"uidp.childrenOf": other["uid"]}), 403, 7, "identity.list")


def test_group_with_children_cannot_be_deleted(lab: Lab) -> None:
    folder = lab.api().post(f"{GROUPS}/{lab.org}", json={"name": "folder"}).json()["uid"]
    inner = lab.api().post(f"{GROUPS}/{folder}", json={"name": "inner"}).json()["uid"]
    assert_error(lab.api().delete(f"{GROUPS}/{folder}"), 400, 9, "not empty")
    ancestors = lab.api().get(GROUPS, params={"uidp.ancestorsOf": inner}).json()["groups"]
    assert {lab.org, folder} <= {group["uid"] for group in ancestors}
    assert lab.api().delete(f"{GROUPS}/{inner}").json() == {}
    assert lab.api().delete(f"{GROUPS}/{folder}").json() == {}


# --- callers -------------------------------------------------------------------------------------------------------


def test_bearer_is_checked(lab: Lab, key: Any) -> None:
    assert lab.client("api").get("/ping/v2/ping").status_code == 200
    claims = {
        "iss": "https://issuer.enforce.dev",
        "sub": f"{lab.org}/{'0' * 16}",
        "aud": "https://console-api.enforce.dev",
    }
    sign, later = lab.simulator.chainguard.authority.sign, lab.simulator.clock.now() + 60
    for token in (
        "",
        "rubbish",
        jwt.sign(key, {**claims, "exp": later}),
        sign({**claims, "exp": later - 120}),
        sign({**claims, "exp": later, "aud": "cgr.dev"}),
        sign({**claims, "exp": later, "iss": "https://elsewhere.example.org"}),
    ):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        assert_error(lab.client("api").get(IDENTITIES, headers=headers), 401, 16)
    unbound = {"Authorization": f"Bearer {sign({**claims, 'exp': later})}"}
    assert_error(lab.client("api").get(IDENTITIES, headers=unbound), 403, 7)


def test_who_am_i(lab: Lab) -> None:
    me = lab.api("pull_token_creator").get("/auth/v1/ok").json()
    (list_bound_roles,) = me["capabilities"]
    assert (list_bound_roles["group"], list_bound_roles["role"]) == (lab.org, lab.role("registry.pull_token_creator"))
    assert {"identity.create", "role_bindings.create", "roles.list", "repo.blobs.get"} <= set(
        list_bound_roles["capabilities"]
    )
    assert not {"identity.list", "identity.delete", "role_bindings.list"} & set(list_bound_roles["capabilities"])
    assert me["audience"] == ["https://console-api.enforce.dev"]


def test_capabilities_of_the_seeded_identities(lab: Lab, static_identity: BuildIdentity) -> None:
    created = lab.api("pull_token_creator").post(f"{IDENTITIES}/{lab.org}", json=static_identity()).json()
    binding = {"identityUid": created["uid"], "roleUid": lab.role("registry.pull")}
    list_bound_roles = lab.api("pull_token_creator").post(f"{BINDINGS}/{lab.org}", json=binding)
    assert list_bound_roles.status_code == 200

    creator, viewer = lab.api("pull_token_creator"), lab.api("viewer")
    assert creator.get(ROLES).status_code == creator.get(GROUPS).status_code == 200
    assert_error(creator.get(IDENTITIES), 403, 7, "identity.list")
    assert_error(creator.get(f"{IDENTITIES}/{created['uid']}"), 403, 7, "identity.list")
    assert_error(creator.delete(f"{IDENTITIES}/{created['uid']}"), 403, 7, "identity.delete")
    assert_error(creator.get(BINDINGS), 403, 7, "role_bindings.list")
    for path in (GROUPS, ROLES, IDENTITIES, BINDINGS, "/registry/v2/repos", "/registry/v2/tags"):
        assert viewer.get(path).status_code == 200
    assert_error(viewer.post(f"{IDENTITIES}/{lab.org}", json=static_identity()), 403, 7, "identity.create")
    assert_error(viewer.patch(f"{IDENTITIES}/{created['uid']}", json={"name": "abc"}), 403, 7, "identity.update")
    assert_error(viewer.delete(f"{BINDINGS}/{list_bound_roles.json()['uid']}"), 403, 7, "role_bindings.delete")


def test_callers_grant_only_their_own_capabilities(lab: Lab, static_identity: BuildIdentity) -> None:
    creator = lab.api("pull_token_creator")
    uid = creator.post(f"{IDENTITIES}/{lab.org}", json=static_identity()).json()["uid"]
    for role, status in (("registry.pull", 200), ("apk.pull", 200), ("libraries.java.pull", 403), ("owner", 403)):
        response = creator.post(f"{BINDINGS}/{lab.org}", json={"identityUid": uid, "roleUid": lab.role(role)})
        assert response.status_code == status, role


# --- identities ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"name": "ab"}, "name"),
        ({"name": "a" * 64}, "name"),
        ({"name": "Upper"}, "name"),
        ({"description": "x" * 513}, "description"),
        ({"description": "two\nlines"}, "description"),
        ({"staticKeys": None}, "relationship"),
        ({"claimMatch": {"issuer": "https://a", "subject": "b"}}, "relationship"),
    ],
)
def test_identity_is_validated(lab: Lab, static_identity: BuildIdentity, changed: dict[str, Any], field: str) -> None:
    response = lab.api().post(f"{IDENTITIES}/{lab.org}", json=static_identity() | changed)
    assert_error(response, 400, 3, "Invalid argument")
    info, violations = response.json()["details"]
    assert (info["reason"], info["domain"]) == ("INVALID_ARGUMENT", "iam.chainguard.dev")
    assert violations["fieldViolations"][0]["field"] == field


@pytest.mark.parametrize(
    "changed",
    [
        {"issuer": "http://plain.example.org"},
        {"issuer": "pulltoken.issuer.chainguard.dev"},
        {"subject": ""},
        {"issuerKeys": ""},
        {"issuerKeys": "{}"},
        {"issuerKeys": '{"keys": []}'},
        {"issuerKeys": '{"keys": [{"kty": "RSA"}]}'},
        {"audiences": ["a", "b"]},
        {"expirationTime": "tomorrow"},
        {"ttl": -1},
        {"ttl": 365 * 24 * HOUR + 60},
    ],
)
def test_static_keys_are_validated(lab: Lab, static_identity: BuildIdentity, changed: dict[str, Any]) -> None:
    assert_error(lab.api().post(f"{IDENTITIES}/{lab.org}", json=static_identity(**changed)), 400, 3)
    assert lab.api().get(IDENTITIES).json()["totalCount"] == "4"


@pytest.mark.parametrize(("plan", "hours"), [("starter", 720), ("team", 168), ("enterprise", 8760)])
def test_maximum_ttl(lab: Lab, static_identity: BuildIdentity, plan: str, hours: int) -> None:
    lab.configure(plan=plan)
    path = f"{IDENTITIES}/{lab.org}"
    assert_error(lab.api().post(path, json=static_identity(ttl=(hours + 1) * HOUR)), 400, 3, f"{hours} hours")
    assert lab.api().post(path, json=static_identity(ttl=hours * HOUR)).status_code == 200
    created = lab.api().post(path, json=static_identity(expirationTime=None)).json()
    assert created["staticKeys"]["expirationTime"][:16] == rfc3339(lab.simulator.clock.now() + hours * HOUR)[:16]


def test_identities_are_directly_under_the_organization(lab: Lab, static_identity: BuildIdentity) -> None:
    folder = lab.api().post(f"{GROUPS}/{lab.org}", json={"name": "folder"}).json()["uid"]
    assert_error(lab.api().post(f"{IDENTITIES}/{folder}", json=static_identity()), 400, 3, "parent")


def test_issuer_and_subject_are_unique(lab: Lab, static_identity: BuildIdentity) -> None:
    body = static_identity()
    created = lab.api().post(f"{IDENTITIES}/{lab.org}", json=body).json()
    assert_error(lab.api().post(f"{IDENTITIES}/{lab.org}", json={**body, "name": "other"}), 409, 6)
    assert lab.api().patch(f"{IDENTITIES}/{created['uid']}", json={"description": "mine"}).status_code == 200


def test_names_need_not_be_unique_and_are_matched_exactly(lab: Lab, static_identity: BuildIdentity) -> None:
    for name in ("same", "same", "same one"):
        assert lab.api().post(f"{IDENTITIES}/{lab.org}", json=static_identity() | {"name": name}).status_code == 200
    results = lab.api().get(IDENTITIES, params={"name": "same"}).json()
    assert [identity["name"] for identity in results["identities"]] == ["same", "same"]


@pytest.mark.parametrize(("setting", "status"), [(200, 200), (404, 404)])
def test_delete_removes_the_bindings(lab: Lab, pull_token: Callable[..., PullToken], setting: int, status: int) -> None:
    lab.configure(delete_missing=setting)
    uid = pull_token().username
    query = {"identity": uid}
    assert len(lab.api().get(BINDINGS, params=query).json()["roleBindings"]) == 1
    assert lab.api().delete(f"{IDENTITIES}/{uid}").json() == {}
    assert lab.api().get(BINDINGS, params=query).json()["roleBindings"] == []
    assert_error(lab.api().get(f"{IDENTITIES}/{uid}"), 404, 5)
    assert lab.api().delete(f"{IDENTITIES}/{uid}").status_code == status


# --- roles and bindings --------------------------------------------------------------------------------------------


def test_managed_roles(lab: Lab) -> None:
    names = {role["name"] for role in lab.api().get(ROLES).json()["roles"]}
    libraries = {f"libraries.{name}.pull" for name in ("java", "python", "javascript", "dotnet", "go")}
    assert names == libraries | {
        "owner",
        "editor",
        "viewer",
        "registry.pull",
        "apk.pull",
        "registry.pull_token_creator",
    }
    (java,) = lab.api().get(ROLES, params={"name": "libraries.java.pull"}).json()["roles"]
    assert java["capabilities"] == ["CAP_LIBRARIES_ENTITLEMENTS_LIST", "CAP_LIBRARIES_JAVA_LIST"]
    assert lab.api().get(f"{ROLES}/{java['uid']}").json() == java
    assert_error(lab.api().delete(f"{ROLES}/{java['uid']}"), 403, 7, "roles.delete")


def test_custom_role(lab: Lab, static_identity: BuildIdentity) -> None:
    body = {"name": "registry.pull", "capabilities": ["CAP_IAM_IDENTITY_LIST", "CAP_IAM_IDENTITY_DELETE"]}
    role = lab.api().post(f"{ROLES}/{lab.org}", json=body).json()
    named = lab.api().get(ROLES, params={"name": "registry.pull"}).json()["roles"]
    assert sorted("/" in results["uid"] for results in named) == [False, True]
    uid = lab.api().post(f"{IDENTITIES}/{lab.org}", json=static_identity()).json()["uid"]
    assert lab.api().post(f"{BINDINGS}/{lab.org}", json={"identityUid": uid, "roleUid": role["uid"]}).status_code == 200
    for capabilities in ([], ["CAP_NONSENSE"]):
        assert_error(lab.api().post(f"{ROLES}/{lab.org}", json={**body, "capabilities": capabilities}), 400, 3)
    assert_error(lab.api("viewer").post(f"{ROLES}/{lab.org}", json=body), 403, 7, "roles.create")


def test_binding_has_identity_group_and_role(lab: Lab, pull_token: Callable[..., PullToken]) -> None:
    token = pull_token()
    (binding,) = (
        lab.api().get(BINDINGS, params={"identity": token.username, "uidp.childrenOf": lab.org}).json()["roleBindings"]
    )
    assert (binding["identityUid"], binding["roleUid"]) == ("", "")
    assert binding["identity"]["uid"] == token.username
    assert binding["identity"]["issuer"] == token.identity["staticKeys"]["issuer"]
    assert (binding["group"]["uid"], binding["role"]["name"]) == (lab.org, "registry.pull")
    by_role = lab.api().get(BINDINGS, params={"role": lab.role("registry.pull"), "group": lab.org}).json()
    assert by_role["roleBindings"] == [binding]


def test_binding_is_validated(lab: Lab, pull_token: Callable[..., PullToken]) -> None:
    uid, role = pull_token().username, lab.role("registry.pull")
    assert_error(
        lab.api().post(f"{BINDINGS}/{lab.org}", json={"identityUid": uid, "roleUid": "0" * 40}), 404, 5, "Role"
    )
    assert_error(
        lab.api().post(f"{BINDINGS}/{lab.org}", json={"identityUid": "x", "roleUid": role}), 404, 5, "Identity"
    )
    assert_error(lab.api().post(f"{BINDINGS}/{lab.org}", json={"identityUid": uid, "roleUid": role}), 409, 6)


def test_batch_is_all_or_nothing(lab: Lab, static_identity: BuildIdentity) -> None:
    uid = lab.api().post(f"{IDENTITIES}/{lab.org}", json=static_identity()).json()["uid"]
    path, default = f"{BINDINGS}:batchCreate", lab.role("apk.pull")

    def batch_create(*roles: str, **more: Any) -> httpx.Response:
        requests = [
            {"parent": lab.org, "roleBinding": {"identityUid": uid} | ({"roleUid": r} if r else {})} for r in roles
        ]
        return lab.api().post(path, json={"parent": lab.org, "requests": requests, **more})

    def list_bound_roles() -> list[str]:
        results = lab.api().get(BINDINGS, params={"identity": uid}).json()["roleBindings"]
        return sorted(binding["role"]["name"] for binding in results)

    assert_error(batch_create(lab.role("apk.pull"), "0" * 40), 404, 5)
    assert_error(batch_create(lab.role("registry.pull"), roleUid=default), 400, 3)
    assert_error(batch_create(*[default] * 26), 400, 3)
    assert_error(lab.api().post(path, json={"requests": []}), 400, 3)
    assert list_bound_roles() == []
    created = (
        batch_create("", roleUid=default).json()["roleBindings"]
        + batch_create(lab.role("registry.pull")).json()["roleBindings"]
    )
    assert [binding["role"]["name"] for binding in created] == ["apk.pull", "registry.pull"]
    assert list_bound_roles() == ["apk.pull", "registry.pull"]


# --- images --------------------------------------------------------------------------------------------------------


def test_repos_and_tags(lab: Lab) -> None:
    repos = lab.api().get("/registry/v2/repos", params={"uidp.childrenOf": lab.org}).json()["repos"]
    assert sorted(repo["name"] for repo in repos) == ["jdk", "nginx", "python"]
    assert "sync_config" in repos[0]
    nginx = next(repo["uid"] for repo in repos if repo["name"] == "nginx")

    def names(**query: str) -> list[str]:
        results = lab.api().get("/registry/v2/tags", params={"uidp.childrenOf": nginx, **query}).json()["tags"]
        return sorted(tag["name"] for tag in results)

    plain = ["1.27", "1.27-dev", "1.27.3", "latest", "latest-dev"]
    assert names() == plain
    assert names(includeEpochs="true", include_dates="true") == sorted([*plain, "1.27.3-r1", "1.27.3-20260101"])
    assert names(name="1.27") == ["1.27"]
    published = lab.control("POST", "/chainguard/images", {"name": "example.com/nginx", "tag": "latest"})
    assert names(digest=published["digest"]) == ["latest"]
    assert names(updatedSince="2026-01-02T00:00:00Z") == ["latest"]


def test_history_of_a_tag(lab: Lab) -> None:
    (before,) = (
        lab.api().get("/registry/v2/tags", params={"uidp.descendantsOf": lab.org, "name": "1.27"}).json()["tags"]
    )
    lab.advance(3600)
    after = lab.control("POST", "/chainguard/images", {"name": "example.com/nginx", "tag": "1.27"})
    url = f"/registry/v1/tags/{before['uid']}/history"
    first, second = lab.api("viewer").get(url).json()["items"]
    assert (first["digest"], second["digest"]) == (before["digest"], after["digest"])
    assert first["updateTimestamp"] == before["updateTime"] < second["updateTimestamp"]
    assert lab.api().get(url, params={"start": second["updateTimestamp"]}).json()["items"] == [second]
    assert_error(lab.api().get(f"/registry/v1/tags/{before['uid']}0/history"), 404, 5)
    assert_error(lab.client("api").get(url), 401, 16)


def test_size_of_an_image(lab: Lab) -> None:
    (tag,) = lab.api().get("/registry/v2/tags", params={"uidp.descendantsOf": lab.org, "name": "1.27"}).json()["tags"]
    image = f"/registry/v2/repos/{tag['uid'].rpartition('/')[0]}/digests/{tag['digest']}"
    assert lab.api("viewer").get(f"{image}/architectures").json() == {"architectures": ["amd64", "arm64"]}
    size = lab.api("viewer").get(f"{image}/size").json()
    assert size["architecture"] == "amd64" and int(size["size"]) > 1 << 20
    assert_error(lab.api().get(f"{image}/size", params={"architecture": "s390x"}), 404, 5)
    assert_error(lab.api().get(f"{image}0/size"), 404, 5)
