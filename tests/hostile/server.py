# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server that misbehaves. The first label of the host names the behavior, and the server reports what it sent.

Used as a forward proxy, it responds instead of all hosts, and reports which ones were requested.

Usage: python server.py, which prints its port. It listens on the loopback interface only.
"""

from __future__ import annotations

import base64
import functools
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
        time.sleep(0.02)
        yield piece


@functools.cache
def _bomb() -> bytes:
    return gzip.compress(b"0" * (256 * _MIB), 1)


def _json(value: t.Any, headers: bytes = b"", status: bytes = b"200 OK") -> Chunks:
    return _body(json.dumps(value).encode(), b"Content-Type: application/json\r\n" + headers, status)


def _redirect(location: bytes) -> Chunks:
    return _body(b"<a href=x>Found</a>", b"Location: %s\r\n" % location, b"302 Found")


def _challenge(value: bytes) -> Chunks:
    return _json({"errors": [{"code": "UNAUTHORIZED"}]}, b"WWW-Authenticate: %s\r\n" % value, b"401 Unauthorized")


def _link(target: str) -> Chunks:
    """Return a document of npm and of NuGet whose files are at a URL."""
    version = {
        "name": "lab",
        "version": "1.0.0",
        "dist": {"tarball": target, "integrity": "sha512-AAAA", "shasum": "0" * 40},
    }
    resources = [{"@type": "RegistrationsBaseUrl/3.6.0", "@id": target}]
    versions = {"name": "lab", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
    return _json({**versions, "version": "3.0.0", "resources": resources})


def _page(target: str) -> Chunks:
    """Return a simple index whose file is at a URL."""
    return _body(b'<a href="%s">lab-1.0.tar.gz</a>' % target.encode(), b"Content-Type: text/html\r\n")


def _every_field(value: t.Any) -> t.Any:
    """Return an object with all documented names, each with the same value."""
    return dict.fromkeys(FIELDS, value)


# Of all responses that are read.
FIELDS = (
    *(
        "groups",
        "identities",
        "roles",
        "roleBindings",
        "repos",
        "tags",
        "items",
        "capabilities",
        "nextPageToken",
        "uid",
    ),
    *(
        "name",
        "staticKeys",
        "token",
        "access_token",
        "expires_in",
        "size",
        "architectures",
        "version",
        "results",
        "files",
    ),
    *("children", "resources", "repo", "key", "rclass", "packageType", "repositories", "url", "versions", "dist-tags"),
    *(
        "schemaVersion",
        "mediaType",
        "manifests",
        "config",
        "layers",
        "digest",
        "Version",
        "errors",
        "message",
        "details",
    ),
)
UNSAFE = "\x1b[31mred\x07\x9b \u202e bidi \u200b\u2028"
SECRET = "sent-secret/value"
_numbers = itertools.count()


# Where links lead to. What ends in elsewhere is a public host that exists.
TARGETS = {
    "metadata": "http://169.254.169.254/file",
    "metadata-name": "http://metadata.google.internal/file",
    "metadata-mapped": "http://[::ffff:169.254.169.254]/file",
    "inside": "http://10.0.0.1/file",
    "elsewhere": "http://other.hostile.test/file",
}
LINKS: dict[str, t.Callable[[str], Chunks]] = {
    "link": _link,
    "page": _page,
    "location": lambda target: _redirect(target.encode()),
    "realm": lambda target: _challenge(b'Bearer realm="%s",service="s"' % target.encode()),
}
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
    "error-secret": lambda: _body(b"rejected sent-secret/value", status=b"400 Bad"),
    "error-secret-base64": lambda: _body(b"rejected " + base64.b64encode(SECRET.encode()), status=b"400 Bad"),
    "error-secret-url": lambda: _body(b"rejected sent-secret%2Fvalue", status=b"400 Bad"),
    "error-secret-json": lambda: _json({"errors": [{"message": f"no {SECRET}"}], "message": SECRET}, status=b"403 No"),
    "error-secret-split": lambda: _body(b"x" * 290 + SECRET.encode(), status=b"400 Bad"),
    "error-list": lambda: _json({"errors": [1, None, [], {"message": {"a": [1]}}], "details": [1]}, status=b"404 No"),
    "error-details": lambda: _json({"message": 1, "details": [{"fieldViolations": [1]}]}, status=b"409 Conflict"),
    "error-scalars": lambda: _json(_every_field(1), status=b"500 Error"),
    "error-empty": lambda: _body(b"", status=b"403 Forbidden"),
    "error-unsafe": lambda: _json(
        {"errors": [{"message": UNSAFE, "code": UNSAFE}], "message": UNSAFE}, status=b"400 B"
    ),
    "error-status-unusual": lambda: _body(b"x", status=b"999 Unusual"),
    "error-proxy": lambda: _body(b"x", status=b"407 Proxy Authentication Required"),
    "redirect-metadata": lambda: _redirect(b"http://169.254.169.254/latest"),
    "redirect-metadata-number": lambda: _redirect(b"http://2852039166/latest"),
    "redirect-file": lambda: _redirect(b"file:///etc/passwd"),
    "redirect-invalid": lambda: _redirect(b"http://[::1"),
    "redirect-port": lambda: _redirect(b"http://x:99999/"),
    "redirect-loop": lambda: _redirect(b"/again"),
    "redirect-unsafe": lambda: _redirect(b"/\xe2\x80\xae\x9b"),
    "redirect-without-target": lambda: _body(b"", status=b"301 Moved"),
    "redirect-304": lambda: _body(b"", status=b"304 Not Modified"),
    "challenge-metadata": lambda: _challenge(b'Bearer realm="http://169.254.169.254/token"'),
    "challenge-file": lambda: _challenge(b'Bearer realm="file:///etc/passwd"'),
    "challenge-invalid": lambda: _challenge(b'Bearer realm="http://[::1/token"'),
    "challenge-port": lambda: _challenge(b'Bearer realm="http://x:0/token"'),
    "challenge-empty": lambda: _challenge(b'Bearer realm=""'),
    "challenge-long": lambda: _challenge(b"Bearer " + b'a="b",' * 8000),
    "challenge-quotes": lambda: _challenge(b'Bearer realm="' + b"\\\\" * 20000),
    "challenge-basic": lambda: _challenge(b"Basic"),
    **{
        f"{kind}-{name}": functools.partial(link, target)
        for kind, link in LINKS.items()
        for name, target in TARGETS.items()
    },
    "shape-null": lambda: _json(None),
    "shape-true": lambda: _json(True),
    "shape-number": lambda: _json(17),
    "shape-text": lambda: _json("text"),
    "shape-list": lambda: _json([]),
    "shape-list-of-lists": lambda: _json([[[]], None, 1]),
    "shape-object": lambda: _json({}),
    "shape-fields-null": lambda: _json(_every_field(None)),
    "shape-fields-true": lambda: _json(_every_field(True)),
    "shape-fields-number": lambda: _json(_every_field(-1)),
    "shape-fields-text": lambda: _json(_every_field("x")),
    "shape-fields-list": lambda: _json(_every_field([])),
    "shape-fields-object": lambda: _json(_every_field({})),
    "shape-entries-null": lambda: _json(_every_field([None])),
    "shape-entries-text": lambda: _json(_every_field(["x"])),
    "shape-entries-objects": lambda: _json(_every_field([_every_field(None)])),
    "shape-entries-nested": lambda: _json(_every_field([_every_field([_every_field({})])])),
    "shape-entries-unsafe": lambda: _json(_every_field([_every_field(UNSAFE)])),
    "shape-entries-secret": lambda: _json(_every_field([_every_field(SECRET)])),
    "shape-fields-unsafe": lambda: _json(_every_field(UNSAFE)),
    "shape-fields-surrogate": lambda: _json(_every_field("\ud800")),
    "shape-fields-huge": lambda: _json(_every_field("x" * 100_000)),
    "shape-grouped": lambda: _json({"REMOTE": [_every_field(UNSAFE)], "LOCAL": [{"key": 1}], "x": None}),
    "listing-repeats": lambda: _json({**_every_field([]), "nextPageToken": "again"}),
    "listing-endless": lambda: _json({**_every_field([]), "nextPageToken": f"page-{next(_numbers)}"}),
    "retry-after-long": lambda: _body(b"", b"Retry-After: 7200\r\n", b"429 Wait"),
    "retry-after-date": lambda: _body(b"", b"Retry-After: Wed, 01 Jan 2099 00:00:00 GMT\r\n", b"503 Wait"),
    "json-deep": lambda: _body(b"[" * 200000),
    "json-dense": lambda: _body(b"[" + b"{}," * (5 * _MIB) + b"{}]"),
    "json-dense-fields": lambda: _body(b"[" + b'{"a":0},' * 1_800_000 + b"{}]"),
    "json-surrogate": lambda: _body(b'{"a": "\\ud800"}'),
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
    hosts: t.ClassVar[list[tuple[str, bool]]] = []

    def handle(self) -> None:
        while self.rfile.readline(65536):
            name, length, host, is_authorized = "", 0, "", False
            while (header := self.rfile.readline(65536)) not in (b"\r\n", b""):
                field, _colon, value = header.decode("latin-1").partition(":")
                if field.lower() == "host":
                    host = value.strip()
                    name = host.partition(".")[0]
                elif field.lower() == "authorization":
                    is_authorized = True
                elif field.lower() == "content-length":
                    length = int(value)
                elif field.lower() == "cookie":
                    self.cookies.append(name)
            self.rfile.read(length)
            if name == "report":
                body = json.dumps([self.sent, self.cookies, self.hosts]).encode()
                self.sent.clear()
                self.hosts.clear()
                self.wfile.write(b"".join(_body(body)))
                return
            self.hosts.append((host, is_authorized))
            for piece in BEHAVIORS[name]():
                for start in range(0, len(piece), 65536):
                    self.wfile.write(piece[start : start + 65536])
                    self.sent[name] = self.sent.get(name, 0) + len(piece[start : start + 65536])
            if not name.startswith(("valid", "listing")):
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
