# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""APK packages: the private repository of an organization, and the public ones."""

from __future__ import annotations

import base64
import gzip
import io
import tarfile
from collections.abc import Callable
from hashlib import sha1, sha256
from typing import Any

import httpx
import pytest

from .conftest import Lab, PullToken

CreatePullToken = Callable[..., PullToken]
INDEX = "/example.com/x86_64/APKINDEX.tar.gz"
PACKAGE = "/example.com/x86_64/lab-private-1.0.0-r0.apk"


def get(lab: Lab, path: str, token: PullToken | None = None, **more: Any) -> httpx.Response:
    return lab.client("apk").get(path, auth=token.credentials if token else None, **more)


@pytest.fixture
def token(pull_token: CreatePullToken) -> PullToken:
    return pull_token("apk.pull")


def entries(index: bytes) -> list[dict[str, str]]:
    """The packages of an APKINDEX.tar.gz."""
    with tarfile.open(fileobj=io.BytesIO(index)) as archive:
        member = archive.extractfile("APKINDEX")
        assert member
        blocks = member.read().decode().strip().split("\n\n")
    return [dict(line.split(":", 1) for line in block.splitlines()) for block in blocks]


def test_private_repository(lab: Lab, token: PullToken) -> None:
    listed = {entry["V"]: entry for entry in entries(get(lab, INDEX, token).content)}
    response = get(lab, PACKAGE, token)
    assert response.status_code == 302 and response.content == b""
    package = lab.client("blobs").get(response.headers["location"]).content
    assert (listed["1.0.0-r0"]["P"], listed["1.0.0-r0"]["S"]) == ("lab-private", str(len(package)))
    second = package.index(b"\x1f\x8b", 1)
    control, data = package[:second], package[second:]
    assert listed["1.0.0-r0"]["C"] == f"Q1{base64.b64encode(sha1(control).digest()).decode()}"
    assert f"datahash = {sha256(data).hexdigest()}".encode() in gzip.decompress(control)
    head = lab.client("apk").head(PACKAGE, auth=token.credentials)
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(package)))


def test_status_by_credentials(lab: Lab, token: PullToken, pull_token: CreatePullToken) -> None:
    assert get(lab, INDEX).headers["www-authenticate"].startswith("Basic ")
    assert lab.client("apk").get(INDEX, auth=(token.username, "wrong")).status_code == 401
    assert get(lab, INDEX, pull_token("registry.pull")).status_code == 403
    assert get(lab, "/other.example.org/x86_64/APKINDEX.tar.gz", token).status_code == 403


def test_missing_files(lab: Lab, token: PullToken) -> None:
    for path in (f"/{lab.org}/x86_64/APKINDEX.tar.gz", "/example.com/riscv64/APKINDEX.tar.gz"):
        assert get(lab, path, token).status_code == 404


@pytest.mark.parametrize(("repository", "name"), [("chainguard", "lab-greeting"), ("extra-packages", "lab-extra")])
def test_the_public_repositories(lab: Lab, repository: str, name: str) -> None:
    client, folder = lab.client("virtualapk"), f"/{lab.org}/{repository}/aarch64"
    assert name in {entry["P"] for entry in entries(client.get(f"{folder}/APKINDEX.tar.gz").content)}
    assert client.get(f"{folder}/{name}-1.0.0-r0.apk").status_code == 302
    for wrong in ("example.com", "0" * 40):
        assert client.get(f"/{wrong}/{repository}/aarch64/APKINDEX.tar.gz").status_code == 404


@pytest.mark.parametrize(("repository", "name"), [("chainguard", "lab-greeting"), ("extra-packages", "lab-extra")])
def test_the_public_repositories_without_an_organization(lab: Lab, repository: str, name: str) -> None:
    folder = f"/{repository}/aarch64"
    assert name in {entry["P"] for entry in entries(get(lab, f"{folder}/APKINDEX.tar.gz").content)}
    assert get(lab, f"{folder}/{name}-1.0.0-r0.apk").status_code == 302
    assert get(lab, f"{folder}/{name}-9.9.9-r0.apk").status_code == 404
