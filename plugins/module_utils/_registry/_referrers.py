# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What refers to an image: signatures, attestations and SBOMs. Private to the collection.

Registries list it by an API; where that is missing, under a tag made of the digest. Older tools use more such tags.
"""

from __future__ import annotations

import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._download_errors import DownloadError
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._client import Registry
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._manifest import Descriptor, Manifest

_LEGACY = (".sig", ".att", ".sbom")


def find_referrers(registry: Registry, name: str, digests: t.Iterable[str]) -> dict[str, Manifest]:
    """Return the manifests of all that refers to one of the digests, by their digest. Raises as Registry.manifest()."""
    found: dict[str, Manifest] = {}
    subjects = list(dict.fromkeys(digests))
    for digest in subjects:
        for entry in _listed(registry, name, digest):
            if entry.digest not in found and entry.digest not in subjects:
                found[entry.digest] = registry.manifest(name, entry.digest, entry)
        for suffix in _LEGACY:
            legacy = _if_any(registry, name, _tag(digest) + suffix)
            if legacy is not None:
                found[legacy.digest] = legacy
    return found


def _listed(registry: Registry, name: str, digest: str) -> t.Sequence[Descriptor]:
    listed = registry.referrers(name, digest)
    if listed is not None:
        return listed
    fallback = _if_any(registry, name, _tag(digest))
    # Some registries answer with the subject itself.
    return fallback.entries if fallback is not None and fallback.is_index and fallback.digest != digest else ()


def _if_any(registry: Registry, name: str, tag: str) -> Manifest | None:
    try:
        return registry.manifest(name, tag)
    except DownloadError as exc:
        if exc.status != 404:
            raise
    return None


def _tag(digest: str) -> str:
    return digest.replace(":", "-")
