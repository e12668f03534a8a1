# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NuGet packages through the simulated Artifactory."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from .conftest import Lab, PullToken
from .test_artifactory_docker import change
from .test_artifactory_files import GUIDE, MISSING, get
from .test_artifactory_rest import client, create, envelope
from .test_chainguard_libraries import fetch

FEED = "https://libraries.cgr.dev/dotnet/v3/index.json"
NUGET = {"rclass": "remote", "packageType": "nuget", "url": FEED, "v3FeedUrl": FEED, **GUIDE}
API = "api/nuget/v3/dotnet"
UPSTREAM = "/dotnet/v3/flatcontainer/lab.greeting/1.0.0/lab.greeting.1.0.0.nupkg"


@pytest.fixture
def token(pull_token: Callable[..., PullToken]) -> PullToken:
    return pull_token("libraries.dotnet.pull")


@pytest.fixture
def dotnet(lab: Lab, token: PullToken) -> str:
    """A remote repository with the settings of the guide."""
    create(lab, "dotnet", {**NUGET, "username": token.username, "password": token.password})
    return "dotnet"


def resources(lab: Lab) -> dict[str, str]:
    """The URLs of the service index by type."""
    response = get(lab, f"{API}/index.json")
    assert response.status_code == 200, response.text
    return {row["@type"]: row["@id"] for row in response.json()["resources"]}


@pytest.mark.parametrize("fields", [{}, {"url": "https://libraries.cgr.dev/dotnet/"}])
def test_the_service_index_leads_to_a_package(lab: Lab, dotnet: str, token: PullToken, fields: dict[str, str]) -> None:
    change(lab, "dotnet", **fields)
    http, base = client(lab, "puller"), resources(lab)["PackageBaseAddress/3.0.0"]
    assert base.startswith(lab.state["artifactory"]["url"])
    assert http.get(f"{base}lab.greeting/index.json").json() == {"versions": ["1.0.0", "1.1.0"]}
    package = http.get(f"{base}lab.greeting/1.0.0/lab.greeting.1.0.0.nupkg").content
    assert http.get(f"{base}lab.greeting/1.0.0/lab.greeting.nuspec").status_code == 404
    assert package == fetch(lab, UPSTREAM, token)
    assert "Lab.Greeting.nuspec" in zipfile.ZipFile(io.BytesIO(package)).namelist()
    cached = lab.control("GET", "/artifactory/cache/dotnet")
    assert cached == [
        ".nuGetV3/flatcontainer/lab.greeting/index.json",
        ".nuGetV3/index.json",
        "lab.greeting.1.0.0.nupkg",
    ]


def test_the_registration_leads_to_a_package(lab: Lab, dotnet: str, token: PullToken) -> None:
    http, base = client(lab, "puller"), resources(lab)["RegistrationsBaseUrl/3.6.0"]
    (page,) = http.get(f"{base}lab.greeting/index.json").json()["items"]
    leaves = {leaf["catalogEntry"]["version"]: leaf["packageContent"] for leaf in page["items"]}
    assert leaves["1.0.0"] == f"{base}Download/lab.greeting/1.0.0"
    assert http.get(leaves["1.0.0"]).content == fetch(lab, UPSTREAM, token)


@pytest.mark.parametrize(
    "wrong",
    [
        {"v3FeedUrl": "https://libraries.cgr.dev/dotnet/"},
        {"v3FeedUrl": "https://libraries.cgr.dev/dotnet/index.json"},
        {"username": "", "password": ""},
    ],
)
def test_a_wrong_setting_breaks_the_feed(lab: Lab, dotnet: str, wrong: dict[str, Any]) -> None:
    change(lab, "dotnet", **wrong)
    assert envelope(get(lab, f"{API}/index.json")) == envelope(get(lab, f"{API}/lab.greeting/index.json")) == MISSING


@pytest.mark.parametrize(
    "wrong", [{"allowAnyHostAuth": True}, {"disableUrlNormalization": False}, {"blockMismatchingMimeTypes": True}]
)
def test_a_wrong_setting_breaks_the_package_but_not_the_feed(lab: Lab, dotnet: str, wrong: dict[str, Any]) -> None:
    change(lab, "dotnet", **wrong)
    assert resources(lab)
    assert get(lab, f"{API}/lab.greeting/1.0.0/lab.greeting.1.0.0.nupkg").status_code == 404


GALLERY = {
    "v3FeedUrl": "https://api.nuget.org/v3/index.json",
    "symbolServerUrl": "https://symbols.nuget.org/download/symbols",
}


def urls(lab: Lab, key: str, api: str = "/artifactory/api/repositories") -> dict[str, Any]:
    fields = client(lab).get(f"{api}/{key}").json()
    return {name: fields[name] for name in GALLERY if name in fields}


def test_a_remote_without_a_feed_leads_to_the_public_gallery(lab: Lab) -> None:
    create(lab, "feed", {"rclass": "remote", "packageType": "nuget", "url": FEED, **GUIDE})
    assert urls(lab, "feed") == urls(lab, "feed", "/artifactory/api/v2/repositories") == GALLERY


def test_an_empty_feed_brings_the_default_back(lab: Lab, dotnet: str) -> None:
    assert urls(lab, dotnet)["v3FeedUrl"] == FEED
    body = {"v3FeedUrl": "", "symbolServerUrl": "https://example.com/symbols"}
    assert client(lab).post(f"/artifactory/api/repositories/{dotnet}", json=body).status_code == 200
    assert urls(lab, dotnet) == {**GALLERY, "symbolServerUrl": "https://example.com/symbols"}


def test_the_urls_can_be_missing_in_responses(lab: Lab, dotnet: str) -> None:
    lab.configure(artifactory_returns_nuget_urls=False)
    assert urls(lab, dotnet) == urls(lab, dotnet, "/artifactory/api/v2/repositories") == {}
    assert lab.control("GET", "/artifactory/repositories")[dotnet]["v3FeedUrl"] == FEED
