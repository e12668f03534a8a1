# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
import requests

from ansible_collections.cgr.pull_through.plugins.module_utils._connection_errors import Proxy, reason

URL = "https://artifactory.example.com/x?signature=1"
PROXY = "proxy.example.com:3128"
LOGIN = f"http://user:pw@{PROXY}"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize(
    ("environment", "url", "name", "has_login"),
    [
        pytest.param({}, URL, None, False, id="none"),
        pytest.param({"HTTPS_PROXY": LOGIN}, URL, f"the proxy {PROXY}", True, id="with-login"),
        pytest.param({"https_proxy": f"http://{PROXY}"}, URL, f"the proxy {PROXY}", False, id="lower-case"),
        pytest.param({"ALL_PROXY": PROXY}, URL, f"the proxy {PROXY}", False, id="all-without-scheme"),
        pytest.param({"HTTPS_PROXY": "http://user:pw@[::1]:3128"}, URL, "the proxy [::1]:3128", True, id="ipv6"),
        pytest.param({"HTTP_PROXY": LOGIN}, URL, None, False, id="for-http-alone"),
        pytest.param({"HTTP_PROXY": LOGIN}, "http://x.example.com/", f"the proxy {PROXY}", True, id="for-http"),
        pytest.param({"HTTPS_PROXY": LOGIN, "NO_PROXY": ".example.com"}, URL, None, False, id="no-proxy"),
        pytest.param({"HTTPS_PROXY": f"http://user:1#23@{PROXY}"}, URL, "the proxy", False, id="torn-by-a-hash"),
        pytest.param({"HTTPS_PROXY": f"http://user:1/pw@{PROXY}"}, URL, "the proxy", False, id="torn-by-a-slash"),
        pytest.param({"HTTPS_PROXY": "http://user:[pw@x"}, URL, "the proxy", False, id="no-url"),
    ],
)
def test_the_proxy_is_shown_without_its_login(monkeypatch, environment, url, name, has_login):
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    proxy = Proxy.of(url)
    assert (proxy and proxy.name, bool(proxy and proxy.has_login)) == (name, has_login)


def refused_tunnel(status):
    return requests.exceptions.ProxyError(OSError(f"Tunnel connection failed: {status} Words"))


@pytest.mark.parametrize(
    ("proxy", "error", "words", "transient"),
    [
        pytest.param(LOGIN, refused_tunnel(407), "refuses the login", False, id="wrong-login"),
        pytest.param(f"http://{PROXY}", refused_tunnel(407), "demands a login", False, id="no-login"),
        pytest.param(LOGIN, refused_tunnel(403), "refuses to connect", False, id="not-allowed"),
        pytest.param(LOGIN, refused_tunnel(503), "does not reach", True, id="not-reached"),
        pytest.param(
            LOGIN,
            requests.exceptions.ProxyError("CERTIFICATE_VERIFY_FAILED"),
            "of the proxy proxy",
            False,
            id="its-cert",
        ),
        pytest.param(
            LOGIN, requests.exceptions.ProxyError("appears to only use HTTP and not HTTPS"), "TLS", False, id="no-tls"
        ),
        pytest.param(
            LOGIN, requests.exceptions.ProxyError("Name or service not known"), "resolved", False, id="no-such-name"
        ),
        pytest.param(LOGIN, requests.exceptions.ProxyError("reset by peer"), "was cut, by it or by", True, id="cut"),
        pytest.param(LOGIN, requests.exceptions.ProxyError("refused"), "cannot be reached", True, id="down"),
        pytest.param(LOGIN, requests.exceptions.ReadTimeout("x"), f"went to the proxy {PROXY}", True, id="timeout"),
        pytest.param(
            "socks5://user:pw@x:1", requests.exceptions.InvalidSchema("for SOCKS support."), "SOCKS", False, id="socks"
        ),
        pytest.param("http://user:1/pw@x", requests.exceptions.InvalidURL("x"), "encoded", False, id="not-encoded"),
        pytest.param(
            LOGIN,
            requests.exceptions.ProxyError("TLSV13_ALERT_CERTIFICATE_REQUIRED"),
            "artifactory.example.com demands a client certificate",
            False,
            id="certificate-demanded-beyond",
        ),
    ],
)
def test_each_trouble_with_a_proxy_has_plain_words(monkeypatch, proxy, error, words, transient):
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    found = reason(error, URL)
    told = f"{found.message} {found.hint}"
    assert words in told
    assert found.transient is transient
    assert "pw" not in told and "signature" not in told and "user" not in told.replace("user and password", "")
