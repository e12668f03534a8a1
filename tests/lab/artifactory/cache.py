# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a remote repository has cached, in Artifactory's layout (artifactory.md §5.6).

`<image>/<tag or sha256__hex>/` holds `manifest.json` or `list.manifest.json`, and next to a manifest its blobs as
`sha256__<hex>`; a blob that nobody has fetched yet is `sha256__<hex>.marker`.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import weakref
from collections.abc import AsyncIterable, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

MANIFEST = "manifest.json"
INDEX = "list.manifest.json"
MARKER = ".marker"


def folder_of(image: str, reference: str) -> str:
    """The folder of a manifest; a reference is a tag or a digest."""
    return f"{image}/{reference.replace(':', '__')}"


@dataclass(frozen=True)
class Content:
    """Bytes in the file store."""

    sha256: str
    sha1: str
    md5: str
    size: int


@dataclass
class CachedFile:
    """One file; times in epoch seconds. A marker has the `digest` and `length` of the blob that it promises."""

    path: str
    content: Content
    mime_type: str
    remote_url: str
    digest: str
    length: int
    created_by: str
    created: float
    modified: float
    updated: float  # when it was last known to be what the upstream has
    expired: bool = False
    downloads: int = 0
    downloaded: float = 0
    downloaded_by: str = ""

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def folder(self) -> str:
        return self.path.rpartition("/")[0]

    @property
    def is_marker(self) -> bool:
        return self.name.endswith(MARKER)

    @property
    def is_manifest(self) -> bool:
        return self.name in (MANIFEST, INDEX)

    @property
    def is_expirable(self) -> bool:
        """Tags move, digests do not."""
        return self.is_manifest and not self.folder.rpartition("/")[2].startswith("sha256__")

    def count_download(self, now: float, user: str) -> None:
        self.downloads, self.downloaded, self.downloaded_by = self.downloads + 1, now, user


