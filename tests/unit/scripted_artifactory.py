# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the scripted Artifactory is, how modules log in there, and answers that many tests need."""

from __future__ import annotations

from scripted import ScriptedResponse, ScriptedTransport

BASE = "https://artifactory.example.com"
LOGIN = {"artifactory_url": f"{BASE}/artifactory/", "artifactory_access_token": "admin-token"}

ABSENT = ScriptedResponse(400, {"errors": [{"status": 400, "message": "Bad Request"}]})
FORBIDDEN = ScriptedResponse(403, {"errors": [{"status": 403, "message": "Forbidden"}]})
LICENSE = ScriptedResponse(200, {"type": "Enterprise"})
PRO_ONLY = ScriptedResponse(
    400, {"errors": [{"status": 400, "message": "This REST API is available only in Artifactory Pro (see: x)."}]}
)


def methods(transport: ScriptedTransport) -> list[str]:
    """Return the method of each request."""
    return [request.method for request in transport.requests]
