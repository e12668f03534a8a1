# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How often a download is tried, and when there was enough of it. Private to the collection."""

from __future__ import annotations

import collections
import threading
import time
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._download import Credentials, DownloadError
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import (
    InvalidContentError,
    PullThroughError,
    TransportError,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._http import backoff

TRIES = 3
_RETRYABLE_STATUSES = frozenset({408, 429, 500, 502, 503, 504})
_FAILURE_THRESHOLD = 3

Result = t.TypeVar("Result")


def retry(work: t.Callable[[], Result], sleep: t.Callable[[float], None] = time.sleep) -> Result:
    """Do work, and do it again from the start when that can help: three times, or twice for a wrong digest or size.

    401, 403 and 404 are answers and not accidents. Asking again would only prolong Artifactory's negative cache.
    """
    mismatched = False
    for attempt in range(1, TRIES):
        try:
            return work()
        except PullThroughError as exc:
            mismatch = isinstance(exc, InvalidContentError) and exc.reason in ("digest", "size")
            if not _is_passing(exc) and (not mismatch or mismatched):
                raise
            mismatched = mismatched or mismatch
            sleep(backoff(attempt, exc.headers if isinstance(exc, DownloadError) else None))
    return work()


def _is_passing(error: PullThroughError) -> bool:
    if isinstance(error, TransportError):
        return error.transient
    return isinstance(error, DownloadError) and error.status in _RETRYABLE_STATUSES


class SkippedError(PullThroughError):
    """Something that was not tried, because what would hit it too went wrong before. why: as a clause, for people."""

    def __init__(self, cause: PullThroughError, why: str = "others failed in a row with one cause") -> None:
        self.cause = cause
        self.why = why
        super().__init__(f"Not tried, as {why}: {cause.message}", hint=cause.hint)


class CircuitBreaker:
    """Ends the work with a server after three equal failures in a row that are no matter of one download.

    Hundreds of requests with a login that is refused can lock the account, and each may enter a negative cache.
    """

    def __init__(self, login: Credentials) -> None:
        self._login = login
        self._lock = threading.Lock()
        self._failures: collections.Counter[str] = collections.Counter()
        self._cause: PullThroughError | None = None

    def run(self, work: t.Callable[[], Result]) -> Result:
        """Do work, or raise Skipped when there was enough of it."""
        if self._cause is not None:
            raise SkippedError(self._cause)
        try:
            result = work()
        except PullThroughError as exc:
            self._count(exc)
            raise
        with self._lock:
            self._failures.clear()
        return result

    def _count(self, error: PullThroughError) -> None:
        # Without a login, 401 is the answer for all that is private, and says nothing of the others.
        credentials_rejected = isinstance(error, DownloadError) and error.status == 401 and not self._login.is_anonymous
        if not credentials_rejected and not isinstance(error, TransportError):
            return
        response_message = (
            error.response_message if isinstance(error, DownloadError) else error.message.partition(": ")[2]
        )
        with self._lock:
            self._failures[response_message] += 1
            if self._failures[response_message] >= _FAILURE_THRESHOLD:
                self._cause = error