class FileStore:
    """Files by their SHA-256, in a folder that goes when the store goes."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="lab-artifactory-"))
        weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self.empty = self.add(b"")

    def path(self, content: Content) -> Path:
        return self._folder / content.sha256

    def add(self, data: bytes) -> Content:
        content = Content(
            hashlib.sha256(data).hexdigest(),
            hashlib.sha1(data, usedforsecurity=False).hexdigest(),
            hashlib.md5(data, usedforsecurity=False).hexdigest(),
            len(data),
        )
        self.path(content).write_bytes(data)
        return content

    async def add_stream(self, chunks: AsyncIterable[bytes]) -> Content:
        """Take a body of any size in bounded memory."""
        digests = [hashlib.new(name, usedforsecurity=False) for name in ("sha256", "sha1", "md5")]
        size = 0
        with tempfile.NamedTemporaryFile(dir=self._folder, delete=False) as file:
            async for chunk in chunks:
                file.write(chunk)
                size += len(chunk)
                for digest in digests:
                    digest.update(chunk)
        sha256, sha1, md5 = (digest.hexdigest() for digest in digests)
        content = Content(sha256, sha1, md5, size)
        Path(file.name).replace(self.path(content))
        return content


class Cache:
    """The files of one remote repository. `now` is the lab's clock."""

    def __init__(self, store: FileStore, now: Callable[[], float]) -> None:
        self.store = store
        self._now = now
        self.files: dict[str, CachedFile] = {}

    # --- reading ------------------------------------------------------------------------------------------------------
    def manifest(self, image: str, reference: str) -> CachedFile | None:
        """The manifest of a tag; for a digest any manifest of the image that has it."""
        if not reference.startswith("sha256:"):
            folder = folder_of(image, reference)
            return self.files.get(f"{folder}/{INDEX}") or self.files.get(f"{folder}/{MANIFEST}")
        return next((file for file in self._of_image(image) if file.is_manifest and file.digest == reference), None)

    def blob(self, image: str, digest: str) -> CachedFile | None:
        """The blob, or else its marker; None when no cached manifest of the image has named it."""
        found = [file for file in self._of_image(image) if not file.is_manifest and file.digest == digest]
        return min(found, key=lambda file: file.is_marker, default=None)

    def below(self, path: str) -> list[CachedFile]:
        """The file at a path, or all below a folder; "" is the root."""
        prefix = f"{path}/" if path else ""
        return [file for name, file in self.files.items() if name == path or name.startswith(prefix)]

    def has(self, path: str) -> bool:
        return not path or bool(self.below(path))

    def children(self, path: str) -> dict[str, bool]:
        """Names directly below a folder, and whether each is a folder."""
        prefix = f"{path}/" if path else ""
        rest = sorted(file.path.removeprefix(prefix) for file in self.below(path))
        return {name.partition("/")[0]: "/" in name for name in rest}

    def images(self) -> list[str]:
        return sorted({file.folder.rpartition("/")[0] for file in self.files.values() if file.is_manifest})

    def tags(self, image: str) -> list[str]:
        folders = {file.folder.removeprefix(f"{image}/") for file in self._of_image(image) if file.is_expirable}
        return sorted(folders)

    def _of_image(self, image: str) -> Iterator[CachedFile]:
        return (file for file in list(self.files.values()) if file.folder.rpartition("/")[0] == image)

    # --- writing ------------------------------------------------------------------------------------------------------
    def save_manifest(
        self, image: str, reference: str, body: bytes, media_type: str, *, remote_url: str, user: str
    ) -> CachedFile:
        """Keep a manifest in place of an older one, with a marker for each of its blobs that nobody has fetched."""
        document = _json_object(body)
        folder = folder_of(image, reference)
        for old in self.below(folder):
            if old.is_manifest:
                del self.files[old.path]
        content = self.store.add(body)
        name = INDEX if "manifests" in document else MANIFEST
        saved = self._put(
            f"{folder}/{name}", content, media_type, f"sha256:{content.sha256}", content.size, remote_url, user
        )
        base = remote_url.rpartition("/manifests/")[0]
        for blob in [document.get("config"), *document.get("layers", [])]:
            if blob is not None:
                self._promise(image, folder, blob, f"{base}/blobs/{blob['digest']}", user)
        return saved

    def _promise(self, image: str, folder: str, blob: dict[str, Any], remote_url: str, user: str) -> None:
        digest = blob["digest"]
        path = f"{folder}/{digest.replace(':', '__')}"
        known = self.blob(image, digest)
        if known is None or known.is_marker:
            marker_type = "application/octet-stream"
            self._put(path + MARKER, self.store.empty, marker_type, digest, blob["size"], remote_url, user)
        else:
            self.files[path] = replace(known, path=path)

    def save_blob(self, image: str, marker: CachedFile, content: Content, user: str) -> CachedFile:
        """Put a blob in the place of all its markers; the one that was asked for may be gone by now."""
        others = [file for file in self._of_image(image) if file.is_marker and file.digest == marker.digest]
        for file in (marker, *others):
            self.files.pop(file.path, None)
            path = file.path.removesuffix(MARKER)
            saved = self._put(path, content, file.mime_type, file.digest, content.size, file.remote_url, user)
        return saved

    def confirm(self, file: CachedFile) -> None:
        """The upstream still has the same."""
        file.updated, file.expired = self._now(), False

    def remove(self, path: str) -> int:
        """The number of files that were at or below a path."""
        found = self.below(path)
        for file in found:
            del self.files[file.path]
        return len(found)

    def _put(
        self, path: str, content: Content, mime_type: str, digest: str, length: int, remote_url: str, user: str
    ) -> CachedFile:
        now = self._now()
        file = CachedFile(path, content, mime_type, remote_url, digest, length, user, now, now, now)
        self.files[path] = file
        return file


def _json_object(body: bytes) -> dict[str, Any]:
    """A manifest's document; an HTML page that was let through holds nothing."""
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}
