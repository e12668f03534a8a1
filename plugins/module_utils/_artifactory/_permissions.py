# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Permissions on repositories, using the Access API or the classic API. Private to the collection.

A permission can also concern builds and release bundles. Those parts are not changed. _permission_spec.py defines a grant.
"""

from __future__ import annotations

import typing as t
from urllib.parse import quote

from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._grantees import missing_grantees
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._server import (
    access_api_error,
    server_version,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import HTTPStatusError
from ansible_collections.cgr.pull_through.plugins.module_utils._json_api import ApiSession, is_not_found
from ansible_collections.cgr.pull_through.plugins.module_utils._plan import Config

_ACCESS_SINCE = (7, 72, 0)
_DEFAULTS: dict[str, list[str]] = {"include_patterns": ["**"], "exclude_patterns": []}
_CLASSIC = {"include_patterns": "include-patterns", "exclude_patterns": "exclude-patterns"}
_GRANTEE_KINDS = ("users", "groups")
_ACTIONS = {f"{kind}?": {"*": [str]} for kind in _GRANTEE_KINDS}
_TARGET = {"include_patterns?": [str], "exclude_patterns?": [str]}
_ACCESS = {"resources?": {"artifact?": {"actions?": _ACTIONS, "targets?": {"*": _TARGET}}}}
_CLASSIC_PERMISSION = {
    "repo?": {
        "actions?": _ACTIONS,
        **dict.fromkeys(("repositories?", "include-patterns?", "exclude-patterns?"), [str]),
    }
}
_CLASSIC_LIST = [{"name": str}]
_ACCESS_LIST = {"permissions?": _CLASSIC_LIST}

ReadT = t.TypeVar("ReadT")


class Permission(t.NamedTuple):
    """A permission of the server.

    grant: the part that concerns repositories, None if there is no such part. section, others: the unparsed part that
    concerns repositories, and all other unparsed parts by name.
    """

    grant: Config | None
    section: Config
    others: Config


class PermissionsApi(t.Protocol):
    """The methods of both APIs. rejects_missing_grantees: whether a permission for a user who does not exist cannot be written."""

    rejects_missing_grantees: bool

    def missing_grantees(self, before: Config, desired: Config) -> list[str]:
        """Return the users and groups that do not exist, if these can be read. See _grantees.py."""

    def names(self) -> list[str]:
        """Return the names of all permissions."""

    def get(self, name: str) -> Permission | None:
        """Return a permission, or None if it does not exist."""

    def write(self, grant: Config, current: Permission | None) -> None:
        """Create a permission, or change the current one. Settings that are not in the grant stay as they are."""

    def delete(self, name: str, current: Permission) -> None:
        """Delete the part that concerns repositories, or the whole permission if it has no other part."""


def permissions_api(session: ApiSession) -> PermissionsApi:
    """Return the API for the version of the server. Raises RequestError."""
    has_access_api = server_version(session) >= _ACCESS_SINCE
    return AccessPermissions(session) if has_access_api else ClassicPermissions(session)


def get_permission(api: PermissionsApi, name: str) -> tuple[PermissionsApi, Permission | None]:
    """Return a permission as get() does, and the API to write it with."""
    return _read(api, lambda readable: readable.get(name))


def list_permissions(api: PermissionsApi) -> tuple[PermissionsApi, list[str]]:
    """Return the names of all permissions, and the API to read them with."""
    return _read(api, lambda readable: readable.names())


def _read(api: PermissionsApi, read: t.Callable[[PermissionsApi], ReadT]) -> tuple[PermissionsApi, ReadT]:
    """Return what was read, and the API that it was read with.

    It is the classic API if the Access API rejects a login that the classic API accepts, such as a password.
    """
    try:
        return api, read(api)
    except HTTPStatusError as exc:
        if exc.status != 401 or not isinstance(api, AccessPermissions):
            raise
        classic = api.classic()
        try:
            return classic, read(classic)
        except HTTPStatusError:
            raise access_api_error(exc, "permissions") from exc


class _Permissions:
    """Shared parts of both APIs."""

    _url: str
    _grantees_path: str

    def __init__(self, session: ApiSession) -> None:
        self._session = session

    def missing_grantees(self, before: Config, desired: Config) -> list[str]:
        return missing_grantees(self._session, self._grantees_path, before, desired)

    def _path(self, name: str) -> str:
        return f"{self._url}/{quote(name, safe='')}"


class AccessPermissions(_Permissions):
    """The Access API, in 7.72.0 and later. It has patterns per repository, and changes one part at a time."""

    # Users who log in with SSO exist only after their first login, and it is not known whether the API rejects them before.
    rejects_missing_grantees = False
    _url = "/access/api/v2/permissions"
    _grantees_path = "/access/api/v2"

    def classic(self) -> ClassicPermissions:
        """Return the other API, with the same credentials."""
        return ClassicPermissions(self._session)

    def names(self) -> list[str]:
        # The slash is a part of the documented path.
        listing = self._session.call("GET", f"{self._url}/", shape=_ACCESS_LIST)
        return [row["name"] for row in listing.get("permissions") or []]

    def get(self, name: str) -> Permission | None:
        permission = self._session.call("GET", self._path(name), absent=is_not_found, shape=_ACCESS)
        if permission is None:
            return None
        parts = {kind: part for kind, part in (permission.get("resources") or {}).items() if part}
        section = parts.pop("artifact", {})
        return Permission(self._grant(name, section) if section else None, section, parts)

    def write(self, grant: Config, current: Permission | None) -> None:
        name = grant["name"]
        section = self._section(grant, current.section if current else {})
        if current is None:
            body = {"name": name, "resources": {"artifact": section}}
            self._session.create("POST", self._url, body, exists=lambda: self.get(name) is not None)
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
    """The classic API, which newer servers also have. It replaces a permission as a whole."""

    rejects_missing_grantees = True
    _url = "/artifactory/api/v2/security/permissions"
    _grantees_path = "/artifactory/api/security"

    def names(self) -> list[str]:
        return [row["name"] for row in self._session.call("GET", self._url, shape=_CLASSIC_LIST)]

    def get(self, name: str) -> Permission | None:
        permission = self._session.call("GET", self._path(name), absent=is_not_found, shape=_CLASSIC_PERMISSION)
        if permission is None:
            return None
        parts = {kind: part for kind, part in permission.items() if part and isinstance(part, dict)}
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
        # The server deletes parts that are not sent, so the other parts are sent back unchanged.
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


def _sorted(values: t.Iterable[str] | None) -> list[str]:
    # The classic API returns [""] for an empty list.
    return sorted(filter(None, values or ()))


def _normalize_actions(actions: Config | None) -> Config:
    """Return the actions of users and groups in the spelling of the options, without users and groups that have none."""
    actions = actions or {}
    return {
        kind: {name: _sorted(map(str.lower, names)) for name, names in (actions.get(kind) or {}).items() if names}
        for kind in _GRANTEE_KINDS
    }


def _serialize_actions(grant: Config, actions: Config | None, spell: t.Callable[[str], str]) -> Config:
    """Return the actions of users and groups in the spelling of an API: those of the grant, else the current ones."""
    granted = dict(actions or {})
    for kind in grant.keys() & set(_GRANTEE_KINDS):
        granted[kind] = {name: [spell(action) for action in names] for name, names in grant[kind].items()}
    return {kind: granted.get(kind) or {} for kind in _GRANTEE_KINDS}


def _shared_patterns(targets: Config, kind: str) -> t.Any:
    """Return the patterns that all repositories share, or the patterns by repository if they differ."""
    by_repository = {repository: _sorted(patterns.get(kind)) for repository, patterns in targets.items()}
    first = next(iter(by_repository.values()), [])
    return first if all(patterns == first for patterns in by_repository.values()) else by_repository


def _inherited(targets: Config, repository: str, kind: str) -> t.Any:
    """Return the current patterns of a repository; for a new one, those that all others share, else the default."""
    if repository in targets:
        return targets[repository].get(kind, _DEFAULTS[kind])
    shared = _shared_patterns(targets, kind)
    return shared if shared and isinstance(shared, list) else _DEFAULTS[kind]
