# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""npm repositories: the document of a package, with links to this repository, and its tarballs."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from .downloads import RequestContext, download, make_endpoint
from .files import FileRemote, RemoteFile
from .responses import route


async def serve(context: RequestContext) -> Response:
    """Serve a tarball, whose path contains `/-/`, or the document of a package."""
    return await (download if "/-/" in context.path else _package)(context)


async def _package(context: RequestContext) -> Response:
    """One document with the versions of all members; the first member wins for a version that several have."""
    merged: dict[str, Any] = {}
    for remote, file in await context.all(lambda remote: _document(remote, context.path)):
        document = context.read_json(file)
        for version in document["versions"].values():
            version["dist"]["tarball"] = _rewrite_link(context, remote, version["dist"]["tarball"])
        merged["versions"] = {**document["versions"], **merged.get("versions", {})}
        merged = {**document, **merged}
    return JSONResponse(merged)


async def _document(remote: FileRemote, name: str) -> RemoteFile:
    """The document of a package; the slash after a scope is part of the name."""
    url = f"{remote.fields['url'].rstrip('/')}/{quote(name, safe='@')}"
    return RemoteFile(f".npm/{name}/package.json", url, expires=True)


def _rewrite_link(context: RequestContext, remote: FileRemote, tarball: str) -> str:
    base = f"{remote.fields['url'].rstrip('/')}/"
    return f"{context.api('npm')}/{tarball.removeprefix(base)}" if tarball.startswith(base) else tarball


def routes() -> list[BaseRoute]:
    return [route("/artifactory/api/npm/{key}/{path:path}", make_endpoint("npm", serve), kind="npm.get")]
