# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Go repositories: module proxies, which also answer under their own API."""

from __future__ import annotations

from starlette.routing import BaseRoute

from .downloads import download, of_type
from .web import route


def routes() -> list[BaseRoute]:
    return [route("/artifactory/api/go/{key}/{path:path}", of_type("go", download), kind="go.get")]
