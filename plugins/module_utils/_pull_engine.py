# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the engines for images and for artifacts share. Private to the collection.

A pull has stages. An error leaves its stage inside a StageError, so the stage and the error cannot differ.
"""

from __future__ import annotations

import abc
import contextlib
import dataclasses
import itertools
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._cache_probe import (
    NOT_OBSERVED,
    CacheObservation,
    CacheProbe,
    NotFromUpstreamError,
    combine_observations,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._circuit_breaker import SkippedError
from ansible_collections.cgr.pull_through.plugins.module_utils._credentials import Credentials
from ansible_collections.cgr.pull_through.plugins.module_utils._download_errors import DownloadError
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import (
    InternalError,
    InvalidContentError,
    PullThroughError,
    Stage,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._retry import retry_until
from ansible_collections.cgr.pull_through.plugins.module_utils._transfer_stats import TransferStats

# The stages that pull what the user asked for. Later stages verify it.
PULL_STAGES: tuple[Stage, ...] = ("manifest", "index", "file")
_DENIED = (401, 403)
# A token service may also reject an identity that it does not know yet as invalid or not found.
_TOKEN_DENIED = (400, 401, 403, 404)

Fetched = t.TypeVar("Fetched")


class Client(t.Protocol):
    """A server to pull from: a registry or a package repository."""

    credentials: Credentials
    stats: TransferStats

    @property
    def host(self) -> str:
        """Host and port."""

    def reset(self) -> None:
        """Drop tokens and counted failures, so that the next request logs in again."""


ClientT = t.TypeVar("ClientT", bound=Client)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PullJob(t.Generic[ClientT]):
    """What to pull from one repository, and how to verify it.

    client: where to pull from. upstream: what to compare with, if anything. repository: empty without Artifactory.
    """

    client: ClientT
    upstream: ClientT | None = None
    repository: str = ""
    from_upstream: t.Literal["ignored", "preferred", "required"] = "ignored"
    cache_probe: CacheProbe | None = None


JobT = t.TypeVar("JobT", bound=PullJob[t.Any])


class StageError(Exception):
    """An error of a pull, with the stage that it occurred at."""

    def __init__(self, stage: Stage, cause: PullThroughError) -> None:
        super().__init__(stage, cause)
        self.stage = stage
        self.cause = cause


@contextlib.contextmanager
def at_stage(stage: Stage) -> t.Iterator[None]:
    """Raise each error of the block as a StageError, so that the other pulls continue."""
    try:
        yield
    except PullThroughError as exc:
        raise StageError(stage, exc) from exc
    except StageError:
        raise
    except Exception as exc:
        raise StageError(stage, InternalError(exc)) from exc


@dataclasses.dataclass(kw_only=True)
class PullResult(abc.ABC, t.Generic[JobT]):
    """The result of one pull. started and finished: seconds of the clock; pulls run concurrently.

    error, stage: the failure. Without an error, everything succeeded.
    upstream_version, upstream_error: the response of the upstream. The version of an image is a digest.
    """

    job: JobT
    started: float = 0.0
    finished: float = 0.0
    error: PullThroughError | None = None
    stage: Stage = "manifest"
    upstream_version: str | None = None
    upstream_error: PullThroughError | None = None
    observations: list[CacheObservation] = dataclasses.field(default_factory=list)

    @property
    @abc.abstractmethod
    def version(self) -> str | None:
        """The version that was pulled, if it is known yet."""

    @abc.abstractmethod
    def new_attempt(self) -> t.Any:
        """Return an empty result for the same pull."""

    @property
    def is_outdated(self) -> bool | None:
        """Whether the upstream has another version; None if they were not compared."""
        if self.version is None or self.upstream_version is None:
            return None
        return self.version != self.upstream_version

    @property
    def observation(self) -> CacheObservation:
        """Whether any part came from upstream."""
        return combine_observations(self.observations)

    @property
    def is_pending(self) -> bool:
        return self.error is None and not self.finished

    @property
    def is_denied(self) -> bool:
        """Whether the server or its token service denied a direct pull with credentials."""
        cause = self.error.cause if isinstance(self.error, SkippedError) else self.error
        is_direct = not self.job.repository and not self.job.client.credentials.is_anonymous
        if not is_direct or not isinstance(cause, DownloadError):
            return False
        if cause.is_blocked:
            return False  # by a policy, which does not change within seconds
        return cause.status in (_TOKEN_DENIED if cause.by_token_service else _DENIED)

    def fail(self, stage: Stage, error: PullThroughError) -> None:
        self.stage = stage
        self.error = error

    @contextlib.contextmanager
    def recording_upstream_error(self) -> t.Iterator[None]:
        """Keep an error of the block, which queries the upstream, and raise it again."""
        try:
            yield
        except PullThroughError as exc:
            self.upstream_error = exc
            raise


ResultT = t.TypeVar("ResultT", bound=PullResult[t.Any])


class UncachedCandidate(t.NamedTuple):
    """Something small to fetch if it is not in the cache. paths: where it would be in the cache."""

    paths: t.Sequence[str]
    fetch: t.Callable[[], object]


class _DeniedError(PullThroughError):
    """At least one direct pull was denied."""


class PullEngine(abc.ABC, t.Generic[ResultT]):
    """Pulls and verifies. A subclass knows how to pull one kind of content.

    propagation_timeout: seconds during which denied direct pulls are repeated.
    """

    # Errors whose cause the response of the upstream can tell apart.
    explained_errors: tuple[type[PullThroughError], ...] = (DownloadError, InvalidContentError)

    def __init__(
        self, *, propagation_timeout: float, clock: t.Callable[[], float], sleep: t.Callable[[float], None]
    ) -> None:
        self._propagation_timeout = propagation_timeout
        self._clock = clock
        self._sleep = sleep

    @abc.abstractmethod
    def _pull_and_verify(self, result: ResultT) -> None:
        """Pull what the result is about. Raises StageError."""

    @abc.abstractmethod
    def _query_upstream(self, result: ResultT, upstream: t.Any) -> None:
        """Set upstream_version. upstream: the job's client for it. Raises PullThroughError."""

    def _pull(self, result: ResultT) -> None:
        """Pull and verify, and record a failure in the result instead of raising it."""
        result.started = result.started or self._clock()
        try:
            self._pull_and_verify(result)
        except StageError as exc:
            result.fail(exc.stage, exc.cause)
            self._explain_failure(result)
        except Exception as exc:  # pylint: disable=broad-exception-caught  # the other pulls have their results
            result.fail(result.stage, InternalError(exc))
        result.finished = self._clock()

    def _explain_failure(self, result: ResultT) -> None:
        """Query the upstream for what could not be pulled."""
        is_explained = result.stage in PULL_STAGES and isinstance(result.error, self.explained_errors)
        if is_explained and result.job.upstream is not None:
            # The failure stays as it is without this explanation.
            with contextlib.suppress(Exception), result.recording_upstream_error():
                self._query_upstream(result, result.job.upstream)

    def _pull_until_propagated(self, results: list[list[ResultT]], pull: t.Callable[[list[ResultT]], object]) -> None:
        """Pull all, and repeat the direct pulls that are denied until the timeout. Replaces results in the lists.

        A new pull token or role binding is not known to all servers at once.
        """

        def attempt() -> None:
            for job_results in results:
                for index, result in enumerate(job_results):
                    if result.is_denied:
                        result.job.client.reset()
                        job_results[index] = result.new_attempt()
            pull([result for result in itertools.chain(*results) if result.is_pending])
            if any(result.is_denied for result in itertools.chain(*results)):
                raise _DeniedError("A direct pull was denied.")

        with contextlib.suppress(_DeniedError):
            retry_until(
                attempt,
                lambda error: isinstance(error, _DeniedError),
                timeout=self._propagation_timeout,
                sleep=self._sleep,
                clock=self._clock,
            )


