# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stops the downloads from a server after failures that all further ones would share. Private to the collection."""

from __future__ import annotations

import collections
import threading
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._credentials import Credentials
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import (
    HTTPStatusError,
    PullThroughError,
    TransportError,
)

_FAILURE_THRESHOLD = 3

Result = t.TypeVar("Result")


class SkippedError(PullThroughError):
    """A download that was not tried because of an earlier failure. reason: a clause for messages."""

    def __init__(self, cause: PullThroughError, reason: str = "others failed in a row with one cause") -> None:
        self.cause = cause
        self.reason = reason
        super().__init__(f"Skipped because {reason}: {cause.message}", hint=cause.hint)


class CircuitBreaker:
    """Stops the work with a server after three failures in a row with the same cause that affects all downloads.

    Hundreds of requests with rejected credentials can lock the account, and each can add to a negative cache.
    """

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self._lock = threading.Lock()
        self._failures: collections.Counter[str] = collections.Counter()
        self._cause: PullThroughError | None = None

    def run(self, work: t.Callable[[], Result]) -> Result:
        """Return the result of work. Raises SkippedError if the work with this server was stopped."""
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

    def reset(self) -> None:
        """Forget all failures, so that requests are sent again."""
        with self._lock:
            self._failures.clear()
            self._cause = None

    def _count(self, error: PullThroughError) -> None:
        if isinstance(error, HTTPStatusError):
            if error.asks_for_long_delay:
                cause = f"status {error.status} with a long Retry-After"
            # An anonymous request gets 401 for all private content, which does not affect other downloads.
            elif error.status == 401 and not self._credentials.is_anonymous:
                cause = error.response_message
            else:
                return
        elif isinstance(error, TransportError):
            cause = error.message.partition(": ")[2]
        else:
            return
        with self._lock:
            self._failures[cause] += 1
            if self._failures[cause] >= _FAILURE_THRESHOLD:
                self._cause = error
