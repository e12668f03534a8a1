# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The list forms of all Artifactory modules."""

from __future__ import annotations

import typing as t

import pytest
from scripted import ScriptedResponse, ScriptedTransport
from scripted_artifactory import ABSENT, CREDENTIALS, NEW

from ansible_collections.cgr.pull_through.plugins.modules import (
    artifactory_permission,
    artifactory_remote_repository,
    artifactory_repository_cache,
    artifactory_repository_cache_info,
    artifactory_virtual_repository,
)

LIST_FORMS: list[tuple[t.Any, dict[str, t.Any]]] = [
    (artifactory_remote_repository, {"repositories": [{"key": "a", "url": "https://cgr.dev/"}]}),
    (artifactory_virtual_repository, {"virtual_repositories": [{"key": "a", "repositories": ["b"]}]}),
    (artifactory_permission, {"permissions": [{"name": "a", "repositories": ["b"]}]}),
    (artifactory_repository_cache, {"repositories": [{"key": "a", "state": "expired"}]}),
    (artifactory_repository_cache_info, {"repository_keys": ["a"]}),
]
SINGLE_OPTIONS: list[tuple[t.Any, dict[str, t.Any]]] = [
    (artifactory_remote_repository, {"key": "b"}),
    (artifactory_remote_repository, {"state": "absent"}),
    (artifactory_remote_repository, {"state": "present"}),
    (artifactory_remote_repository, {"package_type": "npm"}),
    (artifactory_remote_repository, {"update_password": "always"}),
    (artifactory_remote_repository, {"settings": {}}),
    (artifactory_virtual_repository, {"state": "absent"}),
    (artifactory_virtual_repository, {"package_type": "npm"}),
    (artifactory_virtual_repository, {"settings": {}}),
    (artifactory_permission, {"state": "absent"}),
    (artifactory_permission, {"groups": []}),
    (artifactory_repository_cache, {"state": "expired"}),
    (artifactory_repository_cache, {"entire_cache": False}),
    (artifactory_repository_cache_info, {"key": "b"}),
]


@pytest.mark.parametrize(
    ("module", "option"),
    SINGLE_OPTIONS,
    ids=[f"{module.__name__.rpartition('.')[2]}-{next(iter(option))}" for module, option in SINGLE_OPTIONS],
)
def test_an_option_of_the_single_form_beside_the_list_is_an_error(run_module, module, option):
    list_form = dict(LIST_FORMS)[module]
    transport = ScriptedTransport()
    result = run_module(module, transport, **CREDENTIALS, **list_form, **option)
    assert result["failed"] is True
    assert f"parameters are mutually exclusive: {next(iter(option))}|{next(iter(list_form))}" in result["msg"]
    assert transport.requests == []


@pytest.mark.parametrize(("module", "list_form"), LIST_FORMS)
def test_an_empty_list_does_nothing(run_module, module, list_form):
    version = ScriptedTransport(respond=lambda _request: ScriptedResponse(200, {"version": NEW}))
    name = next(iter(list_form))
    result = run_module(module, version, **CREDENTIALS, **{name: []})
    assert (result["changed"], result["diff"]) == (False, [])
    assert result["repositories" if name == "repository_keys" else name] == []


@pytest.mark.parametrize(
    ("module", "list_option", "item", "plays"),
    [
        (artifactory_remote_repository, "repositories", {"key": "cgr-private", "state": "absent"}, [ABSENT]),
        (artifactory_repository_cache, "repositories", {"key": "a", "state": "expired"}, [ScriptedResponse(200, "")]),
    ],
    ids=["remote-repository", "cache"],
)
def test_the_single_form_returns_what_the_list_form_returns_for_an_item(run_module, module, list_option, item, plays):
    single = run_module(module, ScriptedTransport(*plays), **CREDENTIALS, **item)
    in_list = run_module(
        module, ScriptedTransport(respond=lambda _request: plays[0]), **CREDENTIALS, **{list_option: [item]}
    )
    result = in_list[list_option][0]
    assert result == {name: single[name] for name in result}
