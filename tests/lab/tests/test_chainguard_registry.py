# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry: credentials, pulls and errors.

See facts/chainguard.md#registry and facts/registry.md#what-a-failed-pull-can-mean.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from lab import images
from lab.chainguard import jwt
from lab.packages import charts
from lab.simulator import BLOBS_HOST

from .conftest import HOUR, Lab, PullToken

CreatePullToken = Callable[..., PullToken]
ACCEPT = {"Accept": f"{images.INDEX}, {images.MANIFEST}"}
CGR = {"Host": "cgr.dev"}


def log_in(lab: Lab, repository: str = "", credentials: tuple[str, str] | None = None) -> httpx.Response:
    scope = {"scope": f"repository:{repository}:pull"} if repository else {}
    return lab.registry.get("/token", params={"service": "cgr.dev", **scope}, auth=credentials)


def bearer(response: httpx.Response) -> dict[str, str]:
    assert response.status_code == 200, response.text
    return {"Authorization": f"Bearer {response.json()['token']}"}


def assert_error(response: httpx.Response, status: int, code: str, *words: str) -> None:
    (error,) = response.json()["errors"]
    assert (response.status_code, error["code"]) == (status, code), response.text
    for word in words:
        assert word in error["message"]


@pytest.fixture
def nginx(lab: Lab, pull_token: CreatePullToken) -> dict[str, str]:
    """The Authorization header for example.com/nginx."""
    return bearer(log_in(lab, "example.com/nginx", pull_token().credentials))


# --- challenge and token -------------------------------------------------------------------------------------------


def test_challenge(lab: Lab) -> None:
    by_name = lab.registry.get("/v2/", headers=CGR)
    assert_error(by_name, 401, "UNAUTHORIZED")
    assert by_name.headers["www-authenticate"] == 'Bearer realm="https://cgr.dev/token",service="cgr.dev"'
    address = lab.state["chainguard"]["registry_url"]
    here = lab.registry.get("/v2/example.com/nginx/manifests/latest").headers["www-authenticate"]
    service, scope = address.removeprefix("https://"), "repository:example.com/nginx:pull"
    assert here == f'Bearer realm="{address}/token",service="{service}",scope="{scope}"'


def test_anonymous_pulls_public_images(lab: Lab) -> None:
    token = bearer(log_in(lab, "chainguard/go"))
    assert lab.registry.get("/v2/", headers=token).status_code == 200
    path = "/v2/chainguard/go"
    assert lab.registry.get(f"{path}/tags/list", headers=token).json()["tags"] == ["latest", "latest-dev"]
    assert lab.registry.get(f"{path}/manifests/latest", headers=token | ACCEPT).status_code == 200
    assert_error(lab.registry.get(f"{path}/manifests/1.25", headers=token | ACCEPT), 404, "MANIFEST_UNKNOWN")


def test_pull_token_sees_all_tags(lab: Lab, pull_token: CreatePullToken, nginx: dict[str, str]) -> None:
    tags = lab.registry.get("/v2/example.com/nginx/tags/list", headers=nginx).json()
    assert tags == {"name": "example.com/nginx", "tags": sorted(images.CATALOG["example.com/nginx"].tags)}
    public = bearer(log_in(lab, "chainguard/go", pull_token().credentials))
    assert "1.25" in lab.registry.get("/v2/chainguard/go/tags/list", headers=public).json()["tags"]


def test_errors_of_the_token_service(lab: Lab, pull_token: CreatePullToken) -> None:
    token = pull_token()
    assert_error(log_in(lab, "example.com/nginx"), 401, "UNAUTHORIZED", "Authentication required")
    assert_error(
        log_in(lab, "exmaple.com/nginx", token.credentials), 400, "BAD_REQUEST", "unable to resolve exmaple.com"
    )
    assert_error(log_in(lab, "other.example.org/nginx", token.credentials), 403, "FORBIDDEN", "Forbidden")
    assert_error(log_in(lab, "chainguard/nothing"), 403, "FORBIDDEN", "Forbidden")
    for credentials in (
        ("me@example.com", token.password),
        (token.username, "wrong"),
        pull_token(role="apk.pull").credentials,
    ):
        assert_error(log_in(lab, "example.com/nginx", credentials), 403, "FORBIDDEN", "Forbidden")
    assert_error(log_in(lab), 403, "FORBIDDEN", "Forbidden")
    assert log_in(lab, "", token.credentials).status_code == 200


