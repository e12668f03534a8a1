# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the checksum of an APK package covers, taken in as a stream. Private to the collection.

A package is a chain of gzip members: signatures, if it has any; the control segment; the data. The index promises a
checksum of the control segment as it is compressed, and in that is one of the data as they are compressed.
"""

from __future__ import annotations

import base64
import hashlib
import re
import zlib

_ALGORITHMS = {"Q1": ("sha1", 20), "Q2": ("sha256", 32)}
_GZIP = 31  # zlib's name for a gzip header with the largest window
_CONTROL_LIMIT = 16 << 20
_STEP = 64 << 10
_DATA_HASH = re.compile(rb"^datahash = ([0-9a-f]{64})$", re.MULTILINE)


def known_checksum(checksum: str) -> tuple[str, bytes] | None:
    """Return algorithm and digest of a checksum as an index writes it; None for one that cannot be verified."""
    algorithm, length = _ALGORITHMS.get(checksum[:2], ("", 0))
    try:
        digest = base64.b64decode(checksum[2:], validate=True)
    except ValueError:
        return None
    return (algorithm, digest) if algorithm and len(digest) == length else None


class ApkVerifier:
    """Verifies one package, by algorithm and digest of what the index promises."""

    def __init__(self, algorithm: str, expected_checksums: bytes) -> None:
        self._algorithm = algorithm
        self._promised = expected_checksums
        self._flaw = ""
        self._control: bytes | None = None
        self._data = hashlib.sha256()
        self._begin()

    def _begin(self) -> None:
        """Begin with another member."""
        self._inflater = zlib.decompressobj(_GZIP)
        self._hash = hashlib.new(self._algorithm, usedforsecurity=False)
        self._text = bytearray()

    def update(self, data: bytes) -> None:
        """Take in more of the package."""
        while data and not self._flaw:
            if self._control is not None:
                self._data.update(data)
                return
            data = self._inflate(data)

    def _inflate(self, data: bytes) -> bytes:
        """Take in more of a member before the data, and return what comes after it."""
        rest = data
        try:
            while rest and not self._inflater.eof:
                self._text += self._inflater.decompress(rest, _STEP)
                rest = self._inflater.unconsumed_tail
                if len(self._text) > _CONTROL_LIMIT:
                    self._flaw = f"its control segment has more than {_CONTROL_LIMIT >> 20} MiB"
                    return b""
        except zlib.error as exc:
            self._flaw = f"it is no package of apk's version 2 ({exc})"
            return b""
        rest = self._inflater.unused_data
        self._hash.update(data[: len(data) - len(rest)])
        if self._inflater.eof:
            self._end()
        return rest

    def _end(self) -> None:
        """Close a member. The first that is no signature is the control segment."""
        if self._text.startswith(b".SIGN."):
            self._begin()
            return
        self._control = bytes(self._text)
        if self._hash.digest() != self._promised:
            self._flaw = "its control segment does not have the checksum that the index promises"

    def error(self) -> str:
        """Return what is wrong with the package, now that all of it was taken in; empty if nothing is."""
        if self._flaw:
            return self._flaw
        if self._control is None:
            return "it ends before its control segment does"
        expected_checksums = _DATA_HASH.search(self._control)
        if expected_checksums and expected_checksums[1].decode() != self._data.hexdigest():
            return "its data do not have the checksum that its control segment promises"
        return ""
