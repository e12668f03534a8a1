# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What may be a member of a virtual repository, and what spoils one. Pure. Private to the collection."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repositories import KEY_LIMIT, validate_key
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError
from ansible_collections.cgr.pull_through.plugins.module_utils._plan import Config

_LIBRARIES = re.compile(r"https?://libraries\.cgr\.dev(:\d+)?(/|$)", re.IGNORECASE)
# The only package type whose virtual repositories take members of any other.
_MIXED = "generic"


def validate_members(key: str, members: t.Sequence[str]) -> list[str]:
    """Return the keys of the members of the virtual repository key, or raise InputError. Asks nobody."""
    if not members:
        raise InputError(
            "repositories is empty.", hint="Name at least one: whether Artifactory would drop the others is not known."
        )
    twice = sorted({member for member in members if members.count(member) > 1})
    if twice:
        raise InputError(f"repositories names {', '.join(twice)} more than once.", hint="The first place counts.")
    if key in members:
        raise InputError(f"The virtual repository {key} cannot be a member of itself.")
    return [validate_key(member, limit=KEY_LIMIT) for member in members]


def validate_member_kinds(desired: Config, found: t.Mapping[str, Config]) -> None:
    """Raise InputError when a member is of another package type, or holds the virtual repository itself.

    found: what there is of its members, and behind them, by key.
    """
    key, package_type = desired["key"], desired["packageType"]
    for member in sorted(found.keys() & set(desired["repositories"])):
        kind = str(found[member].get("packageType")).lower()
        if package_type not in (kind, _MIXED):
            raise InputError(
                f"The repository {member} has packageType {kind!r}, and {key} has {package_type!r}.",
                hint="All members of a virtual repository have its package type.",
            )
    if key in found:
        holder = next(one["key"] for one in found.values() if key in (one.get("repositories") or []))
        raise InputError(f"The virtual repository {key} would hold itself, since its member {holder} holds it.")


def member_warnings(found: t.Mapping[str, Config]) -> list[str]:
    """Return what is wrong with these repositories side by side in one virtual repository, in words for its owner."""
    members = [one for one in found.values() if one.get("rclass") != "virtual"]
    remotes = [one for one in members if one.get("rclass") == "remote"]
    chainguard = [one["key"] for one in remotes if _LIBRARIES.match(str(one.get("url")))]
    direct = [one["key"] for one in remotes if one["key"] not in chainguard]
    texts = []
    if chainguard and direct:
        texts.append(
            f"Beside Chainguard's libraries ({', '.join(chainguard)}) there are other upstreams ({', '.join(direct)}): what Chainguard "
            "does not serve, or cannot because of a mistake, comes from there without a word, and the protection is lost."
        )
    for one in remotes:
        if one.get("dockerProjectId") and len(members) > 1:
            texts.append(
                f"{one['key']} has dockerProjectId {one['dockerProjectId']!r}, so its images lack that part of their name, "
                "and another member's image with that shorter name can be served in its place. Take it out, or clear that setting."
            )
    return texts
