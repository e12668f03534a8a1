# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where credentials may be sent to. No I/O. Private to the collection.

Whoever sets variables need not be who sets the environment. Credentials of the environment are therefore bound to the
URLs of the environment, if it has any: another URL would get credentials that its owner was never given.
"""

from __future__ import annotations

import os
import re
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._argspec import DEFAULT_API_URL, DEFAULT_ISSUER_URL
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._authentication import parse_base_url
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError
from ansible_collections.cgr.pull_through.plugins.module_utils._origin import Origin, origin_of

_HOST = re.compile(r"[\w.-]+(?::\d{1,5})?|\[[0-9A-Fa-f:.]+\](?::\d{1,5})?")

Params = t.Mapping[str, t.Any]

URL_OPTIONS = (
    "artifactory_url",
    "registry_url",
    "upstream_url",
    "chainguard_api_url",
    "chainguard_issuer_url",
    "chainguard_libraries_url",
)


def validate_destinations(params: Params) -> None:
    """Raise InputError if a URL must not receive the credentials in the options of a module, or uses plain http."""
    for error in destination_errors(params):
        raise error


def destination_errors(params: Params) -> t.Iterator[InputError]:
    """Yield an error for each URL in the options of a module that must not receive the credentials, or that uses plain http.

    Also for each other host that is to receive them and is not a host.
    """
    for host in params.get("token_service_hosts") or ():
        if not _HOST.fullmatch(host):
            message = f"token_service_hosts has {host!r}, which is not a host."
            yield InputError(message, hint="Write it as host or host:port.")
    for item in (params, *(params.get("pulls") or ())):
        for option in URL_OPTIONS:
            if item.get(option):
                yield from _scheme_errors(item[option], option, bool(params.get("allow_plain_http")))
    yield from _url_errors(params, "artifactory_url", "ARTIFACTORY_URL", "", _artifactory_variables(params))
    variables = chainguard_variables(params)
    # The issuer gets the OIDC token, and the API the token that the issuer returns.
    if _environment("CHAINGUARD_API_URL") or _environment("CHAINGUARD_ISSUER_URL"):
        yield from _url_errors(params, "chainguard_api_url", "CHAINGUARD_API_URL", DEFAULT_API_URL, variables)
        yield from _url_errors(params, "chainguard_issuer_url", "CHAINGUARD_ISSUER_URL", DEFAULT_ISSUER_URL, variables)


def validate_registry(params: Params, url: str) -> None:
    """Raise InputError if Artifactory's registry is on another server than the environment allows for its credentials."""
    variables, bound = _artifactory_variables(params), _environment("ARTIFACTORY_URL")
    allowed = [origin_of(other) for other in (bound, _environment("REGISTRY_URL")) if other]
    if variables and bound and origin_of(url) not in allowed:
        raise InputError(
            f"registry_url is {_redact(url)}, but ARTIFACTORY_URL in the environment is {_redact(bound)}, and so "
            f"{' and '.join(variables)} from the environment is not sent there.",
            hint="Set REGISTRY_URL in the environment too, or set the credentials in the same place as the URL.",
        )


def _url_errors(
    params: Params, option: str, url_variable: str, default: str, variables: list[str]
) -> t.Iterator[InputError]:
    """Yield an error if a URL is not the one of the environment. variables: credentials of the environment in use."""
    url, bound = params.get(option), _environment(url_variable) or default
    if variables and url and bound and _server(url) != _server(bound):
        yield InputError(
            f"{option} is {_redact(url)}, but {url_variable} in the environment is {_redact(bound)}, and so "
            f"{' and '.join(variables)} from the environment is not sent there.",
            hint=f"Remove {option}, or set the credentials in the same place as the URL.",
        )


def _artifactory_variables(params: Params) -> list[str]:
    """Return the environment variables whose credentials for Artifactory are in use."""
    name = "access_token" if params.get("artifactory_access_token") else "password"
    options = {f"artifactory_{name}": f"ARTIFACTORY_{name.upper()}", "client_cert": "ARTIFACTORY_CLIENT_CERT"}
    return _from_environment(params, options)


def chainguard_variables(params: Params) -> list[str]:
    """Return the environment variables whose credentials for Chainguard are in use. chainctl is a part of the environment."""
    if params.get("chainguard_api_token"):
        return _from_environment(params, {"chainguard_api_token": "CHAINGUARD_API_TOKEN"})
    if not params.get("chainguard_identity"):
        return ["the token of chainctl"]
    name = "identity_token" if params.get("chainguard_identity_token") else "identity_token_file"
    return _from_environment(params, {f"chainguard_{name}": f"CHAINGUARD_{name.upper()}"})


def _from_environment(params: Params, options: t.Mapping[str, str]) -> list[str]:
    """Return the variables whose value an option has. A role passes the values of the environment on as options."""
    return [
        variable
        for option, variable in options.items()
        if params.get(option) and _is_same(option, params[option].strip(), _environment(variable))
    ]


def _is_same(option: str, value: str, other: str) -> bool:
    """Return whether two values of an option are the same; those of a file can be spelled in several ways."""
    if not option.endswith(("_file", "_cert")):
        return value == other
    return bool(other) and _full_path(value) == _full_path(other)


def _full_path(path: str) -> str:
    return os.path.realpath(os.path.expanduser(os.path.expandvars(path)))


def _redact(url: str) -> str:
    # Imported here because filters import this file, and need no HTTP client.
    from ansible_collections.cgr.pull_through.plugins.module_utils._http import redact_url

    return redact_url(url)


def _environment(name: str) -> str:
    return os.environ.get(name, "").strip()


def _server(url: str) -> tuple[Origin | None, str]:
    base_url = parse_base_url(url)
    return origin_of(base_url), base_url.partition("://")[2].partition("/")[2].strip("/")


def _scheme_errors(url: str, option: str, allow_plain_http: bool) -> t.Iterator[InputError]:
    origin = origin_of(url)
    if origin and origin.scheme == "http" and not origin.is_loopback and not allow_plain_http:
        yield InputError(
            f"{option} uses plain http: {_redact(url)}. Everyone on the way could read credentials and change content.",
            hint="Use https, or set allow_plain_http to true.",
        )
