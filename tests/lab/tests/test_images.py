# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images are complete, valid and reproducible."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from hashlib import sha256
from typing import Any

import pytest

from lab import images

ALL = [(name, tag) for name, recipe in images.CATALOG.items() for tag in recipe.tags]


def compute_digest(data: bytes) -> str:
    return f"sha256:{sha256(data).hexdigest()}"


def contents(build: images.BuiltImage) -> dict[str, bytes]:
    return {content.digest: content.body for content in (*build.manifests, *build.blobs)}


def fetch(blobs: dict[str, bytes], descriptor: dict[str, Any]) -> Any:
    body = blobs[descriptor["digest"]]
    assert (compute_digest(body), len(body)) == (descriptor["digest"], descriptor["size"])
    return json.loads(body)


@pytest.mark.parametrize(("name", "tag"), ALL)
def test_every_descriptor_has_its_content(name: str, tag: str) -> None:
    build = images.build(name, tag)
    blobs = contents(build)
    index = json.loads(blobs[build.digest])
    platforms = [f"{entry['platform']['os']}/{entry['platform']['architecture']}" for entry in index["manifests"]]
    assert platforms == ["linux/amd64", "linux/arm64", "unknown/unknown", "unknown/unknown"]
    for entry in index["manifests"]:
        manifest = fetch(blobs, entry)
        assert manifest["mediaType"] == entry["mediaType"]
        assert fetch(blobs, manifest["config"])["architecture"] == entry["platform"]["architecture"]
        for layer in manifest["layers"]:
            assert len(blobs[layer["digest"]]) == layer["size"]
    for attestation, subject in zip(index["manifests"][2:], index["manifests"][:2]):
        assert attestation["annotations"]["vnd.docker.reference.digest"] == subject["digest"]
        # crane validates an uncompressed layer against the config too.
        manifest = fetch(blobs, attestation)
        digests = [layer["digest"] for layer in manifest["layers"]]
        assert fetch(blobs, manifest["config"])["rootfs"]["diff_ids"] == digests
        assert fetch(blobs, manifest["layers"][0])["_type"] == "https://in-toto.io/Statement/v1"


def test_layers_are_the_gzipped_tars_of_the_config() -> None:
    build = images.build("example.com/nginx", "latest")
    blobs = contents(build)
    manifest = json.loads(blobs[build.manifests[1].digest])
    config = json.loads(blobs[manifest["config"]["digest"]])
    for layer, diff_id in zip(manifest["layers"], config["rootfs"]["diff_ids"]):
        plain = gzip.decompress(blobs[layer["digest"]])
        assert compute_digest(plain) == diff_id
        with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
            assert [member.isfile() for member in tar.getmembers()] == [True]


def test_builds_are_reproducible_and_distinct() -> None:
    digests = {images.build(name, tag).digest for name, tag in ALL}
    digests |= {images.build("example.com/nginx", "latest", serial).digest for serial in (1, 2)}
    assert len(digests) == len(ALL) + 2
    first = images.build("example.com/nginx", "latest", 1)
    images.build.cache_clear()
    assert images.build("example.com/nginx", "latest", 1) == first
    assert (
        first.digest == "sha256:3489b3c77d3b5e5f355c4f753e516557a64eea1a978e181346a165282272f379"
    ), "the same on every machine and Python"


def test_one_image_is_large() -> None:
    build = images.build("example.com/jdk", "latest")
    manifest = json.loads(build.manifests[1].body)
    assert sum(layer["size"] for layer in manifest["layers"]) >= 64 * images.MIB
