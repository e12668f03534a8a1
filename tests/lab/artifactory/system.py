# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ping, version and license (facts/artifactory.md#authentication)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute

from .auth import Caller
from .responses import compact, route

if TYPE_CHECKING:
    from .state import Artifactory

_LICENSES = {"pro": "Commercial", "enterprise_plus": "Enterprise Plus", "jcr": "JCR Edition", "oss": "OSS"}


async def ping(_artifactory: Artifactory, _caller: Caller, _request: Request) -> Response:
    return PlainTextResponse("OK")


async def version(artifactory: Artifactory, _caller: Caller, _request: Request) -> Response:
    product, revision = artifactory.settings.server_header.split()
    body = {
        "version": product.partition("/")[2],
        "revision": revision,
        "addons": [],
        "license": artifactory.installation.id,
    }
    return compact(body)


async def license_info(artifactory: Artifactory, _caller: Caller, _request: Request) -> Response:
    kind = _LICENSES[artifactory.settings["artifactory_edition"]]
    return compact({"type": kind, "validThrough": "Dec 31, 2099", "licensedTo": "example.com"})


def routes() -> list[BaseRoute]:
    prefix = "/artifactory/api/system"
    return [
        route(f"{prefix}/ping", ping, kind="artifactory.ping", allow="all"),
        route(f"{prefix}/version", version, kind="artifactory.version"),
        route(f"{prefix}/license", license_info, kind="artifactory.license", allow="admin"),
    ]
