# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pulls through the simulated Artifactory from the simulated cgr.dev: requests, caches and errors."""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import httpx
import pytest

from lab.packages import charts

from .conftest import HOUR, Lab, PullToken
from .test_artifactory_rest import REMOTE, V1, VIRTUAL, client, create, envelope, new_token, secret

INTERNAL = "/artifactory/api/docker/{key}/v2"
PUBLIC, PRIVATE = "chainguard/wolfi-base", "example.com/nginx"
MANIFEST_UNKNOWN = {
    "code": "MANIFEST_UNKNOWN",
    "message": "The named manifest is not known to the registry.",
    "detail": {"manifest": PUBLIC},
}
REGISTRY = {"service": "registry"}
CreatePullToken = Callable[..., PullToken]


@pytest.fixture
def public(lab: Lab) -> str:
    create(lab, "cgr", {**REMOTE, "enableTokenAuthentication": True})
    return "cgr"


@pytest.fixture
def private(lab: Lab, pull_token: CreatePullToken) -> PullToken:
    """The pull token of the remote repository `prv`."""
    token = pull_token()
    credentials = {"username": token.username, "password": token.password}
    create(lab, "prv", {**REMOTE, "enableTokenAuthentication": True, **credentials})
    return token


def manifest(lab: Lab, key: str, image: str = PUBLIC, ref: str = "latest", user: str = "puller") -> httpx.Response:
    return client(lab, user).get(f"/v2/{key}/{image}/manifests/{ref}", headers={"Accept": "application/json"})


def blob(lab: Lab, key: str, digest: str, image: str = PUBLIC, user: str = "puller") -> httpx.Response:
    return client(lab, user).get(f"/v2/{key}/{image}/blobs/{digest}")


def layers(lab: Lab, key: str, image: str = PUBLIC) -> list[str]:
    """Pull the manifest of the first platform, and return the digests of its config and layers."""
    child = manifest(lab, key, image, manifest(lab, key, image).json()["manifests"][0]["digest"]).json()
    return [child["config"]["digest"], *(layer["digest"] for layer in child["layers"])]


def error(response: httpx.Response) -> dict[str, Any]:
    (problem,) = response.json()["errors"]
    return dict(problem)


def change(lab: Lab, key: str, **fields: Any) -> None:
    """Change the configuration without a restart."""
    lab.control("POST", f"/artifactory/repositories/{key}", fields)


def count_requests(lab: Lab, key: str) -> dict[str, int]:
    return dict(lab.control("GET", "/artifactory/upstream")[key])


def publish(lab: Lab, image: str = PUBLIC) -> str:
    return str(lab.control("POST", "/chainguard/images", {"name": image, "tag": "latest"})["digest"])


# --- challenge and token ---


@pytest.mark.parametrize(
    ("path", "realm", "scope"),
    [
        ("/v2/", "/v2/token", ""),
        (f"{INTERNAL}/", f"{INTERNAL}/token", ""),
        ("/v2/cgr/a/b/manifests/latest", f"{INTERNAL}/token", "repository:a/b:pull"),
        (f"{INTERNAL}/a/b/blobs/sha256:00", f"{INTERNAL}/token", "repository:a/b:pull"),
    ],
)
def test_challenge(lab: Lab, public: str, path: str, realm: str, scope: str) -> None:
    base = lab.state["artifactory"]["url"]
    response = lab.client("artifactory").get(path.format(key=public))
    expected = f'Bearer realm="{base}{realm.format(key=public)}",service="{base.partition("://")[2]}"'
    assert response.headers["www-authenticate"] == expected + (f',scope="{scope}"' if scope else "")
    assert response.text == '{"errors":[{"code":"UNAUTHORIZED","message":"authentication required","detail":null}]}'
    assert response.headers["content-type"] == "application/json;charset=ISO-8859-1"
    assert response.headers["docker-distribution-api-version"] == "registry/2.0"


def test_challenge_of_a_default_port_names_it(lab: Lab) -> None:
    response = lab.client("artifactory").get("/v2/", headers={"Host": "acme.jfrog.io"})
    assert (
        response.headers["www-authenticate"]
        == 'Bearer realm="https://acme.jfrog.io:443/v2/token",service="acme.jfrog.io:443"'
    )


def test_a_subdomain_is_the_address_of_one_repository(lab: Lab, public: str) -> None:
    lab.configure(artifactory_path_method=False)
    assert lab.client("artifactory").get("/v2/").status_code == 400
    response = lab.client("artifactory").get("/v2/", headers={"Host": f"{public}.jfrog.io"})
    realm = f"https://{public}.jfrog.io:443{INTERNAL.format(key=public)}/token"
    assert response.headers["www-authenticate"] == f'Bearer realm="{realm}",service="{public}.jfrog.io:443"'


