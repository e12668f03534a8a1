# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The request log: one entry per request to any service."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

_SECRET_NAME = re.compile(r"token|password|secret|signature|credential|api.?key", re.IGNORECASE)


@dataclass(frozen=True)
class Entry:
    """One request, without body and headers, and with the last value of a repeated query parameter.

    `kind` is the name of the route, such as `iam.identity.create`, or the value that its handler set as
    `request.state.kind`; empty if no route matched. `status` is None if the connection was cut. `certificate`: whether
    the client presented one.
    """

    n: int
    time: float
    service: str
    method: str
    path: str
    query: dict[str, str]
    status: int | None
    kind: str
    user: str
    user_agent: str
    certificate: bool


class RequestLog:
    """Entries in the order in which their responses began. `n` counts from 1 and is not reset."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._count = 0

    def add(self, *, query: dict[str, str], **fields: Any) -> None:
        self._count += 1
        safe = {name: "***" if _SECRET_NAME.search(name) else value for name, value in query.items()}
        self._entries.append(Entry(n=self._count, query=safe, **fields))

    def since(self, n: int = 0) -> list[dict[str, Any]]:
        """The entries after number n."""
        return [asdict(entry) for entry in self._entries if entry.n > n]

    def clear(self) -> None:
        self._entries.clear()
