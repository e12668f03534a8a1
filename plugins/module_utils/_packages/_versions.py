# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The order of versions. No I/O. Private to the collection.

One order serves all ecosystems: numbers by value, then pre-releases, the release, and post-releases.
"""

from __future__ import annotations

import re
import typing as t

# Of one package in an index.
MAX_VERSIONS = 100_000
# Python's short ones stand between digits: 1.0a1, 1.0b2, 1.0rc1.
_PRERELEASE_WORDS = frozenset(
    {"a", "alpha", "b", "beta", "c", "rc", "cr", "pre", "preview", "dev", "m", "milestone", "snapshot"}
)
_MAX_VERSION_LENGTH = 255
_REVISION = "r"  # an apk's build number, as in 1.2.3-r4
_END = (0, 0, "")


def newest(versions: t.Iterable[str], *, semantic: bool = False) -> str | None:
    """Return the newest version, and a pre-release only if there is no release. None if there are no versions.

    semantic: whether these are semantic versions, where a dash marks a pre-release.
    """

    def preference(version: str) -> tuple[bool, list[tuple[int, int, str]]]:
        prerelease = "-" in version.partition("+")[0] if semantic else is_prerelease(version)
        return not prerelease, _sort_key(version)

    return max(versions, key=preference, default=None)


def newest_first(versions: t.Iterable[str]) -> list[str]:
    """Return the versions in descending order."""
    return sorted(versions, key=_sort_key, reverse=True)


def valid_versions(versions: t.Iterable[t.Any], pattern: str) -> list[str]:
    """Return the versions that match the grammar of the ecosystem. Raises ValueError if there are too many."""
    grammar = re.compile(pattern)
    valid = [
        version
        for version in versions
        if isinstance(version, str) and len(version) <= _MAX_VERSION_LENGTH and grammar.fullmatch(version)
    ]
    if len(valid) > MAX_VERSIONS:
        raise ValueError(f"it has more than {MAX_VERSIONS} versions")
    return valid


def older_than(versions: t.Iterable[str], withheld: t.Collection[str]) -> list[str]:
    """Return the versions that are older than all of the withheld ones; all versions if nothing is withheld."""
    if not withheld:
        return list(versions)
    limit = min(map(_sort_key, withheld))
    return [version for version in versions if _sort_key(version) < limit]


def is_prerelease(version: str) -> bool:
    """Return whether a version is a pre-release."""
    return any(part in _PRERELEASE_WORDS for part in _split(version))


def _split(version: str) -> list[str]:
    """Return numbers and words. Parts that never mark a pre-release get the prefix +.

    These are local version parts, and a letter without a number after it, as in OpenSSL's 1.1.1b.
    """
    public, _plus, local = version.lower().removeprefix("v").partition("+")
    public = re.sub(r"(?<=\d)([a-z])(?![a-z0-9])", r"+\1", public)
    return re.findall(r"\d+|\+?[a-z]+", public) + [f"+{part}" for part in re.findall(r"\d+|[a-z]+", local)]


def _sort_key(version: str) -> list[tuple[int, int, str]]:
    return [*map(_rank, _split(version)), _END]


def _rank(part: str) -> tuple[int, int, str]:
    if part.isdigit():
        return (4, int(part), "")
    if part in _PRERELEASE_WORDS:
        return (-2 if part == "dev" else -1, 0, part)
    if part == _REVISION:
        return (1, 0, part)
    number = part.lstrip("+")
    return (2, int(number), "") if number.isdigit() else (2, 0, part)
