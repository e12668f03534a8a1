# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pulls artifacts through repositories and proves each. Private to the collection."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import time
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._cache_probe import (
    CacheObservation,
    CacheProbe,
    NotFromUpstreamError,
    combine_observations,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._download_errors import DownloadError
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InvalidContentError, PullThroughError
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._model import (
    ArtifactSpec,
    DownloadedFile,
    Release,
    RemoteFile,
    VersionNotFoundError,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._repository_client import RepositoryClient
from ansible_collections.cgr.pull_through.plugins.module_utils._pull_result import pull_until_propagated

# What was being done: reading the index or fetching the files through the repository; asking upstream; fetching through
# the repository what upstream has now; showing that something came from upstream.
Stage = t.Literal["index", "file", "upstream", "outdated", "from_upstream"]


class Ecosystem(t.Protocol):
    """How packages of one kind are named, and where their index and their files are."""

    def parse(self, text: str, architecture: str = "") -> ArtifactSpec:
        """Return the artifact, or raise InputError."""

    def repository_url(self, artifactory_url: str, key: str) -> str:
        """Return the prefix of all URLs of a repository in Artifactory."""

    def base_url(self, repository_url: str) -> str:
        """Return the URL that clients of a repository in Artifactory are configured with."""

    def find(self, client: RepositoryClient, artifact: ArtifactSpec) -> Release:
        """Return the release. Raises VersionNotFoundError, and the exceptions of RepositoryClient.get_document()."""


class ChecksumMismatchError(PullThroughError):
    """A file that is another one upstream."""

    def __init__(self, file: str) -> None:
        super().__init__(f"{file} has another checksum than upstream's, though both are what their index promises.")


@dataclasses.dataclass(frozen=True)
class PullJob:
    """The artifacts of one repository, and how to prove them. package_type is that of the ecosystem."""

    package_type: str
    ecosystem: Ecosystem
    site: RepositoryClient
    artifacts: t.Sequence[ArtifactSpec]
    repository: str = ""
    from_upstream: t.Literal["ignored", "preferred", "required"] = "ignored"
    evict: bool = False
    upstream: RepositoryClient | None = None
    cache_probe: CacheProbe | None = None


@dataclasses.dataclass
class PullResult:
    """One artifact, and what came of it. started and finished are seconds of the clock; artifacts overlap in time.

    error and stage: what did not work, and at what; no error means that all of it did. at: the file that it was at.
    compared: whether files are the same upstream, by their names.
    """

    batch: PullJob
    artifact: ArtifactSpec
    release: Release | None = None
    files: list[DownloadedFile] = dataclasses.field(default_factory=list)
    upstream_version: str | None = None
    upstream_error: PullThroughError | None = None
    compared: dict[str, bool] = dataclasses.field(default_factory=dict)
    observations: list[CacheObservation] = dataclasses.field(default_factory=list)
    started: float = 0.0
    finished: float = 0.0
    stage: Stage = "index"
    at: RemoteFile | None = None
    error: PullThroughError | None = None

    @property
    def is_direct(self) -> bool:
        """Whether it is pulled from upstream with credentials, without a repository of Artifactory."""
        return not self.batch.repository and not self.batch.site.credentials.is_anonymous

    def new_attempt(self) -> PullResult:
        """Return an empty result for another attempt."""
        self.batch.site.reset()
        return PullResult(self.batch, self.artifact, started=self.started)

    @property
    def is_outdated(self) -> bool | None:
        """Whether upstream has another version as its newest; None when that was not compared."""
        if self.release is None or self.upstream_version is None:
            return None
        return self.release.version != self.upstream_version

    @property
    def observation(self) -> CacheObservation:
        """What can be said of all files."""
        return combine_observations(self.observations)


class Puller:
    """Pulls artifacts, several at the same time."""

    def __init__(
        self,
        threads: int,
        *,
        propagation_timeout: float = 0,
        clock: t.Callable[[], float] = time.monotonic,
        sleep: t.Callable[[float], None] = time.sleep,
    ) -> None:
        self._threads = threads
        self._propagation_timeout = propagation_timeout
        self._clock = clock
        self._sleep = sleep

    def pull(self, batches: t.Iterable[PullJob]) -> list[list[PullResult]]:
        """Return the outcomes of each batch, in the order given. What fails does not stop the others."""
        outcomes = [[PullResult(batch, artifact) for artifact in batch.artifacts] for batch in batches]
        with concurrent.futures.ThreadPoolExecutor(self._threads) as pool:
            pull_until_propagated(
                outcomes,
                lambda pending: list(pool.map(self._pull, pending)),
                timeout=self._propagation_timeout,
                sleep=self._sleep,
                clock=self._clock,
            )
        return outcomes

    def _pull(self, outcome: PullResult) -> None:
        outcome.started = outcome.started or self._clock()
        try:
            outcome.release = outcome.batch.ecosystem.find(outcome.batch.site, outcome.artifact)
            # Upstream is asked for the same one, whatever is the smallest there.
            outcome.artifact = outcome.release.artifact or outcome.artifact
            outcome.stage = "file"
            for fetched in _all_files(outcome.release, lambda file: self._fetch_observed(outcome, file)):
                outcome.files.append(fetched)
            if outcome.batch.upstream is not None:
                self._compare(outcome, outcome.release, outcome.batch.upstream)
            self._prove(outcome, outcome.release)
        except PullThroughError as exc:
            outcome.error = exc
            if outcome.stage in ("index", "file") and isinstance(
                exc, (DownloadError, InvalidContentError, VersionNotFoundError)
            ):
                self._ask_upstream(outcome)
        outcome.finished = self._clock()

    def _fetch_observed(self, outcome: PullResult, file: RemoteFile, *, uncached: bool = False) -> DownloadedFile:
        """Fetch a file, and note whether it came from upstream. uncached: see Witness.watch."""
        outcome.at = file
        site, cache_probe = outcome.batch.site, outcome.batch.cache_probe
        if cache_probe is None:
            return site.fetch(file)
        fetched, observation = cache_probe.observe(file.name, file.paths, lambda: site.fetch(file), uncached=uncached)
        outcome.observations.append(observation)
        return fetched

    def _ask_upstream(self, outcome: PullResult) -> None:
        """Ask upstream for what did not come through the repository, only to explain why."""
        upstream = outcome.batch.upstream
        if upstream is None:
            return
        try:
            release = outcome.batch.ecosystem.find(upstream, outcome.artifact)
            if outcome.stage == "file" and outcome.at is not None:
                for fetched in _all_files(release, upstream.fetch):
                    if fetched.file.name == outcome.at.name:
                        break
            outcome.upstream_version = release.version
        except PullThroughError as exc:
            outcome.upstream_error = exc

    def _compare(self, outcome: PullResult, release: Release, upstream: RepositoryClient) -> None:
        """Compare version and files with upstream's.

        An index in a cache may be older than upstream's for a while. That what it lacks cannot be had through the
        repository may not: then the cache hides errors of upstream.
        """
        outcome.stage = "upstream"
        try:
            found = outcome.batch.ecosystem.find(upstream, outcome.artifact)
            outcome.upstream_version = found.version
            same = found if not outcome.is_outdated else self._listed(upstream, outcome, release.version)
            if same is not None:
                self._compare_files(outcome, same, upstream)
        except PullThroughError as exc:
            outcome.upstream_error = exc
            raise
        if outcome.is_outdated:
            outcome.stage = "outdated"
            newer = self._listed(outcome.batch.site, outcome, found.version)
            for file in newer.files if newer else ():
                self._fetch_observed(outcome, file)

    def _listed(self, site: RepositoryClient, outcome: PullResult, version: str) -> Release | None:
        """Return another version of the artifact; None if the index does not have it, or has it no more."""
        try:
            return outcome.batch.ecosystem.find(site, dataclasses.replace(outcome.artifact, version=version))
        except VersionNotFoundError:
            return None

    def _compare_files(self, outcome: PullResult, found: Release, upstream: RepositoryClient) -> None:
        """Fetch from upstream the files that came through, and raise Differs for one that is not the same."""
        ours = {fetched.file.name: fetched for fetched in outcome.files if fetched.file.identical_upstream}
        for theirs in _all_files(found, upstream.fetch):
            name = theirs.file.name
            if name in ours:
                outcome.compared[name] = theirs.digests["sha256"] == ours[name].digests["sha256"]
                if not outcome.compared[name]:
                    outcome.at = ours[name].file
                    raise ChecksumMismatchError(name)

    def _prove(self, outcome: PullResult, release: Release) -> None:
        """Find something that comes from upstream during this run; raise NotFresh when it is required.

        What is not in the cache and cannot be fetched is an error in any case: only the cache still works then.
        """
        if outcome.batch.cache_probe is None:
            return
        outcome.stage = "from_upstream"
        self._fetch_uncached(outcome, release, outcome.batch.cache_probe)
        if outcome.batch.from_upstream == "required" and not outcome.observation.from_upstream:
            raise NotFromUpstreamError(outcome.observation.evidence)

    def _fetch_uncached(self, outcome: PullResult, release: Release, cache_probe: CacheProbe) -> None:
        for spare in release.fallback_files:
            if outcome.observation.from_upstream is not False:
                return
            if cache_probe.probe(spare.paths)[0] is False:
                self._fetch_observed(outcome, spare, uncached=True)
        if (
            outcome.observation.from_upstream is False
            and outcome.batch.evict
            and outcome.batch.from_upstream == "required"
        ):
            file = outcome.files[0].file
            cache_probe.evict(next((path for path in file.paths if cache_probe.probe([path])[0]), file.paths[0]))
            self._fetch_observed(outcome, file)


def _all_files(release: Release, fetch: t.Callable[[RemoteFile], DownloadedFile]) -> t.Iterator[DownloadedFile]:
    """Fetch and yield the files of a release, and those that they lead to."""
    pending = list(release.files)
    while pending:
        file = pending.pop(0)
        fetched = fetch(file)
        yield fetched
        pending += file.next_files(fetched.body) if file.next_files else ()
