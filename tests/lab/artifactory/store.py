# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The repository configurations: creation, merging and validation.

See facts/artifactory.md#writing-configurations and facts/artifactory.md#repository-keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .cipher import Cipher
from .fields import (
    ALWAYS_BYPASS_HEAD,
    LAYOUTS,
    NUGET_DEFAULTS,
    PACKAGE_TYPE_ALIASES,
    PACKAGE_TYPES,
    SCHEMAS,
    UNLICENSED,
    Schema,
    coerce,
)
from .responses import ApiError
from .settings import Settings

RESERVED_KEYS = frozenset({"api", "list", "repo", "ui", "webapp"})
_ILLEGAL_CHARACTERS = re.compile(r'[/\\:|?<>*"]')
_XML_NAME = re.compile(r"[A-Za-z_][\w.-]*")
_MIN_CACHE_PERIOD = 30  # seconds, of SaaS
_IDENTITY = ("key", "rclass", "packageType")


@dataclass
class Repository:
    """One configuration. `fields` has every field of its schema, with the password in clear text."""

    key: str
    rclass: str
    package_type: str
    fields: dict[str, Any]
    password_cipher: str = ""  # changes with each write of the password

    @property
    def schema(self) -> Schema:
        return SCHEMAS[self.rclass]


class RepositoryStore:
    """All configurations in the order of the list endpoint."""

    def __init__(self, settings: Settings, cipher: Cipher) -> None:
        self._settings = settings
        self._cipher = cipher
        self._repositories: dict[str, Repository] = {}

    def __iter__(self) -> Iterator[Repository]:
        return iter(list(self._repositories.values()))

    def get(self, key: str) -> Repository | None:
        return self._repositories.get(key)

    def create(self, key: str, body: dict[str, Any], position: int | None = None) -> Repository:
        """Add a repository; missing fields get the REST default. Raises ApiError 400, also for an existing key."""
        rclass, package_type = body.get("rclass"), _package_type(body.get("packageType") or "generic")
        if rclass not in SCHEMAS:
            raise ApiError(400, f"Unsupported repository type: {rclass}" if rclass else "Missing repository type")
        if package_type not in PACKAGE_TYPES:
            raise ApiError(400, f"Unsupported package type: {body['packageType']}")
        if body.get("key", key) != key:
            raise ApiError(400, f"Repository key '{body['key']}' does not match the request path '{key}'")
        self._validate_key(key, rclass)
        repository = Repository(key, rclass, package_type, SCHEMAS[rclass].initial(package_type))
        self._merge(repository, body, keep_lists=False)
        self._validate(repository)
        self._repositories[key] = repository
        if position is not None:
            self._move(key, position)
        return repository

    def update(self, key: str, body: dict[str, Any]) -> Repository:
        """Merge a body into a repository; missing fields are kept. Raises ApiError 400."""
        stored = self._repositories[key]
        for name, value in zip(_IDENTITY, (stored.key, stored.rclass, stored.package_type), strict=True):
            desired = _package_type(body.get(name, "")) if name == "packageType" else str(body.get(name, "")).lower()
            if body.get(name) is not None and desired != value.lower():
                raise ApiError(400, f"The {name} of repository '{key}' cannot be changed")
        changed = Repository(key, stored.rclass, stored.package_type, dict(stored.fields), stored.password_cipher)
        self._merge(changed, body, keep_lists=not self._settings["artifactory_empty_list_clears"])
        self._validate(changed)
        self._repositories[key] = changed
        return changed

    def overwrite(self, key: str, fields: dict[str, Any]) -> None:
        """Set fields without validation. Raises ValueError for unknown fields."""
        repository = self._repositories[key]
        if unknown := sorted(fields.keys() - repository.fields.keys()):
            raise ValueError(f"unknown: {', '.join(unknown)}")
        repository.fields.update(fields)
        if "password" in fields:
            self._set_password(repository)

    def delete(self, key: str) -> Repository:
        """Remove a repository, also from the lists of virtual repositories."""
        for repository in self._repositories.values():
            if repository.rclass == "virtual":
                repository.fields["repositories"] = [m for m in repository.fields["repositories"] if m != key]
        return self._repositories.pop(key)

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """Undo all writes inside if one of them raises ApiError."""
        before = dict(self._repositories)
        try:
            yield
        except ApiError:
            self._repositories = before
            raise

    def members(self, key: str) -> list[Repository]:
        """The local and remote repositories behind a key, also of nested virtual ones, in resolution order."""
        members: dict[str, Repository] = {}
        seen: set[str] = set()
        pending = [key]
        while pending:
            repository = self._repositories.get(pending.pop(0))
            if repository is None or repository.key in seen:
                continue
            seen.add(repository.key)
            if repository.rclass == "virtual":
                pending = [*repository.fields["repositories"], *pending]
            else:
                members[repository.key] = repository
        return sorted(members.values(), key=lambda member: not member.fields["priorityResolution"])

    def _move(self, key: str, position: int) -> None:
        keys = [other for other in self._repositories if other != key]
        keys.insert(position, key)
        self._repositories = {other: self._repositories[other] for other in keys}

    def _merge(self, repository: Repository, body: dict[str, Any], *, keep_lists: bool) -> None:
        """Unknown names are ignored, null and "" clear scalars, null (and [] with keep_lists) keeps lists and objects."""
        fields, schema = repository.fields, repository.schema
        for name, value in body.items():
            kind = schema.type_of(name)
            if kind is None or (kind in (list, dict) and (value is None or (value == [] and keep_lists))):
                continue
            if name == "defaultDeploymentRepo" and not value:  # only an unknown key clears it
                continue
            if value is None or (kind is str and value == ""):
                fields[name] = schema.empty_value(name)
            else:
                fields[name] = coerce(name, kind, value)
        self._apply_rules(repository)
        if "password" in body and "password" in fields:
            self._set_password(repository)

    def _apply_rules(self, repository: Repository) -> None:
        """Change the values that the server does not store as they were written."""
        fields = repository.fields
        if self._settings["artifactory_edition"] != "enterprise_plus":
            fields.update(dict.fromkeys(UNLICENSED & fields.keys(), False))
        if fields.get("externalDependenciesEnabled") and not fields["externalDependenciesPatterns"]:
            fields["externalDependenciesPatterns"] = ["**"]
        if not fields["projectKey"] and not self._settings["artifactory_environments_without_project"]:
            fields["environments"] = []
        if fields.get("defaultDeploymentRepo") not in self._repositories:
            fields.update(dict.fromkeys(fields.keys() & {"defaultDeploymentRepo"}))
        if repository.rclass == "remote":
            self._apply_remote_rules(repository)

    def _apply_remote_rules(self, repository: Repository) -> None:
        fields = repository.fields
        if repository.package_type == "nuget":
            fields.update({name: fields[name] or default for name, default in NUGET_DEFAULTS.items()})
        if repository.package_type in ALWAYS_BYPASS_HEAD:
            fields["bypassHeadRequests"] = True
        self._apply_min_cache_period(fields)
        fields["customHttpHeaders"] = [self._stored_header(header) for header in fields["customHttpHeaders"]]

    def _apply_min_cache_period(self, fields: dict[str, Any]) -> None:
        rule = self._settings["artifactory_small_cache_period"]
        if rule == "stored" or fields["retrievalCachePeriodSecs"] >= _MIN_CACHE_PERIOD:
            return
        if rule == "rejected":
            raise ApiError(400, f"retrievalCachePeriodSecs must be at least {_MIN_CACHE_PERIOD}")
        fields["retrievalCachePeriodSecs"] = _MIN_CACHE_PERIOD

    def _stored_header(self, header: dict[str, Any]) -> dict[str, Any]:
        """A header with its value encrypted if it is sensitive; the value can be cipher text already."""
        if not header["sensitive"] or self._cipher.decrypt(header["value"]) is not None:
            return header
        return {**header, "value": self._cipher.encrypt(header["value"])}

    def _set_password(self, repository: Repository) -> None:
        """Store the password, which can be cipher text that this installation returned before."""
        password = repository.fields["password"]
        clear = self._cipher.decrypt(password)
        repository.fields["password"] = password if clear is None else clear
        repository.password_cipher = self._cipher.encrypt(password) if clear is None else password

    def _validate_key(self, key: str, rclass: str) -> None:
        max_length = 58 if rclass == "remote" else 64
        if len(key) > max_length:
            raise ApiError(400, f"Repository key exceeds maximum length ({max_length}) chars.")
        if key in (".", "..", "&"):
            raise ApiError(400, "Invalid Repository key")
        if _ILLEGAL_CHARACTERS.search(key):
            raise ApiError(400, """Illegal Repository key : '/,\\,:,|,?,<,>,*,"' is not allowed""")
        if not _XML_NAME.fullmatch(key):
            raise ApiError(400, "Repository key contains illegal character")
        if key in RESERVED_KEYS:
            raise ApiError(400, f"Repository key '{key}' is a reserved name")
        if rclass == "local" and key.endswith("-cache"):
            raise ApiError(400, f"Repository key '{key}' must not end with '-cache'")
        same = next((other for other in self._repositories if other.lower() == key.lower()), None)
        if same is not None:
            reason = "Repository key" if same == key else "Case insensitive repository key"
            raise ApiError(400, f"error when validating repository name: {key} : {reason} already exists")

    def _validate(self, repository: Repository) -> None:
        fields = repository.fields
        layout = fields["repoLayoutRef"]
        if layout and layout not in LAYOUTS:
            raise ApiError(400, f"Unable to find repository layout by the name: {layout}")
        project = fields["projectKey"]
        if project and not repository.key.startswith(f"{project}-"):
            raise ApiError(400, f"Repository key must start with the project key '{project}-'")
        if len(fields["environments"]) > 1 and (7, 53, 1) <= self._settings.version < (7, 107, 1):
            raise ApiError(400, "A repository can be assigned to one environment only")
        if repository.rclass == "remote":
            _validate_remote(repository)
        elif repository.rclass == "virtual":
            self._validate_members(repository)

    def _validate_members(self, virtual: Repository) -> None:
        for key in virtual.fields["repositories"]:
            member = self._repositories.get(key)
            if member is None:
                raise ApiError(400, f"Repository '{key}' does not exist")
            if virtual.package_type not in ("generic", member.package_type):
                problem = (
                    f"aggregates another repository '{key}' that has a mismatching package type {member.package_type}"
                )
                raise ApiError(400, f"Repository '{virtual.key}' {problem}")


def _package_type(value: Any) -> str:
    name = str(value).lower()
    return PACKAGE_TYPE_ALIASES.get(name, name)


def _validate_remote(repository: Repository) -> None:
    url = repository.fields["url"]
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ApiError(400, f"Remote URL '{url}' is not valid")
    if repository.package_type == "docker" and not repository.fields["storeArtifactsLocally"]:
        raise ApiError(400, "Docker prerequisite - artifacts must be stored locally in cache")
