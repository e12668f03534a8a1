# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
from types import SimpleNamespace

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._tls import TlsSession, read_tls

NOW = datetime.datetime(2026, 1, 1)


def certificate(subject, issuer):
    key = ec.generate_private_key(ec.SECP256R1())
    names = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]) for name in (subject, issuer)]
    builder = x509.CertificateBuilder(names[1], names[0], key.public_key(), 1, NOW, NOW + datetime.timedelta(days=1))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


class Response:
    """A response over a TLS connection. chain: None on a Python without access to it."""

    def __init__(self, chain=None):
        sock = SimpleNamespace(version=lambda: "TLSv1.3", getpeercert=lambda _binary: certificate("cgr.dev", "Proxy"))
        if chain is not None:
            sock.get_unverified_chain = lambda: chain
        self.raw = SimpleNamespace(connection=SimpleNamespace(sock=sock))

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        pass


@pytest.mark.parametrize(
    ("chain", "text", "issuer"),
    [
        (
            [("cgr.dev", "Proxy"), ("Proxy", "Company Root")],
            "TLSv1.3, CN=cgr.dev issued by CN=Proxy; CN=Proxy issued by CN=Company Root",
            "CN=Company Root",
        ),
        (
            None,
            "TLSv1.3, CN=cgr.dev issued by CN=Proxy (only the first certificate, since this Python is older than 3.13)",
            "CN=Proxy",
        ),
    ],
    ids=["3.13", "3.12"],
)
def test_version_and_certificates(monkeypatch, chain, text, issuer):
    response = Response(None if chain is None else [certificate(*names) for names in chain])
    monkeypatch.setattr(requests, "head", lambda _url, **_options: response)
    session = read_tls("https://cgr.dev")
    assert (session.text, session.issuer, session.is_complete) == (text, issuer, chain is not None)


def test_a_server_without_a_connection(monkeypatch):
    def head(_url, **_options):
        raise OSError("refused")

    monkeypatch.setattr(requests, "head", head)
    assert read_tls("https://cgr.dev") == TlsSession()
    assert TlsSession().issuer == ""
