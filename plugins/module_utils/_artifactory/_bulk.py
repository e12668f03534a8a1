# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many repositories in few requests: one reading, batches where the server has them, one reading back. Private to the collection."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repositories import RepositoriesApi
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repository_plans import (
    send_plan,
    verify_applied,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import (
    PullThroughError,
    RequestError,
    capture_failure,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._json_api import ApiSession
from ansible_collections.cgr.pull_through.plugins.module_utils._plan import Config, Plan

BATCH = 100
# Each write saves the whole configuration of the server, so more at once only wait for each other.
THREADS = 4
_BATCH_SINCE = {"create": (7, 84, 3), "update": (7, 104, 2)}


class RepositorySnapshot(RepositoriesApi):
    """All repositories as they were at one time. One request from 7.61.3 on, else one for each that is asked for."""

    def __init__(self, session: ApiSession) -> None:
        super().__init__(session)
        self._every: dict[str, Config] | None = None
        self._read = self._is_admin = False

    def get(self, key: str) -> Config | None:
        if not self._read:
            every = self.configurations()
            self._every = None if every is None else {str(one["key"]): one for one in every}
            self._read = True
        return super().get(key) if self._every is None else self._every.get(key)

    def resolve_members(self, keys: t.Iterable[str]) -> dict[str, Config]:
        return self.walk(keys, self.get)

    def require_admin(self) -> None:
        if not self._is_admin:
            super().require_admin()
            self._is_admin = True

    def refresh(self) -> None:
        self._read = False


@dataclasses.dataclass(frozen=True)
class PlannedChange:
    """What is planned for one repository."""

    key: str
    plan: Plan


def repositories_api(session: ApiSession, *, bulk: bool) -> RepositoriesApi:
    """Return the API; in bulk, the one that reads all repositories at once."""
    return RepositorySnapshot(session) if bulk else RepositoriesApi(session)


def apply_all(
    api: RepositoriesApi,
    keys: t.Sequence[str],
    plan: t.Callable[[str], tuple[Config, Plan]],
    *,
    check_mode: bool,
    in_order: bool = False,
) -> list[dict[str, t.Any]]:
    """Plan each item, apply the plans outside of check mode, and return one result per item, in the same order.

    plan: returns the desired configuration of the repository with a key, empty when it must be absent, and the plan.
    in_order: see converge.
    """
    plans: dict[str, Plan] = {}

    def plan_item(key: str) -> dict[str, t.Any]:
        desired, plans[key] = plan(key)
        return {"changed": plans[key].changed, "repository": desired, "diff": plans[key].diff()}

    results = [{"key": key, **capture_failure(lambda: plan_item(key))} for key in keys]
    changes = [PlannedChange(*planned) for planned in plans.items()]
    errors = {} if check_mode else converge(api, changes, in_order=in_order)
    for result in results:
        error = errors.get(result["key"])
        if error is not None:
            result.update(failed=True, msg=str(error), error=error.details())
    return results


def converge(
    api: RepositoriesApi, changes: t.Sequence[PlannedChange], *, in_order: bool = False
) -> dict[str, PullThroughError]:
    """Send the changes, read all back once, and return what failed, by key.

    in_order: one after the other, for repositories that need one another. Else in batches, and what remains concurrently.
    """
    pending = [change for change in changes if change.plan.changed]
    if not pending:
        return {}
    failed: dict[str, PullThroughError] = {}
    left = pending if in_order or len(pending) == 1 else _send_batches(api, pending)

    def send(change: PlannedChange) -> None:
        try:
            send_plan(api, change.key, change.plan)
        except PullThroughError as exc:
            failed[change.key] = exc

    with concurrent.futures.ThreadPoolExecutor(1 if in_order else THREADS) as pool:
        list(pool.map(send, left))
    api.refresh()
    for change in pending:
        if change.key not in failed and change.plan.action != "delete":
            try:
                verify_applied(change.key, change.plan, api.get(change.key))
            except PullThroughError as exc:
                failed[change.key] = exc
    return failed


def _send_batches(api: RepositoriesApi, changes: list[PlannedChange]) -> list[PlannedChange]:
    """Send what goes in batches, and return the rest.

    A batch is done whole or not at all. One that fails is sent again one by one, so that each repository has its own error.
    """
    left = [change for change in changes if change.plan.action == "delete"]
    version: tuple[int, ...] | None = None
    for action, since in _BATCH_SINCE.items():
        of_action = [change for change in changes if change.plan.action == action]
        if len(of_action) < 2:
            left += of_action
            continue
        version = version or api.version()
        for start in range(0, len(of_action), BATCH):
            batch = of_action[start : start + BATCH]
            if version < since or not _sent(api, action, batch):
                left += batch
    return left


def _sent(api: RepositoriesApi, action: str, batch: list[PlannedChange]) -> bool:
    bodies = [{"key": change.key, **change.plan.payload} for change in batch]
    try:
        if action == "create":
            api.create_batch(bodies)
        else:
            api.update_batch(bodies)
    except RequestError:
        return False
    return True
