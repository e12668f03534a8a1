# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Artifactory's REST API: the session's service and the repositories. Private to the collection."""

from __future__ import annotations

import re
import typing as t
from urllib.parse import quote, urlsplit

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError
from ansible_collections.cgr.pull_through.plugins.module_utils._json_api import ApiSession, Response
from ansible_collections.cgr.pull_through.plugins.module_utils._plan import Config

# A remote's cache is a repository of its own, "<key>-cache", and a key may have 64 characters.
REMOTE_KEY_LIMIT = 58
KEY_LIMIT = 64

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_CACHE_SUFFIX = " (local file cache)"
_NO_EDITION = "available only in Artifactory Pro"
_SMART_REMOTE = "/artifactory/api/docker/"
_BATCH = "/artifactory/api/v2/repositories/batch"
SECRETS = ("password",)


class ArtifactoryService:
    """How Artifactory words its errors, and what they usually mean."""

    name = "Artifactory"

    def response_message(self, reply: Response) -> str:
        decoded = reply.json()
        if not isinstance(decoded, dict):
            return reply.text
        if isinstance(decoded.get("errors"), list):
            return "; ".join(_words(error) or str(error) for error in decoded["errors"] if isinstance(error, dict))
        return _words(decoded) or reply.text

    def hint(self, reply: Response) -> str:
        if _NO_EDITION in reply.text:
            return "The API for this begins with the Pro edition; this server is another edition, or has no active license."
        if reply.status == 401:
            return "Artifactory does not know this login: check artifactory_access_token (expired, revoked, or of another server?) or user and password."
        if reply.status == 403:
            return "This login may not do that: it takes the token of an administrator, or for repositories that of the project's administrator."
        if reply.status == 404:
            return "Check artifactory_url: the base URL, without /artifactory/api or a repository key."
        return ""

    def is_retryable(self, reply: Response) -> bool:
        # Two writes of the central configuration met; the server asks to try again.
        return reply.status >= 400 and "Could not merge and save new descriptor" in reply.text


def _words(error: t.Mapping[str, t.Any]) -> str:
    """Return what an error says. Those of the Access API have details too."""
    return ": ".join(str(error[part]) for part in ("message", "detail") if error.get(part))


def no_such_repository(reply: Response) -> bool:
    """Return whether the reply says that there is no such repository.

    Artifactory answers a bare 400 for an unknown key, but 400 also says "not in this edition" and "not valid".
    Taking each 400 as absent would recreate repositories that exist.
    """
    if reply.status == 404:
        return True
    message = ArtifactoryService().response_message(reply).strip().rstrip(".").lower()
    return reply.status == 400 and (message == "bad request" or "does not exist" in message or "not found" in message)


def validate_key(key: str, *, limit: int) -> str:
    """Return the repository key, or raise InputError."""
    if len(key) > limit:
        raise InputError(f"The repository key {key!r} has {len(key)} characters; at most {limit} are allowed.")
    if not _KEY.fullmatch(key):
        raise InputError(
            f"The repository key {key!r} is not valid.",
            hint="Use letters, digits, dots, dashes and underscores, and begin with a letter or digit.",
        )
    return key


