# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the TLS version and the certificates of a server, or of a proxy that intercepts TLS. Private to the collection."""

from __future__ import annotations

import dataclasses
import typing as t
import warnings

from ansible_collections.cgr.pull_through.plugins.module_utils._http import USER_AGENT

try:
    import requests
    from cryptography import x509
except ImportError:
    pass  # reported with _http.REQUESTS_MISSING

_SECONDS = 10
_MAX_NAME = 200
_MAX_CERTIFICATES = 6


@dataclasses.dataclass(frozen=True)
class Certificate:
    """The names of a certificate."""

    subject: str
    issuer: str


@dataclasses.dataclass(frozen=True)
class TlsSession:
    """version: such as TLSv1.3; empty if there is no connection. certificates: as the server sent them, its own first.

    is_complete: whether these are all. Python before 3.13 shows only the server's own.
    """

    version: str = ""
    certificates: tuple[Certificate, ...] = ()
    is_complete: bool = False

    @property
    def issuer(self) -> str:
        """The CA that signed the last certificate; empty if there is none."""
        return self.certificates[-1].issuer if self.certificates else ""

    @property
    def text(self) -> str:
        """The version and the certificates."""
        names = "; ".join(f"{certificate.subject} issued by {certificate.issuer}" for certificate in self.certificates)
        rest = "" if self.is_complete else " (only the first certificate, since this Python is older than 3.13)"
        return f"{self.version}, {names}{rest}"


def read_tls(url: str) -> TlsSession:
    """Return the TLS session of a connection to a server, also if its certificate is not trusted. Empty if that fails.

    Sends no credentials, and uses nothing of the response, since the server is not verified.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Without an auth, requests would send an entry of ~/.netrc.
            response = requests.head(
                url,
                headers={"User-Agent": USER_AGENT},
                verify=False,
                stream=True,
                allow_redirects=False,
                timeout=_SECONDS,
                auth=_none,
            )
        with response:
            return _read_socket(response.raw.connection.sock)
    except (NameError, AttributeError, OSError, ValueError, TypeError):
        return TlsSession()


def _read_socket(sock: t.Any) -> TlsSession:
    is_complete = hasattr(sock, "get_unverified_chain")
    chain = sock.get_unverified_chain() if is_complete else [sock.getpeercert(True)]
    certificates = map(_parse, chain[:_MAX_CERTIFICATES])
    return TlsSession(sock.version() or "", tuple(certificates), is_complete)


def _parse(encoded: bytes) -> Certificate:
    certificate = x509.load_der_x509_certificate(encoded)
    subject, issuer = (name.rfc4514_string()[:_MAX_NAME] for name in (certificate.subject, certificate.issuer))
    return Certificate(subject, issuer)


def _none(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
