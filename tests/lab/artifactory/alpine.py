# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Alpine: merges the indexes of several repositories."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence

from .. import archives
from .remote import UnreadableError


def merge(documents: Sequence[bytes]) -> bytes:
    """One APKINDEX.tar.gz with all packages; the first document wins for a version that several have."""
    packages: dict[tuple[str, ...], str] = {}
    for document in documents:
        for entry in _entries(document):
            identity = tuple(line for line in entry.splitlines() if line.startswith(("P:", "V:", "A:")))
            packages.setdefault(identity, entry)
    index = "".join(f"{entry}\n\n" for entry in packages.values())
    return archives.gzip(archives.tar({"DESCRIPTION": b"virtual", "APKINDEX": index.encode()}))


def _entries(document: bytes) -> list[str]:
    try:
        with tarfile.open(fileobj=io.BytesIO(document)) as archive:
            member = archive.extractfile("APKINDEX")
            return member.read().decode().strip().split("\n\n") if member else []
    except (tarfile.TarError, KeyError) as error:
        raise UnreadableError(str(error)) from error
