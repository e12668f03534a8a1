# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The capabilities that the credentials need. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import PullThroughError

READ = frozenset({"groups.list", "identity.list", "role_bindings.list", "roles.list"})
ISSUE = frozenset({"identity.create", "role_bindings.create"})
REVOKE = frozenset({"identity.delete"})

_FAMILIES = ("CAP_IAM_", "CAP_TENANT_", "CAP_")


def capability_name(capability: str) -> str:
    """Return the name that chainctl uses: role_bindings.list for CAP_IAM_ROLE_BINDINGS_LIST."""
    family = next((family for family in _FAMILIES if capability.startswith(family)), "")
    if not family:
        return capability
    noun, _separator, verb = capability[len(family) :].lower().rpartition("_")
    # CAP_MANIFEST_METADATA_LIST is manifest.metadata.list, but CAP_IAM_ROLE_BINDINGS_LIST is role_bindings.list.
    return f"{noun if family != 'CAP_' else noun.replace('_', '.')}.{verb}"


def create_role_command(organization: str, needed: t.Collection[str]) -> str:
    """Return the command that creates a role with exactly these capabilities."""
    return f"chainctl iam roles create pull-through --parent {organization} --capabilities {','.join(sorted(needed))}"


def require_capabilities(granted: t.Collection[str], needed: t.Collection[str], organization: str) -> None:
    """Raise PullThroughError if capabilities are missing. An empty `granted` means that they are unknown."""
    missing = sorted(set(needed) - set(granted)) if granted else []
    if not missing:
        return
    hint = (
        "Ask an owner of the organization to create a role with all needed capabilities and to bind it to these credentials: "
        f"{create_role_command(organization, needed)}"
    )
    if set(missing) <= REVOKE:
        hint += " Or disable revocation: set revoke to false. Replaced tokens then remain valid until they expire."
    raise PullThroughError(f"These Chainguard credentials lack {', '.join(missing)} in {organization}.", hint=hint)
