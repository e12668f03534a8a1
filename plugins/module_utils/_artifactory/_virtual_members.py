# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which members a virtual repository can have, and which combinations are unsafe. No I/O. Private to the collection."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repository_spec import (
    MAX_KEY_LENGTH,
    validate_key,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._stored_values import same_package_type
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError
from ansible_collections.cgr.pull_through.plugins.module_utils._plan import Config

_LIBRARIES = re.compile(r"https?://libraries\.cgr\.dev(:\d+)?(/|$)", re.IGNORECASE)
# The only package type whose virtual repositories can have members of other types.
_ANY_TYPE = "generic"


def validate_members(key: str, members: t.Sequence[str]) -> list[str]:
    """Return the keys of the members of the virtual repository key, or raise InputError. Sends no requests."""
    if not members:
        raise InputError(
            "repositories is empty.", hint="Set at least one member: Artifactory may ignore an empty list."
        )
    duplicates = sorted({member for member in members if members.count(member) > 1})
    if duplicates:
        raise InputError(
            f"repositories contains {', '.join(duplicates)} more than once.", hint="Keep only the first position."
        )
    if key in members:
        raise InputError(f"The virtual repository {key} cannot be a member of itself.")
    return [validate_key(member, max_length=MAX_KEY_LENGTH) for member in members]


def add_members(current: t.Sequence[str], members: t.Sequence[str]) -> list[str]:
    """Return the current members with members added, and members in the given order relative to each other.

    The other members keep their positions. A new member is placed after the one before it, else before the next one that is
    a member already, else at the end.
    """
    present = [member for member in members if member in current]
    in_order = iter(present)
    result = [next(in_order) if member in present else member for member in current]
    for position, member in enumerate(members):
        if member in result:
            continue
        if position:
            index = result.index(members[position - 1]) + 1
        else:
            index = result.index(present[0]) if present else len(result)
        result.insert(index, member)
    return result


def validate_member_kinds(desired: Config, members: t.Mapping[str, Config]) -> None:
    """Raise InputError if a member has another package type, or contains the virtual repository itself.

    members: configurations of all direct and indirect members that exist, by key.
    """
    key, package_type = desired["key"], desired["packageType"]
    for member in sorted(members.keys() & set(desired["repositories"])):
        kind = str(members[member].get("packageType")).lower()
        if package_type != _ANY_TYPE and not same_package_type(kind, package_type):
            raise InputError(
                f"The repository {member} has packageType {kind!r}, and {key} has {package_type!r}.",
                hint="All members of a virtual repository must have its package type.",
            )
    if key in members:
        parent = next(config["key"] for config in members.values() if key in (config.get("repositories") or []))
        raise InputError(f"The virtual repository {key} would contain itself, because its member {parent} contains it.")


def member_warnings(members: t.Mapping[str, Config]) -> list[str]:
    """Return a warning for each unsafe combination of members. members: see validate_member_kinds."""
    repositories = [config for config in members.values() if config.get("rclass") != "virtual"]
    remotes = [config for config in repositories if config.get("rclass") == "remote"]
    chainguard = [config["key"] for config in remotes if _LIBRARIES.match(str(config.get("url")))]
    others = [config["key"] for config in remotes if config["key"] not in chainguard]
    warnings = []
    if chainguard and others:
        warnings.append(
            f"Members with other upstreams ({', '.join(others)}) are next to Chainguard's libraries ({', '.join(chainguard)}). If "
            "Chainguard does not have a package, or cannot serve it, Artifactory silently serves it from another upstream."
        )
    for config in remotes:
        if config.get("dockerProjectId") and len(repositories) > 1:
            warnings.append(
                f"{config['key']} has dockerProjectId {config['dockerProjectId']!r}, so the names of its images lack this part, and "
                "Artifactory can serve an image of another member instead. Remove the member, or clear the setting."
            )
    return warnings