def validate_upstream_url(url: str, package_type: str) -> str:
    """Return the URL of a remote, or raise InputError for one that Artifactory takes and can then not pull from."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"url is not a URL: {url!r}.", hint="Write it as https://host/.")
    if parts.username or parts.password:
        raise InputError("url must not contain credentials.", hint="Use the options username and password.")
    if package_type == "docker" and parts.path.strip("/") and _SMART_REMOTE not in parts.path + "/":
        root = f"{parts.scheme}://{parts.netloc}/"
        raise InputError(
            f"url has a path, {parts.path!r}, which Artifactory ignores for Docker: each pull would end with 'manifest unknown'.",
            hint=f"Set url to {root} and put {parts.path.strip('/')!r} into the image's name, or use dockerProjectId.",
        )
    return url


class RepositoriesApi:
    """The configuration of repositories, in the names of Artifactory's REST API."""

    def __init__(self, session: ApiSession) -> None:
        self._session = session

    def get(self, key: str) -> Config | None:
        """Return one repository's configuration without secrets; None when there is none."""
        found = self._session.call("GET", _path(key), absent=no_such_repository)
        return None if found is None else normalize_config(found)

    def refresh(self) -> None:
        """Discard configurations that were read before. This class keeps none."""

    def list_all(self) -> list[Config]:
        """Return the configuration of all repositories, sorted by key: one request from 7.61.3 on, else one for each.

        Raises Refused for a login that is no administrator's, which would see only a part of each.
        """
        found = self.configurations()
        if found is not None:
            return sorted(found, key=lambda one: str(one["key"]))
        self.require_admin()
        rows = self._session.call("GET", "/artifactory/api/repositories")
        each = (self.get(row["key"]) for row in sorted(rows, key=lambda row: str(row["key"])))
        return [one for one in each if one is not None]

    def resolve_members(self, keys: t.Iterable[str]) -> dict[str, Config]:
        """Return those of the repositories that exist, and what is behind the virtual ones among them, by key.

        One request from 7.61.3 on, else one for each of them. Raises Refused as list_all does.
        """
        every = self.configurations()
        return self.walk(keys, self.get if every is None else {str(one["key"]): one for one in every}.get)

    @staticmethod
    def walk(keys: t.Iterable[str], look: t.Callable[[str], Config | None]) -> dict[str, Config]:
        """Return what with_members does, by looking at one after the other."""
        found: dict[str, Config] = {}
        pending = list(keys)
        while pending:
            key = pending.pop(0)
            repository = None if key in found else look(key)
            if repository is not None:
                found[key] = repository
                pending += repository.get("repositories") or []
        return found

    def list_proxied(self) -> dict[str, Config] | None:
        """Return the remote and virtual repositories by key, in one request; None where the server is too old for that.

        Raises Refused for a login that is no administrator's.
        """
        found = self.configurations(repoType="remote,virtual")
        return None if found is None else {str(one["key"]): one for one in found}

    def configurations(self, **query: str) -> list[Config] | None:
        """Return all configurations in one request; None where the server is too old for that."""
        grouped = self._session.call("GET", _path("configurations"), query=query, absent=no_such_repository)
        if grouped is None:
            return None
        return [
            normalize_config({**one, "rclass": group.lower()}) for group, members in grouped.items() for one in members
        ]

    def require_admin(self) -> None:
        """Raise Refused unless the login is an administrator's: better before the first write than in the middle."""
        self._session.call("GET", "/artifactory/api/system/license")

    def version(self) -> tuple[int, ...]:
        """Return the server's version, such as (7, 104, 2)."""
        told = self._session.call("GET", "/artifactory/api/system/version")
        return tuple(int(part) for part in re.findall(r"\d+", str(told.get("version"))))

    def exists(self, key: str) -> bool:
        """Return whether there is such a repository now."""
        return self._session.call("GET", _path(key), absent=no_such_repository) is not None

    def create(self, key: str, config: Config) -> None:
        """Create a repository. A creation without an answer is not sent again: it is looked for."""
        self._session.create("PUT", _path(key), config, exists=lambda: self.exists(key))

    def create_batch(self, configs: list[Config]) -> None:
        """Create repositories, all or none. From 7.84.3 on. A creation without an answer is not sent again: it is looked for."""
        keys = [str(config["key"]) for config in configs]
        self._session.create("PUT", _BATCH, configs, exists=lambda: all(self.exists(key) for key in keys))

    def update_batch(self, changes: list[Config]) -> None:
        """Merge changes into repositories, all or none. From 7.104.2 on."""
        self._session.call("POST", _BATCH, body=changes, idempotent=True)

    def update(self, key: str, changes: Config) -> None:
        """Merge the changes into a repository: what is not named stays as it is, so this can be sent twice."""
        self._session.call("POST", _path(key), body={"key": key, **changes}, idempotent=True)

    def delete(self, key: str) -> None:
        """Delete a repository and what it holds. One that is gone already is fine."""
        self._session.call("DELETE", _path(key), absent=no_such_repository)


def _path(key: str) -> str:
    return f"/artifactory/api/repositories/{quote(key, safe='')}"


def normalize_config(config: Config) -> Config:
    """Return a configuration as it can be compared and shown.

    Without the password (cipher text for an administrator), with rclass instead of the second dialect's type, and
    without the suffix that the server puts behind the description of a remote.
    """
    shown = {name: value for name, value in config.items() if name not in SECRETS}
    if "rclass" not in shown and "type" in shown:
        shown["rclass"] = str(shown["type"]).lower()
    shown.pop("type", None)
    if str(shown.get("description") or "").endswith(_CACHE_SUFFIX):
        shown["description"] = shown["description"][: -len(_CACHE_SUFFIX)]
    if shown.get("projectKey") == "default":
        del shown["projectKey"]
    return shown
