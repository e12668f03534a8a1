# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read many repositories in few requests. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repositories import RepositoriesApi
from ansible_collections.cgr.pull_through.plugins.module_utils._plan import Config
from ansible_collections.cgr.pull_through.plugins.module_utils._shape import Listing

_MAX_MEMBERS = 20_000


class RepositorySnapshot:
    """The configurations of repositories, as they were when they were read first.

    api: sends the requests. bulk: read all repositories with the first request. Otherwise, only resolve_members does.
    One request per repository is sent to servers before 7.61.3, and for users who may not read all repositories.
    """

    def __init__(self, api: RepositoriesApi, *, bulk: bool) -> None:
        self.api = api
        self._bulk = bulk
        self._configurations: dict[str, Config] | None = None
        self._is_read = self._is_admin = False

    def get(self, key: str) -> Config | None:
        """Return the configuration of a repository without secrets, or None if it does not exist."""
        return self._read_all(key) if self._bulk else self.api.get(key)

    def resolve_members(self, keys: t.Iterable[str]) -> dict[str, Config]:
        """Return the configurations of the repositories that exist, and of all direct and indirect members, by key."""
        configs: dict[str, Config] = {}
        pending = list(dict.fromkeys(keys))
        seen = set(pending)
        members = Listing("members", self.api.base_url, max_entries=_MAX_MEMBERS)
        while pending:
            key = pending.pop(0)
            config = self._read_all(key)
            if config is not None:
                configs[key] = config
                new = [member for member in config.get("repositories") or [] if member not in seen]
                members.add(len(new))
                seen.update(new)
                pending += dict.fromkeys(new)
        return configs

    def require_admin(self) -> None:
        """Raise HTTPStatusError unless the user is an administrator. Sends at most one request."""
        if not self._is_admin:
            self.api.require_admin()
            self._is_admin = True

    def refresh(self) -> None:
        """Discard the configurations, because they have changed."""
        self._is_read = False

    def _read_all(self, key: str) -> Config | None:
        """Return the configuration of one repository. Reads all of them once, if the server and the user allow it."""
        if not self._is_read:
            self._configurations, _is_admin = self.api.readable_configurations()
            self._is_read = True
        return self.api.get(key) if self._configurations is None else self._configurations.get(key)
