# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which of many versions is the newest. Pure. Private to the collection.

One order serves all ecosystems: numbers by value, pre-releases before the release, what comes after it behind.
"""

from __future__ import annotations

import re
import typing as t

# Words that come before a release. Python's shortest ones stand between digits: 1.0a1, 1.0b2, 1.0rc1.
_BEFORE = frozenset({"a", "alpha", "b", "beta", "c", "rc", "cr", "pre", "preview", "dev", "m", "milestone", "snapshot"})
_REVISION = "r"  # an apk's build number, as in 1.2.3-r4
_END = (0, 0, "")


def newest(versions: t.Iterable[str], *, semantic: bool = False) -> str | None:
    """Return the newest version, a release before each pre-release; None if there are none.

    semantic: whether they are semantic versions, which are pre-releases if anything follows a dash.
    """

    def preference(version: str) -> tuple[bool, list[tuple[int, int, str]]]:
        before = "-" in version.partition("+")[0] if semantic else is_prerelease(version)
        return not before, _order(version)

    return max(versions, key=preference, default=None)


def newest_first(versions: t.Iterable[str]) -> list[str]:
    """Return the versions in falling order."""
    return sorted(versions, key=_order, reverse=True)


def is_prerelease(version: str) -> bool:
    """Return whether a version comes before the release that it is named for."""
    return any(word in _BEFORE for word in _parts(version))


def _parts(version: str) -> list[str]:
    """Return numbers and words. What is never a pre-release has a + before it: what the builder added, and a letter that
    no number follows, as in OpenSSL's 1.1.1b."""
    public, _plus, local = version.lower().removeprefix("v").partition("+")
    public = re.sub(r"(?<=\d)([a-z])(?![a-z0-9])", r"+\1", public)
    return re.findall(r"\d+|\+?[a-z]+", public) + [f"+{part}" for part in re.findall(r"\d+|[a-z]+", local)]


def _order(version: str) -> list[tuple[int, int, str]]:
    return [*map(_rank, _parts(version)), _END]


def _rank(part: str) -> tuple[int, int, str]:
    if part.isdigit():
        return (4, int(part), "")
    if part in _BEFORE:
        return (-2 if part == "dev" else -1, 0, part)
    if part == _REVISION:
        return (1, 0, part)
    number = part.lstrip("+")
    return (2, int(number), "") if number.isdigit() else (2, 0, part)
