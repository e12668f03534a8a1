# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules that pull share: the side evidence from Artifactory. Private to the collection.

Beside _argspec.py, the only place that knows both Ansible and the sessions.
"""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cgr.pull_through.plugins.module_utils._argspec import open_artifactory
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._cache import CacheApi
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repositories import RepositoriesApi
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis import Configuration
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError, PullThroughError
from ansible_collections.cgr.pull_through.plugins.module_utils._fresh import Witness
from ansible_collections.cgr.pull_through.plugins.module_utils._http import Transport

_MOST_THREADS = 32


def checked_threads(threads: int) -> int:
    """Return how many requests may be under way at the same time, or raise InputError."""
    if not 1 <= threads <= _MOST_THREADS:
        raise InputError(f"threads is {threads}.", hint=f"Set it to a number from 1 to {_MOST_THREADS}.")
    return threads


def knows_artifactory(params: dict[str, t.Any]) -> bool:
    """Return whether the options hold an Artifactory with a login, and a repository in it."""
    login = params["artifactory_access_token"] or (params["artifactory_username"] and params["artifactory_password"])
    return bool(params["artifactory_url"] and params["repository"] and login)


def refuse_blind_proof(params: dict[str, t.Any]) -> None:
    """Raise InputError when freshness is required of a cache that nobody can look into."""
    if params["fresh"] == "required" and not knows_artifactory(params):
        raise InputError(
            "fresh=required cannot be shown without Artifactory: it takes a look into the repository's cache.",
            hint="Set artifactory_url, its login and repository, or fresh to ignored.",
        )


def read_configuration(module: AnsibleModule, transport: Transport) -> Configuration:
    """Return what Artifactory tells of the repository. No error of this may hide the one that is being explained."""
    if not knows_artifactory(module.params):
        return Configuration()
    try:
        found = RepositoriesApi(open_artifactory(module, transport)).get(module.params["repository"])
    except PullThroughError:
        return Configuration("unreadable")
    return Configuration("missing") if found is None else Configuration("known", found)


def open_witness(
    module: AnsibleModule, transport: Transport, configuration: t.Callable[[], Configuration]
) -> Witness | None:
    """Return who looks into the cache, if that is asked for and possible.

    Only a remote repository has a cache under its own name. configuration is called only when it matters.
    """
    if module.params["fresh"] == "ignored" or not knows_artifactory(module.params):
        return None
    key, rclass = module.params["repository"], configuration().settings.get("rclass")
    unable = "" if rclass == "remote" else f"{key} is no remote repository that this login may see, so it has no cache."
    return Witness(CacheApi(open_artifactory(module, transport)), key, unable=unable)
