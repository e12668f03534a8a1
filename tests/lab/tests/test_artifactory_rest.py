# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated Artifactory's REST APIs: system, credentials, repositories, permissions, tokens."""

from __future__ import annotations

import base64
import concurrent.futures
import json
import time
from typing import Any

import httpx
import pytest

from .conftest import HOUR, Lab

V1, V2 = "/artifactory/api/repositories", "/artifactory/api/v2/repositories"
REMOTE = {"rclass": "remote", "packageType": "docker", "url": "https://cgr.dev/"}
VIRTUAL = {"rclass": "virtual", "packageType": "docker"}
TOKENS, PERMISSIONS = "/access/api/v1/tokens", "/access/api/v2/permissions"
PRO_ONLY = "This REST API is available only in Artifactory Pro"


def secret(lab: Lab, user: str, kind: str) -> str:
    return str(lab.state["artifactory"]["users"][user][kind])


def client(lab: Lab, user: str = "admin") -> httpx.Client:
    """A client of Artifactory that sends the user's access token; anonymous for no name."""
    return lab.client("artifactory", secret(lab, user, "token") if user else "")


def create(lab: Lab, key: str, body: dict[str, Any]) -> None:
    answer = client(lab).put(f"{V1}/{key}", json=body)
    assert answer.status_code == 200, answer.text


def envelope(answer: httpx.Response) -> tuple[int, str]:
    """Status and message of an error, when the body agrees with the status line."""
    (error,) = answer.json()["errors"]
    assert error["status"] == answer.status_code
    return answer.status_code, error["message"]


# --- system ---


def test_every_answer_names_version_and_node(lab: Lab) -> None:
    for path in ("/artifactory/api/system/ping", f"{V1}/missing", "/no/such/page"):
        headers = client(lab).get(path).headers
        assert headers["x-jfrog-version"] == "Artifactory/7.161.15 86115900"
        assert headers["x-artifactory-id"] and headers["x-artifactory-node-id"]


def test_system(lab: Lab) -> None:
    assert client(lab, "").get("/artifactory/api/system/ping").text == "OK"
    assert client(lab, "").get("/access/api/v1/system/ping").json() == {"status": "UP"}
    lab.configure(artifactory_version="7.12.8", artifactory_edition="jcr")
    version = client(lab, "reader").get("/artifactory/api/system/version").json()
    assert (version["version"], version["revision"]) == ("7.12.8", "71208900")
    assert client(lab).get("/artifactory/api/system/license").json()["type"] == "JCR Edition"
    assert envelope(client(lab, "reader").get("/artifactory/api/system/license")) == (403, "Forbidden")


# --- credentials ---


def test_the_ways_to_present_credentials(lab: Lab) -> None:
    password, token = secret(lab, "admin", "password"), secret(lab, "admin", "token")
    url, anonymous = "/artifactory/api/system/license", lab.client("artifactory")
    for secret_text in (password, token):
        assert anonymous.get(url, auth=("admin", secret_text)).status_code == 200
    for headers in ({"Authorization": f"Bearer {token}"}, {"X-JFrog-Art-Api": token}):
        assert anonymous.get(url, headers=headers).status_code == 200


def test_the_error_texts_of_refused_credentials(lab: Lab) -> None:
    url, anonymous = "/artifactory/api/system/version", lab.client("artifactory")
    answer = anonymous.get(url, auth=("admin", "wrong"))
    assert envelope(answer) == (401, "Bad Credentials")
    assert answer.headers["www-authenticate"] == 'Basic realm="Artifactory Realm"'
    assert answer.text.startswith('{\n  "errors" : [ {\n    "status" : 401,\n    "message" : "Bad Credentials"\n')
    assert envelope(anonymous.get(url, auth=("reader", secret(lab, "admin", "token")))) == (401, "Bad Credentials")
    assert envelope(anonymous.get(url)) == (401, "Authentication is required")
    unknown = {"Authorization": "Bearer x.y.z"}
    assert envelope(anonymous.get(url, headers=unknown)) == (401, "Props Authentication Token not found")


