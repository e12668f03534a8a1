# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Artifactory reports about the download of a path, as text: `GET PATH?trace`. No I/O. Private to the collection.

A traced download of a path that is not cached asks the upstream once, as any download, and needs the same permissions.
"""

from __future__ import annotations

import re
import secrets
import typing as t

Step = t.Literal[
    "", "answered", "offline", "assumed_offline", "remembered", "denied", "credentials", "failed", "unreachable"
]

_UNUSED = "pull-through-diagnosis-"
_MAX_LINE = 300
_STATUS = re.compile(r"\breceived status (\d{3})\b", re.IGNORECASE)
_CONNECTION_FAILURE = re.compile(r"\b(?:GET|HEAD) https?://\S+: ")
_FAILURE = "Failed to retrieve"  # a summary, after the line with the status if there was a response
# The texts of the steps that end a download without a request to the upstream.
_TEXTS: tuple[tuple[str, Step], ...] = (
    ("assumed offline", "assumed_offline"),
    ("is offline", "offline"),
    ("cache of missing", "remembered"),
    ("is skipped", "denied"),
    ("forbidden for user", "denied"),
)
_TOO_MANY_REQUESTS = 429


class Trace(t.NamedTuple):
    """The decisive step of a download. quote: its text. status: of the upstream's last response; 0 if there was none."""

    step: Step = ""
    quote: str = ""
    status: int = 0

    @property
    def shows_failure(self) -> bool:
        """Whether the upstream denied the stored credentials, failed, or did not respond. Too many requests show nothing."""
        failures: tuple[Step, ...] = ("offline", "assumed_offline", "credentials", "failed", "unreachable")
        return self.step in failures and self.status != _TOO_MANY_REQUESTS


def unused_path(package_type: str, image: str = "") -> str:
    """Return a path that was never requested before, in the form of the package type. image: whose manifest it is."""
    name = f"{_UNUSED}{secrets.token_hex(6)}"
    if image:
        return f"{image}/{name}/manifest.json"
    # The URL of a Python repository is that of all ecosystems. Below files/, the upstream requires the login.
    return {"alpine": f"x86_64/{name}.apk", "pypi": f"files/{name}/{name}.whl"}.get(package_type, f"{name}/{name}.txt")


def is_unused(path: str) -> bool:
    """Return whether the path is one of unused_path()."""
    return _UNUSED in path


def parse_trace(text: str) -> Trace:
    """Return the decisive step of a trace: the last response of the upstream, or why there was none."""
    summary = Trace()
    for line in reversed([line.strip()[:_MAX_LINE] for line in text.splitlines()]):
        for part, step in _TEXTS:
            if part in line:
                return Trace(step, line)
        if match := _STATUS.search(line):
            status = int(match[1])
            return Trace(_step_of_status(status), line, status)
        if _CONNECTION_FAILURE.search(line):
            return Trace("unreachable", line)
        if _FAILURE in line and not summary.step:
            summary = Trace("unreachable", line)
    return summary


def _step_of_status(status: int) -> Step:
    if status in (401, 403, 407):
        return "credentials"
    return "failed" if status == _TOO_MANY_REQUESTS or status >= 500 else "answered"
