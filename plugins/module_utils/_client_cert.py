# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The TLS client certificate: whether it can be used, and who gets to see it. Private to the collection."""

from __future__ import annotations

import dataclasses
import ssl
import typing as t
from urllib.parse import urlsplit

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError

Place = tuple[str, int]


@dataclasses.dataclass(frozen=True)
class ClientCert:
    """Paths of PEM files, and the servers (host and port) that the certificate is shown to. key: None if it is in cert."""

    cert: str
    key: str | None
    origins: frozenset[Place]

    def for_url(self, url: str) -> str | tuple[str, str] | None:
        """Return what requests takes as its cert for a URL; None for every server but those that it is meant for."""
        if _place(url) not in self.origins:
            return None
        return (self.cert, self.key) if self.key else self.cert


def load_client_cert(cert: str | None, key: str | None, urls: t.Iterable[str]) -> ClientCert | None:
    """Return the certificate for the servers of some URLs, None when there is none, or raise InputError."""
    if not cert:
        if key:
            raise InputError("client_key is set, but client_cert is not.", hint="Set both, or neither of them.")
        return None
    _check_files(cert, key)
    return ClientCert(cert, key, frozenset(place for place in map(_place, urls) if place is not None))


def _place(url: str) -> Place | None:
    parts = urlsplit(url)
    return (parts.hostname, parts.port or 443) if parts.scheme == "https" and parts.hostname else None


def _check_files(cert: str, key: str | None) -> None:
    """Load them as the TLS library will. It would ask the terminal for the password of a key, and names no file."""
    for option, path in (("client_cert", cert), ("client_key", key)):
        try:
            if path is not None:
                with open(path, "rb"):
                    pass
        except OSError as exc:
            raise InputError(f"The file of {option} cannot be read: {path}: {exc.strerror}.") from exc
    asked: list[bool] = []

    def no_password() -> str:
        asked.append(True)
        return ""

    where = "client_key" if key else "client_cert"
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(cert, key, password=no_password)
    except ssl.SSLError as exc:
        if asked:
            raise InputError(
                f"The private key of {where} is encrypted.", hint="Give a file with the key in clear, mode 0600."
            ) from exc
        if exc.reason == "KEY_VALUES_MISMATCH":
            raise InputError(
                f"The private key of {where} does not belong to the certificate of client_cert.",
                hint="The first certificate in the file has to be the client's own, its chain behind it.",
            ) from exc
        raise InputError(
            f"The files of client_cert and client_key cannot be used: {cert}{f' and {key}' if key else ''}.",
            hint="client_cert has to be PEM with the certificate, and its private key in it or in client_key.",
        ) from exc