def test_anonymous_access_is_a_setting(lab: Lab) -> None:
    lab.configure(artifactory_anonymous=True)
    assert client(lab, "").get("/artifactory/api/system/version").status_code == 200


# --- access tokens ---


def new_token(lab: Lab, user: str = "admin", **fields: Any) -> dict[str, Any]:
    answer = client(lab, user).post(TOKENS, json=fields)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_a_token_names_its_user_and_expires_by_the_lab_s_clock(lab: Lab) -> None:
    made = new_token(lab, username="reader", expires_in=HOUR)
    assert (made["expires_in"], made["scope"], made["token_type"]) == (HOUR, "applied-permissions/user", "Bearer")
    claims = json.loads(base64.urlsafe_b64decode(made["access_token"].split(".")[1] + "=="))
    assert claims["sub"].startswith("jfac@") and claims["sub"].endswith("/users/reader")
    bearer = {"Authorization": f"Bearer {made['access_token']}"}
    anonymous = lab.client("artifactory")
    assert anonymous.get("/artifactory/api/system/version", headers=bearer).status_code == 200
    lab.advance(HOUR)
    answer = anonymous.get("/artifactory/api/system/version", headers=bearer)
    assert envelope(answer) == (401, "Token failed verification: expired")


def test_only_tokens_of_three_hours_or_more_are_kept(lab: Lab) -> None:
    short, long = new_token(lab, expires_in=3 * HOUR - 1), new_token(lab, expires_in=3 * HOUR, description="d")
    assert client(lab).get(f"{TOKENS}/{short['token_id']}").status_code == 404
    row = client(lab).get(f"{TOKENS}/{long['token_id']}").json()
    assert (row["description"], row["expiry"] - row["issued_at"]) == ("d", 3 * HOUR)
    listed = [row["token_id"] for row in client(lab).get(TOKENS).json()["tokens"]]
    assert long["token_id"] in listed and short["token_id"] not in listed


def test_a_revoked_token_is_refused(lab: Lab) -> None:
    made = new_token(lab)
    assert client(lab).delete(f"{TOKENS}/{made['token_id']}").status_code == 200
    bearer = {"Authorization": f"Bearer {made['access_token']}"}
    answer = lab.client("artifactory").get("/artifactory/api/system/version", headers=bearer)
    assert envelope(answer) == (401, "Token failed verification: revoked")
    assert client(lab).delete(f"{TOKENS}/{made['token_id']}").status_code == 404


def test_a_reference_token_has_64_characters_and_works_as_a_password(lab: Lab) -> None:
    made = new_token(lab, include_reference_token=True)
    assert len(made["reference_token"]) == 64
    credentials = ("admin", made["reference_token"])
    assert lab.client("artifactory").get("/artifactory/api/system/license", auth=credentials).status_code == 200


def test_a_form_makes_a_token_too_and_a_user_only_an_own_one(lab: Lab) -> None:
    form = {"username": "reader", "expires_in": "60"}
    assert client(lab, "reader").post(f"/artifactory{TOKENS}", data=form).json()["expires_in"] == 60
    assert envelope(client(lab, "reader").post(TOKENS, data={"username": "admin"})) == (403, "Forbidden")
    assert client(lab, "reader").post(TOKENS, json={"scope": "applied-permissions/admin"}).status_code == 403
    assert envelope(client(lab).post(TOKENS, json={"expires_in": "soon"})) == (400, "Invalid expires_in: soon")


def test_a_token_for_groups_may_do_what_they_may(lab: Lab) -> None:
    create(lab, "cgr", REMOTE)
    actions = {"users": {}, "groups": {"builds": ["READ", "WRITE"], "a, b": ["DELETE"]}}
    artifact = {"actions": actions, "targets": {"cgr": {}}}
    assert client(lab).post(PERMISSIONS, json={"name": "p", "resources": {"artifact": artifact}}).status_code == 201
    path = "/artifactory/cgr-cache/chainguard"
    for groups, status in (("other", 403), ("builds", 403), ('other,"a, b"', 404)):
        made = new_token(lab, username="puller", scope=f"applied-permissions/groups:{groups}")
        bearer = {"Authorization": f"Bearer {made['access_token']}"}
        assert lab.client("artifactory").delete(path, headers=bearer).status_code == status
    assert client(lab).post(TOKENS, json={"scope": "applied-permissions/groups:"}).status_code == 400


