# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Convert the options of a permission into a grant. No I/O. Private to the collection.

A grant is the part of a permission that concerns repositories, with sorted values so that it can be compared:
{"name": str, "repositories": [key], "include_patterns": [str], "exclude_patterns": [str], "users": {name: [action]},
"groups": {name: [action]}}. A desired grant contains only the options that are set.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repository_spec import (
    MAX_KEY_LENGTH,
    validate_key,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError
from ansible_collections.cgr.pull_through.plugins.module_utils._plan import Config

ACTIONS = ("read", "annotate", "write", "delete", "manage")

_ANY = ("ANY", "ANY LOCAL", "ANY REMOTE")
# The name becomes a segment of a URL path, where "." and ".." have a special meaning.
_NAME = re.compile(r"(?!\.{1,2}$)[^/\\\x00-\x1f]{1,64}")


def desired_permission(params: t.Mapping[str, t.Any]) -> Config:
    """Return the grant that the options describe, or raise InputError."""
    if not _NAME.fullmatch(params["name"]):
        raise InputError(
            f"name is not valid: {params['name']!r}.",
            hint="Use 1 to 64 characters without slashes, other than . and .. alone.",
        )
    grant = {
        "name": params["name"],
        "repositories": _require_non_empty(params, "repositories"),
        "include_patterns": _require_non_empty(params, "include_patterns"),
        "exclude_patterns": _without_empty(params["exclude_patterns"]),
        "users": _actions_by_name(params, "users"),
        "groups": _actions_by_name(params, "groups"),
    }
    for repository in grant["repositories"] or ():
        if repository not in _ANY:
            validate_key(repository, max_length=MAX_KEY_LENGTH)
    return {name: value for name, value in grant.items() if value is not None}


def _require_non_empty(params: t.Mapping[str, t.Any], option: str) -> list[str] | None:
    """Return the sorted values of a list option, or None if it is not set. Raises InputError if it is empty."""
    values = _without_empty(params[option])
    if values == []:
        raise InputError(f"{option} is empty.", hint="Omit it to keep the current values, or set at least one value.")
    return values


def _without_empty(values: list[str] | None) -> list[str] | None:
    return None if values is None else sorted(set(filter(None, values)))


def _actions_by_name(params: t.Mapping[str, t.Any], option: str) -> dict[str, list[str]] | None:
    """Return the sorted actions of each user or group, or None if the option is not set. Raises InputError."""
    if params[option] is None:
        return None
    actions: dict[str, list[str]] = {}
    for grantee in params[option]:
        name = grantee["name"]
        if not name or name in actions:
            raise InputError(f"{option} names {name!r} more than once." if name else f"{option} has an empty name.")
        if not grantee["actions"]:
            raise InputError(
                f"{option} grants {name!r} no actions.",
                hint="Omit the entry: a name that is not listed has no actions.",
            )
        actions[name] = sorted(set(grantee["actions"]))
    return actions
