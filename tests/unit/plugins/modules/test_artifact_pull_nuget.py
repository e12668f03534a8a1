# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import hashlib
import json

import pytest
from fake_packages import ARTIFACTORY, DIRECT, KEY, UPSTREAM, FakeServers, create_pull

REPOSITORY_PATH = f"/artifactory/api/nuget/v3/{KEY}"
VERSIONS = ("1.0.0", "1.1.0", "2.0.0-beta")
FROM_UPSTREAM = {**DIRECT, "upstream_url": f"{UPSTREAM}/base/index.json"}


def body(version):
    return f"package {version}".encode()


def feed(**resources):
    return json.dumps(
        {"version": "3.0.0", "resources": [{"@id": url, "@type": kind} for kind, url in resources.items()]}
    )


def leaf(version, content):
    entry = {
        "version": version,
        "packageHash": base64.b64encode(hashlib.sha512(body(version)).digest()).decode(),
        "packageHashAlgorithm": "SHA512",
    }
    return {"catalogEntry": entry, "packageContent": content}


@pytest.fixture
def servers():
    """The upstream has a flat container; Artifactory has a registration only, with downloads in its older API."""
    servers = FakeServers("nuget", REPOSITORY_PATH)
    servers.cache_path = lambda path: f"lab.greeting.{path.rpartition('/')[2]}.nupkg"
    servers.upstream.add("/base/index.json", feed(**{"PackageBaseAddress/3.0.0": f"{UPSTREAM}/flat/"}))
    servers.upstream.add("/flat/lab.greeting/index.json", json.dumps({"versions": VERSIONS}))
    registration = f"{REPOSITORY_PATH}/registration-semver2"
    servers.repository.add(
        f"{REPOSITORY_PATH}/index.json", feed(**{"RegistrationsBaseUrl/3.6.0": f"{ARTIFACTORY}{registration}"})
    )
    leaves = []
    for version in VERSIONS:
        servers.upstream.add(f"/flat/lab.greeting/{version}/lab.greeting.{version}.nupkg", body(version))
        download = f"/artifactory/api/nuget/{KEY}/Download/lab.greeting/{version}"
        servers.repository.add(download, body(version))
        leaves.append(leaf(version, f"{ARTIFACTORY}{download}"))
    page = f"{registration}/lab.greeting/page.json"
    pages = [{"items": leaves[:1]}, {"@id": f"{ARTIFACTORY}{page}"}]
    servers.repository.add(f"{registration}/lab.greeting/index.json", json.dumps({"items": pages}))
    servers.repository.add(page, json.dumps({"items": leaves[1:]}))
    return servers


@pytest.fixture
def pull(servers, run_module):
    return create_pull(servers, run_module, "nuget")


def test_newest_release_matches_the_upstream(servers, pull):
    (artifact,) = pull("Lab.Greeting", from_upstream="required", **FROM_UPSTREAM)["artifacts"]
    assert (artifact["ok"], artifact["version"], artifact["outdated"], artifact["from_upstream"]) == (
        True,
        "1.1.0",
        False,
        True,
    )
    (file,) = artifact["files"]
    assert (file["name"], file["verified_checksums"], file["matches_upstream"]) == (
        "lab.greeting.1.1.0.nupkg",
        ["sha512"],
        True,
    )


def test_a_pinned_version_in_the_flat_container(servers, pull):
    servers.repository.add(
        f"{REPOSITORY_PATH}/index.json", feed(**{"PackageBaseAddress/3.0.0": f"{ARTIFACTORY}{REPOSITORY_PATH}/flat/"})
    )
    servers.repository.add(
        f"{REPOSITORY_PATH}/flat/lab.greeting/index.json", json.dumps({"versions": ["1.0.0", "2.0.0-Beta"]})
    )
    servers.repository.add(f"{REPOSITORY_PATH}/flat/lab.greeting/2.0.0-beta/lab.greeting.2.0.0-beta.nupkg", "package")
    (artifact,) = pull("Lab.Greeting@2.0.0-Beta")["artifacts"]
    assert (artifact["ok"], artifact["version"], artifact["files"][0]["verified_checksums"]) == (True, "2.0.0-beta", [])


def test_content_that_differs_from_the_registration(servers, pull):
    servers.repository.add(f"/artifactory/api/nuget/{KEY}/Download/lab.greeting/1.1.0", "other")
    assert pull("Lab.Greeting")["artifacts"][0]["diagnosis"]["code"] == "content_mismatch"


def test_a_version_that_does_not_exist(servers, pull):
    (artifact,) = pull("Lab.Greeting@9.9.9")["artifacts"]
    assert artifact["diagnosis"]["code"] == "version_missing" and "2.0.0-beta, 1.1.0" in artifact["diagnosis"]["cause"]


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ("{}", "field resources is missing"),
        (feed(), "has no resource for packages"),
        (feed(RegistrationsBaseUrl="no"), "bypasses Artifactory"),
        (feed(**{"PackageBaseAddress/3.0.0": "https://api.nuget.example.org/flat"}), "bypasses Artifactory"),
    ],
)
def test_feeds_that_are_not_valid(servers, pull, index, message):
    servers.repository.add(f"{REPOSITORY_PATH}/index.json", index)
    (artifact,) = pull("Lab.Greeting")["artifacts"]
    assert artifact["ok"] is False and message in artifact["error"]["message"]


@pytest.mark.parametrize("text", ["", "a b", "a@", "a@latest", "a/b"])
def test_artifacts_that_are_not_valid(servers, pull, text):
    assert "is not valid" in pull(text)["msg"] and not servers.transport.requests
