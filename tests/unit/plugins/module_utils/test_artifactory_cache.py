# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from scripted import ScriptedAnswer, ScriptedTransport

from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._cache import CacheApi
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repositories import ArtifactoryService
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import Refused
from ansible_collections.cgr.pull_through.plugins.module_utils._http import ApiSession

BASE = "https://artifactory.example.com"
PATH = "chainguard/go/latest"


def open_cache(*plays):
    transport = ScriptedTransport(*plays)
    return CacheApi(ApiSession(BASE, ArtifactoryService(), transport=transport)), transport


@pytest.mark.parametrize(("status", "found"), [(200, True), (404, False), (403, None)])
def test_has(status, found):
    cache, transport = open_cache(ScriptedAnswer(status, {}))
    assert cache.has("cgr-public", PATH) is found
    assert transport.asked == [("GET", f"{BASE}/artifactory/api/storage/cgr-public-cache/{PATH}")]


def test_other_refusals_are_errors():
    cache, _transport = open_cache(ScriptedAnswer(401, "who?"))
    with pytest.raises(Refused):
        cache.has("cgr-public", PATH)


@pytest.mark.parametrize("status", [204, 404])
def test_evict(status):
    cache, transport = open_cache(ScriptedAnswer(status))
    cache.evict("cgr-public", PATH)
    assert transport.asked == [("DELETE", f"{BASE}/artifactory/cgr-public-cache/{PATH}")]


def test_evict_without_permission():
    cache, _transport = open_cache(ScriptedAnswer(403, "no"))
    with pytest.raises(Refused):
        cache.evict("cgr-public", PATH)


@pytest.mark.parametrize("path", ["", PATH])
def test_expire(path):
    cache, transport = open_cache(ScriptedAnswer(200, "Completed zapping cache"))
    cache.expire("cgr-public", path)
    assert transport.asked == [("POST", f"{BASE}/artifactory/api/zap/cgr-public-cache/{path}")]
