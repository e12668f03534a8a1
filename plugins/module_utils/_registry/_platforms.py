# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Platforms: how they are written, and which entry of an index is meant. Pure. Private to the collection.

A check must not be content with a neighbor, so there is no fallback from arm/v7 to arm/v6 or from amd64 to 386.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError, PullThroughError

ALL = "all"

# Names that users and builders write, and what the image specification calls them.
_ALIASES = {
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "aarch64": ("arm64", ""),
    "armhf": ("arm", "v7"),
    "armel": ("arm", "v6"),
}
_DEFAULT_VARIANTS = {"arm64": "v8", "amd64": "v1"}
_PART = re.compile(r"[A-Za-z0-9_.-]+")

Entry = t.TypeVar("Entry")


class PlatformNotFoundError(PullThroughError):
    """An image that does not have all of the platforms that were asked for."""

    def __init__(self, missing: t.Iterable[str], found: t.Iterable[str]) -> None:
        self.missing = ", ".join(missing)
        self.found = ", ".join(sorted(found)) or "none"
        super().__init__(f"The image has no {self.missing}; it has: {self.found}.")


@dataclasses.dataclass(frozen=True, slots=True)
class Platform:
    """Normalized; variant is empty when it is unset or the architecture's default."""

    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""

    @classmethod
    def of(cls, document: t.Mapping[str, t.Any]) -> Platform:
        """Return the platform of an index entry's platform, or of an image's configuration."""
        architecture, variant = _normal(str(document.get("architecture", "")), str(document.get("variant") or ""))
        return cls(str(document.get("os", "")), architecture, variant, str(document.get("os.version") or ""))

    def __str__(self) -> str:
        system = f"{self.os}({self.os_version})" if self.os_version else self.os
        return "/".join(filter(None, (system, self.architecture, self.variant)))

    def matches(self, found: Platform) -> bool:
        """Return whether a platform that was found is the one that was asked for. An unset variant matches any."""
        same = (self.os, self.architecture) == (found.os, found.architecture)
        return same and (self.variant == found.variant or not self.variant or not found.variant)


def _normal(architecture: str, variant: str) -> tuple[str, str]:
    architecture, implied = _ALIASES.get(architecture.lower(), (architecture.lower(), ""))
    variant = variant.lower() or implied
    if variant and not variant.startswith("v") and architecture in ("arm", "arm64"):
        variant = f"v{variant}"
    return architecture, "" if variant == _DEFAULT_VARIANTS.get(architecture) else variant


def parse_platforms(texts: t.Sequence[str]) -> tuple[Platform, ...] | None:
    """Return the platforms as asked for, without repetitions; None for all of them. Raise InputError."""
    if ALL in texts:
        if len(texts) > 1:
            raise InputError("platforms holds all together with others.", hint="Write all alone.")
        return None
    if not texts:
        raise InputError("platforms is empty.", hint="Name at least one, such as linux/amd64, or write all.")
    return tuple(dict.fromkeys(_parse(text) for text in texts))


def _parse(text: str) -> Platform:
    parts = text.split("/")
    if len(parts) not in (2, 3) or not all(_PART.fullmatch(part) for part in parts):
        raise InputError(
            f"{text!r} is not a platform.",
            hint="Write os/architecture or os/architecture/variant, such as linux/amd64, or all.",
        )
    architecture, variant = _normal(parts[1], parts[2] if len(parts) == 3 else "")
    return Platform(parts[0].lower(), architecture, variant)


def select_platforms(
    entries: t.Iterable[tuple[Platform, Entry]], wanted: t.Sequence[Platform] | None
) -> dict[str, Entry]:
    """Return the entries that are meant, by the name of their platform: the first that matches, in the index's order.

    wanted: None for all. Raises PlatformMissing.
    """
    found = list(entries)
    names = [str(platform) for platform, _entry in found]
    if not found:
        raise PlatformNotFoundError(["platform that can be run"], names)
    if wanted is None:
        every: dict[str, Entry] = {}
        for platform, entry in found:
            every.setdefault(str(platform), entry)
        return every
    matches = {asked: next((pair for pair in found if asked.matches(pair[0])), None) for asked in wanted}
    if None in matches.values():
        raise PlatformNotFoundError((str(asked) for asked, match in matches.items() if match is None), names)
    return {str(platform): entry for platform, entry in filter(None, matches.values())}
