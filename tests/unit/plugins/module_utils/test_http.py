# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ssl

import pytest
import requests

from ansible_collections.cgr.pull_through.plugins.module_utils import _http
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError, TransportError

REQUEST = _http.Request("GET", "https://user:pw@h.example.com:1/x?signature=1")


@pytest.mark.parametrize(
    "url", ["artifactory.example.com", "ftp://x", "https://", "https://user:pw@x", "https://x/?a=b", "https://x:port"]
)
def test_an_invalid_base_url_is_an_input_error(url):
    with pytest.raises(InputError) as caught:
        _http.validate_base_url(url, "artifactory_url")
    assert "artifactory_url" in str(caught.value) and "pw" not in str(caught.value)


def test_the_trailing_slash_of_a_base_url_is_removed():
    assert _http.validate_base_url("https://x:8443/", "url") == "https://x:8443"


@pytest.mark.parametrize(
    ("error", "message", "transient"),
    [
        (requests.exceptions.SSLError("CERTIFICATE_VERIFY_FAILED"), "not trusted", False),
        (requests.exceptions.SSLError(ssl.SSLError("WRONG_VERSION_NUMBER")), "TLS handshake .* failed", False),
        (requests.exceptions.ReadTimeout("x"), "in time", True),
        (requests.exceptions.ConnectionError("Name or service not known"), "cannot be resolved", False),
        (requests.exceptions.ConnectionError("Connection refused"), "refused the connection", True),
        (requests.exceptions.ConnectionError("Connection aborted"), "closed the connection", True),
        (
            OSError("Could not find a suitable TLS CA certificate bundle, invalid path"),
            "the file in ca_path, .* cannot be read",
            False,
        ),
        (requests.exceptions.RequestException("x"), "no response from", True),
    ],
)
def test_each_connection_failure_has_a_message(monkeypatch, error, message, transient):
    def fail(*_args, **_kwargs):
        raise error

    monkeypatch.setattr(requests.Session, "send", fail)
    with pytest.raises(TransportError, match=message) as caught:
        _http.RequestsTransport().send(REQUEST)
    assert caught.value.transient is transient
    assert "pw" not in str(caught.value) and "signature" not in str(caught.value)
    assert "h.example.com:1" in str(caught.value)


def test_the_environment_is_read_once_for_each_origin(monkeypatch):
    read, sent = [], []

    def read_environment(_session, url, *_settings):
        read.append(url)
        return {"proxies": {"https": f"http://proxy{len(read)}"}}

    def send(_session, request, **settings):
        sent.append((request.url, settings["proxies"]["https"]))
        response = requests.Response()
        response.status_code = 200
        return response

    monkeypatch.setattr(requests.Session, "merge_environment_settings", read_environment)
    monkeypatch.setattr(requests.Session, "send", send)
    transport = _http.RequestsTransport()
    for url in ("https://a/1", "https://b/1", "https://a/2", "https://a:444/1"):
        transport.send(_http.Request("GET", url))
    assert read == ["https://a/1", "https://b/1", "https://a:444/1"]
    assert [proxy for _url, proxy in sent] == ["http://proxy1", "http://proxy2", "http://proxy1", "http://proxy3"]
