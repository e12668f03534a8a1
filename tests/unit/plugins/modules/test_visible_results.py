# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A secret that Ansible would hide in results is an error before the first request."""

from __future__ import annotations

import pytest
from scripted import ScriptedResponse, ScriptedTransport

from ansible_collections.cgr.pull_through.plugins.modules import artifactory_repository_info

URL = "https://artifactory.example.com"


@pytest.mark.parametrize("password", ["cgr", "remote", "docker", "1", "2026", "example", "private"])
def test_a_password_that_would_be_hidden_in_results(run_module, password):
    transport = ScriptedTransport()
    options = {"artifactory_url": URL, "artifactory_username": "ci", "artifactory_password": password}
    result = run_module(artifactory_repository_info, transport, repository_keys=["cgr-private"], **options)
    assert result["failed"] and "artifactory_password is also a part of a key" in result["msg"]
    assert not transport.requests


def test_a_password_that_is_the_user_name_is_accepted(run_module):
    config = {"key": "cgr-private", "rclass": "remote", "packageType": "docker", "url": "https://cgr.dev/", "a": 1}
    transport = ScriptedTransport(ScriptedResponse(200, {"REMOTE": [config]}))
    options = {"artifactory_url": URL, "artifactory_username": "admin", "artifactory_password": "admin"}
    result = run_module(artifactory_repository_info, transport, repository_keys=["cgr-private"], **options)
    assert [repository["key"] for repository in result["repositories"]] == ["cgr-private"]