def test_pull_token_expires(lab: Lab, pull_token: CreatePullToken) -> None:
    token = pull_token(ttl=HOUR)
    lab.advance(HOUR - 30)
    assert log_in(lab, "example.com/nginx", token.credentials).status_code == 200
    lab.advance(60)
    assert_error(
        log_in(lab, "example.com/nginx", token.credentials), 400, "BAD_REQUEST", "this identity's keys have expired"
    )
    assert_error(log_in(lab, "", token.credentials), 403, "FORBIDDEN", "Forbidden")


@pytest.mark.parametrize(("checks_identity", "status"), [(False, 200), (True, 401)])
def test_bearer_token_of_a_deleted_identity(
    lab: Lab, pull_token: CreatePullToken, checks_identity: bool, status: int
) -> None:
    lab.configure(registry_checks_identity=checks_identity)
    token = pull_token()
    headers = bearer(log_in(lab, "example.com/nginx", token.credentials))
    assert lab.registry.get("/v2/example.com/nginx/tags/list", headers=headers).status_code == 200
    assert lab.api().delete(f"/iam/v2/identities/{token.username}").status_code == 200
    assert lab.registry.get("/v2/example.com/nginx/tags/list", headers=headers).status_code == status


def test_pull_token_and_identity_with_different_expiry(lab: Lab, pull_token: CreatePullToken) -> None:
    now = int(lab.simulator.clock.now())
    long_token, short_token = pull_token(exp=now + 9 * HOUR), pull_token(exp=now + 60)
    lab.advance(120)
    assert log_in(lab, "example.com/nginx", long_token.credentials).status_code == 200
    assert_error(log_in(lab, "example.com/nginx", short_token.credentials), 403, "FORBIDDEN")
    lab.advance(HOUR)
    assert_error(log_in(lab, "example.com/nginx", long_token.credentials), 400, "BAD_REQUEST", "expired")


@pytest.mark.parametrize("how", ["api", "control"])
def test_revoked_pull_token(lab: Lab, pull_token: CreatePullToken, how: str) -> None:
    token = pull_token()
    issued = bearer(log_in(lab, "example.com/nginx", token.credentials))
    if how == "api":
        assert lab.api().delete(f"/iam/v2/identities/{token.username}").status_code == 200
    else:
        lab.control("POST", "/chainguard/identities/revoke", {"uid": token.username})
        assert lab.client("control").post("/chainguard/identities/revoke", json={"uid": "x"}).status_code == 400
    assert_error(log_in(lab, "example.com/nginx", token.credentials), 403, "FORBIDDEN", "Forbidden")
    path = "/v2/example.com/nginx/tags/list"
    assert lab.registry.get(path, headers=issued).status_code == 200, "a token that was issued before remains valid"
    lab.advance(301)
    assert_error(lab.registry.get(path, headers=issued), 401, "UNAUTHORIZED")


def test_signature_of_the_pull_token_is_verified(lab: Lab, pull_token: CreatePullToken) -> None:
    token = pull_token()
    claims = json.loads(jwt.decode(token.password.split(".")[1]))
    forged = jwt.sign(rsa.generate_private_key(public_exponent=65537, key_size=2048), claims)
    assert_error(log_in(lab, "example.com/nginx", (token.username, forged)), 403, "FORBIDDEN")


def test_token_is_valid_for_one_repository(lab: Lab, nginx: dict[str, str]) -> None:
    assert_error(lab.registry.get("/v2/example.com/python/tags/list", headers=nginx), 403, "FORBIDDEN")
    assert_error(lab.registry.get("/v2/_catalog", headers=nginx), 403, "FORBIDDEN")


def test_token_of_the_sts(lab: Lab) -> None:
    workload = lab.state["chainguard"]["workload"]
    client = lab.client("api", workload["oidc_token"])
    tokens = {
        audience: client.post("/sts/exchange", data={"aud": audience, "identity": workload["identity"]}).json()["token"]
        for audience in ("cgr.dev", "apk.cgr.dev")
    }
    path = "/v2/example.com/nginx/tags/list"
    assert lab.client("registry", tokens["cgr.dev"]).get(path).status_code == 200
    assert_error(lab.client("registry", tokens["apk.cgr.dev"]).get(path), 403, "FORBIDDEN")
    assert log_in(lab, "example.com/nginx", ("_token", tokens["cgr.dev"])).status_code == 200
    for password in (tokens["apk.cgr.dev"], "rubbish"):
        assert_error(log_in(lab, "example.com/nginx", ("_token", password)), 403, "FORBIDDEN")
    assert_error(lab.client("registry", "rubbish").get(path), 401, "UNAUTHORIZED")


