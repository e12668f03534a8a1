# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may do what with repositories, in the words of our options. Pure. Private to the collection.

A grant is what a permission says of repositories, sorted so that it can be compared and shown:
{"name": str, "repositories": [key], "include_patterns": [str], "exclude_patterns": [str], "users": {name: [action]},
"groups": {name: [action]}}. A grant that is wanted has only what the user set.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repositories import KEY_LIMIT, validate_key
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError
from ansible_collections.cgr.pull_through.plugins.module_utils._plan import Config

ACTIONS = ("read", "annotate", "write", "delete", "manage")

_ANY = ("ANY", "ANY LOCAL", "ANY REMOTE")
# It becomes a part of URLs, in which dots alone would lead elsewhere.
_NAME = re.compile(r"(?!\.{1,2}$)[^/\\\x00-\x1f]{1,64}")


def desired_permission(params: t.Mapping[str, t.Any]) -> Config:
    """Return the grant that a module's options describe, or raise InputError."""
    if not _NAME.fullmatch(params["name"]):
        raise InputError(
            f"name is not valid: {params['name']!r}.",
            hint="Use 1 to 64 characters without slashes, and not dots alone.",
        )
    grant = {
        "name": params["name"],
        "repositories": _filled(params, "repositories"),
        "include_patterns": _filled(params, "include_patterns"),
        "exclude_patterns": _without_empty(params["exclude_patterns"]),
        "users": _by_name(params, "users"),
        "groups": _by_name(params, "groups"),
    }
    for repository in grant["repositories"] or ():
        if repository not in _ANY:
            validate_key(repository, limit=KEY_LIMIT)
    return {name: value for name, value in grant.items() if value is not None}


def _filled(params: t.Mapping[str, t.Any], option: str) -> list[str] | None:
    """Return a list that must not be empty, sorted; None when it is not set."""
    found = _without_empty(params[option])
    if found == []:
        raise InputError(
            f"{option} is empty.", hint="Leave it out to keep what is there, or name what has to be there."
        )
    return found


def _without_empty(words: list[str] | None) -> list[str] | None:
    return None if words is None else sorted(set(filter(None, words)))


def _by_name(params: t.Mapping[str, t.Any], option: str) -> dict[str, list[str]] | None:
    """Return the actions of each user or group, sorted; None when they are not set."""
    if params[option] is None:
        return None
    found: dict[str, list[str]] = {}
    for grantee in params[option]:
        name = grantee["name"]
        if not name or name in found:
            raise InputError(f"{option} names {name!r} more than once." if name else f"{option} has an empty name.")
        if not grantee["actions"]:
            raise InputError(
                f"{option} gives {name!r} no actions.", hint="Leave it out: who is not named may do nothing."
            )
        found[name] = sorted(set(grantee["actions"]))
    return found