@pytest.mark.parametrize("path", ["/v2/token", f"{INTERNAL}/token"])
def test_token_service(lab: Lab, public: str, path: str) -> None:
    url, credentials = path.format(key=public), ("puller", secret(lab, "puller", "password"))
    response = lab.client("artifactory").get(
        url, params={"service": "s", "scope": "repository:x:pull"}, auth=credentials
    )
    assert response.json().keys() == {"token", "expires_in"} and response.json()["expires_in"] == 9000
    bearer = {"Authorization": f"Bearer {response.json()['token']}"}
    pull = f"/v2/cgr/{PUBLIC}/manifests/latest"
    assert lab.client("artifactory").get(pull, headers=bearer).status_code == 200
    lab.advance(9000)
    assert lab.client("artifactory").get(pull, headers=bearer).headers["www-authenticate"].startswith("Bearer ")
    assert envelope(lab.client("artifactory").get(url)) == (401, "Authentication is required")
    assert envelope(lab.client("artifactory").get(url, auth=("puller", "no"))) == (401, "Bad Credentials")
    assert lab.client("artifactory").post(url, auth=credentials).status_code == 401


def test_basic_is_accepted_everywhere(lab: Lab, public: str) -> None:
    anonymous, credentials = lab.client("artifactory"), ("puller", secret(lab, "puller", "password"))
    for path in ("/v2/", f"/v2/{public}/{PUBLIC}/manifests/latest", f"{INTERNAL}/".format(key=public)):
        assert anonymous.get(path, auth=credentials).status_code == 200
    assert anonymous.get("/v2/", auth=("puller", "wrong")).headers["www-authenticate"].startswith("Basic ")


def test_anonymous_pulls_are_a_setting(lab: Lab, public: str) -> None:
    lab.configure(artifactory_anonymous=True)
    anonymous = lab.client("artifactory")
    token = anonymous.get("/v2/token").json()["token"]
    bearer = {"Authorization": f"Bearer {token}"}
    assert anonymous.get(f"/v2/{public}/{PUBLIC}/manifests/latest", headers=bearer).status_code == 200
    assert anonymous.get(f"/v2/{public}/{PUBLIC}/manifests/latest").status_code == 200
    client(lab).delete("/access/api/v2/permissions/Any Remote")
    assert anonymous.get(f"/v2/{public}/{PUBLIC}/manifests/latest").status_code == 401


# --- pulls ---


@pytest.mark.parametrize("base", ["/v2/cgr", INTERNAL.format(key="cgr")])
def test_a_public_image_end_to_end(lab: Lab, public: str, base: str) -> None:
    http = client(lab, "puller")
    index = http.get(f"{base}/{PUBLIC}/manifests/latest")
    digest = f"sha256:{sha256(index.content).hexdigest()}"
    sent = {name: index.headers[name] for name in ("content-type", "docker-content-digest", "x-artifactory-filename")}
    assert sent == {
        "content-type": "application/vnd.oci.image.index.v1+json",
        "docker-content-digest": digest,
        "x-artifactory-filename": "list.manifest.json",
    }
    assert index.headers["x-artifactory-origin-remote-path"] == f"https://cgr.dev/v2/{PUBLIC}/manifests/latest"
    assert index.headers["x-checksum-sha256"] == digest.removeprefix("sha256:")
    assert re.fullmatch("[0-9a-f]{40}", index.headers["etag"])
    for descriptor in index.json()["manifests"]:
        child = http.get(f"{base}/{PUBLIC}/manifests/{descriptor['digest']}")
        assert f"sha256:{sha256(child.content).hexdigest()}" == descriptor["digest"]
        for part in (child.json()["config"], *child.json()["layers"]):
            data = http.get(f"{base}/{PUBLIC}/blobs/{part['digest']}")
            assert f"sha256:{sha256(data.content).hexdigest()}" == part["digest"]
            assert data.headers["content-disposition"] == f'attachment; filename="{part["digest"].replace(":", "__")}"'


def test_a_private_image_needs_the_pull_token(lab: Lab, public: str, private: PullToken) -> None:
    config, *others = layers(lab, "prv", PRIVATE)
    assert blob(lab, "prv", config, PRIVATE).json()["os"] == "linux"
    assert [blob(lab, "prv", digest, PRIVATE).status_code for digest in others] == [200] * len(others)
    assert manifest(lab, public, PRIVATE).status_code == 404
    answered = [entry for entry in lab.request_log("registry.manifest") if entry["status"] == 200]
    assert {entry["user"] for entry in answered} == {private.username}


