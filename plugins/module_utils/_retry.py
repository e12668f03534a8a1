# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The retry policy of all requests. Private to the collection.

What is retried
    Connection failures that are transient, and the statuses 408, 429, 502, 503 and 504, if the request is idempotent.
    429, and an error response that the service marks as unprocessed, for any request: the service did nothing.
    For downloads, also the status 500: registries and caches return it when their upstream fails. A management API
    returns 500 for input that it cannot process, so there it is an error.
    For downloads, once, content with a wrong digest or size.

What is never retried
    A creation without a response, or with a 5xx response: it may have been done. The caller checks whether the object exists.
    401, 403, 404 and all other statuses. Repeating a download that got 404 would prolong Artifactory's negative cache.
    A connection failure that is not transient, such as an untrusted certificate.

How often
    An API request is sent at most MAX_TRIES times. A download is sent at most MAX_DOWNLOAD_TRIES times, because a run
    can have thousands of them, and one failed download does not end the run.
    retry_until() is for propagation delays: it ignores the number of tries and stops at a timeout.

Delays
    Before each new try: 1, 2, 4, ... seconds, with 20 percent of jitter. Retry-After takes precedence.
    It has seconds or a date. A service that asks for more than MAX_BACKOFF is not asked again: the error names the time,
    and three of them stop the downloads from that server. retry_until() starts at half a second and does not exceed MAX_PROPAGATION_BACKOFF.
"""

from __future__ import annotations

import random
import time
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import (
    MAX_RETRY_AFTER,
    HTTPStatusError,
    InvalidContentError,
    PullThroughError,
    TransportError,
)

MAX_TRIES = 4
MAX_DOWNLOAD_TRIES = 3
MAX_BACKOFF = MAX_RETRY_AFTER
MAX_PROPAGATION_BACKOFF = 4.0
RETRYABLE_STATUSES = frozenset({408, 429, 502, 503, 504})

Result = t.TypeVar("Result")
IsRetryable = t.Callable[[PullThroughError], bool]
Sleep = t.Callable[[float], None]


def is_retryable(error: PullThroughError, *, idempotent: bool = True) -> bool:
    """Return whether sending the same request again is safe and can succeed."""
    if isinstance(error, HTTPStatusError):
        if error.asks_for_long_delay:
            return False
        return error.unprocessed or (idempotent and error.status in RETRYABLE_STATUSES)
    return isinstance(error, TransportError) and idempotent and error.transient


def backoff(
    attempt: int, error: PullThroughError | None = None, *, first: float = 1.0, maximum: float = MAX_BACKOFF
) -> float:
    """Return the seconds to wait after a failed attempt. Attempts count from 1. error: its Retry-After takes precedence."""
    if isinstance(error, HTTPStatusError) and error.retry_after is not None:
        return min(error.retry_after, MAX_BACKOFF)
    return min(first * 2.0 ** (attempt - 1), maximum) * random.uniform(0.8, 1.2)


def retry(
    work: t.Callable[[], Result],
    retryable: IsRetryable = is_retryable,
    *,
    max_tries: int = MAX_TRIES,
    sleep: Sleep = time.sleep,
) -> Result:
    """Return the result of work, which is repeated after each error that is retryable. Raises the last error."""
    for attempt in range(1, max_tries):
        try:
            return work()
        except PullThroughError as exc:
            if not retryable(exc) or (isinstance(exc, HTTPStatusError) and exc.asks_for_long_delay):
                raise
            sleep(backoff(attempt, exc))
    return work()


def retry_download(work: t.Callable[[], Result], sleep: Sleep = time.sleep) -> Result:
    """Return the result of a download. Content with a wrong digest or size is downloaded again."""
    mismatches = 0

    def retryable(error: PullThroughError) -> bool:
        nonlocal mismatches
        if isinstance(error, InvalidContentError) and error.reason in ("digest", "size"):
            mismatches += 1
            return mismatches == 1
        return is_retryable(error) or (isinstance(error, HTTPStatusError) and error.status == 500)

    return retry(work, retryable, max_tries=MAX_DOWNLOAD_TRIES, sleep=sleep)


def retry_until(
    work: t.Callable[[], Result],
    retryable: IsRetryable,
    *,
    timeout: float,
    sleep: Sleep = time.sleep,
    clock: t.Callable[[], float] = time.monotonic,
) -> Result:
    """Return the result of work, which is repeated after each retryable error until timeout seconds have passed.

    For objects that exist but are not visible everywhere yet. A timeout of 0 tries once. Raises the last error.
    """
    end = clock() + timeout
    attempt = 0
    while True:
        attempt += 1
        try:
            return work()
        except PullThroughError as exc:
            delay = backoff(attempt, exc, first=0.5, maximum=MAX_PROPAGATION_BACKOFF)
            if not retryable(exc) or clock() + delay > end:
                raise
        sleep(delay)


def status_in(*statuses: int) -> IsRetryable:
    """Return a condition for retry_until(): the error is a response with one of these statuses."""
    return lambda error: isinstance(error, HTTPStatusError) and error.status in statuses
