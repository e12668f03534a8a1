# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from scripted import ScriptedResponse, ScriptedTransport
from scripted_artifactory import BASE, CREDENTIALS, FORBIDDEN

from ansible_collections.cgr.pull_through.plugins.modules import artifactory_diagnosis

CONFIG = {
    "key": "cgr-private",
    "rclass": "remote",
    "packageType": "docker",
    "url": "https://cgr.dev/",
    "includesPattern": "**/*",
    "excludesPattern": "",
    "username": "a/b",
}
SOURCE = {"key": "cgr-private", "package_type": "docker", "url": "https://cgr.dev/", "images": ["chainguard/go"]}
REALM = {"WWW-Authenticate": f'Bearer realm="{BASE}/v2/token",service="x"'}


def artifactory(config=None, **responses):
    """Return an Artifactory with one repository. responses: by the last part of the path."""

    def respond(request):
        path = urlsplit(request.url).path.rstrip("/")
        name = path.rpartition("/")[2]
        if name in responses:
            return responses[name]
        if name == "version" and "Authorization" not in request.headers:
            return ScriptedResponse(401, {})
        if name == "version":
            return ScriptedResponse(200, {"version": "7.111.4"})
        if name == "configurations":
            return ScriptedResponse(200, {"REMOTE": [{**CONFIG, **(config or {})}]})
        if "/api/storage/" in path or "trace" in urlsplit(request.url).query:
            return ScriptedResponse(404, {})
        assert name == "v2", path
        return ScriptedResponse(401, {}, headers=REALM)

    return ScriptedTransport(respond=respond)


@pytest.fixture
def diagnose(run_module):
    def run(transport, **options):
        return run_module(
            artifactory_diagnosis, transport, **{"sources": [SOURCE], "chainctl": "missing", **CREDENTIALS, **options}
        )

    return run


def test_nothing_is_wrong(diagnose):
    result = diagnose(artifactory())
    assert (result["changed"], result["findings"]) == (False, [])
    names = {"name": "cgr-private", "key": "cgr-private", "url": "https://cgr.dev/"}
    expected = {**names, "token": {}, "can_pull": None, "findings": 0}
    assert result["sources"] == [expected]
    assert len(result["unknown"]) == 2 and "no credentials for Chainguard" in result["unknown"][0]


def test_a_setting_is_wrong(diagnose):
    result = diagnose(artifactory({"offline": True}))
    (finding,) = result["findings"]
    assert finding["code"] == "offline" and finding["evidence"] == "offline: true"
    assert result["sources"][0]["can_pull"] is False


def test_the_settings_cannot_be_read(diagnose):
    names = {"configurations": FORBIDDEN, "cgr-private": FORBIDDEN}
    result = diagnose(artifactory(**names))
    assert result["findings"] == []
    assert "The settings of cgr-private are not known" in result["unknown"][0]


def test_the_credentials_are_rejected(diagnose):
    denied = ScriptedResponse(401, {"errors": [{"status": 401, "message": "Bad credentials"}]})
    result = diagnose(artifactory(version=denied))
    assert [finding["code"] for finding in result["findings"]] == ["credentials_rejected"]
    assert "nothing is known about its repositories" in result["unknown"][0]


@pytest.mark.parametrize("check", [False, True])
def test_it_pulls_in_check_mode_too(diagnose, check):
    manifest = ScriptedResponse(
        404, {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "The named manifest is not known"}]}
    )
    transport = artifactory(token=ScriptedResponse(200, {"token": "t"}), latest=manifest)
    result = diagnose(transport, pull=True, check=check)
    assert {request.method for request in transport.requests} <= {"GET", "HEAD"}
    assert [request for request in transport.requests if "/manifests/latest" in request.url]
    assert result["sources"][0]["can_pull"] is False
    assert "Nothing was pulled" not in " ".join(result["unknown"])


def test_keys_are_unique(diagnose):
    result = diagnose(artifactory(), sources=[SOURCE, SOURCE])
    assert result["failed"] and "cgr-private" in result["msg"]


@pytest.mark.parametrize(
    ("organization", "url", "codes"),
    [
        ("example.com", "https://apk.cgr.dev/example.com", []),
        ("example.com", "https://apk.cgr.dev/other.org", ["upstream_url_mismatch"]),
        # The name of the organization is not known without credentials for Chainguard.
        ("0123456789" * 4, "https://apk.cgr.dev/example.com", []),
    ],
)
def test_the_url_of_an_organization_that_is_named_by_its_uid(diagnose, organization, url, codes):
    config = {"packageType": "alpine", "url": url, "username": ""}
    source = {"key": "cgr-private", "package_type": "alpine", "url": "https://apk.cgr.dev/{organization_name}"}
    result = diagnose(artifactory(config), sources=[{**source, "organization": organization}])
    assert [finding["code"] for finding in result["findings"]] == codes
