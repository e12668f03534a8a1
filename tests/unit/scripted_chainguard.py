# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Simulates the Chainguard API for the unit tests of the modules."""

from __future__ import annotations

import base64
import json
import re
from urllib.parse import parse_qs, urlsplit

from scripted import ScriptedResponse, ScriptedTransport

from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard import _capabilities, _pull_tokens
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._time import format_timestamp

ORG = "a" * 40
OLD = f"{ORG}/{'0' * 16}"
CONSUMER = "https://artifactory.example.com/cgr-private"
MARKER = f"Managed by cgr.pull_through for {CONSUMER}"
NOW = 1924992000
DATE = "Wed, 01 Jan 2031 00:00:00 GMT"
DAY = 86400


def encoded(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def decoded(part):
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


API_TOKEN = f"{encoded({'alg': 'RS256'})}.{encoded({'aud': 'https://console-api.enforce.dev'})}.c2lnbmF0dXJl"
CREDENTIALS = {"organization": "example.com", "chainguard_api_token": API_TOKEN}
TOKEN = {"name": "pull cgr-private", "consumer": CONSUMER}
DESIRED = {**CREDENTIALS, **TOKEN}


def identity(
    uid=OLD, *, days=30.0, age=5 * DAY, description=MARKER, name="pull cgr-private", issuer=_pull_tokens.ISSUER
):
    expires = format_timestamp(NOW + days * DAY)
    keys = {"issuer": issuer, "subject": "pull-token-1", "expirationTime": expires}
    created = format_timestamp(NOW - age)
    return {"uid": uid, "name": name, "description": description, "staticKeys": keys, "createTime": created}


def ok(body):
    return ScriptedResponse(200, body, {"Date": DATE})


def rejected(status, message="no"):
    return ScriptedResponse(status, {"code": 7, "message": message, "details": []}, {"Date": DATE})


PULL = {"CAP_REPO_LIST": "repo.list", "CAP_REPO_BLOBS_GET": "repo.blobs.get", "CAP_TENANT_SBOMS_LIST": "sboms.list"}
ENOUGH = {*_capabilities.READ, *_capabilities.ISSUE, *_capabilities.REVOKE, *PULL.values()}


class ScriptedChainguard:
    """Simulates what the modules use of Chainguard. capabilities: those of the credentials."""

    def __init__(self, *identities, role="registry.pull", capabilities=frozenset(ENOUGH)):
        self.capabilities = capabilities
        self.identities = {item["uid"]: item for item in identities}
        self.bindings = {item["uid"]: role for item in identities}
        self.deleted = []
        self.overrides = {}
        self.transport = ScriptedTransport(respond=self.respond)

    def override(self, method, path, *responses):
        """Respond with these first to requests whose path matches. A function is called; None means the default response."""
        self.overrides.setdefault((method, path), []).extend(responses)

    def respond(self, request):
        path = urlsplit(request.url).path
        for (method, pattern), responses in self.overrides.items():
            if responses and method == request.method and re.search(pattern, path):
                override = responses.pop(0)
                response = override() if callable(override) else override
                if response is not None:
                    return response
        return self.respond_by_default(request, path)

    def respond_by_default(self, request, path):
        query = {name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()}
        body = json.loads(request.body) if request.body and b"{" in request.body else {}
        uid = path.partition("/iam/v2/identities/")[2]
        if path == "/sts/exchange":
            return ok({"token": "short-lived"})
        if path == "/iam/v2/groups":
            groups = [{"uid": ORG, "name": "example.com"}, {"uid": f"{ORG}/1", "name": "example.com"}]
            return ok(
                {"groups": [item for item in groups if query.get("name") in (None, item["name"])], "nextPageToken": ""}
            )
        if path == "/iam/v2/roles":
            name = query["name"]
            managed = {"uid": "role", "name": name, "capabilities": list(PULL)}
            return ok({"roles": [{"uid": f"{ORG}/custom", "name": name}, managed]})
        if path == "/auth/v1/ok":
            elsewhere = {"group": f"{ORG}/folder", "capabilities": ["everything.create"]}
            return ok({"capabilities": [elsewhere, {"group": ORG, "capabilities": sorted(self.capabilities)}]})
        if path == "/iam/v2/identities":
            return ok(
                {"identities": [item for item in self.identities.values() if query.get("name") in (None, item["name"])]}
            )
        if path == "/iam/v2/roleBindings":
            rows = [
                {"identity": {"uid": bound}, "role": {"name": role}}
                for bound, role in self.bindings.items()
                if query.get("identity") in (None, bound)
            ]
            return ok({"roleBindings": rows})
        if path.startswith("/iam/v2/roleBindings/"):
            self.bindings[body["identityUid"]] = "registry.pull"
            return ok({"uid": "binding"})
        if request.method == "POST":
            return ok(self.create(body))
        if request.method == "DELETE":
            self.deleted.append(uid)
            return ok({}) if self.identities.pop(uid, None) else rejected(404)
        return ok(self.identities[uid]) if uid in self.identities else rejected(404)

    def create(self, body):
        uid = f"{ORG}/{len(self.identities) + 1:016x}"
        self.identities[uid] = {**body, "uid": uid, "createTime": format_timestamp(NOW)}
        return self.identities[uid]

    @property
    def writes(self):
        return [
            (request.method, urlsplit(request.url).path)
            for request in self.transport.requests
            if request.method != "GET" and not request.url.endswith("/sts/exchange")
        ]
