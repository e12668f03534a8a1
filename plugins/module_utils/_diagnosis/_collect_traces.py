# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Collects what Artifactory reports about the download of a path that is not cached. Private to the collection.

A traced download asks the upstream once, as any download, and needs the same permissions.
"""

from __future__ import annotations

import re
import secrets

from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._evidence import Trace, TraceStep
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import PullThroughError
from ansible_collections.cgr.pull_through.plugins.module_utils._http import Request, Transport

_MAX_SIZE = 1 << 16
_STATUS = re.compile(r"received status (\d{3})")
# The texts of the steps that end a download without a request to the upstream.
_TEXTS: tuple[tuple[str, TraceStep], ...] = (
    ("assumed offline", "assumed_offline"),
    ("is offline", "offline"),
    ("cache of missing", "remembered"),
    ("is skipped", "denied"),
    ("forbidden for user", "denied"),
)


def unused_path(package_type: str) -> str:
    """Return a path that was never requested before, in the form of the package type."""
    name = f"pull-through-diagnosis-{secrets.token_hex(6)}"
    return {"alpine": f"x86_64/{name}.apk", "pypi": f"simple/{name}/"}.get(package_type, f"{name}/{name}.txt")


def read_trace(transport: Transport, base_url: str, authorization: str, key: str, path: str) -> Trace:
    """Return the decisive step of the download of a path through a repository. Empty if the server does not trace it."""
    url = f"{base_url}/artifactory/{key}/{path}?trace"
    try:
        response = transport.send(Request("GET", url, {"Authorization": authorization, "Accept": "text/plain"}))
        text = response.read(_MAX_SIZE).decode("utf-8", "replace")
    except PullThroughError:
        return Trace()
    return parse_trace(text) if response.status == 200 else Trace()


def parse_trace(text: str) -> Trace:
    """Return the decisive step of a trace: the last response of the upstream, or why there was none."""
    lines = [line.strip()[:300] for line in text.splitlines()]
    for line in reversed(lines):
        for part, step in _TEXTS:
            if part in line:
                return Trace(step, line)
        if match := _STATUS.search(line):
            return Trace(_step_of_status(int(match[1])), line)
        if re.search(r"\b(GET|HEAD) https?://\S+: ", line) or "Failed to retrieve" in line:
            return Trace("unreachable", line)
    return Trace()


def _step_of_status(status: int) -> TraceStep:
    if status in (401, 403):
        return "credentials"
    return "failed" if status == 429 or status >= 500 else "answered"
