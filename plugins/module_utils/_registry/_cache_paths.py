# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The paths of manifests in the cache of a Docker repository. No I/O. Private to the collection."""

from __future__ import annotations

from ansible_collections.cgr.pull_through.plugins.module_utils._registry._manifest import Descriptor
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._reference import is_digest

_MANIFEST = "manifest.json"
_INDEX = "list.manifest.json"


def manifest_paths(image: str, reference: str, entry: Descriptor | None = None) -> list[str]:
    """Return the possible paths of a manifest, the likely one first. entry: its descriptor in an index, if any."""
    if entry is not None:
        names = [_INDEX if entry.is_index else _MANIFEST]
    else:
        names = [_MANIFEST, _INDEX] if is_digest(reference) else [_INDEX, _MANIFEST]
    return [f"{_folder(image, reference)}/{name}" for name in names]


def _folder(image: str, reference: str) -> str:
    return f"{image}/{reference.replace(':', '__') if is_digest(reference) else reference}"
