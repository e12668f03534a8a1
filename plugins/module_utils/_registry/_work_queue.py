# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Threads that share work, and work that threads must not do twice. Private to the collection."""

from __future__ import annotations

import concurrent.futures
import threading
import typing as t

Key = t.TypeVar("Key", bound=t.Hashable)
Value = t.TypeVar("Value")
Item = t.TypeVar("Item")


class SingleFlight(t.Generic[Key, Value]):
    """Does the work for each key once. Thread-safe.

    Named after the pattern "single flight": of all concurrent calls with one key, the first does the work, and the
    others wait for its result. Later calls get the same result, or the same exception.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[Key, Value] = {}
        self._futures: dict[Key, concurrent.futures.Future[Value]] = {}

    def get(self, key: Key, work: t.Callable[[], Value]) -> Value:
        """Return the result of the work for a key, or raise its exception."""
        with self._lock:
            if key in self._values:
                return self._values[key]
            is_first = key not in self._futures
            future = self._futures.setdefault(key, concurrent.futures.Future())
        if is_first:
            try:
                value = work()
            except BaseException as exc:  # pylint: disable=broad-exception-caught  # the waiting threads raise it too
                future.set_exception(exc)
            else:
                future.set_result(value)
                # A future is a hundred times larger than its result.
                with self._lock:
                    self._values[key] = value
                    del self._futures[key]
        return future.result()


class WorkerPool:
    """Threads that share work. They run until close(), because each keeps its connections open."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._pool = concurrent.futures.ThreadPoolExecutor(threads)

    def run(self, work: t.Callable[[Item], None], items: t.Iterable[Item]) -> None:
        """Call work for each item, in order. Unlike Executor.map(), this allocates nothing for each item."""
        pending, lock = iter(items), threading.Lock()

        def work_until_done() -> None:
            while True:
                with lock:
                    item = next(pending, None)
                if item is None:
                    return
                work(item)

        for worker in [self._pool.submit(work_until_done) for _thread in range(self._threads)]:
            worker.result()

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()
