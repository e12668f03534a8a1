# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A scripted transport: returns prepared responses, and records the requests."""

from __future__ import annotations

import json
import typing as t

from requests.structures import CaseInsensitiveDict

from ansible_collections.cgr.pull_through.plugins.module_utils._http import CHUNK, Request, oversize_error


class ScriptedResponse:
    """A prepared response. A body other than bytes and text is encoded as JSON."""

    def __init__(self, status: int, body: t.Any = b"", headers: t.Mapping[str, str] | None = None) -> None:
        self.status = status
        self.headers: t.Mapping[str, str] = CaseInsensitiveDict(headers or {})
        self.closed = False
        self.request = Request("GET", "https://scripted.example.com/")
        if isinstance(body, str):
            self.body = body.encode()
        else:
            self.body = body if isinstance(body, bytes) else json.dumps(body).encode()

    def read(self, limit: int = 64 << 20) -> bytes:
        self.close()
        if len(self.body) > limit:
            raise oversize_error(self.request, limit)
        return self.body

    def read_start(self, limit: int) -> bytes:
        self.close()
        return self.body[:limit]

    def chunks(self, size: int = CHUNK) -> t.Iterator[bytes]:
        for start in range(0, len(self.body), size):
            yield self.body[start : start + size]
        self.close()

    def close(self) -> None:
        self.closed = True


Play = ScriptedResponse | Exception


class ScriptedTransport:
    """Returns responses from a list, in order, or from a function of the request. Raises those that are exceptions."""

    def __init__(self, *plays: Play, respond: t.Callable[[Request], Play] | None = None) -> None:
        self._plays = list(plays)
        self._respond = respond
        self.requests: list[Request] = []

    def send(self, request: Request) -> ScriptedResponse:
        self.requests.append(request)
        if self._respond is not None:
            play = self._respond(request)
        else:
            assert self._plays, f"unexpected request: {request.method} {request.url}"
            play = self._plays.pop(0)
        if isinstance(play, Exception):
            raise play
        play.request = request
        return play

    @property
    def calls(self) -> list[tuple[str, str]]:
        """The method and URL of each request."""
        return [(request.method, request.url) for request in self.requests]

    def json_body(self, index: int) -> t.Any:
        """Return the JSON body of a request."""
        return json.loads(self.requests[index].body or b"null")
