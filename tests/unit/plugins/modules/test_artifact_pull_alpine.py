# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import tarfile

import pytest
from fake_packages import DIRECT, KEY, FakeServers, create_pull

from ansible_collections.cgr.pull_through.plugins.module_utils._packages._apk_checksum import (
    ApkVerifier,
    parse_checksum,
)

REPOSITORY_PATH = f"/artifactory/{KEY}"
SIGNATURE = ".SIGN.RSA.lab.rsa.pub"


def pack(files, *, end=True):
    """Return a gzip member with a tar archive. end: False if the archive continues in the next member."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, body in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(body)
            archive.addfile(entry, io.BytesIO(body))
        size = archive.offset
    return gzip.compress(raw.getvalue() if end else raw.getvalue()[:size], mtime=0)


def package(name, version, *, signed=True, data=b"", hashed=True):
    """Return a package, and its checksum in an index."""
    content = data or pack({f"usr/share/{name}": f"{name} {version}".encode() * 9999})
    about = f"pkgname = {name}\npkgver = {version}\n"
    if hashed:
        about += f"datahash = {hashlib.sha256(content).hexdigest()}\n"
    control = pack({".PKGINFO": about.encode()}, end=False)
    signature = pack({SIGNATURE: b"signature"}, end=False) if signed else b""
    checksum = "Q1" + base64.b64encode(hashlib.sha1(control).digest()).decode()
    return signature + control + content, checksum


def index(*entries, signed=True):
    text = "\n".join(
        f"C:{checksum}\nP:{name}\nV:{version}\nS:{size}\nT:a: b\n" for name, version, size, checksum in entries
    )
    archive = pack({"DESCRIPTION": b"lab", "APKINDEX": text.encode()})
    return pack({SIGNATURE: b"signature"}, end=False) + archive if signed else archive


def publish(servers, *packages, architecture="x86_64", **how):
    entries = []
    for name, version in packages:
        body, checksum = package(name, version, **how)
        servers.add(f"{architecture}/{name}-{version}.apk", body)
        entries.append((name, version, len(body), checksum))
    servers.add(f"{architecture}/APKINDEX.tar.gz", index(*entries))


@pytest.fixture
def servers():
    servers = FakeServers("alpine", REPOSITORY_PATH)
    publish(servers, ("nginx", "1.2-r9"), ("nginx", "1.2-r10"), ("tiny", "1-r0"))
    publish(servers, ("nginx", "1.2-r9"), architecture="aarch64")
    return servers


@pytest.fixture
def pull(servers, run_module):
    return create_pull(servers, run_module, "alpine")


def test_newest_package_matches_the_index_and_the_upstream(servers, pull):
    (artifact,) = pull("nginx", from_upstream="required", **DIRECT)["artifacts"]
    assert (artifact["ok"], artifact["version"], artifact["outdated"], artifact["from_upstream"]) == (
        True,
        "1.2-r10",
        False,
        True,
    )
    assert (artifact["architecture"], artifact["reference"]) == ("x86_64", "cgr: nginx (x86_64)")
    (file,) = artifact["files"]
    assert (file["name"], file["verified_checksums"], file["matches_upstream"]) == ("nginx-1.2-r10.apk", ["apk"], True)


def test_each_architecture_is_a_separate_result(servers, pull):
    result = pull("nginx", "tiny=1-r0", architectures=["aarch64", "x86_64"])
    assert [(artifact["reference"], artifact["version"], artifact["ok"]) for artifact in result["artifacts"]] == [
        ("cgr: nginx (aarch64)", "1.2-r9", True),
        ("cgr: nginx (x86_64)", "1.2-r10", True),
        ("cgr: tiny=1-r0 (aarch64)", "1-r0", False),
        ("cgr: tiny=1-r0 (x86_64)", "1-r0", True),
    ]
    assert result["artifacts"][2]["diagnosis"]["code"] == "version_missing"


def test_another_small_package_shows_that_the_upstream_is_reachable(servers, pull):
    servers.cached.update(f"x86_64/nginx-1.2-r{release}.apk" for release in (9, 10))
    (artifact,) = pull("nginx", from_upstream="required")["artifacts"]
    assert (artifact["from_upstream"], artifact["from_upstream_evidence"]) == (
        True,
        "tiny-1-r0.apk was not in cgr-cache before, and is now.",
    )


def test_a_star_is_the_smallest_package_of_each_architecture(servers, pull):
    result = pull("*", architectures=["x86_64", "aarch64"], from_upstream="required", **DIRECT)
    assert [
        (artifact["artifact"], artifact["reference"], artifact["version"], artifact["ok"])
        for artifact in result["artifacts"]
    ] == [
        ("tiny", "cgr: tiny (x86_64)", "1-r0", True),
        ("nginx", "cgr: nginx (aarch64)", "1.2-r9", True),
    ]
    assert [artifact["files"][0]["matches_upstream"] for artifact in result["artifacts"]] == [True, True]
    assert "cgr: tiny (x86_64): pulled 1-r0;" in result["summary"][0]


def test_a_star_is_the_newest_version_of_the_smallest_package(servers, pull):
    publish(servers, ("nginx", "1.2-r9"), ("tiny", "1-r0"), ("tiny", "1-r1"), data=b"")
    (artifact,) = pull("*")["artifacts"]
    assert (artifact["artifact"], artifact["version"]) == ("tiny", "1-r1")


def test_the_upstream_is_queried_for_the_package_of_a_star(servers, pull):
    tiny, checksum = package("tiny", "1-r0")
    servers.upstream.add(
        "/base/x86_64/APKINDEX.tar.gz", index(("less", "1-r0", 1, ""), ("tiny", "1-r0", len(tiny), checksum))
    )
    (artifact,) = pull("*", **DIRECT)["artifacts"]
    assert (artifact["artifact"], artifact["ok"], artifact["outdated"]) == ("tiny", True, False)


def test_a_star_in_an_empty_index(servers, pull):
    publish(servers, architecture="aarch64")
    (artifact,) = pull("*", architectures=["aarch64"])["artifacts"]
    assert (artifact["artifact"], artifact["diagnosis"]["code"]) == ("*", "version_missing")
    assert "does not have packages for aarch64. Available: nothing." in artifact["diagnosis"]["cause"]


def test_an_index_without_a_signature(servers, pull):
    body, checksum = package("nginx", "1.2-r10", signed=False, hashed=False)
    servers.repository.add(f"{REPOSITORY_PATH}/x86_64/nginx-1.2-r10.apk", body)
    servers.repository.add(
        f"{REPOSITORY_PATH}/x86_64/APKINDEX.tar.gz", index(("nginx", "1.2-r10", len(body), checksum), signed=False)
    )
    assert pull("nginx")["artifacts"][0]["files"][0]["verified_checksums"] == ["apk"]


def test_an_unknown_checksum_leaves_the_size_to_verify(servers, pull):
    body, _checksum = package("nginx", "1.2-r10")
    servers.repository.add(
        f"{REPOSITORY_PATH}/x86_64/APKINDEX.tar.gz", index(("nginx", "1.2-r10", len(body), "Q9AAAA"))
    )
    assert pull("nginx")["artifacts"][0]["files"][0]["verified_checksums"] == []
    servers.repository.add(f"{REPOSITORY_PATH}/x86_64/APKINDEX.tar.gz", index(("nginx", "1.2-r10", 7, "Q9AAAA")))
    (artifact,) = pull("nginx")["artifacts"]
    assert artifact["diagnosis"]["code"] == "content_mismatch" and "instead of 7" in artifact["diagnosis"]["cause"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "content_mismatch"),
        (b"no archive", "content_mismatch"),
        (pack({"DESCRIPTION": b"lab"}), "content_mismatch"),
        (pack({"APKINDEX": b"P:nginx\nV:1\n\n"}), "content_mismatch"),
        (index()[:-20], "content_mismatch"),
        (pack({"APKINDEX": b""}), "version_missing"),
        (b"<html>login</html>", "html_response"),
    ],
    ids=["nothing", "no archive", "no index", "no size", "cut", "no packages", "login"],
)
def test_indexes_that_are_not_valid(servers, pull, body, code):
    servers.repository.add(f"{REPOSITORY_PATH}/x86_64/APKINDEX.tar.gz", body)
    assert pull("nginx")["artifacts"][0]["diagnosis"]["code"] == code


def verify(body, checksum, step):
    verifier = ApkVerifier(*(parse_checksum(checksum) or ()))
    for start in range(0, len(body), step):
        verifier.update(body[start : start + step])
    return verifier.error()


@pytest.mark.parametrize("step", [1, 7, 1000, 1 << 20])
@pytest.mark.parametrize("signed", [True, False])
def test_a_package_is_verified_in_chunks_of_any_size(step, signed):
    body, checksum = package("nginx", "1", signed=signed)
    assert verify(body, checksum, step) == ""


def test_the_stronger_checksum():
    body, _checksum = package("nginx", "1", signed=False, data=b"data")
    control = body[: -len(b"data")]
    assert verify(body, "Q2" + base64.b64encode(hashlib.sha256(control).digest()).decode(), 1 << 20) == ""


def test_packages_that_are_not_valid():
    body, checksum = package("nginx", "1")
    other = package("other", "1")[1]
    assert "control segment does not have the checksum" in verify(body, other, 100)
    assert "its data does not have the checksum" in verify(body + b"more", checksum, 100)
    assert "its data does not have the checksum" in verify(body[:-1], checksum, 100)
    assert "ends before the end of its control segment" in verify(body[:50], checksum, 100)
    assert "not a package of apk version 2" in verify(b"ADBd" + body, checksum, 100)
    bomb = gzip.compress(bytes(20 << 20))
    assert "more than 16 MiB" in verify(bomb, checksum, 1 << 20)


@pytest.mark.parametrize("checksum", ["", "Q1", "Q1AAAA", "Q1!", "Q3" + "A" * 28])
def test_checksums_that_cannot_be_verified(checksum):
    assert parse_checksum(checksum) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"artifacts": ["a b"]}, "is not valid"),
        ({"artifacts": ["a>1"]}, "is not valid"),
        ({"artifacts": ["*=1"]}, "Write it as NAME, NAME=VERSION, or *"),
        ({"artifacts": ["a*"]}, "is not valid"),
        ({"architectures": []}, "architectures is empty"),
        ({"architectures": ["../x"]}, "is not an architecture"),
    ],
)
def test_artifacts_that_are_not_valid(servers, pull, options, message):
    artifacts = options.pop("artifacts", ["nginx"])
    assert message in pull(*artifacts, **options)["msg"] and not servers.transport.requests
