# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a run asks the module about the permission."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cgr.pull_through.plugins.plugin_utils._permission import permission_may_differ

CURRENT = {
    "name": "cgr-pull",
    "repositories": ["a", "b"],
    "users": {"ci": ["read", "write"]},
    "groups": {},
}
CI = [{"name": "ci", "actions": ["write", "read"]}]
SAME: dict[str, t.Any] = {"name": "cgr-pull", "repositories": ["b", "a"], "exact": True, "users": CI, "groups": []}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, False),
        ({"users": None, "groups": None}, False),
        ({"repositories": ["a"], "exact": False}, False),
        ({"repositories": ["a"]}, True),
        ({"repositories": ["a", "b", "c"], "exact": False}, True),
        ({"users": []}, True),
        ({"users": [{"name": "ci", "actions": ["read"]}]}, True),
        ({"groups": CI}, True),
        ({"name": "other"}, True),
    ],
)
def test_a_permission_that_reads_back_exactly_does_not_differ(changed, expected):
    assert permission_may_differ([{**CURRENT, "name": "another"}, CURRENT], **{**SAME, **changed}) is expected
