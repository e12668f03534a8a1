# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages of libraries.cgr.dev: credentials, redirects and errors (facts/chainguard.md#libraries)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from lab.packages import python
from lab.simulator import BLOBS_HOST

from .conftest import HOUR, Lab, PullToken

CreatePullToken = Callable[..., PullToken]
JAR = "/java/com/example/lab-greeting/1.0.0/lab-greeting-1.0.0.jar"
METADATA = "/java/com/example/lab-greeting/maven-metadata.xml"


def get(lab: Lab, path: str, token: PullToken | None = None, **more: Any) -> httpx.Response:
    return lab.client("libraries").get(path, auth=token.credentials if token else None, **more)


def fetch(lab: Lab, path: str, token: PullToken) -> bytes:
    """The content of a file, downloaded from the object store."""
    response = get(lab, path, token)
    assert response.status_code == 302, response.text
    stored = lab.client("blobs").get(response.headers["location"])
    assert stored.status_code == 200, stored.text
    return stored.content


@pytest.fixture
def java(pull_token: CreatePullToken) -> PullToken:
    return pull_token("libraries.java.pull")


# --- who ---


def test_without_a_valid_token(lab: Lab, java: PullToken) -> None:
    assert_error = get(lab, JAR)
    assert assert_error.status_code == 401 and assert_error.headers["www-authenticate"].startswith("Basic ")
    wrong = lab.client("libraries").get(JAR, auth=(java.username, "wrong"))
    assert wrong.status_code == 401
    assert get(lab, JAR, java).status_code == 302
    lab.advance(HOUR)
    assert get(lab, JAR, java).status_code == 401


def test_a_revoked_token(lab: Lab, java: PullToken) -> None:
    lab.control("POST", "/chainguard/identities/revoke", {"uid": java.username})
    assert get(lab, JAR, java).status_code == 401


@pytest.mark.parametrize("role", ["", "registry.pull", "libraries.python.pull"])
def test_with_a_token_of_another_role(lab: Lab, pull_token: CreatePullToken, role: str) -> None:
    assert get(lab, JAR, pull_token(role)).status_code == 403


def test_a_token_before_it_takes_effect(lab: Lab, pull_token: CreatePullToken) -> None:
    lab.configure(propagation=5)
    token = pull_token("libraries.java.pull")
    assert get(lab, JAR, token).status_code == 401
    lab.advance(5)
    assert get(lab, JAR, token).status_code == 302


def test_the_feed_of_remediated_libraries_needs_no_login(lab: Lab) -> None:
    def ids() -> list[str]:
        return [entry["id"] for entry in get(lab, "/openvex/v1/all.json").json()["entries"]]

    assert ids() == ["pypi/lab-greeting.openvex.json", "pypi/werkzeug.openvex.json"]
    block = {"repository": "python-remediated", "version": "1.0.0+cgr.1", "reason": "POLICY_ORG_BLOCKLIST"}
    lab.control("POST", "/chainguard/packages/block", block)
    assert ids() == ["pypi/werkzeug.openvex.json"]


def test_without_an_entitlement(lab: Lab, java: PullToken) -> None:
    lab.configure(library_entitlements=["python"])
    assert get(lab, JAR, java).status_code == 403


# --- what ---


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/java/com/example/nothing/maven-metadata.xml", 404),
        ("/java/com/example/lab-greeting/0.9.0/lab-greeting-0.9.0.jar", 409),
        ("/java/com/example/lab-malware/maven-metadata.xml", 409),
        ("/ruby/x", 404),
    ],
)
def test_missing_and_blocked_paths(lab: Lab, java: PullToken, path: str, status: int) -> None:
    assert get(lab, path, java).status_code == status


# The package that `block` hides, its document, and a file of version 1.1.0. Only npm gets 403.
BLOCKS = [
    ("java", METADATA, JAR.replace("1.0.0", "1.1.0"), 409),
    ("python", "/python/simple/lab-greeting/", python.wheel_path("lab-greeting", "1.1.0"), 409),
    ("javascript", "/javascript/lab-greeting", "/javascript/lab-greeting/-/lab-greeting-1.1.0.tgz", 403),
    ("go", "/go/example.com/lab/greeting/@v/list", "/go/example.com/lab/greeting/@v/v1.1.0.zip", 409),
    (
        "dotnet",
        "/dotnet/v3/flatcontainer/lab.greeting/index.json",
        "/dotnet/v3/flatcontainer/lab.greeting/1.1.0/lab.greeting.1.1.0.nupkg",
        409,
    ),
]


