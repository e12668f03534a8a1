# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The include and exclude patterns of a repository, which are Ant patterns. No I/O. Private to the collection."""

from __future__ import annotations

import re


def is_accepted(path: str, included: str, excluded: str) -> bool:
    """Return whether the patterns, separated by commas, accept a path. No include patterns accept everything."""
    includes, excludes = _split(included), _split(excluded)
    return (not includes or any(matches(path, pattern) for pattern in includes)) and not any(
        matches(path, pattern) for pattern in excludes
    )


def matches(path: str, pattern: str) -> bool:
    """Return whether an Ant pattern matches a path: * stays within a folder, ** does not, and a final slash adds **."""
    if pattern.endswith("/"):
        pattern += "**"
    return re.fullmatch("".join(map(_translate, re.split(r"(/?\*\*/|/\*\*$|\*\*|\*|\?)", pattern))), path) is not None


def _split(patterns: str) -> list[str]:
    return [pattern.strip() for pattern in patterns.split(",") if pattern.strip()]


def _translate(part: str) -> str:
    simple = {"*": "[^/]*", "?": "[^/]", "**": ".*", "**/": "(?:.*/)?", "/**/": "/(?:.*/)?", "/**": "(?:/.*)?"}
    return simple.get(part, re.escape(part))
