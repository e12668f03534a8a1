# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads who signed the certificate of a server that is not trusted, such as a proxy that intercepts TLS. Private to the collection."""

from __future__ import annotations

import typing as t
import warnings

try:
    import requests
    from cryptography import x509
except ImportError:
    pass  # reported with _http.REQUESTS_MISSING

_SECONDS = 10
_MAX_NAME = 200


def read_issuer(url: str) -> str:
    """Return the name of the CA that signed the certificate of a server; empty if that cannot be read.

    Sends no credentials, and uses nothing of the response, since the server is not verified.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Without an auth, requests would send an entry of ~/.netrc.
            response = requests.head(
                url, verify=False, stream=True, allow_redirects=False, timeout=_SECONDS, auth=_none
            )
        with response:
            certificate: t.Any = response.raw.connection.sock.getpeercert(True)
        return x509.load_der_x509_certificate(certificate).issuer.rfc4514_string()[:_MAX_NAME]
    except (NameError, AttributeError, OSError, ValueError, TypeError):
        return ""


def _none(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
