# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the options of artifact_pull to jobs. Private to the collection."""

from __future__ import annotations

import itertools
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repository_spec import (
    MAX_KEY_LENGTH,
    validate_key,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._credentials import Credentials
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError
from ansible_collections.cgr.pull_through.plugins.module_utils._http import validate_base_url
from ansible_collections.cgr.pull_through.plugins.module_utils._module import artifactory_base_url
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._ecosystems import get_ecosystem
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._model import ArtifactSpec
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._repository_client import RepositoryClient
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._result import ArtifactPullJob
from ansible_collections.cgr.pull_through.plugins.module_utils._pull_module import Params, validate_from_upstream


class Connect(t.Protocol):
    """Creates a client for a package repository. Parameters: see RepositoryClient."""

    def __call__(self, base_url: str, credentials: Credentials, *, repository_url: str = "") -> RepositoryClient:
        """Return the client."""


def build_job(module: AnsibleModule, params: Params, connect: Connect) -> ArtifactPullJob:
    """Return the job for the options of one pull. Raises InputError."""
    validate_from_upstream(params)
    artifacts = _parse_artifacts(params)
    client, upstream = _connect_clients(module, params, connect)
    return ArtifactPullJob(
        client=client,
        upstream=upstream,
        package_type=params["package_type"],
        ecosystem=get_ecosystem(params["package_type"]),
        artifacts=artifacts,
        repository=params["repository"] or "",
        from_upstream=params["from_upstream"],
    )


def _parse_artifacts(params: Params) -> list[ArtifactSpec]:
    """Return the artifacts without duplicates. Raises InputError."""
    ecosystem = get_ecosystem(params["package_type"])
    if not params["artifacts"]:
        raise InputError("artifacts is empty.", hint="Add at least one artifact.")
    architectures = params["architectures"] if params["package_type"] == "alpine" else [""]
    if not architectures:
        raise InputError("architectures is empty.", hint="Add at least one architecture, such as x86_64.")
    pairs = itertools.product(dict.fromkeys(params["artifacts"]), dict.fromkeys(architectures))
    return [ecosystem.parse(text, architecture) for text, architecture in pairs]


def _connect_clients(
    module: AnsibleModule, params: Params, connect: Connect
) -> tuple[RepositoryClient, RepositoryClient | None]:
    """Return the client to pull with, and the client for the upstream to compare with, if any. Raises InputError."""
    upstream = _connect_upstream(params, connect)
    if params["repository"]:
        return _connect_repository(module, params, connect), upstream
    if upstream is None:
        raise InputError(
            "repository and upstream_url are missing.",
            hint="Set repository, or upstream_url to pull without Artifactory.",
        )
    return upstream, None


def _connect_repository(module: AnsibleModule, params: Params, connect: Connect) -> RepositoryClient:
    ecosystem = get_ecosystem(params["package_type"])
    key = validate_key(params["repository"], max_length=MAX_KEY_LENGTH)
    repository_url = ecosystem.repository_url(artifactory_base_url(module), key)
    return connect(ecosystem.base_url(repository_url), _artifactory_credentials(params), repository_url=repository_url)


def _artifactory_credentials(params: Params) -> Credentials:
    if params["artifactory_access_token"]:
        return Credentials(bearer=params["artifactory_access_token"])
    return Credentials(params["artifactory_username"] or "", params["artifactory_password"] or "")


def _connect_upstream(params: Params, connect: Connect) -> RepositoryClient | None:
    if not params["upstream_url"]:
        return None
    credentials = Credentials(params["upstream_username"] or "", params["upstream_password"] or "")
    return connect(validate_base_url(params["upstream_url"], "upstream_url"), credentials)