def test_credentials_do_not_follow_a_redirect_to_another_host(lab: Lab, private: PullToken) -> None:
    digests = layers(lab, "prv", PRIVATE)
    assert blob(lab, "prv", digests[0], PRIVATE).status_code == 200
    change(lab, "prv", allowAnyHostAuth=True)
    assert blob(lab, "prv", digests[1], PRIVATE).status_code == 404
    assert [entry["status"] for entry in lab.request_log("blobs.get")] == [200, 400]


def test_head_range_and_conditions(lab: Lab, public: str) -> None:
    http, digest = client(lab, "puller"), layers(lab, public)[1]
    head = http.head(f"/v2/{public}/{PUBLIC}/manifests/latest")
    assert head.headers["content-type"] == "application/vnd.oci.image.index.v1+json" and head.content == b""
    by_digest = http.head(f"/v2/{public}/{PUBLIC}/manifests/{head.headers['docker-content-digest']}")
    assert by_digest.headers["x-artifactory-docker-registry"] == public
    assert "content-type" not in by_digest.headers
    url = f"/v2/{public}/{PUBLIC}/blobs/{digest}"
    whole = http.get(url)
    part = http.get(url, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    assert http.get(url, headers={"If-None-Match": whole.headers["etag"]}).status_code == 304
    assert http.get(url, headers={"If-Modified-Since": whole.headers["last-modified"]}).status_code == 304


def test_a_path_in_the_url_is_ignored(lab: Lab) -> None:
    create(lab, "cgr", {**REMOTE, "url": "https://cgr.dev/chainguard/", "enableTokenAuthentication": True})
    assert manifest(lab, "cgr").status_code == 200
    assert manifest(lab, "cgr", "wolfi-base").status_code == 404


def test_a_project_id_is_the_first_part_of_the_upstream_path(lab: Lab) -> None:
    create(lab, "cgr", {**REMOTE, "dockerProjectId": "chainguard", "enableTokenAuthentication": True})
    assert manifest(lab, "cgr", "wolfi-base").status_code == 200
    assert manifest(lab, "cgr", PUBLIC).status_code == 404


def test_tags_and_catalog(lab: Lab, private: PullToken) -> None:
    http, url = client(lab, "puller"), f"/v2/prv/{PRIVATE}/tags/list"
    tags = http.get(url).json()["tags"]
    assert {"latest", "latest-dev", "1.27"} < set(tags)
    page = http.get(url, params={"n": 2})
    assert page.json() == {"name": PRIVATE, "tags": tags[:2]}
    assert page.headers["link"] == f'</v2/{PRIVATE}/tags/list?last={tags[1]}&n=2>; rel="next"'
    assert http.get(url, params={"n": 2, "last": tags[1]}).json()["tags"] == tags[2:4]
    assert PRIVATE in http.get("/v2/prv/_catalog").json()["repositories"]
    manifest(lab, "prv", PRIVATE, "1.27")
    change(lab, "prv", offline=True)
    assert http.get("/v2/prv/_catalog").json() == {"repositories": [PRIVATE]}
    assert http.get(url).json()["tags"] == ["1.27"]


def test_the_catalog_of_the_host(lab: Lab, public: str, private: PullToken) -> None:
    create(lab, "all", {**VIRTUAL, "repositories": [public]})
    anonymous = client(lab, "").get("/v2/_catalog")
    assert anonymous.status_code == 401 and anonymous.headers["www-authenticate"].startswith("Bearer realm=")
    manifest(lab, public)  # anonymous callers get no catalog from the upstream, so the cached images are listed
    images = client(lab, "puller").get("/v2/_catalog").json()["repositories"]
    assert {f"{public}/{PUBLIC}", f"all/{PUBLIC}", f"prv/{PRIVATE}"} <= set(images)
    client(lab).delete("/access/api/v2/permissions/pullers")
    assert client(lab, "puller").get("/v2/_catalog").json() == {"repositories": []}


def test_referrers_by_version_and_setting(lab: Lab, public: str) -> None:
    url = f"/v2/{public}/{PUBLIC}/referrers/{manifest(lab, public).headers['docker-content-digest']}"
    response = client(lab, "puller").get(url)
    assert (response.status_code, response.json()["manifests"]) == (200, [])
    lab.configure(artifactory_proxies_referrers=False)
    assert client(lab, "puller").get(url).status_code == 404
    lab.configure(artifactory_proxies_referrers=True, artifactory_version="7.90.0")
    assert client(lab, "puller").get(url).status_code == 404


def test_pushes_are_rejected(lab: Lab, public: str) -> None:
    http = client(lab)
    upload = http.post(f"/v2/{public}/{PUBLIC}/blobs/uploads/")
    assert envelope(upload) == (400, "Unable to upload blobs to a remote repository.")
    url = f"/v2/{public}/{PUBLIC}/manifests/latest"
    assert envelope(http.put(url)) == (400, "Unable to upload a manifest to a remote repository.")
    internal = INTERNAL.format(key=public) + f"/{PUBLIC}/manifests/latest"
    assert envelope(http.delete(internal)) == (400, "Unable to delete a manifest from a remote repository.")


def test_a_key_that_is_not_a_docker_repository(lab: Lab) -> None:
    create(lab, "files", {"rclass": "remote", "url": "http://127.0.0.1:9/"})
    for key in ("files", "missing"):
        text = f"Repository '{key}' does not support Docker API version v2"
        assert envelope(manifest(lab, key)) == (404, text)


# --- failures ---


@pytest.mark.parametrize(
    "fields",
    [
        {"enableTokenAuthentication": False},
        {"offline": True},
        {"blackedOut": True},
        {"includesPattern": "example.com/**"},
        {"excludesPattern": "chainguard/**"},
        {"url": "http://127.0.0.1:9/"},
        {"username": "u", "password": "wrong"},
    ],
)
def test_many_causes_have_the_same_404(lab: Lab, public: str, fields: dict[str, Any]) -> None:
    change(lab, public, **fields)
    response = manifest(lab, public)
    assert (response.status_code, error(response)) == (404, MANIFEST_UNKNOWN)


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500])
def test_any_other_upstream_status_is_a_404_in_the_negative_cache(lab: Lab, public: str, status: int) -> None:
    lab.inject_fault(**REGISTRY, kind="registry.manifest", times=1, action={"status": status})
    if status == 401:  # without a usable challenge
        change(lab, public, enableTokenAuthentication=False)
    assert manifest(lab, public).status_code == 404
    before = count_requests(lab, public)
    assert manifest(lab, public).status_code == 404
    assert count_requests(lab, public) == before
    change(lab, public, enableTokenAuthentication=True)
    lab.advance(1800)
    assert manifest(lab, public).status_code == 200


