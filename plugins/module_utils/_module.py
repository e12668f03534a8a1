# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a module: create its sessions, process its items and exit with its result. Private to the collection.

Only this file and _pull_artifactory.py depend on both Ansible and the sessions.
"""

from __future__ import annotations

import collections
import concurrent.futures
import os
import time
import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.cgr.pull_through.plugins.module_utils import _http
from ansible_collections.cgr.pull_through.plugins.module_utils._argspec import drop_empty_options
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._authentication import (
    credentials_of,
    parse_base_url,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._destinations import validate_destinations
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import (
    InputError,
    InternalError,
    PullThroughError,
    capture_failure,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._secrets import clean_secrets, validate_visible_results
from ansible_collections.cgr.pull_through.plugins.module_utils._text import (
    clean_result,
    forget_secrets,
    join_messages,
    remember_secret,
    shorten,
)

if t.TYPE_CHECKING:
    from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._auth import Sts
    from ansible_collections.cgr.pull_through.plugins.module_utils._client_cert import ClientCert
    from ansible_collections.cgr.pull_through.plugins.module_utils._json_api import ApiSession

Item = dict[str, t.Any]

# Artifactory serializes most writes, so more threads would only wait.
THREADS = 4
# The role sets it in the environment of its modules.
ROLE_VARIABLE = "PULL_THROUGH_ROLE"
# Results that are secrets, for the next task.
SECRET_RESULTS = frozenset({"password", "access_token"})


class PullThroughModule(AnsibleModule):  # type: ignore[misc]  # ansible-core has no types
    """A module that takes empty options for ones that are not set, where nothing else can be meant.

    If the role runs it, its messages name the variables of the role.
    """

    def _load_params(self) -> None:
        super()._load_params()
        drop_empty_options(self.argument_spec, self.params)

    def exit_json(self, **result: t.Any) -> None:
        super().exit_json(**self._name_variables(result))

    def fail_json(self, msg: str, **result: t.Any) -> None:
        named = self._name_variables({"msg": msg, **result})
        # Only now, since the names of variables are longer than those of options.
        super().fail_json(**{**named, "msg": shorten(named["msg"])})

    def warn(self, warning: str, **options: t.Any) -> None:
        super().warn(shorten(self._name_variables({"msg": warning})["msg"]), **options)

    def _name_variables(self, result: dict[str, t.Any]) -> t.Any:
        if not os.environ.get(ROLE_VARIABLE):
            return result
        # Imported here because it is needed only at the end of a module that the role runs.
        from ansible_collections.cgr.pull_through.plugins.module_utils._variable_names import name_variables

        kind = "virtual" if self._name.endswith("artifactory_virtual_repository") else "source"
        return name_variables(result, f"pull_through_{kind}_overrides")


def require_libraries(module: AnsibleModule, *more: tuple[str, str | None]) -> None:
    """End the module with an error if a library is missing. more: name and import error, or None, of each library."""
    for name, error in (("requests", _http.REQUESTS_MISSING), *more):
        if error is not None:
            module.fail_json(msg=missing_required_lib(name), exception=error)


def run(
    module: AnsibleModule,
    function: t.Callable[[AnsibleModule], dict[str, t.Any]],
    *,
    needs_visible_results: bool = True,
) -> None:
    """Call function and end the module with its result, or with the PullThroughError that it raised.

    needs_visible_results: whether other tasks compare texts of the result.
    """
    error: PullThroughError
    forget_secrets()
    try:
        clean_secrets(module)
        for secret in module.no_log_values:
            remember_secret(str(secret))
        if needs_visible_results:
            validate_visible_results(module)
        validate_destinations(module.params)
        result = function(module)
    except PullThroughError as exc:
        error = exc
    except Exception as exc:  # pylint: disable=broad-exception-caught
        error = InternalError(exc)
    else:
        module.exit_json(**clean_result(result, SECRET_RESULTS))
        return
    # Outside of the handlers, where Ansible would add the traceback.
    module.fail_json(msg=str(error), error=error.details())


def fail_with_result(module: AnsibleModule, **result: t.Any) -> None:
    """End the module with an error and with what it has done."""
    module.fail_json(**clean_result(result, SECRET_RESULTS))


def validate_unique(names: t.Sequence[str]) -> None:
    """Raise InputError if a list has items with the same name."""
    duplicates = sorted(name for name, count in collections.Counter(names).items() if count > 1)
    if duplicates:
        raise InputError(f"{', '.join(duplicates)} is in the list more than once.")


def read_items(module: AnsibleModule, list_option: str, id_option: str) -> list[Item]:
    """Return the items of the list option, or the options of the single form as the only item. Raises InputError."""
    items: list[Item] | None = module.params[list_option]
    if items is None:
        return [module.params]
    validate_unique([item[id_option] for item in items])
    return items


def process_items(items: t.Sequence[Item], id_option: str, function: t.Callable[[Item], Item]) -> list[Item]:
    """Call function for each item, several at a time, and return one result per item, in the same order."""

    def process(item: Item) -> Item:
        return {id_option: item[id_option], **capture_failure(lambda: function(item))}

    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(process, items))


def exit_bulk(
    module: AnsibleModule,
    list_option: str,
    results: t.Sequence[Item],
    names: t.Sequence[str],
    *,
    result_name: str = "",
    more: Item | None = None,
) -> Item:
    """Return the result of a module with a list form, or end the module with an error when an item failed.

    results: one per item, with "failed" as capture_failure sets it. names: what messages and diffs call the items.
    The single form returns the result of its only item. result_name: the name of the list of results, list_option by
    default. Never "results": Ansible takes that for the results of a loop, and does not apply no_log to it. more: other
    results of the list form.
    """
    if module.params[list_option] is None:
        if results[0]["failed"]:
            fail_with_result(module, **results[0])
        return results[0]
    diffs = [
        {"before_header": name, "after_header": name, **result["diff"]}
        for name, result in zip(names, results)
        if result.get("changed") and "diff" in result
    ]
    summary = {
        "changed": any(result.get("changed") for result in results),
        result_name or list_option: list(results),
        "diff": diffs,
        **(more or {}),
    }
    failures = [f"{name}: {result['msg']}" for name, result in zip(names, results) if result["failed"]]
    if failures:
        fail_with_result(module, msg=join_messages(failures), **summary)
    return summary


def make_transport(
    module: AnsibleModule, *artifactory_urls: str, max_run_seconds: float = float("inf"), with_ca_path: bool = True
) -> _http.Transport:
    """Return the transport that all sessions of this module share. Raises InputError.

    artifactory_urls: other URLs of Artifactory. The client certificate is sent only to these and to artifactory_url.
    max_run_seconds: from now on. No request is sent later, and those that are not finished end.
    with_ca_path: whether to trust the CA that ca_path names.
    """
    verify: bool | str = module.params["validate_certs"]
    if verify and with_ca_path and module.params["ca_path"]:
        verify = module.params["ca_path"]
    return _http.RequestsTransport(
        timeout=module.params["timeout"],
        verify=verify,
        client_cert=_client_cert(module, *artifactory_urls),
        end=time.monotonic() + max_run_seconds,
    )


def _client_cert(module: AnsibleModule, *artifactory_urls: str) -> ClientCert | None:
    params = module.params
    urls = [artifactory_base_url(module)] if params.get("artifactory_url") else []
    if not params.get("client_cert") and not params.get("client_key"):
        return None
    # Imported here because few users have a certificate.
    from ansible_collections.cgr.pull_through.plugins.module_utils._client_cert import load_client_cert

    return load_client_cert(params.get("client_cert"), params.get("client_key"), [*urls, *artifactory_urls])


def artifactory_base_url(module: AnsibleModule) -> str:
    """Return the base URL in artifactory_url, which can be the URL of a page of the UI. Raises InputError."""
    if not module.params["artifactory_url"]:
        raise InputError(
            "artifactory_url is missing.",
            hint="Set it to the base URL, such as https://myproject.jfrog.io, or set ARTIFACTORY_URL.",
        )
    return _http.validate_base_url(parse_base_url(module.params["artifactory_url"]), "artifactory_url")


def create_artifactory_session(
    module: AnsibleModule,
    transport: _http.Transport | None = None,
    *,
    sleep: t.Callable[[float], None] = time.sleep,
) -> ApiSession:
    """Return a session with Artifactory. Sends no requests; raises InputError if credentials are missing."""
    # Imported here because some modules do not need it, and imports delay the start of a module.
    from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._server import ArtifactoryService
    from ansible_collections.cgr.pull_through.plugins.module_utils._json_api import ApiSession

    credentials = credentials_of(module.params)
    return ApiSession(
        artifactory_base_url(module),
        ArtifactoryService(credentials),
        transport=transport or make_transport(module),
        authorization=lambda: credentials.authorization,
        sleep=sleep,
    )


def create_sts_client(module: AnsibleModule, transport: _http.Transport) -> Sts:
    """Return Chainguard's token service."""
    from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._auth import Sts

    return Sts(_http.validate_base_url(module.params["chainguard_issuer_url"], "chainguard_issuer_url"), transport)


def create_chainguard_session(module: AnsibleModule, sts: Sts, transport: _http.Transport) -> ApiSession:
    """Return a session with the Chainguard API. Sends no requests; raises InputError if credentials are missing."""
    from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._auth import (
        ApiAuthenticator,
        ChainguardService,
    )
    from ansible_collections.cgr.pull_through.plugins.module_utils._json_api import ApiSession

    params = module.params
    authenticator = ApiAuthenticator(
        sts,
        api_token=params["chainguard_api_token"],
        identity=params["chainguard_identity"],
        identity_token=params["chainguard_identity_token"],
        identity_token_file=params["chainguard_identity_token_file"],
        chainctl=module.get_bin_path(params["chainctl"]),
        run=module.run_command,
    )
    base_url = _http.validate_base_url(params["chainguard_api_url"], "chainguard_api_url")
    return ApiSession(base_url, ChainguardService(), transport=transport, authorization=authenticator.authorization)
