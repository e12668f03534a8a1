# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The response with a cached file (facts/artifactory.md#docker-api)."""

from __future__ import annotations

from email.utils import formatdate
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

from .auth import Caller
from .cache import CachedFile

if TYPE_CHECKING:
    from .state import Artifactory


def serve(
    artifactory: Artifactory,
    caller: Caller,
    request: Request,
    file: CachedFile,
    headers: dict[str, str],
    *,
    conditional: bool = True,
) -> Response:
    """Respond with a file and its checksums, or 206 on request, and 304 if `conditional`. A GET counts as a download."""
    content, modified = file.content, formatdate(file.modified, usegmt=True)
    headers = {
        **headers,
        "Content-Type": file.mime_type,
        "Accept-Ranges": "bytes",
        "Content-Disposition": f'attachment; filename="{file.name}"',
        "Last-Modified": modified,
        "Etag": content.sha1,
        "X-Checksum-Md5": content.md5,
        "X-Checksum-Sha1": content.sha1,
        "X-Checksum-Sha256": content.sha256,
    }
    if conditional and request.method == "GET" and _is_unchanged(request, content.sha1, modified):
        return Response(status_code=304, headers=headers)
    if request.method == "GET":
        file.count_download(artifactory.simulator.clock.now(), caller.name)
    path = artifactory.files.path(content)
    if file.length == content.size:
        return FileResponse(path, headers=headers)
    return _WrongLengthResponse(path.read_bytes(), headers={**headers, "Content-Length": str(file.length)})


class _WrongLengthResponse(Response):
    """A body with a Content-Length that is not its own: a part of it, or all of it to a client that waits for more."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        length = int(self.headers["content-length"])
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        is_short = len(self.body) < length and scope["method"] != "HEAD"
        await send({"type": "http.response.body", "body": bytes(self.body[:length]), "more_body": is_short})
        while is_short and (await receive())["type"] != "http.disconnect":
            pass


def _is_unchanged(request: Request, etag: str, modified: str) -> bool:
    """Whether the conditions of a request allow 304. If-None-Match overrules If-Modified-Since."""
    if "if-none-match" in request.headers:
        return request.headers["if-none-match"].strip('"') == etag
    return request.headers.get("if-modified-since") == modified