# --- manifests -----------------------------------------------------------------------------------------------------


def test_manifest_by_tag_and_digest(lab: Lab, nginx: dict[str, str]) -> None:
    path, build = "/v2/example.com/nginx/manifests", images.build("example.com/nginx", "1.27")
    index = lab.registry.get(f"{path}/1.27", headers=nginx | ACCEPT)
    assert index.content == build.manifests[0].body
    assert index.headers["docker-content-digest"] == build.digest == f"sha256:{sha256(index.content).hexdigest()}"
    assert index.headers["content-type"] == images.INDEX
    head = lab.registry.head(f"{path}/{build.digest}", headers=nginx | ACCEPT)
    assert (head.headers["docker-content-digest"], head.headers["content-length"], head.content) == (
        build.digest,
        str(len(index.content)),
        b"",
    )
    platform = lab.registry.get(f"{path}/{build.manifests[1].digest}", headers=nginx | ACCEPT)
    assert platform.headers["content-type"] == images.MANIFEST
    assert_error(lab.registry.get(f"{path}/nothing", headers=nginx | ACCEPT), 404, "MANIFEST_UNKNOWN")


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("*/*", 200),
        (f"{images.INDEX};q=0.5", 200),
        (images.MANIFEST, 404),
        ("application/vnd.docker.distribution.manifest.v2+json", 404),
    ],
)
def test_accept(lab: Lab, nginx: dict[str, str], accept: str, status: int) -> None:
    response = lab.registry.get("/v2/example.com/nginx/manifests/latest", headers=nginx | {"Accept": accept})
    assert response.status_code == status
    if status == 404:
        assert_error(
            response, 404, "MANIFEST_UNKNOWN", "OCI index found, but accept header does not support OCI indexes"
        )


def test_publishing_a_new_build(lab: Lab, nginx: dict[str, str]) -> None:
    path = "/v2/example.com/nginx/manifests/latest"
    before = lab.registry.get(path, headers=nginx | ACCEPT).headers["docker-content-digest"]
    new = [
        lab.control("POST", "/chainguard/images", {"name": "example.com/nginx", "tag": "latest"})
        for _ignored in range(2)
    ]
    assert len({before, *(published["digest"] for published in new)}) == 3
    assert lab.registry.get(path, headers=nginx | ACCEPT).headers["docker-content-digest"] == new[1]["digest"]
    old = lab.registry.get(f"/v2/example.com/nginx/manifests/{before}", headers=nginx | ACCEPT)
    assert old.status_code == 200, "digests stay"
    history = lab.registry.get("/v2/example.com/nginx/_chainguard/history/latest", headers=nginx).json()["history"]
    assert [record["digest"] for record in history] == [before, *(published["digest"] for published in new)]


def test_publishing_an_image_that_does_not_exist(lab: Lab) -> None:
    published = lab.control("POST", "/chainguard/images", {"name": "chainguard/new", "tag": "latest"})
    anonymous = lab.registry.get(
        "/token", params={"scope": "repository:chainguard/new:pull", "service": "cgr.dev"}
    ).json()
    headers = ACCEPT | {"Authorization": f"Bearer {anonymous['token']}"}
    response = lab.registry.get("/v2/chainguard/new/manifests/latest", headers=headers)
    assert (response.status_code, response.headers["docker-content-digest"]) == (200, published["digest"])


# --- blobs ---------------------------------------------------------------------------------------------------------


def test_blob_is_on_another_host(lab: Lab, nginx: dict[str, str]) -> None:
    blob = images.build("example.com/nginx", "latest").blobs[1]
    path = f"/v2/example.com/nginx/blobs/{blob.digest}"
    response = lab.registry.get(path, headers=nginx)
    assert response.status_code == 302
    location = httpx.URL(response.headers["location"])
    assert (location.host, str(location.copy_with(raw_path=b"/"))) == (
        "localhost",
        f"{lab.simulator.addresses['blobs']}/",
    )
    assert httpx.URL(lab.registry.get(path, headers=nginx | CGR).headers["location"]).host == BLOBS_HOST
    store = lab.client("blobs")
    assert store.get(location).content == blob.body
    assert store.head(location).status_code == 403, "it is signed for GET"
    with_credentials = store.get(location, headers=nginx)
    assert (with_credentials.status_code, "Only one auth mechanism allowed" in with_credentials.text) == (400, True)
    assert store.get(location.copy_remove_param("X-Amz-Signature")).status_code == 403
    lab.advance(601)
    assert store.get(location).status_code == 403


