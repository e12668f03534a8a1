# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules that pull share: one or several repositories, and the side evidence. Private to the collection.

Beside _argspec.py, the only place that knows both Ansible and the sessions.
"""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._cache import CacheApi
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repositories import RepositoriesApi
from ansible_collections.cgr.pull_through.plugins.module_utils._cache_probe import CacheProbe
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis import (
    RepositoryConfig,
    Result,
    failure_message,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError, PullThroughError
from ansible_collections.cgr.pull_through.plugins.module_utils._http import Transport
from ansible_collections.cgr.pull_through.plugins.module_utils._module import create_artifactory_session
from ansible_collections.cgr.pull_through.plugins.module_utils._transfer_stats import TransferStats

_MAX_THREADS = 32

Opened = t.TypeVar("Opened")
Params = dict[str, t.Any]

# How one repository is proved, in each module that pulls.
PROOF_SPEC: dict[str, dict[str, t.Any]] = {
    "repository": {"type": "str"},
    "from_upstream": {"type": "str", "choices": ["ignored", "preferred", "required"], "default": "ignored"},
    "evict": {"type": "bool", "default": False},
    "upstream_url": {"type": "str"},
    "upstream_username": {"type": "str"},
    "upstream_password": {"type": "str", "no_log": True},
}
# Of the whole run, in each module that pulls.
RUN_SPEC: dict[str, dict[str, t.Any]] = {"propagation_timeout": {"type": "int", "default": 0}}
REQUIRED_TOGETHER = [("upstream_username", "upstream_password")]
REQUIRED_BY = {"upstream_username": ["upstream_url"]}


def pulls_option(
    options: dict[str, dict[str, t.Any]], *, required: t.Collection[str], together: t.Sequence[tuple[str, ...]] = ()
) -> dict[str, t.Any]:
    """Return the list option, whose items take these options and a name. together: those that need each other."""
    each = {name: {**option, **({"required": True} if name in required else {})} for name, option in options.items()}
    return {
        "type": "list",
        "elements": "dict",
        "options": {"name": {"type": "str"}, **each},
        "required_together": [*REQUIRED_TOGETHER, *together],
        "required_by": REQUIRED_BY,
    }


def item_params(params: Params, item: Params) -> Params:
    """Return the options of one item of the list: its own, and where it has none, those of the module."""
    return {**params, **{name: value for name, value in item.items() if value is not None}}


def build_jobs(module: AnsibleModule, opened: t.Callable[[Params], Opened]) -> list[Opened]:
    """Return what opened returns for the options of each repository. Its InputError tells which one it is about."""
    pulls = module.params["pulls"]
    if pulls is None:
        return [opened(module.params)]
    if not pulls:
        raise InputError("pulls is empty.", hint="Name at least one repository: pulling nothing proves nothing.")
    found = []
    for number, pull in enumerate(pulls):
        try:
            found.append(opened(item_params(module.params, pull)))
        except InputError as exc:
            label = pull["name"] or pull["repository"]
            where = f"pulls[{number}]" + (f" ({label})" if label else "")
            raise InputError(f"{where}: {exc.message}", hint=exc.hint) from exc
    return found


def repository_result(
    what: str, results: list[Result], summary: list[str], counters: t.Iterable[TransferStats], seconds: float
) -> Result:
    """Return what a module returns for one repository. what: the things that were pulled, in the plural."""
    counters = list(counters)
    totals = {
        what: len(results),
        "failed": sum(result["ok"] is False for result in results),
        "skipped": sum(result["status"] == "skipped" for result in results),
        "bytes": sum(counter.bytes for counter in counters),
        "requests": sum(counter.requests for counter in counters),
        "seconds": round(seconds, 3),
    }
    failed = {"failed": True, "msg": failure_message(results, what, "reference")} if totals["failed"] else {}
    return {what: results, "summary": summary, "totals": totals, "failed": False, **failed}


def exit_with_results(module: AnsibleModule, parts: list[Result], seconds: float, **more: t.Any) -> Result:
    """Return the module's result, or end the module when a part failed.

    parts: as part() returns them, in order. more: what the module returns besides.
    """
    messages = [one["msg"] for one in parts if one["failed"]]
    if module.params["pulls"] is None:
        result = {name: value for name, value in parts[0].items() if name not in ("failed", "msg")}
    else:
        names = [{"name": pull["name"], "repository": pull["repository"]} for pull in module.params["pulls"]]
        totals = {name: sum(one["totals"][name] for one in parts) for name in parts[0]["totals"]}
        result = {
            "pulls": [{**name, **one} for name, one in zip(names, parts)],
            "totals": {**totals, "seconds": round(seconds, 3)},
        }
    if messages:
        module.fail_json(msg="\n".join(messages), **result, **more)
    return {"changed": False, **result, **more}


def validate_threads(threads: int) -> int:
    """Return how many requests may be under way at the same time, or raise InputError."""
    if not 1 <= threads <= _MAX_THREADS:
        raise InputError(f"threads is {threads}.", hint=f"Set it to a number from 1 to {_MAX_THREADS}.")
    return threads


def validate_propagation_timeout(seconds: int) -> int:
    """Return how long a denied direct pull is retried, or raise InputError."""
    if seconds < 0:
        raise InputError(f"propagation_timeout is {seconds}.", hint="Set it to seconds, or to 0 for no retry.")
    return seconds


def has_artifactory_login(params: dict[str, t.Any]) -> bool:
    """Return whether the options hold an Artifactory with a login, and a repository in it."""
    login = params["artifactory_access_token"] or (params["artifactory_username"] and params["artifactory_password"])
    return bool(params["artifactory_url"] and params["repository"] and login)


def validate_from_upstream(params: dict[str, t.Any]) -> None:
    """Raise InputError when freshness is required of a cache that nobody can look into."""
    if params["from_upstream"] == "required" and not has_artifactory_login(params):
        raise InputError(
            "from_upstream=required cannot be shown without Artifactory: it takes a look into the repository's cache.",
            hint="Set artifactory_url, its login and repository, or fresh to ignored.",
        )


class RepositoryConfigCache:
    """What Artifactory tells of the repositories of one run: where several are looked at, all in one request if it can.

    No error of this may hide the one that is being explained. Not for several threads at the same time.
    """

    def __init__(self, module: AnsibleModule, transport: Transport) -> None:
        self._module = module
        self._transport = transport
        self._several = len(module.params["pulls"] or ()) > 1
        self._every: dict[str, t.Any] | None = None
        self._known: dict[str, RepositoryConfig] = {}

    def of(self, params: Params) -> RepositoryConfig:
        """Return what is known of the repository in the options."""
        if not has_artifactory_login(params):
            return RepositoryConfig()
        key = params["repository"]
        if key not in self._known:
            self._known[key] = self._read(key)
        return self._known[key]

    def _read(self, key: str) -> RepositoryConfig:
        api = RepositoriesApi(create_artifactory_session(self._module, self._transport))
        if self._several and self._every is None:
            try:
                self._every = api.list_proxied() or {}
            except PullThroughError:
                self._every = {}  # not for this login, which may see some of each
        try:
            found = (self._every or {}).get(key) or api.get(key)
        except PullThroughError:
            return RepositoryConfig("unreadable")
        return RepositoryConfig("missing") if found is None else RepositoryConfig("read", found)


def create_cache_probe(
    module: AnsibleModule, transport: Transport, params: Params, configurations: RepositoryConfigCache
) -> CacheProbe | None:
    """Return who looks into the repository's cache, if that is asked for and possible.

    Only a remote repository has a cache under its own name.
    """
    if params["from_upstream"] == "ignored" or not has_artifactory_login(params):
        return None
    key, rclass = params["repository"], configurations.of(params).settings.get("rclass")
    unable = "" if rclass == "remote" else f"{key} is no remote repository that this login may see, so it has no cache."
    return CacheProbe(CacheApi(create_artifactory_session(module, transport)), key, unable=unable)
