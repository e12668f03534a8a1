# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages made in memory, one module for each kind: the same bytes on every run, and clients take them for real."""

from __future__ import annotations

from dataclasses import dataclass

ORIGIN = "https://libraries.cgr.dev"


@dataclass(frozen=True)
class File:
    """`stored`: it lies in the object store. Other files may name ORIGIN, which stands for where they are served."""

    body: bytes
    media_type: str = "application/octet-stream"
    stored: bool = True


PackageIndex = dict[str, File]
"""The files of a kind by their path at libraries.cgr.dev."""
