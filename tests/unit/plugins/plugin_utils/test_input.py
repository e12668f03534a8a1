# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists that arrive as text."""

from __future__ import annotations

import pytest

from ansible_collections.cgr.pull_through.plugins.plugin_utils._input import to_list


@pytest.mark.parametrize(
    ("value", "items"),
    [
        (["a", " b "], ["a", "b"]),
        ("ci", ["ci"]),
        ("a, b,", ["a", "b"]),
        ("a\nb\n", ["a", "b"]),
        ('["a", "b"]', ["a", "b"]),
        ("['a', 'b']", ["a", "b"]),
        ("[a, b]", ["a", "b"]),
        ("[jn]*", ["[jn]*"]),
        ("", []),
        ("  ", []),
        (None, []),
        (("a",), ["a"]),
    ],
)
def test_text_becomes_a_list(value, items):
    assert to_list(value) == items
