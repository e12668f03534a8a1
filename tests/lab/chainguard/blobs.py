# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The object store of blobs and package files, on a separate host and behind pre-signed URLs."""

from __future__ import annotations

import hmac
import re
from collections.abc import AsyncIterator
from hashlib import sha256
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from ..simulator import BLOBS_HOST, Simulator, has_real_host
from .state import Chainguard

LIFETIME = 600
CREDENTIAL = "lab/20260101/auto/s3/aws4_request"
SIGNATURE = "&X-Amz-Signature="
CHUNK = 1 << 18


def url(request: Request, folder: str, digest: str) -> str:
    """A pre-signed URL of an object, valid for GET for LIFETIME seconds.

    It uses the store's real host name if the client used the real host name of the redirecting service.
    """
    simulator: Simulator = request.app.state.simulator
    origin = f"https://{BLOBS_HOST}" if has_real_host(request) else simulator.addresses["blobs"]
    path = f"/{folder}/{digest.replace(':', '/')}"
    signed = {"X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": CREDENTIAL}
    query = urlencode({**signed, "Expires": int(simulator.clock.now()) + LIFETIME})
    return f"{origin}{path}?{query}{SIGNATURE}{_signature(simulator, 'GET', path, query)}"


def _signature(simulator: Simulator, method: str, path: str, query: str) -> str:
    """The signature of the query exactly as written: another spelling of the same query invalidates it."""
    message = f"{method}\n{path}\n{query}"
    return hmac.new(simulator.secret("blobs").encode(), message.encode(), sha256).hexdigest()


def _error(status: int, code: str, message: str) -> Response:
    body = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return Response(body, status, media_type="application/xml")


async def blob(request: Request) -> Response:
    simulator = request.app.state.simulator
    if "authorization" in request.headers:
        return _error(400, "InvalidArgument", "Only one auth mechanism allowed")
    signed, _ignored, signature = request.url.query.partition(SIGNATURE)
    # As at S3, the signature covers the method, so HEAD fails.
    if not hmac.compare_digest(signature, _signature(simulator, request.method, request.url.path, signed)):
        return _error(403, "SignatureDoesNotMatch", "The request signature does not match")
    if int(request.query_params["Expires"]) <= simulator.clock.now():
        return _error(403, "AccessDenied", "Request has expired")
    body = _find(simulator.chainguard, request.path_params["folder"], f"sha256:{request.path_params['hex']}")
    if body is None:
        return _error(404, "NoSuchKey", "The specified key does not exist.")
    return _serve(body, request.headers.get("range", ""))


def _find(state: Chainguard, folder: str, digest: str) -> bytes | None:
    if folder != "registry":
        return state.packages.stored.get(digest)
    blobs = (repository.blobs[digest] for repository in state.repositories.values() if digest in repository.blobs)
    return next((content.body for content in blobs), None)


def _serve(body: bytes, range_header: str) -> Response:
    """The body, or the requested range of it (`bytes=a-b`, `a-` or `-n`)."""
    size, headers = len(body), {"Accept-Ranges": "bytes"}
    start, stop, status = 0, size, 200
    if match := re.fullmatch(r"bytes=(\d*)-(\d*)", range_header):
        first, last = match.groups()
        if not first:
            start = max(0, size - int(last or 0))
        else:
            start, stop = int(first), min(int(last) + 1 if last else size, size)
        if start >= stop:
            return Response(status_code=416, headers={"Content-Range": f"bytes */{size}"})
        status, headers["Content-Range"] = 206, f"bytes {start}-{stop - 1}/{size}"
    headers["Content-Length"] = str(stop - start)
    return StreamingResponse(_chunks(body, start, stop), status, headers, media_type="application/octet-stream")


async def _chunks(body: bytes, start: int, stop: int) -> AsyncIterator[memoryview]:
    view = memoryview(body)
    for position in range(start, stop, CHUNK):
        yield view[position : min(position + CHUNK, stop)]


def build(simulator: Simulator) -> Starlette:
    app = Starlette(routes=[Route("/{folder}/sha256/{hex}", blob, name="blobs.get")])
    app.state.simulator = simulator
    return app
