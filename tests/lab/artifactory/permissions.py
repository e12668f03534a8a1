# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Permissions (facts/artifactory.md#permissions)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .auth import Caller
from .patterns import accepts
from .responses import ApiError
from .store import Repository, RepositoryStore

ANY = {"local": ("ANY", "ANY LOCAL"), "remote": ("ANY", "ANY REMOTE"), "virtual": ()}
ACTIONS = frozenset({"READ", "ANNOTATE", "WRITE", "DELETE", "MANAGE", "SCAN", "EXECUTE"})
# Only permissions on artifacts take effect; the others are stored and returned.
RESOURCES = frozenset({"artifact", "build", "release_bundle", "destination", "pipeline_source"})
_EVERYTHING = {"include_patterns": ["**"], "exclude_patterns": []}

# {"actions": {"users": {name: [action]}, "groups": {…}}, "targets": {repository: {"include_patterns": […], …}}}
Resource = dict[str, Any]


@dataclass
class Permission:
    name: str
    resources: dict[str, Resource]
    created_by: str
    modified_by: str


class Permissions:
    def __init__(self, store: RepositoryStore) -> None:
        self._store = store
        self.by_name: dict[str, Permission] = {}

    def find(self, name: str) -> Permission:
        permission = self.by_name.get(name)
        if permission is None:
            raise ApiError(404, f"Permission '{name}' not found")
        return permission

    def grant(self, name: str, user: str, actions: list[str], target: str) -> None:
        resource = {"actions": {"users": {user: actions}, "groups": {}}, "targets": {target: dict(_EVERYTHING)}}
        self.by_name[name] = Permission(name, {"artifact": resource}, "admin", "admin")

    def allows(self, caller: Caller, action: str, repository: Repository, path: str) -> bool:
        """Whether the caller may perform an action on a path of a local repository or of a remote and its cache."""
        if caller.administers(repository.fields["projectKey"]):
            return True
        names = (repository.key, *ANY[repository.rclass])
        for permission in self.by_name.values():
            resource = permission.resources.get("artifact")
            if resource is None or not _grants(resource["actions"], caller, action):
                continue
            for target, patterns in resource["targets"].items():
                if target in names and accepts(patterns["include_patterns"], patterns["exclude_patterns"], path):
                    return True
        return False

    def resource(self, kind: str, value: dict[str, Any]) -> Resource:
        """A resource in its stored form. Raises ApiError 400 for unknown repositories or actions, or no target."""
        actions = {who: dict((value.get("actions") or {}).get(who) or {}) for who in ("users", "groups")}
        targets = {
            name: {
                "include_patterns": patterns.get("include_patterns") or ["**"],
                "exclude_patterns": patterns.get("exclude_patterns") or [],
            }
            for name, patterns in (value.get("targets") or {}).items()
        }
        if not targets:
            raise ApiError(400, "Targets must not be empty")
        for words in [*actions["users"].values(), *actions["groups"].values()]:
            if unknown := set(words) - ACTIONS:
                raise ApiError(400, f"Unknown actions: {', '.join(sorted(unknown))}")
        for name in targets if kind == "artifact" else ():
            if not name.startswith("ANY") and self._store.get(name) is None:
                raise ApiError(400, f"Repository '{name}' does not exist")
        return {"actions": actions, "targets": targets}


def _grants(actions: dict[str, Any], caller: Caller, action: str) -> bool:
    if caller.groups:
        return any(action in actions["groups"].get(group, ()) for group in caller.groups)
    return action in actions["users"].get(caller.name, ())
