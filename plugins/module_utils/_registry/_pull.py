# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pulls images through repositories and proves each. Private to the collection.

All manifests come first and then all blobs, the largest first, over one pool of threads, so that no thread waits for the
turn of an image or of a repository. What two images of a repository share is fetched once.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import itertools
import threading
import time
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
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InvalidContentError, PullThroughError
from ansible_collections.cgr.pull_through.plugins.module_utils._pull_result import pull_until_propagated
from ansible_collections.cgr.pull_through.plugins.module_utils._rate_limit import LimitExceededError, Limits
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._cache_paths import (
    manifest_paths,
    path_to_evict,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._checkpoint import Checkpoint, CheckpointEntry
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._client import Registry
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._manifest import Descriptor, Manifest
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._platforms import Platform, select_platforms
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._reference import Reference
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._referrers import find_referrers

_MAX_INDEX_DEPTH = 4

# What was being done: fetching manifests or blobs of the image, or what refers to it; asking upstream; fetching through
# the repository what upstream has now, or the digest that the user pinned; showing that something came from upstream.
Stage = t.Literal["manifest", "blob", "referrer", "upstream", "outdated", "pinned", "from_upstream"]

_Endpoint = tuple[str, Credentials]
_ManifestKey = tuple[_Endpoint, str, str, bool]
_BlobKey = tuple[_Endpoint, str, str]

Key = t.TypeVar("Key", bound=t.Hashable)
Value = t.TypeVar("Value")
Item = t.TypeVar("Item")


@dataclasses.dataclass(frozen=True)
class Settings:
    """What to do with each image. platforms is None for all.

    referrers: whether to pull what refers to an image as well. canary: whether to try the others only after the first.
    propagation_timeout: seconds for which direct pulls that are denied are tried again.
    """

    depth: t.Literal["resolve", "manifest", "image"] = "image"
    platforms: tuple[Platform, ...] | None = None
    threads: int = 12
    referrers: bool = False
    canary: bool = False
    propagation_timeout: float = 0


@dataclasses.dataclass(frozen=True)
class PullJob:
    """The images of one repository, and how to prove them. repository is empty for a registry without keys."""

    registry: Registry
    references: t.Sequence[Reference]
    repository: str = ""
    from_upstream: t.Literal["ignored", "preferred", "required"] = "ignored"
    evict: bool = False
    upstream: Registry | None = None
    cache_probe: CacheProbe | None = None


@dataclasses.dataclass(slots=True)
class PullResult:
    """One image, and what came of it. started and finished are seconds of the clock; images overlap in time.

    error and stage: what did not work, and at what; no error means that all of it did.
    layers, foreign_layers, bytes: what the image has, whoever fetched it first.
    artifact_type: what it is, if it is no image; empty if it is one, or if that is not known.
    referrers: how many signatures and the like were found; None if nobody looked.
    number: its place among all images of the run. direct: whether upstream is asked in the place of the repository.
    """

    batch: PullJob
    reference: Reference
    number: int = 0
    direct: bool = False
    root: Manifest | None = None
    upstream_digest: str | None = None
    upstream_error: PullThroughError | None = None
    observations: list[CacheObservation] = dataclasses.field(default_factory=list)
    platforms: dict[str, str] = dataclasses.field(default_factory=dict)
    artifact_type: str = ""
    layers: int = 0
    foreign_layers: int = 0
    bytes: int = 0
    referrers: int | None = None
    started: float = 0.0
    finished: float = 0.0
    stage: Stage = "manifest"
    error: PullThroughError | None = None

    @property
    def is_direct(self) -> bool:
        """Whether it is pulled from a registry with credentials, without a repository of Artifactory."""
        return not self.batch.repository and not self.batch.registry.login.is_anonymous

    def new_attempt(self) -> PullResult:
        """Return an empty result for another attempt, for which the registry is logged in to again."""
        self.registry.reset()
        return PullResult(self.batch, self.reference, self.number, self.direct, started=self.started)

    @property
    def registry(self) -> Registry:
        """What to ask for it."""
        return self.batch.upstream if self.direct and self.batch.upstream is not None else self.batch.registry

    @property
    def name(self) -> str:
        """What that calls it: with the repository key before it."""
        return self.reference.name if self.direct else self.through

    @property
    def through(self) -> str:
        """What it is called through the repository."""
        return "/".join(filter(None, (self.batch.repository, self.reference.name)))

    @property
    def is_outdated(self) -> bool | None:
        """Whether the repository has another digest for the tag than upstream; None when that was not compared."""
        if self.root is None or self.upstream_digest is None:
            return None
        return self.root.digest != self.upstream_digest

    @property
    def observation(self) -> CacheObservation:
        """What can be said of the whole image."""
        return combine_observations(self.observations)


@dataclasses.dataclass(frozen=True)
class _ResolvedImage:
    """What hangs on an image's first manifest.

    platforms: digests by the name of the platform. images: the manifests that have layers. blobs: still to be fetched.
    children: all images of an index, those that are pulled first, then the others by size.
    """

    platforms: dict[str, str]
    images: tuple[Manifest, ...] = ()
    blobs: tuple[Descriptor, ...] = ()
    children: tuple[Descriptor, ...] = ()


def _all_blobs(manifests: t.Iterable[Manifest]) -> tuple[Descriptor, ...]:
    return tuple(blob for one in manifests for blob in (one.config, *one.layers) if blob is not None)


@dataclasses.dataclass
class _Progress:
    """How far a run is. of: how many images there are. known: how many blobs are needed, as far as that is known."""

    images: int = 0
    of: int = 0
    blobs: int = 0
    known: int = 0
    bytes: int = 0


class _BlobConsumer(t.NamedTuple):
    """An image that needs a blob, the stage that it needs it for, and the digest that its reference led to."""

    outcome: PullResult
    stage: Stage
    root: str


@dataclasses.dataclass(slots=True)
class _BlobDownload:
    """A blob to fetch, and who needs it."""

    registry: Registry
    name: str
    descriptor: Descriptor
    users: list[_BlobConsumer] = dataclasses.field(default_factory=list)
    begun: bool = False

    def entries(self) -> t.Iterator[CheckpointEntry]:
        """Yield what is proved when the blob has come."""
        for outcome, _stage, root in self.users:
            repository = f"{outcome.batch.registry.host}/{outcome.through}"
            yield CheckpointEntry(repository, outcome.reference.selector, root, self.descriptor.digest)


class SingleFlight(t.Generic[Key, Value]):
    """Works out each key's value once, however many threads ask; the others wait. A failure is kept as well."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[Key, Value] = {}
        self._futures: dict[Key, concurrent.futures.Future[Value]] = {}

    def get(self, key: Key, work: t.Callable[[], Value]) -> Value:
        """Return the value of a key, or raise what its work raised."""
        with self._lock:
            if key in self._values:
                return self._values[key]
            first = key not in self._futures
            future = self._futures.setdefault(key, concurrent.futures.Future())
        if first:
            try:
                value = work()
            except BaseException as exc:  # pylint: disable=broad-exception-caught  # the threads that wait get it too
                future.set_exception(exc)
            else:
                future.set_result(value)
                # A future is a hundred times larger than what it holds, once nobody waits for it any more.
                with self._lock:
                    self._values[key] = value
                    del self._futures[key]
        return future.result()


class WorkerPool:
    """Threads that share work. They stay until close(), since each keeps its connections."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._pool = concurrent.futures.ThreadPoolExecutor(threads)

    def run(self, work: t.Callable[[Item], None], items: t.Iterable[Item]) -> None:
        """Do work for each item, in order. Unlike an executor's map, this holds nothing for each item."""
        pending, lock = iter(items), threading.Lock()

        def take_turns() -> None:
            while True:
                with lock:
                    found = next(pending, None)
                if found is None:
                    return
                work(found)

        for worker in [self._pool.submit(take_turns) for _thread in range(self._threads)]:
            worker.result()

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()


class Puller:
    """Pulls images. An object is good for one run, as it remembers what it has fetched.

    resume: what was proved in an earlier run and is not fetched again.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        limits: Limits | None = None,
        resume: Checkpoint | None = None,
        clock: t.Callable[[], float] = time.monotonic,
        sleep: t.Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        self._limits = limits or Limits()
        self._resume = resume or Checkpoint()
        self._clock = clock
        self._sleep = sleep
        self._manifests: SingleFlight[_ManifestKey, tuple[Manifest, CacheObservation]] = SingleFlight()
        self._platforms: SingleFlight[_BlobKey, Platform] = SingleFlight()
        self._blobs: dict[_BlobKey, _BlobDownload] = {}
        self._lock = threading.Lock()
        self._done = _Progress()

    def pull(self, batches: t.Iterable[PullJob]) -> list[list[PullResult]]:
        """Return the outcomes of each batch, in the order given. What fails does not stop the others."""
        outcomes = self._create_results(batches)
        with contextlib.closing(WorkerPool(self._settings.threads)) as crew:
            pull_until_propagated(
                outcomes,
                lambda pending: self._pull_canary_first(crew, pending),
                timeout=self._settings.propagation_timeout,
                sleep=self._sleep,
                clock=self._clock,
            )
        # Thousands of images are reported next, and need the memory.
        self._manifests, self._blobs = SingleFlight(), {}
        return outcomes

    def _pull_canary_first(self, crew: WorkerPool, every: list[PullResult]) -> None:
        # Failures are kept too, which a retry must not find.
        self._manifests, self._platforms, self._blobs = SingleFlight(), SingleFlight(), {}
        if self._settings.canary:
            canary, *every = every
            self._pull_all(crew, [canary])
            if canary.error is not None and not isinstance(canary.error, LimitExceededError):
                for outcome in every:
                    outcome.error = SkippedError(canary.error, "the first image, which is the canary, failed")
                return
        self._pull_all(crew, every)

    def dry_run(self, batches: t.Iterable[PullJob]) -> list[list[PullResult]]:
        """Return outcomes as upstream's manifests alone foretell them. All batches must have an upstream."""
        outcomes = self._create_results(batches, direct=True)
        with contextlib.closing(WorkerPool(self._settings.threads)) as crew:
            crew.run(self._pull_manifests, itertools.chain.from_iterable(outcomes))
        return outcomes

    def wanted(self) -> list[Descriptor]:
        """Return the blobs that are known to be needed, and were not fetched yet."""
        return [blob.descriptor for blob in self._wanted()]

    def progress(self) -> str:
        """Return how far the work is, in a line."""
        done = self._done
        if not done.of:
            return "begun"
        blobs = f"{done.blobs} of {done.known} known layers and configurations" if done.known else "no layers yet"
        return f"manifests of {done.images} of {done.of} images; {blobs}, {done.bytes / 1e6:.1f} MB"

    def _create_results(self, batches: t.Iterable[PullJob], *, direct: bool = False) -> list[list[PullResult]]:
        numbers = itertools.count()
        outcomes = [
            [PullResult(batch, reference, next(numbers), direct) for reference in batch.references] for batch in batches
        ]
        self._done.of = sum(map(len, outcomes))
        return outcomes

    def _pull_all(self, crew: WorkerPool, outcomes: list[PullResult]) -> None:
        crew.run(self._pull_manifests, outcomes)
        crew.run(self._fetch, self._wanted())

    def _wanted(self) -> list[_BlobDownload]:
        """Return the blobs that are still to be fetched, in the order in which to do so."""
        known = [blob for blob in self._blobs.values() if not blob.begun]
        wanted = [blob for blob in known if not all(map(self._resume.knows, blob.entries()))]
        for blob in known:
            blob.begun = True
        self._done.blobs += len(known) - len(wanted)
        # The largest first, so that none is left alone at the end; but image for image if the run may end before that.
        in_turn = self._limits.is_bounded
        return sorted(wanted, key=lambda blob: (blob.users[0].outcome.number if in_turn else 0, -blob.descriptor.size))

    def _pull_manifests(self, outcome: PullResult) -> None:
        outcome.started = outcome.started or self._clock()
        try:
            self._limits.reserve()
            tree = self._pull_image(outcome)
            self._compare(outcome)
            self._prove(outcome, tree)
            self._pull_referrers(outcome)
        except PullThroughError as exc:
            outcome.error = exc
            if outcome.direct:
                outcome.stage = "upstream"
            elif outcome.stage == "manifest" and isinstance(exc, (DownloadError, InvalidContentError)):
                self._ask_upstream(outcome)
        outcome.finished = self._clock()
        with self._lock:
            self._done.images += 1

    def _pull_image(self, outcome: PullResult) -> _ResolvedImage:
        root = outcome.root = self._manifest(outcome, outcome.reference.selector)
        tree = self._tree(outcome, root)
        outcome.platforms = tree.platforms
        outcome.artifact_type = next(filter(None, (manifest.artifact_type for manifest in (root, *tree.images))), "")
        layers = [layer for image in tree.images for layer in image.layers]
        outcome.layers, outcome.foreign_layers = len(layers), sum(layer.is_foreign for layer in layers)
        manifests = {manifest.digest: manifest.size for manifest in (root, *tree.images)}
        configs = [image.config.size for image in tree.images if image.config is not None]
        outcome.bytes = (
            sum(manifests.values()) + sum(configs) + sum(layer.size for layer in layers if not layer.is_foreign)
        )
        self._enqueue_blobs(outcome, root, tree.blobs, "blob")
        return tree

    def _manifest(
        self, outcome: PullResult, reference: str, expected: Descriptor | None = None, *, uncached: bool = False
    ) -> Manifest:
        """Return a manifest, fetched once in the run, and note whether it came from upstream.

        uncached: whether a look has just shown that it is not in the cache.
        """
        key = (outcome.registry.endpoint, outcome.name, reference, outcome.batch.cache_probe is not None)
        manifest, observation = self._manifests.get(
            key, lambda: self._fetch_observed(outcome, reference, expected, uncached=uncached)
        )
        outcome.observations.append(observation)
        return manifest

    def _fetch_observed(
        self, outcome: PullResult, reference: str, expected: Descriptor | None, *, uncached: bool = False
    ) -> tuple[Manifest, CacheObservation]:
        def fetch() -> Manifest:
            if self._settings.depth == "resolve":
                return outcome.registry.resolve(outcome.name, reference)
            return outcome.registry.manifest(outcome.name, reference, expected)

        cache_probe = outcome.batch.cache_probe
        if cache_probe is None:
            return fetch(), NOT_OBSERVED
        image = outcome.reference.name
        paths = manifest_paths(image, reference, expected)
        return cache_probe.observe(f"{image} {reference}", paths, fetch, uncached=uncached)

    def _tree(self, outcome: PullResult, root: Manifest) -> _ResolvedImage:
        """Return what hangs on a manifest, for the wanted platforms and to the wanted depth. Raises PlatformMissing."""
        whole = self._settings.depth == "image"
        if self._settings.depth == "resolve":
            return _ResolvedImage({})
        if not root.is_index:
            return self._single(outcome, root) if whole else _ResolvedImage({})
        children = self._children(outcome, root, {root.digest})
        runnable = [(child.platform, child) for child in children if child.platform and child.runnable]
        plain = [child for child in children if child.platform is None]
        if plain and not runnable:
            return self._artifacts(outcome, plain) if whole else _ResolvedImage({}, children=tuple(plain))
        chosen = select_platforms(runnable, self._settings.platforms)
        others = sorted((child for child in children if child not in chosen.values()), key=lambda child: child.size)
        images = tuple(self._manifest(outcome, child.digest, child) for child in chosen.values()) if whole else ()
        blobs = _all_blobs(images)
        platforms = {name: child.digest for name, child in chosen.items()}
        return _ResolvedImage(platforms, images, blobs, (*chosen.values(), *others))

    def _artifacts(self, outcome: PullResult, entries: t.Sequence[Descriptor]) -> _ResolvedImage:
        """Return the tree of an index of things that have no platform. Raises PlatformMissing for one of images."""
        manifests = tuple(self._manifest(outcome, entry.digest, entry) for entry in entries)
        if not all(manifest.artifact_type for manifest in manifests):
            select_platforms([], self._settings.platforms)
        return _ResolvedImage({}, manifests, _all_blobs(manifests), tuple(entries))

    def _single(self, outcome: PullResult, image: Manifest) -> _ResolvedImage:
        """Return the tree of a manifest without an index. Its platform is told by its configuration alone."""
        config = image.config
        if config is None or not config.is_image_config:
            return _ResolvedImage({}, (image,), _all_blobs([image]))
        key = (outcome.registry.endpoint, outcome.name, config.digest)
        platform = self._platforms.get(key, lambda: Platform.of(outcome.registry.config(outcome.name, config)))
        chosen = select_platforms([(platform, image.digest)], self._settings.platforms)
        return _ResolvedImage(chosen, (image,), image.layers)

    def _children(self, outcome: PullResult, index: Manifest, seen: set[str], depth: int = 1) -> list[Descriptor]:
        """Return the entries of an index, with those of the indexes in it in their place."""
        if depth > _MAX_INDEX_DEPTH:
            url = f"{outcome.registry.base_url}/v2/{outcome.name}/manifests/{index.digest}"
            raise InvalidContentError("content", f"indexes are nested more than {_MAX_INDEX_DEPTH} deep.", url=url)
        found: list[Descriptor] = []
        for entry in index.entries:
            if entry.digest in seen:
                continue
            seen.add(entry.digest)
            if entry.is_index:
                found += self._children(outcome, self._manifest(outcome, entry.digest, entry), seen, depth + 1)
            else:
                found.append(entry)
        return found

    def _enqueue_blobs(self, outcome: PullResult, root: Manifest, blobs: t.Iterable[Descriptor], stage: Stage) -> None:
        with self._lock:
            for blob in blobs:
                if not blob.is_foreign:
                    new = _BlobDownload(outcome.registry, outcome.name, blob)
                    listed = self._blobs.setdefault((outcome.registry.endpoint, outcome.name, blob.digest), new)
                    self._done.known += listed is new
                    listed.users.append(_BlobConsumer(outcome, stage, root.digest))

    def _fetch(self, blob: _BlobDownload) -> None:
        error: PullThroughError | None = None
        try:
            self._limits.reserve(blob.descriptor.size)
            blob.registry.blob(blob.name, blob.descriptor)
        except PullThroughError as exc:
            error = exc
        else:
            for entry in blob.entries():
                self._resume.add(entry)
        with self._lock:
            self._done.blobs += 1
            self._done.bytes += blob.descriptor.size if error is None else 0
            for outcome, stage, _root in blob.users:
                outcome.finished = self._clock()
                if error is not None and (
                    outcome.error is None or isinstance(outcome.error, (SkippedError, LimitExceededError))
                ):
                    outcome.stage, outcome.error = stage, error

    def _pull_referrers(self, outcome: PullResult) -> None:
        """Pull the signatures, attestations and SBOMs of the image and its platforms. That there are none is fine."""
        root = outcome.root
        if not self._settings.referrers or root is None:
            return
        outcome.stage = "referrer"
        digests = [root.digest, *outcome.platforms.values()]
        found = find_referrers(outcome.registry, outcome.name, digests)
        outcome.referrers = len(found)
        self._enqueue_blobs(outcome, root, _all_blobs(found.values()), "referrer")

    def _ask_upstream(self, outcome: PullResult) -> None:
        """Ask upstream for the image, and keep the digest or the error."""
        upstream = outcome.batch.upstream
        if upstream is None:
            return
        try:
            # HEAD fetches nothing, so it also spends no pull where those are counted.
            outcome.upstream_digest = upstream.resolve(outcome.reference.name, outcome.reference.selector).digest
        except PullThroughError as exc:
            outcome.upstream_error = exc

    def _compare(self, outcome: PullResult) -> None:
        """Compare the tag's digest with upstream's and with the pinned one; where it differs, pull that one too.

        A tag in a cache may be older than upstream's for a while. That the newer digest cannot be had through the
        repository may not: then the cache hides errors of upstream.
        """
        if outcome.reference.tag is None or outcome.direct:
            return
        outcome.stage = "upstream"
        self._ask_upstream(outcome)
        if outcome.upstream_error is not None:
            raise outcome.upstream_error
        digests: list[tuple[Stage, str | None]] = [
            ("outdated", outcome.upstream_digest),
            ("pinned", outcome.reference.digest),
        ]
        for stage, digest in digests:
            if digest is not None and outcome.root is not None and digest != outcome.root.digest:
                outcome.stage = stage
                newer = self._manifest(outcome, digest)
                self._enqueue_blobs(outcome, newer, self._tree(outcome, newer).blobs, stage)

    def _prove(self, outcome: PullResult, tree: _ResolvedImage) -> None:
        """Find something of the image that comes from upstream during this run; raise NotFresh when it is required.

        What is not in the cache and cannot be fetched is an error in any case: only the cache still works then.
        """
        if outcome.batch.cache_probe is None:
            return
        outcome.stage = "from_upstream"
        self._fetch_uncached(outcome, tree, outcome.batch.cache_probe)
        if outcome.batch.from_upstream == "required" and not outcome.observation.from_upstream:
            raise NotFromUpstreamError(outcome.observation.evidence)

    def _fetch_uncached(self, outcome: PullResult, tree: _ResolvedImage, cache_probe: CacheProbe) -> None:
        image = outcome.reference.name
        for child in tree.children:
            if outcome.observation.from_upstream is not False:
                return
            if cache_probe.probe(manifest_paths(image, child.digest, child))[0] is False:
                self._manifest(outcome, child.digest, child, uncached=True)
        if (
            outcome.observation.from_upstream is False
            and outcome.batch.evict
            and outcome.batch.from_upstream == "required"
        ):
            reference, expected = self._select_eviction(outcome, tree)
            # The layers of the image lie beside its manifest, and stay.
            cache_probe.evict(path_to_evict(image, reference))
            outcome.observations.append(self._fetch_observed(outcome, reference, expected)[1])

    def _select_eviction(self, outcome: PullResult, tree: _ResolvedImage) -> tuple[str, Descriptor | None]:
        """Return what is missed least: the smallest manifest of an index that is not pulled, before those that are.

        An image without an index has only its tag.
        """
        pulled = set(tree.platforms.values())
        children = sorted(tree.children, key=lambda child: (child.digest in pulled, child.size))
        return (children[0].digest, children[0]) if children else (outcome.reference.selector, None)
