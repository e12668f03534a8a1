# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine that pulls and verifies artifacts. Private to the collection."""

from __future__ import annotations

import concurrent.futures
import functools
import time
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._cache_probe import (
    CacheObservation,
    CacheProbe,
    NotFetchedError,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._download_errors import DownloadError
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import PullThroughError
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._model import (
    DownloadedFile,
    Release,
    RemoteFile,
    VersionNotFoundError,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._repository_client import RepositoryClient
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._result import (
    ArtifactPullJob,
    ArtifactPullResult,
    ChecksumMismatchError,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._pull_engine import (
    PullEngine,
    StageError,
    UncachedCandidate,
    at_stage,
    fetch_observed,
    verify_from_upstream,
)

# How many versions are passed over for an older one.
_MAX_WITHHELD_VERSIONS = 5
_NOT_FOUND, _CONFLICT = 404, 409
# What Artifactory responds if its upstream does not serve a file.
_NOT_SERVED_STATUSES = (403, _NOT_FOUND, _CONFLICT)
_UNCACHED_SUFFIX = ".verification"
# The reasons for a version that the upstream blocks without naming a policy, and for one that it does not list.
BLOCKED, NOT_LISTED = "BLOCKED", "NOT_LISTED"


class ArtifactPuller(PullEngine[ArtifactPullResult]):
    """Pulls artifacts concurrently. threads: how many at the same time."""

    explained_errors = (*PullEngine.explained_errors, VersionNotFoundError)

    def __init__(
        self,
        threads: int,
        *,
        propagation_timeout: float = 0,
        clock: t.Callable[[], float] = time.monotonic,
        sleep: t.Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(propagation_timeout=propagation_timeout, clock=clock, sleep=sleep)
        self._threads = threads

    def pull(self, jobs: t.Iterable[ArtifactPullJob]) -> list[list[ArtifactPullResult]]:
        """Return the results of each job, in the same order. A failed artifact does not stop the others."""
        results = [[ArtifactPullResult(job=job, artifact=artifact) for artifact in job.artifacts] for job in jobs]
        with concurrent.futures.ThreadPoolExecutor(self._threads) as workers:
            self._pull_until_propagated(results, lambda pending: list(workers.map(self._pull, pending)))
        return results

    def _pull_and_verify(self, result: ArtifactPullResult) -> None:
        release = self._pull_release(result)
        if result.job.upstream is not None:
            self._compare(result, release, result.job.upstream)
        self._verify_from_upstream(result, release)

    def _pull_release(self, result: ArtifactPullResult) -> Release:
        """Pull the version, or if none is requested, the newest one that the upstream does not withhold."""
        find = result.job.find
        with at_stage("index"):
            release = result.release = find(result.job.client, result.artifact)
        # The upstream is queried for the same artifact, even if the pattern matches another one there.
        result.artifact = release.artifact or result.artifact
        while True:
            result.files = []
            try:
                with at_stage("file"):
                    for downloaded in _fetch_all(release, functools.partial(self._fetch, result)):
                        result.files.append(downloaded)
                return release
            except StageError as exc:
                if result.artifact.version or len(result.withheld) == _MAX_WITHHELD_VERSIONS:
                    raise
                reason = self._withheld_reason(result, exc.cause)
                if not reason:
                    raise
                withheld = {**result.withheld, release.version: reason}
                try:
                    release = find(result.job.client, result.artifact, withheld)
                except VersionNotFoundError:
                    raise exc from None
                result.release, result.withheld = release, withheld

    def _withheld_reason(self, result: ArtifactPullResult, error: PullThroughError, *, unlisted: bool = True) -> str:
        """Return why the upstream withholds the file that was requested last; empty if it does not, or is not known.

        The index of Artifactory can be older than the policy that blocks the version. unlisted: whether a version that
        the index of the upstream does not list counts too.
        """
        if not isinstance(error, DownloadError):
            return ""
        if error.is_blocked:
            return error.code
        if result.last_file is None or error.status not in _NOT_SERVED_STATUSES:
            return ""
        if result.job.upstream is None:
            return NOT_LISTED if unlisted and self._leaves_index(result) else ""
        try:
            self._request_directly(result, result.job.upstream)
        except DownloadError as exc:
            if exc.is_blocked or exc.status == _CONFLICT:
                return exc.code or BLOCKED
            is_unlisted = unlisted and exc.status == _NOT_FOUND and self._is_unlisted(result, result.job.upstream)
            return NOT_LISTED if is_unlisted else ""
        except PullThroughError:
            pass
        return ""

    def _leaves_index(self, result: ArtifactPullResult) -> bool:
        """Return whether the version is no longer the newest in the index of Artifactory after that is fetched again."""
        cache_probe, release = result.job.cache_probe, result.release
        if cache_probe is None or release is None:
            return False

        def find() -> Release:
            return result.job.find(result.job.client, result.artifact, result.withheld)

        try:
            observation = cache_probe.refresh(f"The index of {result.artifact.name}", release.index_paths, find)
            is_other = find().version != release.version
        except PullThroughError:
            return False
        if is_other:
            result.observations.append(observation)
        return is_other

    def _is_unlisted(self, result: ArtifactPullResult, upstream: RepositoryClient) -> bool:
        """Return whether the upstream has the artifact, but does not list the version."""
        try:
            result.job.find(upstream, result.artifact._replace(version=result.version))
        except VersionNotFoundError:
            return True
        except PullThroughError:
            pass
        return False

    def _request_directly(self, result: ArtifactPullResult, upstream: RepositoryClient) -> None:
        """Request the last file from the upstream, whose index may not list it. Raises PullThroughError."""
        file = t.cast(RemoteFile, result.last_file)
        upstream.fetch(
            RemoteFile(file.name, result.job.ecosystem.upstream_file_url(upstream.base_url, file.paths[0]), ())
        )

    def _fetch(self, result: ArtifactPullResult, file: RemoteFile, *, uncached: bool = False) -> DownloadedFile:
        """Return a file, and record whether it came from upstream. uncached: see CacheProbe.observe()."""
        result.last_file = file
        downloaded, observation = fetch_observed(
            result.job, file.name, file.paths, lambda: result.job.client.fetch(file), uncached=uncached
        )
        result.observations.append(observation)
        return downloaded

    def _fetch_uncached(self, result: ArtifactPullResult, file: RemoteFile) -> None:
        """Fetch a file of another version, which the cache does not have. A withheld one shows nothing."""
        try:
            self._fetch(result, file, uncached=True)
        except DownloadError as exc:
            if not self._withheld_reason(result, exc, unlisted=False):
                raise
            return
        if result.job.cache_probe is not None and result.observations[-1].from_upstream:
            result.job.cache_probe.discard(file.paths)

    def _query_upstream(self, result: ArtifactPullResult, upstream: RepositoryClient) -> None:
        artifact, is_file = result.artifact, result.stage == "file" and result.last_file is not None
        if is_file:
            artifact = artifact._replace(version=result.version)
        try:
            release = result.job.find(upstream, artifact)
        except VersionNotFoundError:
            if is_file:
                self._request_directly(result, upstream)
            raise
        if is_file and result.last_file is not None:
            for downloaded in _fetch_all(release, upstream.fetch):
                if downloaded.file.name == result.last_file.name:
                    break
        result.upstream_version = release.version

    def _compare(self, result: ArtifactPullResult, release: Release, upstream: RepositoryClient) -> None:
        """Compare version and files with the upstream's. Pull the upstream's version if it is newer.

        A cached index may be older than the upstream's for a while. But if the newer files cannot be pulled, the cache
        masks errors of the upstream.
        """
        with at_stage("upstream"), result.recording_upstream_error():
            upstream_release = result.job.find(upstream, result.artifact, result.withheld)
            result.upstream_version = upstream_release.version
            is_same = upstream_release.version == release.version
            same_version = upstream_release if is_same else _find_version(upstream, result, release.version)
            if same_version is not None:
                self._compare_files(result, same_version, upstream)
        if result.is_outdated:
            with at_stage("outdated"):
                newer = _find_version(result.job.client, result, upstream_release.version)
                for file in newer.files if newer else ():
                    self._fetch(result, file)

    def _compare_files(self, result: ArtifactPullResult, release: Release, upstream: RepositoryClient) -> None:
        """Compare the pulled files with the upstream's. Raises ChecksumMismatchError."""
        comparable = {file.file.name: file for file in result.files if file.file.identical_upstream}
        for upstream_file in _fetch_all(release, upstream.fetch):
            name = upstream_file.file.name
            if name in comparable:
                is_match = upstream_file.digests["sha256"] == comparable[name].digests["sha256"]
                result.matches_upstream[name] = is_match
                if not is_match:
                    raise ChecksumMismatchError(comparable[name].file)

    def _verify_from_upstream(self, result: ArtifactPullResult, release: Release) -> None:
        def refresh(cache_probe: CacheProbe) -> CacheObservation:
            name = f"The index of {result.artifact.name}"
            try:
                return cache_probe.refresh(
                    name, release.index_paths, lambda: result.job.find(result.job.client, result.artifact)
                )
            except NotFetchedError as exc:
                # Some indexes may have another time. A trace of what is in no cache shows what the upstream responds.
                trace = cache_probe.trace(result.files[0].file.paths[0] + _UNCACHED_SUFFIX)
                if not trace.shows_failure:
                    return CacheObservation(False, exc.message)
                response = f"status {trace.status}" if trace.status else "no response"
                raise NotFetchedError(f"{exc.message} The upstream: {response}.", hint=exc.hint) from exc

        candidates = (
            UncachedCandidate(file.paths, functools.partial(self._fetch_uncached, result, file))
            for file in release.fallback_files
        )
        verify_from_upstream(result, candidates, refresh)


def _find_version(client: RepositoryClient, result: ArtifactPullResult, version: str) -> Release | None:
    """Return another version of the artifact; None if the index does not have it."""
    try:
        return result.job.find(client, result.artifact._replace(version=version))
    except VersionNotFoundError:
        return None


def _fetch_all(release: Release, fetch: t.Callable[[RemoteFile], DownloadedFile]) -> t.Iterator[DownloadedFile]:
    """Fetch and yield the files of a release, and the files that they lead to."""
    pending = list(release.files)
    while pending:
        file = pending.pop(0)
        downloaded = fetch(file)
        yield downloaded
        pending += file.next_files(downloaded.body) if file.next_files else ()
