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

_CHECKSUMS = (".md5", ".sha1", ".sha256")


async def serve(context: RequestContext) -> Response:
    """Serve a tarball, whose path contains `/-/`, or the document of a package."""
    return await (_tarball if "/-/" in context.path else _package)(context)


async def _tarball(context: RequestContext) -> Response:
    """A tarball from where the cached document says, which can be outside of the remote's URL."""
    if context.path.endswith(_CHECKSUMS):
        return await download(context)
    return context.serve(await context.first(lambda remote: _locate(context, remote)))


async def _locate(context: RequestContext, remote: FileRemote) -> RemoteFile:
    name, _separator, file_name = context.path.partition("/-/")
    document = remote.cache.files.get(_document_path(name))
    if document is not None and context.artifactory.settings["artifactory_npm_outside_tarballs"] == "rewritten":
        for version in context.read_json(document)["versions"].values():
            tarball = str(version["dist"]["tarball"])
            if tarball.rpartition("/")[2] == file_name:
                return RemoteFile(context.path, tarball)
    return remote.below(context.path)


async def _package(context: RequestContext) -> Response:
    """One document with the versions of all members; the first member wins for a version that several have."""
    merged: dict[str, Any] = {}
    for remote, file in await context.documents(lambda remote: _document(remote, context.path)):
        document = context.read_json(file)
        for version in document["versions"].values():
            version["dist"]["tarball"] = _rewrite_link(context, remote, version["dist"]["tarball"], document["name"])
        merged["versions"] = {**document["versions"], **merged.get("versions", {})}
        merged = {**document, **merged}
    return JSONResponse(merged)


async def _document(remote: FileRemote, name: str) -> RemoteFile:
    """The document of a package; the slash after a scope is part of the name."""
    url = f"{remote.fields['url'].rstrip('/')}/{quote(name, safe='@')}"
    return RemoteFile(_document_path(name), url, expires=True)


def _document_path(name: str) -> str:
    return f".npm/{name}/package.json"


def _rewrite_link(context: RequestContext, remote: FileRemote, tarball: str, name: str) -> str:
    """The link to this repository. A setting decides about a tarball outside of the remote's URL."""
    base = f"{remote.fields['url'].rstrip('/')}/"
    if tarball.startswith(base):
        return f"{context.api('npm')}/{tarball.removeprefix(base)}"
    if context.artifactory.settings["artifactory_npm_outside_tarballs"] == "rewritten":
        return f"{context.api('npm')}/{name}/-/{tarball.rpartition('/')[2]}"
    return tarball


def routes() -> list[BaseRoute]:
    return [route("/artifactory/api/npm/{key}/{path:path}", make_endpoint("npm", serve), kind="npm.get")]
