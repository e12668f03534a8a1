# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file with the blobs that were downloaded and verified, so that a stopped run can be continued. Private to the collection.

Each line is a JSON object for one blob of one image. An entry holds the digest that the tag had, so it does not apply
after the tag has moved: Artifactory stores layers next to each manifest, and has not stored those of the new one.
"""

from __future__ import annotations

import json
import os
import threading
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError

_KEYS = ("repository", "reference", "digest", "blob")


class CheckpointEntry(t.NamedTuple):
    """A blob that was downloaded and verified.

    repository: with host and key. reference: tag or digest. digest: of the manifest or index. blob: its digest.
    """

    repository: str
    reference: str
    digest: str
    blob: str


class Checkpoint:
    """The entries, in memory and in a file. Thread-safe.

    path: None for an empty checkpoint that is not stored. writable: whether to add to the file. Raises InputError if the
    file cannot be used.
    """

    def __init__(self, path: str | None = None, *, writable: bool = True) -> None:
        self._lock = threading.Lock()
        # Hashes, because a run can have a million blobs, and hashes take a tenth of the memory of the entries. If a new
        # entry had the 64-bit hash of another one, its blob would not be downloaded. With a million entries, the odds of
        # one such collision are one in twenty million.
        self._hashes: set[int] = set()
        self._file: t.IO[str] | None = None
        if path is None:
            return
        try:
            is_complete = self._read(path)
            if writable:
                flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
                # Line by line, so that entries are not lost if the run is killed.
                self._file = open(  # pylint: disable=consider-using-with
                    os.open(path, flags, 0o600), "a", buffering=1, encoding="utf-8"
                )
                if not is_complete:
                    self._file.write("\n")
        except OSError as exc:
            raise InputError(f"resume_file cannot be used: {exc.strerror}.", hint="Check its path and owner.") from exc

    def has(self, entry: CheckpointEntry) -> bool:
        """Return whether an earlier run added the entry."""
        return hash(entry) in self._hashes

    def add(self, entry: CheckpointEntry) -> None:
        """Add an entry to the file."""
        if self._file is not None:
            with self._lock:
                self._file.write(json.dumps(entry._asdict()) + "\n")

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _read(self, path: str) -> bool:
        """Read the file, and return whether its last line is complete. Incomplete lines are ignored."""
        line = "\n"
        if os.path.exists(path):
            with open(path, encoding="utf-8", errors="replace") as file:
                for line in file:
                    try:
                        fields = json.loads(line)
                        self._hashes.add(hash(CheckpointEntry(*(str(fields[key]) for key in _KEYS))))
                    except (ValueError, KeyError, TypeError):
                        continue
        return line.endswith("\n")