def test_seeded_tokens_outlive_a_reset(lab: Lab) -> None:
    lab.control("POST", "/reset")
    assert lab.control("GET", "/state")["artifactory"] == lab.state["artifactory"]


# --- repositories: reading ---


def test_a_get_holds_all_fields_in_order_and_leaves_null_out(lab: Lab) -> None:
    create(lab, "cgr", {**REMOTE, "enableTokenAuthentication": True, "username": "u"})
    answer = client(lab).get(f"{V1}/cgr")
    vendor = "application/vnd.org.jfrog.artifactory.repositories.RemoteRepositoryConfiguration+json"
    assert (answer.headers["content-type"], answer.headers["cache-control"]) == (vendor, "no-store")
    shown = answer.json()
    assert list(shown)[:2] == ["key", "packageType"] and list(shown)[-1] == "rclass"
    assert {**REMOTE, "key": "cgr", "enableTokenAuthentication": True, "password": "", "username": "u"}.items() <= (
        shown.items()
    )
    assert shown["pyPIRegistryUrl"] == "https://pypi.org"
    assert None not in shown.values() and "proxy" not in shown and "projectKey" not in shown


def test_v2_shows_what_is_relevant_and_says_type(lab: Lab) -> None:
    create(lab, "cgr", REMOTE)
    create(lab, "all", {**VIRTUAL, "repositories": ["cgr"]})
    shown = client(lab).get(f"{V2}/cgr").json()
    assert (shown["type"], shown["enableTokenAuthentication"]) == ("remote", False)
    assert not {"rclass", "pyPIRegistryUrl", "handleReleases", "enableDockerSupport"} & shown.keys()
    virtual = client(lab).get(f"{V2}/all").json()
    assert virtual["repositories"] == ["cgr"] and len(virtual) < 20
    assert envelope(client(lab).get(f"{V2}/no")) == (404, "The repository no was not found")


def test_an_unknown_key_is_a_bad_request(lab: Lab) -> None:
    create(lab, "cgr", REMOTE)
    for key in ("missing", "cgr-cache", "CGR"):
        assert envelope(client(lab).get(f"{V1}/{key}")) == (400, "Bad Request")
        assert client(lab).head(f"{V1}/{key}").status_code == 400
    assert client(lab).head(f"{V1}/cgr").status_code == 200


def test_a_password_is_shown_as_cipher_text_to_an_admin_only(lab: Lab) -> None:
    create(lab, "cgr", {**REMOTE, "username": "u", "password": "s3cret"})
    assert client(lab).get(f"{V1}/cgr").json()["password"].startswith("AM.")
    assert lab.control("GET", "/artifactory/repositories")["cgr"]["password"] == "s3cret"
    lab.configure(artifactory_encrypt_passwords=False)
    assert client(lab).get(f"{V1}/cgr").json()["password"] == "s3cret"


def test_others_than_admins_see_a_part(lab: Lab) -> None:
    create(lab, "cgr", {**REMOTE, "username": "u", "password": "p"})
    create(lab, "all", {**VIRTUAL, "repositories": ["cgr"]})
    common = {"packageType": "docker", "description": ""}
    remote, virtual = (client(lab, "reader").get(f"{V1}/{key}").json() for key in ("cgr", "all"))
    assert remote == {"key": "cgr", **common, "url": "https://cgr.dev/", "rclass": "remote"}
    assert virtual == {"key": "all", **common, "repositories": ["cgr"], "rclass": "virtual"}


def test_the_description_may_get_a_suffix(lab: Lab) -> None:
    create(lab, "cgr", {**REMOTE, "description": "mine"})
    lab.configure(artifactory_description_suffix=True)
    assert client(lab).get(f"{V1}/cgr").json()["description"] == "mine (local file cache)"


def test_a_disabled_proxy_is_not_shown(lab: Lab) -> None:
    create(lab, "cgr", {**REMOTE, "proxy": "squid"})
    assert client(lab).get(f"{V1}/cgr").json()["proxy"] == "squid"
    client(lab).post(f"{V1}/cgr", json={"disableProxy": True})
    assert "proxy" not in client(lab).get(f"{V1}/cgr").json()


