# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All remote repositories: when the cache answers, when the upstream is asked (artifactory.md §5.5).

Freshness, the negative cache and assumed offline go by the configuration as it is at the moment of the request.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .auth import Caller
from .cache import Cache, CachedFile
from .patterns import accepts
from .store import Repository
from .upstream import UnreachableError, Upstream

if TYPE_CHECKING:
    from .state import Artifactory

T = TypeVar("T")
CacheT = TypeVar("CacheT", bound=Cache)
UpstreamT = TypeVar("UpstreamT", bound=Upstream)
RemoteT = TypeVar("RemoteT", bound="Remote[Any, Any]")
MISMATCHING = frozenset({"text/html", "application/xhtml+xml"})


class NotFoundError(Exception):
    """One and the same answer for many causes."""


class DeniedError(Exception):
    """The caller may not do this; `status` is what the client gets."""

    def __init__(self, message: str, status: int = 403) -> None:
        super().__init__(message)
        self.status = status


class UnreadableError(Exception):
    """A document of the upstream is none of its kind: a web page, most likely."""


class BadCredentialsError(Exception):
    """The upstream's token service refused the repository's credentials."""


class Remote(Generic[CacheT, UpstreamT]):
    """The running side of one remote repository."""

    def __init__(self, artifactory: Artifactory, key: str, cache: CacheT, upstream: UpstreamT) -> None:
        self._artifactory = artifactory
        self._now = artifactory.simulator.clock.now
        self.key = key
        self.cache = cache
        self.upstream = upstream
        self._misses: dict[str, float] = {}
        self._offline_since: float | None = None
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @property
    def _repository(self) -> Repository:
        repository = self._artifactory.store.get(self.key)
        if repository is None:
            raise NotFoundError
        return repository

    @property
    def fields(self) -> Mapping[str, Any]:
        return self._repository.fields

    @property
    def has_priority(self) -> bool:
        return bool(self.fields["priorityResolution"])

    def stored(self, caller: Caller, path: str) -> CachedFile:
        """The file that the cache has at a path, as it is."""
        self._check(caller, path)
        file = self.cache.files.get(path)
        if file is None:
            raise NotFoundError
        return file

    # --- what administrators do ---------------------------------------------------------------------------------------
    def restart(self) -> None:
        """The configuration was written."""
        self._offline_since = None
        if self._artifactory.settings["artifactory_save_clears_negative_cache"]:
            self._misses.clear()

    def zap(self, path: str) -> None:
        """Expire what can change at or below a path, and forget the misses there; not where the cache holds nothing."""
        if not self.cache.has(path):
            return
        for file in self.cache.below(path):
            file.expired = file.expires
        prefix = f"{path}/" if path else ""
        self._misses = {
            missed: since for missed, since in self._misses.items() if missed != path and not missed.startswith(prefix)
        }

    # --- rules --------------------------------------------------------------------------------------------------------
    def _check(self, caller: Caller, path: str) -> None:
        if not self._artifactory.permissions.allows(caller, "READ", self._repository, path):
            what = f"Download request for repo:path '{self.key}-cache:{path}'"
            raise DeniedError(f"{what} is forbidden for user: '{caller.label}'.")
        included, excluded = self.fields["includesPattern"].split(","), self.fields["excludesPattern"].split(",")
        if self.fields["blackedOut"] or not accepts(included, excluded, path):
            raise NotFoundError

    def _check_deploy(self, caller: Caller, path: str) -> None:
        """Reading is not enough to fill the cache."""
        if not self._artifactory.permissions.allows(caller, "WRITE", self._repository, path):
            reason = f"User {caller.name} is not permitted to deploy '{path}' into '{self.key}-cache:{path}'."
            raise DeniedError(reason, self._artifactory.settings["artifactory_deploy_denied_status"])

    def _is_valid(self, file: CachedFile) -> bool:
        """Whether a copy will do without a look at the upstream."""
        if not file.expires:
            return True
        return not file.expired and self._now() - file.updated < self.fields["retrievalCachePeriodSecs"]

    def _is_offline(self) -> bool:
        since = self._offline_since
        assumed = since is not None and self._now() - since < self.fields["assumedOfflinePeriodSecs"]
        return bool(self.fields["offline"] or assumed)

    def _is_negatively_cached(self, path: str) -> bool:
        period = self.fields["missedRetrievalCachePeriodSecs"]
        return path in self._misses and self._now() - self._misses[path] < period

    def _blocks(self, media_type: str) -> bool:
        """Whether the repository lets no answer of this type (a Content-Type header) pass for something else."""
        name = media_type.partition(";")[0].strip().lower()
        excepted = (self.fields["mismatchingMimeTypesOverrideList"] or "").split(",")
        return bool(self.fields["blockMismatchingMimeTypes"]) and name in MISMATCHING and name not in excepted

    # --- the upstream -------------------------------------------------------------------------------------------------
    @asynccontextmanager
    async def _upstream_requests(self, path: str, *, cache_miss: bool) -> AsyncIterator[None]:
        """Around requests to the upstream: whether they are made at all, and what a failure means for later ones.

        `remember` is whether the negative cache counts: it does not while there is a copy to fall back on.
        """
        if self._is_offline() or (cache_miss and self._is_negatively_cached(path)):
            raise NotFoundError
        try:
            yield
        except UnreachableError as error:
            self._offline_since = self._now()
            raise NotFoundError from error
        except NotFoundError:
            if cache_miss:
                self._misses[path] = self._now()
            raise


# --- several of them behind one key -----------------------------------------------------------------------------------
def attempts_in_order(members: Sequence[RemoteT], *ways: Callable[[RemoteT], Awaitable[T]]) -> Iterator[Awaitable[T]]:
    """Attempts in resolution order: all caches before any upstream (one way each), members with priority first."""
    for has_priority in (True, False):
        group = [member for member in members if member.has_priority is has_priority]
        for way in ways:
            yield from (way(member) for member in group)


async def first(attempts: Iterable[Awaitable[T]]) -> T:
    """What the first attempt gives that succeeds. Raises the gravest failure."""
    reason: Exception = NotFoundError()
    for attempt in attempts:
        try:
            return await attempt
        except (NotFoundError, DeniedError, BadCredentialsError) as error:
            reason = more_severe(reason, error)
    raise reason


def more_severe(reason: Exception, other: Exception) -> Exception:
    """The one of two failures that a client is told of.

    That is a denial rather than a miss, a miss with words rather than one without, and the later of equals.
    """
    return max(other, reason, key=lambda error: (not isinstance(error, NotFoundError), bool(str(error))))
