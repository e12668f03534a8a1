# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manifests, indexes and descriptors as the OCI image specification defines them. Pure. Private to the collection."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import json
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InvalidContentError
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._platforms import Platform
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._reference import digest_of, is_digest

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"

# All four, or a registry converts or says 404; and no */*, which switches off Artifactory's blocking of MIME types.
ACCEPT = ", ".join((OCI_INDEX, DOCKER_INDEX, OCI_MANIFEST, DOCKER_MANIFEST))

_INDEXES = (OCI_INDEX, DOCKER_INDEX)
_IMAGE_CONFIGS = ("application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json")


@dataclasses.dataclass(frozen=True, slots=True)
class Descriptor:
    """What a manifest says of something that it refers to. size is in bytes."""

    media_type: str
    digest: str
    size: int
    platform: Platform | None = None
    runnable: bool = True

    @property
    def is_index(self) -> bool:
        return self.media_type in _INDEXES

    @property
    def is_image_config(self) -> bool:
        return self.media_type in _IMAGE_CONFIGS

    @property
    def is_config(self) -> bool:
        """Whether it is a configuration, of an image or of something else."""
        return ".config." in self.media_type or self.is_image_config

    @property
    def is_foreign(self) -> bool:
        """Whether the content lies elsewhere by license, so that registries do not have to hold it."""
        return "nondistributable" in self.media_type or "foreign" in self.media_type


@dataclasses.dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest or an index whose digest was computed from its bytes. size is in bytes.

    artifact_type: what it is, if it is neither an image nor an index, such as a Helm chart. Such a thing has no platform.
    """

    digest: str
    size: int
    media_type: str
    entries: tuple[Descriptor, ...] = ()
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] = ()
    artifact_type: str = ""

    @property
    def is_index(self) -> bool:
        return self.media_type in _INDEXES


def parse_manifest(body: bytes, content_type: str, *, digest: str, url: str) -> Manifest:
    """Return the manifest in a body whose digest is known; raise Unusable.

    What it is, its own mediaType says; else the Content-Type; else its form.
    """
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise InvalidContentError("content", "a body that is no manifest.", url=url)
    if document.get("schemaVersion") == 1 or "fsLayers" in document:
        raise InvalidContentError("schema1", "a manifest of the old schema 1, which today's clients refuse.", url=url)
    try:
        return _parse(document, content_type.partition(";")[0].strip(), digest, len(body))
    except (KeyError, TypeError, ValueError) as exc:
        raise InvalidContentError("content", f"a manifest that is not valid ({exc}).", url=url) from exc


def _parse(document: dict[str, t.Any], content_type: str, digest: str, size: int) -> Manifest:
    is_index = "manifests" in document
    known = [media_type for media_type in (document.get("mediaType"), content_type) if media_type in ACCEPT.split(", ")]
    if not known and not is_index and "layers" not in document:
        raise ValueError(f"neither an index nor an image: {document.get('mediaType') or content_type}")
    media_type = known[0] if known else (OCI_INDEX if is_index else OCI_MANIFEST)
    if media_type in _INDEXES:
        return Manifest(digest, size, media_type, entries=tuple(map(_descriptor, document["manifests"])))
    config, layers = _descriptor(document["config"]), tuple(map(_descriptor, document["layers"]))
    artifact_type = "" if config.is_image_config else str(document.get("artifactType") or config.media_type)
    return Manifest(digest, size, media_type, config=config, layers=layers, artifact_type=artifact_type)


def _descriptor(document: dict[str, t.Any]) -> Descriptor:
    digest, size = document["digest"], document["size"]
    if not is_digest(digest):
        raise ValueError(f"a digest that cannot be verified: {digest[:20]!r}")
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise ValueError(f"size {size!r}")
    if document.get("data"):
        _check_data(document["data"], digest, size)
    platform = Platform.of(document["platform"]) if document.get("platform") else None
    return Descriptor(document.get("mediaType", ""), digest, size, platform, _is_runnable(document, platform))


def _check_data(data: str, digest: str, size: int) -> None:
    """Raise ValueError unless content that lies in the descriptor is what the descriptor names."""
    try:
        content = base64.b64decode(data, validate=True)
    except binascii.Error as exc:
        raise ValueError("embedded data that is not base64") from exc
    if len(content) != size or digest_of(content, like=digest) != digest:
        raise ValueError("embedded data that does not have its digest")


def _is_runnable(document: dict[str, t.Any], platform: Platform | None) -> bool:
    """Return whether an index's entry is an image for a platform, and not an attestation or another artifact."""
    attests = (document.get("annotations") or {}).get("vnd.docker.reference.type") == "attestation-manifest"
    unknown = platform is None or "unknown" in (platform.os, platform.architecture)
    return not attests and not unknown and not document.get("artifactType")
