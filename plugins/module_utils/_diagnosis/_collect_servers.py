# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Collects how servers answer the controller, without credentials. Private to the collection."""

from __future__ import annotations

import dataclasses
import email.utils
import time
from urllib.parse import urlsplit

from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._evidence import (
    AddressEvidence,
    ServerEvidence,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._pull_rules import Failure
from ansible_collections.cgr.pull_through.plugins.module_utils._download_errors import parse_error_response
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import PullThroughError
from ansible_collections.cgr.pull_through.plugins.module_utils._html import is_html
from ansible_collections.cgr.pull_through.plugins.module_utils._http import Request, StreamedResponse, Transport
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._auth import parse_challenges

_MAX_SIZE = 1 << 12


def probe_host(transport: Transport, url: str) -> ServerEvidence:
    """Return whether a server answers the controller at all, and how its clock differs."""
    host = urlsplit(url).netloc
    evidence = ServerEvidence(requested_reference=url, host=host)
    try:
        response = transport.send(Request("GET", url))
        response.close()
    except PullThroughError as exc:
        return dataclasses.replace(evidence, failure=Failure.from_error(exc))
    return dataclasses.replace(evidence, clock_difference=_clock_difference(response))


def _clock_difference(response: StreamedResponse) -> float:
    try:
        return email.utils.parsedate_to_datetime(response.headers.get("Date", "")).timestamp() - time.time()
    except (TypeError, ValueError):
        return 0.0


def probe_address(transport: Transport, url: str, token_service_hosts: frozenset[str]) -> AddressEvidence:
    """Return what Artifactory responds to a container client that is not logged in. url: such as HOST/v2/."""
    evidence = AddressEvidence(
        requested_reference=url, host=urlsplit(url).netloc, url=url, token_service_hosts=token_service_hosts
    )
    try:
        response = transport.send(Request("GET", url, {"Accept": "application/json"}))
    except PullThroughError as exc:
        return dataclasses.replace(evidence, failure=Failure.from_error(exc))
    if response.status == 401:
        challenges = parse_challenges(response.headers.get("WWW-Authenticate", ""))
        response.close()
        realms = [challenge.parameters.get("realm", "") for challenge in challenges if challenge.scheme == "bearer"]
        return dataclasses.replace(evidence, realm=next(iter(realms), ""))
    if response.status == 200 and not is_html(response.headers, response.read(_MAX_SIZE).decode("utf-8", "replace")):
        return evidence
    if response.status == 200:
        return dataclasses.replace(evidence, failure=Failure("html", "the response is an HTML page."))
    return dataclasses.replace(evidence, failure=Failure.from_error(parse_error_response(response, url)))
