# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The list forms of the Artifactory modules, against an Artifactory with state."""

from __future__ import annotations

import collections
import json
import threading
from urllib.parse import urlsplit

import pytest
from scripted import ScriptedResponse, ScriptedTransport
from scripted_artifactory import ABSENT, LICENSE, LOGIN

from ansible_collections.cgr.pull_through.plugins.modules import (
    artifactory_permission,
    artifactory_remote_repository,
    artifactory_repository_cache,
    artifactory_repository_cache_info,
    artifactory_virtual_repository,
)

API = "/artifactory/api"
NEW, OLD = "7.111.4", "7.55.10"


class Artifactory:
    """Repositories in memory. refuses: keys that no write may name. Counts the requests by method and path."""

    def __init__(self, *repositories, version=NEW, refuses=()):
        self.repositories = {one["key"]: one for one in repositories}
        self.version, self.refuses = version, refuses
        self.counted = collections.Counter()
        self.lock = threading.Lock()
        self.transport = ScriptedTransport(respond=self.answer)

    def answer(self, request):
        path = urlsplit(request.url).path.removeprefix(API)
        with self.lock:
            self.counted[f"{request.method} {path}"] += 1
            return self.answered(request.method, path, request.body and json.loads(request.body))

    def answered(self, method, path, body):
        key = path.rpartition("/")[2]
        if path == "/system/version":
            return ScriptedResponse(200, {"version": self.version})
        if path == "/system/license":
            return LICENSE
        if path == "/repositories/configurations":
            grouped = collections.defaultdict(list)
            for one in self.repositories.values():
                grouped[one["rclass"].upper()].append(one)
            return ABSENT if self.version == OLD else ScriptedResponse(200, grouped)
        if method == "GET":
            return ScriptedResponse(200, self.repositories[key]) if key in self.repositories else ABSENT
        if method == "DELETE":
            self.repositories.pop(key)
            return ScriptedResponse(200, {})
        bodies = body if isinstance(body, list) else [body]
        if any(one["key"] in self.refuses for one in bodies):
            return ScriptedResponse(409, {"errors": [{"status": 409, "message": "It is in use"}]})
        for one in bodies:
            self.repositories[one["key"]] = {**self.repositories.get(one["key"], {}), **one}
        return ScriptedResponse(200, {"done": True})

    @property
    def writes(self):
        return sorted(request for request in self.counted if not request.startswith("GET"))


def remote(key, **more):
    return {"key": key, "rclass": "remote", "packageType": "docker", "url": "https://cgr.dev/", **more}


def wanted(*keys, **more):
    return {**LOGIN, "repositories": [{"key": key, "url": "https://cgr.dev/", **more} for key in keys]}


def test_what_fits_costs_one_request_for_all(run_module):
    artifactory = Artifactory(remote("a"), remote("b"), remote("c"))
    result = run_module(artifactory_remote_repository, artifactory.transport, **wanted("a", "b", "c"))
    assert (result["changed"], [one["changed"] for one in result["repositories"]]) == (False, [False] * 3)
    assert artifactory.counted == {"GET /repositories/configurations": 1}


def test_new_ones_are_made_in_one_batch_and_read_back_once(run_module):
    artifactory = Artifactory(remote("a", username="old"))
    result = run_module(
        artifactory_remote_repository, artifactory.transport, **wanted("a", "b", "c", password="secret", username="u")
    )
    assert artifactory.writes == ["POST /repositories/a", "PUT /v2/repositories/batch"]
    assert artifactory.counted["GET /repositories/configurations"] == 2
    assert [one["changed"] for one in result["repositories"]] == [True, True, True]
    assert artifactory.repositories["c"]["password"] == "secret"
    assert "secret" not in str(result)
    again = run_module(artifactory_remote_repository, artifactory.transport, **wanted("a", "b", "c", username="u"))
    assert again["changed"] is False


def test_changes_go_in_one_batch_with_just_what_differs(run_module):
    artifactory = Artifactory(remote("a", offline=True), remote("b", offline=True), remote("c", offline=False))
    run_module(
        artifactory_remote_repository, artifactory.transport, **wanted("a", "b", "c", settings={"offline": False})
    )
    assert artifactory.writes == ["POST /v2/repositories/batch"]
    sent = next(request for request in artifactory.transport.requests if request.url.endswith("/batch"))
    assert json.loads(sent.body) == [{"key": "a", "offline": False}, {"key": "b", "offline": False}]


def test_an_older_server_gets_a_request_for_each(run_module):
    artifactory = Artifactory(version=OLD)
    result = run_module(artifactory_remote_repository, artifactory.transport, **wanted("a", "b"))
    assert artifactory.writes == ["PUT /repositories/a", "PUT /repositories/b"]
    assert result["changed"] is True


def test_one_that_is_refused_does_not_stop_the_others(run_module):
    artifactory = Artifactory(refuses=["b"])
    result = run_module(artifactory_remote_repository, artifactory.transport, **wanted("a", "b", "c"))
    assert result["failed"] is True
    assert [one["failed"] for one in result["repositories"]] == [False, True, False]
    assert result["msg"].startswith("b: ") and "It is in use" in result["msg"]
    assert sorted(artifactory.repositories) == ["a", "c"]


