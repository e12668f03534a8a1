# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a login has to be allowed to do, and what to tell about one that may do too little. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import PullThroughError

LOOK = frozenset({"groups.list", "identity.list", "role_bindings.list", "roles.list"})
MAKE = frozenset({"identity.create", "role_bindings.create"})
REVOKE = frozenset({"identity.delete"})

_FAMILIES = ("CAP_IAM_", "CAP_TENANT_", "CAP_")


def capability_name(capability: str) -> str:
    """Return the name that people and chainctl use: CAP_IAM_ROLE_BINDINGS_LIST is role_bindings.list."""
    family = next((family for family in _FAMILIES if capability.startswith(family)), "")
    if not family:
        return capability
    # Outside of these two families, each word is a part of its own.
    noun, _line, verb = capability[len(family) :].lower().rpartition("_")
    return f"{noun if family != 'CAP_' else noun.replace('_', '.')}.{verb}"


def create_role_command(organization: str, needed: t.Collection[str]) -> str:
    """Return the command that makes a role which is just enough."""
    return f"chainctl iam roles create pull-through --parent {organization} --capabilities {','.join(sorted(needed))}"


def require_capabilities(granted_capabilities: t.Collection[str], needed: t.Collection[str], organization: str) -> None:
    """Raise PullThroughError that names what is missing. held may be empty, which means that it is not known."""
    missing = sorted(set(needed) - set(granted_capabilities)) if granted_capabilities else []
    if not missing:
        return
    hint = (
        "Let an owner make a role that has all that is needed, and bind it to this login: "
        f"{create_role_command(organization, needed)}"
    )
    if set(missing) <= REVOKE:
        hint += (
            " Or do without revocation: set revoke (in the role: pull_through_revoke) to false. "
            "What is replaced then lives on until it expires."
        )
    raise PullThroughError(f"This Chainguard login lacks {', '.join(missing)} in {organization}.", hint=hint)
