# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the engines for images and for artifacts share. Private to the collection."""

from __future__ import annotations

import contextlib
import itertools
import time
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._circuit_breaker import SkippedError
from ansible_collections.cgr.pull_through.plugins.module_utils._download_errors import DownloadError
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import PullThroughError
from ansible_collections.cgr.pull_through.plugins.module_utils._retry import retry_until

_DENIED = (401, 403)
# A token service may also reject an identity that it does not know yet as invalid or not found.
_TOKEN_DENIED = (400, 401, 403, 404)


class RetryableResult(t.Protocol):
    """The result of one pull, as a retry needs it."""

    finished: float
    error: PullThroughError | None

    @property
    def is_direct(self) -> bool:
        """Whether it is pulled with credentials and without Artifactory."""

    def new_attempt(self) -> t.Any:
        """Return an empty result of the same pull. Its client logs in again."""


ResultType = t.TypeVar("ResultType", bound=RetryableResult)


class _DeniedError(PullThroughError):
    """At least one direct pull was denied."""


def is_denied(result: RetryableResult) -> bool:
    """Return whether a direct pull was denied by the server or by its token service."""
    cause = result.error.cause if isinstance(result.error, SkippedError) else result.error
    if not result.is_direct or not isinstance(cause, DownloadError):
        return False
    return cause.status in (_TOKEN_DENIED if cause.by_token_service else _DENIED)


def pull_until_propagated(
    results: list[list[ResultType]],
    pull: t.Callable[[list[ResultType]], object],
    *,
    timeout: float,
    sleep: t.Callable[[float], None] = time.sleep,
    clock: t.Callable[[], float] = time.monotonic,
) -> None:
    """Pull all, and repeat the direct pulls that are denied until timeout seconds have passed.

    A new pull token or role binding is not known to all servers at once. Replaces results in the lists.
    """

    def attempt() -> None:
        for job_results in results:
            job_results[:] = [result.new_attempt() if is_denied(result) else result for result in job_results]
        pending = [result for result in itertools.chain(*results) if result.error is None and not result.finished]
        pull(pending)
        if any(map(is_denied, itertools.chain(*results))):
            raise _DeniedError("A direct pull was denied.")

    with contextlib.suppress(_DeniedError):
        retry_until(attempt, lambda error: isinstance(error, _DeniedError), timeout=timeout, sleep=sleep, clock=clock)
