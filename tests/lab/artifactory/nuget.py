# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NuGet repositories (v3): serves what the upstream's service index lists, under Artifactory's own index."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from .downloads import RequestContext, make_endpoint
from .files import FileRemote, RemoteFile
from .remote import NotFoundError
from .responses import route

_FOLDER = ".nuGetV3"
_FLAT, _REGISTRATION = "PackageBaseAddress/", "RegistrationsBaseUrl/"


async def index(context: RequestContext) -> Response:
    """Artifactory's own service index, if a member has one."""
    await context.all(_service_index)
    api = context.api("nuget/v3")
    resources = {"PackageBaseAddress/3.0.0": f"{api}/", "RegistrationsBaseUrl/3.6.0": f"{api}/registration-semver2/"}
    rows = [{"@id": url, "@type": name} for name, url in resources.items()]
    return JSONResponse({"version": "3.0.0", "resources": rows})


async def _service_index(remote: FileRemote) -> RemoteFile:
    """The service index at the v3 feed's URL, regardless of the repository's URL."""
    url = remote.fields["v3FeedUrl"]
    if not url.endswith("/index.json"):
        raise NotFoundError
    return RemoteFile(f"{_FOLDER}/index.json", url, expires=True)


async def _base(context: RequestContext, remote: FileRemote, resource: str) -> str:
    """The URL of a resource of the upstream."""
    service_index = await remote.file(context.caller, await _service_index(remote))
    for row in context.read_json(service_index)["resources"]:
        if row["@type"].startswith(resource):
            return str(row["@id"]).rstrip("/")
    raise NotFoundError


async def versions(context: RequestContext) -> Response:
    """The versions of all members."""
    name = _id(context)

    async def locate(remote: FileRemote) -> RemoteFile:
        url = f"{await _base(context, remote, _FLAT)}/{name}/index.json"
        return RemoteFile(f"{_FOLDER}/flatcontainer/{name}/index.json", url, expires=True)

    lists = [context.read_json(file)["versions"] for _remote, file in await context.documents(locate)]
    return JSONResponse({"versions": list(dict.fromkeys(version for versions in lists for version in versions))})


async def registration(context: RequestContext) -> Response:
    """The pages of all members, with links to this repository; the first member wins for a version of several."""
    name = _id(context)

    async def locate(remote: FileRemote) -> RemoteFile:
        url = f"{await _base(context, remote, _REGISTRATION)}/{name}/index.json"
        return RemoteFile(f"{_FOLDER}/registration-semver2/{name}/index.json", url, expires=True)

    documents = [context.read_json(file) for _remote, file in await context.documents(locate)]
    base = f"{context.api('nuget/v3')}/registration-semver2"
    pages: list[dict[str, Any]] = []
    versions: set[str] = set()
    for page in (page for document in documents for page in document["items"]):
        leaves = [leaf for leaf in page["items"] if leaf["catalogEntry"]["version"] not in versions]
        versions |= {leaf["catalogEntry"]["version"] for leaf in leaves}
        for leaf in leaves:
            leaf["packageContent"] = f"{base}/Download/{name}/{leaf['catalogEntry']['version']}"
        if leaves:
            pages.append({**page, "items": leaves, "count": len(leaves)})
    document = {**documents[0], "@id": f"{base}/{name}/index.json", "items": pages, "count": len(pages)}
    return JSONResponse(document)


async def package(context: RequestContext) -> Response:
    name, version = _id(context), context.request.path_params["version"].lower()
    path = f"{name}.{version}.nupkg"
    if context.request.path_params.get("file", path).lower() != path:
        raise NotFoundError

    async def locate(remote: FileRemote) -> RemoteFile:
        return RemoteFile(path, f"{await _base(context, remote, _FLAT)}/{name}/{version}/{path}")

    return context.serve(await context.first(locate))


def _id(context: RequestContext) -> str:
    return str(context.request.path_params["id"]).lower()


def routes() -> list[BaseRoute]:
    api = "/artifactory/api/nuget/v3/{key}"
    registrations = f"{api}/registration-semver2"
    endpoints = {
        api: index,
        f"{api}/index.json": index,
        f"{registrations}/{{id}}/index.json": registration,
        f"{registrations}/Download/{{id}}/{{version}}": package,
        f"{api}/{{id}}/index.json": versions,
        f"{api}/{{id}}/{{version}}/{{file}}": package,
    }
    return [route(path, make_endpoint("nuget", endpoint), kind="nuget.get") for path, endpoint in endpoints.items()]
