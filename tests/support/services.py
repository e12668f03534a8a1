# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Small HTTP services on loopback that tests use beside the lab."""

from __future__ import annotations

import base64
import contextlib
import http.server
import json
import os
import secrets
import socket
import subprocess
import threading
import time
import typing as t
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import httpx
import trustme
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from support.lab_client import basic_auth

TIMEOUT = 10.0  # seconds for a service to start or stop


@contextlib.contextmanager
def serve_http(handler: type[http.server.BaseHTTPRequestHandler]) -> t.Iterator[str]:
    """Serve plain HTTP on a free port, and yield the URL."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def record_requests() -> t.Iterator[tuple[str, list[str]]]:
    """Answer no request with success. Yield the URL, and the request lines with the Authorization header of each request."""
    received: list[str] = []

    class RecordingHandler(QuietHandler):
        def do_GET(self) -> None:
            received.append(f"{self.requestline} {self.headers.get('Authorization')}")
            self.send_error(404)

        do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_GET

    with serve_http(RecordingHandler) as url:
        yield url, received


@contextlib.contextmanager
def serve_redirects(target: str) -> t.Iterator[str]:
    """Redirect each request to the same path of another URL, like a reverse proxy that redirects HTTP to HTTPS."""

    class RedirectHandler(QuietHandler):
        def do_GET(self) -> None:
            self.send_response(301)
            self.send_header("Location", target + self.path)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_POST = do_PUT = do_DELETE = do_GET

    with serve_http(RedirectHandler) as url:
        yield url


@contextlib.contextmanager
def serve_files(make_files: t.Callable[[str], t.Mapping[str, bytes]]) -> t.Iterator[str]:
    """Serve files by their path, like a static file server, and yield the URL. make_files: gets that URL."""
    files: dict[str, bytes] = {}

    class FileHandler(QuietHandler):
        def do_GET(self) -> None:
            body = files.get(unquote(urlsplit(self.path).path))
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body or b"")

        do_HEAD = do_GET

    with serve_http(FileHandler) as url:
        files.update(make_files(url))
        yield url


class QuietHandler(http.server.BaseHTTPRequestHandler):
    """A request handler that does not log."""

    def log_message(self, *_arguments: t.Any) -> None:
        pass


# --- Debian's docker-registry, and a token service for it --------------------------------------------------------------
@contextlib.contextmanager
def run_docker_registry(
    program: str, folder: Path, *, ca_path: str | None = None, **sections: t.Mapping[str, t.Any]
) -> t.Iterator[str]:
    """Run docker-registry on a free port, with its content below a folder, and yield the URL.

    sections: of its configuration, as `auth` and `proxy`. ca_path: the CA that it trusts.
    """
    folder.mkdir(exist_ok=True)
    port = find_free_port()
    configuration = {
        "version": "0.1",
        "log": {"level": "error"},
        "http": {"addr": f"127.0.0.1:{port}"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "content")}},
        **sections,
    }
    file = folder / f"{port}.json"
    file.write_text(json.dumps(configuration), encoding="utf-8")
    command, environment = [program, "serve", str(file)], {"SSL_CERT_FILE": ca_path} if ca_path else {}
    with run_server(command, f"http://127.0.0.1:{port}", folder / f"{port}.log", environment) as url:
        yield url


@contextlib.contextmanager
def run_server(
    command: t.Sequence[str], url: str, log_file: Path, environment: t.Mapping[str, str] | None = None
) -> t.Iterator[str]:
    """Run a server until it responds at a URL, and yield that. environment: added to that of the tests."""
    with log_file.open("wb") as log:
        variables = {**os.environ, **(environment or {})}
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=variables)
        try:
            _wait_for(url, process, log_file)
            yield url
        finally:
            process.terminate()
            process.wait(TIMEOUT)


def find_free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + TIMEOUT
    while True:
        try:
            httpx.get(url, trust_env=False)
            return
        except httpx.TransportError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{url} does not respond:\n{log.read_text(encoding='utf-8')}") from None
            time.sleep(0.05)


class TokenService:
    """A token service for docker-registry, with one user, who may pull everything."""

    issuer, service = "token-service", "docker-registry"
    user = ("ci", "the-password-of-ci")

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA(key_type=trustme.KeyType.RSA)
        self.certificate = folder / "issuer.pem"
        authority.cert_pem.write_to_path(str(self.certificate))
        key = serialization.load_pem_private_key(authority.private_key_pem.bytes(), None)
        assert isinstance(key, rsa.RSAPrivateKey)
        self._key = key
        self._chain = "".join(self.certificate.read_text(encoding="ascii").splitlines()[1:-1])

    def registry_auth(self, realm: str) -> dict[str, t.Any]:
        """Return the `auth` section of docker-registry's configuration."""
        token = {
            "realm": realm,
            "service": self.service,
            "issuer": self.issuer,
            "rootcertbundle": str(self.certificate),
        }
        return {"token": token}

    @contextlib.contextmanager
    def serve(self) -> t.Iterator[str]:
        """Serve token requests, and yield the realm."""
        service = self

        class TokenHandler(QuietHandler):
            def do_GET(self) -> None:
                allowed = self.headers.get("Authorization") == basic_auth(*service.user)
                body = json.dumps({"token": service.issue(self.path)} if allowed else {"details": "wrong password"})
                self.send_response(200 if allowed else 401)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

        with serve_http(TokenHandler) as url:
            yield f"{url}/token"

    def issue(self, path: str) -> str:
        """Return a token for the scopes in the query of a path."""
        scopes = [scope.split(":") for scope in parse_qs(urlsplit(path).query).get("scope", [])]
        access = [{"type": kind, "name": name, "actions": ["pull"]} for kind, name, _actions in scopes]
        now = int(time.time())
        times = {"iat": now, "nbf": now - 5, "exp": now + 300}
        names = {"iss": self.issuer, "aud": self.service, "sub": self.user[0], "jti": secrets.token_hex(8)}
        header = {"typ": "JWT", "alg": "RS256", "x5c": [self._chain]}
        payload = f"{_base64url(json.dumps(header))}.{_base64url(json.dumps({**names, **times, 'access': access}))}"
        return f"{payload}.{_base64url(self._key.sign(payload.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def _base64url(data: str | bytes) -> str:
    raw = data.encode() if isinstance(data, str) else data
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