def test_without_a_period_there_is_no_negative_cache(lab: Lab, public: str) -> None:
    change(lab, public, missedRetrievalCachePeriodSecs=0)
    lab.inject_fault(**REGISTRY, times=1, action={"status": 404})
    assert [manifest(lab, public).status_code for _ignored in range(2)] == [404, 200]


def test_saving_a_configuration_clears_the_negative_cache_only_with_the_setting(lab: Lab, public: str) -> None:
    assert manifest(lab, public, ref="later").status_code == 404
    before = count_requests(lab, public)
    client(lab).post(f"{V1}/{public}", json={"notes": "n"})
    assert manifest(lab, public, ref="later").status_code == 404 and count_requests(lab, public) == before
    lab.configure(artifactory_save_clears_negative_cache=True)
    client(lab).post(f"{V1}/{public}", json={"notes": "m"})
    assert manifest(lab, public, ref="later").status_code == 404 and count_requests(lab, public) != before


@pytest.mark.parametrize("action", [{"status": 502}, {"status": 503}, {"status": 504}, {"cut": "before"}])
def test_an_unreachable_upstream_is_assumed_offline(lab: Lab, public: str, action: dict[str, Any]) -> None:
    """From the second failure in a row."""
    lab.inject_fault(**REGISTRY, times=2, action=action)
    for expected in (1, 2, 2):
        assert manifest(lab, public, ref="latest-dev").status_code == 404
        assert count_requests(lab, public) == {"HEAD": expected}
    lab.advance(300)
    assert manifest(lab, public, ref="latest-dev").status_code == 200


def test_failures_that_are_not_in_a_row_do_not_count(lab: Lab, public: str) -> None:
    for reference in ("latest", "latest-dev"):
        lab.inject_fault(**REGISTRY, times=1, action={"status": 503})
        assert [manifest(lab, public, ref=reference).status_code for _ignored in range(2)] == [404, 200]


def test_an_upstream_can_be_assumed_offline_at_the_first_failure(lab: Lab, public: str) -> None:
    lab.configure(artifactory_offline_after_failures=1)
    lab.inject_fault(**REGISTRY, times=1, action={"status": 503})
    assert [manifest(lab, public).status_code for _ignored in range(2)] == [404, 404]


def test_saving_a_configuration_ends_assumed_offline(lab: Lab, public: str) -> None:
    lab.inject_fault(**REGISTRY, times=2, action={"status": 503})
    for _ignored in range(3):
        assert manifest(lab, public).status_code == 404
    client(lab).post(f"{V1}/{public}", json={"notes": "n"})
    assert manifest(lab, public).status_code == 200


