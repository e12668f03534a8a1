# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Go: merges the version lists of several module proxies."""

from __future__ import annotations

from collections.abc import Sequence


def merge(documents: Sequence[bytes]) -> bytes:
    """One list with all versions."""
    return b"".join(dict.fromkeys(line + b"\n" for document in documents for line in document.split()))
