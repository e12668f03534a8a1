# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PyPI repositories: the simple index, with links to this repository, and the files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from html.parser import HTMLParser
from urllib.parse import urljoin

from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute

from .downloads import RequestContext, download, make_endpoint
from .files import FileRemote, RemoteFile
from .responses import route

FILES = "../../packages/"  # as seen from the index of a project


class _Links(HTMLParser):
    """The links of an HTML page by their text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.links: dict[str, str] = {}
        self._target = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self._target = dict(attrs).get("href") or ""

    def handle_data(self, data: str) -> None:
        if self._target:
            self.links[data] = self._target

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._target = ""


async def projects(context: RequestContext) -> Response:
    indexes = await context.all(lambda remote: _index(remote, ""))
    names = {name for _remote, file in indexes for name in _Links(context.read(file).decode()).links}
    return _page({name: f"{name}/" for name in sorted(names)})


async def project(context: RequestContext) -> Response:
    """The files of a project in all members; the first member wins for a name that several have."""
    name = re.sub(r"[-_.]+", "-", context.request.path_params["name"]).lower()
    links: dict[str, str] = {}
    for remote, file in await context.documents(lambda remote: _index(remote, name)):
        for text, target in _Links(context.read(file).decode()).links.items():
            links.setdefault(text, _rewrite_link(remote, urljoin(file.remote_url, target)))
    return _page(links)


async def _index(remote: FileRemote, name: str) -> RemoteFile:
    """The index at pyPIRegistryUrl and pyPIRepositorySuffix, regardless of the repository's URL."""
    registry, suffix = remote.fields["pyPIRegistryUrl"].rstrip("/"), remote.fields["pyPIRepositorySuffix"].strip("/")
    path = f"{name}/" if name else ""
    return RemoteFile(f".pypi/{name or 'simple'}.html", f"{registry}/{suffix}/{path}", expires=True)


def _rewrite_link(remote: FileRemote, target: str) -> str:
    """A link below the repository's URL, changed to lead to this repository. Any other link is unchanged."""
    base = f"{remote.fields['url'].rstrip('/')}/"
    return FILES + target.removeprefix(base) if target.startswith(base) else target


def _page(links: Mapping[str, str]) -> Response:
    rows = "\n".join(f'<a href="{escape(target)}">{escape(text)}</a><br>' for text, target in links.items())
    return HTMLResponse(
        f"<!DOCTYPE html>\n<html><head><title>Simple Index</title></head><body>\n{rows}\n</body></html>"
    )


def routes() -> list[BaseRoute]:
    index, simple = make_endpoint("pypi", projects), "/artifactory/api/pypi/{key}/simple"
    project_route = make_endpoint("pypi", project)
    return [
        route(simple, index, kind="pypi.index"),
        route(f"{simple}/", index, kind="pypi.index"),
        route(f"{simple}/{{name}}", project_route, kind="pypi.index"),
        route(f"{simple}/{{name}}/", project_route, kind="pypi.index"),
        route("/artifactory/api/pypi/{key}/packages/{path:path}", make_endpoint("pypi", download), kind="pypi.file"),
    ]