def test_assumed_offline_can_be_turned_off(lab: Lab, public: str) -> None:
    change(lab, public, assumedOfflinePeriodSecs=0)
    lab.inject_fault(**REGISTRY, times=2, action={"status": 503})
    assert [manifest(lab, public).status_code for _ignored in range(3)] == [404, 404, 200]


def test_cached_images_are_served_while_offline(lab: Lab, public: str) -> None:
    config, layer = layers(lab, public)[:2]
    blob(lab, public, config)
    change(lab, public, offline=True)
    lab.advance(7200)
    before = count_requests(lab, public)
    assert manifest(lab, public).status_code == blob(lab, public, config).status_code == 200
    response = blob(lab, public, layer)
    assert (response.status_code, error(response)["code"]) == (404, "BLOB_UNKNOWN")
    assert count_requests(lab, public) == before


def test_an_html_page_is_blocked_or_cached(lab: Lab, public: str) -> None:
    page = {"status": 200, "body": "<html>", "headers": {"Content-Type": "text/html"}}
    lab.inject_fault(**REGISTRY, kind="registry.manifest", action=page)
    change(lab, public, blockMismatchingMimeTypes=True)
    assert manifest(lab, public).status_code == 404
    everything = client(lab, "puller").get(f"/v2/{public}/{PUBLIC}/manifests/latest-dev", headers={"Accept": "*/*"})
    assert (everything.status_code, everything.text) == (200, "<html>")
    change(lab, public, blockMismatchingMimeTypes=False, missedRetrievalCachePeriodSecs=0)
    assert manifest(lab, public).text == "<html>"


# --- cache periods ---


def test_a_tag_is_revalidated_after_its_period(lab: Lab, public: str) -> None:
    old = manifest(lab, public).headers["docker-content-digest"]
    new = publish(lab)
    lab.advance(7199)
    assert manifest(lab, public).headers["docker-content-digest"] == old
    lab.advance(1)
    assert manifest(lab, public).headers["docker-content-digest"] == new != old


def test_conditions_of_a_client_are_ignored_for_an_overdue_tag(lab: Lab, public: str) -> None:
    etag = manifest(lab, public).headers["etag"]

    def status() -> int:
        headers = {"Accept": "application/json", "If-None-Match": etag}
        return client(lab, "puller").get(f"/v2/{public}/{PUBLIC}/manifests/latest", headers=headers).status_code

    assert status() == 304
    lab.advance(7200)
    assert [status(), status()] == [200, 304]


def test_an_unchanged_tag_costs_one_head(lab: Lab, public: str) -> None:
    manifest(lab, public)
    first = count_requests(lab, public)
    lab.advance(7200)
    manifest(lab, public)
    second = count_requests(lab, public)
    assert (second["HEAD"] - first["HEAD"], second["GET"] - first["GET"]) == (2, 0)  # the token has expired: 401 first
    manifest(lab, public)
    assert count_requests(lab, public) == second


def test_bypassing_head_requests(lab: Lab, public: str) -> None:
    change(lab, public, bypassHeadRequests=True)
    assert manifest(lab, public).status_code == 200
    assert "HEAD" not in count_requests(lab, public)


def test_a_cached_digest_is_never_requested_again(lab: Lab, public: str) -> None:
    digest = manifest(lab, public).headers["docker-content-digest"]
    publish(lab)
    lab.advance(10 * 7200)
    before = count_requests(lab, public)
    assert manifest(lab, public, ref=digest).headers["docker-content-digest"] == digest
    assert count_requests(lab, public) == before


@pytest.mark.parametrize("action", [{"status": 404}, {"status": 503}, {"cut": "before"}])
def test_an_expired_copy_is_served_when_the_upstream_fails(lab: Lab, public: str, action: dict[str, Any]) -> None:
    old = manifest(lab, public)
    publish(lab)
    lab.advance(7200)
    lab.inject_fault(**REGISTRY, action=action)
    response = manifest(lab, public)
    assert (response.status_code, response.content) == (200, old.content)


def test_the_cache_masks_an_expired_pull_token(lab: Lab, private: PullToken) -> None:
    old = manifest(lab, "prv", PRIVATE).content
    publish(lab, PRIVATE)
    lab.advance(2 * HOUR)
    assert manifest(lab, "prv", PRIVATE).content == old
    assert manifest(lab, "prv", PRIVATE, "latest-dev").status_code == 404


# --- upstream tokens ---


def test_tokens_are_cached_for_240_seconds_and_one_scope(lab: Lab, public: str) -> None:
    manifest(lab, public)
    manifest(lab, public, ref="latest-dev")
    assert count_requests(lab, public)["TOKEN"] == 1
    manifest(lab, public, "chainguard/go")
    assert count_requests(lab, public)["TOKEN"] == 2
    lab.advance(239)
    manifest(lab, public, ref="missing")
    assert count_requests(lab, public)["TOKEN"] == 2
    lab.advance(1)
    manifest(lab, public, ref="missing too")
    assert count_requests(lab, public)["TOKEN"] == 3