def test_one_of_another_kind_fails_before_it_is_written_and_the_others_are_set_up(run_module):
    artifactory = Artifactory(remote("a", packageType="npm"))
    result = run_module(artifactory_remote_repository, artifactory.transport, **wanted("a", "b"))
    assert [(one["key"], one["failed"]) for one in result["repositories"]] == [("a", True), ("b", False)]
    assert artifactory.writes == ["PUT /repositories/b"]


def test_check_mode_predicts_all_and_sends_no_write(run_module):
    repositories = [remote("a", offline=True), remote("gone")]
    options = wanted("a", "b", settings={"offline": False})
    options["repositories"].append({"key": "gone", "state": "absent"})
    predicted = Artifactory(*repositories)
    told = run_module(artifactory_remote_repository, predicted.transport, check=True, **options)
    done = run_module(artifactory_remote_repository, Artifactory(*repositories).transport, **options)
    assert predicted.writes == []
    assert (told["repositories"], told["diff"]) == (done["repositories"], done["diff"])
    assert [diff["after_header"] for diff in told["diff"]] == ["a", "b", "gone"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        pytest.param(wanted("a", "a"), "a is in the list more than once", id="twice"),
        pytest.param({**wanted("a"), "key": "b"}, "mutually exclusive", id="both-forms"),
        pytest.param(LOGIN, "one of the following is required: key, repositories", id="neither"),
        pytest.param(wanted("a", url="https://cgr.dev/example.com"), "has a path", id="url-with-a-path"),
        pytest.param(wanted("a", password="p"), "username", id="password-alone"),
    ],
)
def test_a_mistake_in_any_is_told_before_the_first_request(run_module, options, says):
    artifactory = Artifactory()
    result = run_module(artifactory_remote_repository, artifactory.transport, **options)
    assert result["failed"] is True and says in result["msg"]
    assert artifactory.counted == {}


def test_a_virtual_one_can_hold_the_one_that_is_made_before_it(run_module):
    artifactory = Artifactory(remote("a"))
    virtuals = [{"key": "inner", "repositories": ["a"]}, {"key": "outer", "repositories": ["inner"]}]
    result = run_module(artifactory_virtual_repository, artifactory.transport, **LOGIN, virtual_repositories=virtuals)
    assert [one["changed"] for one in result["virtual_repositories"]] == [True, True]
    assert artifactory.writes == ["PUT /repositories/inner", "PUT /repositories/outer"]
    again = run_module(artifactory_virtual_repository, artifactory.transport, **LOGIN, virtual_repositories=virtuals)
    assert again["changed"] is False


def test_a_virtual_one_without_its_member_fails_alone(run_module):
    artifactory = Artifactory(remote("a"))
    virtuals = [{"key": "good", "repositories": ["a"]}, {"key": "bad", "repositories": ["nowhere"]}]
    result = run_module(artifactory_virtual_repository, artifactory.transport, **LOGIN, virtual_repositories=virtuals)
    assert [one["failed"] for one in result["virtual_repositories"]] == [False, True]
    assert "There is no repository nowhere" in result["msg"]


def test_a_virtual_repository_cannot_have_a_member_whose_plan_failed(run_module):
    artifactory = Artifactory(remote("a"))
    virtuals = [{"key": "inner", "repositories": ["nowhere"]}, {"key": "outer", "repositories": ["inner"]}]
    result = run_module(artifactory_virtual_repository, artifactory.transport, **LOGIN, virtual_repositories=virtuals)
    assert [item["failed"] for item in result["virtual_repositories"]] == [True, True]
    assert artifactory.writes == []


def test_an_absent_repository_that_is_absent_already_has_no_settings(run_module):
    artifactory = Artifactory()
    items = [{"key": "a", "state": "absent"}]
    result = run_module(artifactory_remote_repository, artifactory.transport, **LOGIN, repositories=items)
    assert result["repositories"] == [
        {"key": "a", "failed": False, "changed": False, "repository": {}, "diff": {"before": {}, "after": {}}}
    ]


LIST_FORMS = [
    (artifactory_remote_repository, {"repositories": [{"key": "a", "url": "https://cgr.dev/"}]}),
    (artifactory_virtual_repository, {"virtual_repositories": [{"key": "a", "repositories": ["b"]}]}),
    (artifactory_permission, {"permissions": [{"name": "a", "repositories": ["b"]}]}),
    (artifactory_repository_cache, {"repositories": [{"key": "a", "state": "expired"}]}),
    (artifactory_repository_cache_info, {"repository_keys": ["a"]}),
]
SINGLE_OPTIONS = [
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
    result = run_module(module, transport, **LOGIN, **list_form, **option)
    assert result["failed"] is True
    assert f"parameters are mutually exclusive: {next(iter(option))}|{next(iter(list_form))}" in result["msg"]
    assert transport.requests == []


@pytest.mark.parametrize(("module", "list_form"), LIST_FORMS)
def test_an_empty_list_does_nothing(run_module, module, list_form):
    version = ScriptedTransport(respond=lambda _request: ScriptedResponse(200, {"version": NEW}))
    name = next(iter(list_form))
    result = run_module(module, version, **LOGIN, **{name: []})
    assert (result["changed"], result["diff"]) == (False, [])
    assert result["repositories" if name == "repository_keys" else name] == []
