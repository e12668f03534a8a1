# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import hashlib
import json

import pytest
from fake_packages import ARTIFACTORY, DIRECT, KEY, UPSTREAM, FakeServers, create_pull

from ansible_collections.cgr.pull_through.plugins.module_utils._packages._repository_client import RepositoryClient

REPOSITORY_PATH = f"/artifactory/api/npm/{KEY}"


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
def servers():
    servers = FakeServers("npm", REPOSITORY_PATH)
    for name in ("lodash", "@example/greeting"):
        versions = ["1.0.0", "1.1.0", "2.0.0"]
        servers.repository.add(
            f"{REPOSITORY_PATH}/{name}", document(f"{ARTIFACTORY}{REPOSITORY_PATH}", name, *versions, latest="1.1.0")
        )
        servers.upstream.add(f"/base/{name}", document(f"{UPSTREAM}/base", name, *versions, latest="1.1.0"))
        for version in versions:
            servers.add(tarball(name, version), f"{name} {version}")
    return servers


@pytest.fixture
def pull(servers, run_module):
    return create_pull(servers, run_module, "npm")


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("lodash", "1.1.0"),
        ("lodash@2.0.0", "2.0.0"),
        ("@example/greeting", "1.1.0"),
        ("@example/greeting@1.0.0", "1.0.0"),
    ],
)
def test_a_tarball_matches_the_document_and_the_upstream(servers, pull, text, version):
    (artifact,) = pull(text, from_upstream="required", **DIRECT)["artifacts"]
    assert (artifact["ok"], artifact["version"], artifact["outdated"], artifact["from_upstream"]) == (
        True,
        version,
        False,
        True,
    )
    (file,) = artifact["files"]
    assert (file["verified_checksums"], file["matches_upstream"]) == (["sha512", "sha1"], True)


def test_the_slash_after_a_scope_is_encoded(servers, pull):
    pull("@example/greeting")
    assert servers.transport.calls[0][1] == f"{ARTIFACTORY}{REPOSITORY_PATH}/@example%2Fgreeting"


@pytest.mark.parametrize("algorithm", ["integrity", "shasum"])
def test_content_that_differs_from_either_checksum(servers, pull, algorithm):
    index = json.loads(document(f"{ARTIFACTORY}{REPOSITORY_PATH}", "lodash", "1.1.0", latest="1.1.0"))
    other = dist("", "lodash", "1.0.0")[algorithm]
    index["versions"]["1.1.0"]["dist"][algorithm] = other
    servers.repository.add(f"{REPOSITORY_PATH}/lodash", json.dumps(index))
    (artifact,) = pull("lodash")["artifacts"]
    assert (artifact["ok"], artifact["diagnosis"]["code"]) == (False, "content_mismatch")


def test_newest_release_without_tags(servers, pull):
    servers.repository.add(
        f"{REPOSITORY_PATH}/lodash",
        document(f"{ARTIFACTORY}{REPOSITORY_PATH}", "lodash", "1.0.0", "1.1.0", "2.0.0-beta.1"),
    )
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
def test_documents_that_are_not_valid(servers, pull, body, code):
    servers.repository.add(f"{REPOSITORY_PATH}/lodash", body)
    assert pull("lodash")["artifacts"][0]["diagnosis"]["code"] == code


def test_tarballs_that_bypass_artifactory(servers, pull):
    servers.repository.add(f"{REPOSITORY_PATH}/lodash", document("https://registry.example.org", "lodash", "1.1.0"))
    assert pull("lodash")["artifacts"][0]["diagnosis"]["code"] == "bypasses_artifactory"


def test_a_tarball_upstream_that_is_not_encrypted_is_not_fetched(servers, pull):
    servers.upstream.add(
        "/base/lodash", document("http://libraries.example.net/base", "lodash", "1.1.0", latest="1.1.0")
    )
    (artifact,) = pull("lodash", **DIRECT)["artifacts"]
    assert artifact["diagnosis"]["code"] == "upstream_failed" and "not encrypted" in artifact["diagnosis"]["cause"]


@pytest.mark.parametrize("text", ["", "@a", "a@", "a@latest", "a/b", "../a", "@a/b/c"])
def test_artifacts_that_are_not_valid(servers, pull, text):
    assert "is not valid" in pull(text)["msg"] and not servers.transport.requests


@pytest.mark.parametrize(
    "link",
    [
        f"{ARTIFACTORY}{REPOSITORY_PATH}/../other/lodash/-/lodash-1.1.0.tgz",
        f"{ARTIFACTORY}{REPOSITORY_PATH}/%2e%2e/other/lodash/-/lodash-1.1.0.tgz",
        f"{ARTIFACTORY}{REPOSITORY_PATH}/x%2f..%2f../other/lodash-1.1.0.tgz",
        f"{ARTIFACTORY}{REPOSITORY_PATH}/..\\other/lodash-1.1.0.tgz",
        f"{ARTIFACTORY}/artifactory/other/{KEY}/lodash-1.1.0.tgz",
        f"{ARTIFACTORY}/artifactory/api/npm/other/{KEY}/lodash-1.1.0.tgz",
        f"{ARTIFACTORY}.example.net{REPOSITORY_PATH}x/lodash-1.1.0.tgz",
        "https://[",
    ],
)
def test_links_that_leave_the_repository_are_not_requested(servers, pull, link):
    entry = {"dist": {**dist("", "lodash", "1.1.0"), "tarball": link}}
    servers.repository.add(f"{REPOSITORY_PATH}/lodash", json.dumps({"versions": {"1.1.0": entry}}))
    (artifact,) = pull("lodash")["artifacts"]
    assert (artifact["ok"], artifact["diagnosis"]["code"]) == (False, "bypasses_artifactory")
    assert not servers.requested_urls("lodash-1.1.0.tgz")


def test_a_direct_pull_from_beside_the_registry(servers, pull):
    """Chainguard has the tarballs that it did not build outside of the registry's URL."""
    index = json.loads(document(f"{UPSTREAM}/base", "lodash", "1.1.0", latest="1.1.0"))
    index["versions"]["1.1.0"]["dist"]["tarball"] = f"{UPSTREAM}/javascript-upstream/lodash/-/lodash-1.1.0.tgz"
    servers.upstream.add("/base/lodash", json.dumps(index))
    servers.upstream.add("/javascript-upstream/lodash/-/lodash-1.1.0.tgz", "lodash 1.1.0")
    (artifact,) = pull("lodash", repository=None, **DIRECT)["artifacts"]
    assert artifact["ok"] is True
    assert {request.headers.get("Authorization", "")[:6] for request in servers.transport.requests} == {"Basic "}


def test_an_unexpected_exception_fails_only_its_artifact(pull, monkeypatch):
    fetch = RepositoryClient.fetch

    def fail(client, file):
        if "lodash" in file.url:
            raise RuntimeError("a secret")
        return fetch(client, file)

    monkeypatch.setattr(RepositoryClient, "fetch", fail)
    result = pull("lodash", "@example/greeting")
    assert result["failed"] and [artifact["ok"] for artifact in result["artifacts"]] == [False, True]
    assert "RuntimeError" in result["msg"] and "a secret" not in result["msg"]
