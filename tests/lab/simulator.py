# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulator: state and infrastructure that both simulated products share."""

from __future__ import annotations

import base64
import contextlib
import secrets
import ssl
import tempfile
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import httpx
import trustme
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import BaseRoute

from .clock import Clock
from .faults import Faults
from .request_log import RequestLog

BLOBS_HOST = "9236a389bd48b984df91adc1bc924620.r2.cloudflarestorage.com"
ARTIFACTORY_HOST = "artifactory.example.com"  # also in the certificate, for clients behind a proxy that resolves it
SERVICE_OF_HOST = {
    "cgr.dev": "registry",
    "libraries.cgr.dev": "libraries",
    "apk.cgr.dev": "apk",
    "virtualapk.cgr.dev": "virtualapk",
    BLOBS_HOST: "blobs",
    "console-api.enforce.dev": "api",
    "issuer.enforce.dev": "api",
}


def has_real_host(request: Request) -> bool:
    """Whether a client addressed the service by its real host name."""
    return request.url.hostname in SERVICE_OF_HOST


def get_origin(request: Request) -> str:
    """The origin by which a client addressed the service. Real hosts have https, also in a lab without TLS."""
    scheme = "https" if has_real_host(request) else request.url.scheme
    return f"{scheme}://{request.url.netloc}"


class Product(Protocol):
    """One simulated product: the packages `lab.artifactory` and `lab.chainguard`."""

    DEFAULTS: dict[str, Any]
    """Its settings with their values at start."""

    def build(self, simulator: Simulator) -> dict[str, Starlette]:
        """Its services by name. The name of a route is its kind in faults and the request log."""

    def seed(self, simulator: Simulator) -> None:
        """Replace its state in the simulator by the initial one."""

    def describe(self, simulator: Simulator) -> dict[str, Any]:
        """Its part of the state file, which remains valid after `seed`."""

    def routes(self, simulator: Simulator) -> list[BaseRoute]:
        """Its control routes, all below /<name of the product>/."""


class Simulator:
    """Clock, request log, faults, settings, addresses and certificates of one lab.

    `artifactory` and `chainguard` hold the state of the products. `addresses` maps a service to its base URL.
    """

    def __init__(
        self,
        products: Mapping[str, Product],
        *,
        tls: bool = True,
        client_certificates: bool = False,
        settings: dict[str, Any] | None = None,
    ) -> None:
        self.products = products
        self.clock, self.request_log, self.faults = Clock(), RequestLog(), Faults()
        self._initial = {name: value for product in products.values() for name, value in product.DEFAULTS.items()}
        self.settings: dict[str, Any] = dict(self._initial)
        self.configure(settings or {})
        self._initial = dict(self.settings)
        self.addresses: dict[str, str] = {}
        self.artifactory: Any = None
        self.chainguard: Any = None
        self._secrets: dict[str, str] = {}
        self.credentials: set[str] = set()
        self._folder = tempfile.TemporaryDirectory(prefix="lab-")
        self.ca = trustme.CA() if tls else None
        self.ca_path: Path | None = None
        if self.ca:
            self.ca_path = Path(self._folder.name, "ca.pem")
            self.ca.cert_pem.write_to_path(str(self.ca_path))
        self.client_cert_path: Path | None = None
        if self.ca and client_certificates:
            self.client_cert_path = Path(self._folder.name, "client.pem")
            client = self.ca.issue_cert("admin@lab.example")
            client.private_key_and_cert_chain_pem.write_to_path(str(self.client_cert_path))

    @property
    def scheme(self) -> str:
        return "https" if self.ca else "http"

    @cached_property
    def _server_cert(self) -> trustme.LeafCert:
        """The certificate of every service, for all host names."""
        assert self.ca
        return self.ca.issue_cert("127.0.0.1", "localhost", ARTIFACTORY_HOST, *SERVICE_OF_HOST)

    @cached_property
    def server_tls(self) -> ssl.SSLContext | None:
        """The TLS settings of every service, or None for plain HTTP; with a client certificate, all request one."""
        if not self.ca:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._server_cert.configure_cert(context)
        if self.client_cert_path:
            self.ca.configure_trust(context)
            context.verify_mode = ssl.CERT_OPTIONAL
        return context

    @cached_property
    def http(self) -> httpx.AsyncClient:
        """The HTTP client of the simulated Artifactory. It does not follow redirects."""
        context = ssl.create_default_context()
        if self.ca:
            self.ca.configure_trust(context)
        return httpx.AsyncClient(transport=_PrivateDns(self, context), trust_env=False, timeout=60)

    def record_credentials(self, authorization: str) -> None:
        """Keep the password or token of an Authorization header, because tests search their output for them."""
        scheme, _space, value = authorization.partition(" ")
        if scheme.lower() == "basic":
            with contextlib.suppress(ValueError):
                value = base64.b64decode(value).decode().partition(":")[2]
        if value:
            self.credentials.add(value)

    def secret(self, name: str) -> str:
        """A random secret that does not change until the lab stops, so that the state file remains valid."""
        return self._secrets.setdefault(name, secrets.token_urlsafe(18))

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Change settings. Raises ValueError for an unknown setting."""
        if unknown := sorted(settings.keys() - self._initial.keys()):
            raise ValueError(f"unknown: {', '.join(unknown)}; available: {', '.join(sorted(self._initial))}")
        self.settings.update(settings)

    def reset(self) -> None:
        """Restore the state at start, except for addresses and secrets."""
        self.clock.reset()
        self.request_log.clear()
        self.faults.clear()
        self.settings.update(self._initial)
        for product in self.products.values():
            product.seed(self)

    def describe(self) -> dict[str, Any]:
        """The content of the state file."""
        parts = {name: product.describe(self) for name, product in self.products.items()}
        files = {"ca_path": self.ca_path, "client_cert_path": self.client_cert_path}
        paths = {name: path and str(path) for name, path in files.items()}
        return {**parts, "control_url": self.addresses["control"], **paths}

    async def close(self) -> None:
        await self.http.aclose()
        self._folder.cleanup()


class _PrivateDns(httpx.AsyncHTTPTransport):
    """Resolves the hosts of SERVICE_OF_HOST to the lab. Host header and TLS handshake keep the real name."""

    def __init__(self, simulator: Simulator, context: ssl.SSLContext) -> None:
        super().__init__(verify=context, limits=httpx.Limits(max_connections=None))
        self._addresses = simulator.addresses

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host
        if service := SERVICE_OF_HOST.get(host):
            address = httpx.URL(self._addresses[service])
            request.url = request.url.copy_with(scheme=address.scheme, host=address.host, port=address.port)
            request.extensions = {**request.extensions, "sni_hostname": host}
        return await super().handle_async_request(request)