@pytest.mark.parametrize("reason", ["POLICY_ORG_BLOCKLIST", "POLICY_COOLDOWN", "MALWARE_DETECTED"])
@pytest.mark.parametrize(("repository", "document", "file", "status"), BLOCKS)
def test_a_blocked_version(
    lab: Lab, pull_token: CreatePullToken, repository: str, document: str, file: str, status: int, reason: str
) -> None:
    token, version = pull_token(f"libraries.{repository}.pull"), {"repository": repository, "version": "1.1.0"}
    assert fetch(lab, file, token) and "1.1.0" in get(lab, document, token).text
    lab.control("POST", "/chainguard/packages/block", {**version, "reason": reason})
    response = get(lab, file, token)
    assert (response.status_code, response.json()["reason"]) == (status, reason)
    assert response.json().keys() == {"error", "reason", "message"} and response.json()["message"]
    assert "1.1.0" not in get(lab, document, token).text and "1.0.0" in get(lab, document, token).text
    lab.control("POST", "/chainguard/packages/block", {**version, "reason": ""})
    assert fetch(lab, file, token)


def test_a_wholly_blocked_package(lab: Lab, pull_token: CreatePullToken) -> None:
    token = pull_token("libraries.javascript.pull")
    for version in ("1.1.0", "1.1.1"):
        block = {"repository": "javascript", "version": version, "package": "picocolors", "reason": "MALWARE_DETECTED"}
        lab.control("POST", "/chainguard/packages/block", block)
    assert get(lab, "/javascript/picocolors", token).status_code == 409


def test_a_new_version_of_upstream_waits_for_the_cooldown(
    lab: Lab, pull_token: CreatePullToken, java: PullToken
) -> None:
    javascript = pull_token("libraries.javascript.pull", ttl=30 * 24 * HOUR)
    new = {"repository": "javascript", "version": "1.2.0"}
    (path,) = lab.control("POST", "/chainguard/packages", {**new, "package": "picocolors"})["paths"]
    response = get(lab, path, javascript)
    assert (response.status_code, response.json()["reason"]) == (403, "POLICY_COOLDOWN")
    lab.advance(7 * 24 * HOUR - 1)
    assert "1.2.0" not in get(lab, "/javascript/picocolors", javascript).text
    lab.advance(1)
    assert "1.2.0" in get(lab, "/javascript/picocolors", javascript).text
    assert fetch(lab, path, javascript)
    # What Chainguard built does not wait, unless the test says that it comes from upstream.
    path, *_rest = lab.control("POST", "/chainguard/packages", new)["paths"]
    assert fetch(lab, path, javascript)
    java = pull_token("libraries.java.pull")
    lab.control("POST", "/chainguard/packages", {"repository": "java", "version": "1.2.0", "from_upstream": True})
    assert get(lab, JAR.replace("1.0.0", "1.2.0"), java).json()["reason"] == "POLICY_COOLDOWN"


def test_without_a_cooldown(lab: Lab, java: PullToken) -> None:
    lab.configure(library_cooldown_days=0)
    lab.control("POST", "/chainguard/packages", {"repository": "java", "version": "1.2.0", "from_upstream": True})
    assert fetch(lab, JAR.replace("1.0.0", "1.2.0"), java)


@pytest.mark.parametrize(("repository", "document", "file", "status"), BLOCKS)
def test_a_version_that_changes_its_bytes(
    lab: Lab, pull_token: CreatePullToken, repository: str, document: str, file: str, status: int
) -> None:
    token = pull_token(f"libraries.{repository}.pull")
    older = python.wheel_path("lab-greeting", "1.0.0") if repository == "python" else file.replace("1.1.0", "1.0.0")
    before, other = fetch(lab, file, token), fetch(lab, older, token)
    index = get(lab, document, token).text
    lab.control("POST", "/chainguard/packages/rebuild", {"repository": repository, "version": "1.1.0"})
    assert fetch(lab, file, token) != before
    assert fetch(lab, older, token) == other
    if repository in ("python", "javascript"):
        assert get(lab, document, token).text != index, "the index has checksums"


@pytest.mark.parametrize(
    "body",
    [
        {"repository": "java", "version": "1.1.0", "reason": "POLICY_UNKNOWN"},
        {"repository": "java", "version": "7.7.7", "reason": "POLICY_COOLDOWN"},
        {"repository": "java", "version": "1.1.0", "reason": "POLICY_COOLDOWN", "package": "no:such"},
    ],
)
def test_invalid_blocks(lab: Lab, body: dict[str, str]) -> None:
    assert lab.client("control").post("/chainguard/packages/block", json=body).status_code == 400


