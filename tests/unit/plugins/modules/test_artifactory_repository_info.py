# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from scripted import ScriptedResponse, ScriptedTransport
from scripted_artifactory import (
    ABSENT,
    BASE,
    CREDENTIALS,
    FORBIDDEN,
    LICENSE,
    remote_config,
)

from ansible_collections.cgr.pull_through.plugins.modules import artifactory_repository_info

ALL = ScriptedResponse(
    200,
    {
        "LOCAL": [{"key": "here", "type": "local", "packageType": "docker"}],
        "REMOTE": [
            {"key": "z", "type": "remote", "packageType": "docker", "username": "u", "password": "AM.cipher"},
            {"key": "a", "type": "remote", "packageType": "npm", "projectKey": "default"},
        ],
    },
)


def test_one_request_for_all_repositories(run_module):
    transport = ScriptedTransport(ALL)
    result = run_module(artifactory_repository_info, transport, **CREDENTIALS)
    assert [repository["key"] for repository in result["repositories"]] == ["a", "here", "z"]
    assert transport.calls == [("GET", f"{BASE}/artifactory/api/repositories/configurations")]
    assert "password" not in str(result["repositories"]) and "projectKey" not in result["repositories"][0]


@pytest.mark.parametrize(
    ("options", "keys"),
    [
        ({"rclass": "remote"}, ["a", "z"]),
        ({"package_type": "Docker"}, ["here", "z"]),
        ({"repository_keys": ["z", "none"]}, ["z"]),
    ],
)
def test_filters(run_module, options, keys):
    result = run_module(artifactory_repository_info, ScriptedTransport(ALL), **CREDENTIALS, **options)
    assert [repository["key"] for repository in result["repositories"]] == keys


def test_an_administrator_of_a_project_reads_repositories_by_key(run_module):
    config = remote_config("team-a", projectKey="team")
    transport = ScriptedTransport(FORBIDDEN, ScriptedResponse(200, config), ABSENT)
    result = run_module(artifactory_repository_info, transport, **CREDENTIALS, repository_keys=["team-b", "team-a"])
    assert result["repositories"] == [config] and result["login"]["is_administrator"] is False
    assert [url.rpartition("/")[2] for _method, url in transport.calls] == ["configurations", "team-a", "team-b"]


@pytest.mark.parametrize("response", [ALL, ABSENT])
def test_who_logs_in(run_module, response):
    credentials = {"artifactory_url": BASE, "artifactory_username": "ci", "artifactory_password": "secret"}
    result = run_module(artifactory_repository_info, ScriptedTransport(response), **credentials, repository_keys=[])
    assert result["login"] == {"username": "ci", "is_administrator": True if response is ALL else None}


def test_a_part_of_a_configuration_is_an_error(run_module):
    part = ScriptedResponse(200, remote_config("team-a"))
    result = run_module(
        artifactory_repository_info, ScriptedTransport(FORBIDDEN, part), **CREDENTIALS, repository_keys=["team-a"]
    )
    assert result["failed"] and "only a part of the configuration of team-a" in result["msg"]


def test_a_part_of_a_configuration_can_be_enough(run_module):
    part, complete = remote_config("team-a"), remote_config("team-b", projectKey="team")
    transport = ScriptedTransport(FORBIDDEN, ScriptedResponse(200, part), ScriptedResponse(200, complete))
    options = {"repository_keys": ["team-a", "team-b"], "partial": True}
    result = run_module(artifactory_repository_info, transport, **CREDENTIALS, **options)
    assert (result["repositories"], result["partial_repositories"]) == ([part, complete], ["team-a"])


def test_all_repositories_require_an_administrator(run_module):
    result = run_module(artifactory_repository_info, ScriptedTransport(FORBIDDEN), **CREDENTIALS)
    assert result["failed"] and "administrator" in result["msg"]


def test_other_users_get_the_repositories_of_a_class_that_they_may_read(run_module):
    part, complete = remote_config("a", rclass="virtual"), remote_config("b", rclass="virtual", projectKey="team")
    rows = ScriptedResponse(200, [{"key": "b"}, {"key": "a"}])
    transport = ScriptedTransport(FORBIDDEN, rows, ScriptedResponse(200, complete), ScriptedResponse(200, part))
    result = run_module(artifactory_repository_info, transport, **CREDENTIALS, rclass="virtual", partial=True)
    assert (result["repositories"], result["partial_repositories"]) == ([part, complete], ["a"])
    assert result["login"]["is_administrator"] is False
    assert transport.calls[1] == ("GET", f"{BASE}/artifactory/api/repositories?type=virtual")


def test_query(run_module):
    result = run_module(artifactory_repository_info, ScriptedTransport(ALL), **CREDENTIALS, query="[?username].key")
    assert result["result"] == ["z"]


def test_an_invalid_query_sends_no_requests(run_module):
    transport = ScriptedTransport()
    result = run_module(artifactory_repository_info, transport, **CREDENTIALS, query="[?")
    assert "JMESPath expression" in result["msg"] and not transport.requests


def test_an_earlier_version_gets_one_request_per_repository(run_module):
    config = remote_config("cgr-private", description="Images (local file cache)")
    rows = ScriptedResponse(200, [{"key": "cgr-private"}, {"key": "b"}])
    transport = ScriptedTransport(ABSENT, LICENSE, rows, ABSENT, ScriptedResponse(200, config))
    result = run_module(artifactory_repository_info, transport, **CREDENTIALS)
    assert [repository["key"] for repository in result["repositories"]] == ["cgr-private"]
    assert result["repositories"][0]["description"] == "Images"


NEW = ScriptedResponse(200, {"version": "7.104.2"})
PERMISSION = {
    "name": "cgr-pull",
    "resources": {
        "artifact": {
            "actions": {"users": {"ci": ["WRITE", "READ"]}, "groups": {}},
            "targets": {"z": {"include_patterns": ["**"], "exclude_patterns": []}},
        }
    },
}


def test_permissions_are_returned_as_artifactory_permission_takes_them(run_module):
    transport = ScriptedTransport(ALL, NEW, ScriptedResponse(200, PERMISSION), ScriptedResponse(404, {}))
    result = run_module(artifactory_repository_info, transport, **CREDENTIALS, permissions=["cgr-pull", "none"])
    (permission,) = result["permissions"]
    assert permission == {
        "name": "cgr-pull",
        "repositories": ["z"],
        "include_patterns": ["**"],
        "exclude_patterns": [],
        "users": {"ci": ["read", "write"]},
        "groups": {},
    }


def test_permissions_that_may_not_be_read_are_left_out(run_module):
    transport = ScriptedTransport(ALL, NEW, FORBIDDEN)
    result = run_module(artifactory_repository_info, transport, **CREDENTIALS, permissions=["cgr-pull"])
    assert result["permissions"] == [] and len(result["repositories"]) == 3
