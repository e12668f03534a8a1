# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
import requests

from ansible_collections.cgr.pull_through.plugins.module_utils._connection_errors import (
    Proxy,
    explain_exception,
)

URL = "https://artifactory.example.com/x?signature=1"
PROXY = "proxy.example.com:3128"
PROXY_URL = f"http://user:pw@{PROXY}"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize(
    ("environment", "url", "name", "has_credentials"),
    [
        pytest.param({}, URL, None, False, id="none"),
        pytest.param({"HTTPS_PROXY": PROXY_URL}, URL, f"the proxy {PROXY}", True, id="with-credentials"),
        pytest.param({"https_proxy": f"http://{PROXY}"}, URL, f"the proxy {PROXY}", False, id="lower-case"),
        pytest.param({"ALL_PROXY": PROXY}, URL, f"the proxy {PROXY}", False, id="all-without-scheme"),
        pytest.param({"HTTPS_PROXY": "http://user:pw@[::1]:3128"}, URL, "the proxy [::1]:3128", True, id="ipv6"),
        pytest.param({"HTTP_PROXY": PROXY_URL}, URL, None, False, id="for-http-alone"),
        pytest.param({"HTTP_PROXY": PROXY_URL}, "http://x.example.com/", f"the proxy {PROXY}", True, id="for-http"),
        pytest.param({"HTTPS_PROXY": PROXY_URL, "NO_PROXY": ".example.com"}, URL, None, False, id="no-proxy"),
        pytest.param({"HTTPS_PROXY": f"http://user:1#23@{PROXY}"}, URL, "the proxy", False, id="split-by-a-hash"),
        pytest.param({"HTTPS_PROXY": f"http://user:1/pw@{PROXY}"}, URL, "the proxy", False, id="split-by-a-slash"),
        pytest.param({"HTTPS_PROXY": "http://user:[pw@x"}, URL, "the proxy", False, id="no-url"),
    ],
)
def test_the_name_of_a_proxy_has_no_credentials(monkeypatch, environment, url, name, has_credentials):
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    proxy = Proxy.from_environment(url)
    assert (proxy and proxy.name, bool(proxy and proxy.has_credentials)) == (name, has_credentials)


def tunnel_error(status):
    return requests.exceptions.ProxyError(OSError(f"Tunnel connection failed: {status} Words"))


@pytest.mark.parametrize(
    ("proxy", "error", "expected", "transient"),
    [
        pytest.param(PROXY_URL, tunnel_error(407), "rejects the credentials", False, id="wrong-credentials"),
        pytest.param(f"http://{PROXY}", tunnel_error(407), "requires credentials", False, id="no-credentials"),
        pytest.param(PROXY_URL, tunnel_error(403), "does not allow a connection", False, id="not-allowed"),
        pytest.param(PROXY_URL, tunnel_error(503), "cannot reach", True, id="not-reached"),
        pytest.param(
            PROXY_URL,
            requests.exceptions.ProxyError("CERTIFICATE_VERIFY_FAILED"),
            "of the proxy proxy",
            False,
            id="its-cert",
        ),
        pytest.param(
            PROXY_URL,
            requests.exceptions.ProxyError("appears to only use HTTP and not HTTPS"),
            "TLS",
            False,
            id="no-tls",
        ),
        pytest.param(
            PROXY_URL, requests.exceptions.ProxyError("Name or service not known"), "resolved", False, id="no-such-name"
        ),
        pytest.param(
            PROXY_URL, requests.exceptions.ProxyError("reset by peer"), "closed the connection", True, id="closed"
        ),
        pytest.param(PROXY_URL, requests.exceptions.ProxyError("refused"), "cannot be reached", True, id="down"),
        pytest.param(
            PROXY_URL, requests.exceptions.ReadTimeout("x"), f"sent through the proxy {PROXY}", True, id="timeout"
        ),
        pytest.param(
            "socks5://user:pw@x:1", requests.exceptions.InvalidSchema("for SOCKS support."), "SOCKS", False, id="socks"
        ),
        pytest.param("http://user:1/pw@x", requests.exceptions.InvalidURL("x"), "encoded", False, id="not-encoded"),
        pytest.param(
            PROXY_URL,
            requests.exceptions.ProxyError("TLSV13_ALERT_CERTIFICATE_REQUIRED"),
            "artifactory.example.com requires a client certificate",
            False,
            id="certificate-required-behind",
        ),
    ],
)
def test_each_proxy_failure_has_a_message(monkeypatch, proxy, error, expected, transient):
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    failure = explain_exception(error, URL)
    message = f"{failure.message} {failure.hint}"
    assert expected in message
    assert failure.transient is transient
    assert "pw" not in message and "signature" not in message
    assert "user" not in message.replace("user and password", "")
