# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How fast and how much a run may download. Private to the collection."""

from __future__ import annotations

import threading
import time
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import PullThroughError


class LimitExceededError(PullThroughError):
    """Something that was not tried or not finished, because the run came to a limit that the user set."""

    def __init__(self, limit: str) -> None:
        super().__init__(f"Not pulled, as {limit} was reached.")


class _RateLimiter:
    """Spreads work so that no more than a number of units is done in a second, over all threads."""

    def __init__(self, per_second: float | None) -> None:
        self._each = 1 / per_second if per_second else 0.0
        self._free_at = 0.0

    def pause(self, units: int, now: float) -> float:
        """Return the seconds to wait, now that these units are to be done."""
        begin = max(now, self._free_at)
        self._free_at = begin + units * self._each
        return begin - now


class Limits:
    """The limits of one run, shared by all its threads. None stands for no limit."""

    def __init__(
        self,
        *,
        requests_per_second: float | None = None,
        bytes_per_second: int | None = None,
        max_bytes: int | None = None,
        max_seconds: float | None = None,
        clock: t.Callable[[], float] = time.monotonic,
        sleep: t.Callable[[float], None] = time.sleep,
    ) -> None:
        self._requests = _RateLimiter(requests_per_second)
        self._bytes = _RateLimiter(bytes_per_second)
        self._max_bytes = max_bytes
        self._max_seconds = max_seconds
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._began = clock()
        self._admitted = 0
        self.reached = ""

    @property
    def is_bounded(self) -> bool:
        """Whether the run can end before all is done."""
        return self._max_bytes is not None or self._max_seconds is not None

    def reserve(self, size: int = 0) -> None:
        """Raise LimitReached unless something of this size may still be begun."""
        with self._lock:
            if self._max_bytes is not None and self._admitted + size > self._max_bytes:
                self.reached = self.reached or f"max_bytes ({self._max_bytes})"
            self._check_time()
            self._admitted += size

    def acquire(self) -> None:
        """Wait until one more request may be sent. Raises LimitReached."""
        self._wait(self._requests, 1)

    def received(self, size: int) -> None:
        """Wait as long as these bytes should have taken. Raises LimitReached."""
        self._wait(self._bytes, size)

    def _wait(self, pace: _RateLimiter, units: int) -> None:
        with self._lock:
            self._check_time()
            now = self._clock()
            pause = pace.pause(units, now)
            if self._max_seconds is not None:
                pause = min(pause, self._began + self._max_seconds - now)
        if pause > 0:
            self._sleep(pause)

    def _check_time(self) -> None:
        if self._max_seconds is not None and self._clock() - self._began >= self._max_seconds:
            self.reached = self.reached or f"max_seconds ({self._max_seconds:g})"
        if self.reached:
            raise LimitExceededError(self.reached)