def test_the_list_and_its_filters(lab: Lab) -> None:
    create(lab, "cgr", REMOTE)
    create(lab, "npm", {"rclass": "remote", "packageType": "npm", "url": "https://libraries.cgr.dev/javascript/"})
    create(lab, "files", {"rclass": "local"})
    create(lab, "all", {**VIRTUAL, "repositories": ["cgr"]})
    base = lab.state["artifactory"]["url"]
    rows = client(lab).get(V1).json()
    assert rows[0] == {
        "key": "cgr",
        "description": "",
        "type": "REMOTE",
        "url": "https://cgr.dev/",
        "packageType": "Docker",
    }
    assert rows[3] == {**rows[0], "key": "all", "type": "VIRTUAL", "url": f"{base}/artifactory/all"}

    def keys(user: str = "admin", **query: str) -> list[str]:
        return [row["key"] for row in client(lab, user).get(V1, params=query).json()]

    assert keys(type="remote") == ["cgr", "npm"]
    assert keys(packageType="docker") == ["cgr", "all"]
    assert keys(type="nonsense") == keys(packageType="nonsense") == []
    assert keys("reader") == ["cgr", "npm", "all"]


def test_configurations(lab: Lab) -> None:
    create(lab, "cgr", REMOTE)
    create(lab, "all", {**VIRTUAL, "repositories": ["cgr"]})
    url = f"{V1}/configurations"
    found = client(lab).get(url, params={"repoType": "remote,virtual", "packageType": "docker"}).json()
    assert list(found) == ["LOCAL", "REMOTE", "VIRTUAL", "FEDERATED", "RELEASE_BUNDLE"]
    assert [row["key"] for row in found["REMOTE"]] == ["cgr"] and found["VIRTUAL"][0]["type"] == "virtual"
    assert client(lab).get(url, params={"repoType": "local"}).json()["REMOTE"] == []
    assert envelope(client(lab, "reader").get(url)) == (403, "Forbidden")


# --- repositories: writing ---


def test_texts_of_success(lab: Lab) -> None:
    made = client(lab).put(f"{V1}/cgr", json=REMOTE)
    assert (made.status_code, made.text) == (200, "Successfully created repository 'cgr' \n")
    assert made.headers["content-type"].startswith("text/plain")
    changed = client(lab).post(f"{V1}/cgr", json={"notes": "n"})
    assert (changed.status_code, changed.text) == (200, "Repository cgr update successfully.")
    create(lab, "all", {**VIRTUAL, "repositories": ["cgr"]})
    assert client(lab).delete(f"{V1}/all").json()["statusMsg"] == "Repository 'all' has been removed successfully."
    removed = client(lab).delete(f"{V1}/cgr").json()
    message = "Repository 'cgr' and all its content have been removed successfully."
    assert removed == {"repoKey": "cgr", "statusMsg": message, "deletedArtifactsCount": 0, "success": True}


def test_an_older_version_tells_of_a_deletion_in_plain_text(lab: Lab) -> None:
    lab.configure(artifactory_version="7.77.3")
    create(lab, "all", VIRTUAL)
    assert client(lab).delete(f"{V1}/all").text == "Repository 'all' has been removed successfully."


def test_writes_to_unknown_keys(lab: Lab) -> None:
    assert envelope(client(lab).post(f"{V1}/no", json={})) == (400, "Bad Request")
    assert client(lab).delete(f"{V1}/no").status_code == 404


def test_only_admins_write(lab: Lab) -> None:
    create(lab, "cgr", REMOTE)
    manager = client(lab, "manager")
    for answer in (
        manager.put(f"{V1}/new", json=REMOTE),
        manager.post(f"{V1}/cgr", json={"notes": "n"}),
        manager.delete(f"{V1}/cgr"),
    ):
        assert envelope(answer) == (403, "Forbidden")
    text = "Only platform/project admins are allowed to update repositories"
    assert envelope(manager.post(f"{V2}/batch", json=[])) == (403, text)


