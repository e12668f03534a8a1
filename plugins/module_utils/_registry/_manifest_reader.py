# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The manifests of an image, from its tag or digest to its layers. Private to the collection."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._cache_probe import CacheObservation
from ansible_collections.cgr.pull_through.plugins.module_utils._credentials import Credentials
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InvalidContentError
from ansible_collections.cgr.pull_through.plugins.module_utils._pull_engine import fetch_observed
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._cache_paths import manifest_paths
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._manifest import Descriptor, Manifest
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._platforms import Platform, select_platforms
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._result import ImagePullResult, Settings
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._work_queue import SingleFlight

_MAX_INDEX_DEPTH = 4
_MAX_INDEX_ENTRIES = 10_000

_Endpoint = tuple[str, Credentials]


@dataclasses.dataclass(frozen=True)
class ImageTree:
    """What the first manifest of an image refers to.

    platforms: digests by platform name. images: the manifests with layers. blobs: still to be downloaded.
    children: all images of an index, first those that are pulled, then the others by size.
    """

    platforms: dict[str, str] = dataclasses.field(default_factory=dict)
    images: tuple[Manifest, ...] = ()
    blobs: tuple[Descriptor, ...] = ()
    children: tuple[Descriptor, ...] = ()


class ManifestReader:
    """Reads manifests, each once in a run. Images share them, if they have the same registry and credentials."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.clear()

    def clear(self) -> None:
        """Drop all manifests and failures."""
        self._manifests: SingleFlight[tuple[_Endpoint, str, str, bool], tuple[Manifest, CacheObservation]] = (
            SingleFlight()
        )
        self._platforms: SingleFlight[tuple[_Endpoint, str, str], Platform] = SingleFlight()

    def read(
        self, result: ImagePullResult, reference: str, expected: Descriptor | None = None, *, uncached: bool = False
    ) -> Manifest:
        """Return a manifest, and record in the result whether it came from upstream. Parameters: see fetch()."""
        key = (result.registry.endpoint, result.name, reference, result.job.cache_probe is not None)
        manifest, observation = self._manifests.get(
            key, lambda: self.fetch(result, reference, expected, uncached=uncached)
        )
        result.observations.append(observation)
        return manifest

    def fetch(
        self, result: ImagePullResult, reference: str, expected: Descriptor | None, *, uncached: bool = False
    ) -> tuple[Manifest, CacheObservation]:
        """Return a manifest from the registry, and whether it came from upstream.

        expected: the descriptor that led to it. uncached: whether a probe has just found that it is not in the cache.
        """

        def fetch() -> Manifest:
            if self._settings.depth == "resolve":
                return result.registry.resolve(result.name, reference)
            return result.registry.get_manifest(result.name, reference, expected)

        image = result.reference.name
        paths = manifest_paths(image, reference, expected)
        return fetch_observed(result.job, f"{image} {reference}", paths, fetch, uncached=uncached)

    def read_tree(self, result: ImagePullResult, root: Manifest) -> ImageTree:
        """Return what a manifest refers to, for the platforms and the depth in the settings.

        Raises PlatformNotFoundError, and the same exceptions as Registry.get_manifest().
        """
        is_complete = self._settings.depth == "image"
        if self._settings.depth == "resolve":
            return ImageTree()
        if not root.is_index:
            return self._read_single(result, root) if is_complete else ImageTree()
        children = self._read_children(result, root, {root.digest})
        runnable = [(child.platform, child) for child in children if child.platform and child.is_runnable]
        artifacts = [child for child in children if child.platform is None]
        if artifacts and not runnable:
            return self._read_artifacts(result, artifacts) if is_complete else ImageTree(children=tuple(artifacts))
        selected = select_platforms(runnable, self._settings.platforms)
        others = sorted((child for child in children if child not in selected.values()), key=lambda child: child.size)
        images = tuple(self.read(result, child.digest, child) for child in selected.values()) if is_complete else ()
        platforms = {name: child.digest for name, child in selected.items()}
        return ImageTree(platforms, images, all_blobs(images), (*selected.values(), *others))

    def _read_artifacts(self, result: ImagePullResult, entries: t.Sequence[Descriptor]) -> ImageTree:
        """Return the tree of an index of artifacts without platforms. Raises PlatformNotFoundError if it has images."""
        manifests = tuple(self.read(result, entry.digest, entry) for entry in entries)
        if not all(manifest.artifact_type for manifest in manifests):
            select_platforms([], self._settings.platforms)
        return ImageTree({}, manifests, all_blobs(manifests), tuple(entries))

    def _read_single(self, result: ImagePullResult, image: Manifest) -> ImageTree:
        """Return the tree of a manifest without an index. Only its configuration holds its platform."""
        config = image.config
        if config is None or not config.is_image_config:
            return ImageTree({}, (image,), all_blobs([image]))
        key = (result.registry.endpoint, result.name, config.digest)
        platform = self._platforms.get(
            key, lambda: Platform.from_document(result.registry.get_config(result.name, config))
        )
        selected = select_platforms([(platform, image.digest)], self._settings.platforms)
        return ImageTree(selected, (image,), image.layers)

    def _read_children(
        self, result: ImagePullResult, index: Manifest, seen: set[str], depth: int = 1
    ) -> list[Descriptor]:
        """Return the entries of an index. A nested index is replaced by its entries."""
        if depth > _MAX_INDEX_DEPTH:
            raise self._bound_error(result, index, f"indexes are nested more than {_MAX_INDEX_DEPTH} deep.")
        children: list[Descriptor] = []
        for entry in index.entries:
            if entry.digest in seen:
                continue
            seen.add(entry.digest)
            if len(seen) > _MAX_INDEX_ENTRIES:
                raise self._bound_error(result, index, f"the index has more than {_MAX_INDEX_ENTRIES} entries.")
            if entry.is_index:
                children += self._read_children(result, self.read(result, entry.digest, entry), seen, depth + 1)
            else:
                children.append(entry)
        return children

    @staticmethod
    def _bound_error(result: ImagePullResult, index: Manifest, message: str) -> InvalidContentError:
        url = f"{result.registry.base_url}/v2/{result.name}/manifests/{index.digest}"
        return InvalidContentError("content", message, url=url)


def all_blobs(manifests: t.Iterable[Manifest]) -> tuple[Descriptor, ...]:
    """Return the configurations and layers of manifests."""
    return tuple(blob for manifest in manifests for blob in (manifest.config, *manifest.layers) if blob is not None)
