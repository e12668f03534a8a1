# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Artifactory's REST API: the session's service and the repositories. Private to the collection."""

from __future__ import annotations

import re
import typing as t
from urllib.parse import quote, urlsplit

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import (
    InputError,
    PullThroughError,
    Refused,
    Unanswered,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._http import ApiSession, Reply
from ansible_collections.cgr.pull_through.plugins.module_utils._plan import Config, Plan, same

# A remote's cache is a repository of its own, "<key>-cache", and a key may have 64 characters.
REMOTE_KEY_LIMIT = 58
KEY_LIMIT = 64

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_CACHE_SUFFIX = " (local file cache)"
_NO_EDITION = "available only in Artifactory Pro"
_PARTIAL = frozenset({"key", "packageType", "description", "rclass", "url", "repositories"})
_SMART_REMOTE = "/artifactory/api/docker/"
IMMUTABLE = ("rclass", "packageType")
_SECRETS = ("password",)


class ArtifactoryService:
    """How Artifactory words its errors, and what they usually mean."""

    name = "Artifactory"

    def said(self, reply: Reply) -> str:
        decoded = reply.json()
        errors = decoded.get("errors") if isinstance(decoded, dict) else None
        if isinstance(errors, list):
            return "; ".join(str(error.get("message", error)) for error in errors if isinstance(error, dict))
        if isinstance(decoded, dict) and decoded.get("message"):
            return str(decoded["message"])
        return reply.text

    def hint(self, reply: Reply) -> str:
        if _NO_EDITION in reply.text:
            return "Repositories can be configured over the API from the Pro edition on; this server is another edition, or has no active licence."
        if reply.status == 401:
            return "Artifactory does not know this login: check artifactory_access_token (expired, revoked, or of another server?) or user and password."
        if reply.status == 403:
            return "This login may not do that: repositories are managed with the token of an administrator, or of the project's administrator."
        if reply.status == 404:
            return "Check artifactory_url: the base URL, without /artifactory/api or a repository key."
        return ""

    def busy(self, reply: Reply) -> bool:
        # Two writes of the central configuration met; the server asks to try again.
        return reply.status >= 400 and "Could not merge and save new descriptor" in reply.text


def no_such_repository(reply: Reply) -> bool:
    """Return whether the reply says that there is no such repository.

    Artifactory answers a bare 400 for an unknown key, but 400 also says "not in this edition" and "not valid".
    Taking each 400 as absent would recreate repositories that exist.
    """
    if reply.status == 404:
        return True
    message = ArtifactoryService().said(reply).strip().rstrip(".").lower()
    return reply.status == 400 and (message == "bad request" or "does not exist" in message or "not found" in message)


def checked_key(key: str, *, limit: int) -> str:
    """Return the repository key, or raise InputError."""
    if len(key) > limit:
        raise InputError(f"The repository key {key!r} has {len(key)} characters; at most {limit} are allowed.")
    if not _KEY.fullmatch(key):
        raise InputError(
            f"The repository key {key!r} is not valid.",
            hint="Use letters, digits, dots, dashes and underscores, and begin with a letter or digit.",
        )
    return key


def checked_upstream(url: str, package_type: str) -> str:
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
        found = self._session.call("GET", _path(key), absent=no_such_repository, absent_ok=True)
        return None if found is None else readable(found)

    def list_all(self) -> list[Config]:
        """Return the configuration of all repositories, sorted by key: one request from 7.61.3 on, else one for each.

        Raises Refused for a login that is no administrator's, which would see only a part of each.
        """
        grouped = self._session.call("GET", _path("configurations"), absent=no_such_repository, absent_ok=True)
        if grouped is not None:
            found = [{**one, "rclass": group.lower()} for group, members in grouped.items() for one in members]
            return sorted((readable(one) for one in found), key=lambda one: str(one["key"]))
        self.require_admin()
        rows = self._session.call("GET", "/artifactory/api/repositories")
        each = (self.get(row["key"]) for row in sorted(rows, key=lambda row: str(row["key"])))
        return [one for one in each if one is not None]

    def require_admin(self) -> None:
        """Raise Refused unless the login is an administrator's: better before the first write than in the middle."""
        self._session.call("GET", "/artifactory/api/system/license")

    def create(self, key: str, config: Config) -> None:
        """Create a repository. A creation without an answer is not sent again: it is looked for."""
        try:
            self._session.call("PUT", _path(key), body=config, repeatable=False)
        except (Refused, Unanswered) as exc:
            unsure = isinstance(exc, Unanswered) or exc.status >= 500
            if not unsure or self.get(key) is None:
                raise

    def update(self, key: str, changes: Config) -> None:
        """Merge the changes into a repository: what is not named stays as it is, so this can be sent twice."""
        self._session.call("POST", _path(key), body={"key": key, **changes}, repeatable=True)

    def delete(self, key: str) -> None:
        """Delete a repository and what it holds. One that is gone already is fine."""
        self._session.call("DELETE", _path(key), absent=no_such_repository, absent_ok=True)


def _path(key: str) -> str:
    return f"/artifactory/api/repositories/{quote(key, safe='')}"


def readable(config: Config) -> Config:
    """Return a configuration as it can be compared and shown.

    Without the password (cipher text for an administrator), with rclass instead of the second dialect's type, and
    without the suffix that the server puts behind the description of a remote.
    """
    shown = {name: value for name, value in config.items() if name not in _SECRETS}
    if "rclass" not in shown and "type" in shown:
        shown["rclass"] = str(shown["type"]).lower()
    shown.pop("type", None)
    if str(shown.get("description") or "").endswith(_CACHE_SUFFIX):
        shown["description"] = shown["description"][: -len(_CACHE_SUFFIX)]
    if shown.get("projectKey") == "default":
        del shown["projectKey"]
    return shown


def refuse_other_kind(current: Config | None, desired: Config, names: t.Iterable[str]) -> None:
    """Raise InputError when the key is taken by a repository that differs in one of names, which are for life."""
    for name in names:
        if current is not None and str(current.get(name)).lower() != desired[name]:
            raise InputError(
                f"The repository {desired['key']} exists with {name} {current.get(name)!r}, not {desired[name]!r}, and that cannot be changed.",
                hint="Choose another key, or delete that repository yourself: this module never deletes one to create it anew.",
            )


def refuse_partial_read(current: Config, desired: Config) -> None:
    """Raise PullThroughError when a configuration is only its public part, which is what a non-administrator gets."""
    if set(current) <= _PARTIAL and not set(desired) <= _PARTIAL:
        raise PullThroughError(
            f"Artifactory shows this login only a part of the configuration of {desired['key']}, so it cannot be compared.",
            hint="Use the token of an administrator.",
        )


def whole_objects(current: Config, desired: Config) -> Config:
    """Return desired with each nested object filled up from current: the server replaces such an object whole."""
    filled = dict(desired)
    for name, value in desired.items():
        before = current.get(name)
        if isinstance(value, dict) and isinstance(before, dict):
            filled[name] = _merged(before, value)
    return filled


def _merged(before: Config, wanted: Config) -> Config:
    merged = dict(before)
    for name, value in wanted.items():
        nested = merged.get(name)
        merged[name] = _merged(nested, value) if isinstance(value, dict) and isinstance(nested, dict) else value
    return merged


def apply_plan(api: RepositoriesApi, key: str, plan: Plan) -> None:
    """Send a plan, then read it back: the server ignores settings that it does not know without a word."""
    if plan.action == "delete":
        api.delete(key)
        return
    if plan.action == "create":
        api.create(key, plan.payload)
    else:
        api.update(key, plan.payload)
    stored = api.get(key) or {}
    lost = sorted(
        name for name, value in plan.payload.items() if name not in _SECRETS and not same(stored.get(name), value)
    )
    if lost:
        raise PullThroughError(
            f"Artifactory accepted the repository {key} but did not store {', '.join(lost)} as sent.",
            hint="Check the spelling of these settings, and whether this version and edition of Artifactory has them.",
        )


def stored_settings(settings: t.Mapping[str, t.Any], typed: t.Mapping[str, t.Any]) -> Config:
    """Return typed options that are set, and free settings, as one configuration.

    Raises InputError for a setting that has an option.
    """
    owned = set(typed) | set(IMMUTABLE) | set(_SECRETS) | {"key", "type"}
    doubled = sorted(owned & set(settings))
    if doubled:
        raise InputError(f"settings must not hold {', '.join(doubled)}: the module has options for that.")
    return {**settings, **{name: value for name, value in typed.items() if value not in (None, "")}}
