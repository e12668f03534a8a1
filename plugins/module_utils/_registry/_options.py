# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the options of registry_pull to settings, limits and jobs. Private to the collection."""

from __future__ import annotations

import typing as t
from urllib.parse import urlsplit

from ansible_collections.cgr.pull_through.plugins.module_utils._credentials import Credentials
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError
from ansible_collections.cgr.pull_through.plugins.module_utils._http import validate_base_url
from ansible_collections.cgr.pull_through.plugins.module_utils._pull_module import (
    Params,
    validate_from_upstream,
    validate_propagation_timeout,
    validate_threads,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._rate_limit import Limits
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._client import Registry
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._platforms import parse_platforms
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._reference import (
    Reference,
    parse_reference,
    validate_name,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._result import ImagePullJob, Settings

KEY_PLACEHOLDER = "{key}"

Connect = t.Callable[[str, Credentials], Registry]


def build_settings(params: Params) -> Settings:
    """Return what to pull of each image. Raises InputError."""
    if params["referrers"] and params["depth"] != "image":
        raise InputError(f"referrers cannot be used with depth={params['depth']}.", hint="Set depth to image.")
    timeout = validate_propagation_timeout(params["propagation_timeout"])
    return Settings(
        depth=params["depth"],
        platforms=parse_platforms(params["platforms"]),
        threads=validate_threads(params["threads"]),
        referrers=params["referrers"],
        canary=params["canary"],
        propagation_timeout=timeout if params["max_seconds"] is None else min(timeout, params["max_seconds"]),
    )


def build_limits(params: Params) -> Limits:
    """Return the limits of the run. Raises InputError."""
    limits = {name: params[name] for name in ("requests_per_second", "bytes_per_second", "max_bytes", "max_seconds")}
    for name, value in limits.items():
        if value is not None and value <= 0:
            raise InputError(f"{name} is {value:g}.", hint="Set it to more than 0, or omit it for no limit.")
    return Limits(**limits)


def parse_token_service_hosts(params: Params) -> frozenset[str]:
    """Return the hosts in lower case, each with an optional port.

    That of Artifactory is among them: with a sub-domain for each repository, its token service is on another host than the registry.
    """
    hosts = [*params["token_service_hosts"], urlsplit(params["artifactory_url"] or "").netloc]
    return frozenset(host.lower() for host in hosts if host)


def registry_url(params: Params) -> str:
    """Return the URL of the registry to pull from. Raises InputError."""
    if params["registry_url"]:
        url = params["registry_url"]
        if KEY_PLACEHOLDER in url and not params["repository"]:
            raise InputError(f"registry_url has {KEY_PLACEHOLDER}, but repository is missing.", hint="Set repository.")
        return _validate_registry_url(url.replace(KEY_PLACEHOLDER, params["repository"] or ""), "registry_url")
    if not params["artifactory_url"]:
        raise InputError("registry_url is missing.", hint="Set registry_url or artifactory_url.")
    return "/".join(validate_base_url(params["artifactory_url"], "artifactory_url").split("/")[:3])


def is_artifactory(params: Params, url: str) -> bool:
    """Return whether a registry belongs to Artifactory, so that it may get the credentials for Artifactory."""
    return bool(params["repository"]) or f"{params['artifactory_url']}/".startswith(f"{url}/")


def build_job(params: Params, connect: Connect) -> ImagePullJob:
    """Return the job for the options of one pull. Raises InputError."""
    validate_from_upstream(params)
    if params["from_upstream"] != "ignored" and params["depth"] == "resolve":
        raise InputError(
            f"from_upstream={params['from_upstream']} cannot be used with depth=resolve, which fetches no content.",
            hint="Set depth to manifest or image, or from_upstream to ignored.",
        )
    url = registry_url(params)
    registry, upstream = connect(url, _registry_credentials(params, url)), _connect_upstream(params, connect)
    hosts = [client.host for client in (registry, upstream) if client is not None]
    return ImagePullJob(
        client=registry,
        upstream=upstream,
        references=_parse_references(params["images"], hosts),
        other_references=[parse_reference(text, hosts=hosts) for text in params["other_images"] or ()],
        repository=validate_name(params["repository"], "The repository key") if params["repository"] else "",
        is_in_host=KEY_PLACEHOLDER in (params["registry_url"] or ""),
        from_upstream=params["from_upstream"],
    )


def _validate_registry_url(url: str, option: str) -> str:
    url = validate_base_url(url, option)
    # Container clients send all requests to /v2/.
    if url.count("/") > 2:
        raise InputError(f"{option} has a path: {url}.", hint="Write scheme, host and port only, as for docker login.")
    return url


def _registry_credentials(params: Params, url: str) -> Credentials:
    """Return the credentials for a registry. Those for Artifactory are only sent to Artifactory."""
    if params["username"]:
        return Credentials(params["username"], params["password"])
    if not is_artifactory(params, url):
        return Credentials()
    token, username = params["artifactory_access_token"], params["artifactory_username"]
    if username:
        return Credentials(username, token or params["artifactory_password"] or "")
    return Credentials(bearer=token or "")


def _connect_upstream(params: Params, connect: Connect) -> Registry | None:
    if not params["upstream_url"]:
        return None
    credentials = Credentials(params["upstream_username"] or "", params["upstream_password"] or "")
    return connect(_validate_registry_url(params["upstream_url"], "upstream_url"), credentials)


def _parse_references(images: t.Sequence[str], hosts: t.Collection[str]) -> list[Reference]:
    """Return the images without duplicates. Raises InputError."""
    if not images:
        raise InputError("images is empty.", hint="Add at least one image.")
    return [parse_reference(text, hosts=hosts) for text in dict.fromkeys(images)]
