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
from fake_packages import DIRECT, KEY, World, puller

from ansible_collections.cgr.pull_through.plugins.module_utils._packages._apk_checksum import (
    ApkVerifier,
    known_checksum,
)

HOME = f"/artifactory/{KEY}"
SIGNATURE = ".SIGN.RSA.lab.rsa.pub"


def packed(files, *, end=True):
    """Return a gzip member with a tar archive, whose end is cut off for those that go on in the next."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, body in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(body)
            archive.addfile(entry, io.BytesIO(body))
        size = archive.offset
    return gzip.compress(raw.getvalue() if end else raw.getvalue()[:size], mtime=0)


def package(name, version, *, signed=True, data=b"", hashed=True):
    """Return a package, and the checksum that an index has of it."""
    content = data or packed({f"usr/share/{name}": f"{name} {version}".encode() * 9999})
    about = f"pkgname = {name}\npkgver = {version}\n"
    if hashed:
        about += f"datahash = {hashlib.sha256(content).hexdigest()}\n"
    control = packed({".PKGINFO": about.encode()}, end=False)
    signature = packed({SIGNATURE: b"signature"}, end=False) if signed else b""
    checksum = "Q1" + base64.b64encode(hashlib.sha1(control).digest()).decode()
    return signature + control + content, checksum


def index(*entries, signed=True):
    text = "\n".join(
        f"C:{checksum}\nP:{name}\nV:{version}\nS:{size}\nT:a: b\n" for name, version, size, checksum in entries
    )
    archive = packed({"DESCRIPTION": b"lab", "APKINDEX": text.encode()})
    return packed({SIGNATURE: b"signature"}, end=False) + archive if signed else archive


def publish(world, *packages, architecture="x86_64", **how):
    entries = []
    for name, version in packages:
        body, checksum = package(name, version, **how)
        world.add(f"{architecture}/{name}-{version}.apk", body)
        entries.append((name, version, len(body), checksum))
    world.add(f"{architecture}/APKINDEX.tar.gz", index(*entries))


@pytest.fixture
def world():
    made = World("alpine", HOME)
    publish(made, ("nginx", "1.2-r9"), ("nginx", "1.2-r10"), ("tiny", "1-r0"))
    publish(made, ("nginx", "1.2-r9"), architecture="aarch64")
    return made


@pytest.fixture
def pull(world, run_module):
    return puller(world, run_module, "alpine")


def test_the_newest_package_has_the_checksum_of_the_index_and_is_upstreams(world, pull):
    (shown,) = pull("nginx", from_upstream="required", **DIRECT)["artifacts"]
    assert (shown["ok"], shown["version"], shown["outdated"], shown["from_upstream"]) == (True, "1.2-r10", False, True)
    assert (shown["architecture"], shown["reference"]) == ("x86_64", "cgr: nginx (x86_64)")
    (file,) = shown["files"]
    assert (file["name"], file["verified_checksums"], file["matches_upstream"]) == ("nginx-1.2-r10.apk", ["apk"], True)


def test_each_architecture_is_a_result_of_its_own(world, pull):
    result = pull("nginx", "tiny=1-r0", architectures=["aarch64", "x86_64"])
    assert [(one["reference"], one["version"], one["ok"]) for one in result["artifacts"]] == [
        ("cgr: nginx (aarch64)", "1.2-r9", True),
        ("cgr: nginx (x86_64)", "1.2-r10", True),
        ("cgr: tiny=1-r0 (aarch64)", "1-r0", False),
        ("cgr: tiny=1-r0 (x86_64)", "1-r0", True),
    ]
    assert result["artifacts"][2]["diagnosis"]["code"] == "version_missing"


def test_a_small_package_nearby_shows_that_the_way_is_open(world, pull):
    world.cached.update(f"x86_64/nginx-1.2-r{release}.apk" for release in (9, 10))
    (shown,) = pull("nginx", from_upstream="required")["artifacts"]
    assert (shown["from_upstream"], shown["from_upstream_evidence"]) == (
        True,
        "tiny-1-r0.apk was not in cgr-cache before, and is now.",
    )


def test_a_star_is_the_smallest_package_of_each_architecture(world, pull):
    result = pull("*", architectures=["x86_64", "aarch64"], from_upstream="required", **DIRECT)
    assert [(one["artifact"], one["reference"], one["version"], one["ok"]) for one in result["artifacts"]] == [
        ("tiny", "cgr: tiny (x86_64)", "1-r0", True),
        ("nginx", "cgr: nginx (aarch64)", "1.2-r9", True),
    ]
    assert [one["files"][0]["matches_upstream"] for one in result["artifacts"]] == [True, True]
    assert "cgr: tiny (x86_64): pulled 1-r0;" in result["summary"][0]


def test_a_star_is_the_newest_version_of_the_smallest_package(world, pull):
    publish(world, ("nginx", "1.2-r9"), ("tiny", "1-r0"), ("tiny", "1-r1"), data=b"")
    (shown,) = pull("*")["artifacts"]
    assert (shown["artifact"], shown["version"]) == ("tiny", "1-r1")


def test_upstream_is_asked_for_the_package_that_a_star_found(world, pull):
    tiny, checksum = package("tiny", "1-r0")
    world.upstream.add(
        "/root/x86_64/APKINDEX.tar.gz", index(("less", "1-r0", 1, ""), ("tiny", "1-r0", len(tiny), checksum))
    )
    (shown,) = pull("*", **DIRECT)["artifacts"]
    assert (shown["artifact"], shown["ok"], shown["outdated"]) == ("tiny", True, False)


def test_a_star_with_nothing_to_find_is_told(world, pull):
    publish(world, architecture="aarch64")
    (shown,) = pull("*", architectures=["aarch64"])["artifacts"]
    assert (shown["artifact"], shown["diagnosis"]["code"]) == ("*", "version_missing")
    assert "has no package for aarch64; it has: nothing" in shown["diagnosis"]["cause"]


def test_an_index_without_a_signature(world, pull):
    body, checksum = package("nginx", "1.2-r10", signed=False, hashed=False)
    world.through.add(f"{HOME}/x86_64/nginx-1.2-r10.apk", body)
    world.through.add(f"{HOME}/x86_64/APKINDEX.tar.gz", index(("nginx", "1.2-r10", len(body), checksum), signed=False))
    assert pull("nginx")["artifacts"][0]["files"][0]["verified_checksums"] == ["apk"]


def test_a_checksum_that_nobody_knows_promises_nothing_but_the_size(world, pull):
    body, _checksum = package("nginx", "1.2-r10")
    world.through.add(f"{HOME}/x86_64/APKINDEX.tar.gz", index(("nginx", "1.2-r10", len(body), "Q9AAAA")))
    assert pull("nginx")["artifacts"][0]["files"][0]["verified_checksums"] == []
    world.through.add(f"{HOME}/x86_64/APKINDEX.tar.gz", index(("nginx", "1.2-r10", 7, "Q9AAAA")))
    (shown,) = pull("nginx")["artifacts"]
    assert shown["diagnosis"]["code"] == "content_mismatch" and "instead of 7" in shown["diagnosis"]["cause"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "content_mismatch"),
        (b"no archive", "content_mismatch"),
        (packed({"DESCRIPTION": b"lab"}), "content_mismatch"),
        (packed({"APKINDEX": b"P:nginx\nV:1\n\n"}), "content_mismatch"),
        (index()[:-20], "content_mismatch"),
        (packed({"APKINDEX": b""}), "version_missing"),
        (b"<html>login</html>", "html_response"),
    ],
    ids=["nothing", "no archive", "no index", "no size", "cut", "no packages", "login"],
)
def test_indexes_that_are_none(world, pull, body, code):
    world.through.add(f"{HOME}/x86_64/APKINDEX.tar.gz", body)
    assert pull("nginx")["artifacts"][0]["diagnosis"]["code"] == code


def checked(body, checksum, step):
    seal = ApkVerifier(*known_checksum(checksum))
    for start in range(0, len(body), step):
        seal.update(body[start : start + step])
    return seal.error()


@pytest.mark.parametrize("step", [1, 7, 1000, 1 << 20])
@pytest.mark.parametrize("signed", [True, False])
def test_a_package_is_verified_however_it_is_cut(step, signed):
    body, checksum = package("nginx", "1", signed=signed)
    assert checked(body, checksum, step) == ""


def test_the_stronger_checksum_is_known_too():
    body, _checksum = package("nginx", "1", signed=False, data=b"data")
    control = body[: -len(b"data")]
    assert checked(body, "Q2" + base64.b64encode(hashlib.sha256(control).digest()).decode(), 1 << 20) == ""


def test_flaws_of_packages():
    body, checksum = package("nginx", "1")
    other = package("other", "1")[1]
    assert "control segment does not have the checksum" in checked(body, other, 100)
    assert "its data do not have the checksum" in checked(body + b"more", checksum, 100)
    assert "its data do not have the checksum" in checked(body[:-1], checksum, 100)
    assert "ends before its control segment" in checked(body[:50], checksum, 100)
    assert "no package of apk's version 2" in checked(b"ADBd" + body, checksum, 100)
    bomb = gzip.compress(bytes(20 << 20))
    assert "more than 16 MiB" in checked(bomb, checksum, 1 << 20)


@pytest.mark.parametrize("checksum", ["", "Q1", "Q1AAAA", "Q1!", "Q3" + "A" * 28])
def test_checksums_that_cannot_be_verified(checksum):
    assert known_checksum(checksum) is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"artifacts": ["a b"]}, "cannot be read"),
        ({"artifacts": ["a>1"]}, "cannot be read"),
        ({"artifacts": ["*=1"]}, "Write it as NAME, NAME=VERSION, or *"),
        ({"artifacts": ["a*"]}, "cannot be read"),
        ({"architectures": []}, "architectures is empty"),
        ({"architectures": ["../x"]}, "is not an architecture"),
    ],
)
def test_what_is_no_artifact(world, pull, options, words):
    artifacts = options.pop("artifacts", ["nginx"])
    assert words in pull(*artifacts, **options)["msg"] and not world.transport.requests
