# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a request got no answer, in plain words. Private to the collection.

What requests itself says shows objects, and can show the query of a URL. The URL of a proxy holds its password.
"""

from __future__ import annotations

import dataclasses
import re
import ssl
import typing as t
from urllib.parse import urlsplit

try:
    import requests
    import requests.utils
except ImportError:
    pass  # _http.py tells it

_UNKNOWN_NAME = re.compile(r"Name or service not known|nodename nor servname|name resolution|NameResolutionError")
_CUT = re.compile(r"RemoteDisconnected|Connection aborted|IncompleteRead|Connection broken|reset by peer")
_CERT_REFUSED = re.compile(
    r"ALERT_(UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_EXPIRED|CERTIFICATE_REVOKED|CERTIFICATE_UNKNOWN"
    r"|UNSUPPORTED_CERTIFICATE|ACCESS_DENIED)"
)
_ABOUT_CERT = re.compile(f"CERTIFICATE_REQUIRED|{_CERT_REFUSED.pattern}")
SET_CLIENT_CERT = "Set client_cert, and client_key if the key is in another file. They are shown to Artifactory and to no other server."
_MAY_DEMAND = "A server that demands a client certificate can do that too."


class ConnectionFailure(t.NamedTuple):
    """passing: whether the same request may go through when it is tried again."""

    message: str
    hint: str
    transient: bool


@dataclasses.dataclass(frozen=True)
class Proxy:
    """The proxy that the environment sets for a URL, as it may be shown."""

    name: str
    variable: str
    has_login: bool
    is_url: bool = True

    @classmethod
    def of(cls, url: str) -> Proxy | None:
        """Return the proxy for a URL, None if there is none."""
        found = requests.utils.select_proxy(url, requests.utils.get_environ_proxies(url, no_proxy=None))
        if not found:
            return None
        variable = f"{urlsplit(url).scheme.upper()}_PROXY"
        try:
            parts = urlsplit(found if "//" in found else f"//{found}")
        except ValueError:
            return cls("the proxy", variable, False, False)
        login, _at, place = parts.netloc.rpartition("@")
        # A password with a special character that is not encoded moves the rest of the login behind what looks like the host.
        torn = "@" in f"{parts.path}{parts.query}{parts.fragment}"
        is_url = not torn and bool(re.fullmatch(r"([\w.-]+|\[[\da-fA-F:.]+\])(:\d+)?", place))
        return cls(f"the proxy {place}" if is_url else "the proxy", variable, bool(login), is_url)

    def refused(self, host: str, status: int) -> ConnectionFailure:
        """Return why the proxy answered with a status of its own."""
        if status == 407 and self.has_login:
            hint = f"Check user and password in {self.variable}, with special characters percent-encoded. Basic is the only way to log in."
            return ConnectionFailure(f"{self.name} refuses the login that the environment has for it.", hint, False)
        if status == 407:
            hint = (
                f"Set it in {self.variable}, as http://USER:PASSWORD@HOST:PORT with special characters percent-encoded."
            )
            return ConnectionFailure(f"{self.name} demands a login.", hint, False)
        if status in (502, 503, 504):
            hint = "If the host is inside your network, name it in NO_PROXY."
            return ConnectionFailure(f"{self.name} does not reach {host} (status {status}).", hint, True)
        hint = "Have it allow that host and port, or name the host in NO_PROXY if it can be reached without the proxy."
        return ConnectionFailure(f"{self.name} refuses to connect to {host} (status {status}).", hint, False)

    def failed(self, host: str, text: str) -> ConnectionFailure:
        """Return why a request did not get through the proxy, from the texts of the errors."""
        hint = f"Check {self.variable} (or ALL_PROXY) and NO_PROXY."
        if status := re.search(r"Tunnel connection failed: (\d+)", text):
            return self.refused(host, int(status[1]))
        if "CERTIFICATE_VERIFY_FAILED" in text:
            hint = "If a company CA signed it, set ca_path to a PEM file that holds that CA."
            return ConnectionFailure(f"the TLS certificate of {self.name} is not trusted.", hint, False)
        if "use HTTP and not HTTPS" in text or "WRONG_VERSION_NUMBER" in text:
            return ConnectionFailure(
                f"{self.name} does not speak TLS.", f"Begin {self.variable} with http://, not https://.", False
            )
        # urllib3 blames the proxy when a server beyond it cuts the connection, too.
        if _CUT.search(text):
            return ConnectionFailure(f"the connection to {host} was cut, by it or by {self.name}.", _MAY_DEMAND, True)
        if _UNKNOWN_NAME.search(text):
            return ConnectionFailure(f"the name of {self.name} cannot be resolved.", hint, False)
        return ConnectionFailure(f"{self.name} on the way to {host} cannot be reached.", hint, True)


def reason(exc: BaseException, url: str) -> ConnectionFailure:
    """Return why there was no answer from a URL."""
    host = urlsplit(url).netloc.rpartition("@")[2]
    causes = list(_causes(exc))
    text = " ".join(str(cause) for cause in causes)
    proxy = Proxy.of(url)
    if isinstance(exc, requests.exceptions.ProxyError) and proxy and not _ABOUT_CERT.search(text):
        return proxy.failed(host, text)
    if proxy and (not proxy.is_url or "SOCKS support" in text):
        hint = "Write it as http://HOST:PORT or http://USER:PASSWORD@HOST:PORT with special characters percent-encoded; SOCKS needs PySocks."
        return ConnectionFailure("the URL of the proxy in the environment cannot be used.", hint, False)
    found = _tls(exc, host, causes, text) or _connection(exc, host, text)
    return found._replace(hint=f"{found.hint} The request went to {proxy.name}.".lstrip()) if proxy else found


def _tls(exc: BaseException, host: str, causes: list[BaseException], text: str) -> ConnectionFailure | None:
    if "CERTIFICATE_REQUIRED" in text:
        return ConnectionFailure(f"{host} demands a client certificate.", SET_CLIENT_CERT, False)
    if alert := _CERT_REFUSED.search(text):
        hint = "Check that the certificate of client_cert is valid, and that its CA is one that the server trusts."
        why = alert[1].lower().replace("_", " ")
        return ConnectionFailure(f"{host} refuses the client certificate ({why}).", hint, False)
    if "CERTIFICATE_VERIFY_FAILED" in text or "certificate verify failed" in text:
        why = next((cause.verify_message for cause in causes if isinstance(cause, ssl.SSLCertVerificationError)), "")
        hint = "If a company CA signed it, set ca_path to a PEM file that holds that CA."
        return ConnectionFailure(
            f"the TLS certificate of {host} is not trusted{f' ({why})' if why else ''}.", hint, False
        )
    if isinstance(exc, requests.exceptions.SSLError):
        hint = "Check that the port speaks TLS, whether a proxy stands between, and whether a client certificate is demanded."
        return ConnectionFailure(f"no TLS connection to {host}.", hint, False)
    return None


def _connection(exc: BaseException, host: str, text: str) -> ConnectionFailure:
    if isinstance(exc, requests.exceptions.Timeout):
        hint = "Check that the host can be reached from where the module runs, or raise the timeout."
        return ConnectionFailure(f"no answer from {host} in time.", hint, True)
    if _UNKNOWN_NAME.search(text):
        return ConnectionFailure(
            f"the name of {host} cannot be resolved.", "Check the URL for a typing error, and the DNS.", False
        )
    if "Connection refused" in text:
        hint = "Check host and port of the URL, and that the service runs."
        return ConnectionFailure(f"{host} refuses the connection.", hint, True)
    if "CA certificate bundle" in text:
        return ConnectionFailure("the file of ca_path cannot be read.", "Set ca_path to a PEM file.", False)
    if _CUT.search(text):
        return ConnectionFailure(f"{host} cut the connection.", _MAY_DEMAND, True)
    return ConnectionFailure(f"no answer from {host} ({type(exc).__name__}).", "", True)


def _causes(exc: BaseException) -> t.Iterator[BaseException]:
    seen: set[int] = set()
    pending: list[t.Any] = [exc]
    while pending:
        found = pending.pop(0)
        if isinstance(found, BaseException) and id(found) not in seen:
            seen.add(id(found))
            yield found
            pending += [getattr(found, "reason", None), found.__cause__, found.__context__, *found.args]
