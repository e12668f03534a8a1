# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether an object came from upstream during this run. Private to the collection.

A successful pull alone does not show it, because a cache still serves its content after its upstream credentials expired.
An object came from upstream if it was not in the cache before a successful request, and is in the cache after it.
The second check detects a cache with an unexpected layout, in which every object would seem absent.
An index that is in the cache came from upstream if it was expired, and its time of fetch changed with the next request:
Artifactory serves an expired copy if the upstream denies the request or does not respond.
Nothing that was cached before is deleted for a verification. Where the server cannot expire an index, a file that was
fetched only for the verification is deleted again, so that the next one finds it absent. With Delete, later servers can
expire every index, so they need no deletion. A manifest is never deleted: Artifactory serves layers only of manifests that
are cached, so a pull in progress would fail.
"""

from __future__ import annotations

import contextlib
import time
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import HTTPStatusError, PullThroughError
from ansible_collections.cgr.pull_through.plugins.module_utils._trace import Trace, parse_trace

_MAX_PROBES = 3
_PROBE_INTERVAL = 1.0  # seconds by which each wait for the next probe is longer
# How long Artifactory keeps a bearer token of a registry, whichever credentials are stored.
_UPSTREAM_TOKEN_SECONDS = 240

Result = t.TypeVar("Result")


class Cache(t.Protocol):
    """The cache of a pull-through repository."""

    def has(self, key: str, path: str) -> bool | None:
        """Return whether a path is in the cache of repository key; None if the credentials may not read the cache."""

    def expire(self, key: str, path: str) -> None:
        """Expire a path in the cache of repository key. Content that cannot change stays valid."""

    def can_expire(self) -> bool:
        """Return whether the server can expire a path."""

    def evict(self, key: str, path: str) -> None:
        """Delete a path from the cache of repository key, if it is there."""

    def fetch_time(self, key: str, path: str) -> float | None:
        """Return when a path was fetched or last compared with the upstream; None if that is unknown."""

    def last_fetch_below(self, key: str, folder: str) -> float | None:
        """Return when something below a folder was last fetched or compared with the upstream; None if never, or unknown."""

    def trace(self, key: str, path: str) -> str:
        """Return the steps of a download, as text."""

    def server_time(self) -> float:
        """Return the time of the server."""


class NotFromUpstreamError(PullThroughError):
    """No object came from upstream as far as could be observed, although that is required."""


class NotFetchedError(PullThroughError):
    """Artifactory served an expired copy, so the upstream denied the request or did not respond."""


class CacheObservation(t.NamedTuple):
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

    unable: why the cache cannot be read. Empty if it can. has_login: whether the repository logs in upstream.
    """

    def __init__(
        self,
        cache: Cache,
        key: str,
        *,
        unable: str = "",
        has_login: bool = False,
        sleep: t.Callable[[float], None] = time.sleep,
    ) -> None:
        self._cache = cache
        self._key = key
        self._unable = unable
        self._has_login = has_login
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

    def refresh(self, name: str, paths: t.Sequence[str], fetch: t.Callable[[], object]) -> CacheObservation:
        """Expire an index that can change, fetch it again, and return whether it came from upstream.

        paths: its possible paths in the cache. Raises NotFetchedError, and the exceptions of fetch.
        """
        path = next((path for path in paths if self.probe([path])[0]), None)
        if path is None:
            return CacheObservation(False, f"{name} is not where it is expected in {self._key}-cache.")
        # Another client may fetch it between the first expiry and fetch, so that only the second attempt shows something.
        for _attempt in range(2):
            try:
                self._cache.expire(self._key, path)
                # An expired copy may get an older time, so only what comes after it counts.
                expired = self._cache.fetch_time(self._key, path)
            except HTTPStatusError as exc:
                return CacheObservation(
                    False, f"Everything was in {self._key}-cache, and {name} cannot be expired: {exc}"
                )
            fetch()
            if expired is None:
                return CacheObservation(None, f"{self._key}-cache does not show when {name} was fetched.")
            if self._wait_until_fetched(path, expired):
                return CacheObservation(True, f"{name} was expired in {self._key}-cache, and fetched again.")
        raise NotFetchedError(
            f"{name} was expired in {self._key}-cache, and Artifactory still serves the old copy.",
            hint="The upstream rejects the stored credentials, or does not respond.",
        )

    def discard(self, paths: t.Sequence[str]) -> None:
        """Delete a file that this run put into the cache, if the server cannot expire an index for the next verification.

        paths: its possible paths. Without the permission, it stays.
        """
        with contextlib.suppress(PullThroughError):
            if not self._cache.can_expire():
                for path in paths:
                    self._cache.evict(self._key, path)

    def trace(self, path: str) -> Trace:
        """Return what the upstream responds to a download. Without a step if that is unknown."""
        try:
            return parse_trace(self._cache.trace(self._key, path))
        except PullThroughError:
            return Trace()

    def earlier_login_until(self, image: str) -> float | None:
        """Return until when Artifactory may use a bearer token of an earlier login for an image (epoch seconds).

        None if it requests a new one now. The cache shows when the image was last requested from the upstream.
        """
        if self._unable or not self._has_login:
            return None
        try:
            last = self._cache.last_fetch_below(self._key, image)
        except PullThroughError:
            return None
        until = (last or 0) + _UPSTREAM_TOKEN_SECONDS
        return until if until > self._cache.server_time() else None

    def _wait_until_fetched(self, path: str, expired: float) -> bool:
        for probe in range(_MAX_PROBES):
            self._sleep(probe * _PROBE_INTERVAL)
            if (self._cache.fetch_time(self._key, path) or 0) > expired:
                return True
        return False

    def _wait_until_cached(self, paths: t.Sequence[str]) -> bool:
        for probe in range(_MAX_PROBES):
            self._sleep(probe * _PROBE_INTERVAL)
            if self.probe(paths)[0]:
                return True
        return False