def test_caching_of_tokens_can_be_turned_off(lab: Lab, public: str) -> None:
    lab.configure(artifactory_upstream_token_seconds=0)
    manifest(lab, public)
    assert count_requests(lab, public)["TOKEN"] == 2  # of HEAD and of GET


def test_the_old_token_outlives_new_credentials(lab: Lab, private: PullToken, pull_token: CreatePullToken) -> None:
    lab.configure(artifactory_upstream_token_by_credentials=False)
    manifest(lab, "prv", PRIVATE)
    new_token = pull_token()
    client(lab).post(f"{V1}/prv", json={"username": new_token.username, "password": new_token.password})
    assert manifest(lab, "prv", PRIVATE, "1.27").status_code == 200
    assert lab.request_log("registry.manifest")[-1]["user"] == private.username
    lab.advance(240)
    assert manifest(lab, "prv", PRIVATE, "1.27.3").status_code == 200
    assert lab.request_log("registry.manifest")[-1]["user"] == new_token.username


def test_the_old_token_hides_a_wrong_password(lab: Lab, private: PullToken) -> None:
    lab.configure(artifactory_upstream_token_by_credentials=False)
    manifest(lab, "prv", PRIVATE)
    client(lab).post(f"{V1}/prv", json={"password": "wrong"})
    assert manifest(lab, "prv", PRIVATE, "1.27").status_code == 200
    lab.advance(240)
    assert manifest(lab, "prv", PRIVATE, "1.27.3").status_code == 404


def test_the_old_token_outlives_the_repository(lab: Lab, private: PullToken) -> None:
    lab.configure(artifactory_upstream_token_by_credentials=False)
    manifest(lab, "prv", PRIVATE)
    client(lab).delete(f"{V1}/prv")
    create(lab, "prv", {**REMOTE, "enableTokenAuthentication": True})
    assert manifest(lab, "prv", PRIVATE).status_code == 200
    assert lab.request_log("registry.manifest")[-1]["user"] == private.username


def test_new_credentials_can_take_effect_at_once(lab: Lab, private: PullToken, pull_token: CreatePullToken) -> None:
    lab.configure(artifactory_upstream_token_by_credentials=True)
    manifest(lab, "prv", PRIVATE)
    client(lab).post(f"{V1}/prv", json={"username": "u", "password": "wrong"})
    assert manifest(lab, "prv", PRIVATE, "1.27").status_code == 404
    new_token = pull_token()
    client(lab).post(f"{V1}/prv", json={"username": new_token.username, "password": new_token.password})
    assert manifest(lab, "prv", PRIVATE, "1.27").status_code == 404, "it is in the negative cache"
    assert manifest(lab, "prv", PRIVATE, "1.27.3").status_code == 200
    assert lab.request_log("registry.manifest")[-1]["user"] == new_token.username


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_the_upstream_rejects_is_kept(lab: Lab, public: str, status: int) -> None:
    manifest(lab, public)
    lab.inject_fault(**REGISTRY, kind="registry.manifest", times=1, action={"status": status})
    assert manifest(lab, public, ref="latest-dev").status_code == 404
    assert count_requests(lab, public)["TOKEN"] == 1


def test_a_failed_token_request_is_not_cached(lab: Lab, public: str) -> None:
    lab.inject_fault(**REGISTRY, kind="registry.token", times=1, action={"status": 500})
    assert manifest(lab, public).status_code == 404
    assert manifest(lab, public, ref="latest-dev").status_code == 200
    assert count_requests(lab, public)["TOKEN"] == 2


def test_rejected_upstream_credentials_can_have_their_own_message(lab: Lab, private: PullToken) -> None:
    lab.configure(artifactory_bad_upstream_credentials="invalid_credentials")
    cached = manifest(lab, "prv", PRIVATE).content
    lab.advance(2 * HOUR)
    status, message = envelope(manifest(lab, "prv", PRIVATE, "1.27"))
    assert status == 500
    assert message == (
        "Invalid username/password configured for Remote Docker repository: prv: Error in getting information for"
        " 'example.com/nginx/1.27/list.manifest.json' (java.lang.IllegalStateException: Can't fetch token for repo: prv"
        " realm: https://cgr.dev/token scope:repository:example.com/nginx:pull)"
    )
    assert manifest(lab, "prv", PRIVATE).content == cached


# --- blobs ---


