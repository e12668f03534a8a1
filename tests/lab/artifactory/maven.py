# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Maven: releases and snapshots, and merging metadata of several repositories."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

from .remote import UnreadableError

_SNAPSHOT = re.compile(r"-SNAPSHOT/")


def handles(fields: Mapping[str, Any], path: str) -> bool:
    """Whether a remote repository handles a path. The metadata of an artifact is neither release nor snapshot."""
    if _SNAPSHOT.search(path):
        return bool(fields["handleSnapshots"])
    return bool(fields["handleReleases"]) or path.endswith("/maven-metadata.xml")


def merge(documents: Sequence[bytes]) -> bytes:
    """One maven-metadata.xml with all versions. Raises UnreadableError."""
    try:
        trees = [ElementTree.fromstring(document) for document in documents]
    except ElementTree.ParseError as error:
        raise UnreadableError(str(error)) from error
    numbers = {version.text or "" for tree in trees for version in tree.iter("version")}
    versions = sorted(numbers, key=lambda version: [int(number) for number in re.findall(r"\d+", version)])
    merged = trees[0]
    for name in ("latest", "release"):
        for element in merged.iter(name):
            element.text = versions[-1]
    for parent in merged.iter("versions"):
        parent[:] = []
        for version in versions:
            ElementTree.SubElement(parent, "version").text = version
    return ElementTree.tostring(merged)
