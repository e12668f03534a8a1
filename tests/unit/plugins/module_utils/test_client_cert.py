# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import socket
import ssl
import threading

import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from scripted import ScriptedResponse, ScriptedTransport

from ansible_collections.cgr.pull_through.plugins.module_utils import _client_cert, _http
from ansible_collections.cgr.pull_through.plugins.module_utils._client_cert import load_client_cert
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError, TransportError
from ansible_collections.cgr.pull_through.plugins.modules import artifactory_repository_info, registry_pull

URL = "https://artifactory.example.com"
REGISTRY = "https://docker.example.com"
AUTHORITY = trustme.CA()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with valid and invalid files of each kind."""
    folder = tmp_path_factory.mktemp("certificates")
    client, other = AUTHORITY.issue_cert("client@example.com"), AUTHORITY.issue_cert("other@example.com")
    key = serialization.load_pem_private_key(client.private_key_pem.bytes(), None)
    encryption = serialization.BestAvailableEncryption(b"x")
    locked = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    cert = client.cert_chain_pems[0].bytes()
    contents = {
        "cert.pem": cert,
        "key.pem": client.private_key_pem.bytes(),
        "both.pem": client.private_key_pem.bytes() + cert,
        "other.pem": other.private_key_pem.bytes(),
        "locked.pem": locked,
        "both-locked.pem": locked + cert,
        "unknown.pem": trustme.CA().issue_cert("client@example.com").private_key_and_cert_chain_pem.bytes(),
        "junk.pem": b"junk",
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    AUTHORITY.cert_pem.write_to_path(str(folder / "ca.pem"))
    return folder


def load(files, cert, key=None, urls=(URL,)):
    return load_client_cert(str(files / cert), str(files / key) if key else None, urls)


@pytest.mark.parametrize(
    ("cert", "key", "message"),
    [
        pytest.param("nowhere.pem", None, "client_cert cannot be read", id="no-such-cert"),
        pytest.param("cert.pem", "nowhere.pem", "client_key cannot be read", id="no-such-key"),
        pytest.param("cert.pem", "other.pem", "does not match", id="another-key"),
        pytest.param("cert.pem", "locked.pem", "key in client_key is encrypted", id="encrypted"),
        pytest.param("both-locked.pem", None, "key in client_cert is encrypted", id="encrypted-in-one-file"),
        pytest.param("cert.pem", None, "are not valid", id="no-key"),
        pytest.param("junk.pem", None, "are not valid", id="no-pem"),
        pytest.param("key.pem", "key.pem", "are not valid", id="no-cert"),
    ],
)
def test_invalid_files_are_input_errors(files, cert, key, message):
    with pytest.raises(InputError, match=message):
        load(files, cert, key)


def test_a_key_without_a_certificate_is_an_input_error():
    with pytest.raises(InputError, match="client_cert is not"):
        load_client_cert(None, "/key.pem", [URL])


def test_without_options_there_is_no_certificate():
    assert load_client_cert(None, None, [URL]) is None


@pytest.mark.parametrize("key", [None, "key.pem"])
@pytest.mark.parametrize(
    ("url", "is_used"),
    [
        (f"{URL}/artifactory/api", True),
        (f"{URL}:443/v2/", True),
        ("https://ARTIFACTORY.example.com/x", True),
        ("https://docker.example.com:8443/v2/", True),
        (f"{URL}:8443/x", False),
        ("http://artifactory.example.com/x", False),
        ("https://cgr.dev/v2/", False),
        ("https://artifactory.example.com.evil.org/", False),
        ("https://artifactory.example.com@evil.org/", False),
        ("https://docker.example.com/v2/", False),
    ],
)
def test_the_certificate_is_used_for_its_servers_only(files, key, url, is_used):
    cert = "cert.pem" if key else "both.pem"
    client_cert = load(files, cert, key, [URL, "https://docker.example.com:8443"])
    paths = (str(files / cert), str(files / key)) if key else str(files / cert)
    assert client_cert.for_url(url) == (paths if is_used else None)


@pytest.mark.parametrize("from_environment", [False, True])
def test_a_module_validates_the_files_before_the_first_request(run_module, monkeypatch, files, from_environment):
    options = {"artifactory_url": URL, "artifactory_access_token": "a-token"}
    if from_environment:
        monkeypatch.setenv("ARTIFACTORY_CLIENT_CERT", str(files / "cert.pem"))
        monkeypatch.setenv("ARTIFACTORY_CLIENT_KEY", str(files / "other.pem"))
    else:
        options.update(client_cert=str(files / "cert.pem"), client_key=str(files / "other.pem"))
    transport = ScriptedTransport()
    result = run_module(artifactory_repository_info, transport, **options)
    assert result["failed"] and "does not match" in result["msg"]
    assert transport.calls == []


@pytest.mark.parametrize(
    ("options", "servers"),
    [
        ({"artifactory_url": URL}, {URL}),
        ({"artifactory_url": URL, "repository": "cgr", "registry_url": REGISTRY}, {URL, REGISTRY}),
        ({"artifactory_url": URL, "registry_url": "https://cgr.dev"}, {URL}),
        ({"registry_url": "https://cgr.dev"}, set()),
    ],
)
def test_the_certificate_is_used_for_a_registry_of_artifactory(run_module, monkeypatch, files, options, servers):
    certificates = []

    def record(*arguments):
        certificates.append(load_client_cert(*arguments))
        return certificates[-1]

    monkeypatch.setattr(_client_cert, "load_client_cert", record)
    transport = ScriptedTransport(respond=lambda _request: ScriptedResponse(404, ""))
    run_module(
        registry_pull, transport, images=["x"], from_upstream="ignored", client_cert=str(files / "both.pem"), **options
    )
    urls = (URL, REGISTRY, "https://cgr.dev")
    assert {url for url in urls if any(certificate.for_url(url) for certificate in certificates)} == servers


# --- Over TLS ---------------------------------------------------------------------------------------------------------
@contextlib.contextmanager
def server(*, cert_required=True):
    """Run a TLS server for one request. Yields its URL and a list, which gets whether the client sent a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert("localhost").configure_cert(context)
    AUTHORITY.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED if cert_required else ssl.CERT_OPTIONAL
    received = []

    def respond():
        connection, _address = listener.accept()
        with context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False) as secured:
            try:
                secured.do_handshake()
                received.append(bool(secured.getpeercert()))
                secured.recv(65536)
                secured.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            except ssl.SSLError:
                # Read the rest, because a reset could discard the TLS alert before the client reads it.
                with contextlib.suppress(OSError):
                    while socket.socket.recv(secured, 65536):
                        pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=respond)
        thread.start()
        yield f"https://localhost:{listener.getsockname()[1]}", received
        thread.join(10)


def send(files, url, cert=None, servers=None):
    client_cert = load(files, cert, urls=servers or [url]) if cert else None
    transport = _http.RequestsTransport(verify=str(files / "ca.pem"), client_cert=client_cert, timeout=10)
    return transport.send(_http.Request("GET", f"{url}/x"))


@pytest.mark.parametrize("is_its_server", [True, False])
def test_the_certificate_is_sent_to_its_servers_only(files, is_its_server):
    with server(cert_required=False) as (url, received):
        send(files, url, "both.pem", None if is_its_server else [URL]).close()
    assert received == [is_its_server]


@pytest.mark.parametrize(
    ("cert", "message"),
    [
        pytest.param(None, "requires a client certificate. Set client_cert", id="none"),
        pytest.param("unknown.pem", "rejects the client certificate .unknown ca", id="of-another-ca"),
    ],
)
def test_a_server_that_requires_another_certificate_has_its_own_message(files, cert, message):
    with server() as (url, received):
        with pytest.raises(TransportError, match=message) as caught:
            send(files, url, cert)
    assert caught.value.transient is False
    assert received == []
