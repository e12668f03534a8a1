# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parsers of documents: what is valid, and the bounds."""

from __future__ import annotations

import contextlib
import gzip
import io
import tarfile
import time

import pytest

from ansible_collections.cgr.pull_through.plugins.module_utils._packages import _parsing
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._parsing import (
    open_tar_member,
    parse_links,
    parse_xml,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._repository_client import MAX_DOCUMENT_SIZE

MAX_SECONDS = 10  # for 8 MiB; a quadratic parser would take hours


def tar(*files, form=tarfile.USTAR_FORMAT):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as archive:
        for name, body in files:
            member = tarfile.TarInfo(name)
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<a/><a/>", "not valid XML"),
        (b"", "not valid XML"),
        (b"<!DOCTYPE a><a/>", "document type"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>".encode("utf-16"), "document type"),
        (b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "document type"),
        (b"<?xml version='1.0' encoding='no-such'?><a/>", "not valid XML|unknown encoding"),
        (b"<a>" * 101 + b"</a>" * 101, "nested more than 100 levels"),
        (b"<a>" + b"<b/>" * 400_000 + b"</a>", "more than 400000 elements"),
        (b"<a>&undefined;</a>", "not valid XML"),
        (b"<a " + b"b='' " * 1_000_001 + b"/>", "more than 1000000 attributes"),
    ],
)
def test_invalid_xml(body, message):
    with pytest.raises(ValueError, match=message):
        parse_xml(body)


def test_valid_xml():
    root = parse_xml(b'<?xml version="1.0"?><!-- c --><m xmlns="urn:x"><v>1</v><v>2</v></m>')
    assert [element.text for element in root.findall("{*}v")] == ["1", "2"]


def test_links():
    page = """<!DOCTYPE html><html><body><!-- <a href="hidden">hidden.whl</a> -->
    <a href="../x.whl#sha256=1&amp;2" data-requires-python=">=3.8" data-yanked>x.whl</a><br>
    <A HREF='y.whl'><b> y.whl </b></A> <abbr>z.whl</abbr> <a
     name=top href=z.whl>z &amp; z.whl</a> <a href="empty"></a></body></html>"""
    assert list(parse_links(page)) == [
        ("x.whl", {"href": "../x.whl#sha256=1&2", "data-requires-python": ">=3.8", "data-yanked": ""}),
        ("y.whl", {"href": "y.whl"}),
        ("z & z.whl", {"name": "top", "href": "z.whl"}),
        ("", {"href": "empty"}),
    ]


@pytest.mark.parametrize(
    "part", ["<a ", "<a href='", '<a href="', "<!--", "<a href=x>", "<!", "<a\t\t\t\t", "&#", "<a x=", "<", "<a></a"]
)
def test_hostile_pages_take_linear_time(part):
    page, started = part * (MAX_DOCUMENT_SIZE // 4 // len(part)), time.process_time()
    with contextlib.suppress(ValueError):
        list(parse_links(page))
    assert time.process_time() - started < MAX_SECONDS


def lines(body):
    return list(open_tar_member(body, "APKINDEX") or ())


def test_lines_of_a_packed_file():
    index = tar(("DESCRIPTION", b"d"), ("APKINDEX", b"P:a\nV:1\n\nP:b\n"))
    signature = tar((".SIGN.RSA", b"s"))[: 2 * 512]
    expected = [b"P:a\n", b"V:1\n", b"\n", b"P:b\n"]
    assert lines(gzip.compress(index)) == lines(gzip.compress(signature) + gzip.compress(index)) == expected
    with_long_name = tar(("x" * 200, b"1"), ("APKINDEX", b"P:a\n"), form=tarfile.PAX_FORMAT)
    assert lines(gzip.compress(with_long_name)) == [b"P:a\n"]
    assert open_tar_member(gzip.compress(tar(("other", b"x"))), "APKINDEX") is None


def header(name, size, checksum=True):
    block = bytearray(512)
    block[: len(name)] = name
    block[124:136] = size
    block[148:156] = b" " * 8
    block[156:157] = b"0"
    if checksum:
        block[148:156] = f"{sum(block):06o}\0 ".encode()
    return bytes(block)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not a complete gzip file"),
        (b"not gzip", "not a valid gzip file"),
        (gzip.compress(b"x" * 600)[:-9], "not a complete gzip file|not a valid tar"),
        (gzip.compress(b"") * 17, "more than 16 gzip members"),
        (gzip.compress(b"x" * 600), "not a valid tar archive"),
        (gzip.compress(b"x" * 100), "not a valid tar archive"),
        (gzip.compress(header(b"APKINDEX", b"00000000010\0", checksum=False)), "not a valid tar archive"),
        (gzip.compress(header(b"APKINDEX", b"\x80" + b"\xff" * 11)), "not a valid tar archive"),
        (gzip.compress(header(b"APKINDEX", b"00000001000\0") + b"x\n"), "ends within a file"),
        (gzip.compress(header(b"big", b"77777777777\0")), "ends within a file"),
        (gzip.compress(header(b"many", b"00000000000\0") * 101), "more than 100 files"),
    ],
)
def test_invalid_archives(body, message):
    with pytest.raises(ValueError, match=message):
        lines(body)


def test_the_unpacked_size_is_bounded(monkeypatch):
    monkeypatch.setattr(_parsing, "MAX_UNPACKED_SIZE", 8 << 20)
    body = gzip.compress(header(b"bomb", b"77777777777\0") + bytes(9 << 20))
    with pytest.raises(ValueError, match="more than 8 MiB unpacked"):
        open_tar_member(body, "APKINDEX")