def test_head_of_a_blob_is_redirected_or_served(lab: Lab, nginx: dict[str, str]) -> None:
    blob = images.build("example.com/nginx", "latest").blobs[1]
    path = f"/v2/example.com/nginx/blobs/{blob.digest}"
    assert lab.registry.head(path, headers=nginx).status_code == 302
    lab.configure(registry_blob_head="served")
    head = lab.registry.head(path, headers=nginx)
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(blob.body)))
    assert head.headers["docker-content-digest"] == blob.digest
    assert lab.registry.get(path, headers=nginx).status_code == 302


def test_ranges_of_a_blob(lab: Lab, nginx: dict[str, str]) -> None:
    blob = images.build("example.com/nginx", "latest").blobs[1]
    location = lab.registry.get(f"/v2/example.com/nginx/blobs/{blob.digest}", headers=nginx).headers["location"]
    size = len(blob.body)
    for byte_range, start, stop in (("0-9", 0, 10), (f"{size - 5}-", size - 5, size), ("-7", size - 7, size)):
        part = lab.client("blobs").get(location, headers={"Range": f"bytes={byte_range}"})
        assert (part.status_code, part.content) == (206, blob.body[start:stop])
        assert part.headers["content-range"] == f"bytes {start}-{stop - 1}/{size}"
    assert lab.client("blobs").get(location, headers={"Range": f"bytes={size}-"}).status_code == 416


def test_blob_of_another_repository(lab: Lab, nginx: dict[str, str]) -> None:
    other = images.build("example.com/python", "latest").blobs[1]
    assert_error(lab.registry.get(f"/v2/example.com/nginx/blobs/{other.digest}", headers=nginx), 404, "BLOB_UNKNOWN")


def test_real_host_names_lead_to_the_lab(lab: Lab) -> None:
    async def fetch() -> tuple[httpx.Response, httpx.Response]:
        """Send requests on the lab's event loop, with the client of the simulated Artifactory."""
        token = bearer(await lab.simulator.http.get("https://cgr.dev/token?scope=repository:chainguard/go:pull"))
        digest = images.build("chainguard/go", "latest").blobs[0].digest
        redirect = await lab.simulator.http.get(f"https://cgr.dev/v2/chainguard/go/blobs/{digest}", headers=token)
        return redirect, await lab.simulator.http.get(redirect.headers["location"])

    redirect, blob = asyncio.run_coroutine_threadsafe(fetch(), lab._loop).result(10)
    assert redirect.headers["location"].startswith(f"https://{BLOBS_HOST}/")
    assert blob.content == images.build("chainguard/go", "latest").blobs[0].body


# --- lists ---------------------------------------------------------------------------------------------------------


def test_tags_in_pages(lab: Lab, nginx: dict[str, str]) -> None:
    path, pages = "/v2/example.com/nginx/tags/list?n=3", []
    while path:
        response = lab.registry.get(path, headers=nginx)
        pages.append(response.json()["tags"])
        path = response.links["next"]["url"] if response.links else ""
    assert [len(page) for page in pages] == [3, 3, 1]
    assert sum(pages, []) == sorted(images.CATALOG["example.com/nginx"].tags)
    assert_error(
        lab.registry.get("/v2/example.com/nginx/tags/list?n=x", headers=nginx), 400, "PAGINATION_NUMBER_INVALID"
    )


def test_catalog(lab: Lab, pull_token: CreatePullToken) -> None:
    query = {"scope": "registry:catalog:*"}
    token = bearer(lab.registry.get("/token", params=query, auth=pull_token().credentials))
    names = lab.registry.get("/v2/_catalog", headers=token).json()["repositories"]
    assert names == sorted([*images.CATALOG, *charts.CATALOG])
    assert_error(lab.registry.get("/token", params=query), 401, "UNAUTHORIZED")


def test_without_a_signature_referrers_are_an_empty_index(lab: Lab, nginx: dict[str, str]) -> None:
    digest = images.build("example.com/nginx", "latest").digest
    response = lab.registry.get(f"/v2/example.com/nginx/referrers/{digest}", headers=nginx)
    assert response.json() == {"schemaVersion": 2, "mediaType": images.INDEX, "manifests": []}
    assert response.headers["content-type"] == images.INDEX


