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

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import PullThroughError, Unusable
from ansible_collections.cgr.pull_through.plugins.module_utils._exchange import DownloadRefused
from ansible_collections.cgr.pull_through.plugins.module_utils._fresh import (
    NOT_LOOKED,
    NotFresh,
    Sighting,
    Witness,
    strongest,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._limits import LimitReached, Limits
from ansible_collections.cgr.pull_through.plugins.module_utils._patience import Skipped
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._cached import evicted_path, manifest_paths
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._client import Registry
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._manifest import Descriptor, Manifest
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._platforms import Platform, choose
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._reference import Reference
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._referrers import find_referrers
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._resume import Entry, Resume

_DEEPEST_INDEX = 4

# What was being done: fetching manifests or blobs of the image, or what refers to it; asking upstream; fetching through
# the repository what upstream has now, or the digest that the user pinned; showing that something came from upstream.
Stage = t.Literal["manifest", "blob", "referrer", "upstream", "outdated", "pinned", "fresh"]

Key = t.TypeVar("Key", bound=t.Hashable)
Value = t.TypeVar("Value")
Item = t.TypeVar("Item")


@dataclasses.dataclass(frozen=True)
class Settings:
    """What to do with each image. platforms is None for all.

    referrers: whether to pull what refers to an image as well. canary: whether to try the others only after the first.
    """

    depth: t.Literal["resolve", "manifest", "image"] = "image"
    platforms: tuple[Platform, ...] | None = None
    threads: int = 12
    referrers: bool = False
    canary: bool = False


@dataclasses.dataclass(frozen=True)
class Batch:
    """The images of one repository, and how to prove them. repository is empty for a registry without keys."""

    registry: Registry
    references: t.Sequence[Reference]
    repository: str = ""
    fresh: t.Literal["ignored", "preferred", "required"] = "ignored"
    evict: bool = False
    upstream: Registry | None = None
    witness: Witness | None = None


@dataclasses.dataclass(slots=True)
class Outcome:
    """One image, and what came of it. started and finished are seconds of the clock; images overlap in time.

    error and stage: what did not work, and at what; no error means that all of it did.
    layers, foreign_layers, bytes: what the image has, whoever fetched it first.
    artifact_type: what it is, if it is no image; empty if it is one, or if that is not known.
    referrers: how many signatures and the like were found; None if nobody looked.
    number: its place among all images of the run. direct: whether upstream is asked in the place of the repository.
    """

    batch: Batch
    reference: Reference
    number: int = 0
    direct: bool = False
    root: Manifest | None = None
    upstream_digest: str | None = None
    upstream_error: PullThroughError | None = None
    sightings: list[Sighting] = dataclasses.field(default_factory=list)
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
    def stale(self) -> bool | None:
        """Whether the repository has another digest for the tag than upstream; None when that was not compared."""
        if self.root is None or self.upstream_digest is None:
            return None
        return self.root.digest != self.upstream_digest

    @property
    def sighting(self) -> Sighting:
        """What can be said of the whole image."""
        return strongest(self.sightings)


@dataclasses.dataclass(frozen=True)
class _Tree:
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
class _Done:
    """How far a run is. of: how many images there are. known: how many blobs are needed, as far as that is known."""

    images: int = 0
    of: int = 0
    blobs: int = 0
    known: int = 0
    bytes: int = 0


class _User(t.NamedTuple):
    """An image that needs a blob, the stage that it needs it for, and the digest that its reference led to."""

    outcome: Outcome
    stage: Stage
    root: str


@dataclasses.dataclass(slots=True)
class _Blob:
    """A blob to fetch, and who needs it."""

    registry: Registry
    name: str
    descriptor: Descriptor
    users: list[_User] = dataclasses.field(default_factory=list)
    begun: bool = False

    def entries(self) -> t.Iterator[Entry]:
        """Yield what is proved when the blob has come."""
        for outcome, _stage, root in self.users:
            repository = f"{outcome.batch.registry.host}/{outcome.through}"
            yield Entry(repository, outcome.reference.asked, root, self.descriptor.digest)


class Once(t.Generic[Key, Value]):
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


class Crew:
    """Threads that share work. They stay until close(), since each keeps its connections."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._pool = concurrent.futures.ThreadPoolExecutor(threads)

    def share(self, work: t.Callable[[Item], None], items: t.Iterable[Item]) -> None:
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
        resume: Resume | None = None,
        clock: t.Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._limits = limits or Limits()
        self._resume = resume or Resume()
        self._clock = clock
        self._manifests: Once[tuple[str, str, bool], tuple[Manifest, Sighting]] = Once()
        self._platforms: Once[tuple[str, str], Platform] = Once()
        self._blobs: dict[tuple[str, str], _Blob] = {}
        self._lock = threading.Lock()
        self._done = _Done()

    def pull(self, batches: t.Iterable[Batch]) -> list[list[Outcome]]:
        """Return the outcomes of each batch, in the order given. What fails does not stop the others."""
        outcomes = self._begin(batches)
        with contextlib.closing(Crew(self._settings.threads)) as crew:
            self._pull_in_turn(crew, list(itertools.chain.from_iterable(outcomes)))
        # Thousands of images are reported next, and need the memory.
        self._manifests, self._blobs = Once(), {}
        return outcomes

    def _pull_in_turn(self, crew: Crew, every: list[Outcome]) -> None:
        if self._settings.canary:
            canary = every.pop(0)
            self._pull_all(crew, [canary])
            if canary.error is not None and not isinstance(canary.error, LimitReached):
                for outcome in every:
                    outcome.error = Skipped(canary.error, "the first image, which is the canary, failed")
                return
        self._pull_all(crew, every)

    def survey(self, batches: t.Iterable[Batch]) -> list[list[Outcome]]:
        """Return outcomes as upstream's manifests alone foretell them. All batches must have an upstream."""
        outcomes = self._begin(batches, direct=True)
        with contextlib.closing(Crew(self._settings.threads)) as crew:
            crew.share(self._pull_manifests, itertools.chain.from_iterable(outcomes))
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

    def _begin(self, batches: t.Iterable[Batch], *, direct: bool = False) -> list[list[Outcome]]:
        numbers = itertools.count()
        outcomes = [
            [Outcome(batch, reference, next(numbers), direct) for reference in batch.references] for batch in batches
        ]
        self._done.of = sum(map(len, outcomes))
        return outcomes

    def _pull_all(self, crew: Crew, outcomes: list[Outcome]) -> None:
        crew.share(self._pull_manifests, outcomes)
        crew.share(self._fetch, self._wanted())

    def _wanted(self) -> list[_Blob]:
        """Return the blobs that are still to be fetched, in the order in which to do so."""
        known = [blob for blob in self._blobs.values() if not blob.begun]
        wanted = [blob for blob in known if not all(map(self._resume.knows, blob.entries()))]
        for blob in known:
            blob.begun = True
        self._done.blobs += len(known) - len(wanted)
        # The largest first, so that none is left alone at the end; but image for image if the run may end before that.
        in_turn = self._limits.can_end
        return sorted(wanted, key=lambda blob: (blob.users[0].outcome.number if in_turn else 0, -blob.descriptor.size))

    def _pull_manifests(self, outcome: Outcome) -> None:
        outcome.started = self._clock()
        try:
            self._limits.admit()
            tree = self._pull_image(outcome)
            self._compare(outcome)
            self._prove(outcome, tree)
            self._pull_referrers(outcome)
        except PullThroughError as exc:
            outcome.error = exc
            if outcome.direct:
                outcome.stage = "upstream"
            elif outcome.stage == "manifest" and isinstance(exc, (DownloadRefused, Unusable)):
                self._ask_upstream(outcome)
        outcome.finished = self._clock()
        with self._lock:
            self._done.images += 1

    def _pull_image(self, outcome: Outcome) -> _Tree:
        root = outcome.root = self._manifest(outcome, outcome.reference.asked)
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
        self._enlist(outcome, root, tree.blobs, "blob")
        return tree

    def _manifest(
        self, outcome: Outcome, reference: str, expected: Descriptor | None = None, *, uncached: bool = False
    ) -> Manifest:
        """Return a manifest, fetched once in the run, and note whether it came from upstream.

        uncached: whether a look has just shown that it is not in the cache.
        """
        key = (outcome.name, reference, outcome.batch.witness is not None)
        manifest, sighting = self._manifests.get(
            key, lambda: self._watched(outcome, reference, expected, uncached=uncached)
        )
        outcome.sightings.append(sighting)
        return manifest

    def _watched(
        self, outcome: Outcome, reference: str, expected: Descriptor | None, *, uncached: bool = False
    ) -> tuple[Manifest, Sighting]:
        def fetch() -> Manifest:
            if self._settings.depth == "resolve":
                return outcome.registry.resolve(outcome.name, reference)
            return outcome.registry.manifest(outcome.name, reference, expected)

        witness = outcome.batch.witness
        if witness is None:
            return fetch(), NOT_LOOKED
        image = outcome.reference.name
        paths = manifest_paths(image, reference, expected)
        return witness.watch(f"{image} {reference}", paths, fetch, uncached=uncached)

    def _tree(self, outcome: Outcome, root: Manifest) -> _Tree:
        """Return what hangs on a manifest, for the wanted platforms and to the wanted depth. Raises PlatformMissing."""
        whole = self._settings.depth == "image"
        if self._settings.depth == "resolve":
            return _Tree({})
        if not root.is_index:
            return self._single(outcome, root) if whole else _Tree({})
        children = self._children(outcome, root, {root.digest})
        runnable = [(child.platform, child) for child in children if child.platform and child.runnable]
        plain = [child for child in children if child.platform is None]
        if plain and not runnable:
            return self._artifacts(outcome, plain) if whole else _Tree({}, children=tuple(plain))
        chosen = choose(runnable, self._settings.platforms)
        others = sorted((child for child in children if child not in chosen.values()), key=lambda child: child.size)
        images = tuple(self._manifest(outcome, child.digest, child) for child in chosen.values()) if whole else ()
        blobs = _all_blobs(images)
        platforms = {name: child.digest for name, child in chosen.items()}
        return _Tree(platforms, images, blobs, (*chosen.values(), *others))

    def _artifacts(self, outcome: Outcome, entries: t.Sequence[Descriptor]) -> _Tree:
        """Return the tree of an index of things that have no platform. Raises PlatformMissing for one of images."""
        manifests = tuple(self._manifest(outcome, entry.digest, entry) for entry in entries)
        if not all(manifest.artifact_type for manifest in manifests):
            choose([], self._settings.platforms)
        return _Tree({}, manifests, _all_blobs(manifests), tuple(entries))

    def _single(self, outcome: Outcome, image: Manifest) -> _Tree:
        """Return the tree of a manifest without an index. Its platform is told by its configuration alone."""
        config = image.config
        if config is None or not config.is_image_config:
            return _Tree({}, (image,), _all_blobs([image]))
        key = (outcome.name, config.digest)
        platform = self._platforms.get(key, lambda: Platform.of(outcome.registry.config(outcome.name, config)))
        chosen = choose([(platform, image.digest)], self._settings.platforms)
        return _Tree(chosen, (image,), image.layers)

    def _children(self, outcome: Outcome, index: Manifest, seen: set[str], depth: int = 1) -> list[Descriptor]:
        """Return the entries of an index, with those of the indexes in it in their place."""
        if depth > _DEEPEST_INDEX:
            url = f"{outcome.registry.base_url}/v2/{outcome.name}/manifests/{index.digest}"
            raise Unusable("content", f"indexes are nested more than {_DEEPEST_INDEX} deep.", url=url)
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

    def _enlist(self, outcome: Outcome, root: Manifest, blobs: t.Iterable[Descriptor], stage: Stage) -> None:
        with self._lock:
            for blob in blobs:
                if not blob.is_foreign:
                    new = _Blob(outcome.registry, outcome.name, blob)
                    listed = self._blobs.setdefault((outcome.name, blob.digest), new)
                    self._done.known = len(self._blobs)
                    listed.users.append(_User(outcome, stage, root.digest))

    def _fetch(self, blob: _Blob) -> None:
        error: PullThroughError | None = None
        try:
            self._limits.admit(blob.descriptor.size)
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
                if error is not None and (outcome.error is None or isinstance(outcome.error, (Skipped, LimitReached))):
                    outcome.stage, outcome.error = stage, error

    def _pull_referrers(self, outcome: Outcome) -> None:
        """Pull the signatures, attestations and SBOMs of the image and its platforms. That there are none is fine."""
        root = outcome.root
        if not self._settings.referrers or root is None:
            return
        outcome.stage = "referrer"
        digests = [root.digest, *outcome.platforms.values()]
        found = find_referrers(outcome.registry, outcome.name, digests)
        outcome.referrers = len(found)
        self._enlist(outcome, root, _all_blobs(found.values()), "referrer")

    def _ask_upstream(self, outcome: Outcome) -> None:
        """Ask upstream for the image, and keep the digest or the error."""
        upstream = outcome.batch.upstream
        if upstream is None:
            return
        try:
            # HEAD fetches nothing, so it also spends no pull where those are counted.
            outcome.upstream_digest = upstream.resolve(outcome.reference.name, outcome.reference.asked).digest
        except PullThroughError as exc:
            outcome.upstream_error = exc

    def _compare(self, outcome: Outcome) -> None:
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
                self._enlist(outcome, newer, self._tree(outcome, newer).blobs, stage)

    def _prove(self, outcome: Outcome, tree: _Tree) -> None:
        """Find something of the image that comes from upstream during this run; raise NotFresh when it is required.

        What is not in the cache and cannot be fetched is an error in any case: only the cache still works then.
        """
        if outcome.batch.witness is None:
            return
        outcome.stage = "fresh"
        self._fetch_uncached(outcome, tree, outcome.batch.witness)
        if outcome.batch.fresh == "required" and not outcome.sighting.fresh:
            raise NotFresh(outcome.sighting.evidence)

    def _fetch_uncached(self, outcome: Outcome, tree: _Tree, witness: Witness) -> None:
        image = outcome.reference.name
        for child in tree.children:
            if outcome.sighting.fresh is not False:
                return
            if witness.look(manifest_paths(image, child.digest, child))[0] is False:
                self._manifest(outcome, child.digest, child, uncached=True)
        if outcome.sighting.fresh is False and outcome.batch.evict and outcome.batch.fresh == "required":
            reference, expected = self._to_evict(outcome, tree)
            # The layers of the image lie beside its manifest, and stay.
            witness.evict(evicted_path(image, reference))
            outcome.sightings.append(self._watched(outcome, reference, expected)[1])

    def _to_evict(self, outcome: Outcome, tree: _Tree) -> tuple[str, Descriptor | None]:
        """Return what is missed least: the smallest manifest of an index that is not pulled, before those that are.

        An image without an index has only its tag.
        """
        pulled = set(tree.platforms.values())
        children = sorted(tree.children, key=lambda child: (child.digest in pulled, child.size))
        return (children[0].digest, children[0]) if children else (outcome.reference.asked, None)
