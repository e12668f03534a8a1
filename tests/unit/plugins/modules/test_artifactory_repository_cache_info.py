# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from scripted import ScriptedResponse, ScriptedTransport
from scripted_artifactory import BASE, CREDENTIALS

from ansible_collections.cgr.pull_through.plugins.modules import artifactory_repository_cache_info

CACHE = {**CREDENTIALS, "key": "cgr-private"}
ROOT = ScriptedResponse(200, {"children": []})
NGINX = "example.com/nginx"


def row(folder, name, size=0):
    return {"repo": "cgr-private-cache", "path": f"{NGINX}/{folder}", "name": name, "size": size}


def test_markers(run_module):
    rows = [
        row("sha256__b", "sha256__2.marker"),
        row("sha256__a", "sha256__2.marker"),
        row("sha256__a", "sha256__1.marker"),
    ]
    transport = ScriptedTransport(ROOT, ScriptedResponse(200, {"results": rows}))
    result = run_module(artifactory_repository_cache_info, transport, **CACHE)
    assert [marker["digest"] for marker in result["markers"]] == ["sha256:1", "sha256:2", "sha256:2"]
    assert result["references"] == [f"{NGINX}@sha256:a", f"{NGINX}@sha256:b"]
    assert (result["count"], result["method"], result["changed"]) == (3, "aql", False)
    assert "files" not in result
    assert transport.calls[0] == ("GET", f"{BASE}/artifactory/api/storage/cgr-private-cache/")


def test_count_files_without_markers(run_module):
    rows = [row("latest", "list.manifest.json", 900), row("sha256__a", "sha256__1", 100), row("b", "sha256__2.marker")]
    transport = ScriptedTransport(ROOT, ScriptedResponse(200, {"results": rows}))
    result = run_module(artifactory_repository_cache_info, transport, **CACHE, count_files=True)
    assert (result["files"], result["bytes"], result["count"]) == (2, 1000, 1)


@pytest.mark.parametrize(
    ("status", "message"),
    [(403, "lacks the permission to read cgr-private-cache"), (404, "does not show cgr-private-cache to this user")],
)
def test_a_cache_that_cannot_be_read_is_an_error(run_module, status, message):
    transport = ScriptedTransport(ScriptedResponse(status, "no"))
    assert message in run_module(artifactory_repository_cache_info, transport, **CACHE)["msg"]


def test_an_invalid_key(run_module):
    options = {**CACHE, "key": "a/b"}
    assert "not valid" in run_module(artifactory_repository_cache_info, ScriptedTransport(), **options)["msg"]


def respond(request):
    """Respond as an Artifactory with one marker in each cache, except the caches that do not exist."""
    if "missing-cache" in request.url:
        return ScriptedResponse(404, "no")
    return ROOT if request.method == "GET" else ScriptedResponse(200, {"results": [row("latest", "sha256__1.marker")]})


def test_a_list(run_module):
    transport = ScriptedTransport(respond=respond)
    keys = ["cgr-private", "cgr-public"]
    result = run_module(
        artifactory_repository_cache_info, transport, **CREDENTIALS, repository_keys=keys, count_files=True
    )
    single = run_module(artifactory_repository_cache_info, transport, **CACHE, count_files=True)
    assert [repository["key"] for repository in result["repositories"]] == keys
    first = result["repositories"][0]
    assert first == {name: single[name] for name in first}
    assert (result["changed"], first["failed"], first["count"], first["files"]) == (False, False, 1, 0)


def test_a_failed_repository_does_not_stop_the_others(run_module):
    keys = ["missing", "cgr-public"]
    result = run_module(
        artifactory_repository_cache_info, ScriptedTransport(respond=respond), **CREDENTIALS, repository_keys=keys
    )
    assert result["failed"] is True
    assert result["msg"].startswith("missing: Artifactory does not show missing-cache") and "\n" not in result["msg"]
    missing, public = result["repositories"]
    assert (missing["failed"], missing["msg"]) == (True, result["msg"].removeprefix("missing: "))
    assert (public["failed"], public["references"]) == (False, [f"{NGINX}:latest"])


@pytest.mark.parametrize(
    ("keys", "message"), [(["a", "a"], "a is in the list more than once"), (["a", "b/c"], "'b/c' is not valid")]
)
def test_an_invalid_list_sends_no_requests(run_module, keys, message):
    transport = ScriptedTransport()
    assert (
        message in run_module(artifactory_repository_cache_info, transport, **CREDENTIALS, repository_keys=keys)["msg"]
    )
    assert transport.requests == []


def test_a_key_is_required(run_module):
    result = run_module(artifactory_repository_cache_info, ScriptedTransport(), **CREDENTIALS)
    assert "one of the following is required: key, repository_keys" in result["msg"]
