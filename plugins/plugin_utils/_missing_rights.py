# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run of the role pull_through would do that its login of Artifactory may not. No I/O."""

from __future__ import annotations

import typing as t

from ansible_collections.cgr.pull_through.plugins.plugin_utils._sources import Facts, Source


def missing_rights(
    sources: t.Sequence[Source],
    virtuals: t.Sequence[Facts],
    repositories: t.Sequence[Facts],
    login: Facts,
    permission_plan: Facts,
    verify_username: str,
) -> str:
    """Return what only an administrator of the platform may do, in a sentence; empty if the login may do it all.

    virtuals: entries of the catalog. repositories, login: of artifactory_repository_info. permission_plan: of
    artifactory_permission in check mode, empty if it did not run.
    """
    is_limited = login["is_administrator"] is False
    keys = _keys_outside_of_projects(sources, virtuals, repositories) if is_limited else []
    actions = []
    if keys:
        actions.append(f"create {', '.join(keys)} outside of a project (set projectKey in the settings of each)")
    if (permission_plan.get("error") or {}).get("status") == 403:
        actions.append("manage permissions (leave pull_through_users and pull_through_groups unset)")
    if is_limited and verify_username and login["username"] not in ("", verify_username):
        actions.append(
            f"create an access token for {verify_username} (leave pull_through_verify_username unset)",
        )
    if not actions:
        return ""
    return (
        f"The login of Artifactory may not {', nor '.join(actions)}: only an administrator of the platform may do that."
    )


def _keys_outside_of_projects(
    sources: t.Sequence[Source], virtuals: t.Sequence[Facts], repositories: t.Sequence[Facts]
) -> list[str]:
    """Return the keys of the repositories that the run creates, and that belong to no project."""
    names = {source.name for source in sources}
    existing = {repository["key"] for repository in repositories}
    created = [(source.key, source.settings) for source in sources]
    created += [
        (virtual["key"], virtual.get("settings") or {}) for virtual in virtuals if names & set(virtual["members"])
    ]
    return [key for key, settings in created if key not in existing and not settings.get("projectKey")]
