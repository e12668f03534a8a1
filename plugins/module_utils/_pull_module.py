# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules that pull share: options, the list form, and results. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cgr.pull_through.plugins.module_utils._argspec import (
    ARTIFACTORY_SPEC,
    HTTP_SPEC,
    Spec,
    bulk_argument_spec,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._circuit_breaker import CircuitBreaker
from ansible_collections.cgr.pull_through.plugins.module_utils._credentials import Credentials
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError
from ansible_collections.cgr.pull_through.plugins.module_utils._module import fail_with_result
from ansible_collections.cgr.pull_through.plugins.module_utils._pull_engine import PullJob, PullResult
from ansible_collections.cgr.pull_through.plugins.module_utils._pull_result import Result, failure_message
from ansible_collections.cgr.pull_through.plugins.module_utils._text import join_messages

_MAX_THREADS = 32

Params = dict[str, t.Any]
JobT = t.TypeVar("JobT", bound=PullJob[t.Any])

# How a pull is verified.
VERIFICATION_SPEC: Spec = {
    "repository": {"type": "str"},
    "from_upstream": {"type": "str", "choices": ["ignored", "preferred", "required"], "default": "ignored"},
    "upstream_url": {"type": "str"},
    "upstream_username": {"type": "str"},
    "upstream_password": {"type": "str", "no_log": True},
}


def pull_arguments(
    spec: Spec, content_option: str, *, common: Spec, together: t.Sequence[tuple[str, str]] = ()
) -> Params:
    """Return the arguments of AnsibleModule for a module that pulls.

    spec: the options of an item of pulls, and of the single form. content_option: the option with what to pull.
    common: options of the whole run; one that is in spec too is the default of the items. together: options of spec
    that require each other.
    """
    arguments = bulk_argument_spec(
        spec,
        "pulls",
        content_option,
        common={**common, "propagation_timeout": {"type": "int", "default": 0}},
        required_together=[("upstream_username", "upstream_password"), *together],
        required_by={"upstream_username": ["upstream_url"]},
    )
    options = arguments["argument_spec"]
    options["pulls"]["options"]["name"] = {"type": "str"}
    options.update(**ARTIFACTORY_SPEC, **HTTP_SPEC)
    return {**arguments, "supports_check_mode": True}


def read_pulls(module: AnsibleModule) -> list[Params]:
    """Return the options of each pull. An option that an item does not set has the value of the module's option.

    The options of the single form are the only item.
    """
    items = module.params["pulls"]
    if items is None:
        return [module.params]
    if not items:
        raise InputError("pulls is empty.", hint="Add at least one item.")
    return [_with_defaults(item, module.params) for item in items]


def _with_defaults(item: Params, defaults: Params) -> Params:
    own = {name: value for name, value in item.items() if value is not None}
    if "registry_url" in own:
        # The module's credentials are for the module's registry.
        defaults = {**defaults, "username": None, "password": None}
    return {**defaults, **own}


def build_jobs(module: AnsibleModule, build_job: t.Callable[[Params], JobT]) -> list[tuple[Params, JobT]]:
    """Return the options and the job of each pull. An InputError names the item that it is about."""
    jobs = []
    for number, params in enumerate(read_pulls(module)):
        try:
            jobs.append((params, build_job(params)))
        except InputError as exc:
            if module.params["pulls"] is None:
                raise
            label = params.get("name") or params["repository"]
            item = f"pulls[{number}]" + (f" ({label})" if label else "")
            raise InputError(f"{item}: {exc.message}", hint=exc.hint) from exc
    return jobs


def job_result(
    what: str, job: PullJob[t.Any], pulled: t.Sequence[PullResult[t.Any]], results: list[Result], summary: list[str]
) -> Result:
    """Return what a module returns for one job. what: plural noun for the results. pulled: empty if nothing was sent."""
    stats = [client.stats for client in (job.client, job.upstream) if client is not None]
    seconds = max(result.finished for result in pulled) - min(result.started for result in pulled) if pulled else 0
    totals = {
        what: len(results),
        "failed": sum(result["ok"] is False for result in results),
        "skipped": sum(result["status"] == "skipped" for result in results),
        "bytes": sum(counter.bytes for counter in stats),
        "requests": sum(counter.requests for counter in stats),
        "seconds": round(seconds, 3),
    }
    failed = {"failed": True, "msg": failure_message(results, what, "reference")} if totals["failed"] else {}
    return {what: results, "summary": summary, "totals": totals, "failed": False, **failed}


def exit_with_results(module: AnsibleModule, job_results: list[Result], seconds: float, **more: t.Any) -> Result:
    """Return the result of the module, or end the module with an error if a job failed.

    job_results: from job_result(), in order. more: other return values.
    """
    messages = [result["msg"] for result in job_results if result["failed"]]
    if module.params["pulls"] is None:
        returned = {name: value for name, value in job_results[0].items() if name not in ("failed", "msg")}
    else:
        labels = [{"name": item["name"], "repository": item["repository"]} for item in module.params["pulls"]]
        totals = {name: sum(result["totals"][name] for result in job_results) for name in job_results[0]["totals"]}
        returned = {
            "pulls": [{**label, **result} for label, result in zip(labels, job_results)],
            "totals": {**totals, "seconds": round(seconds, 3)},
        }
    if messages:
        fail_with_result(module, msg=join_messages(messages), **returned, **more)
    return {"changed": False, **returned, **more}


def validate_threads(threads: int) -> int:
    """Return the number of threads. Raises InputError."""
    if not 1 <= threads <= _MAX_THREADS:
        raise InputError(f"threads is {threads}.", hint=f"Set it to a number from 1 to {_MAX_THREADS}.")
    return threads


def validate_propagation_timeout(seconds: int) -> int:
    """Return the propagation timeout. Raises InputError."""
    if seconds < 0:
        raise InputError(f"propagation_timeout is {seconds}.", hint="Set it to a number of seconds, or to 0.")
    return seconds


def has_artifactory_credentials(params: Params) -> bool:
    """Return whether the options have an Artifactory with credentials, and a repository in it."""
    has_password = params["artifactory_username"] and params["artifactory_password"]
    has_credentials = params["artifactory_access_token"] or has_password
    return bool(params["artifactory_url"] and params["repository"] and has_credentials)


def validate_from_upstream(params: Params) -> None:
    """Raise InputError if from_upstream is required, but the cache cannot be read."""
    if params["from_upstream"] == "required" and not has_artifactory_credentials(params):
        raise InputError(
            "from_upstream=required needs Artifactory, because the cache of the repository is read.",
            hint="Set artifactory_url, the credentials for it, and repository, or set from_upstream to ignored.",
        )


class CircuitBreakers:
    """One circuit breaker for each server and credentials."""

    def __init__(self) -> None:
        self._breakers: dict[tuple[str, Credentials], CircuitBreaker] = {}

    def get(self, server: str, credentials: Credentials) -> CircuitBreaker:
        return self._breakers.setdefault((server, credentials), CircuitBreaker(credentials))
