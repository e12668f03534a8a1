# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server that misbehaves. The path of a request names the behavior, and the server reports what it sent.

Usage: python server.py, which prints its port. It listens on the loopback interface only.
"""

from __future__ import annotations

import gzip
import itertools
import json
import socketserver
import threading
import time
import typing as t

Chunks = t.Iterable[bytes]
_OK = b"HTTP/1.1 200 OK\r\n"
_MIB = 1 << 20


def _body(body: bytes, headers: bytes = b"", status: bytes = b"200 OK") -> Chunks:
    yield b"HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n%s" % (status, len(body), headers, body)


def _endless(start: bytes, piece: bytes) -> Chunks:
    yield start
    yield from itertools.repeat(piece)


def _drip(start: bytes, piece: bytes = b"x") -> Chunks:
    yield start
    for _number in range(100):
        time.sleep(0.1)
        yield piece


def _bomb() -> bytes:
    return gzip.compress(b"0" * (256 * _MIB), 1)


CHUNKED = _OK + b"Transfer-Encoding: chunked\r\n\r\n"
BEHAVIORS: dict[str, t.Callable[[], Chunks]] = {
    "body-endless": lambda: _endless(_OK + b"\r\n", b"x" * 65536),
    "body-drip": lambda: _drip(_OK + b"Content-Length: 1000\r\n\r\n"),
    "body-drip-chunked": lambda: _drip(CHUNKED, b"1\r\nx\r\n"),
    "body-drip-until-close": lambda: _drip(_OK + b"\r\n"),
    "body-short": lambda: [_OK + b"Content-Length: 1000\r\n\r\nshort"],
    "body-huge-length": lambda: [_OK + b"Content-Length: 999999999999999\r\n\r\nshort"],
    "chunk-negative": lambda: _endless(CHUNKED + b"-1\r\n", b"x" * 65536),
    "chunk-size-endless": lambda: _endless(CHUNKED, b"0" * 65536),
    "chunk-size-invalid": lambda: [CHUNKED + b"zz\r\n"],
    "chunk-huge": lambda: [CHUNKED + b"ffffffffffffff\r\nshort"],
    "trailers-endless": lambda: _endless(CHUNKED + b"0\r\n", b"A: b\r\n" * 1000),
    "trailers-drip": lambda: _drip(CHUNKED + b"0\r\n", b"A: b\r\n"),
    "headers-endless": lambda: _endless(_OK, b"A: b\r\n" * 1000),
    "headers-drip": lambda: _drip(_OK, b"A: b\r\n"),
    "header-long": lambda: _endless(_OK + b"A: ", b"x" * 65536),
    "status-line-endless": lambda: _endless(b"HTTP/1.1 200 ", b"x" * 65536),
    "status-line-drip": lambda: _drip(b"HTTP/1.1 200 "),
    "status-line-missing": lambda: [b"\x00\x01\x02\x03\r\n\r\n"],
    "informational-endless": lambda: _endless(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100),
    "informational-continue-endless": lambda: _endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    "length-twice": lambda: [_OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"],
    "gzip-bomb": lambda: _body(_bomb(), b"Content-Encoding: gzip\r\n"),
    "gzip-invalid": lambda: _body(b"not gzip", b"Content-Encoding: gzip\r\n"),
    "encoding-unknown": lambda: _body(b"x", b"Content-Encoding: br\r\n"),
    "encoding-twice": lambda: _body(b"x", b"Content-Encoding: gzip, gzip\r\n"),
    "close-at-once": list,
    "redirect-endless": lambda: _endless(b"HTTP/1.1 302 Found\r\nLocation: /valid\r\n\r\n", b"x" * 65536),
    "error-endless": lambda: _endless(b"HTTP/1.1 500 Error\r\n\r\n", b"x" * 65536),
    "error-control-characters": lambda: _body(b"\x1b[31mred\x07 \xe2\x80\xae bidi", status=b"400 Bad"),
    "error-html": lambda: _body(b"<title>" * 9000, b"Content-Type: text/html\r\n", b"400 Bad"),
    "error-token": lambda: _body(b"rejected sent-secret-value", status=b"400 Bad"),
    "error-token-encoded": lambda: _body(b"rejected c2VudC1zZWNyZXQtdmFsdWU=", status=b"400 Bad"),
    "retry-after-long": lambda: _body(b"", b"Retry-After: 7200\r\n", b"429 Wait"),
    "retry-after-date": lambda: _body(b"", b"Retry-After: Wed, 01 Jan 2099 00:00:00 GMT\r\n", b"503 Wait"),
    "json-deep": lambda: _body(b"[" * 200000),
    "json-dense": lambda: _body(b"[" + b"{}," * (5 * _MIB) + b"{}]"),
    "json-nan": lambda: _body(b'{"a": NaN}'),
    "json-infinity": lambda: _body(b'{"a": 1e999}'),
    "json-digits": lambda: _body(b'{"a": ' + b"9" * 100000 + b"}"),
    "json-duplicate": lambda: _body(b'{"a": 1, "a": 2}'),
    "json-text": lambda: _body(b"hello"),
    "json-empty": lambda: _body(b""),
    "json-bytes": lambda: _body(b"\xff\xfe\x00"),
    "valid": lambda: _body(b'{"valid": true}'),
    "valid-early-hints": lambda: [b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", *_body(b'{"valid": true}')],
    "valid-gzip": lambda: _body(gzip.compress(b'{"valid": true}'), b"Content-Encoding: gzip\r\n"),
    "valid-cookie": lambda: _body(b'{"valid": true}', b"Set-Cookie: a=b; Path=/\r\n"),
}


class _Handler(socketserver.StreamRequestHandler):
    sent: t.ClassVar[dict[str, int]] = {}
    cookies: t.ClassVar[list[str]] = []

    def handle(self) -> None:
        while line := self.rfile.readline(65536):
            path = line.split()[1].decode().strip("/").rpartition("/")[2].partition("?")[0]
            while (header := self.rfile.readline(65536)) not in (b"\r\n", b""):
                if header.lower().startswith(b"cookie:"):
                    self.cookies.append(path)
            if path == "report":
                self.wfile.write(b"".join(_body(json.dumps([self.sent, self.cookies]).encode())))
                continue
            for piece in BEHAVIORS[path]():
                self.wfile.write(piece)
                self.sent[path] = self.sent.get(path, 0) + len(piece)
            if not path.startswith("valid"):
                return


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        """Ignore clients that close the connection."""


if __name__ == "__main__":
    with Server(("127.0.0.1", 0), _Handler) as server:
        print(server.server_address[1], flush=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        input()  # until the test closes the pipe