def fetch_observed(
    job: PullJob[t.Any], name: str, paths: t.Sequence[str], fetch: t.Callable[[], Fetched], *, uncached: bool
) -> tuple[Fetched, CacheObservation]:
    """Return the result of fetch, and whether it came from upstream. Parameters: see CacheProbe.observe()."""
    if job.cache_probe is None:
        return fetch(), NOT_OBSERVED
    return job.cache_probe.observe(name, paths, fetch, uncached=uncached)


def verify_from_upstream(
    result: PullResult[t.Any],
    candidates: t.Iterable[UncachedCandidate],
    refresh: t.Callable[[CacheProbe], CacheObservation],
) -> None:
    """Observe something that comes from upstream. Raises StageError if that is required and not possible.

    If everything pulled so far was cached, fetch a candidate that is not. If there is none, refresh what can change, so
    that a verification can be repeated forever. A failure of either is always an error: it means that only the cache
    still works.
    """
    job = result.job
    if job.cache_probe is None:
        return
    is_required = job.from_upstream == "required"
    with at_stage("from_upstream"):
        for candidate in candidates:
            if result.observation.from_upstream is not False:
                break
            if job.cache_probe.probe(candidate.paths)[0] is False:
                candidate.fetch()
        if result.observation.from_upstream is False:
            result.observations.append(refresh(job.cache_probe))
        if is_required and not result.observation.from_upstream:
            raise NotFromUpstreamError(result.observation.evidence)
