# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages that real clients take, one module per ecosystem: built in memory, with the same bytes on every run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ORIGIN = "https://libraries.cgr.dev"


@dataclass(frozen=True)
class File:
    """`stored`: it is in the object store. Other files can contain ORIGIN, which is replaced by the actual origin."""

    body: bytes
    media_type: str = "application/octet-stream"
    stored: bool = True


PackageIndex = dict[str, File]
"""Files by their path at libraries.cgr.dev."""

Versions = Mapping[str, int]
"""The build number of each version. Another number gives the files of the version other bytes."""


def newest(versions: Versions) -> str:
    """The version that was published last."""
    return list(versions)[-1]


def mark_build(number: int) -> str:
    """A line for the content of a file; empty for the first build."""
    return f"build={number}\n" if number else ""
