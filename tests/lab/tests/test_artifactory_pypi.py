# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Python packages through the simulated Artifactory."""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import httpx
import pytest

from lab.packages.python import wheel_path

from .conftest import Lab, PullToken
from .test_artifactory_docker import change
from .test_artifactory_files import GUIDE, MISSING
from .test_artifactory_rest import client, create, envelope
from .test_chainguard_libraries import fetch

PYPI = {
    "rclass": "remote",
    "packageType": "pypi",
    "url": "https://libraries.cgr.dev/",
    "pyPIRegistryUrl": "https://libraries.cgr.dev/",
    "pyPIRepositorySuffix": "python/simple",
    **GUIDE,
}
API = "/artifactory/api/pypi"
WHEEL = wheel_path("lab-greeting", "1.0.0").lstrip("/")


@pytest.fixture
def token(pull_token: Callable[..., PullToken]) -> PullToken:
    return pull_token("libraries.python.pull")


@pytest.fixture
def python(lab: Lab, token: PullToken) -> str:
    """A remote repository with the settings of the guide."""
    create(lab, "python", {**PYPI, "username": token.username, "password": token.password})
    return "python"


def index(lab: Lab, project: str = "lab-greeting", key: str = "python") -> httpx.Response:
    return client(lab, "puller").get(f"{API}/{key}/simple/{project}/")


def links(response: httpx.Response) -> dict[str, str]:
    """The targets of an HTML page's links by their text."""
    assert response.status_code == 200, response.text
    urls = re.findall(r'<a href="([^"]*)">([^<]*)</a>', response.text)
    return {text: str(response.url.join(target)) for target, text in urls}


def test_file_links_and_checksums(lab: Lab, python: str, token: PullToken) -> None:
    urls = links(index(lab))
    assert list(urls) == [f"lab_greeting-{version}-py3-none-any.whl" for version in ("1.0.0", "1.1.0")]
    base = lab.state["artifactory"]["url"]
    target, _ignored, hashed = urls["lab_greeting-1.0.0-py3-none-any.whl"].partition("#sha256=")
    assert target == f"{base}{API}/python/packages/{WHEEL}"
    wheel = client(lab, "puller").get(target).content
    assert sha256(wheel).hexdigest() == hashed and wheel == fetch(lab, f"/{WHEEL}", token)
    assert lab.control("GET", "/artifactory/cache/python") == [".pypi/lab-greeting.html", WHEEL]
    assert client(lab, "puller").get(f"/artifactory/python/{WHEEL}").content == wheel


def test_projects(lab: Lab, python: str) -> None:
    response = client(lab, "puller").get(f"{API}/python/simple/")
    assert list(links(response)) == ["lab-greeting", "lab-upstream", "six", "urllib3"]
    assert list(links(index(lab, "Lab_Greeting"))) == list(links(index(lab)))
    assert envelope(index(lab, "nothing")) == MISSING


def test_a_package_from_python_upstream(lab: Lab, python: str) -> None:
    (target,) = links(index(lab, "lab-upstream")).values()
    assert "/api/pypi/python/packages/python-upstream/" in target
    assert client(lab, "puller").get(target).status_code == 200


def test_a_link_outside_the_url_bypasses_artifactory(lab: Lab, python: str) -> None:
    change(lab, "python", url="https://libraries.cgr.dev/python/")
    assert all(target.startswith("https://libraries.cgr.dev/files/") for target in links(index(lab)).values())
    (target,) = links(index(lab, "lab-upstream")).values()
    assert target.startswith("https://libraries.cgr.dev/python-upstream/")


@pytest.mark.parametrize(
    "wrong",
    [
        {"pyPIRepositorySuffix": "simple"},
        {"pyPIRegistryUrl": "https://libraries.cgr.dev/python/"},
        {"username": "", "password": ""},
    ],
)
def test_a_wrong_setting_breaks_the_index(lab: Lab, python: str, wrong: dict[str, Any]) -> None:
    change(lab, "python", **wrong)
    assert envelope(index(lab)) == MISSING


@pytest.mark.parametrize(
    "wrong", [{"allowAnyHostAuth": True}, {"disableUrlNormalization": False}, {"blockMismatchingMimeTypes": True}]
)
def test_a_wrong_setting_breaks_the_file_but_not_the_index(lab: Lab, python: str, wrong: dict[str, Any]) -> None:
    change(lab, "python", **wrong)
    assert links(index(lab))
    assert client(lab, "puller").get(f"{API}/python/packages/{WHEEL}").status_code == 404


def test_a_head_request_caches_html_as_the_file(lab: Lab, python: str) -> None:
    change(lab, "python", bypassHeadRequests=False)
    target, _ignored, hashed = links(index(lab))["lab_greeting-1.0.0-py3-none-any.whl"].partition("#sha256=")
    assert sha256(client(lab, "puller").get(target).content).hexdigest() != hashed


def test_other_keys(lab: Lab, python: str) -> None:
    create(lab, "java", {"rclass": "remote", "packageType": "maven", "url": "https://libraries.cgr.dev/java/"})
    assert envelope(index(lab, key="java")) == (404, "Could not find repository 'java'")
