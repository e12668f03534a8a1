# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Collects what the caches of registries have, without a request to an upstream. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._cache import CacheApi, CachedFile
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._markers import parse_markers
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._evidence import CachedTag, split_image
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import PullThroughError
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._cache_paths import manifest_paths


def read_tags(cache: CacheApi, key: str, images: t.Iterable[str]) -> list[CachedTag]:
    """Return the copies of images with a tag, as far as they are cached and can be read."""
    tags = [(image, *split_image(image)) for image in images if "@" not in image]
    copies = [_read_tag(cache, key, image, name, tag) for image, name, tag in tags]
    return [copy for copy in copies if copy is not None]


def _read_tag(cache: CacheApi, key: str, image: str, name: str, tag: str) -> CachedTag | None:
    try:
        files = cache.list_folder(key, f"{name}/{tag}")
        path = next((path for path in manifest_paths(name, tag) if path.rpartition("/")[2] in files), "")
        copy = cache.copy(key, path) if path else None
    except PullThroughError:
        return None
    return None if copy is None else CachedTag(image, copy.digest, copy.compared, copy.served)


def read_markers(cache: CacheApi, key: str, images: t.Iterable[str]) -> list[str]:
    """Return the references of the manifests whose layers are not all cached, of the folders of these images."""
    references: dict[str, None] = {}
    for name in dict.fromkeys(split_image(image)[0] for image in images):
        try:
            files = cache.list_files(key, name)
        except PullThroughError:
            continue
        markers = parse_markers(CachedFile(f"{name}/{file.path}") for file in files)
        references.update(dict.fromkeys(marker["reference"] for marker in markers))
    return list(references)
