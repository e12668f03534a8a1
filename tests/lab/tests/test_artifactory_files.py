# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages through the simulated Artifactory: caches, misses, permissions, and what each wrong setting does."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from .conftest import HOUR, Lab, PullToken
from .test_artifactory_docker import asked, change
from .test_artifactory_rest import client, create, envelope
from .test_chainguard_libraries import fetch

Make = Callable[..., PullToken]
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
def token(pull_token: Make) -> PullToken:
    return pull_token("libraries.java.pull")


@pytest.fixture
def java(lab: Lab, token: PullToken) -> str:
    """A remote repository as the guide has it."""
    create(lab, "java", {**MAVEN, "username": token.username, "password": token.password})
    return "java"


def cached(lab: Lab, key: str = "java") -> list[str]:
    return list(lab.control("GET", f"/artifactory/cache/{key}"))


# --- as it should be ---


def test_a_file_comes_as_the_upstream_has_it(lab: Lab, java: str, token: PullToken) -> None:
    answer = get(lab, f"java/{JAR}")
    assert answer.content == fetch(lab, f"/java/{JAR}", token)
    assert answer.headers["x-checksum-sha256"] == hashlib.sha256(answer.content).hexdigest()
    assert answer.headers["etag"] == answer.headers["x-checksum-sha1"] == hashlib.sha1(answer.content).hexdigest()
    assert answer.headers["content-type"] == "application/java-archive"
    assert cached(lab) == [JAR] and asked(lab, "java") == {"GET": 2}
    assert get(lab, f"java/{JAR}").status_code == get(lab, f"java-cache/{JAR}").status_code == 200
    assert asked(lab, "java") == {"GET": 2}
    assert client(lab).head(f"/artifactory/java/{JAR}").headers["content-length"] == str(len(answer.content))


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256"])
def test_checksums_are_made_here(lab: Lab, java: str, algorithm: str) -> None:
    answer = get(lab, f"java/{JAR}.{algorithm}")
    assert answer.text == hashlib.new(algorithm, get(lab, f"java/{JAR}").content).hexdigest()
    assert cached(lab) == [JAR] and asked(lab, "java") == {"GET": 2}


def test_storage_delete_and_zap(lab: Lab, java: str) -> None:
    get(lab, f"java/{JAR}")
    get(lab, f"java/{METADATA}")
    info = client(lab, "reader").get(f"/artifactory/api/storage/java-cache/{JAR}").json()
    assert info["remoteUrl"] == f"https://libraries.cgr.dev/java/{JAR}" and info["downloadUri"].endswith(JAR)
    assert client(lab, "manager").post("/artifactory/api/zap/java-cache").status_code == 200
    lab.control("POST", "/chainguard/packages", {"repository": "java", "version": "1.2.0"})
    assert "1.2.0" in get(lab, f"java/{METADATA}").text
    before = asked(lab, "java")
    assert get(lab, f"java/{JAR}").status_code == 200 and asked(lab, "java") == before
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
    before = asked(lab, "java")["GET"]
    assert "1.2.0" in get(lab, f"java/{METADATA}").text
    assert get(lab, f"java/{JAR}").status_code == 200 and asked(lab, "java")["GET"] == before + 1


def log_in_for_good(lab: Lab) -> None:
    """Give the repository a login that does not expire: the workload's, which may pull everything."""
    workload = lab.state["chainguard"]["workload"]
    change(lab, "java", username=workload["identity"], password=workload["oidc_token"])


def test_the_last_copy_is_served_when_the_token_died(lab: Lab, java: str) -> None:
    get(lab, f"java/{METADATA}")
    get(lab, f"java/{JAR}")
    lab.advance(2 * HOUR)
    assert get(lab, f"java/{METADATA}").status_code == get(lab, f"java/{JAR}").status_code == 200
    assert envelope(get(lab, f"java/{JAR.replace('1.0.0', '1.1.0')}")) == MISSING


def test_a_miss_is_remembered(lab: Lab, java: str) -> None:
    missing = f"java/{FOLDER}/9/lab-greeting-9.jar"
    assert envelope(get(lab, missing)) == envelope(get(lab, missing)) == MISSING
    assert asked(lab, "java") == {"GET": 1}
    lab.advance(1800)
    get(lab, missing)
    assert asked(lab, "java") == {"GET": 2}


def test_an_upstream_that_is_down_is_left_alone(lab: Lab, java: str) -> None:
    lab.fail(service="libraries", times=1, action={"status": 503})
    assert envelope(get(lab, f"java/{JAR}")) == envelope(get(lab, f"java/{JAR}")) == MISSING
    assert asked(lab, "java") == {"GET": 1}
    lab.advance(300)
    assert get(lab, f"java/{JAR}").status_code == 200