def test_a_signature_is_a_referrer(lab: Lab, nginx: dict[str, str]) -> None:
    subject = images.build("example.com/nginx", "latest").digest
    signature = lab.control("POST", "/chainguard/signatures", {"name": "example.com/nginx", "tag": "latest"})["digest"]
    (listed,) = lab.registry.get(f"/v2/example.com/nginx/referrers/{subject}", headers=nginx).json()["manifests"]
    assert (listed["digest"], listed["artifactType"]) == (signature, images.BUNDLE)
    body = lab.registry.get(f"/v2/example.com/nginx/manifests/{signature}", headers=nginx | ACCEPT).json()
    assert body["subject"]["digest"] == subject
    for blob in (body["config"], *body["layers"]):
        location = lab.registry.get(f"/v2/example.com/nginx/blobs/{blob['digest']}", headers=nginx).headers["location"]
        assert len(lab.client("blobs").get(location).content) == blob["size"]


def test_pushes_are_rejected(lab: Lab, nginx: dict[str, str]) -> None:
    for method, path in (("PUT", "manifests/latest"), ("DELETE", "manifests/latest"), ("POST", "blobs/uploads/")):
        response = lab.registry.request(method, f"/v2/example.com/nginx/{path}", headers=nginx)
        assert response.status_code in (404, 405), path
    assert_error(lab.registry.put("/v2/example.com/nginx/manifests/latest", headers=nginx), 405, "UNSUPPORTED")


def test_kinds_in_the_request_log(lab: Lab, nginx: dict[str, str]) -> None:
    lab.control("DELETE", "/request_log")
    digest = images.build("example.com/nginx", "latest").blobs[0].digest
    bearer(log_in(lab, "chainguard/go"))
    lab.registry.get("/v2/example.com/nginx/manifests/latest", headers=nginx | ACCEPT)
    lab.client("blobs").get(
        lab.registry.get(f"/v2/example.com/nginx/blobs/{digest}", headers=nginx).headers["location"]
    )
    kinds: list[tuple[Any, ...]] = [(entry["service"], entry["kind"], entry["status"]) for entry in lab.request_log()]
    assert kinds == [
        ("registry", "registry.token", 200),
        ("registry", "registry.manifest", 200),
        ("registry", "registry.blob", 302),
        ("blobs", "blobs.get", 200),
    ]
    assert lab.request_log("blobs.get")[0]["query"]["X-Amz-Signature"] == "***"


# --- charts --------------------------------------------------------------------------------------------------------


def test_a_chart_is_pulled_like_an_image(lab: Lab, pull_token: CreatePullToken) -> None:
    (name,) = charts.CATALOG
    token = bearer(log_in(lab, name, pull_token().credentials))
    assert lab.registry.get(f"/v2/{name}/tags/list", headers=token).json()["tags"] == ["1.0.0", "1.1.0"]
    manifest = lab.registry.get(f"/v2/{name}/manifests/1.0.0", headers=token | ACCEPT).json()
    (layer,) = manifest["layers"]
    assert (manifest["config"]["mediaType"], layer["mediaType"]) == (charts.CONFIG, charts.CHART)
    location = lab.registry.get(f"/v2/{name}/blobs/{layer['digest']}", headers=token).headers["location"]
    assert f"sha256:{sha256(lab.client('blobs').get(location).content).hexdigest()}" == layer["digest"]


def test_a_chart_needs_a_pull_token(lab: Lab) -> None:
    (name,) = charts.CATALOG
    assert_error(log_in(lab, name), 401, "UNAUTHORIZED")


def test_the_api_lists_charts_in_a_folder_of_the_organization(lab: Lab) -> None:
    def below(uid: str, path: str) -> list[dict[str, Any]]:
        response = lab.api().get(path, params={"uidp.childrenOf": uid}).json()
        return list(response[path.rpartition("/")[2]])

    assert {repo["name"] for repo in below(lab.org, "/registry/v2/repos")} == {"nginx", "python", "jdk"}
    (folder,) = (group for group in below(lab.org, "/iam/v2/groups") if group["name"] == "iamguarded-charts")
    (chart,) = below(folder["uid"], "/registry/v2/repos")
    old, new = sorted(below(chart["uid"], "/registry/v2/tags"), key=lambda tag: str(tag["updateTime"]))
    assert (chart["name"], old["name"], new["name"]) == ("lab-greeting", "1.0.0", "1.1.0")
    assert new["updateTime"] == chart["updateTime"] > old["updateTime"]
