# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages through the simulated Artifactory: caches, negative cache, permissions, effects of wrong settings."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import httpx
import pytest

from .conftest import HOUR, Lab, PullToken
from .test_artifactory_docker import change, count_requests
from .test_artifactory_rest import client, create, envelope
from .test_chainguard_libraries import fetch

CreatePullToken = Callable[..., PullToken]
GUIDE = {"bypassHeadRequests": True, "disableUrlNormalization": True}
MAVEN = {
    "rclass": "remote",
    "packageType": "maven",
    "url": "https://libraries.cgr.dev/java/",
    "handleSnapshots": False,
    **GUIDE,
}
FOLDER = "com/example/lab-greeting"
JAR = f"{FOLDER}/1.0.0/lab-greeting-1.0.0.jar"
METADATA = f"{FOLDER}/maven-metadata.xml"
MISSING = (404, "File not found.")


def get(lab: Lab, path: str, user: str = "puller", **more: Any) -> httpx.Response:
    return client(lab, user).get(f"/artifactory/{path}", **more)


@pytest.fixture
def token(pull_token: CreatePullToken) -> PullToken:
    return pull_token("libraries.java.pull")


@pytest.fixture
def java(lab: Lab, token: PullToken) -> str:
    """A remote repository with the settings of the guide."""
    create(lab, "java", {**MAVEN, "username": token.username, "password": token.password})
    return "java"


def cached(lab: Lab, key: str = "java") -> list[str]:
    return list(lab.control("GET", f"/artifactory/cache/{key}"))


# --- downloads ---


def test_a_file_has_the_content_of_the_upstream(lab: Lab, java: str, token: PullToken) -> None:
    response = get(lab, f"java/{JAR}")
    assert response.content == fetch(lab, f"/java/{JAR}", token)
    assert response.headers["x-checksum-sha256"] == hashlib.sha256(response.content).hexdigest()
    assert response.headers["etag"] == response.headers["x-checksum-sha1"] == hashlib.sha1(response.content).hexdigest()
    assert response.headers["content-type"] == "application/java-archive"
    assert cached(lab) == [JAR] and count_requests(lab, "java") == {"GET": 2}
    assert get(lab, f"java/{JAR}").status_code == get(lab, f"java-cache/{JAR}").status_code == 200
    assert count_requests(lab, "java") == {"GET": 2}
    assert client(lab).head(f"/artifactory/java/{JAR}").headers["content-length"] == str(len(response.content))


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256"])
def test_checksums_are_computed(lab: Lab, java: str, algorithm: str) -> None:
    response = get(lab, f"java/{JAR}.{algorithm}")
    assert response.text == hashlib.new(algorithm, get(lab, f"java/{JAR}").content).hexdigest()
    assert cached(lab) == [JAR] and count_requests(lab, "java") == {"GET": 2}


def test_storage_delete_and_zap(lab: Lab, java: str) -> None:
    get(lab, f"java/{JAR}")
    get(lab, f"java/{METADATA}")
    info = client(lab, "reader").get(f"/artifactory/api/storage/java-cache/{JAR}").json()
    assert info["remoteUrl"] == f"https://libraries.cgr.dev/java/{JAR}" and info["downloadUri"].endswith(JAR)
    assert client(lab, "manager").post("/artifactory/api/zap/java-cache").status_code == 200
    lab.control("POST", "/chainguard/packages", {"repository": "java", "version": "1.2.0"})
    assert "1.2.0" in get(lab, f"java/{METADATA}").text
    before = count_requests(lab, "java")
    assert get(lab, f"java/{JAR}").status_code == 200 and count_requests(lab, "java") == before
    assert client(lab, "manager").delete(f"/artifactory/java-cache/{JAR}").status_code == 204
    assert cached(lab) == [METADATA]


# --- age ---


