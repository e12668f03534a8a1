# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from scripted import ScriptedResponse, ScriptedTransport

from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._cache import CacheApi, CachedFile
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._markers import parse_markers
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._server import ArtifactoryService
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import HTTPStatusError
from ansible_collections.cgr.pull_through.plugins.module_utils._json_api import ApiSession

BASE = "https://artifactory.example.com"
PATH = "chainguard/go/latest"


def create_cache(*plays):
    transport = ScriptedTransport(*plays)
    return (
        CacheApi(ApiSession(BASE, ArtifactoryService(), transport=transport, authorization=lambda: "Bearer token")),
        transport,
    )


@pytest.mark.parametrize(("status", "expected"), [(200, True), (404, False), (403, None)])
def test_has(status, expected):
    cache, transport = create_cache(ScriptedResponse(status, {}))
    assert cache.has("cgr-public", PATH) is expected
    assert transport.calls == [("GET", f"{BASE}/artifactory/api/storage/cgr-public-cache/{PATH}")]


def test_has_raises_other_errors():
    cache, _transport = create_cache(ScriptedResponse(401, "who?"))
    with pytest.raises(HTTPStatusError):
        cache.has("cgr-public", PATH)


@pytest.mark.parametrize("status", [204, 404])
def test_evict(status):
    cache, transport = create_cache(ScriptedResponse(status))
    cache.evict("cgr-public", PATH)
    assert transport.calls == [("DELETE", f"{BASE}/artifactory/cgr-public-cache/{PATH}")]


def test_evict_without_permission():
    cache, _transport = create_cache(ScriptedResponse(403, "no"))
    with pytest.raises(HTTPStatusError):
        cache.evict("cgr-public", PATH)


@pytest.mark.parametrize("path", ["", PATH])
def test_expire(path):
    cache, transport = create_cache(ScriptedResponse(200, "Completed zapping cache"))
    cache.expire("cgr-public", path)
    assert transport.calls == [("POST", f"{BASE}/artifactory/api/zap/cgr-public-cache/{path}")]


AQL, LIST = f"{BASE}/artifactory/api/search/aql", f"{BASE}/artifactory/api/storage/cgr-public-cache?list=&deep=1"
ROWS = [
    {"repo": "cgr-public-cache", "path": "chainguard/go/latest", "name": "sha256__bb.marker", "size": 0},
    {"repo": "cgr-public-cache", "path": "chainguard/go/latest", "name": "sha256__aa", "size": 7},
    {"repo": "cgr-public-cache", "path": ".", "name": "catalog", "size": 1},
]
FILES = [{"uri": f"/chainguard/go/latest/{row['name']}", "size": row["size"]} for row in ROWS[:2]]


def test_a_search_for_markers():
    cache, transport = create_cache(ScriptedResponse(200, {"results": ROWS[:1]}))
    files, is_search_result = cache.files("cgr-public", only_markers=True)
    assert ([file.path for file in files], is_search_result) == (["chainguard/go/latest/sha256__bb.marker"], True)
    assert transport.calls == [("POST", AQL)]
    request = transport.requests[0]
    assert request.headers["Content-Type"] == "text/plain"
    assert request.body.decode() == (
        'items.find({"repo": "cgr-public-cache", "name": {"$match": "*.marker"}}).include("repo","path","name")'
    )


def test_a_search_for_all():
    cache, _transport = create_cache(ScriptedResponse(200, {"results": ROWS}))
    files, _is_search_result = cache.files("cgr-public", only_markers=False)
    assert [(file.path.rpartition("/")[2], file.size, file.is_marker) for file in files] == [
        ("catalog", 1, False),
        ("sha256__aa", 7, False),
        ("sha256__bb.marker", 0, True),
    ]


@pytest.mark.parametrize("status", [400, 403, 404, 405])
def test_files_are_listed_if_searches_are_rejected(status):
    cache, transport = create_cache(ScriptedResponse(status, "no"), ScriptedResponse(200, {"files": FILES}))
    files, is_search_result = cache.files("cgr-public", only_markers=True)
    assert ([file.path for file in files], is_search_result) == (["chainguard/go/latest/sha256__bb.marker"], False)
    assert transport.calls == [("POST", AQL), ("GET", LIST)]


def test_invalid_credentials_are_an_error():
    cache, transport = create_cache(ScriptedResponse(401, "who?"))
    with pytest.raises(HTTPStatusError):
        cache.files("cgr-public", only_markers=True)
    assert len(transport.requests) == 1


def test_parse_markers():
    paths = [
        "example.com/nginx/sha256__aa/sha256__bb.marker",
        "example.com/charts/redis/1.0__x/sha256__cc.marker",
        "example.com/nginx/latest/sha256__dd",
    ]
    assert parse_markers(map(CachedFile, paths)) == [
        {
            "image": "example.com/nginx",
            "reference": "example.com/nginx@sha256:aa",
            "digest": "sha256:bb",
            "path": paths[0],
        },
        {
            "image": "example.com/charts/redis",
            "reference": "example.com/charts/redis:1.0__x",
            "digest": "sha256:cc",
            "path": paths[1],
        },
    ]


@pytest.mark.parametrize(("version", "can_expire"), [("7.38.4", False), ("7.49.3", True), ("7.161.15", True)])
def test_the_version_is_read_once_for_all_repositories(version, can_expire):
    cache, transport = create_cache(ScriptedResponse(200, {"version": version}))
    assert [cache.can_expire(), cache.can_expire()] == [can_expire, can_expire]
    assert transport.calls == [("GET", f"{BASE}/artifactory/api/system/version")]
