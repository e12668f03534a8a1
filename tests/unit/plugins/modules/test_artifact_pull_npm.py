# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import hashlib
import json

import pytest
from fake_packages import ARTIFACTORY, DIRECT, KEY, UPSTREAM, World, puller

HOME = f"/artifactory/api/npm/{KEY}"


def dist(base, name, version):
    body = f"{name} {version}".encode()
    integrity = base64.b64encode(hashlib.sha512(body).digest()).decode()
    return {
        "tarball": f"{base}/{tarball(name, version)}",
        "integrity": f"sha512-{integrity} sha512-!\u00e9",
        "shasum": hashlib.sha1(body).hexdigest(),
    }


def tarball(name, version):
    return f"{name}/-/{name.rpartition('/')[2]}-{version}.tgz"


def document(base, name, *versions, **tags):
    entries = {version: {"version": version, "dist": dist(base, name, version)} for version in versions}
    return json.dumps({"name": name, "dist-tags": tags, "versions": entries})


@pytest.fixture
def world():
    made = World("npm", HOME)
    for name in ("lodash", "@example/greeting"):
        versions = ["1.0.0", "1.1.0", "2.0.0"]
        made.through.add(f"{HOME}/{name}", document(f"{ARTIFACTORY}{HOME}", name, *versions, latest="1.1.0"))
        made.upstream.add(f"/root/{name}", document(f"{UPSTREAM}/root", name, *versions, latest="1.1.0"))
        for version in versions:
            made.add(tarball(name, version), f"{name} {version}")
    return made


@pytest.fixture
def pull(world, run_module):
    return puller(world, run_module, "npm")


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("lodash", "1.1.0"),
        ("lodash@2.0.0", "2.0.0"),
        ("@example/greeting", "1.1.0"),
        ("@example/greeting@1.0.0", "1.0.0"),
    ],
)
def test_a_tarball_has_the_integrity_of_the_document_and_is_upstreams(world, pull, text, version):
    (shown,) = pull(text, from_upstream="required", **DIRECT)["artifacts"]
    assert (shown["ok"], shown["version"], shown["outdated"], shown["from_upstream"]) == (True, version, False, True)
    (file,) = shown["files"]
    assert (file["verified_checksums"], file["matches_upstream"]) == (["sha512", "sha1"], True)


def test_the_slash_after_a_scope_is_written_as_npm_does(world, pull):
    pull("@example/greeting")
    assert world.transport.asked[0][1] == f"{ARTIFACTORY}{HOME}/@example%2Fgreeting"


@pytest.mark.parametrize("algorithm", ["integrity", "shasum"])
def test_another_content_than_either_checksum_promises(world, pull, algorithm):
    found = json.loads(document(f"{ARTIFACTORY}{HOME}", "lodash", "1.1.0", latest="1.1.0"))
    other = dist("", "lodash", "1.0.0")[algorithm]
    found["versions"]["1.1.0"]["dist"][algorithm] = other
    world.through.add(f"{HOME}/lodash", json.dumps(found))
    (shown,) = pull("lodash")["artifacts"]
    assert (shown["ok"], shown["diagnosis"]["code"]) == (False, "content_mismatch")


def test_without_tags_the_newest_release(world, pull):
    world.through.add(f"{HOME}/lodash", document(f"{ARTIFACTORY}{HOME}", "lodash", "1.0.0", "1.1.0", "2.0.0-beta.1"))
    assert pull("lodash")["artifacts"][0]["version"] == "1.1.0"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("[]", "content_mismatch"),
        ("{", "content_mismatch"),
        ("{}", "version_missing"),
        ('{"versions": {"1.0.0": {}}}', "content_mismatch"),
        ('{"versions": {"1.0.0": null}}', "content_mismatch"),
        ('{"versions": {"1.0.0": {"dist": {"tarball": 1}}}}', "content_mismatch"),
        ('{"versions": 5, "dist-tags": ["latest"]}', "content_mismatch"),
        ("<!DOCTYPE html><html></html>", "html_response"),
    ],
)
def test_documents_that_are_none(world, pull, body, code):
    world.through.add(f"{HOME}/lodash", body)
    assert pull("lodash")["artifacts"][0]["diagnosis"]["code"] == code


def test_tarballs_past_artifactory_are_found(world, pull):
    world.through.add(f"{HOME}/lodash", document("https://registry.example.org", "lodash", "1.1.0"))
    assert pull("lodash")["artifacts"][0]["diagnosis"]["code"] == "bypasses_artifactory"


def test_a_tarball_upstream_that_is_not_encrypted_is_not_fetched(world, pull):
    world.upstream.add("/root/lodash", document("http://libraries.example.net/root", "lodash", "1.1.0", latest="1.1.0"))
    (shown,) = pull("lodash", **DIRECT)["artifacts"]
    assert shown["diagnosis"]["code"] == "upstream_failed" and "not encrypted" in shown["diagnosis"]["cause"]


@pytest.mark.parametrize("text", ["", "@a", "a@", "a@latest", "a/b", "../a", "@a/b/c"])
def test_what_is_no_artifact(world, pull, text):
    assert "cannot be read" in pull(text)["msg"] and not world.transport.requests
