# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Limits on the rate, the amount and the time of downloads. Private to the collection."""

from __future__ import annotations

import threading
import time
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import PullThroughError


class LimitExceededError(PullThroughError):
    """A download that was not started or not finished, because the run reached a limit of the user."""

    def __init__(self, limit: str) -> None:
        super().__init__(f"Not pulled because {limit} was reached.")


class _RateLimiter:
    """Spreads units of work over time. Not thread-safe. None for no limit."""

    def __init__(self, per_second: float | None) -> None:
        self._seconds_per_unit = 1 / per_second if per_second else 0.0
        self._next_start = 0.0

    def delay(self, units: int, now: float) -> float:
        """Return the seconds to wait before these units, and count them."""
        start = max(now, self._next_start)
        self._next_start = start + units * self._seconds_per_unit
        return start - now


class Limits:
    """The limits of one run, shared by all its threads. None for no limit. reached: the first limit that was reached."""

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
        self._started = clock()
        self._admitted = 0
        self.reached = ""

    @property
    def is_bounded(self) -> bool:
        """Whether a limit can end the run early."""
        return self._max_bytes is not None or self._max_seconds is not None

    def remaining_seconds(self) -> float | None:
        """Return the seconds until max_seconds is reached, at least a tenth; None without that limit."""
        if self._max_seconds is None:
            return None
        return max(0.1, self._started + self._max_seconds - self._clock())

    def shorten(self, seconds: float) -> float:
        """Return the seconds to wait, which do not exceed those until max_seconds is reached."""
        remaining = self.remaining_seconds()
        return seconds if remaining is None else min(seconds, remaining)

    def reserve(self, size: int = 0) -> None:
        """Count a download of this size. Raises LimitExceededError if it must not start."""
        with self._lock:
            if self._max_bytes is not None and self._admitted + size > self._max_bytes:
                self.reached = self.reached or f"max_bytes ({self._max_bytes})"
            self._check_time()
            self._admitted += size

    def acquire(self) -> None:
        """Wait until one more request may be sent. Raises LimitExceededError."""
        self._wait(self._requests, 1)

    def throttle(self, size: int) -> None:
        """Wait so that these bytes, which were received, do not exceed the rate. Raises LimitExceededError."""
        self._wait(self._bytes, size)

    def _wait(self, limiter: _RateLimiter, units: int) -> None:
        with self._lock:
            self._check_time()
            now = self._clock()
            delay = limiter.delay(units, now)
            if self._max_seconds is not None:
                delay = min(delay, self._started + self._max_seconds - now)
        if delay > 0:
            self._sleep(delay)

    def _check_time(self) -> None:
        if self._max_seconds is not None and self._clock() - self._started >= self._max_seconds:
            self.reached = self.reached or f"max_seconds ({self._max_seconds:g})"
        if self.reached:
            raise LimitExceededError(self.reached)
