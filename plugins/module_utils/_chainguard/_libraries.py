# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The libraries that Chainguard remediates, from its OpenVEX feed. Private to the collection."""

from __future__ import annotations

import re

from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._auth import ChainguardService
from ansible_collections.cgr.pull_through.plugins.module_utils._http import Transport
from ansible_collections.cgr.pull_through.plugins.module_utils._json_api import ApiSession, Response

_FEED = {"entries": [{"id": str}]}
_ENTRY_ID = re.compile(r"([a-z]+)/([A-Za-z0-9][A-Za-z0-9._-]*)\.openvex\.json")


class LibrariesService(ChainguardService):
    """Reads the error responses of Chainguard Libraries."""

    name = "Chainguard Libraries"
    url_option = "chainguard_libraries_url"

    def hint(self, response: Response) -> str:
        if response.status in (401, 403, 404):
            return "Check chainguard_libraries_url. The feed needs no credentials."
        return ""


def list_remediated(libraries_url: str, transport: Transport) -> list[dict[str, str]]:
    """Return the ecosystem and the name of each remediated library, sorted. Raises RequestError.

    The feed is public, so no credentials are sent. Entries of another format are ignored.
    """
    session = ApiSession(libraries_url, LibrariesService(), transport=transport, authorization=lambda: "")
    feed = session.call("GET", "/openvex/v1/all.json", shape=_FEED)
    matches = filter(None, (_ENTRY_ID.fullmatch(entry["id"]) for entry in feed["entries"]))
    return [{"ecosystem": ecosystem, "name": name} for ecosystem, name in sorted({match.groups() for match in matches})]
