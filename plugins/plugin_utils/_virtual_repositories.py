# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The virtual repositories of the role pull_through. No I/O."""

from __future__ import annotations

import typing as t

from ansible_collections.cgr.pull_through.plugins.plugin_utils._phases import module_message
from ansible_collections.cgr.pull_through.plugins.plugin_utils._sources import Facts, Source


def resolve_virtual_repositories(
    names: list[str], catalog: dict[str, Facts], sources: t.Sequence[Source]
) -> list[Facts]:
    """Return the virtual repositories with the keys of those members that are sources of this run and exist.

    One without any member is left out: Artifactory has nothing to serve through it.
    """
    keys_by_name = {source.name: source.key for source in sources if source.exists}
    resolved = []
    for name in dict.fromkeys(names):
        members = [keys_by_name[member] for member in catalog[name]["members"] if member in keys_by_name]
        if members:
            fields = {field: catalog[name].get(field) or {} for field in ("key", "package_type", "settings")}
            spec = {**fields, "repositories": members}
            resolved.append({**spec, "spec": spec, "state": "unchanged", "verification": {}, "failure": ""})
    return resolved


def add_virtual_results(repository: Facts, result: Facts, planned: bool) -> Facts:
    """Add what was written. result: of artifactory_virtual_repository. planned: whether it is that of check mode."""
    items = result.get("virtual_repositories") or []
    item = next((item for item in items if item["key"] == repository["key"]), None)
    if item is None or item["failed"]:
        return {**repository, "failure": module_message(item or result)}
    if not item["changed"]:
        return repository
    state = "changed" if item["diff"]["before"] else "created"
    return {**repository, "state": f"would be {state}" if planned else state}


def without_members(virtual_repositories: list[Facts], keys: t.Collection[str]) -> list[Facts]:
    """Return what to do with virtual repositories when these members go: the last member takes the repository along."""
    changed = []
    for repository in virtual_repositories:
        remaining = [key for key in repository.get("repositories") or [] if key not in keys]
        present = {"repositories": remaining, "state": "present"} if remaining else {"state": "absent"}
        changed.append({"key": repository["key"], "package_type": repository["packageType"].lower(), **present})
    return changed
