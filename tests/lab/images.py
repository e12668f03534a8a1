# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Container images, built in memory once per process, with the same bytes on every run."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Any

from . import archives

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
IN_TOTO = "application/vnd.in-toto+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"

ARCHITECTURES = ("amd64", "arm64")
CREATED = "2026-01-01T00:00:00Z"
MIB = 1 << 20


@dataclass(frozen=True)
class ImageSpec:
    """`bulk`: the sizes in MiB of the layers that all builds and platforms share."""

    tags: tuple[str, ...]
    bulk: tuple[int, ...] = (1,)


# By the name in the registry, <organization>/<name>. Each tag is a separate build.
CATALOG: dict[str, ImageSpec] = {
    "chainguard/wolfi-base": ImageSpec(("latest", "latest-dev")),
    "chainguard/go": ImageSpec(("latest", "latest-dev", "1.25", "1.25-dev"), (2, 1)),
    "example.com/nginx": ImageSpec(
        ("latest", "latest-dev", "1.27", "1.27-dev", "1.27.3", "1.27.3-r1", "1.27.3-20260101"),
    ),
    "example.com/python": ImageSpec(("latest", "latest-dev", "3.13", "3.13-dev", "3.12"), (2, 2)),
    "example.com/jdk": ImageSpec(("latest", "latest-dev", "openjdk-21"), (32, 16, 16)),
}


@dataclass(frozen=True)
class Content:
    """Bytes with their digest."""

    media_type: str
    body: bytes
    digest: str

    @classmethod
    def from_bytes(cls, media_type: str, body: bytes) -> Content:
        return cls(media_type, body, f"sha256:{sha256(body).hexdigest()}")

    @classmethod
    def from_json(cls, media_type: str, value: object) -> Content:
        return cls.from_bytes(media_type, json.dumps(value, separators=(",", ":")).encode())

    def descriptor(self, **more: Any) -> dict[str, Any]:
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.body), **more}


EMPTY = Content.from_bytes("application/vnd.oci.empty.v1+json", b"{}")


@dataclass(frozen=True)
class BuiltImage:
    """One build of an image. `manifests`: the index, then one manifest per platform, then their attestations."""

    manifests: tuple[Content, ...]
    blobs: tuple[Content, ...]

    @property
    def digest(self) -> str:
        return self.manifests[0].digest


_SMALL = ImageSpec((), ())  # of an image that is not in the catalog


@cache
def build(name: str, tag: str, serial: int = 0) -> BuiltImage:
    """Build number `serial` of a tag; every number gives different digests."""
    manifests: list[Content] = []
    attestations: list[Content] = []
    descriptors: list[dict[str, Any]] = []
    blobs: list[Content] = []
    shared = [_bulk_layer(name, number, size) for number, size in enumerate(CATALOG.get(name, _SMALL).bulk)]
    for architecture in ARCHITECTURES:
        layers = [*shared, _release_layer(name, tag, serial, architecture)]
        config = _config(architecture, [diff_id for _layer, diff_id in layers])
        manifest = build_manifest(config, [layer for layer, _diff_id in layers])
        statement = Content.from_json(IN_TOTO, _statement(name, manifest))
        attestation_config = _config("unknown", [statement.digest])
        attestation = build_manifest(attestation_config, [statement])
        manifests.append(manifest)
        attestations.append(attestation)
        descriptors.append(manifest.descriptor(platform={"architecture": architecture, "os": "linux"}))
        blobs += [config, *(layer for layer, _diff_id in layers), attestation_config, statement]
    for manifest, attestation in zip(manifests, attestations):
        descriptors.append(attestation.descriptor(annotations=_attests(manifest), platform=_UNKNOWN))
    index = Content.from_json(INDEX, {"schemaVersion": 2, "mediaType": INDEX, "manifests": descriptors})
    return BuiltImage((index, *manifests, *attestations), tuple(blobs))


_UNKNOWN = {"architecture": "unknown", "os": "unknown"}


def _attests(manifest: Content) -> dict[str, str]:
    return {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": manifest.digest}


def _statement(name: str, manifest: Content) -> dict[str, Any]:
    subject = {"name": f"pkg:docker/{name}", "digest": {"sha256": manifest.digest.removeprefix("sha256:")}}
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [subject],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {},
    }


def _config(architecture: str, diff_ids: list[str]) -> Content:
    value = {
        "architecture": architecture,
        "os": "unknown" if architecture == "unknown" else "linux",
        "created": CREATED,
        "config": {"Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"], "User": "65532"},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": [{"created": CREATED, "created_by": "lab"} for _diff_id in diff_ids],
    }
    return Content.from_json(CONFIG, value)


def build_manifest(config: Content, layers: list[Content]) -> Content:
    """The manifest of an image of one platform, or of another artifact."""
    value = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config.descriptor(),
        "layers": [layer.descriptor() for layer in layers],
    }
    return Content.from_json(MANIFEST, value)


def build_signature(subject: Content) -> tuple[Content, tuple[Content, ...]]:
    """The manifest of a Sigstore bundle that refers to another manifest, and its blobs. It has no real signature."""
    bundle = Content.from_json(BUNDLE, {"mediaType": BUNDLE, "subject": subject.digest})
    value = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": BUNDLE,
        "config": EMPTY.descriptor(),
        "layers": [bundle.descriptor()],
        "subject": subject.descriptor(),
    }
    return Content.from_json(MANIFEST, value), (EMPTY, bundle)


@cache
def _bulk_layer(name: str, number: int, size: int) -> tuple[Content, str]:
    """A layer of `size` MiB that no other layer shares."""
    data = random.Random(f"{name} {number}").randbytes(MIB)
    return _layer(f"usr/share/{name}/data-{number}", data * size)


def _release_layer(name: str, tag: str, serial: int, architecture: str) -> tuple[Content, str]:
    release = f'NAME="Lab"\nID=lab\nIMAGE="{name}:{tag}"\nBUILD={serial}\nARCHITECTURE={architecture}\n'
    return _layer("etc/os-release", release.encode())


def _layer(path: str, data: bytes) -> tuple[Content, str]:
    """A gzipped tar of one file, and the digest of the tar."""
    plain = archives.tar({path: data})
    return Content.from_bytes(LAYER, archives.gzip(plain)), f"sha256:{sha256(plain).hexdigest()}"
