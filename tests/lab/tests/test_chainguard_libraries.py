# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages of libraries.cgr.dev: credentials, redirects and errors (facts/chainguard.md#libraries)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import httpx
import pytest

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


def test_without_an_entitlement(lab: Lab, java: PullToken) -> None:
    lab.configure(library_entitlements=["python"])
    assert get(lab, JAR, java).status_code == 403


# --- what ---


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/java/com/example/nothing/maven-metadata.xml", 404),
        ("/java/com/example/lab-greeting/0.9.0/lab-greeting-0.9.0.jar", 403),
        ("/java/com/example/lab-malware/maven-metadata.xml", 409),
        ("/ruby/x", 404),
    ],
)
def test_missing_and_blocked_paths(lab: Lab, java: PullToken, path: str, status: int) -> None:
    assert get(lab, path, java).status_code == status


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
    remediated = fetch(lab, JAR.replace("/java/", "/java-remediated/"), java)
    assert jar[:2] == remediated[:2] == b"PK" and jar != remediated
    assert b"<artifactId>lab-greeting<" in fetch(lab, JAR.replace(".jar", ".pom"), java)


@pytest.mark.parametrize(
    "path",
    [
        "/java/org/slf4j/slf4j-api/2.0.17/slf4j-api-2.0.17.jar",
        "/java-remediated/org/springframework/boot/spring-boot/3.2.12-0.cgr.1/spring-boot-3.2.12-0.cgr.1.pom",
        "/python/simple/six/1.17.0/six-1.17.0-py3-none-any.whl",
        "/python-remediated/simple/werkzeug/3.0.2+cgr.1/werkzeug-3.0.2+cgr.1-py3-none-any.whl",
        "/javascript/ms/-/ms-1.1.0.tgz",
        "/dotnet/v3/flatcontainer/newtonsoft.json/1.1.0/newtonsoft.json.1.1.0.nupkg",
        "/go/github.com/google/uuid/@v/v1.1.0.zip",
    ],
)
def test_well_known_libraries(lab: Lab, pull_token: CreatePullToken, path: str) -> None:
    ecosystem = path.split("/")[1].partition("-")[0]
    assert fetch(lab, path, pull_token(f"libraries.{ecosystem}.pull"))


def test_a_new_version(lab: Lab, java: PullToken) -> None:
    published = lab.control("POST", "/chainguard/packages", {"repository": "java", "version": "1.2.0"})
    assert JAR.replace("1.0.0", "1.2.0") in published["paths"] and JAR not in published["paths"]
    assert b"1.2.0" in get(lab, METADATA, java).content
    assert fetch(lab, JAR.replace("1.0.0", "1.2.0"), java)
    again = lab.client("control").post("/chainguard/packages", json={"repository": "java", "version": "1.2.0"})
    assert again.status_code == 400
