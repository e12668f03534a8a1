# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cache of a remote repository, and the file store that all caches share (facts/artifactory.md#cache)."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import weakref
from collections.abc import AsyncIterable, Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Content:
    """Bytes in the file store."""

    sha256: str
    sha1: str
    md5: str
    size: int


@dataclass
class CachedFile:
    """One file; times in epoch seconds. `expires`: the content at this path can change upstream.

    `digest` and `length` are those of the content, or of the blob that a marker stands for. The `length` of a file can
    be another one, if the upstream announced that.
    """

    path: str
    content: Content
    mime_type: str
    remote_url: str
    digest: str
    length: int
    expires: bool
    created_by: str
    created: float
    modified: float
    updated: float  # when it was last compared with the upstream
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

    def count_download(self, now: float, user: str) -> None:
        self.downloads, self.downloaded, self.downloaded_by = self.downloads + 1, now, user


class FileStore:
    """Files by their SHA-256, in a temporary folder."""

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
        # An existing file can be in use by a response.
        if not self.path(content).exists():
            self.path(content).write_bytes(data)
        return content

    async def add_stream(self, chunks: AsyncIterable[bytes]) -> Content:
        """Store a body of any size in bounded memory."""
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
    """The cached files of one remote repository. `now` is the lab's clock."""

    def __init__(self, store: FileStore, now: Callable[[], float]) -> None:
        self.store = store
        self._now = now
        self.files: dict[str, CachedFile] = {}

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

    def confirm(self, file: CachedFile) -> None:
        """Record that the upstream still has the same content."""
        file.updated, file.expired = self._now(), False

    def remove(self, path: str) -> int:
        """Delete the files at and below a path, and return their number."""
        files = self.below(path)
        for file in files:
            del self.files[file.path]
        return len(files)

    def put(
        self,
        path: str,
        content: Content,
        mime_type: str,
        remote_url: str,
        user: str,
        *,
        expires: bool = False,
        declared: tuple[str, int] | None = None,
    ) -> CachedFile:
        """Store a file. `declared`: its digest and length, if they are not those of the content."""
        now = self._now()
        digest, length = declared or (f"sha256:{content.sha256}", content.size)
        file = CachedFile(path, content, mime_type, remote_url, digest, length, expires, user, now, now, now)
        self.files[path] = file
        return file
