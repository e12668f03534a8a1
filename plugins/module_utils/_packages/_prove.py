# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pulls artifacts through repositories and proves each. Private to the collection."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import itertools
import time
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import PullThroughError, Unusable
from ansible_collections.cgr.pull_through.plugins.module_utils._exchange import DownloadRefused
from ansible_collections.cgr.pull_through.plugins.module_utils._fresh import (
    NotFresh,
    Sighting,
    Witness,
    strongest,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._artifact import (
    Artifact,
    Fetched,
    File,
    Release,
    VersionMissing,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._site import Site

# What was being done: reading the index or fetching the files through the repository; asking upstream; fetching through
# the repository what upstream has now; showing that something came from upstream.
Stage = t.Literal["index", "file", "upstream", "outdated", "fresh"]


class Ecosystem(t.Protocol):
    """How packages of one kind are named, and where their index and their files are."""

    def parse(self, text: str, architecture: str = "") -> Artifact:
        """Return the artifact, or raise InputError."""

    def home(self, base: str, key: str) -> str:
        """Return what the URLs of a repository in Artifactory begin with."""

    def root(self, home: str) -> str:
        """Return the URL that a client is configured with, for a repository in Artifactory."""

    def find(self, site: Site, artifact: Artifact) -> Release:
        """Return the release. Raises VersionMissing, and what Site raises."""


class Differs(PullThroughError):
    """A file that is another one upstream."""

    def __init__(self, file: str) -> None:
        super().__init__(f"{file} has another checksum than upstream's, though both are what their index promises.")


@dataclasses.dataclass(frozen=True)
class Batch:
    """The artifacts of one repository, and how to prove them. package_type is that of the ecosystem."""

    package_type: str
    ecosystem: Ecosystem
    site: Site
    artifacts: t.Sequence[Artifact]
    repository: str = ""
    fresh: t.Literal["ignored", "preferred", "required"] = "ignored"
    evict: bool = False
    upstream: Site | None = None
    witness: Witness | None = None


@dataclasses.dataclass
class Outcome:
    """One artifact, and what came of it. started and finished are seconds of the clock; artifacts overlap in time.

    error and stage: what did not work, and at what; no error means that all of it did. at: the file that it was at.
    compared: whether files are the same upstream, by their names.
    """

    batch: Batch
    artifact: Artifact
    release: Release | None = None
    files: list[Fetched] = dataclasses.field(default_factory=list)
    upstream_version: str | None = None
    upstream_error: PullThroughError | None = None
    compared: dict[str, bool] = dataclasses.field(default_factory=dict)
    sightings: list[Sighting] = dataclasses.field(default_factory=list)
    started: float = 0.0
    finished: float = 0.0
    stage: Stage = "index"
    at: File | None = None
    error: PullThroughError | None = None

    @property
    def stale(self) -> bool | None:
        """Whether upstream has another version as its newest; None when that was not compared."""
        if self.release is None or self.upstream_version is None:
            return None
        return self.release.version != self.upstream_version

    @property
    def sighting(self) -> Sighting:
        """What can be said of all files."""
        return strongest(self.sightings)


class Prover:
    """Pulls artifacts, several at the same time."""

    def __init__(self, threads: int, *, clock: t.Callable[[], float] = time.monotonic) -> None:
        self._threads = threads
        self._clock = clock

    def pull(self, batches: t.Iterable[Batch]) -> list[list[Outcome]]:
        """Return the outcomes of each batch, in the order given. What fails does not stop the others."""
        outcomes = [[Outcome(batch, artifact) for artifact in batch.artifacts] for batch in batches]
        with concurrent.futures.ThreadPoolExecutor(self._threads) as pool:
            list(pool.map(self._pull, itertools.chain.from_iterable(outcomes)))
        return outcomes

    def _pull(self, outcome: Outcome) -> None:
        outcome.started = self._clock()
        try:
            outcome.release = outcome.batch.ecosystem.find(outcome.batch.site, outcome.artifact)
            # Upstream is asked for the same one, whatever is the smallest there.
            outcome.artifact = outcome.release.artifact or outcome.artifact
            outcome.stage = "file"
            for fetched in _all_files(outcome.release, lambda file: self._watched(outcome, file)):
                outcome.files.append(fetched)
            if outcome.batch.upstream is not None:
                self._compare(outcome, outcome.release, outcome.batch.upstream)
            self._prove(outcome, outcome.release)
        except PullThroughError as exc:
            outcome.error = exc
            if outcome.stage in ("index", "file") and isinstance(exc, (DownloadRefused, Unusable, VersionMissing)):
                self._ask_upstream(outcome)
        outcome.finished = self._clock()

    def _watched(self, outcome: Outcome, file: File, *, uncached: bool = False) -> Fetched:
        """Fetch a file, and note whether it came from upstream. uncached: see Witness.watch."""
        outcome.at = file
        site, witness = outcome.batch.site, outcome.batch.witness
        if witness is None:
            return site.fetch(file)
        fetched, sighting = witness.watch(file.name, file.paths, lambda: site.fetch(file), uncached=uncached)
        outcome.sightings.append(sighting)
        return fetched

    def _ask_upstream(self, outcome: Outcome) -> None:
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

    def _compare(self, outcome: Outcome, release: Release, upstream: Site) -> None:
        """Compare version and files with upstream's.

        An index in a cache may be older than upstream's for a while. That what it lacks cannot be had through the
        repository may not: then the cache hides errors of upstream.
        """
        outcome.stage = "upstream"
        try:
            found = outcome.batch.ecosystem.find(upstream, outcome.artifact)
            outcome.upstream_version = found.version
            same = found if not outcome.stale else self._listed(upstream, outcome, release.version)
            if same is not None:
                self._compare_files(outcome, same, upstream)
        except PullThroughError as exc:
            outcome.upstream_error = exc
            raise
        if outcome.stale:
            outcome.stage = "outdated"
            newer = self._listed(outcome.batch.site, outcome, found.version)
            for file in newer.files if newer else ():
                self._watched(outcome, file)

    def _listed(self, site: Site, outcome: Outcome, version: str) -> Release | None:
        """Return another version of the artifact; None if the index does not have it, or has it no more."""
        try:
            return outcome.batch.ecosystem.find(site, dataclasses.replace(outcome.artifact, version=version))
        except VersionMissing:
            return None

    def _compare_files(self, outcome: Outcome, found: Release, upstream: Site) -> None:
        """Fetch from upstream the files that came through, and raise Differs for one that is not the same."""
        ours = {fetched.file.name: fetched for fetched in outcome.files if fetched.file.fixed}
        for theirs in _all_files(found, upstream.fetch):
            name = theirs.file.name
            if name in ours:
                outcome.compared[name] = theirs.digests["sha256"] == ours[name].digests["sha256"]
                if not outcome.compared[name]:
                    outcome.at = ours[name].file
                    raise Differs(name)

    def _prove(self, outcome: Outcome, release: Release) -> None:
        """Find something that comes from upstream during this run; raise NotFresh when it is required.

        What is not in the cache and cannot be fetched is an error in any case: only the cache still works then.
        """
        if outcome.batch.witness is None:
            return
        outcome.stage = "fresh"
        self._fetch_uncached(outcome, release, outcome.batch.witness)
        if outcome.batch.fresh == "required" and not outcome.sighting.fresh:
            raise NotFresh(outcome.sighting.evidence)

    def _fetch_uncached(self, outcome: Outcome, release: Release, witness: Witness) -> None:
        for spare in release.spares:
            if outcome.sighting.fresh is not False:
                return
            if witness.look(spare.paths)[0] is False:
                self._watched(outcome, spare, uncached=True)
        if outcome.sighting.fresh is False and outcome.batch.evict and outcome.batch.fresh == "required":
            file = outcome.files[0].file
            witness.evict(next((path for path in file.paths if witness.look([path])[0]), file.paths[0]))
            self._watched(outcome, file)


def _all_files(release: Release, fetch: t.Callable[[File], Fetched]) -> t.Iterator[Fetched]:
    """Fetch and yield the files of a release, and those that they lead to."""
    pending = list(release.files)
    while pending:
        file = pending.pop(0)
        fetched = fetch(file)
        yield fetched
        pending += file.leads_to(fetched.body) if file.leads_to else ()