def test_metadata_expires_and_files_do_not(lab: Lab, java: str) -> None:
    get(lab, f"java/{METADATA}")
    get(lab, f"java/{JAR}")
    lab.control("POST", "/chainguard/packages", {"repository": "java", "version": "1.2.0"})
    assert "1.2.0" not in get(lab, f"java/{METADATA}").text
    lab.advance(7200)
    log_in_for_good(lab)
    before = count_requests(lab, "java")["GET"]
    assert "1.2.0" in get(lab, f"java/{METADATA}").text
    assert get(lab, f"java/{JAR}").status_code == 200 and count_requests(lab, "java")["GET"] == before + 1


def log_in_for_good(lab: Lab) -> None:
    """Give the repository credentials that do not expire: those of the workload, which may pull everything."""
    workload = lab.state["chainguard"]["workload"]
    change(lab, "java", username=workload["identity"], password=workload["oidc_token"])


def test_the_last_copy_is_served_when_the_token_has_expired(lab: Lab, java: str) -> None:
    get(lab, f"java/{METADATA}")
    get(lab, f"java/{JAR}")
    lab.advance(2 * HOUR)
    assert get(lab, f"java/{METADATA}").status_code == get(lab, f"java/{JAR}").status_code == 200
    assert envelope(get(lab, f"java/{JAR.replace('1.0.0', '1.1.0')}")) == MISSING


def test_a_404_is_in_the_negative_cache(lab: Lab, java: str) -> None:
    missing = f"java/{FOLDER}/9/lab-greeting-9.jar"
    assert envelope(get(lab, missing)) == envelope(get(lab, missing)) == MISSING
    assert count_requests(lab, "java") == {"GET": 1}
    lab.advance(1800)
    get(lab, missing)
    assert count_requests(lab, "java") == {"GET": 2}


def test_an_upstream_that_is_down_is_assumed_offline(lab: Lab, java: str) -> None:
    """Two failures name the upstream, then a message says that the repository is assumed offline."""
    lab.inject_fault(service="libraries", times=2, action={"status": 503})
    for expected in ("https://libraries.cgr.dev/java/", "https://libraries.cgr.dev/java/", "is assumed offline"):
        status, message = envelope(get(lab, f"java/{JAR}"))
        assert status == 404 and expected in message
    assert count_requests(lab, "java") == {"GET": 2}
    lab.advance(300)
    assert get(lab, f"java/{JAR}").status_code == 200


def test_an_upstream_that_throttles(lab: Lab, java: str) -> None:
    lab.inject_fault(service="libraries", times=1, action={"status": 429, "headers": {"Retry-After": "1"}})
    assert envelope(get(lab, f"java/{JAR}")) == MISSING


# --- permissions ---


def test_read_permission_does_not_fill_the_cache(lab: Lab, java: str) -> None:
    status, message = envelope(get(lab, f"java/{JAR}", "reader"))
    assert status == 403 and "not permitted to deploy" in message
    assert get(lab, f"java/{JAR}", "").status_code == 401
    get(lab, f"java/{JAR}")
    assert get(lab, f"java/{JAR}", "reader").status_code == 200


# --- settings of the guide ---


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"url": "https://libraries.cgr.dev/"}, id="URL"),
        pytest.param({"url": "https://libraries.cgr.dev/python/"}, id="URL of another ecosystem"),
        pytest.param({"allowAnyHostAuth": True}, id="credentials sent to the object store"),
        pytest.param({"disableUrlNormalization": False}, id="presigned URL rewritten"),
        pytest.param({"blockMismatchingMimeTypes": True}, id="HTML page of the redirect blocked"),
        pytest.param({"username": "", "password": ""}, id="no credentials"),
        pytest.param({"password": "wrong"}, id="wrong password"),
        pytest.param({"handleReleases": False}, id="no releases"),
        pytest.param({"offline": True}, id="offline"),
        pytest.param({"excludesPattern": "com/**"}, id="excluded"),
    ],
)
def test_a_wrong_setting_is_a_404(lab: Lab, java: str, wrong: dict[str, Any]) -> None:
    change(lab, "java", **wrong)
    assert get(lab, f"java/{JAR}").status_code == 404 and cached(lab) == []