@pytest.mark.parametrize("body", [b"{", b"[]", b'"text"'])
def test_a_body_that_is_no_object(lab: Lab, body: bytes) -> None:
    assert client(lab).put(f"{V1}/cgr", content=body).status_code == 400


def test_batches(lab: Lab) -> None:
    bodies = [{"key": key, **REMOTE} for key in ("a", "b")]
    made = client(lab).put(f"{V2}/batch", json=bodies)
    lines = "Successfully created repository 'a' \nSuccessfully created repository 'b' \n\n"
    assert (made.status_code, made.text) == (201, lines)
    assert client(lab).put(f"{V2}/batch", json=[]).text == ""
    changed = client(lab).post(f"{V2}/batch", json=[{"key": "a", "notes": "n"}])
    assert (changed.status_code, changed.text) == (200, "Repositories updated successfully.")
    assert client(lab).get(f"{V1}/a").json()["notes"] == "n"
    unknown = client(lab).post(f"{V2}/batch", json=[{"key": "a", "notes": "m"}, {"key": "no"}])
    assert (unknown.status_code, unknown.text) == (404, "No repositories found for the following keys: no")
    refused = client(lab).post(f"{V2}/batch", json=[{"key": "a", "notes": "m"}, {"key": "b", "url": ""}])
    assert envelope(refused) == (400, "Remote URL '' is not valid")
    assert client(lab).get(f"{V1}/a").json()["notes"] == "n"


def test_saving_can_take_time_one_after_the_other(lab: Lab) -> None:
    lab.configure(artifactory_save_seconds=0.2)
    begun = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        single = pool.submit(create, lab, "a", REMOTE)
        several = pool.submit(client(lab).put, f"{V2}/batch", json=[{"key": key, **REMOTE} for key in ("b", "c")])
        single.result()
        assert several.result().status_code == 201
    assert time.monotonic() - begun >= 0.6


@pytest.mark.parametrize("edition", ["jcr", "oss"])
def test_other_editions_refuse_repository_rest_but_not_the_list(lab: Lab, edition: str) -> None:
    create(lab, "cgr", REMOTE)
    lab.configure(artifactory_edition=edition)
    for method, url in (
        ("GET", f"{V1}/cgr"),
        ("PUT", f"{V1}/new"),
        ("POST", f"{V1}/cgr"),
        ("DELETE", f"{V1}/cgr"),
        ("GET", f"{V1}/configurations"),
        ("GET", f"{V2}/cgr"),
        ("PUT", f"{V2}/batch"),
    ):
        status, message = envelope(client(lab).request(method, url))
        assert status == 400 and message.startswith(PRO_ONLY)
    assert [row["key"] for row in client(lab).get(V1).json()] == ["cgr"]


@pytest.mark.parametrize(
    ("version", "method", "url", "status"),
    [
        ("7.61.2", "GET", f"{V1}/configurations", 404),
        ("7.61.3", "GET", f"{V1}/configurations", 200),
        ("7.84.2", "PUT", f"{V2}/batch", 404),
        ("7.84.3", "PUT", f"{V2}/batch", 201),
        ("7.104.1", "POST", f"{V2}/batch", 404),
        ("7.104.2", "POST", f"{V2}/batch", 200),
        ("7.71.9", "GET", PERMISSIONS, 404),
        ("7.72.0", "GET", PERMISSIONS, 200),
    ],
)
def test_what_came_with_which_version(lab: Lab, version: str, method: str, url: str, status: int) -> None:
    lab.configure(artifactory_version=version)
    assert client(lab).request(method, url, json=[]).status_code == status


def test_the_control_api_changes_fields_past_all_rules(lab: Lab) -> None:
    create(lab, "cgr", REMOTE)
    lab.control("POST", "/artifactory/repositories/cgr", {"password": "x", "url": "nonsense"})
    assert client(lab).get(f"{V1}/cgr").json()["url"] == "nonsense"
    assert lab.control("GET", "/artifactory/repositories")["cgr"]["password"] == "x"
    answer = lab.client("control").post("/artifactory/repositories/cgr", json={"typo": 1})
    assert (answer.status_code, answer.json()) == (400, {"error": "unknown: typo"})


