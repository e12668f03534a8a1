# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Origins of URLs, and which redirects between them are safe. Private to the collection."""

from __future__ import annotations

import ipaddress
import typing as t
from urllib.parse import urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Origin(t.NamedTuple):
    """Scheme, host and port. Credentials are sent to their own origin only."""

    scheme: str
    host: str
    port: int

    @classmethod
    def from_url(cls, url: str) -> Origin:
        """Return the origin of a URL. Raises ValueError if it is not an http or https URL with a host."""
        parts = urlsplit(url)
        if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
            raise ValueError(url)
        return cls(parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS[parts.scheme])

    @property
    def is_private(self) -> bool:
        """Whether the host is localhost or an address of a private network."""
        try:
            return ipaddress.ip_address(self.host).is_private
        except ValueError:
            return self.host == "localhost"


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
