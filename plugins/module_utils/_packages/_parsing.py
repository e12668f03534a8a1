# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parsers of documents that a server sends, each with bounds on time and memory. No I/O. Private to the collection.

All parsers raise ValueError with a clause for messages if a document is not valid or exceeds a bound.
"""

from __future__ import annotations

import html
import io
import re
import typing as t
import zlib
from xml.etree import ElementTree

from ansible_collections.cgr.pull_through.plugins.module_utils._packages._versions import MAX_VERSIONS

MIB = 1 << 20
MAX_APK_INDEX_SIZE = 64 * MIB
MAX_UNPACKED_SIZE = 512 * MIB

_MAX_XML_ELEMENTS = 4 * MAX_VERSIONS
_MAX_XML_ATTRIBUTES = 1_000_000
_MAX_NESTING = 100
_MAX_LINKS = MAX_VERSIONS
_MAX_TAG_SIZE = 16 << 10
_MAX_GZIP_MEMBERS = 16
_MAX_TAR_MEMBERS = 100
_CHUNK = 64 << 10
_BLOCK = 512  # of a tar
_GZIP = 31  # zlib's name for a gzip header with the largest window

_LINK = re.compile(r"<a(?=\s)", re.IGNORECASE)
# The alternatives begin with different characters, so the pattern takes linear time.
_TAG_END = re.compile(r"""(?:[^<>"']|"[^"]*"|'[^']*')*>""")
_ATTRIBUTE = re.compile(r"""([^\s=<>"'/]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s<>"']+)))?""")


class _BoundedBuilder(ElementTree.TreeBuilder):
    """Builds the tree of a document without a document type, which could declare entities."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = 0
        self._elements = 0

    def doctype(self, name: str, pubid: str | None, system: str | None) -> t.NoReturn:
        raise ValueError("it has a document type declaration, which could declare entities")

    def start(self, tag: str, attrs: dict[t.Any, t.Any], /) -> ElementTree.Element:
        self._depth += 1
        self._elements += 1
        if self._depth > _MAX_NESTING:
            raise ValueError(f"it is nested more than {_MAX_NESTING} levels deep")
        if self._elements > _MAX_XML_ELEMENTS:
            raise ValueError(f"it has more than {_MAX_XML_ELEMENTS} elements")
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> ElementTree.Element:
        self._depth -= 1
        return super().end(tag)


def parse_xml(body: bytes) -> ElementTree.Element:
    """Return the root element of an XML document."""
    if body.count(b"=") > _MAX_XML_ATTRIBUTES:
        raise ValueError(f"it has more than {_MAX_XML_ATTRIBUTES} attributes")
    parser = ElementTree.XMLParser(target=_BoundedBuilder())
    try:
        parser.feed(body)
        return parser.close()
    except (ElementTree.ParseError, LookupError) as exc:
        raise ValueError(f"it is not valid XML ({exc})") from exc


def parse_links(page: str) -> t.Iterator[tuple[str, dict[str, str]]]:
    """Yield text and attributes of each link of an HTML page. Nothing else of the page is interpreted."""
    first, *parts = page.split("<!--", _MAX_LINKS + 1)
    if len(parts) > _MAX_LINKS:
        raise ValueError(f"it has more than {_MAX_LINKS} comments")
    page = first + "".join(part.partition("-->")[2] for part in parts)
    for number, part in enumerate(_LINK.split(page, _MAX_LINKS + 1)[1:]):
        if number == _MAX_LINKS:
            raise ValueError(f"it has more than {_MAX_LINKS} links")
        tag = _TAG_END.match(part, 0, _MAX_TAG_SIZE)
        if tag is None:
            raise ValueError("it has a link that is not complete")
        attributes = {
            match[1].lower(): html.unescape(match[2] or match[3] or match[4] or "")
            for match in _ATTRIBUTE.finditer(tag[0])
        }
        yield _text(part[tag.end() : tag.end() + _MAX_TAG_SIZE]), attributes


def _text(content: str) -> str:
    """Return the first text of a link that is not blank."""
    first, *rest = content.split("<")
    for text in (first, *(part.partition(">")[2] for part in rest)):
        if text.strip():
            return html.unescape(text.strip())
    return ""


class _Unpacked(io.RawIOBase):
    """The content of a gzip file with several members."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self._chunks = _inflate(body)
        self._chunk = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: t.Any, /) -> int:
        while not self._chunk:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._chunk = chunk
        size = min(len(buffer), len(self._chunk))
        buffer[:size], self._chunk = self._chunk[:size], self._chunk[size:]
        return size


def _inflate(body: bytes) -> t.Iterator[bytes]:
    inflater, members, size = zlib.decompressobj(_GZIP), 1, 0
    for start in range(0, len(body), _CHUNK):
        packed = body[start : start + _CHUNK]
        while packed:
            if inflater.eof:
                members += 1
                if members > _MAX_GZIP_MEMBERS:
                    raise ValueError(f"it has more than {_MAX_GZIP_MEMBERS} gzip members")
                inflater = zlib.decompressobj(_GZIP)
            try:
                chunk = inflater.decompress(packed, _CHUNK)
            except zlib.error as exc:
                raise ValueError(f"it is not a valid gzip file ({exc})") from exc
            size += len(chunk)
            if size > MAX_UNPACKED_SIZE:
                raise ValueError(f"it has more than {MAX_UNPACKED_SIZE // MIB} MiB unpacked")
            packed = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
            yield chunk
    if not inflater.eof:
        raise ValueError("it is not a complete gzip file")


def open_tar_member(body: bytes, name: str) -> t.Iterator[bytes] | None:
    """Return the lines of a file in a packed tar; None if there is no such file.

    A signature can precede the index, as a separate gzip member and tar archive without an end.
    """
    stream = t.cast(t.BinaryIO, io.BufferedReader(_Unpacked(body), _CHUNK))
    for _member in range(_MAX_TAR_MEMBERS):
        header = _read_header(stream)
        if header is None:
            return None
        size = _header_number(header[124:136])
        if header[:100].partition(b"\0")[0] == name.encode() and header[156:157] in (b"0", b"\0"):
            return _lines(stream, size)
        _skip(stream, size + -size % _BLOCK)
    raise ValueError(f"it has more than {_MAX_TAR_MEMBERS} files")


def _read_header(stream: t.BinaryIO) -> bytes | None:
    """Return the next header of a tar that is not empty; None at its end."""
    while header := stream.read(_BLOCK):
        if len(header) == _BLOCK and not any(header):
            continue
        if len(header) < _BLOCK or sum(header[:148]) + sum(header[156:]) + 8 * 32 != _header_number(header[148:156]):
            raise ValueError("it is not a valid tar archive")
        return header
    return None


def _header_number(field: bytes) -> int:
    digits = field.strip(b" \0") or b"0"
    if not re.fullmatch(b"[0-7]+", digits):
        raise ValueError("it is not a valid tar archive")
    return int(digits, 8)


def _skip(stream: t.BinaryIO, size: int) -> None:
    while size:
        skipped = len(stream.read(min(size, _CHUNK)))
        if not skipped:
            raise ValueError("it ends within a file")
        size -= skipped


def _lines(stream: t.BinaryIO, size: int) -> t.Iterator[bytes]:
    while size:
        line = stream.readline(min(size, MIB))
        if not line:
            raise ValueError("it ends within a file")
        size -= len(line)
        yield line
