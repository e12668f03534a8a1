# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a module: its sessions, its transport, its result. Private to the collection.

With _pull_module.py, the only place that knows both Ansible and the sessions.
"""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.cgr.pull_through.plugins.module_utils import _http
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repositories import ArtifactoryService
from ansible_collections.cgr.pull_through.plugins.module_utils._client_cert import ClientCert, load_client_cert
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError, PullThroughError

if t.TYPE_CHECKING:
    from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._auth import Sts


def require_libraries(module: AnsibleModule, *more: tuple[str, str | None]) -> None:
    """End the module with the usual message when a library is missing. more: (name, the import's error or None)."""
    for name, error in (("requests", _http.REQUESTS_MISSING), *more):
        if error is not None:
            module.fail_json(msg=missing_required_lib(name), exception=error)


def run(module: AnsibleModule, function: t.Callable[[AnsibleModule], dict[str, t.Any]]) -> None:
    """Call function and end the module with its result, or with the error that it raised."""
    try:
        result = function(module)
    except PullThroughError as exc:
        module.fail_json(msg=str(exc), error=exc.details())
    module.exit_json(**result)


def exit_bulk(
    module: AnsibleModule, form: str, results: list[dict[str, t.Any]], names: t.Sequence[str]
) -> dict[str, t.Any]:
    """Return the result of a list form, or end the module when something in it failed. names: what to call each.

    The results are named as the form is. Never "results": Ansible takes that for a loop, and hides nothing in it under no_log.
    """
    diffs = [
        {"before_header": name, "after_header": name, **result["diff"]}
        for name, result in zip(names, results)
        if result.get("changed") and "diff" in result
    ]
    told = {"changed": any(result.get("changed") for result in results), form: results, "diff": diffs}
    failures = [f"{name}: {result['msg']}" for name, result in zip(names, results) if result["failed"]]
    if failures:
        module.fail_json(msg="\n".join(failures), **told)
    return told


def make_transport(module: AnsibleModule, *artifactory_urls: str) -> _http.Transport:
    """Return the transport that all sessions of this module share. Raises InputError.

    artifactory_urls: where Artifactory is besides artifactory_url. Only there the client certificate is shown.
    """
    verify: bool | str = module.params["validate_certs"]
    if verify and module.params["ca_path"]:
        verify = module.params["ca_path"]
    return _http.RequestsTransport(
        timeout=module.params["timeout"], verify=verify, client_cert=_client_cert(module, *artifactory_urls)
    )


def _client_cert(module: AnsibleModule, *artifactory_urls: str) -> ClientCert | None:
    params = module.params
    urls = [artifactory_base_url(module)] if params.get("artifactory_url") else []
    return load_client_cert(params.get("client_cert"), params.get("client_key"), [*urls, *artifactory_urls])


def artifactory_base_url(module: AnsibleModule) -> str:
    """Return artifactory_url as scheme, host and port; users also paste it with /artifactory behind."""
    if not module.params["artifactory_url"]:
        raise InputError(
            "artifactory_url is missing.",
            hint="Set it to the base URL, such as https://myproject.jfrog.io, or set ARTIFACTORY_URL.",
        )
    return _http.validate_base_url(module.params["artifactory_url"], "artifactory_url").removesuffix("/artifactory")


def create_artifactory_session(module: AnsibleModule, transport: _http.Transport | None = None) -> _http.ApiSession:
    """Return a session with Artifactory. Sends nothing yet."""
    params = module.params
    if params["artifactory_access_token"]:
        authorization = f"Bearer {params['artifactory_access_token']}"
    elif params["artifactory_username"] and params["artifactory_password"]:
        authorization = _http.basic_authorization(params["artifactory_username"], params["artifactory_password"])
    else:
        raise InputError(
            "There is no login for Artifactory.",
            hint="Set artifactory_access_token (or ARTIFACTORY_ACCESS_TOKEN), or artifactory_username and artifactory_password.",
        )
    return _http.ApiSession(
        artifactory_base_url(module),
        ArtifactoryService(),
        transport=transport or make_transport(module),
        authorization=lambda: authorization,
    )


def create_sts_client(module: AnsibleModule, transport: _http.Transport) -> Sts:
    """Return Chainguard's token service."""
    # Here and not above: most modules never need it, and each start of a module reads all that it imports.
    from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._auth import Sts

    return Sts(_http.validate_base_url(module.params["chainguard_issuer_url"], "chainguard_issuer_url"), transport)


def create_chainguard_session(module: AnsibleModule, sts: Sts, transport: _http.Transport) -> _http.ApiSession:
    """Return a session with the Chainguard API. Sends nothing yet; raises InputError when there is no way to log in."""
    from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._auth import (
        ApiAuthenticator,
        ChainguardService,
    )

    params = module.params
    login = ApiAuthenticator(
        sts,
        api_token=params["chainguard_api_token"],
        identity=params["chainguard_identity"],
        identity_token=params["chainguard_identity_token"],
        identity_token_file=params["chainguard_identity_token_file"],
        chainctl=module.get_bin_path(params["chainctl"]),
        run=module.run_command,
    )
    base_url = _http.validate_base_url(params["chainguard_api_url"], "chainguard_api_url")
    return _http.ApiSession(base_url, ChainguardService(), transport=transport, authorization=login.authorization)
