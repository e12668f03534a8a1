# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Origins of URLs, and which redirects between them are safe. Private to the collection."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import typing as t
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}


# Of AWS, Azure, Google, Alibaba and Oracle.
_METADATA = frozenset(
    map(
        ipaddress.ip_address,
        ("169.254.169.254", "169.254.170.2", "168.63.129.16", "100.100.100.200", "192.0.0.192")
        + ("fd00:ec2::254", "fd20:ce::254"),
    )
)
_METADATA_NAMES = ("metadata.google.internal", "metadata.goog")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")

Address: t.TypeAlias = "ipaddress.IPv4Address | ipaddress.IPv6Address"


def _parse_address(text: str) -> Address:
    """Return an address; the IPv4 address inside an IPv6 address. Raises ValueError."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return address.ipv4_mapped or address.sixtofour or address
    return address


def is_metadata(address: str) -> bool:
    """Return whether an address is that of a cloud's metadata service."""
    return _parse_address(address) in _METADATA


def is_inside(address: str) -> bool:
    """Return whether an address is not of the public internet. The shared address space of RFC 6598 is not."""
    parsed = _parse_address(address)
    return not parsed.is_global or parsed.is_multicast


def is_metadata_name(host: str) -> bool:
    """Return whether a host is the name of a cloud's metadata service."""
    return host.rstrip(".").lower() in _METADATA_NAMES


def literal_address(host: str) -> str:
    """Return the address that a host is without a name server; empty for other names."""
    host = host.strip("[]").rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return "127.0.0.1"
    with contextlib.suppress(OSError):
        # Also 127.1, 0x7f000001 and 017700000001, which the resolver accepts.
        host = socket.inet_ntoa(socket.inet_aton(host))
    try:
        return str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        return ""


class Origin(t.NamedTuple):
    """Scheme, host and port. Credentials are sent to their own origin only."""

    scheme: str
    host: str
    port: int

    @classmethod
    def from_url(cls, url: str) -> Origin:
        """Return the origin of a URL. Raises ValueError if it is not an http or https URL with a host."""
        parts = urlsplit(url)
        if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or parts.port == 0:
            raise ValueError(url)
        return cls(parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS[parts.scheme])

    def with_tls(self, url: str) -> Origin:
        """Return the same host with https, at the port of a URL."""
        return Origin("https", self.host, Origin.from_url(url).port)

    @property
    def is_private(self) -> bool:
        """Whether the host is localhost or an address of a private network."""
        return self._is_address(is_inside)

    @property
    def is_loopback(self) -> bool:
        """Whether the host is localhost or an address of this computer."""
        return self._is_address(lambda address: _parse_address(address).is_loopback)

    def _is_address(self, predicate: t.Callable[[str], bool]) -> bool:
        """Return whether the host is an address for which the predicate is true."""
        address = literal_address(self.host)
        return bool(address) and predicate(address)


def origin_of(url: str) -> Origin | None:
    """Return the origin of a URL; None if it is not an http or https URL with a host."""
    try:
        return Origin.from_url(url)
    except ValueError:
        return None


def redirect_error(server: Origin, url: str) -> str:
    """Return why a server must not redirect to a URL. Empty if the redirect is safe.

    Unsafe are downgrades to plain HTTP, and private addresses that a public server names.
    """
    try:
        target = Origin.from_url(url)
    except ValueError:
        return "it is not an http or https URL"
    if server.scheme == "https" and target.scheme == "http":
        return "it is not encrypted, while the first URL is"
    if target.is_private and target.host != server.host and not server.is_private:
        return "it is a private address, but the server that names it is public"
    return ""
