# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether an object came from upstream during this run. Private to the collection.

A successful pull alone does not show it, because a cache still serves its content after its upstream credentials expired.
An object came from upstream if it was not in the cache before a successful request, and is in the cache after it.
The second check detects a cache with an unexpected layout, in which every object would seem absent.
"""

from __future__ import annotations

import dataclasses
import time
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import PullThroughError

_MAX_PROBES = 3

Result = t.TypeVar("Result")


class Cache(t.Protocol):
    """The cache of a pull-through repository."""

    def has(self, key: str, path: str) -> bool | None:
        """Return whether a path is in the cache of repository key; None if the credentials may not read the cache."""

    def evict(self, key: str, path: str) -> None:
        """Delete a path from the cache of repository key."""


class NotFromUpstreamError(PullThroughError):
    """No object came from upstream as far as could be observed, although that is required."""


@dataclasses.dataclass(frozen=True)
class CacheObservation:
    """Whether an object came from upstream, None if that is unknown, and a sentence with the evidence."""

    from_upstream: bool | None
    evidence: str


NOT_OBSERVED = CacheObservation(None, "")


def combine_observations(observations: t.Sequence[CacheObservation]) -> CacheObservation:
    """Return the latest observation with the strongest result: from upstream, then unknown, then from the cache."""
    for from_upstream in (True, None, False):
        for observation in reversed(observations):
            if observation.from_upstream is from_upstream:
                return observation
    return NOT_OBSERVED


class CacheProbe:
    """Reads the cache of one remote repository, before and after requests.

    unable: why the cache cannot be read. Empty if it can.
    """

    def __init__(
        self, cache: Cache, key: str, *, unable: str = "", sleep: t.Callable[[float], None] = time.sleep
    ) -> None:
        self._cache = cache
        self._key = key
        self._unable = unable
        self._sleep = sleep

    def observe(
        self, name: str, paths: t.Sequence[str], fetch: t.Callable[[], Result], *, uncached: bool = False
    ) -> tuple[Result, CacheObservation]:
        """Return the result of fetch, and whether the object came from upstream. name: the object's, for messages.

        uncached: whether a probe just before this call found that the object is not in the cache.
        """
        cached, error = (False, "") if uncached else self.probe(paths)
        fetched = fetch()
        if cached is None:
            return fetched, CacheObservation(None, error)
        if cached:
            return fetched, CacheObservation(False, f"{name} was in {self._key}-cache already.")
        if self._wait_until_cached(paths):
            return fetched, CacheObservation(True, f"{name} was not in {self._key}-cache before, and is now.")
        return fetched, CacheObservation(None, f"{name} was fetched, but does not show up in {self._key}-cache.")

    def probe(self, paths: t.Sequence[str]) -> tuple[bool | None, str]:
        """Return whether one of the paths is in the cache. None, with the reason, if that is unknown."""
        if self._unable:
            return None, self._unable
        for path in paths:
            try:
                cached = self._cache.has(self._key, path)
            except PullThroughError as exc:
                return None, f"{self._key}-cache could not be read: {exc}"
            if cached is not False:
                return cached, "" if cached else f"These credentials may not read {self._key}-cache."
        return False, ""

    def evict(self, path: str) -> None:
        """Delete one path from the cache."""
        self._cache.evict(self._key, path)

    def _wait_until_cached(self, paths: t.Sequence[str]) -> bool:
        for probe in range(_MAX_PROBES):
            self._sleep(probe)
            if self.probe(paths)[0]:
                return True
        return False
