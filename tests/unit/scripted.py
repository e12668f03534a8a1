# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A scripted transport: plays answers back, and keeps what was asked."""

from __future__ import annotations

import json
import typing as t

from requests.structures import CaseInsensitiveDict

from ansible_collections.cgr.pull_through.plugins.module_utils._http import CHUNK, Request


class ScriptedAnswer:
    """An answer as a test writes it. A body that is no bytes and no text is sent as JSON."""

    def __init__(self, status: int, body: t.Any = b"", headers: t.Mapping[str, str] | None = None) -> None:
        self.status = status
        self.headers: t.Mapping[str, str] = CaseInsensitiveDict(headers or {})
        self.closed = False
        if isinstance(body, str):
            self.body = body.encode()
        else:
            self.body = body if isinstance(body, bytes) else json.dumps(body).encode()

    def read(self, limit: int = 1 << 30) -> bytes:
        self.close()
        return self.body[:limit]

    def chunks(self, size: int = CHUNK) -> t.Iterator[bytes]:
        for start in range(0, len(self.body), size):
            yield self.body[start : start + size]
        self.close()

    def close(self) -> None:
        self.closed = True


Play = t.Union[ScriptedAnswer, Exception]


class ScriptedTransport:
    """Answers from a list, in order, or from a function of the request. An exception is raised instead."""

    def __init__(self, *plays: Play, by: t.Callable[[Request], Play] | None = None) -> None:
        self._plays = list(plays)
        self._by = by
        self.requests: list[Request] = []

    def send(self, request: Request) -> ScriptedAnswer:
        self.requests.append(request)
        if self._by is not None:
            play = self._by(request)
        else:
            assert self._plays, f"not in the script: {request.method} {request.url}"
            play = self._plays.pop(0)
        if isinstance(play, Exception):
            raise play
        return play

    @property
    def asked(self) -> list[tuple[str, str]]:
        """Return method and URL of each request."""
        return [(request.method, request.url) for request in self.requests]

    def sent(self, index: int) -> t.Any:
        """Return the JSON body of a request."""
        return json.loads(self.requests[index].body or b"null")
