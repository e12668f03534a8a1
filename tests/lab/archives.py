# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives with the same bytes on every run and with every version of Python and zlib."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Mapping

_NEW_YEAR = (2026, 1, 1, 0, 0, 0)
_BLOCK = 512


def tar(files: Mapping[str, bytes], *, end: bool = True) -> bytes:
    """A tar of these files. Without `end`, which is two empty blocks, another tar can follow."""
    parts: list[bytes] = []
    for path, data in files.items():
        member = tarfile.TarInfo(path)
        member.size = len(data)
        parts += [member.tobuf(), data, bytes(-len(data) % _BLOCK)]  # tarfile would copy in small pieces
    return b"".join([*parts, bytes(2 * _BLOCK if end else 0)])


def gzip(plain: bytes) -> bytes:
    """Gzip with stored blocks only, which is fast and does not depend on a compressor."""
    parts = [b"\x1f\x8b\x08\x00" + bytes(4) + b"\x04\xff"]  # deflate, no name, no time, fastest, unknown system
    for start in range(0, len(plain), 0xFFFF):
        block = plain[start : start + 0xFFFF]
        final = start + 0xFFFF >= len(plain)
        parts += [struct.pack("<BHH", final, len(block), len(block) ^ 0xFFFF), block]
    parts.append(struct.pack("<II", zlib.crc32(plain), len(plain)))
    return b"".join(parts)


def pack_zip(files: Mapping[str, bytes]) -> bytes:
    """An uncompressed zip of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, data in files.items():
            archive.writestr(zipfile.ZipInfo(path, _NEW_YEAR), data)
    return buffer.getvalue()
