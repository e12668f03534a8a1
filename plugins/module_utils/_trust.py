# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The certificate authorities to trust if the user names none: the bundle of requests and the system's. Private to the collection."""

from __future__ import annotations

import os
import ssl
import threading
import typing as t

try:
    from requests.utils import DEFAULT_CA_BUNDLE_PATH
    from urllib3.util.ssl_ import create_urllib3_context
except ImportError:
    pass  # reported with _http.REQUESTS_MISSING


def bundle_from_environment() -> str:
    """Return the path of the file that replaces the bundle of requests, as OpenSSL names it; empty if there is none."""
    return os.environ.get("SSL_CERT_FILE", "")


class DefaultTrust:
    """The TLS contexts of one transport. The bundle of requests does not contain the CA that a company adds to the system."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shared: ssl.SSLContext | None = None

    def apply(self, pool: t.Any, *, has_client_cert: bool) -> None:
        """Let a connection pool for https trust the default authorities. Reading them takes as long as a small request."""
        if not hasattr(pool, "has_default_trust"):
            pool.has_default_trust = True
            # A context keeps the client certificate, which is not for other servers.
            pool.conn_kw["ssl_context"] = _create_context() if has_client_cert else self._shared_context()
        # Otherwise each connection would read the bundle again.
        pool.ca_certs = pool.ca_cert_dir = None
        # The connection to a proxy can use TLS, too.
        if (proxy_config := pool.conn_kw.get("proxy_config")) is not None and proxy_config.ssl_context is None:
            pool.conn_kw["proxy_config"] = proxy_config._replace(ssl_context=self._shared_context())

    def _shared_context(self) -> ssl.SSLContext:
        with self._lock:
            if self._shared is None:
                self._shared = _create_context()
            return self._shared


def _create_context() -> ssl.SSLContext:
    context: ssl.SSLContext = create_urllib3_context()
    context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    context.load_default_certs()
    return context
