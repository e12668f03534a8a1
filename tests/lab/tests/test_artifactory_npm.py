# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""npm packages through the simulated Artifactory."""

from __future__ import annotations

import base64
from collections.abc import Callable
from hashlib import sha512
from typing import Any

import httpx
import pytest

from .conftest import Lab, PullToken
from .test_artifactory_docker import change
from .test_artifactory_files import GUIDE, MISSING
from .test_artifactory_rest import client, create, envelope

NPM = {"rclass": "remote", "packageType": "npm", "url": "https://libraries.cgr.dev/javascript/", **GUIDE}
API = "/artifactory/api/npm/javascript"


@pytest.fixture
def javascript(lab: Lab, pull_token: Callable[..., PullToken]) -> str:
    """A remote repository as the guide has it."""
    token = pull_token("libraries.javascript.pull")
    create(lab, "javascript", {**NPM, "username": token.username, "password": token.password})
    return "javascript"


def get(lab: Lab, path: str) -> httpx.Response:
    return client(lab, "puller").get(path)


def dist(answer: httpx.Response, version: str = "1.0.0") -> dict[str, str]:
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["versions"][version]["dist"])


def integrity(answer: httpx.Response) -> str:
    return f"sha512-{base64.b64encode(sha512(answer.content).digest()).decode()}"


@pytest.mark.parametrize("name", ["lab-greeting", "@example%2fgreeting", "@example/greeting"])
def test_tarballs_lead_back_and_are_what_the_document_says(lab: Lab, javascript: str, name: str) -> None:
    document, plain = get(lab, f"{API}/{name}"), name.replace("%2f", "/")
    assert document.json()["name"] == plain and document.json()["dist-tags"] == {"latest": "1.1.0"}
    found, file = dist(document), f"{plain}/-/{plain.rpartition('/')[2]}-1.0.0.tgz"
    assert found["tarball"] == f"{lab.state['artifactory']['url']}{API}/{file}"
    assert integrity(get(lab, found["tarball"])) == found["integrity"]
    assert lab.control("GET", "/artifactory/cache/javascript") == [f".npm/{plain}/package.json", file]


def test_what_is_not_there(lab: Lab, javascript: str) -> None:
    assert envelope(get(lab, f"{API}/nothing")) == MISSING
    assert envelope(get(lab, f"{API}/nothing/-/nothing-1.0.0.tgz")) == MISSING


@pytest.mark.parametrize(
    "wrong", [{"url": "https://libraries.cgr.dev/"}, {"username": "", "password": ""}, {"password": "wrong"}]
)
def test_a_wrong_setting_finds_no_package(lab: Lab, javascript: str, wrong: dict[str, Any]) -> None:
    change(lab, "javascript", **wrong)
    assert envelope(get(lab, f"{API}/lab-greeting")) == MISSING


@pytest.mark.parametrize(
    "wrong", [{"allowAnyHostAuth": True}, {"disableUrlNormalization": False}, {"blockMismatchingMimeTypes": True}]
)
def test_a_wrong_setting_finds_the_package_but_no_tarball(lab: Lab, javascript: str, wrong: dict[str, Any]) -> None:
    change(lab, "javascript", **wrong)
    assert get(lab, dist(get(lab, f"{API}/lab-greeting"))["tarball"]).status_code == 404


def test_a_look_with_head_spoils_the_tarball(lab: Lab, javascript: str) -> None:
    change(lab, "javascript", bypassHeadRequests=False)
    found = dist(get(lab, f"{API}/lab-greeting"))
    assert integrity(get(lab, found["tarball"])) != found["integrity"]


def test_a_web_page_is_no_document(lab: Lab, javascript: str) -> None:
    lab.fail(service="libraries", action={"status": 200, "body": "<html>Log in</html>"})
    status, message = envelope(get(lab, f"{API}/lab-greeting"))
    assert status == 500 and message.startswith("Could not read what the upstream sent")


def test_metadata_expires(lab: Lab, javascript: str) -> None:
    get(lab, f"{API}/lab-greeting")
    lab.control("POST", "/chainguard/packages", {"repository": "javascript", "version": "1.2.0"})
    assert "1.2.0" not in get(lab, f"{API}/lab-greeting").json()["versions"]
    lab.control("POST", "/artifactory/repositories/javascript", {"retrievalCachePeriodSecs": 0})
    found = dist(get(lab, f"{API}/lab-greeting"), "1.2.0")
    assert integrity(get(lab, found["tarball"])) == found["integrity"]