def test_a_wrong_role_is_a_404(lab: Lab, pull_token: CreatePullToken) -> None:
    token = pull_token("libraries.python.pull")
    create(lab, "java", {**MAVEN, "username": token.username, "password": token.password})
    assert envelope(get(lab, f"java/{JAR}")) == MISSING


@pytest.mark.parametrize("path", [JAR.replace("1.0.0", "0.9.0"), METADATA.replace("greeting", "malware")])
def test_a_version_that_chainguard_blocks_is_a_404(lab: Lab, java: str, path: str) -> None:
    assert envelope(get(lab, f"java/{path}")) == MISSING


def test_a_blocked_html_page_can_be_a_409(lab: Lab, java: str) -> None:
    lab.configure(artifactory_mime_mismatch_status=409)
    change(lab, "java", blockMismatchingMimeTypes=True)
    status, message = envelope(get(lab, f"java/{JAR}"))
    assert status == 409 and message.startswith("Mismatching mime types found in request: [application/java-archive]")
    assert get(lab, f"java/{METADATA}").status_code == 200


def test_a_head_request_caches_the_html_page_as_the_file(lab: Lab, java: str, token: PullToken) -> None:
    change(lab, "java", bypassHeadRequests=False)
    response = get(lab, f"java/{JAR}")
    assert (
        response.status_code == 200
        and response.text.startswith("<a href=")
        and count_requests(lab, "java") == {"HEAD": 1, "GET": 1}
    )
    change(lab, "java", bypassHeadRequests=True)
    assert get(lab, f"java/{JAR}").content == response.content
    client(lab, "manager").delete(f"/artifactory/java/{JAR}")
    assert get(lab, f"java/{JAR}").content == fetch(lab, f"/java/{JAR}", token)


def test_a_head_request_can_be_rejected(lab: Lab, java: str) -> None:
    lab.configure(artifactory_redirected_head="rejected")
    change(lab, "java", bypassHeadRequests=False)
    assert envelope(get(lab, f"java/{JAR}")) == MISSING and cached(lab) == []
    assert count_requests(lab, "java") == {"HEAD": 2}


def test_the_length_of_a_head_request_is_sent_with_the_file(lab: Lab, java: str, token: PullToken) -> None:
    """With the length of a page that is shorter, clients get a part of the file; otherwise they wait for more."""
    content = fetch(lab, f"/java/{JAR}", token)
    lab.configure(artifactory_redirected_head="length")
    change(lab, "java", bypassHeadRequests=False)
    for length, expected in ((10, content[:10]), (1000, content)):
        client(lab, "manager").delete("/artifactory/java")
        page = {"status": 302, "body": "-" * length, "headers": {"Content-Type": "text/html", "Location": "/"}}
        lab.inject_fault(service="libraries", method="HEAD", times=1, action=page)
        received = b""
        with client(lab, "puller").stream("GET", f"/artifactory/java/{JAR}", timeout=0.3) as response:
            with pytest.raises(httpx.ReadTimeout) if length > len(content) else nullcontext():
                for chunk in response.iter_raw():
                    received += chunk
        assert received == expected and response.headers["content-length"] == str(length)
        assert response.headers["x-checksum-sha256"] == hashlib.sha256(content).hexdigest()
        assert client(lab, "puller").head(f"/artifactory/java/{JAR}").headers["content-length"] == str(length)
    assert get(lab, f"java/{METADATA}").status_code == 200


def test_snapshots_are_not_requested(lab: Lab, java: str) -> None:
    path = f"java/{FOLDER}/1.0-SNAPSHOT/maven-metadata.xml"
    get(lab, path)
    assert count_requests(lab, "java") == {}
    change(lab, "java", handleSnapshots=True)
    assert envelope(get(lab, path)) == MISSING and count_requests(lab, "java") == {"GET": 1}


