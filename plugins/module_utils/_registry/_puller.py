# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine that pulls and verifies images. Private to the collection.

It reads all manifests first, and then downloads all blobs over the same threads, the largest first. So no thread waits
for an image or a repository to be complete. What images of one repository share is fetched once.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import threading
import time
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._cache_probe import CacheObservation, CacheProbe
from ansible_collections.cgr.pull_through.plugins.module_utils._circuit_breaker import SkippedError
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import Stage
from ansible_collections.cgr.pull_through.plugins.module_utils._pull_engine import (
    PullEngine,
    StageError,
    UncachedCandidate,
    at_stage,
    verify_from_upstream,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._rate_limit import LimitExceededError, Limits
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._blob_queue import BlobQueue
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._cache_paths import (
    manifest_paths,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._checkpoint import Checkpoint
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._client import Registry
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._manifest import Descriptor
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._manifest_reader import (
    ImageTree,
    ManifestReader,
    all_blobs,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._referrers import find_referrers
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._result import (
    ImagePullJob,
    ImagePullResult,
    Settings,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._work_queue import SingleFlight, WorkerPool


class ImagePuller(PullEngine[ImagePullResult]):
    """Pulls images. Use an object for one run only.

    checkpoint: what an earlier run downloaded and verified, which is not downloaded again.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        limits: Limits | None = None,
        checkpoint: Checkpoint | None = None,
        clock: t.Callable[[], float] = time.monotonic,
        sleep: t.Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(propagation_timeout=settings.propagation_timeout, clock=clock, sleep=sleep)
        self._settings = settings
        self._limits = limits or Limits()
        self._manifests = ManifestReader(settings)
        self._blobs = BlobQueue(self._limits, checkpoint or Checkpoint(), clock)
        self._earlier_logins: SingleFlight[tuple[str, str], float | None] = SingleFlight()
        self._lock = threading.Lock()
        self._total = 0
        self._done = 0

    def pull(self, jobs: t.Iterable[ImagePullJob]) -> list[list[ImagePullResult]]:
        """Return the results of each job, in the same order. A failed image does not stop the others."""
        results = self._create_results(jobs)
        with contextlib.closing(WorkerPool(self._settings.threads)) as workers:
            self._pull_until_propagated(results, functools.partial(self._pull_canary_first, workers))
        # The results of thousands of images are built next, and need the memory.
        self._clear()
        return results

    def dry_run(self, jobs: t.Iterable[ImagePullJob]) -> list[list[ImagePullResult]]:
        """Return the results that the manifests of the upstream predict. All jobs must have an upstream."""
        results = self._create_results(jobs, is_dry_run=True)
        with contextlib.closing(WorkerPool(self._settings.threads)) as workers:
            workers.run(self._predict, itertools.chain.from_iterable(results))
        return results

    def pending_blobs(self) -> list[Descriptor]:
        """Return the blobs that are needed and not downloaded yet. Each is returned once."""
        return [download.descriptor for download in self._blobs.take_pending()]

    def progress(self) -> str:
        """Return the progress of the run, in one line."""
        if not self._total:
            return "started"
        return f"manifests of {self._done} of {self._total} images; {self._blobs.progress()}"

    def _create_results(
        self, jobs: t.Iterable[ImagePullJob], *, is_dry_run: bool = False
    ) -> list[list[ImagePullResult]]:
        numbers = itertools.count()
        results = [
            [
                ImagePullResult(job=job, reference=reference, number=next(numbers), is_dry_run=is_dry_run)
                for reference in job.references
            ]
            for job in jobs
        ]
        self._total = sum(map(len, results))
        return results

    def _pull_canary_first(self, workers: WorkerPool, results: list[ImagePullResult]) -> None:
        # Failures are kept too. A repeated pull must not find them.
        self._clear()
        self._done = self._total - len(results)
        if self._settings.canary:
            results = self._pull_canaries(workers, results)
        self._pull_images(workers, results)

    def _pull_canaries(self, workers: WorkerPool, results: list[ImagePullResult]) -> list[ImagePullResult]:
        """Pull the first image of each job. Return the other images of the jobs whose first one succeeded."""
        canaries: dict[int, ImagePullResult] = {}
        for result in results:
            canaries.setdefault(id(result.job), result)
        self._pull_images(workers, list(canaries.values()))
        remaining = []
        for result in results:
            canary = canaries[id(result.job)]
            if result is canary:
                continue
            if canary.error is None or isinstance(canary.error, LimitExceededError):
                remaining.append(result)
            else:
                result.error = SkippedError(canary.error, "the first image, which is the canary, failed")
        return remaining

    def _pull_images(self, workers: WorkerPool, results: list[ImagePullResult]) -> None:
        workers.run(self._pull_manifests, results)
        workers.run(self._blobs.download, self._blobs.take_pending())

    def _clear(self) -> None:
        self._manifests.clear()
        self._blobs.clear()

    def _pull_manifests(self, result: ImagePullResult) -> None:
        self._pull(result)
        self._count_image()

    def _predict(self, result: ImagePullResult) -> None:
        result.started = self._clock()
        try:
            with at_stage("upstream"):
                self._limits.reserve()
                self._pull_image(result)
                self._pull_referrers(result)
        except StageError as exc:
            result.fail(exc.stage, exc.cause)
        result.finished = self._clock()
        self._count_image()

    def _count_image(self) -> None:
        with self._lock:
            self._done += 1

    def _pull_and_verify(self, result: ImagePullResult) -> None:
        with at_stage("manifest"):
            self._limits.reserve()
            self._choose_unused_image(result)
            tree = self._pull_image(result)
        self._compare_tag(result)
        self._verify_from_upstream(result, tree)
        with at_stage("referrer"):
            self._pull_referrers(result)

    def _choose_unused_image(self, result: ImagePullResult) -> None:
        """Replace the image by another one if it shows nothing about the login. Without such a one, add until when."""
        result.earlier_login_until = self._earlier_login_until(result, result.reference.name)
        if result.earlier_login_until is None:
            return
        for reference in result.job.other_references:
            if self._earlier_login_until(result, reference.name) is None:
                result.reference, result.earlier_login_until = reference, None
                return

    def _earlier_login_until(self, result: ImagePullResult, image: str) -> float | None:
        """Return CacheProbe.earlier_login_until(), as it was before the first pull of the image in this run."""
        cache_probe = result.job.cache_probe
        if cache_probe is None:
            return None
        return self._earlier_logins.get((result.job.repository, image), lambda: cache_probe.earlier_login_until(image))

    def _pull_image(self, result: ImagePullResult) -> ImageTree:
        root = result.root = self._manifests.read(result, result.reference.selector)
        tree = self._manifests.read_tree(result, root)
        result.platforms = tree.platforms
        result.artifact_type = next(filter(None, (manifest.artifact_type for manifest in (root, *tree.images))), "")
        layers = [layer for image in tree.images for layer in image.layers]
        result.layers, result.foreign_layers = len(layers), sum(layer.is_foreign for layer in layers)
        manifests = {manifest.digest: manifest.size for manifest in (root, *tree.images)}
        configs = [image.config.size for image in tree.images if image.config is not None]
        result.bytes = (
            sum(manifests.values()) + sum(configs) + sum(layer.size for layer in layers if not layer.is_foreign)
        )
        self._blobs.add(result, root.digest, tree.blobs, "blob")
        return tree

    def _pull_referrers(self, result: ImagePullResult) -> None:
        """Pull the signatures, attestations and SBOMs of the image and its platforms. It may have none."""
        root = result.root
        if not self._settings.referrers or root is None:
            return
        referrers = find_referrers(result.registry, result.name, [root.digest, *result.platforms.values()])
        result.referrers = len(referrers)
        self._blobs.add(result, root.digest, all_blobs(referrers.values()), "referrer")

    def _query_upstream(self, result: ImagePullResult, upstream: Registry) -> None:
        # HEAD does not count as a pull, where pulls are limited.
        result.upstream_version = upstream.resolve(result.reference.name, result.reference.selector).digest

    def _compare_tag(self, result: ImagePullResult) -> None:
        """Compare the digest of the tag with the upstream's and the pinned one. Pull each digest that differs.

        A cached tag may be older than the upstream's for a while. But if the newer digest cannot be pulled, the cache
        masks errors of the upstream.
        """
        if result.reference.tag is None:
            return
        if result.job.upstream is not None:
            with at_stage("upstream"), result.recording_upstream_error():
                self._query_upstream(result, result.job.upstream)
        self._pull_digest(result, "outdated", result.upstream_version)
        self._pull_digest(result, "pinned", result.reference.digest)

    def _pull_digest(self, result: ImagePullResult, stage: Stage, digest: str | None) -> None:
        """Pull another digest of the image. None, and the digest that was pulled already, are ignored."""
        if digest is None or digest == result.version:
            return
        with at_stage(stage):
            manifest = self._manifests.read(result, digest)
            self._blobs.add(result, manifest.digest, self._manifests.read_tree(result, manifest).blobs, stage)

    def _verify_from_upstream(self, result: ImagePullResult, tree: ImageTree) -> None:
        image = result.reference.name

        def refresh(cache_probe: CacheProbe) -> CacheObservation:
            tag = result.reference.tag
            if tag is None:
                return CacheObservation(False, f"{image} was in the cache already. Only a tag can be fetched again.")
            return cache_probe.refresh(
                f"{image} {tag}",
                manifest_paths(image, tag),
                lambda: result.registry.get_manifest(result.name, tag, None),
            )

        candidates = (
            UncachedCandidate(
                manifest_paths(image, child.digest, child),
                functools.partial(self._manifests.read, result, child.digest, child, uncached=True),
            )
            for child in tree.children
        )
        verify_from_upstream(result, candidates, refresh)
