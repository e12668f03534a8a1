# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file of what was proved, so that a warm-up which was stopped goes on where it was. Private to the collection.

Each line is a JSON object for one blob of one image as it was then. A tag that leads to another digest by now begins
anew: Artifactory keeps layers beside each manifest, so a layer that another build shares is not there yet.
"""

from __future__ import annotations

import json
import os
import threading
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError

_KEYS = ("repository", "reference", "digest", "blob")


class CheckpointEntry(t.NamedTuple):
    """A blob that was fetched and verified.

    repository: with host and key. reference: tag or digest. digest: what the reference led to. blob: the blob's digest.
    """

    repository: str
    reference: str
    digest: str
    blob: str


class Checkpoint:
    """What was proved, in memory and in a file with one entry a line. Safe to use from several threads.

    path: None for none. writable: whether to add to the file. Raises InputError for a file that cannot be used.
    """

    def __init__(self, path: str | None = None, *, writable: bool = True) -> None:
        self._lock = threading.Lock()
        self._proved: set[int] = set()
        self._file: t.IO[str] | None = None
        if path is None:
            return
        try:
            whole = self._read(path)
            if writable:
                flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
                # With a line at a time, what was proved is kept when the run is killed.
                self._file = open(  # pylint: disable=consider-using-with
                    os.open(path, flags, 0o600), "a", buffering=1, encoding="utf-8"
                )
                if not whole:
                    self._file.write("\n")
        except OSError as exc:
            raise InputError(f"resume_file cannot be used: {exc.strerror}.", hint="Check its path and owner.") from exc

    def knows(self, entry: CheckpointEntry) -> bool:
        """Return whether this was proved before."""
        return hash(entry) in self._proved

    def add(self, entry: CheckpointEntry) -> None:
        """Keep that this is proved."""
        if self._file is not None:
            with self._lock:
                self._file.write(json.dumps(entry._asdict()) + "\n")

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _read(self, path: str) -> bool:
        """Take in what the file holds; return whether its last line is whole. A line that was cut does not count."""
        line = "\n"
        if os.path.exists(path):
            with open(path, encoding="utf-8", errors="replace") as file:
                for line in file:
                    try:
                        found = json.loads(line)
                        self._proved.add(hash(CheckpointEntry(*(str(found[key]) for key in _KEYS))))
                    except (ValueError, KeyError, TypeError):
                        continue
        return line.endswith("\n")
