# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parse the markers in a cache of container images. No I/O. Private to the collection.

Artifactory stores a layer in the folder of its manifest, as IMAGE/TAG/sha256__HEX or IMAGE/sha256__HEX/sha256__HEX. A layer
that was not pulled yet has an empty marker file there, with the suffix .marker.
"""

from __future__ import annotations

import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._cache import CachedFile


def parse_markers(files: t.Iterable[CachedFile]) -> list[dict[str, str]]:
    """Return image, reference, digest and path of each marker. A pull of the reference caches the layer."""
    return [_parse_marker(file.path) for file in files if file.is_marker]


def _parse_marker(path: str) -> dict[str, str]:
    folder, _slash, name = path.rpartition("/")
    image, _slash, manifest = folder.rpartition("/")
    is_digest = "__" in manifest and manifest.partition("__")[0] in ("sha256", "sha512")
    return {
        "image": image,
        "reference": f"{image}@{_digest(manifest)}" if is_digest else f"{image}:{manifest}",
        "digest": _digest(name.rpartition(".")[0]),
        "path": path,
    }


def _digest(name: str) -> str:
    return name.replace("__", ":", 1)
