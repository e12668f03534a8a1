# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ant patterns, which repositories and permissions use to include and exclude paths."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache


def accepts(includes: Iterable[str], excludes: Iterable[str], path: str) -> bool:
    """Whether a path is included and not excluded. Without include patterns, all paths are included."""
    included = [pattern for pattern in includes if pattern] or ["**"]
    return any(_matches(pattern, path) for pattern in included) and not any(
        _matches(pattern, path) for pattern in excludes if pattern
    )


def _matches(pattern: str, path: str) -> bool:
    return _compile_pattern(pattern.strip()).fullmatch(path) is not None


@lru_cache(maxsize=256)
def _compile_pattern(pattern: str) -> re.Pattern[str]:
    """`**/` matches any number of folders, `**` anything, `*` and `?` within a name, a trailing `/` all below."""
    words = {"**/": "(?:.*/)?", "/**": "(?:/.*)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|/\*\*$|\*\*|\*|\?)", pattern + "**" if pattern.endswith("/") else pattern)
    return re.compile("".join(words.get(part, re.escape(part)) for part in parts))
