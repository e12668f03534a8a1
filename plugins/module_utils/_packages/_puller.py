# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine that pulls and verifies artifacts. Private to the collection."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import functools
import time
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._cache_probe import CacheProbe
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
    UncachedCandidate,
    at_stage,
    fetch_observed,
    verify_from_upstream,
)


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
        with at_stage("index"):
            release = result.release = result.job.ecosystem.find(result.job.client, result.artifact)
        # The upstream is queried for the same artifact, even if the pattern matches another one there.
        result.artifact = release.artifact or result.artifact
        with at_stage("file"):
            for downloaded in _fetch_all(release, functools.partial(self._fetch, result)):
                result.files.append(downloaded)
        if result.job.upstream is not None:
            self._compare(result, release, result.job.upstream)
        self._verify_from_upstream(result, release)

    def _fetch(self, result: ArtifactPullResult, file: RemoteFile, *, uncached: bool = False) -> DownloadedFile:
        """Return a file, and record whether it came from upstream. uncached: see CacheProbe.observe()."""
        result.last_file = file
        downloaded, observation = fetch_observed(
            result.job, file.name, file.paths, lambda: result.job.client.fetch(file), uncached=uncached
        )
        result.observations.append(observation)
        return downloaded

    def _query_upstream(self, result: ArtifactPullResult, upstream: RepositoryClient) -> None:
        release = result.job.ecosystem.find(upstream, result.artifact)
        if result.stage == "file" and result.last_file is not None:
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
            upstream_release = result.job.ecosystem.find(upstream, result.artifact)
            result.upstream_version = upstream_release.version
            same_version = _find_version(upstream, result, release.version) if result.is_outdated else upstream_release
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
        def evict_and_fetch(cache_probe: CacheProbe) -> None:
            file = result.files[0].file
            cache_probe.evict(next((path for path in file.paths if cache_probe.probe([path])[0]), file.paths[0]))
            self._fetch(result, file)

        candidates = (
            UncachedCandidate(file.paths, functools.partial(self._fetch, result, file, uncached=True))
            for file in release.fallback_files
        )
        verify_from_upstream(result, candidates, evict_and_fetch)


def _find_version(client: RepositoryClient, result: ArtifactPullResult, version: str) -> Release | None:
    """Return another version of the artifact; None if the index does not have it."""
    try:
        return result.job.ecosystem.find(client, dataclasses.replace(result.artifact, version=version))
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