def test_a_blob_needs_a_cached_manifest(lab: Lab, public: str) -> None:
    digest = layers(lab, public)[1]
    lab.control("DELETE", f"/artifactory/cache/{public}")
    before = count_requests(lab, public)
    response = blob(lab, public, digest)
    unknown = {"code": "BLOB_UNKNOWN", "message": "blob unknown to registry", "detail": {"blobSum": digest}}
    assert (response.status_code, error(response)) == (404, unknown)
    assert count_requests(lab, public) == before


def test_head_of_a_blob_keeps_its_marker(lab: Lab, public: str) -> None:
    digest = layers(lab, public)[1]
    head = client(lab, "puller").head(f"/v2/{public}/{PUBLIC}/blobs/{digest}")
    marker = f"{digest.replace(':', '__')}.marker"
    assert head.headers["docker-content-digest"] == digest
    assert [path for path in lab.control("GET", f"/artifactory/cache/{public}") if path.endswith(marker)]
    body = blob(lab, public, digest)
    assert int(head.headers["content-length"]) == len(body.content) == int(body.headers["content-length"])
    assert not [path for path in lab.control("GET", f"/artifactory/cache/{public}") if path.endswith(marker)]


def test_a_broken_blob_is_not_cached(lab: Lab, public: str) -> None:
    digest = layers(lab, public)[1]
    lab.inject_fault(service="blobs", times=1, action={"status": 200, "body": "other bytes"})
    assert blob(lab, public, digest).status_code == 404
    lab.advance(1800)
    assert blob(lab, public, digest).status_code == 200


# --- permissions ---


def test_read_permission_serves_the_cache_but_does_not_fill_it(lab: Lab, public: str) -> None:
    denied = manifest(lab, public, user="reader")
    path = f"{PUBLIC}/latest/list.manifest.json"
    assert denied.status_code == 403
    assert error(denied) == {
        "code": "UNAUTHORIZED",
        "message": "The client does not have permission for manifest:"
        f" User reader is not permitted to deploy '{path}' into 'cgr-cache:{path}'.",
        "detail": {"manifest": PUBLIC},
    }
    assert manifest(lab, public, user="puller").status_code == 200
    assert manifest(lab, public, user="reader").status_code == 200
    lab.configure(artifactory_deploy_denied_status=404)
    assert error(manifest(lab, public, ref="latest-dev", user="reader")) == MANIFEST_UNKNOWN
    assert manifest(lab, public, ref="latest-dev", user="puller").status_code == 200


def test_without_read_permission_everything_is_forbidden(lab: Lab, public: str) -> None:
    manifest(lab, public)
    stranger = new_token(lab, username="stranger")["access_token"]
    bearer = {"Authorization": f"Bearer {stranger}"}
    response = lab.client("artifactory").get(f"/v2/{public}/{PUBLIC}/manifests/latest", headers=bearer)
    assert response.status_code == 403
    assert error(response)["message"] == (
        "The client does not have permission for manifest: Download request for repo:path"
        f" 'cgr-cache:{PUBLIC}/latest/list.manifest.json' is forbidden for user: 'token:stranger'."
    )


# --- virtual repositories ---


def test_a_virtual_repository_uses_its_members_in_order(lab: Lab, public: str, private: PullToken) -> None:
    create(lab, "all", {**VIRTUAL, "repositories": [public, "prv"]})
    assert manifest(lab, "all").status_code == manifest(lab, "all", PRIVATE).status_code == 200
    for digest in layers(lab, "all", PRIVATE):
        assert blob(lab, "all", digest, PRIVATE).status_code == 200
    cached = {key: lab.control("GET", f"/artifactory/cache/{key}") for key in (public, "prv")}
    assert {path.split("/")[0] for path in cached[public]} == {"chainguard"}
    assert {path.split("/")[0] for path in cached["prv"]} == {"example.com"}
    before = count_requests(lab, public)
    assert manifest(lab, "all", PRIVATE, ref="gone").status_code == 404
    assert count_requests(lab, public) != before
    before = count_requests(lab, public)
    assert manifest(lab, public, PRIVATE, ref="gone").status_code == 404, "it is in the negative cache of the member"
    assert count_requests(lab, public) == before


def test_a_cached_copy_of_a_later_member_comes_before_an_earlier_upstream(lab: Lab, public: str) -> None:
    create(lab, "second", {**REMOTE, "enableTokenAuthentication": True})
    create(lab, "all", {**VIRTUAL, "repositories": [public, "second"]})
    manifest(lab, "second")
    assert manifest(lab, "all").status_code == 200
    assert count_requests(lab, public) == {}
    change(lab, public, priorityResolution=True)
    assert manifest(lab, "all").status_code == 200
    assert count_requests(lab, public) != {}


