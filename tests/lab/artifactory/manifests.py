# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cache of a remote Docker repository in Artifactory's layout (facts/artifactory.md#cache).

`<image>/<tag or sha256__hex>/` contains `manifest.json` or `list.manifest.json`, and next to a manifest its blobs as
`sha256__<hex>`. A blob that is not cached is `sha256__<hex>.marker`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from .cache import Cache, CachedFile, Content

MANIFEST = "manifest.json"
INDEX = "list.manifest.json"
MARKER = ".marker"


def get_folder(image: str, reference: str) -> str:
    """The folder of a manifest; a reference is a tag or a digest."""
    return f"{image}/{reference.replace(':', '__')}"


def is_marker(file: CachedFile) -> bool:
    """Whether a file only stands for a blob with its `digest` and `length`."""
    return file.name.endswith(MARKER)


def is_manifest(file: CachedFile) -> bool:
    return file.name in (MANIFEST, INDEX)


class ManifestCache(Cache):
    """The manifests and blobs of one remote repository."""

    # --- reading ------------------------------------------------------------------------------------------------------
    def manifest(self, image: str, reference: str) -> CachedFile | None:
        """The manifest of a tag, or any manifest of the image with a digest."""
        if not reference.startswith("sha256:"):
            folder = get_folder(image, reference)
            return self.files.get(f"{folder}/{INDEX}") or self.files.get(f"{folder}/{MANIFEST}")
        return next(filter(is_manifest, self._with_digest(image, reference)), None)

    def blob(self, image: str, digest: str) -> CachedFile | None:
        """The blob or its marker, or None if no cached manifest of the image contains it."""
        files = [file for file in self._with_digest(image, digest) if not is_manifest(file)]
        return min(files, key=is_marker, default=None)

    def images(self) -> list[str]:
        return sorted({file.folder.rpartition("/")[0] for file in self.files.values() if is_manifest(file)})

    def tags(self, image: str) -> list[str]:
        folders = {file.folder.removeprefix(f"{image}/") for file in self._of_image(image) if file.expires}
        return sorted(folders)

    def _of_image(self, image: str) -> Iterator[CachedFile]:
        return (file for file in list(self.files.values()) if file.folder.rpartition("/")[0] == image)

    def _with_digest(self, image: str, digest: str) -> Iterator[CachedFile]:
        # The cache can have thousands of files. Their digests are compared faster than their paths.
        files = (file for file in list(self.files.values()) if file.digest == digest)
        return (file for file in files if file.folder.rpartition("/")[0] == image)

    # --- writing ------------------------------------------------------------------------------------------------------
    def save_manifest(
        self, image: str, reference: str, body: bytes, media_type: str, *, remote_url: str, user: str
    ) -> CachedFile:
        """Replace a manifest, and add a marker for each of its blobs that is not cached."""
        document = _json_object(body)
        folder = get_folder(image, reference)
        for old in self.below(folder):
            if is_manifest(old):
                del self.files[old.path]
        content = self.store.add(body)
        name = INDEX if "manifests" in document else MANIFEST
        is_tag = not reference.startswith("sha256:")
        saved = self.put(f"{folder}/{name}", content, media_type, remote_url, user, expires=is_tag)
        base = remote_url.rpartition("/manifests/")[0]
        for blob in [document.get("config"), *document.get("layers", [])]:
            if blob is not None:
                self._add_blob(image, folder, blob, f"{base}/blobs/{blob['digest']}", user)
        return saved

    def _add_blob(self, image: str, folder: str, blob: dict[str, Any], remote_url: str, user: str) -> None:
        digest = blob["digest"]
        path = f"{folder}/{digest.replace(':', '__')}"
        cached = self.blob(image, digest)
        if cached is None or is_marker(cached):
            declared = digest, blob["size"]
            self.put(path + MARKER, self.store.empty, "application/octet-stream", remote_url, user, declared=declared)
        else:
            self.files[path] = replace(cached, path=path)

    def save_blob(self, image: str, marker: CachedFile, content: Content, user: str) -> CachedFile:
        """Replace all markers of a blob, also one that was deleted during the download."""
        others = list(filter(is_marker, self._with_digest(image, marker.digest)))
        for file in (marker, *others):
            self.files.pop(file.path, None)
            path = file.path.removesuffix(MARKER)
            saved = self.put(path, content, file.mime_type, file.remote_url, user)
        return saved


def _json_object(body: bytes) -> dict[str, Any]:
    """The document of a manifest; empty for an HTML page that was not blocked."""
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
