# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The TLS client certificate: validation, and the servers that it is used for. Private to the collection."""

from __future__ import annotations

import dataclasses
import ssl
import typing as t
from urllib.parse import urlsplit

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError

HostPort = tuple[str, int]


@dataclasses.dataclass(frozen=True)
class ClientCert:
    """Paths of PEM files, and the servers (host and port) that the certificate is used for. key: None if it is in cert."""

    cert: str
    key: str | None
    servers: frozenset[HostPort]

    def for_url(self, url: str) -> str | tuple[str, str] | None:
        """Return the cert argument of requests for a URL. None if the certificate is not for that server."""
        if _host_port(url) not in self.servers:
            return None
        return (self.cert, self.key) if self.key else self.cert


def load_client_cert(cert: str | None, key: str | None, urls: t.Iterable[str]) -> ClientCert | None:
    """Return the certificate, to be used for the servers of the URLs. None if there is none.

    Raises InputError if the files cannot be used.
    """
    if not cert:
        if key:
            raise InputError("client_key is set, but client_cert is not.", hint="Set both or neither.")
        return None
    _validate_files(cert, key)
    return ClientCert(cert, key, frozenset(filter(None, map(_host_port, urls))))


def _host_port(url: str) -> HostPort | None:
    parts = urlsplit(url)
    return (parts.hostname, parts.port or 443) if parts.scheme == "https" and parts.hostname else None


def _validate_files(cert: str, key: str | None) -> None:
    """Load the files to raise an InputError for invalid ones. The errors of the TLS library do not name the file."""
    for option, path in (("client_cert", cert), ("client_key", key)):
        try:
            if path is not None:
                with open(path, "rb"):
                    pass
        except OSError as exc:
            raise InputError(f"The file in {option} cannot be read: {path}: {exc.strerror}.") from exc
    is_encrypted = False

    def no_password() -> str:
        # Without this function, the TLS library prompts on the terminal.
        nonlocal is_encrypted
        is_encrypted = True
        return ""

    key_option = "client_key" if key else "client_cert"
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(cert, key, password=no_password)
    except ssl.SSLError as exc:
        if is_encrypted:
            raise InputError(
                f"The private key in {key_option} is encrypted.",
                hint="Use a file with the unencrypted key and mode 0600.",
            ) from exc
        if exc.reason == "KEY_VALUES_MISMATCH":
            raise InputError(
                f"The private key in {key_option} does not match the certificate in client_cert.",
                hint="The first certificate in the file must be that of the client, followed by its chain.",
            ) from exc
        raise InputError(
            f"The files in client_cert and client_key are not valid: {cert}{f' and {key}' if key else ''}.",
            hint="client_cert must be a PEM file with the certificate. The private key must be in it or in client_key.",
        ) from exc
