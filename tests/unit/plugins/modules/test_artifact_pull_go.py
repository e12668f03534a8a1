# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from fake_packages import ARTIFACTORY, DIRECT, KEY, FakeServers, create_pull

REPOSITORY_PATH = f"/artifactory/api/go/{KEY}"
MODULE = "example.com/!lab/greeting"


@pytest.fixture
def servers():
    servers = FakeServers("go", REPOSITORY_PATH)
    servers.add(f"{MODULE}/@v/list", "v1.0.0\nv1.1.0\nv2.0.0-rc.1\n")
    for version in ("v1.0.0", "v1.1.0", "v2.0.0-rc.1"):
        servers.add(f"{MODULE}/@v/{version}.info", json.dumps({"Version": version}))
        servers.add(f"{MODULE}/@v/{version}.mod", "module example.com/Lab/greeting\n")
        servers.add(f"{MODULE}/@v/{version}.zip", f"zip of {version}")
    return servers


@pytest.fixture
def pull(servers, run_module):
    return create_pull(servers, run_module, "go")


def test_newest_release_matches_the_upstream(servers, pull):
    (artifact,) = pull("example.com/Lab/greeting", from_upstream="required", **DIRECT)["artifacts"]
    assert (artifact["ok"], artifact["version"], artifact["outdated"], artifact["from_upstream"]) == (
        True,
        "v1.1.0",
        False,
        True,
    )
    assert [
        (artifact["name"], artifact["verified_checksums"], artifact["matches_upstream"])
        for artifact in artifact["files"]
    ] == [
        ("v1.1.0.info", [], None),
        ("v1.1.0.mod", [], True),
        ("v1.1.0.zip", [], True),
    ]
    assert (
        servers.requested_urls(REPOSITORY_PATH)[0]
        == f"{ARTIFACTORY}{REPOSITORY_PATH}/example.com/%21lab/greeting/@v/list"
    )


def test_a_pinned_version_needs_no_list(servers, pull):
    del servers.repository.files[f"{REPOSITORY_PATH}/{MODULE}/@v/list"]
    (artifact,) = pull("example.com/Lab/greeting@v1.0.0")["artifacts"]
    assert (artifact["ok"], artifact["version"]) == (True, "v1.0.0")


def test_a_module_without_tags(servers, pull):
    servers.repository.add(f"{REPOSITORY_PATH}/{MODULE}/@v/list", "../x\n")
    servers.repository.add(f"{REPOSITORY_PATH}/{MODULE}/@latest", json.dumps({"Version": "v1.0.0"}))
    assert pull("example.com/Lab/greeting")["artifacts"][0]["version"] == "v1.0.0"
    servers.repository.add(f"{REPOSITORY_PATH}/{MODULE}/@latest", "{}")
    assert pull("example.com/Lab/greeting")["artifacts"][0]["diagnosis"]["code"] == "version_missing"


def test_content_that_differs_from_the_upstream(servers, pull):
    servers.repository.add(f"{REPOSITORY_PATH}/{MODULE}/@v/v1.1.0.zip", "other")
    (artifact,) = pull("example.com/Lab/greeting", **DIRECT)["artifacts"]
    assert (artifact["ok"], artifact["diagnosis"]["code"]) == (False, "upstream_checksum_mismatch")


def test_the_list_is_expired_if_everything_is_cached(servers, pull):
    servers.cached.update(
        f"{MODULE}/@v/{version}.{extension}"
        for version in ("v1.0.0", "v1.1.0", "v2.0.0-rc.1")
        for extension in ("info", "mod", "zip")
    )
    (artifact,) = pull("example.com/Lab/greeting", from_upstream="required")["artifacts"]
    assert artifact["from_upstream"] is True and len(servers.requested_urls(f"/api/zap/{KEY}-cache/")) == 1


@pytest.mark.parametrize("text", ["", "a@1.0.0", "a b", "a/../b", "/a", "a@latest"])
def test_artifacts_that_are_not_valid(servers, pull, text):
    assert "is not valid" in pull(text)["msg"] and not servers.transport.requests
