# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Collects how servers answer the controller, without credentials. Private to the collection."""

from __future__ import annotations

import dataclasses
import email.utils
import time
from urllib.parse import urlsplit

from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._evidence import ServerEvidence
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._pull_rules import Failure
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import PullThroughError
from ansible_collections.cgr.pull_through.plugins.module_utils._html import is_html
from ansible_collections.cgr.pull_through.plugins.module_utils._http import (
    MAX_ERROR_SIZE,
    Request,
    StreamedResponse,
    Transport,
)


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


def allows_anonymous(transport: Transport, artifactory_url: str) -> bool:
    """Return whether Artifactory responds without credentials. False if that is not known."""
    try:
        response = transport.send(Request("GET", f"{artifactory_url}/artifactory/api/system/version"))
        body = response.read_start(MAX_ERROR_SIZE).decode("utf-8", "replace")
    except PullThroughError:
        return False
    return response.status == 200 and not is_html(response.headers, body)


def _clock_difference(response: StreamedResponse) -> float:
    try:
        return email.utils.parsedate_to_datetime(response.headers.get("Date", "")).timestamp() - time.time()
    except (TypeError, ValueError):
        return 0.0
