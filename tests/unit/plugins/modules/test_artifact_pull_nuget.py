# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import hashlib
import json

import pytest
from fake_packages import ARTIFACTORY, DIRECT, KEY, UPSTREAM, World, puller

HOME = f"/artifactory/api/nuget/v3/{KEY}"
VERSIONS = ("1.0.0", "1.1.0", "2.0.0-beta")
DIRECTLY = {**DIRECT, "upstream_url": f"{UPSTREAM}/root/index.json"}


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
def world():
    """The upstream has a flat container, and Artifactory a registration alone, with downloads in its older API."""
    made = World("nuget", HOME)
    made.cache_path = lambda path: f"lab.greeting.{path.rpartition('/')[2]}.nupkg"
    made.upstream.add("/root/index.json", feed(**{"PackageBaseAddress/3.0.0": f"{UPSTREAM}/flat/"}))
    made.upstream.add("/flat/lab.greeting/index.json", json.dumps({"versions": VERSIONS}))
    registration = f"{HOME}/registration-semver2"
    made.through.add(f"{HOME}/index.json", feed(**{"RegistrationsBaseUrl/3.6.0": f"{ARTIFACTORY}{registration}"}))
    leaves = []
    for version in VERSIONS:
        made.upstream.add(f"/flat/lab.greeting/{version}/lab.greeting.{version}.nupkg", body(version))
        download = f"/artifactory/api/nuget/{KEY}/Download/lab.greeting/{version}"
        made.through.add(download, body(version))
        leaves.append(leaf(version, f"{ARTIFACTORY}{download}"))
    page = f"{registration}/lab.greeting/page.json"
    pages = [{"items": leaves[:1]}, {"@id": f"{ARTIFACTORY}{page}"}]
    made.through.add(f"{registration}/lab.greeting/index.json", json.dumps({"items": pages}))
    made.through.add(page, json.dumps({"items": leaves[1:]}))
    return made


@pytest.fixture
def pull(world, run_module):
    return puller(world, run_module, "nuget")


def test_the_newest_release_is_upstreams(world, pull):
    (shown,) = pull("Lab.Greeting", from_upstream="required", **DIRECTLY)["artifacts"]
    assert (shown["ok"], shown["version"], shown["outdated"], shown["from_upstream"]) == (True, "1.1.0", False, True)
    (file,) = shown["files"]
    assert (file["name"], file["verified_checksums"], file["matches_upstream"]) == (
        "lab.greeting.1.1.0.nupkg",
        ["sha512"],
        True,
    )


def test_a_version_that_is_pinned_by_the_flat_container(world, pull):
    world.through.add(f"{HOME}/index.json", feed(**{"PackageBaseAddress/3.0.0": f"{ARTIFACTORY}{HOME}/flat/"}))
    world.through.add(f"{HOME}/flat/lab.greeting/index.json", json.dumps({"versions": ["1.0.0", "2.0.0-Beta"]}))
    world.through.add(f"{HOME}/flat/lab.greeting/2.0.0-beta/lab.greeting.2.0.0-beta.nupkg", "package")
    (shown,) = pull("Lab.Greeting@2.0.0-Beta")["artifacts"]
    assert (shown["ok"], shown["version"], shown["files"][0]["verified_checksums"]) == (True, "2.0.0-beta", [])


def test_another_content_than_the_registration_promises(world, pull):
    world.through.add(f"/artifactory/api/nuget/{KEY}/Download/lab.greeting/1.1.0", "other")
    assert pull("Lab.Greeting")["artifacts"][0]["diagnosis"]["code"] == "content_mismatch"


def test_a_version_that_is_not_there(world, pull):
    (shown,) = pull("Lab.Greeting@9.9.9")["artifacts"]
    assert shown["diagnosis"]["code"] == "version_missing" and "2.0.0-beta, 1.1.0" in shown["diagnosis"]["cause"]


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ("{}", "a feed that is not valid"),
        (feed(), "does not say where packages are"),
        (feed(RegistrationsBaseUrl="no"), "past Artifactory"),
        (feed(**{"PackageBaseAddress/3.0.0": "https://api.nuget.example.org/flat"}), "past Artifactory"),
    ],
)
def test_feeds_that_are_none(world, pull, found, words):
    world.through.add(f"{HOME}/index.json", found)
    (shown,) = pull("Lab.Greeting")["artifacts"]
    assert shown["ok"] is False and words in shown["error"]["message"]


@pytest.mark.parametrize("text", ["", "a b", "a@", "a@latest", "a/b"])
def test_what_is_no_artifact(world, pull, text):
    assert "cannot be read" in pull(text)["msg"] and not world.transport.requests
