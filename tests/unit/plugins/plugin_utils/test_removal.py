# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What people read after a removal, and before it in check mode."""

from __future__ import annotations

import dataclasses

import pytest
from role_sources import NEW, OLD, managed_token, resolved

from ansible_collections.cgr.pull_through.plugins.plugin_utils._removal import report_removal

EMPTY = {"skipped": True}
PERMISSIONS = {
    "permissions": [
        {
            "name": "cgr-pull",
            "diff": {"before": {"repositories": ["CGR_private", "other"]}, "after": {"repositories": ["other"]}},
        }
    ]
}
VIRTUALS = {
    "virtual_repositories": [{"key": "all", "diff": {"before": {"repositories": ["CGR_private"]}, "after": {}}}]
}


def report(sources, repositories, tokens, virtuals, permissions, planned, listed_tokens=()):
    results = (repositories, tokens, virtuals, permissions, listed_tokens)
    return report_removal(sources, *results, "720h", "", "", planned)


@pytest.fixture
def sources():
    return resolved("private", "public")


@pytest.mark.parametrize(
    ("planned", "lines"),
    [
        (
            False,
            [
                "CGR_private  deleted        1 pull token revoked",
                "cgr-public   did not exist  no pull token needed",
                "The virtual repository all was deleted with its last repository.",
                "The permission cgr-pull: repositories removed: CGR_private.",
            ],
        ),
        (
            True,
            [
                "CGR_private  would be deleted  1 pull token would be revoked",
                "cgr-public   did not exist     no pull token needed",
                "The virtual repository all would be deleted with its last repository.",
                "The permission cgr-pull: repositories would be removed: CGR_private.",
            ],
        ),
    ],
)
def test_a_removal_is_reported(sources, planned, lines):
    repositories = {"repositories": [{"key": "CGR_private", "changed": True}, {"key": "cgr-public", "changed": False}]}
    tokens = {"tokens": [{"name": sources[0].token_spec["name"], "revoked": ["a/b"]}]}
    assert report(sources, repositories, tokens, VIRTUALS, PERMISSIONS, planned) == lines


@pytest.mark.parametrize(("planned", "verb"), [(False, "was"), (True, "is")])
def test_a_rotation_that_was_overdue_is_reported(sources, planned, verb):
    source = dataclasses.replace(sources[0], current={"username": OLD})
    for days, count in ((20, 0), (11, 1)):
        token = managed_token(source, seconds_left=days * 86400)
        lines = report([source], {}, {}, EMPTY, {}, planned, listed_tokens=[token, {**token, "uid": NEW}])
        text = f"The rotation of the pull token of CGR_private {verb} overdue since 2031-01-06. Does the playbook"
        assert [line.startswith(text) for line in lines[1:]] == [True] * count


def test_nothing_to_remove(sources):
    unchanged = {"repositories": [{"key": "CGR_private", "changed": False}]}
    assert report(sources[:1], unchanged, {"tokens": []}, EMPTY, {"permissions": []}, False) == [
        "CGR_private  did not exist  no pull token of this role"
    ]
