# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write many repositories in few requests. Private to the collection.

Batch requests write the repositories if the server has this API, and one request reads them back.
"""

from __future__ import annotations

import concurrent.futures
import functools
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repositories import RepositoriesApi
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repository_plans import (
    send_plan,
    verify_applied,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._server import server_version
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._snapshot import RepositorySnapshot
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._stored_values import without_header_secrets
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import (
    PullThroughError,
    RequestError,
    capture_failure,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._plan import Config, Plan

MAX_BATCH_SIZE = 100
# Each write saves the whole configuration of the server, so more threads would only wait for each other.
THREADS = 4
_BATCH_SINCE = {"create": (7, 84, 3), "update": (7, 104, 2)}


class PlannedChange(t.NamedTuple):
    """The plan for one repository."""

    key: str
    plan: Plan


def apply_all(
    snapshot: RepositorySnapshot,
    keys: t.Sequence[str],
    plan: t.Callable[[str], tuple[Config, Plan]],
    *,
    check_mode: bool,
    in_order: bool = False,
) -> list[dict[str, t.Any]]:
    """Plan each repository, apply the plans outside of check mode, and return one result per key, in the same order.

    plan: returns the desired configuration of the repository with a key, empty if it must be absent, and its plan.
    in_order: see converge.
    """
    plans: dict[str, Plan] = {}

    def plan_item(key: str) -> dict[str, t.Any]:
        desired, plans[key] = plan(key)
        diff = {side: without_header_secrets(config) for side, config in plans[key].diff().items()}
        return {"changed": plans[key].changed, "repository": without_header_secrets(desired), "diff": diff}

    results = [{"key": key, **capture_failure(functools.partial(plan_item, key))} for key in keys]
    changes = [PlannedChange(*planned) for planned in plans.items()]
    errors = {} if check_mode else converge(snapshot, changes, in_order=in_order)
    for result in results:
        error = errors.get(result["key"])
        if error is not None:
            result.update(failed=True, msg=str(error), error=error.details())
    return results


def converge(
    snapshot: RepositorySnapshot, changes: t.Sequence[PlannedChange], *, in_order: bool = False
) -> dict[str, PullThroughError]:
    """Send the changes, read the repositories back once, and return the errors by key.

    in_order: send one change after the other, for repositories that depend on each other. By default, changes are sent
    in batch requests, and the remaining ones concurrently.
    """
    pending = [change for change in changes if change.plan.changed]
    if not pending:
        return {}
    api = snapshot.api
    errors: dict[str, PullThroughError] = {}
    remaining = pending if in_order or len(pending) == 1 else _send_batches(api, pending)

    def send(change: PlannedChange) -> None:
        try:
            send_plan(api, change.key, change.plan)
        except PullThroughError as exc:
            errors[change.key] = exc

    with concurrent.futures.ThreadPoolExecutor(1 if in_order else THREADS) as pool:
        list(pool.map(send, remaining))
    snapshot.refresh()
    for change in pending:
        if change.key not in errors and change.plan.action != "delete":
            try:
                verify_applied(change.key, change.plan, snapshot.get(change.key))
            except PullThroughError as exc:
                errors[change.key] = exc
    return errors


def _send_batches(api: RepositoriesApi, changes: list[PlannedChange]) -> list[PlannedChange]:
    """Send creations and updates in batch requests, and return the changes that must be sent one by one.

    The server applies a batch request completely or not at all. The changes of a failed one are returned, so that each
    repository gets its own error.
    """
    remaining = [change for change in changes if change.plan.action == "delete"]
    version: tuple[int, ...] | None = None
    for action, since in _BATCH_SINCE.items():
        of_action = [change for change in changes if change.plan.action == action]
        if len(of_action) < 2:
            remaining += of_action
            continue
        version = version or server_version(api.session)
        for start in range(0, len(of_action), MAX_BATCH_SIZE):
            chunk = of_action[start : start + MAX_BATCH_SIZE]
            if version < since or not _send_batch(api, action, chunk):
                remaining += chunk
    return remaining


def _send_batch(api: RepositoriesApi, action: str, changes: list[PlannedChange]) -> bool:
    """Send one batch request, and return whether it succeeded."""
    bodies = [{"key": change.key, **change.plan.payload} for change in changes]
    try:
        if action == "create":
            api.create_batch(bodies)
        else:
            api.update_batch(bodies)
    except RequestError:
        return False
    return True
