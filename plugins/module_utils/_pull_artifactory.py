# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a module that pulls reads from Artifactory's API. Private to the collection."""

from __future__ import annotations

import dataclasses
import functools
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repository_config import (
    RepositoryConfig,
    is_partial,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._cache_probe import CacheProbe
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import PullThroughError
from ansible_collections.cgr.pull_through.plugins.module_utils._http import Transport
from ansible_collections.cgr.pull_through.plugins.module_utils._module import create_artifactory_session
from ansible_collections.cgr.pull_through.plugins.module_utils._pull_module import (
    JobT,
    Params,
    has_artifactory_credentials,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._trace import Trace, parse_trace

if t.TYPE_CHECKING:
    from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._cache import CacheApi
    from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repositories import RepositoriesApi

# Of a virtual repository, whose configurations are read to explain a failure.
_MAX_MEMBERS = 20


class ArtifactoryReader:
    """Reads what explains the pulls of one run, and verifies where their content came from. Not thread-safe.

    Each configuration is read once; more than one with one request, if possible. A failure is not raised, as it must not
    hide the failure that is to be explained. Methods take the options of one pull, and read nothing without credentials
    for Artifactory. Most of the API is imported where it is used, since a module that pulls elsewhere starts sooner then.
    """

    def __init__(
        self, module: AnsibleModule, transport: Transport, *, sleep: t.Callable[[float], None] = time.sleep
    ) -> None:
        self._create_session = functools.partial(create_artifactory_session, module, transport, sleep=sleep)
        self._sleep = sleep
        self._has_many = len(module.params["pulls"] or ()) > 1
        self._all_settings: dict[str, t.Any] | None = None
        self._configs: dict[str, RepositoryConfig] = {}

    @functools.cached_property
    def _repositories(self) -> RepositoriesApi:
        from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repositories import RepositoriesApi

        return RepositoriesApi(self._create_session())

    @functools.cached_property
    def _cache(self) -> CacheApi:
        """The caches of all repositories, as it reads the version of the server at most once."""
        from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._cache import CacheApi

        return CacheApi(self._create_session())

    def config(self, params: Params) -> RepositoryConfig:
        """Return the configuration of the repository in the options."""
        if not has_artifactory_credentials(params):
            return RepositoryConfig()
        key = params["repository"]
        if key not in self._configs:
            self._configs[key] = self._read_config(key)
        return self._configs[key]

    def _read_config(self, key: str) -> RepositoryConfig:
        config = self._read_one(key)
        if config.settings.get("rclass") != "virtual":
            return config
        keys = config.settings.get("repositories") or ()
        return dataclasses.replace(config, members={member: self._read_one(member) for member in keys[:_MAX_MEMBERS]})

    def _read_one(self, key: str) -> RepositoryConfig:
        if self._has_many and self._all_settings is None:
            try:
                self._all_settings = self._repositories.list_proxied() or {}
            except PullThroughError:
                self._all_settings = {}  # some users may read single configurations only
        settings = (self._all_settings or {}).get(key)
        return RepositoryConfig("read", settings) if settings else self._repositories.read(key)

    def trace(self, params: Params, path: str) -> Trace:
        """Return what Artifactory reports about the download of a path. Without a step if that is unknown."""
        if not has_artifactory_credentials(params):
            return Trace()
        try:
            return parse_trace(self._cache.trace(params["repository"], path))
        except PullThroughError:
            return Trace()

    def add_cache_probes(self, jobs: t.Iterable[tuple[Params, JobT]]) -> list[JobT]:
        """Return the jobs, with access to the cache where from_upstream needs it."""
        return [dataclasses.replace(job, cache_probe=self._cache_probe(params)) for params, job in jobs]

    def _cache_probe(self, params: Params) -> CacheProbe | None:
        if params["from_upstream"] == "ignored" or not has_artifactory_credentials(params):
            return None
        key, settings = params["repository"], self.config(params).settings
        unable = ""
        if settings.get("rclass") != "remote":
            unable = f"{key} is not a remote repository that these credentials may read, so its cache cannot be read."
        # A user who reads only a part does not see whether there is a login.
        has_login = bool(settings.get("username")) or is_partial(settings)
        return CacheProbe(self._cache, key, unable=unable, has_login=has_login, sleep=self._sleep)
