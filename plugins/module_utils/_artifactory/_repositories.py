# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The repositories of Artifactory's REST API. Private to the collection."""

from __future__ import annotations

import typing as t
from urllib.parse import quote

from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repository_config import (
    RepositoryConfig,
    normalize_config,
    require_complete,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._server import ArtifactoryService
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import HTTPStatusError, PullThroughError
from ansible_collections.cgr.pull_through.plugins.module_utils._json_api import ApiSession, Response
from ansible_collections.cgr.pull_through.plugins.module_utils._shape import WORD

if t.TYPE_CHECKING:
    from ansible_collections.cgr.pull_through.plugins.module_utils._plan import Config

_BATCH_PATH = "/artifactory/api/v2/repositories/batch"
_CONFIG = {
    "key?": WORD,
    **dict.fromkeys(("rclass?", "type?", "packageType?", "url?", "username?", "description?", "projectKey?"), str),
    "repositories?": [WORD],
}


def no_such_repository(response: Response) -> bool:
    """Return whether the response means that the repository does not exist.

    Artifactory returns 400 "Bad Request" for an unknown key, but also 400 with other messages for other errors, such as a
    missing edition. Treating every 400 as absent would recreate repositories that exist.
    """
    if response.status == 404:
        return True
    message = ArtifactoryService().response_message(response).strip().rstrip(".").lower()
    return response.status == 400 and (
        message == "bad request" or "does not exist" in message or "not found" in message
    )


class RepositoriesApi:
    """The configuration of repositories, with the setting names of Artifactory's REST API."""

    def __init__(self, session: ApiSession) -> None:
        self.session = session
        self.base_url = session.base_url

    def get(self, key: str) -> Config | None:
        """Return the configuration of a repository without secrets, or None if it does not exist."""
        config = self.session.call("GET", _path(key), absent=no_such_repository, shape=_CONFIG)
        return None if config is None else normalize_config(config)

    def read(self, key: str) -> RepositoryConfig:
        """Return the configuration of a repository, or why there is none. Raises nothing."""
        try:
            config = self.get(key)
        except PullThroughError:
            return RepositoryConfig("unreadable")
        return RepositoryConfig("missing") if config is None else RepositoryConfig("read", config)

    def list_by_keys(self, keys: t.Iterable[str], *, partial: bool = False) -> tuple[list[Config], bool | None]:
        """Return the configurations of the repositories that exist, sorted by key, and whether the user is an administrator.

        The latter is None if the server is older than 7.61.3. Sends one request, or one per repository to such a server, and
        for other users. Raises PullThroughError if the user may read only a part of a configuration, unless partial is set.
        """
        configs, is_admin = self.readable_configurations()
        read = self.get if partial else self._get_complete
        get = read if configs is None else configs.get
        return [config for config in map(get, sorted(set(keys))) if config is not None], is_admin

    def _get_complete(self, key: str) -> Config | None:
        config = self.get(key)
        if config is not None:
            require_complete(config)
        return config

    def list_all(self, *, rclass: str | None = None, partial: bool = False) -> tuple[list[Config], bool | None]:
        """Return the configurations of all repositories, sorted by key, and whether the user is an administrator.

        The latter is None as in list_by_keys(). Sends one request, or one per repository, of one class if rclass is set, to a
        server before 7.61.3, and for other users. These get what they may read if partial is set, of some only a part.
        Otherwise raises HTTPStatusError for them.
        """
        configs, is_admin = self.readable_configurations() if partial else (self.configurations_by_key(), True)
        if configs is None:
            if not partial:
                self.require_admin()
            query = {"type": rclass} if rclass else {}
            rows = self.session.call("GET", "/artifactory/api/repositories", query=query, shape=[{"key": WORD}])
            optional_configs = {row["key"]: self.get(row["key"]) for row in rows}
            configs = {key: config for key, config in optional_configs.items() if config is not None}
        return [configs[key] for key in sorted(configs)], is_admin

    def list_proxied(self) -> dict[str, Config] | None:
        """Return the configurations of the remote and virtual repositories by key, or None before 7.61.3.

        Raises HTTPStatusError if the user is not an administrator.
        """
        return self.configurations_by_key(repoType="remote,virtual")

    def readable_configurations(self) -> tuple[dict[str, Config] | None, bool | None]:
        """Return all configurations by key, and whether the user is an administrator, who alone may read them.

        Both are None if the server is older than 7.61.3, which has no such request.
        """
        try:
            configs = self.configurations_by_key()
        except HTTPStatusError as exc:
            if exc.status != 403:
                raise
            return None, False
        return configs, None if configs is None else True

    def configurations_by_key(self, **query: str) -> dict[str, Config] | None:
        """Return the same as configurations, by key."""
        configs = self.configurations(**query)
        return None if configs is None else {str(config["key"]): config for config in configs}

    def configurations(self, **query: str) -> list[Config] | None:
        """Return all configurations with one request, or None if the server is older than 7.61.3."""
        shape = {"*": [{**_CONFIG, "key": WORD}]}
        grouped = self.session.call("GET", _path("configurations"), query=query, absent=no_such_repository, shape=shape)
        if grouped is None:
            return None
        return [
            normalize_config({**config, "rclass": group.lower()})
            for group, configs in grouped.items()
            for config in configs or ()
        ]

    def require_admin(self) -> None:
        """Raise HTTPStatusError unless the user is an administrator, to fail before the first write."""
        self.session.call("GET", "/artifactory/api/system/license")

    def exists(self, key: str) -> bool:
        """Return whether a repository exists."""
        return self.session.call("GET", _path(key), absent=no_such_repository) is not None

    def create(self, key: str, config: Config) -> None:
        """Create a repository. If there is no response, checks whether it exists instead of a retry."""
        self.session.create("PUT", _path(key), config, exists=lambda: self.exists(key))

    def create_batch(self, configs: list[Config]) -> None:
        """Create all repositories or none; requires 7.84.3. If there is no response, checks whether they exist."""
        keys = [str(config["key"]) for config in configs]
        self.session.create("PUT", _BATCH_PATH, configs, exists=lambda: all(self.exists(key) for key in keys))

    def update_batch(self, changes: list[Config]) -> None:
        """Merge changes into all repositories or none; requires 7.104.2."""
        self.session.call("POST", _BATCH_PATH, body=changes, idempotent=True)

    def update(self, key: str, changes: Config) -> None:
        """Merge changes into a repository. Idempotent, because settings that are not sent stay as they are."""
        self.session.call("POST", _path(key), body={"key": key, **changes}, idempotent=True)

    def delete(self, key: str) -> None:
        """Delete a repository and its content. A repository that does not exist is not an error."""
        self.session.call("DELETE", _path(key), absent=no_such_repository)


def _path(key: str) -> str:
    return f"/artifactory/api/repositories/{quote(key, safe='')}"