def test_a_file_is_behind_an_html_page_and_a_presigned_url(lab: Lab, java: PullToken) -> None:
    response = get(lab, JAR, java, headers={"Host": "libraries.cgr.dev"})
    assert response.status_code == 302 and response.headers["content-type"].startswith("text/html")
    assert response.text.startswith("<a href=") and response.headers["location"].startswith(f"https://{BLOBS_HOST}/")
    here = get(lab, JAR, java).headers["location"]
    assert lab.client("blobs").get(here).status_code == 200
    for spoiled in (lab.client("blobs").head(here), lab.client("blobs").get(here.replace("%2F", "/"))):
        assert spoiled.status_code == 403
    assert lab.client("blobs").get(here, auth=java.credentials).status_code == 400
    lab.advance(HOUR / 2)
    assert lab.client("blobs").get(here).status_code == 403


def test_documents_come_without_a_redirect(lab: Lab, java: PullToken) -> None:
    response = get(lab, METADATA, java)
    assert response.status_code == 200 and b"<version>1.1.0</version>" in response.content
    assert lab.client("libraries").head(METADATA, auth=java.credentials).status_code == 200


def test_java(lab: Lab, java: PullToken) -> None:
    jar = fetch(lab, JAR, java)
    for algorithm in ("md5", "sha1", "sha256"):
        assert get(lab, f"{JAR}.{algorithm}", java).text == hashlib.new(algorithm, jar).hexdigest()
    remediated = JAR.replace("/java/", "/java-remediated/")
    assert get(lab, remediated, java).status_code == 404
    assert jar[:2] == fetch(lab, remediated.replace("1.0.0", "1.0.0-0.cgr.1"), java)[:2] == b"PK"
    assert b"<artifactId>lab-greeting<" in fetch(lab, JAR.replace(".jar", ".pom"), java)


@pytest.mark.parametrize(
    "path",
    [
        "/java/org/slf4j/slf4j-api/2.0.17/slf4j-api-2.0.17.jar",
        "/java-remediated/org/springframework/boot/spring-boot/3.2.12-0.cgr.1/spring-boot-3.2.12-0.cgr.1.pom",
        "/java/junit/junit/4.13.2/junit-4.13.2.jar",
        python.wheel_path("six", "1.17.0"),
        python.wheel_path("urllib3", "2.5.0"),
        python.wheel_path("werkzeug", "3.0.2+cgr.1"),
        python.wheel_path("torch", "2.8.0+cu128"),
        "/python-upstream/simple/lab-upstream/2.0.0/lab_upstream-2.0.0-py3-none-any.whl",
        "/javascript/ms/-/ms-1.1.0.tgz",
        "/javascript-upstream/picocolors/-/picocolors-1.1.1.tgz",
        "/dotnet/v3/flatcontainer/newtonsoft.json/1.1.0/newtonsoft.json.1.1.0.nupkg",
        "/go/github.com/google/uuid/@v/v1.1.0.zip",
        "/go/rsc.io/quote/@v/v1.5.2.zip",
    ],
)
def test_well_known_libraries(lab: Lab, pull_token: CreatePullToken, path: str) -> None:
    ecosystem = path.split("/")[1].partition("-")[0].replace("files", "python")
    assert fetch(lab, path, pull_token(f"libraries.{ecosystem}.pull"))


@pytest.mark.parametrize("index", ["cu126", "cu128", "cu129"])
def test_cuda_indexes_need_a_python_token(lab: Lab, pull_token: CreatePullToken, java: PullToken, index: str) -> None:
    path = f"/{index}/simple/torch/"
    assert get(lab, path).status_code == 401 and get(lab, path, java).status_code == 403
    page = get(lab, path, pull_token("libraries.python.pull"))
    assert page.status_code == 200 and f"torch-2.8.0+{index}-py3-none-any.whl" in page.text


def test_files_lie_outside_of_the_index(lab: Lab, pull_token: CreatePullToken) -> None:
    page = get(lab, "/python/simple/lab-greeting/", pull_token("libraries.python.pull")).text
    assert re.search(r'href="/files/[0-9a-f]{2}/[0-9a-f]{2}/lab-greeting/lab_greeting-1.0.0', page)
    document = get(lab, "/javascript/picocolors", pull_token("libraries.javascript.pull")).json()
    origin = str(lab.client("libraries").base_url).rstrip("/")
    tarball = document["versions"]["1.1.1"]["dist"]["tarball"]
    assert tarball == f"{origin}/javascript-upstream/picocolors/-/picocolors-1.1.1.tgz"


def test_a_new_version(lab: Lab, java: PullToken) -> None:
    published = lab.control("POST", "/chainguard/packages", {"repository": "java", "version": "1.2.0"})
    assert JAR.replace("1.0.0", "1.2.0") in published["paths"] and JAR not in published["paths"]
    assert b"1.2.0" in get(lab, METADATA, java).content
    assert fetch(lab, JAR.replace("1.0.0", "1.2.0"), java)
    again = lab.client("control").post("/chainguard/packages", json={"repository": "java", "version": "1.2.0"})
    assert again.status_code == 400
