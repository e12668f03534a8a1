# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Messages for connection failures. Private to the collection.

The messages of requests contain Python objects, and can contain the query of a URL or the password of a proxy.
"""

from __future__ import annotations

import dataclasses
import http.client
import re
import ssl
import typing as t
from urllib.parse import urlsplit

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import SET_CLIENT_CERT

try:
    import requests
    import requests.utils
except ImportError:
    pass  # reported with _http.REQUESTS_MISSING

_UNKNOWN_NAME = re.compile(r"Name or service not known|nodename nor servname|name resolution|NameResolutionError")
_CLOSED = re.compile(r"RemoteDisconnected|Connection aborted|IncompleteRead|Connection broken|reset by peer")
_CERT_REJECTED = re.compile(
    r"ALERT_(UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_EXPIRED|CERTIFICATE_REVOKED|CERTIFICATE_UNKNOWN"
    r"|UNSUPPORTED_CERTIFICATE|ACCESS_DENIED)"
)
_MAX_PROTOCOL_ERROR = 100
_ABOUT_CERT = re.compile(f"CERTIFICATE_REQUIRED|{_CERT_REJECTED.pattern}")
_SET_CA_PATH = (
    "If a company CA signed it, set ca_path to a PEM file with that CA, or add the CA to those of the system."
)
_CLIENT_CERT_MAY_BE_REQUIRED = "A server that requires a client certificate can also do that."


class ConnectionFailure(t.NamedTuple):
    """A message, a hint, and whether the same request may succeed later."""

    message: str
    hint: str
    transient: bool


@dataclasses.dataclass(frozen=True)
class Proxy:
    """The proxy that the environment sets for a URL.

    name: a phrase without credentials. variable: the usual environment variable. is_url: whether its value is valid.
    """

    name: str
    variable: str
    has_credentials: bool
    is_url: bool = True

    @classmethod
    def from_environment(cls, url: str) -> Proxy | None:
        """Return the proxy for a URL. None if there is none."""
        proxy_url = requests.utils.select_proxy(url, requests.utils.get_environ_proxies(url, no_proxy=None))
        if not proxy_url:
            return None
        variable = f"{urlsplit(url).scheme.upper()}_PROXY"
        try:
            parts = urlsplit(proxy_url if "//" in proxy_url else f"//{proxy_url}")
        except ValueError:
            return cls("the proxy", variable, False, False)
        credentials, _at, host = parts.netloc.rpartition("@")
        # A special character in the password that is not encoded moves the rest of the credentials into the path.
        is_split_wrong = "@" in f"{parts.path}{parts.query}{parts.fragment}"
        is_url = not is_split_wrong and bool(re.fullmatch(r"([\w.-]+|\[[\da-fA-F:.]+\])(:\d+)?", host))
        return cls(f"the proxy {host}" if is_url else "the proxy", variable, bool(credentials), is_url)

    def explain_status(self, host: str, status: int) -> ConnectionFailure:
        """Return the failure for an error status of the proxy."""
        if status == 407 and self.has_credentials:
            hint = f"Check user and password in {self.variable}, and percent-encode special characters. Only Basic authentication is supported."
            return ConnectionFailure(f"{self.name} rejects the credentials in the environment.", hint, False)
        if status == 407:
            hint = f"Set {self.variable} to http://USER:PASSWORD@HOST:PORT, with special characters percent-encoded."
            return ConnectionFailure(f"{self.name} requires credentials.", hint, False)
        if status in (502, 503, 504):
            hint = "If the host is inside your network, add it to NO_PROXY."
            return ConnectionFailure(f"{self.name} cannot reach {host} (status {status}).", hint, True)
        hint = (
            "Allow that host and port in the proxy, or add the host to NO_PROXY if it can be reached without the proxy."
        )
        return ConnectionFailure(f"{self.name} does not allow a connection to {host} (status {status}).", hint, False)

    def explain_error(self, host: str, text: str) -> ConnectionFailure:
        """Return the failure for a ProxyError. text: the messages of the exception and its causes."""
        hint = f"Check {self.variable} (or ALL_PROXY) and NO_PROXY."
        if status := re.search(r"Tunnel connection failed: (\d+)", text):
            return self.explain_status(host, int(status[1]))
        if "CERTIFICATE_VERIFY_FAILED" in text:
            return ConnectionFailure(f"the TLS certificate of {self.name} is not trusted.", _SET_CA_PATH, False)
        if "use HTTP and not HTTPS" in text or "WRONG_VERSION_NUMBER" in text:
            hint = f"Start {self.variable} with http://, not https://."
            return ConnectionFailure(f"{self.name} does not speak TLS.", hint, False)
        # urllib3 also raises ProxyError when a server behind the proxy closes the connection.
        if _CLOSED.search(text):
            return ConnectionFailure(
                f"{host} or {self.name} closed the connection.", _CLIENT_CERT_MAY_BE_REQUIRED, True
            )
        if _UNKNOWN_NAME.search(text):
            return ConnectionFailure(f"the name of {self.name} cannot be resolved.", hint, False)
        return ConnectionFailure(f"{self.name}, which is set for {host}, cannot be reached.", hint, True)


def explain_exception(exc: BaseException, url: str) -> ConnectionFailure:
    """Return the failure for an exception of requests."""
    host = urlsplit(url).netloc.rpartition("@")[2]
    causes = list(_causes(exc))
    text = " ".join(str(cause) for cause in causes)
    proxy = Proxy.from_environment(url)
    if isinstance(exc, requests.exceptions.ProxyError) and proxy and not _ABOUT_CERT.search(text):
        return proxy.explain_error(host, text)
    if proxy and (not proxy.is_url or "SOCKS support" in text):
        hint = "Write it as http://HOST:PORT or http://USER:PASSWORD@HOST:PORT with special characters percent-encoded. SOCKS requires PySocks."
        return ConnectionFailure("the URL of the proxy in the environment is not valid.", hint, False)
    failure = (
        _tls_failure(exc, host, causes, text) or _protocol_failure(host, causes) or _connection_failure(exc, host, text)
    )
    if proxy is None:
        return failure
    return failure._replace(hint=f"{failure.hint} The request was sent through {proxy.name}.".lstrip())


def _tls_failure(exc: BaseException, host: str, causes: list[BaseException], text: str) -> ConnectionFailure | None:
    if "CERTIFICATE_REQUIRED" in text:
        return ConnectionFailure(f"{host} requires a client certificate.", SET_CLIENT_CERT, False)
    if alert := _CERT_REJECTED.search(text):
        hint = "Check that the certificate in client_cert is valid, and that the server trusts its CA."
        cause = alert[1].lower().replace("_", " ")
        return ConnectionFailure(f"{host} rejects the client certificate ({cause}).", hint, False)
    if "CERTIFICATE_VERIFY_FAILED" in text or "certificate verify failed" in text:
        messages = (cause.verify_message for cause in causes if isinstance(cause, ssl.SSLCertVerificationError))
        detail = f" ({message})" if (message := next(messages, "")) else ""
        return ConnectionFailure(f"the TLS certificate of {host} is not trusted{detail}.", _SET_CA_PATH, False)
    if isinstance(exc, requests.exceptions.SSLError):
        hint = "Check that the port speaks TLS, whether a proxy is in between, and whether a client certificate is required."
        return ConnectionFailure(f"the TLS handshake with {host} failed.", hint, False)
    return None


def _protocol_failure(host: str, causes: list[BaseException]) -> ConnectionFailure | None:
    """Return the failure for a response that is not valid HTTP, or that exceeds a bound of it."""
    for cause in causes:
        if isinstance(cause, http.client.RemoteDisconnected):
            return None
        if isinstance(cause, http.client.IncompleteRead):
            return ConnectionFailure(f"the response of {host} ended before it was complete.", "", True)
        detail = ""
        if isinstance(cause, http.client.BadStatusLine):
            detail = "its status line is not valid"
        elif isinstance(cause, http.client.HTTPException):
            detail = str(cause)[:_MAX_PROTOCOL_ERROR]
        elif "Content-Length contained multiple" in str(cause):
            detail = "it has more than one length"
        if detail:
            hint = "Check that this is the port of a web server, and whether a proxy changes responses."
            return ConnectionFailure(f"the response of {host} is not valid HTTP: {detail}.", hint, False)
    return None


def _connection_failure(exc: BaseException, host: str, text: str) -> ConnectionFailure:
    if isinstance(exc, requests.exceptions.Timeout):
        hint = "Check that the host can be reached from where the module runs, or increase timeout."
        return ConnectionFailure(f"no response from {host} in time.", hint, True)
    if _UNKNOWN_NAME.search(text):
        hint = "Check the URL for a typing error, and the DNS."
        return ConnectionFailure(f"the name of {host} cannot be resolved.", hint, False)
    if "Connection refused" in text:
        hint = "Check the host and port of the URL, and that the service is running."
        return ConnectionFailure(f"{host} refused the connection.", hint, True)
    if "CA certificate bundle" in text:
        message = "the file in ca_path, REQUESTS_CA_BUNDLE or SSL_CERT_FILE cannot be read."
        return ConnectionFailure(message, "Set ca_path to a PEM file.", False)
    if _CLOSED.search(text):
        return ConnectionFailure(f"{host} closed the connection.", _CLIENT_CERT_MAY_BE_REQUIRED, True)
    return ConnectionFailure(f"no response from {host} ({type(exc).__name__}).", "", True)


def _causes(exc: BaseException) -> t.Iterator[BaseException]:
    """Yield the exception, and all that it wraps: requests and urllib3 keep causes in attributes and arguments too."""
    seen: set[int] = set()
    pending: list[t.Any] = [exc]
    while pending:
        cause = pending.pop(0)
        if isinstance(cause, BaseException) and id(cause) not in seen:
            seen.add(id(cause))
            yield cause
            pending += [getattr(cause, "reason", None), cause.__cause__, cause.__context__, *cause.args]
