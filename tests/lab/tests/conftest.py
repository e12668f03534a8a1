# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One lab for all tests, reset before each of them."""

from __future__ import annotations

import asyncio
import secrets
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cache
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from lab.chainguard import jwt
from lab.serve import PRODUCTS, running
from lab.simulator import Simulator

HOUR = 3600


class Lab:
    """A lab that runs in a thread, and clients for its services."""

    def __init__(self, *, tls: bool = True, client_certificates: bool = False) -> None:
        self.simulator = Simulator(PRODUCTS, tls=tls, client_certificates=client_certificates)
        self._up = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._clients: list[httpx.Client] = []

    async def _run(self) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        async with running(self.simulator):
            self._up.set()
            await self._ended.wait()

    def __enter__(self) -> Lab:
        self._thread.start()
        assert self._up.wait(10), "the lab does not start"
        self._tls = ssl.create_default_context(cafile=self.simulator.ca_path) if self.simulator.ca_path else True
        self.client = cache(self._client)
        self.state: dict[str, Any] = self.control("GET", "/state")
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients:
            client.close()
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()

    def _client(self, service: str, token: str = "") -> httpx.Client:
        """A client of a service that does not follow redirects and sends `token` as its bearer token."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        address = self.simulator.addresses[service]
        self._clients.append(httpx.Client(base_url=address, verify=self._tls, headers=headers, trust_env=False))
        return self._clients[-1]

    @property
    def org(self) -> str:
        """The organization's UID."""
        return str(self.state["chainguard"]["organization"]["uid"])

    @property
    def registry(self) -> httpx.Client:
        return self.client("registry")

    def api(self, user: str = "owner") -> httpx.Client:
        """A client of the platform API with the token of a seeded identity."""
        return self.client("api", self.state["chainguard"]["api_tokens"][user])

    def control(self, method: str, path: str, body: Any = None) -> Any:
        response = self.client("control").request(method, path, json=body)
        assert response.status_code == 200, response.text
        return response.json()

    def advance(self, seconds: float) -> None:
        self.control("POST", "/clock", {"advance": seconds})

    def configure(self, **settings: Any) -> None:
        self.control("POST", "/settings", settings)

    def inject_fault(self, **rule: Any) -> None:
        self.control("POST", "/faults", rule)

    def request_log(self, kind: str = "") -> list[dict[str, Any]]:
        """The entries of a kind, or all entries."""
        return [entry for entry in self.control("GET", "/request_log") if kind in ("", entry["kind"])]

    def role(self, name: str) -> str:
        """The UID of a managed role."""
        roles = self.api().get("/iam/v2/roles", params={"name": name}).json()["roles"]
        return next(str(role["uid"]) for role in roles if "/" not in role["uid"])


@pytest.fixture(scope="session")
def running_lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A lab with TLS. Tests that parametrize this fixture with False get one without."""
    with Lab(tls=getattr(request, "param", True)) as running:
        yield running


@pytest.fixture
def lab(running_lab: Lab) -> Lab:
    running_lab.control("POST", "/reset")
    return running_lab


@dataclass(frozen=True)
class PullToken:
    """Username and password of a pull token, and the API's response to its creation."""

    username: str
    password: str
    identity: dict[str, Any]

    @property
    def credentials(self) -> tuple[str, str]:
        return self.username, self.password


PULL_TOKEN_ISSUER = "https://pulltoken.issuer.chainguard.dev"


@pytest.fixture(scope="session")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="session")
def jwks(key: rsa.RSAPrivateKey) -> str:
    numbers = key.public_key().public_numbers()
    n, e = (jwt.encode(value.to_bytes((value.bit_length() + 7) // 8, "big")) for value in (numbers.n, numbers.e))
    return f'{{"keys":[{{"kty":"RSA","alg":"RS256","use":"sig","n":"{n}","e":"{e}"}}]}}'


@pytest.fixture
def static_identity(lab: Lab, jwks: str) -> Callable[..., dict[str, Any]]:
    """Builds the request body for a static identity."""

    def create(*, ttl: float = HOUR, **overrides: Any) -> dict[str, Any]:
        keys = {
            "issuer": PULL_TOKEN_ISSUER,
            "subject": f"pull-token-{secrets.token_hex(20)}",
            "issuerKeys": jwks,
            "expirationTime": rfc3339(lab.simulator.clock.now() + ttl),
        }
        return {"name": "pull-token - registry", "description": "made by a test", "staticKeys": keys | overrides}

    return create


@pytest.fixture
def pull_token(lab: Lab, key: rsa.RSAPrivateKey, static_identity: Callable[..., Any]) -> Callable[..., PullToken]:
    """Creates pull tokens (facts/chainguard.md#pull-tokens). `claims` override those of the password."""

    def create(role: str = "registry.pull", *, ttl: float = HOUR, **claims: Any) -> PullToken:
        body = static_identity(ttl=ttl)
        response = lab.api().post(f"/iam/v2/identities/{lab.org}", json=body)
        assert response.status_code == 200, response.text
        if role:
            binding = {"identityUid": response.json()["uid"], "roleUid": lab.role(role)}
            assert lab.api().post(f"/iam/v2/roleBindings/{lab.org}", json=binding).status_code == 200
        now, keys = int(lab.simulator.clock.now()), body["staticKeys"]
        token_claims = {"iss": keys["issuer"], "sub": keys["subject"], "aud": "https://issuer.enforce.dev", "iat": now}
        password = jwt.sign(key, {**token_claims, "exp": now + int(ttl) - 1, **claims})
        return PullToken(response.json()["uid"], password, response.json())

    return create


def rfc3339(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