def test_an_upstream_that_has_had_enough(lab: Lab, java: str) -> None:
    lab.fail(service="libraries", times=1, action={"status": 429, "headers": {"Retry-After": "1"}})
    assert envelope(get(lab, f"java/{JAR}")) == MISSING


# --- permissions ---


def test_reading_does_not_fill_the_cache(lab: Lab, java: str) -> None:
    status, message = envelope(get(lab, f"java/{JAR}", "reader"))
    assert status == 403 and "not permitted to deploy" in message
    assert get(lab, f"java/{JAR}", "").status_code == 401
    get(lab, f"java/{JAR}")
    assert get(lab, f"java/{JAR}", "reader").status_code == 200


# --- settings that the guide demands ---


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"url": "https://libraries.cgr.dev/"}, id="URL"),
        pytest.param({"url": "https://libraries.cgr.dev/python/"}, id="URL of another ecosystem"),
        pytest.param({"allowAnyHostAuth": True}, id="login sent to the object store"),
        pytest.param({"disableUrlNormalization": False}, id="presigned URL rewritten"),
        pytest.param({"blockMismatchingMimeTypes": True}, id="web page of the redirect blocked"),
        pytest.param({"username": "", "password": ""}, id="no login"),
        pytest.param({"password": "wrong"}, id="wrong password"),
        pytest.param({"handleReleases": False}, id="no releases"),
        pytest.param({"offline": True}, id="offline"),
        pytest.param({"excludesPattern": "com/**"}, id="excluded"),
    ],
)
def test_a_wrong_setting_finds_nothing(lab: Lab, java: str, wrong: dict[str, Any]) -> None:
    change(lab, "java", **wrong)
    assert get(lab, f"java/{JAR}").status_code == 404 and cached(lab) == []


def test_a_wrong_role_finds_nothing(lab: Lab, pull_token: Make) -> None:
    made = pull_token("libraries.python.pull")
    create(lab, "java", {**MAVEN, "username": made.username, "password": made.password})
    assert envelope(get(lab, f"java/{JAR}")) == MISSING


@pytest.mark.parametrize("path", [JAR.replace("1.0.0", "0.9.0"), METADATA.replace("greeting", "malware")])
def test_what_chainguard_blocks_is_a_miss(lab: Lab, java: str, path: str) -> None:
    assert envelope(get(lab, f"java/{path}")) == MISSING


def test_a_blocked_web_page_can_be_told_of(lab: Lab, java: str) -> None:
    lab.configure(artifactory_mime_mismatch_status=409)
    change(lab, "java", blockMismatchingMimeTypes=True)
    status, message = envelope(get(lab, f"java/{JAR}"))
    assert status == 409 and message.startswith("Mismatching mime types found in request: [application/java-archive]")
    assert get(lab, f"java/{METADATA}").status_code == 200


def test_a_look_with_head_takes_the_web_page_for_the_file(lab: Lab, java: str, token: PullToken) -> None:
    change(lab, "java", bypassHeadRequests=False)
    answer = get(lab, f"java/{JAR}")
    assert (
        answer.status_code == 200 and answer.text.startswith("<a href=") and asked(lab, "java") == {"HEAD": 1, "GET": 1}
    )
    change(lab, "java", bypassHeadRequests=True)
    assert get(lab, f"java/{JAR}").content == answer.content
    client(lab, "manager").delete(f"/artifactory/java/{JAR}")
    assert get(lab, f"java/{JAR}").content == fetch(lab, f"/java/{JAR}", token)


def test_a_look_with_head_is_refused(lab: Lab, java: str) -> None:
    lab.configure(artifactory_redirected_head="rejected")
    change(lab, "java", bypassHeadRequests=False)
    assert envelope(get(lab, f"java/{JAR}")) == MISSING and cached(lab) == []
    assert asked(lab, "java") == {"HEAD": 2}


def test_snapshots_are_not_asked_for(lab: Lab, java: str) -> None:
    path = f"java/{FOLDER}/1.0-SNAPSHOT/maven-metadata.xml"
    get(lab, path)
    assert asked(lab, "java") == {}
    change(lab, "java", handleSnapshots=True)
    assert envelope(get(lab, path)) == MISSING and asked(lab, "java") == {"GET": 1}


# --- other keys ---


def test_keys_without_files(lab: Lab) -> None:
    create(lab, "cgr", {"rclass": "remote", "packageType": "docker", "url": "https://cgr.dev/"})
    assert get(lab, f"nothing/{JAR}").status_code == get(lab, f"nothing-cache/{JAR}").status_code == 404
    assert envelope(get(lab, f"cgr/{JAR}")) == MISSING
