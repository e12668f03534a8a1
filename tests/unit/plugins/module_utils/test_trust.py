# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which certificate authorities are trusted, with a real TLS server whose authority is in one store only."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import ssl
import threading

import pytest
import requests.adapters
import trustme
from cryptography import x509

from ansible_collections.cgr.pull_through.plugins.module_utils import _http, _trust
from ansible_collections.cgr.pull_through.plugins.module_utils._client_cert import load_client_cert
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import TransportError

COMPANY, OTHER = trustme.CA(), trustme.CA()
VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def hashed_name(authority):
    """Return the file name by which OpenSSL finds an authority in SSL_CERT_DIR: a hash of its canonical subject."""
    certificate = x509.load_pem_x509_certificate(authority.cert_pem.bytes())
    sets = b""
    for attribute in certificate.subject:
        text = " ".join(str(attribute.value).lower().split()).encode()
        oid = x509.Name([attribute]).public_bytes()
        oid = oid[oid.index(b"\x06") :][: oid[oid.index(b"\x06") + 1] + 2]
        pair = oid + bytes([0x0C, len(text)]) + text
        sets += bytes([0x31, len(pair) + 2, 0x30, len(pair)]) + pair
    return f"{int.from_bytes(hashlib.sha1(sets).digest()[:4], 'little'):08x}.0"


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """A folder with a file and a folder for each authority, and a certificate of a client."""
    folder = tmp_path_factory.mktemp("stores")
    for name, authority in (("company", COMPANY), ("other", OTHER)):
        authority.cert_pem.write_to_path(str(folder / f"{name}.pem"))
        (folder / name).mkdir()
        authority.cert_pem.write_to_path(str(folder / name / hashed_name(authority)))
    client = COMPANY.issue_cert("client@example.com")
    client.private_key_and_cert_chain_pem.write_to_path(str(folder / "client.pem"))
    return folder


@contextlib.contextmanager
def server():
    """Yield the URL of a TLS server for two connections, and a list that says which of them had a client certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    COMPANY.issue_cert("localhost").configure_cert(context)
    COMPANY.configure_trust(context)
    context.verify_mode = ssl.CERT_OPTIONAL
    has_cert = []

    def respond():
        for _number in range(2):
            with contextlib.suppress(OSError):
                connection, _address = listener.accept()
                with connection, context.wrap_socket(connection, server_side=True) as secured:
                    secured.recv(65536)
                    has_cert.append(bool(secured.getpeercert()))
                    secured.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=respond, daemon=True).start()
        yield f"https://localhost:{listener.getsockname()[1]}", has_cert


@contextlib.contextmanager
def proxy(scheme):
    """Yield the URL of a proxy for one CONNECT request. With https, its certificate is from the same authority."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    COMPANY.issue_cert("localhost").configure_cert(context)

    def copy(source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_RDWR)

    def respond():
        client, _address = listener.accept()
        client = context.wrap_socket(client, server_side=True) if scheme == "https" else client
        host, _colon, port = client.recv(65536).split()[1].decode().partition(":")
        with client, socket.create_connection((host, int(port))) as upstream:
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            threading.Thread(target=copy, args=(upstream, client), daemon=True).start()
            copy(client, upstream)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=respond, daemon=True).start()
        yield f"{scheme}://localhost:{listener.getsockname()[1]}"


def get(transport, url):
    response = transport.send(_http.Request("GET", f"{url}/x"))
    response.close()
    return response.status


@pytest.mark.parametrize(
    ("variables", "ca_path", "is_trusted"),
    [
        pytest.param({}, None, False, id="nowhere"),
        pytest.param({"SSL_CERT_DIR": "company"}, None, True, id="system"),
        pytest.param({"SSL_CERT_DIR": "company", "SSL_CERT_FILE": ""}, None, True, id="system-empty-variable"),
        pytest.param({"bundle": "company.pem"}, None, True, id="bundle-of-requests"),
        pytest.param({"bundle": "company.pem", "SSL_CERT_DIR": "other"}, None, True, id="bundle-beside-system"),
        pytest.param({"SSL_CERT_FILE": "company.pem"}, None, True, id="file"),
        pytest.param({"SSL_CERT_FILE": "other.pem", "SSL_CERT_DIR": "company"}, None, False, id="file-before-system"),
        pytest.param({"REQUESTS_CA_BUNDLE": "company.pem", "SSL_CERT_FILE": "other.pem"}, None, True, id="requests"),
        pytest.param(
            {"REQUESTS_CA_BUNDLE": "other.pem", "SSL_CERT_FILE": "company.pem"}, None, False, id="requests-1st"
        ),
        pytest.param({"REQUESTS_CA_BUNDLE": "other.pem"}, "company.pem", True, id="ca_path"),
        pytest.param(
            {"REQUESTS_CA_BUNDLE": "company.pem", "SSL_CERT_DIR": "company"}, "other.pem", False, id="path-1st"
        ),
    ],
)
def test_the_authority_is_in_one_store_only(monkeypatch, stores, variables, ca_path, is_trusted):
    bundle = str(stores / variables.get("bundle", "other.pem"))
    monkeypatch.setattr(_trust, "DEFAULT_CA_BUNDLE_PATH", bundle)
    monkeypatch.setattr(requests.adapters, "DEFAULT_CA_BUNDLE_PATH", bundle)
    for name in variables.keys() - {"bundle"}:
        monkeypatch.setenv(name, str(stores / variables[name]) if variables[name] else "")
    transport = _http.RequestsTransport(verify=str(stores / ca_path) if ca_path else True, timeout=10)
    with server() as (url, _has_cert):
        if is_trusted:
            assert get(transport, url) == 200
        else:
            with pytest.raises(TransportError, match="is not trusted"):
                get(transport, url)


def test_a_client_certificate_does_not_get_into_the_trust_of_other_servers(monkeypatch, stores):
    monkeypatch.setenv("SSL_CERT_DIR", str(stores / "company"))
    with server() as (url, has_cert), server() as (other_url, other_has_cert):
        client_cert = load_client_cert(str(stores / "client.pem"), None, [url])
        transport = _http.RequestsTransport(client_cert=client_cert, timeout=10)
        assert [get(transport, address) for address in (url, other_url, url)] == [200] * 3
    assert (has_cert, other_has_cert) == ([True, True], [False])


@pytest.mark.parametrize("store", ["system", "bundle"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_behind_a_proxy_both_stores_are_trusted(monkeypatch, stores, scheme, store):
    if store == "system":
        monkeypatch.setenv("SSL_CERT_DIR", str(stores / "company"))
    else:
        monkeypatch.setattr(_trust, "DEFAULT_CA_BUNDLE_PATH", str(stores / "company.pem"))
    with server() as (url, _has_cert), proxy(scheme) as proxy_url:
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv("no_proxy", "")
        monkeypatch.setenv("HTTPS_PROXY", proxy_url)
        monkeypatch.setenv("https_proxy", proxy_url)
        assert get(_http.RequestsTransport(timeout=10), url) == 200


def test_a_missing_file_is_named(monkeypatch, stores):
    monkeypatch.setenv("SSL_CERT_FILE", str(stores / "missing.pem"))
    with pytest.raises(TransportError, match="SSL_CERT_FILE"):
        get(_http.RequestsTransport(), "https://localhost:1")
