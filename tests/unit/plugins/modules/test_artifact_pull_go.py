# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from fake_packages import ARTIFACTORY, DIRECT, KEY, World, puller

HOME = f"/artifactory/api/go/{KEY}"
MODULE = "example.com/!lab/greeting"


@pytest.fixture
def world():
    made = World("go", HOME)
    made.add(f"{MODULE}/@v/list", "v1.0.0\nv1.1.0\nv2.0.0-rc.1\n")
    for version in ("v1.0.0", "v1.1.0", "v2.0.0-rc.1"):
        made.add(f"{MODULE}/@v/{version}.info", json.dumps({"Version": version}))
        made.add(f"{MODULE}/@v/{version}.mod", "module example.com/Lab/greeting\n")
        made.add(f"{MODULE}/@v/{version}.zip", f"zip of {version}")
    return made


@pytest.fixture
def pull(world, run_module):
    return puller(world, run_module, "go")


def test_the_newest_release_is_upstreams(world, pull):
    (shown,) = pull("example.com/Lab/greeting", from_upstream="required", **DIRECT)["artifacts"]
    assert (shown["ok"], shown["version"], shown["outdated"], shown["from_upstream"]) == (True, "v1.1.0", False, True)
    assert [(one["name"], one["verified_checksums"], one["matches_upstream"]) for one in shown["files"]] == [
        ("v1.1.0.info", [], None),
        ("v1.1.0.mod", [], True),
        ("v1.1.0.zip", [], True),
    ]
    assert world.asked(HOME)[0] == f"{ARTIFACTORY}{HOME}/example.com/%21lab/greeting/@v/list"


def test_a_version_that_is_pinned_needs_no_list(world, pull):
    del world.through.files[f"{HOME}/{MODULE}/@v/list"]
    (shown,) = pull("example.com/Lab/greeting@v1.0.0")["artifacts"]
    assert (shown["ok"], shown["version"]) == (True, "v1.0.0")


def test_a_module_without_tags(world, pull):
    world.through.add(f"{HOME}/{MODULE}/@v/list", "../x\n")
    world.through.add(f"{HOME}/{MODULE}/@latest", json.dumps({"Version": "v1.0.0"}))
    assert pull("example.com/Lab/greeting")["artifacts"][0]["version"] == "v1.0.0"
    world.through.add(f"{HOME}/{MODULE}/@latest", "{}")
    assert pull("example.com/Lab/greeting")["artifacts"][0]["diagnosis"]["code"] == "version_missing"


def test_another_source_than_upstreams(world, pull):
    world.through.add(f"{HOME}/{MODULE}/@v/v1.1.0.zip", "other")
    (shown,) = pull("example.com/Lab/greeting", **DIRECT)["artifacts"]
    assert (shown["ok"], shown["diagnosis"]["code"]) == (False, "upstream_checksum_mismatch")


def test_go_mod_is_deleted_from_the_cache_as_the_smallest(world, pull):
    world.cached.update(
        f"{MODULE}/@v/{version}.{extension}"
        for version in ("v1.0.0", "v1.1.0", "v2.0.0-rc.1")
        for extension in ("info", "mod", "zip")
    )
    (shown,) = pull("example.com/Lab/greeting", from_upstream="required", evict=True)["artifacts"]
    deleted = [url for method, url in world.transport.asked if method == "DELETE"]
    assert shown["from_upstream"] is True and [url.rpartition("/")[2] for url in deleted] == ["v1.1.0.info"]


@pytest.mark.parametrize("text", ["", "a@1.0.0", "a b", "a/../b", "/a", "a@latest"])
def test_what_is_no_artifact(world, pull, text):
    assert "cannot be read" in pull(text)["msg"] and not world.transport.requests
