# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The permission of the role pull_through. No I/O."""

from __future__ import annotations

import typing as t

from ansible_collections.cgr.pull_through.plugins.plugin_utils._sources import Facts


def permission_may_differ(
    permissions: t.Sequence[Facts],
    name: str,
    repositories: t.Sequence[str],
    exact: bool,
    users: t.Sequence[Facts] | None,
    groups: t.Sequence[Facts] | None,
) -> bool:
    """Return whether the permission is missing, was not read, or does not read back exactly as it should be.

    permissions: as artifactory_repository_info returns them. The rest is what artifactory_permission gets: exact, whether other
    repositories are removed; users, groups: dicts with name and actions, None to leave them as they are.
    """
    current = next((permission for permission in permissions if permission["name"] == name), None)
    if current is None:
        return True
    missing, other = set(repositories) - set(current["repositories"]), set(current["repositories"]) - set(repositories)
    desired = {
        kind: _actions_by_name(value) for kind, value in (("users", users), ("groups", groups)) if value is not None
    }
    return bool(missing or (exact and other)) or any(current[kind] != value for kind, value in desired.items())


def _actions_by_name(grantees: t.Sequence[Facts]) -> Facts:
    return {grantee["name"]: sorted(set(grantee["actions"])) for grantee in grantees}
