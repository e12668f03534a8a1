# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A Go module, example.com/lab/greeting, as module proxies serve it."""

from __future__ import annotations

import json
from collections.abc import Sequence

from .. import archives, images
from . import File, Shelf

MODULE = "example.com/lab/greeting"
_MOD = f"module {MODULE}\n\ngo 1.16\n".encode()


def shelf(root: str, versions: Sequence[str]) -> Shelf:
    """Information comes at once, the source is in the object store."""
    files = {"@v/list": File("".join(f"v{version}\n" for version in versions).encode(), "text/plain", stored=False)}
    for version in versions:
        info = json.dumps({"Version": f"v{version}", "Time": images.CREATED}).encode()
        files[f"@v/v{version}.info"] = files["@latest"] = File(info, "application/json", stored=False)
        files[f"@v/v{version}.mod"] = File(_MOD, "text/plain", stored=False)
        files[f"@v/v{version}.zip"] = File(_source(version), "application/zip")
    return {f"/{root}/{MODULE}/{path}": file for path, file in files.items()}


def _source(version: str) -> bytes:
    source = f'// Package greeting is of the lab.\npackage greeting\n\nconst Version = "{version}"\n'
    files = {"go.mod": _MOD, "greeting.go": source.encode()}
    return archives.pack_zip({f"{MODULE}@v{version}/{path}": data for path, data in files.items()})