def test_a_member_without_read_permission_turns_a_404_into_a_403(lab: Lab, public: str, private: PullToken) -> None:
    create(lab, "all", {**VIRTUAL, "repositories": [public, "prv"]})
    client(lab).delete("/access/api/v2/permissions/pullers")
    actions = {"users": {"puller": ["READ", "WRITE"]}}
    body = {"name": "p", "resources": {"artifact": {"actions": actions, "targets": {public: {}}}}}
    assert client(lab).post("/access/api/v2/permissions", json=body).status_code == 201
    assert manifest(lab, "all").status_code == 200
    assert manifest(lab, "all", ref="gone").status_code == 403


# --- charts ---


@pytest.mark.parametrize("package_type", ["helmoci", "oci"])
def test_charts_are_pulled_like_images(lab: Lab, pull_token: CreatePullToken, package_type: str) -> None:
    token, (name,) = pull_token(), charts.CATALOG
    credentials = {"username": token.username, "password": token.password, "enableTokenAuthentication": True}
    create(lab, "charts", {**REMOTE, "packageType": package_type, **credentials})
    document = manifest(lab, "charts", name, "1.0.0").json()
    (layer,) = document["layers"]
    response = blob(lab, "charts", layer["digest"], name)
    assert layer["mediaType"] == charts.CHART and f"sha256:{sha256(response.content).hexdigest()}" == layer["digest"]


@pytest.mark.parametrize(("package_type", "status"), [("docker", 404), ("helmoci", 200), ("oci", 200)])
def test_which_types_request_tokens_without_the_field(
    lab: Lab, pull_token: CreatePullToken, package_type: str, status: int
) -> None:
    token, (name,) = pull_token(), charts.CATALOG
    create(
        lab, "charts", {**REMOTE, "packageType": package_type, "username": token.username, "password": token.password}
    )
    assert manifest(lab, "charts", name, "1.0.0").status_code == 404
    lab.configure(artifactory_oci_token_authentication="always")
    assert manifest(lab, "charts", name, "1.1.0").status_code == status


def test_head_of_a_digest_has_neither_length_nor_type(lab: Lab, public: str) -> None:
    digest = manifest(lab, public).headers["docker-content-digest"]
    response = client(lab, "puller").head(f"/v2/{public}/{PUBLIC}/manifests/{digest}")
    assert response.status_code == 200 and response.headers["docker-content-digest"] == digest
    assert "content-length" not in response.headers and "content-type" not in response.headers


@pytest.mark.parametrize(("fills", "requests"), [(False, 0), (True, 1)])
def test_head_of_a_blob_can_fill_the_cache(lab: Lab, public: str, fills: bool, requests: int) -> None:
    lab.configure(artifactory_blob_head_fills_cache=fills)
    digest = layers(lab, public)[0]
    lab.control("DELETE", "/request_log")
    response = client(lab, "puller").head(f"/v2/{public}/{PUBLIC}/blobs/{digest}")
    assert response.status_code == 200 and int(response.headers["content-length"]) > 0
    assert len(lab.request_log("registry.blob")) == requests


@pytest.mark.parametrize("repository", ["prv", "all"])
def test_a_trace_of_an_image(lab: Lab, private: PullToken, repository: str) -> None:
    lab.configure(artifactory_traces_images=True)
    create(lab, "all", {**VIRTUAL, "repositories": ["prv"]})

    def trace(reference: str) -> str:
        return client(lab, "puller").get(f"/artifactory/{repository}/{PRIVATE}/{reference}/manifest.json?trace").text

    assert "received status 404" in trace("no-such-tag")
    assert "in the cache of missing items" in trace("no-such-tag")
    assert "received status 200" in trace("latest")
    assert "in its cache" in trace("latest")
    digest = manifest(lab, "prv", PRIVATE).headers["docker-content-digest"]
    assert "in its cache" in trace(digest.replace(":", "__"))
    lab.advance(2 * HOUR)
    assert "/token" in trace("latest") and "received status 400" in trace("latest")


def test_a_trace_of_an_image_can_be_ignored(lab: Lab, public: str) -> None:
    index, path = manifest(lab, public), f"/artifactory/{public}/{PUBLIC}/latest/list.manifest.json?trace"
    assert client(lab, "puller").get(path).content == index.content


def test_image_files_by_path(lab: Lab, public: str) -> None:
    """Through the keys of the remote repository, of its cache, and of a virtual one."""
    create(lab, "all", {**VIRTUAL, "repositories": [public]})
    index = manifest(lab, public)
    for key in (public, f"{public}-cache", "all"):
        response = client(lab, "puller").get(f"/artifactory/{key}/{PUBLIC}/latest/list.manifest.json")
        assert response.content == index.content and response.headers["etag"] == index.headers["etag"]
        assert client(lab, "puller").get(f"/artifactory/{key}/{PUBLIC}/other/manifest.json").status_code == 404
