# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All remote repositories: when to contact the upstream (facts/artifactory.md#upstream-failures).

Cache periods, negative cache and assumed offline follow the configuration at the time of the request.
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
from .trace import record
from .upstream import UnreachableError, Upstream

if TYPE_CHECKING:
    from .state import Artifactory

T = TypeVar("T")
CacheT = TypeVar("CacheT", bound=Cache)
UpstreamT = TypeVar("UpstreamT", bound=Upstream)
RemoteT = TypeVar("RemoteT", bound="Remote[Any, Any]")
MISMATCHING = frozenset({"text/html", "application/xhtml+xml"})


class NotFoundError(Exception):
    """Not available, for any of many reasons that a client cannot tell apart."""


class DeniedError(Exception):
    """The caller lacks a permission. `status` is that of the response."""

    def __init__(self, message: str, status: int = 403) -> None:
        super().__init__(message)
        self.status = status


class UnreadableError(Exception):
    """A document of the upstream does not parse, for example because it is an HTML page."""


class BadCredentialsError(Exception):
    """The upstream's token service rejected the repository's credentials."""


class Remote(Generic[CacheT, UpstreamT]):
    """Cache and upstream of one remote repository."""

    def __init__(self, artifactory: Artifactory, key: str, cache: CacheT, upstream: UpstreamT) -> None:
        self._artifactory = artifactory
        self._now = artifactory.simulator.clock.now
        self.key = key
        self.cache = cache
        self.upstream = upstream
        self._misses: dict[str, float] = {}
        self._failures = 0  # in a row
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

    def get_cached(self, caller: Caller, path: str) -> CachedFile:
        """The cached file at a path, however old. Raises NotFoundError, DeniedError."""
        self._require_access(caller, path)
        file = self.cache.files.get(path)
        if file is None:
            raise NotFoundError
        return file

    def get_valid(self, caller: Caller, path: str) -> CachedFile:
        """The cached file at a path if it has not expired. Raises NotFoundError, DeniedError."""
        file = self.get_cached(caller, path)
        if not self._is_valid(file):
            raise NotFoundError
        record(f"{self.key} has '{path}' in its cache")
        return file

    # --- administration -----------------------------------------------------------------------------------------------
    def restart(self) -> None:
        """Apply a saved configuration."""
        self._failures, self._offline_since = 0, None
        if self._artifactory.settings["artifactory_save_clears_negative_cache"]:
            self._misses.clear()

    def zap(self, path: str) -> None:
        """Expire files that can change and clear the negative cache, at and below a path that is in the cache."""
        if not self.cache.has(path):
            return
        for file in self.cache.below(path):
            file.expired = file.expires
        prefix = f"{path}/" if path else ""
        self._misses = {
            missed: since for missed, since in self._misses.items() if missed != path and not missed.startswith(prefix)
        }

    # --- rules --------------------------------------------------------------------------------------------------------
    def _require_access(self, caller: Caller, path: str) -> None:
        if not self._artifactory.permissions.allows(caller, "READ", self._repository, path):
            record(f"{self.key} is skipped: {caller.label} may not read '{path}'")
            request = f"Download request for repo:path '{self.key}-cache:{path}'"
            raise DeniedError(f"{request} is forbidden for user: '{caller.label}'.")
        included, excluded = self.fields["includesPattern"].split(","), self.fields["excludesPattern"].split(",")
        if self.fields["blackedOut"] or not accepts(included, excluded, path):
            record(f"{self.key} does not accept '{path}'")
            raise NotFoundError

    def _require_deploy(self, caller: Caller, path: str) -> None:
        """Raise DeniedError if the caller may not fill the cache, which takes more than Read."""
        if not self._artifactory.permissions.allows(caller, "WRITE", self._repository, path):
            reason = f"User {caller.name} is not permitted to deploy '{path}' into '{self.key}-cache:{path}'."
            raise DeniedError(reason, self._artifactory.settings["artifactory_deploy_denied_status"])

    def _is_valid(self, file: CachedFile) -> bool:
        """Whether a copy can be served without contacting the upstream."""
        if not file.expires:
            return True
        return not file.expired and self._now() - file.updated < self.fields["retrievalCachePeriodSecs"]

    def _is_assumed_offline(self) -> bool:
        since = self._offline_since
        return since is not None and self._now() - since < self.fields["assumedOfflinePeriodSecs"]

    def _count_failure(self) -> None:
        """Count a failure of the upstream; from the second in a row the repository is assumed offline."""
        self._failures += 1
        if self._failures >= self._artifactory.settings["artifactory_offline_after_failures"]:
            self._offline_since = self._now()

    def _is_negatively_cached(self, path: str) -> bool:
        period = self.fields["missedRetrievalCachePeriodSecs"]
        return path in self._misses and self._now() - self._misses[path] < period

    def _blocks(self, media_type: str) -> bool:
        """Whether the repository rejects a response of this Content-Type that has another type than requested."""
        name = media_type.partition(";")[0].strip().lower()
        excepted = (self.fields["mismatchingMimeTypesOverrideList"] or "").split(",")
        return bool(self.fields["blockMismatchingMimeTypes"]) and name in MISMATCHING and name not in excepted

    # --- the upstream -------------------------------------------------------------------------------------------------
    @asynccontextmanager
    async def _contacting_upstream(self, path: str, *, cache_miss: bool) -> AsyncIterator[None]:
        """Wrap requests to the upstream with assumed offline and the negative cache. Raises NotFoundError.

        Without `cache_miss` the negative cache does not apply, because there is a copy to fall back on.
        """
        if self.fields["offline"]:
            record(f"{self.key} is offline")
            raise NotFoundError
        if cache_miss and self._is_negatively_cached(path):
            record(f"{self.key} has '{path}' in the cache of missing items")
            raise NotFoundError
        if self._is_assumed_offline():
            record(f"{self.key} is assumed offline")
            raise NotFoundError(f"The repository '{self.key}' is assumed offline, '{path}' is not found.")
        try:
            yield
        except UnreachableError as error:
            self._count_failure()
            raise NotFoundError(f"Failed to retrieve '{path}' from {self.fields['url']}: {error}") from error
        except NotFoundError:
            self._failures = 0
            if cache_miss:
                self._misses[path] = self._now()
            raise
        self._failures = 0


# --- several members behind one key -----------------------------------------------------------------------------------
def attempts_in_order(
    members: Sequence[RemoteT], *lookups: Callable[[RemoteT], Awaitable[T]]
) -> Iterator[Awaitable[T]]:
    """Attempts in resolution order: members with priority first, and each lookup on all members before the next."""
    for has_priority in (True, False):
        group = [member for member in members if member.has_priority is has_priority]
        for lookup in lookups:
            yield from (lookup(member) for member in group)


async def resolve_first(attempts: Iterable[Awaitable[T]]) -> T:
    """The result of the first attempt that succeeds. Raises the most severe failure."""
    reason: Exception = NotFoundError()
    for attempt in attempts:
        try:
            return await attempt
        except (NotFoundError, DeniedError, BadCredentialsError) as error:
            reason = choose_more_severe(reason, error)
    raise reason


def choose_more_severe(reason: Exception, other: Exception) -> Exception:
    """The failure that the client sees: a denial before a miss, a miss with a message before one without."""
    return max(other, reason, key=lambda error: (not isinstance(error, NotFoundError), bool(str(error))))
