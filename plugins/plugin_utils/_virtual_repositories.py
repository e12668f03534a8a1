# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The virtual repositories of the role pull_through. No I/O."""

from __future__ import annotations

import typing as t

from ansible_collections.cgr.pull_through.plugins.plugin_utils._phases import NOT_SET_UP, module_message
from ansible_collections.cgr.pull_through.plugins.plugin_utils._sources import Facts, Source, reads_back_as


def resolve_virtual_repositories(
    names: list[str],
    catalog: dict[str, Facts],
    sources: t.Sequence[Source],
    source_catalog: dict[str, Facts],
    repositories: list[Facts],
    prune: bool,
    must_exist: bool = False,
) -> list[Facts]:
    """Return the virtual repositories with the keys of their members, in the order of the catalog.

    Members are the sources of this run that exist, and other sources of the catalog that are members already: a run only
    adds its own. repositories: as they are. prune: whether all other members are removed. must_exist: whether a missing virtual
    repository is a failure. One without any source of this run is left out.
    """
    own = {source.name: source.key for source in sources if source.exists}
    current = {repository["key"]: repository for repository in repositories}
    resolved = []
    for name in dict.fromkeys(names):
        entry = catalog[name]
        keys = {member: own.get(member) or source_catalog[member]["key"] for member in entry["members"]}
        present = current.get(entry["key"], {})
        kept = [] if prune else present.get("repositories") or []
        members = [key for member, key in keys.items() if member in own or key in kept]
        if not set(own) & set(entry["members"]):
            continue
        spec = {field: entry.get(field) or {} for field in ("key", "package_type", "settings")}
        spec.update(repositories=members, members_mode="exact" if prune else "included")
        state = {"may_differ": _may_differ(present, spec), "state": "unchanged"}
        failure = NOT_SET_UP if must_exist and not present else ""
        resolved.append({**spec, "spec": spec, **state, "verification": {}, "failure": failure})
    return resolved


def _may_differ(current: Facts, spec: Facts) -> bool:
    """Return whether a virtual repository is missing, or does not read back exactly as it should be."""
    settings, members = dict(spec["settings"]), current.get("repositories") or []
    if spec["members_mode"] == "exact" or not set(spec["repositories"]) <= set(members):
        settings["repositories"] = spec["repositories"]
    return not reads_back_as(current, "virtual", spec["package_type"], settings)


def add_virtual_results(repository: Facts, result: Facts, planned: bool) -> Facts:
    """Add what was written. result: of artifactory_virtual_repository. planned: whether it is that of check mode."""
    if not repository["may_differ"]:
        return repository
    items = result.get("virtual_repositories") or []
    item = next((item for item in items if item["key"] == repository["key"]), None)
    if item is None or item["failed"]:
        return {**repository, "failure": module_message(item or result)}
    if not item["changed"]:
        return repository
    before, after = (item["diff"][side].get("repositories") or [] for side in ("before", "after"))
    state = "changed" if item["diff"]["before"] else "created"
    removed = [key for key in before if after and key not in after]
    return {**repository, "state": f"would be {state}" if planned else state, "removed": removed}


def without_members(virtual_repositories: list[Facts], keys: t.Collection[str]) -> list[Facts]:
    """Return what to do with virtual repositories when these members go: the last member takes the repository along."""
    changed = []
    for repository in virtual_repositories:
        members = repository.get("repositories") or []
        remaining = [key for key in members if key not in keys]
        if len(remaining) == len(members):
            continue
        present = {"repositories": remaining, "state": "present"} if remaining else {"state": "absent"}
        changed.append({"key": repository["key"], "package_type": repository["packageType"].lower(), **present})
    return changed
