# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The blobs that a run needs, each downloaded once. Private to the collection."""

from __future__ import annotations

import dataclasses
import threading
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._circuit_breaker import SkippedError
from ansible_collections.cgr.pull_through.plugins.module_utils._credentials import Credentials
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InternalError, PullThroughError, Stage
from ansible_collections.cgr.pull_through.plugins.module_utils._rate_limit import LimitExceededError, Limits
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._checkpoint import Checkpoint, CheckpointEntry
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._client import Registry
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._manifest import Descriptor
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._result import ImagePullResult


class _BlobConsumer(t.NamedTuple):
    """An image that needs a blob. root: the digest of its manifest or index. stage: of a failed download."""

    result: ImagePullResult
    stage: Stage
    root: str


@dataclasses.dataclass(slots=True)
class BlobDownload:
    """A blob to download, and the images that need it."""

    registry: Registry
    name: str
    descriptor: Descriptor
    consumers: list[_BlobConsumer] = dataclasses.field(default_factory=list)
    is_started: bool = False

    def entries(self) -> t.Iterator[CheckpointEntry]:
        """Yield the checkpoint entries that a successful download adds."""
        for result, _stage, root in self.consumers:
            repository = f"{result.job.client.host}/{result.repository_name}"
            yield CheckpointEntry(repository, result.reference.selector, root, self.descriptor.digest)


class BlobQueue:
    """The blobs of a run. Thread-safe.

    checkpoint: blobs of an earlier run that are not downloaded again. clock: for the end of each image.
    """

    def __init__(self, limits: Limits, checkpoint: Checkpoint, clock: t.Callable[[], float]) -> None:
        self._limits = limits
        self._checkpoint = checkpoint
        self._clock = clock
        self._lock = threading.Lock()
        self._downloads: dict[tuple[tuple[str, Credentials], str, str], BlobDownload] = {}
        self._total = 0
        self._done = 0
        self._bytes = 0

    def clear(self) -> None:
        """Drop all blobs. The progress stays."""
        self._downloads = {}

    def add(self, result: ImagePullResult, root: str, blobs: t.Iterable[Descriptor], stage: Stage) -> None:
        """Add the blobs that an image needs. Foreign layers are left out."""
        registry, name = result.registry, result.name
        with self._lock:
            for blob in blobs:
                if not blob.is_foreign:
                    new = BlobDownload(registry, name, blob)
                    download = self._downloads.setdefault((registry.endpoint, name, blob.digest), new)
                    self._total += download is new
                    download.consumers.append(_BlobConsumer(result, stage, root))

    def take_pending(self) -> list[BlobDownload]:
        """Return the blobs that are not downloaded yet, in the order for downloads. Each is returned once."""
        new = [download for download in self._downloads.values() if not download.is_started]
        pending = [download for download in new if not all(map(self._checkpoint.has, download.entries()))]
        for download in new:
            download.is_started = True
        self._done += len(new) - len(pending)
        # The largest first, so that no large one is left at the end. But if a limit can end the run, image by image.
        by_image = self._limits.is_bounded
        return sorted(
            pending,
            key=lambda download: (
                download.consumers[0].result.number if by_image else 0,
                -download.descriptor.size,
            ),
        )

    def download(self, blob: BlobDownload) -> None:
        """Download and verify a blob. A failure is recorded in each image that needs it."""
        error: PullThroughError | None = None
        try:
            self._limits.reserve(blob.descriptor.size)
            blob.registry.download_blob(blob.name, blob.descriptor)
            for entry in blob.entries():
                self._checkpoint.add(entry)
        except PullThroughError as exc:
            error = exc
        except Exception as exc:  # pylint: disable=broad-exception-caught  # the other images have their results
            error = InternalError(exc)
        with self._lock:
            self._done += 1
            self._bytes += blob.descriptor.size if error is None else 0
            for result, stage, _root in blob.consumers:
                result.finished = self._clock()
                # A real failure explains more than a skipped download.
                if error is not None and (
                    result.error is None or isinstance(result.error, (SkippedError, LimitExceededError))
                ):
                    result.fail(stage, error)

    def progress(self) -> str:
        """Return the progress of the downloads, for a progress line."""
        if not self._total:
            return "no layers yet"
        return f"{self._done} of {self._total} layers and configurations, {self._bytes / 1e6:.1f} MB"
