# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Referrers of an image: signatures, attestations and SBOMs. Private to the collection.

A registry lists them by the Referrers API or, without that API, under a tag made of the digest. Older tools use more tags.
"""

from __future__ import annotations

import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._download_errors import DownloadError
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._client import Registry
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._manifest import Descriptor, Manifest

_LEGACY_SUFFIXES = (".sig", ".att", ".sbom")
# Some registries respond with 403 to a tag that does not exist.
_ABSENT_STATUSES = (403, 404)


def find_referrers(registry: Registry, name: str, digests: t.Iterable[str]) -> dict[str, Manifest]:
    """Return the manifests that refer to the digests, by their own digest. Raises the same exceptions as Registry.get_manifest()."""
    referrers: dict[str, Manifest] = {}
    subjects = list(dict.fromkeys(digests))
    for digest in subjects:
        for entry in _list_referrers(registry, name, digest):
            if entry.digest not in referrers and entry.digest not in subjects:
                referrers[entry.digest] = registry.get_manifest(name, entry.digest, entry)
        for suffix in _LEGACY_SUFFIXES:
            manifest = _get_manifest_or_none(registry, name, _digest_tag(digest) + suffix)
            if manifest is not None:
                referrers[manifest.digest] = manifest
    return referrers


def _list_referrers(registry: Registry, name: str, digest: str) -> t.Sequence[Descriptor]:
    entries = registry.list_referrers(name, digest)
    if entries is not None:
        return entries
    index = _get_manifest_or_none(registry, name, _digest_tag(digest))
    # Some registries return the subject itself.
    return index.entries if index is not None and index.is_index and index.digest != digest else ()


def _get_manifest_or_none(registry: Registry, name: str, tag: str) -> Manifest | None:
    try:
        return registry.get_manifest(name, tag)
    except DownloadError as exc:
        if exc.status not in _ABSENT_STATUSES:
            raise
    return None


def _digest_tag(digest: str) -> str:
    return digest.replace(":", "-")
