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
    """A remote repository with the settings of the guide."""
    token = pull_token("libraries.javascript.pull")
    create(lab, "javascript", {**NPM, "username": token.username, "password": token.password})
    return "javascript"


def get(lab: Lab, path: str) -> httpx.Response:
    return client(lab, "puller").get(path)


def dist(response: httpx.Response, version: str = "1.0.0") -> dict[str, str]:
    assert response.status_code == 200, response.text
    return dict(response.json()["versions"][version]["dist"])


def integrity(response: httpx.Response) -> str:
    return f"sha512-{base64.b64encode(sha512(response.content).digest()).decode()}"


@pytest.mark.parametrize("name", ["lab-greeting", "@example%2fgreeting", "@example/greeting"])
def test_tarball_links_and_checksums(lab: Lab, javascript: str, name: str) -> None:
    document, name_with_slash = get(lab, f"{API}/{name}"), name.replace("%2f", "/")
    assert document.json()["name"] == name_with_slash and document.json()["dist-tags"] == {"latest": "1.1.0"}
    dist_fields, file = dist(document), f"{name_with_slash}/-/{name_with_slash.rpartition('/')[2]}-1.0.0.tgz"
    assert dist_fields["tarball"] == f"{lab.state['artifactory']['url']}{API}/{file}"
    assert integrity(get(lab, dist_fields["tarball"])) == dist_fields["integrity"]
    assert lab.control("GET", "/artifactory/cache/javascript") == [f".npm/{name_with_slash}/package.json", file]


def test_a_tarball_outside_of_the_url(lab: Lab, javascript: str) -> None:
    dist_fields = dist(get(lab, f"{API}/picocolors"), "1.1.1")
    assert dist_fields["tarball"] == f"{lab.state['artifactory']['url']}{API}/picocolors/-/picocolors-1.1.1.tgz"
    assert integrity(get(lab, dist_fields["tarball"])) == dist_fields["integrity"]
    assert get(lab, f"{dist_fields['tarball']}.sha1").text == dist_fields["shasum"]
    assert "/javascript-upstream/picocolors/-/picocolors-1.1.1.tgz" in [
        entry["path"] for entry in lab.request_log("libraries.get")
    ]


def test_a_tarball_outside_of_the_url_can_bypass_artifactory(lab: Lab, javascript: str) -> None:
    lab.configure(artifactory_npm_outside_tarballs="unchanged")
    tarball = dist(get(lab, f"{API}/picocolors"), "1.1.1")["tarball"]
    assert tarball == "https://libraries.cgr.dev/javascript-upstream/picocolors/-/picocolors-1.1.1.tgz"
    assert envelope(get(lab, f"{API}/picocolors/-/picocolors-1.1.1.tgz")) == MISSING


def test_missing_files(lab: Lab, javascript: str) -> None:
    assert envelope(get(lab, f"{API}/nothing")) == MISSING
    assert envelope(get(lab, f"{API}/nothing/-/nothing-1.0.0.tgz")) == MISSING


@pytest.mark.parametrize(
    "wrong", [{"url": "https://libraries.cgr.dev/"}, {"username": "", "password": ""}, {"password": "wrong"}]
)
def test_a_wrong_setting_breaks_the_document(lab: Lab, javascript: str, wrong: dict[str, Any]) -> None:
    change(lab, "javascript", **wrong)
    assert envelope(get(lab, f"{API}/lab-greeting")) == MISSING


@pytest.mark.parametrize(
    "wrong", [{"allowAnyHostAuth": True}, {"disableUrlNormalization": False}, {"blockMismatchingMimeTypes": True}]
)
def test_a_wrong_setting_breaks_the_tarball_but_not_the_document(
    lab: Lab, javascript: str, wrong: dict[str, Any]
) -> None:
    change(lab, "javascript", **wrong)
    assert get(lab, dist(get(lab, f"{API}/lab-greeting"))["tarball"]).status_code == 404


def test_a_head_request_caches_html_as_the_tarball(lab: Lab, javascript: str) -> None:
    change(lab, "javascript", bypassHeadRequests=False)
    dist_fields = dist(get(lab, f"{API}/lab-greeting"))
    assert integrity(get(lab, dist_fields["tarball"])) != dist_fields["integrity"]


def test_an_html_page_is_not_a_document(lab: Lab, javascript: str) -> None:
    lab.inject_fault(service="libraries", action={"status": 200, "body": "<html>Log in</html>"})
    status, message = envelope(get(lab, f"{API}/lab-greeting"))
    assert status == 500 and message.startswith("Could not read what the upstream sent")


def test_metadata_expires(lab: Lab, javascript: str) -> None:
    get(lab, f"{API}/lab-greeting")
    lab.control("POST", "/chainguard/packages", {"repository": "javascript", "version": "1.2.0"})
    assert "1.2.0" not in get(lab, f"{API}/lab-greeting").json()["versions"]
    lab.control("POST", "/artifactory/repositories/javascript", {"retrievalCachePeriodSecs": 0})
    dist_fields = dist(get(lab, f"{API}/lab-greeting"), "1.2.0")
    assert integrity(get(lab, dist_fields["tarball"])) == dist_fields["integrity"]
