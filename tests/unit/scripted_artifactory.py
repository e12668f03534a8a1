# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The URL and credentials of a scripted Artifactory, common responses, and an Artifactory with state."""

from __future__ import annotations

import collections
import json
import threading
import typing as t
from urllib.parse import urlsplit

from scripted import ScriptedResponse, ScriptedTransport

from ansible_collections.cgr.pull_through.plugins.module_utils._http import Request

BASE = "https://artifactory.example.com"
CREDENTIALS = {"artifactory_url": f"{BASE}/artifactory/", "artifactory_access_token": "admin-token"}

ABSENT = ScriptedResponse(400, {"errors": [{"status": 400, "message": "Bad Request"}]})
FORBIDDEN = ScriptedResponse(403, {"errors": [{"status": 403, "message": "Forbidden"}]})
LICENSE = ScriptedResponse(200, {"type": "Enterprise"})
PRO_ONLY = ScriptedResponse(
    400, {"errors": [{"status": 400, "message": "This REST API is available only in Artifactory Pro (see: x)."}]}
)


def methods(transport: ScriptedTransport) -> list[str]:
    """Return the method of each request."""
    return [request.method for request in transport.requests]


API_PATH = "/artifactory/api"
NEW, OLD = "7.111.4", "7.55.10"

Config = dict[str, t.Any]


def remote_config(key: str, **settings: t.Any) -> Config:
    """Return the configuration of a remote repository."""
    return {"key": key, "rclass": "remote", "packageType": "docker", "url": "https://cgr.dev/", **settings}


class Artifactory:
    """Repositories in memory.

    rejected_keys: keys that no write may contain. request_counts: number of requests by method and path.
    """

    def __init__(self, *repositories: Config, version: str = NEW, rejected_keys: t.Collection[str] = ()) -> None:
        self.repositories = {config["key"]: config for config in repositories}
        self.version, self.rejected_keys = version, rejected_keys
        self.request_counts: collections.Counter[str] = collections.Counter()
        self.lock = threading.Lock()
        self.transport = ScriptedTransport(respond=self.respond)

    def respond(self, request: Request) -> ScriptedResponse:
        path = urlsplit(request.url).path.removeprefix(API_PATH)
        with self.lock:
            self.request_counts[f"{request.method} {path}"] += 1
            return self._route(request.method, path, request.body and json.loads(request.body))

    def _route(self, method: str, path: str, body: t.Any) -> ScriptedResponse:
        key = path.rpartition("/")[2]
        if path == "/system/version":
            return ScriptedResponse(200, {"version": self.version})
        if path == "/system/license":
            return LICENSE
        if path == "/repositories/configurations":
            grouped: dict[str, list[Config]] = collections.defaultdict(list)
            for config in self.repositories.values():
                grouped[config["rclass"].upper()].append(config)
            return ABSENT if self.version == OLD else ScriptedResponse(200, grouped)
        if method == "GET":
            return ScriptedResponse(200, self.repositories[key]) if key in self.repositories else ABSENT
        if method == "DELETE":
            self.repositories.pop(key)
            return ScriptedResponse(200, {})
        return self._write(body if isinstance(body, list) else [body])

    def _write(self, configs: list[Config]) -> ScriptedResponse:
        if any(config["key"] in self.rejected_keys for config in configs):
            return ScriptedResponse(409, {"errors": [{"status": 409, "message": "It is in use"}]})
        for config in configs:
            self.repositories[config["key"]] = {**self.repositories.get(config["key"], {}), **config}
        return ScriptedResponse(200, {"done": True})

    @property
    def writes(self) -> list[str]:
        return sorted(request for request in self.request_counts if not request.startswith("GET"))
