# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Collects how pulls through sources end. Pulls fill caches. Private to the collection."""

from __future__ import annotations

import typing as t
from urllib.parse import urlsplit

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repository_config import RepositoryConfig
from ansible_collections.cgr.pull_through.plugins.module_utils._credentials import Credentials
from ansible_collections.cgr.pull_through.plugins.module_utils._http import Transport
from ansible_collections.cgr.pull_through.plugins.module_utils._packages import _options as _package_options
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._puller import ArtifactPuller
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._report import ArtifactResultBuilder
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._repository_client import RepositoryClient
from ansible_collections.cgr.pull_through.plugins.module_utils._pull_module import CircuitBreakers, Params
from ansible_collections.cgr.pull_through.plugins.module_utils._pull_result import Result
from ansible_collections.cgr.pull_through.plugins.module_utils._rate_limit import Limits
from ansible_collections.cgr.pull_through.plugins.module_utils._registry import _options as _image_options
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._client import Registry
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._platforms import parse_platforms
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._puller import ImagePuller
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._report import ImageResultBuilder
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._result import Settings
from ansible_collections.cgr.pull_through.plugins.module_utils._trace import Trace

_COMMON: Params = {
    "from_upstream": "ignored",
    "upstream_username": None,
    "upstream_password": None,
    "other_images": None,
}
_PLATFORMS = ["linux/amd64"]
_THREADS = 4


class Puller:
    """Pulls what a source names, one source at a time, since the sources of a diagnosis can all be broken."""

    def __init__(self, module: AnsibleModule, transport: Transport) -> None:
        self._module = module
        self._transport = transport
        self._breakers = CircuitBreakers()
        self._limits = Limits()
        self._token_service_hosts = _image_options.parse_token_service_hosts(module.params)

    def pull_images(self, source: Params, images: t.Sequence[str], config: RepositoryConfig) -> list[Result]:
        """Return the result of each image."""
        params = {**self._module.params, **_COMMON, **_source_params(source), "images": images, "depth": "image"}
        job = _image_options.build_job({**params, "username": None, "password": None}, self._connect_registry)
        settings = Settings(platforms=parse_platforms(_PLATFORMS), threads=_THREADS)
        builder = ImageResultBuilder(job, lambda: config)
        return [builder.build(result) for result in ImagePuller(settings, limits=self._limits).pull([job])[0]]

    def pull_artifacts(
        self, source: Params, config: RepositoryConfig, read_trace: t.Callable[[str], Trace]
    ) -> list[Result]:
        """Return the result of each artifact, with the path in the cache of the file that was requested last.

        read_trace: returns what Artifactory reports about a path.
        """
        params = {**self._module.params, **_COMMON, **_source_params(source), "architectures": ["x86_64"]}
        params.update(package_type=source["package_type"], artifacts=source["artifacts"])
        job = _package_options.build_job(self._module, params, self._connect_repository)
        builder = ArtifactResultBuilder(job, lambda: config, read_trace)
        return [
            {**builder.build(result), "path": result.last_file.paths[0] if result.last_file else ""}
            for result in ArtifactPuller(_THREADS).pull([job])[0]
        ]

    def _connect_registry(self, url: str, credentials: Credentials) -> Registry:
        breaker = self._breakers.get(url, credentials)
        return Registry(
            url,
            credentials,
            transport=self._transport,
            breaker=breaker,
            limits=self._limits,
            token_service_hosts=self._token_service_hosts,
        )

    def _connect_repository(
        self, base_url: str, credentials: Credentials, *, repository_url: str = ""
    ) -> RepositoryClient:
        breaker = self._breakers.get(urlsplit(base_url).netloc, credentials)
        return RepositoryClient(
            base_url, credentials, transport=self._transport, repository_url=repository_url, breaker=breaker
        )


def _source_params(source: Params) -> Params:
    # The credentials of a private upstream are not known, so only a public upstream is compared.
    url = "" if source["pull_token"] else source["upstream_url"] or ""
    return {"repository": source["key"], "upstream_url": url if url and "{" not in url else None}