# --- other keys ---


def test_keys_without_files(lab: Lab) -> None:
    create(lab, "cgr", {"rclass": "remote", "packageType": "docker", "url": "https://cgr.dev/"})
    assert get(lab, f"nothing/{JAR}").status_code == get(lab, f"nothing-cache/{JAR}").status_code == 404
    assert envelope(get(lab, f"cgr/{JAR}")) == MISSING


# --- trace ---


def steps(lab: Lab, path: str, user: str = "puller") -> str:
    response = client(lab, user).get(f"/artifactory/{path}?trace")
    assert response.status_code == 200 and response.headers["content-type"].startswith("text/plain")
    return response.text


def test_a_trace_names_the_status_of_the_upstream(lab: Lab, java: str) -> None:
    missing = f"java/{FOLDER}/9/lab-greeting-9.jar"
    text = steps(lab, missing)
    assert "GET https://libraries.cgr.dev/java/" in text and "received status 404" in text
    assert count_requests(lab, "java") == {"GET": 1}
    assert "in the cache of missing items" in steps(lab, missing)
    assert count_requests(lab, "java") == {"GET": 1}
    change(lab, "java", password="wrong", missedRetrievalCachePeriodSecs=0)
    assert "received status 401" in steps(lab, missing)


def test_a_trace_of_a_file_that_is_served(lab: Lab, java: str) -> None:
    assert "received status 200" in steps(lab, f"java/{JAR}")
    assert "in its cache" in steps(lab, f"java/{JAR}")


def test_a_trace_names_a_repository_that_is_offline(lab: Lab, java: str) -> None:
    lab.inject_fault(service="libraries", times=2, action={"status": 503})
    for expected in ("received status 503", "received status 503", "java is assumed offline"):
        assert expected in steps(lab, f"java/{JAR}")
    change(lab, "java", offline=True)
    assert "java is offline" in steps(lab, f"java/{JAR}")


def test_a_trace_needs_the_permissions_of_a_download(lab: Lab, java: str) -> None:
    client(lab).delete("/access/api/v2/permissions/pullers")
    assert "may not read" in steps(lab, f"java/{JAR}")


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/artifactory/api/builds/any", 404),
        ("GET", "/artifactory/api/storageinfo", 404),
        ("DELETE", "/artifactory/api/keys/any", 404),
        ("DELETE", "/artifactory/ui/any", 404),
        ("POST", "/artifactory/api/system/usage", 405),
        ("GET", "/artifactory/api/security/permissions/any", 404),
        ("GET", "/access/api/v1/projects", 404),
        ("GET", "/ui/api/v1/any", 404),
        ("GET", "/v2/_search", 404),
    ],
)
def test_an_unknown_endpoint_is_no_missing_repository(lab: Lab, method: str, path: str, expected: int) -> None:
    status, message = envelope(client(lab).request(method, path))
    assert status == expected and message == f"The lab does not simulate the endpoint {method} {path}"


def test_an_expired_copy_is_not_served_from_the_cache_repository(lab: Lab, java: str) -> None:
    get(lab, f"java/{METADATA}")
    assert get(lab, f"java-cache/{METADATA}").status_code == 200
    lab.advance(7200)
    assert get(lab, f"java-cache/{METADATA}").status_code == 404


def test_conditions(lab: Lab, java: str) -> None:
    """HEAD is never 304, and If-None-Match overrules If-Modified-Since."""
    sent, http, url = get(lab, f"java/{JAR}").headers, client(lab, "puller"), f"/artifactory/java/{JAR}"
    modified = {"If-Modified-Since": sent["last-modified"]}
    assert http.get(url, headers=modified).status_code == 304
    assert http.get(url, headers={"If-None-Match": f'"{sent["etag"]}"'}).status_code == 304
    assert http.get(url, headers={**modified, "If-None-Match": "other"}).status_code == 200
    assert http.head(url, headers=modified).status_code == 200
