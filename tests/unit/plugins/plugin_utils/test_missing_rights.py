# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the login of Artifactory may not do for a run of the role."""

from __future__ import annotations

import dataclasses

import pytest
from role_sources import resolved

from ansible_collections.cgr.pull_through.plugins.plugin_utils._missing_rights import missing_rights

LIMITED = {"username": "ci", "is_administrator": False}
ADMIN = {"username": "admin", "is_administrator": True}
IN_PROJECT = {"projectKey": "team"}
VIRTUAL = {"key": "all", "members": ["private"]}
REJECTED = {"failed": True, "error": {"status": 403}}


def rights_of(login=None, *, settings=None, virtuals=(), existing=(), plan=None, verify_username=""):
    settings = IN_PROJECT if settings is None else settings
    sources = [dataclasses.replace(source, settings=settings) for source in resolved("private")]
    repositories = [{"key": key} for key in existing]
    return missing_rights(sources, virtuals, repositories, login or LIMITED, plan or {}, verify_username)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"login": ADMIN, "settings": {}, "virtuals": [VIRTUAL], "verify_username": "ci"},
        {"login": {"username": "", "is_administrator": None}, "settings": {}, "verify_username": "ci"},
        {"virtuals": [{**VIRTUAL, "settings": IN_PROJECT}]},
        {"virtuals": [{**VIRTUAL, "members": ["public"]}]},
        {"virtuals": [VIRTUAL], "existing": ["all"]},
        {"verify_username": "ci"},
        {"login": {**LIMITED, "username": ""}, "verify_username": "ci"},
        {"plan": {"failed": True, "error": {"status": 503}}},
    ],
)
def test_nothing_is_missing(options):
    assert rights_of(**options) == ""


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"settings": {}}, "create {key} outside of a project"),
        ({"virtuals": [VIRTUAL]}, "create all outside of a project"),
        ({"plan": REJECTED}, "manage permissions"),
        ({"plan": REJECTED, "login": {"username": "", "is_administrator": None}}, "manage permissions"),
        ({"verify_username": "reader"}, "create an access token for reader"),
    ],
)
def test_what_is_missing(options, text):
    key = resolved("private")[0].key
    sentence = rights_of(**options)
    assert sentence.startswith(f"The login of Artifactory may not {text.format(key=key)}")
    assert sentence.endswith("only an administrator of the platform may do that.")
