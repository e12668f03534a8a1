# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Permissions on repositories, over that of two APIs which the server has. Private to the collection.

A permission can be about builds and release bundles too. Those parts are never touched. For what a grant is, see _grants.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t
from urllib.parse import quote

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import PullThroughError
from ansible_collections.cgr.pull_through.plugins.module_utils._json_api import ApiSession, is_not_found
from ansible_collections.cgr.pull_through.plugins.module_utils._plan import Config

_ACCESS_SINCE = (7, 72, 0)
_DEFAULTS: dict[str, list[str]] = {"include_patterns": ["**"], "exclude_patterns": []}
_CLASSIC = {"include_patterns": "include-patterns", "exclude_patterns": "exclude-patterns"}
_WHO = ("users", "groups")


@dataclasses.dataclass(frozen=True)
class Permission:
    """A permission as it is. grant: what it says of repositories, None when nothing.

    section, others: the part about repositories, and all other parts by their name, as they were read.
    """

    grant: Config | None
    section: Config
    others: Config


class PermissionsApi(t.Protocol):
    """What both APIs can do."""

    def get(self, name: str) -> Permission | None:
        """Return a permission; None when there is none."""

    def write(self, grant: Config, current: Permission | None) -> None:
        """Create a permission, or change what the grant names in the current one."""

    def delete(self, name: str, current: Permission) -> None:
        """Delete what the permission says of repositories; all of it when it says nothing else."""


def permissions_api(session: ApiSession) -> PermissionsApi:
    """Return the API that the server has, by its version. Raises PullThroughError when it tells none."""
    told = session.call("GET", "/artifactory/api/system/version")
    version = str(told.get("version")) if isinstance(told, dict) else ""
    found = re.match(r"(\d+)\.(\d+)\.(\d+)", version)
    if not found:
        raise PullThroughError(
            f"Artifactory tells no version that is one: {version!r}.",
            hint="Check artifactory_url: is this Artifactory?",
        )
    newer = tuple(int(part) for part in found.groups()) >= _ACCESS_SINCE
    return AccessPermissions(session) if newer else ClassicPermissions(session)


class _Permissions:
    """What both have in common: a permission has a URL."""

    _all: str

    def __init__(self, session: ApiSession) -> None:
        self._session = session

    def _path(self, name: str) -> str:
        return f"{self._all}/{quote(name, safe='')}"


class AccessPermissions(_Permissions):
    """The Access API, from 7.72.0 on. It knows patterns for each repository, and changes one part at a time."""

    _all = "/access/api/v2/permissions"

    def get(self, name: str) -> Permission | None:
        found = self._session.call("GET", self._path(name), absent=is_not_found)
        if found is None:
            return None
        parts = {kind: part for kind, part in (found.get("resources") or {}).items() if part}
        section = parts.pop("artifact", {})
        return Permission(self._grant(name, section) if section else None, section, parts)

    def write(self, grant: Config, current: Permission | None) -> None:
        name = grant["name"]
        section = self._section(grant, current.section if current else {})
        if current is None:
            body = {"name": name, "resources": {"artifact": section}}
            self._session.create("POST", self._all, body, exists=lambda: self.get(name) is not None)
        else:
            self._session.call("PUT", f"{self._path(name)}/artifact", body=section, idempotent=True)

    def delete(self, name: str, current: Permission) -> None:
        part = "/artifact" if current.others else ""
        self._session.call("DELETE", self._path(name) + part, absent=is_not_found)

    @staticmethod
    def _grant(name: str, section: Config) -> Config:
        targets: Config = section.get("targets") or {}
        patterns = {kind: _shared_patterns(targets, kind) for kind in _DEFAULTS}
        return {"name": name, "repositories": sorted(targets), **patterns, **_normalize_actions(section.get("actions"))}

    @staticmethod
    def _section(grant: Config, before: Config) -> Config:
        targets: Config = before.get("targets") or {}
        return {
            "actions": _serialize_actions(grant, before.get("actions"), str.upper),
            "targets": {
                repository: {kind: grant.get(kind, _inherited(targets, repository, kind)) for kind in _DEFAULTS}
                for repository in grant.get("repositories", targets)
            },
        }


class ClassicPermissions(_Permissions):
    """Artifactory's own API, which newer servers have as well. It replaces a permission whole."""

    _all = "/artifactory/api/v2/security/permissions"

    def get(self, name: str) -> Permission | None:
        found = self._session.call("GET", self._path(name), absent=is_not_found)
        if found is None:
            return None
        parts = {kind: part for kind, part in found.items() if part and isinstance(part, dict)}
        section = parts.pop("repo", {})
        return Permission(self._grant(name, section) if section else None, section, parts)

    def write(self, grant: Config, current: Permission | None) -> None:
        name = grant["name"]
        if current is None:
            body = {"name": name, "repo": self._section(grant, {})}
            self._session.create("POST", self._path(name), body, exists=lambda: self.get(name) is not None)
        else:
            self._replace(name, {**current.others, "repo": self._section(grant, current.section)})

    def delete(self, name: str, current: Permission) -> None:
        if current.others:
            self._replace(name, current.others)
        else:
            self._session.call("DELETE", self._path(name), absent=is_not_found)

    def _replace(self, name: str, parts: Config) -> None:
        # A part that is not sent is deleted: those of others go back as they were read.
        self._session.call("PUT", self._path(name), body={"name": name, **parts}, idempotent=True)

    @staticmethod
    def _grant(name: str, section: Config) -> Config:
        patterns = {kind: _sorted(section.get(theirs)) for kind, theirs in _CLASSIC.items()}
        repositories = _sorted(section.get("repositories"))
        return {"name": name, "repositories": repositories, **patterns, **_normalize_actions(section.get("actions"))}

    @staticmethod
    def _section(grant: Config, before: Config) -> Config:
        return {
            **{theirs: grant.get(kind, before.get(theirs, _DEFAULTS[kind])) for kind, theirs in _CLASSIC.items()},
            "repositories": grant.get("repositories", before.get("repositories")),
            "actions": _serialize_actions(grant, before.get("actions"), str),
        }


def _sorted(words: t.Iterable[str] | None) -> list[str]:
    # The classic API says "nothing" as [""].
    return sorted(filter(None, words or ()))


def _normalize_actions(actions: Config | None) -> Config:
    """Return who may do what, in our words. Who may do nothing is left out."""
    actions = actions or {}
    return {
        who: {name: _sorted(map(str.lower, words)) for name, words in (actions.get(who) or {}).items() if words}
        for who in _WHO
    }


def _serialize_actions(grant: Config, actions: Config | None, spell: t.Callable[[str], str]) -> Config:
    """Return who may do what in the words of an API: as the grant says, else as it was."""
    granted = dict(actions or {})
    for who in grant.keys() & set(_WHO):
        granted[who] = {name: [spell(word) for word in words] for name, words in grant[who].items()}
    return {who: granted.get(who) or {} for who in _WHO}


def _shared_patterns(targets: Config, kind: str) -> t.Any:
    """Return the patterns that all repositories share; by repository where they differ."""
    each = {repository: _sorted(patterns.get(kind)) for repository, patterns in targets.items()}
    first = next(iter(each.values()), [])
    return first if all(patterns == first for patterns in each.values()) else each


def _inherited(targets: Config, repository: str, kind: str) -> t.Any:
    """Return a repository's patterns as they were; for a new one those that all others share, else the default."""
    if repository in targets:
        return targets[repository].get(kind, _DEFAULTS[kind])
    common = _shared_patterns(targets, kind)
    return common if common and isinstance(common, list) else _DEFAULTS[kind]
