# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checksum of an APK package, verified as a stream. Private to the collection.

A package is a sequence of gzip members: optional signatures, the control segment, and the data. The index declares a
checksum of the compressed control segment, and the control segment declares one of the compressed data.
"""

from __future__ import annotations

import base64
import hashlib
import re
import zlib

_ALGORITHMS = {"Q1": ("sha1", 20), "Q2": ("sha256", 32)}
_GZIP = 31  # zlib's name for a gzip header with the largest window
_MAX_CONTROL_SIZE = 16 << 20
_MAX_INFLATED_STEP = 64 << 10
_DATA_HASH = re.compile(rb"^datahash = ([0-9a-f]{64})$", re.MULTILINE)


def parse_checksum(text: str) -> tuple[str, bytes] | None:
    """Return algorithm and digest of a checksum in an index; None if it cannot be verified."""
    algorithm, length = _ALGORITHMS.get(text[:2], ("", 0))
    try:
        digest = base64.b64decode(text[2:], validate=True)
    except ValueError:
        return None
    return (algorithm, digest) if algorithm and len(digest) == length else None


class ApkVerifier:
    """Verifies one package. expected_digest: as the index declares it."""

    def __init__(self, algorithm: str, expected_digest: bytes) -> None:
        self._algorithm = algorithm
        self._expected_digest = expected_digest
        self._error = ""
        self._control: bytes | None = None
        self._data = hashlib.sha256()
        self._start_member()

    def _start_member(self) -> None:
        self._inflater = zlib.decompressobj(_GZIP)
        self._hash = hashlib.new(self._algorithm, usedforsecurity=False)
        self._content = bytearray()

    def update(self, data: bytes) -> None:
        """Process the next part of the package."""
        while data and not self._error:
            if self._control is not None:
                self._data.update(data)
                return
            data = self._inflate(data)

    def _inflate(self, data: bytes) -> bytes:
        """Process the next part of a member before the data. Return what follows the member."""
        rest = data
        try:
            while rest and not self._inflater.eof:
                self._content += self._inflater.decompress(rest, _MAX_INFLATED_STEP)
                rest = self._inflater.unconsumed_tail
                if len(self._content) > _MAX_CONTROL_SIZE:
                    self._error = f"its control segment has more than {_MAX_CONTROL_SIZE >> 20} MiB"
                    return b""
        except zlib.error as exc:
            self._error = f"it is not a package of apk version 2 ({exc})"
            return b""
        rest = self._inflater.unused_data
        self._hash.update(data[: len(data) - len(rest)])
        if self._inflater.eof:
            self._end_member()
        return rest

    def _end_member(self) -> None:
        """The first member that is not a signature is the control segment."""
        if self._content.startswith(b".SIGN."):
            self._start_member()
            return
        self._control = bytes(self._content)
        if self._hash.digest() != self._expected_digest:
            self._error = "its control segment does not have the checksum that the index declares"

    def error(self) -> str:
        """Return what is wrong with the complete package; empty if it is valid."""
        if self._error:
            return self._error
        if self._control is None:
            return "it ends before the end of its control segment"
        data_hash = _DATA_HASH.search(self._control)
        if data_hash and data_hash[1].decode() != self._data.hexdigest():
            return "its data does not have the checksum that its control segment declares"
        return ""
