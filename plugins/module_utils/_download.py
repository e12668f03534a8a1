# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A client for downloads from one server. Private to the collection.

It follows redirects itself, because requests can pass credentials on to another host.
"""

from __future__ import annotations

from urllib.parse import urljoin

from ansible_collections.cgr.pull_through.plugins.module_utils._download_errors import (
    DownloadError,
    parse_error_response,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._http import (
    MAX_ERROR_SIZE,
    Request,
    StreamedResponse,
    Transport,
    redact_url,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._origin import Origin, redirect_error
from ansible_collections.cgr.pull_through.plugins.module_utils._rate_limit import Limits
from ansible_collections.cgr.pull_through.plugins.module_utils._transfer_stats import TransferStats

_MAX_REDIRECTS = 5
_REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})


class DownloadClient:
    """Sends read requests to one server. Its credentials are sent to the server's origin only."""

    def __init__(self, base_url: str, transport: Transport, stats: TransferStats, limits: Limits | None = None) -> None:
        self.origin = Origin.from_url(base_url)
        self._base_url = base_url
        self._transport = transport
        self._stats = stats
        self._limits = limits or Limits()

    def get(
        self, url: str, *, accept: str, authorization: str = "", method: str = "GET"
    ) -> tuple[StreamedResponse, str]:
        """Return the response, whose body is not read yet, and its URL after redirects.

        Raises TransportError, and DownloadError for a redirect that is not followed.
        """
        for _redirect in range(_MAX_REDIRECTS + 1):
            response = self._send(method, url, accept, authorization if Origin.from_url(url) == self.origin else "")
            if response.status not in _REDIRECT_STATUSES:
                return response, url
            response.close()
            url = self._redirect_target(url, response)
        raise DownloadError(response.status, f"more than {_MAX_REDIRECTS} redirects", url=url, headers=response.headers)

    def get_token(self, url: str, *, authorization: str) -> bytes:
        """Return the body of a token service's response. The service can have any origin, and does not redirect.

        Raises TransportError, and DownloadError for a status other than 200.
        """
        response = self._send("GET", url, "application/json", authorization)
        if response.status in _REDIRECT_STATUSES:
            response.close()
            target = redact_url(_join(url, response))
            message = f"a redirect of the token service to {target}, which is not followed"
            raise DownloadError(response.status, message, url=url, headers={}, by_token_service=True)
        if response.status != 200:
            raise parse_error_response(response, url, by_token_service=True)
        return response.read(MAX_ERROR_SIZE)

    def _send(self, method: str, url: str, accept: str, authorization: str) -> StreamedResponse:
        self._limits.acquire()
        headers = {"Accept": accept, **({"Authorization": authorization} if authorization else {})}
        self._stats.add(requests=1)
        named_by = "" if Origin.from_url(url) == self.origin else self._base_url
        max_seconds = self._limits.remaining_seconds()
        return self._transport.send(Request(method, url, headers, named_by=named_by, max_seconds=max_seconds))

    def _redirect_target(self, url: str, response: StreamedResponse) -> str:
        if not response.headers.get("Location"):
            raise DownloadError(response.status, "a redirect without a target", url=url, headers=response.headers)
        target = _join(url, response)
        error = redirect_error(self.origin, target) or redirect_error(Origin.from_url(url), target)
        if not error and self.origin.scheme == "http" and Origin.from_url(target) == self.origin.with_tls(target):
            error = "the server requires https, so set the URL to https"
        if error:
            message = f"a redirect to {redact_url(target)}, which is not followed: {error}"
            raise DownloadError(response.status, message, url=url, headers=response.headers)
        return target


def _join(url: str, response: StreamedResponse) -> str:
    """Return the absolute URL of a redirect; empty if it is not valid."""
    try:
        return urljoin(url, response.headers.get("Location", ""))
    except ValueError:
        return ""
