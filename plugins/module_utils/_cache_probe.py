# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether something came from upstream during this run. Private to the collection.

A pull that succeeds proves little, since a cache goes on answering after its upstream login died. What
proves it: the object was not in the cache before the request, the request succeeded, and the object is there now. The
last look guards against a cache that is laid out in another way than expected: there, everything would seem absent.
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
        """Return whether a path is in the cache of repository key; None when that may not be read."""

    def evict(self, key: str, path: str) -> None:
        """Delete a path from the cache of repository key."""


class NotFromUpstreamError(PullThroughError):
    """Nothing could be shown to come from upstream, though that was required."""


@dataclasses.dataclass(frozen=True)
class CacheObservation:
    """Whether something came from upstream, None when that cannot be known, and a sentence with the reason."""

    from_upstream: bool | None
    evidence: str


NOT_OBSERVED = CacheObservation(None, "")


def combine_observations(observations: t.Sequence[CacheObservation]) -> CacheObservation:
    """Return what several sightings say together, in the words of the latest.

    One that is fresh is enough; one that is unknown leaves it open.
    """
    return next(
        (
            one
            for from_upstream in (True, None, False)
            for one in reversed(observations)
            if one.from_upstream is from_upstream
        ),
        NOT_OBSERVED,
    )


class CacheProbe:
    """Looks into the cache of one remote repository, before and after requests.

    unable: why nothing can be known; empty when it can.
    """

    def __init__(
        self, cache: Cache, key: str, *, unable: str = "", sleep: t.Callable[[float], None] = time.sleep
    ) -> None:
        self._cache = cache
        self._key = key
        self._unable = unable
        self._sleep = sleep

    def observe(
        self, what: str, paths: t.Sequence[str], fetch: t.Callable[[], Result], *, uncached: bool = False
    ) -> tuple[Result, CacheObservation]:
        """Return what fetch returns, and whether that came from upstream. what: its name, for people.

        uncached: whether a look has just shown that it is not in the cache.
        """
        cached, why = (False, "") if uncached else self.probe(paths)
        fetched = fetch()
        if cached is None:
            return fetched, CacheObservation(None, why)
        if cached:
            return fetched, CacheObservation(False, f"{what} was in {self._key}-cache already.")
        if self._wait_until_cached(paths):
            return fetched, CacheObservation(True, f"{what} was not in {self._key}-cache before, and is now.")
        return fetched, CacheObservation(None, f"{what} was fetched, but does not show up in {self._key}-cache.")

    def probe(self, paths: t.Sequence[str]) -> tuple[bool | None, str]:
        """Return whether one of the paths is in the cache; None with the reason when that is not known."""
        if self._unable:
            return None, self._unable
        for path in paths:
            try:
                cached = self._cache.has(self._key, path)
            except PullThroughError as exc:
                return None, f"{self._key}-cache could not be read: {exc}"
            if cached is not False:
                return cached, "" if cached else f"This login may not read {self._key}-cache."
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
