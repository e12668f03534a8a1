# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Platforms: their notation, and the entries of an index that match them. No I/O. Private to the collection.

A verification must not accept a similar platform, so there is no fallback from arm/v7 to arm/v6 or from amd64 to 386.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError, PullThroughError

ALL = "all"

# Names that users and builders write, with those of the image specification.
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
    """An image that is not available for all requested platforms. missing, available: for messages."""

    def __init__(self, missing: t.Iterable[str], available: t.Iterable[str]) -> None:
        self.missing = ", ".join(missing)
        self.available = ", ".join(sorted(available)) or "none"
        super().__init__(f"The image is not available for {self.missing}. Available: {self.available}.")


class Platform(t.NamedTuple):
    """A normalized platform. variant: empty if it is unset or the default of the architecture."""

    os: str
    architecture: str
    variant: str = ""
    os_version: str = ""

    @classmethod
    def from_document(cls, document: t.Mapping[str, t.Any]) -> Platform:
        """Return the platform in an entry of an index, or in the configuration of an image."""
        architecture, variant = _normalize(str(document.get("architecture") or ""), str(document.get("variant") or ""))
        return cls(str(document.get("os") or ""), architecture, variant, str(document.get("os.version") or ""))

    def __str__(self) -> str:
        system = f"{self.os}({self.os_version})" if self.os_version else self.os
        return "/".join(filter(None, (system, self.architecture, self.variant)))

    def matches(self, other: Platform) -> bool:
        """Return whether two platforms are the same. An unset variant matches any variant."""
        is_same = (self.os, self.architecture) == (other.os, other.architecture)
        return is_same and (self.variant == other.variant or not self.variant or not other.variant)


def _normalize(architecture: str, variant: str) -> tuple[str, str]:
    architecture, implied = _ALIASES.get(architecture.lower(), (architecture.lower(), ""))
    variant = variant.lower() or implied
    if variant and not variant.startswith("v") and architecture in ("arm", "arm64"):
        variant = f"v{variant}"
    return architecture, "" if variant == _DEFAULT_VARIANTS.get(architecture) else variant


def parse_platforms(texts: t.Sequence[str]) -> tuple[Platform, ...] | None:
    """Return the platforms without duplicates; None for all. Raises InputError."""
    if ALL in texts:
        if len(texts) > 1:
            raise InputError("platforms has all and other values.", hint="Set it to [all] or to a list of platforms.")
        return None
    if not texts:
        raise InputError("platforms is empty.", hint="Set it to platforms such as linux/amd64, or to [all].")
    return tuple(dict.fromkeys(_parse(text) for text in texts))


def _parse(text: str) -> Platform:
    parts = text.split("/")
    if len(parts) not in (2, 3) or not all(_PART.fullmatch(part) for part in parts):
        raise InputError(
            f"{text!r} is not a platform.",
            hint="Write os/architecture or os/architecture/variant, such as linux/amd64, or all.",
        )
    architecture, variant = _normalize(parts[1], parts[2] if len(parts) == 3 else "")
    return Platform(parts[0].lower(), architecture, variant)


def select_platforms(
    entries: t.Iterable[tuple[Platform, Entry]], requested: t.Sequence[Platform] | None
) -> dict[str, Entry]:
    """Return the first entry that matches each platform, by platform name. requested: None for all platforms.

    Raises PlatformNotFoundError.
    """
    entries = list(entries)
    names = [str(platform) for platform, _entry in entries]
    if not entries:
        raise PlatformNotFoundError(["any platform"], names)
    if requested is None:
        first_entries: dict[str, Entry] = {}
        for platform, entry in entries:
            first_entries.setdefault(str(platform), entry)
        return first_entries
    matches = {platform: next((pair for pair in entries if platform.matches(pair[0])), None) for platform in requested}
    if None in matches.values():
        raise PlatformNotFoundError((str(platform) for platform, match in matches.items() if match is None), names)
    return {str(platform): entry for platform, entry in filter(None, matches.values())}
