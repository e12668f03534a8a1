# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages that real clients take, one module per ecosystem: built in memory, with the same bytes on every run."""

from __future__ import annotations

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