# --- permissions ---


def test_access_permissions(lab: Lab) -> None:
    create(lab, "cgr", REMOTE)
    artifact = {"actions": {"users": {"u": ["READ"]}}, "targets": {"cgr": {"include_patterns": ["**"]}}}
    assert client(lab).post(PERMISSIONS, json={"name": "p", "resources": {"artifact": artifact}}).status_code == 201
    assert client(lab).post(PERMISSIONS, json={"name": "p", "resources": {"artifact": artifact}}).status_code == 409
    shown = client(lab).get(f"{PERMISSIONS}/p").json()
    assert shown == {
        "name": "p",
        "created_by": "admin",
        "modified_by": "admin",
        "resources": {
            "artifact": {
                "actions": {"users": {"u": ["READ"]}, "groups": {}},
                "targets": {"cgr": {"include_patterns": ["**"], "exclude_patterns": []}},
            }
        },
    }
    assert "p" in [row["name"] for row in client(lab).get(f"{PERMISSIONS}/").json()["permissions"]]
    artifact["actions"] = {"groups": {"g": ["READ", "WRITE"]}}
    assert client(lab).put(f"{PERMISSIONS}/p/artifact", json=artifact).status_code == 200
    shown = client(lab).get(f"{PERMISSIONS}/p").json()["resources"]["artifact"]
    assert shown["actions"] == {"users": {}, "groups": {"g": ["READ", "WRITE"]}}
    build = {"actions": {"users": {"u": ["READ"]}}, "targets": {"artifactory-build-info": {}}}
    assert client(lab).put(f"{PERMISSIONS}/p/build", json=build).status_code == 200
    assert client(lab).put(f"{PERMISSIONS}/p/nonsense", json=build).status_code == 400
    assert client(lab).delete(f"{PERMISSIONS}/p/artifact").status_code == 204
    assert list(lab.control("GET", "/artifactory/permissions")["p"]) == ["build"]
    assert client(lab).delete(f"{PERMISSIONS}/p").status_code == 204
    assert client(lab).get(f"{PERMISSIONS}/p").status_code == 404


@pytest.mark.parametrize(
    ("artifact", "message"),
    [
        ({"targets": {}}, "Targets must not be empty"),
        ({"targets": {"no": {}}}, "Repository 'no' does not exist"),
        ({"targets": {"ANY": {}}, "actions": {"users": {"u": ["LOOK"]}}}, "Unknown actions: LOOK"),
    ],
)
def test_permissions_that_are_refused(lab: Lab, artifact: dict[str, Any], message: str) -> None:
    body = {"name": "p", "resources": {"artifact": artifact}}
    assert envelope(client(lab).post(PERMISSIONS, json=body)) == (400, message)
    assert client(lab, "manager").post(PERMISSIONS, json=body).status_code == 403


def test_the_classic_api_shows_the_same_permissions(lab: Lab) -> None:
    url = "/artifactory/api/v2/security/permissions/p"
    section = {
        "include-patterns": ["a/**"],
        "exclude-patterns": [""],
        "repositories": ["ANY REMOTE"],
        "actions": {"users": {"u": ["read", "write"]}, "groups": {}},
    }
    body = {"name": "p", "repo": section}
    assert client(lab).post(url, json=body).status_code == 201
    assert client(lab).post(url, json=body).status_code == 409
    assert client(lab).head(url).status_code == 200
    assert client(lab).get(url).json() == {"name": "p", "repo": {**section, "exclude-patterns": []}}
    resource = client(lab).get(f"{PERMISSIONS}/p").json()["resources"]["artifact"]
    assert resource["actions"]["users"] == {"u": ["READ", "WRITE"]}
    build = {**section, "exclude-patterns": [], "repositories": ["artifactory-build-info"]}
    assert client(lab).put(url, json={"name": "p", "build": build}).status_code == 200
    assert client(lab).get(url).json() == {"name": "p", "build": build}
    assert list(lab.control("GET", "/artifactory/permissions")["p"]) == ["build"]
    assert client(lab).delete(url).status_code == 200
    assert client(lab).head(url).status_code == 404
