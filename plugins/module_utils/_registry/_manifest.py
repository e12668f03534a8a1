# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manifests, indexes and descriptors, as defined by the OCI image specification. No I/O. Private to the collection."""

from __future__ import annotations

import base64
import binascii
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InvalidContentError
from ansible_collections.cgr.pull_through.plugins.module_utils._json_document import parse_json
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._platforms import Platform
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._reference import digest_of, is_digest
from ansible_collections.cgr.pull_through.plugins.module_utils._shape import validate_shape

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"

# All four, because a registry may otherwise convert the manifest or respond 404. No */*, because it disables
# Artifactory's blocking of MIME types.
ACCEPT = ", ".join((OCI_INDEX, DOCKER_INDEX, OCI_MANIFEST, DOCKER_MANIFEST))

_MAX_TYPE = 100
_MAX_SIZE = 1 << 62
PLATFORM = dict.fromkeys(("os?", "architecture?", "variant?", "os.version?"), str)
_DESCRIPTOR = {
    "mediaType?": str,
    "digest": str,
    "size": int,
    "data?": str,
    "artifactType?": str,
    "annotations?": {"*": str},
    "platform?": PLATFORM,
}
_DOCUMENT = {
    "mediaType?": str,
    "artifactType?": str,
    "manifests?": [_DESCRIPTOR],
    "config?": _DESCRIPTOR,
    "layers?": [_DESCRIPTOR],
}
_INDEXES = (OCI_INDEX, DOCKER_INDEX)
_IMAGE_CONFIGS = ("application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json")


class Descriptor(t.NamedTuple):
    """A reference to content, in a manifest or index. size: in bytes. is_runnable: whether it is an image for a platform."""

    media_type: str
    digest: str
    size: int
    platform: Platform | None = None
    is_runnable: bool = True

    @property
    def is_index(self) -> bool:
        return self.media_type in _INDEXES

    @property
    def is_image_config(self) -> bool:
        return self.media_type in _IMAGE_CONFIGS

    @property
    def is_config(self) -> bool:
        """Whether it is the configuration of an image or of another artifact."""
        return ".config." in self.media_type or self.is_image_config

    @property
    def is_foreign(self) -> bool:
        """Whether the content is not distributable, so that registries need not have it."""
        return "nondistributable" in self.media_type or "foreign" in self.media_type


class Manifest(t.NamedTuple):
    """A manifest or an index with a verified digest. size: in bytes.

    artifact_type: for an artifact, such as a Helm chart; empty for an image or an index. An artifact has no platform.
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
    """Return the manifest in a body with a known digest. Raises InvalidContentError.

    Its media type is in its field mediaType, else in the Content-Type, else it follows from its fields.
    """
    try:
        document = parse_json(body)
    except ValueError as exc:
        raise InvalidContentError("content", f"the response is not a manifest ({exc}).", url=url) from exc
    if not isinstance(document, dict):
        raise InvalidContentError("content", "the response is not a manifest.", url=url)
    if document.get("schemaVersion") == 1 or "fsLayers" in document:
        raise InvalidContentError(
            "schema1", "the manifest has schema version 1, which current clients do not support.", url=url
        )
    try:
        return _parse(document, content_type.partition(";")[0].strip(), digest, len(body))
    except ValueError as exc:
        raise InvalidContentError("content", f"the manifest is not valid: {exc}.", url=url) from exc


def _parse(document: dict[str, t.Any], content_type: str, digest: str, size: int) -> Manifest:
    validate_shape(document, _DOCUMENT)
    is_index = "manifests" in document
    supported = ACCEPT.split(", ")
    media_types = [media_type for media_type in (document.get("mediaType"), content_type) if media_type in supported]
    if not media_types and not is_index and "layers" not in document:
        raise ValueError(f"unsupported media type {(document.get('mediaType') or content_type)[:_MAX_TYPE]!r}")
    media_type = media_types[0] if media_types else (OCI_INDEX if is_index else OCI_MANIFEST)
    if media_type in _INDEXES:
        validate_shape(document, {"manifests": list})
        return Manifest(digest, size, media_type, entries=tuple(map(_descriptor, document["manifests"])))
    validate_shape(document, {"config": dict, "layers": list})
    config, layers = _descriptor(document["config"]), tuple(map(_descriptor, document["layers"]))
    artifact_type = "" if config.is_image_config else str(document.get("artifactType") or config.media_type)
    return Manifest(digest, size, media_type, config=config, layers=layers, artifact_type=artifact_type)


def _descriptor(document: dict[str, t.Any]) -> Descriptor:
    digest, size = document["digest"], document["size"]
    if not is_digest(digest):
        raise ValueError(f"unsupported digest {digest[:20]!r}")
    if not 0 <= size <= _MAX_SIZE:
        raise ValueError("a size is not valid")
    if document.get("data"):
        _validate_data(document["data"], digest, size)
    platform = Platform.from_document(document["platform"]) if document.get("platform") else None
    return Descriptor(document.get("mediaType") or "", digest, size, platform, _is_runnable(document, platform))


def _validate_data(data: str, digest: str, size: int) -> None:
    """Raise ValueError if the content that is embedded in a descriptor does not match it."""
    try:
        content = base64.b64decode(data, validate=True)
    except binascii.Error as exc:
        raise ValueError("embedded data is not base64") from exc
    if len(content) != size or digest_of(content, like=digest) != digest:
        raise ValueError("embedded data does not match its digest")


def _is_runnable(document: dict[str, t.Any], platform: Platform | None) -> bool:
    """Return whether an entry of an index is an image for a platform, and not an attestation or another artifact."""
    annotations = document.get("annotations") or {}
    is_attestation = annotations.get("vnd.docker.reference.type") == "attestation-manifest"
    is_known = platform is not None and "unknown" not in (platform.os, platform.architecture)
    return is_known and not is_attestation and not document.get("artifactType")
