# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The responses of the platform API match its published OpenAPI description.

Set CHAINGUARD_OPENAPI to a file with that description, for example `static/api-v2.json` of
https://github.com/chainguard-dev/edu. Without it, these tests are skipped.
"""

from __future__ import annotations

import copy
import json
import os
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft7Validator, FormatChecker  # type: ignore[import-untyped]  # it has no types

from .conftest import Lab, PullToken

OPENAPI = "CHAINGUARD_OPENAPI"

formats = FormatChecker(())
formats.checks("date-time", ValueError)(lambda text: bool(datetime.fromisoformat(text.replace("Z", "+00:00"))))


class Description:
    """The document's schemas, closed: a field that is not described is an error."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._paths, self._components = document["paths"], copy.deepcopy(document["components"])
        for schema in self._components["schemas"].values():
            if "properties" in schema:
                schema.setdefault("additionalProperties", False)

    def check(self, response: httpx.Response) -> None:
        request = response.request
        path = next(path for path in self._matching(request.url.path) if request.method.lower() in self._paths[path])
        responses = self._paths[path][request.method.lower()]["responses"]
        described = responses.get(str(response.status_code), responses["default"])
        schema = described["content"]["application/json"]["schema"]
        validator = Draft7Validator({**schema, "components": self._components}, format_checker=formats)
        validator.validate(_without_nulls(response.json()))

    def _matching(self, path: str) -> Iterator[str]:
        for template in self._paths:
            # A digest contains a colon, which elsewhere separates a verb.
            digests = re.escape(template).replace(r"\{digest\}", "[a-z0-9]+:[0-9a-f]+")
            pattern = re.sub(r"\\{[^}]+\\}", "[^:]+", digests)
            if re.fullmatch(pattern, path):
                yield template


def _without_nulls(value: Any) -> Any:
    """Drop null values: the document never says `nullable`, and protobuf reads null as unset."""
    if isinstance(value, dict):
        return {name: _without_nulls(item) for name, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def description() -> Description:
    """The published description; skips the test where none is given."""
    path = os.environ.get(OPENAPI)
    if not path:
        pytest.skip(f"not compared: set {OPENAPI} to the published OpenAPI description")
    return Description(json.loads(Path(path).read_text()))


@pytest.mark.parametrize("omit", [False, True])
def test_responses_match_the_description(
    lab: Lab, description: Description, pull_token: Callable[..., PullToken], omit: bool
) -> None:
    lab.configure(omit_unpopulated=omit, delete_missing=404)
    api, uid = lab.api(), pull_token().username
    role = {"name": "own role", "capabilities": ["CAP_IAM_IDENTITY_LIST"]}
    workload = lab.state["chainguard"]["workload"]
    tokens = lab.client("api", workload["oidc_token"])
    bindings = {"parent": lab.org, "requests": [{"roleBinding": {"identityUid": uid, "roleUid": lab.role("apk.pull")}}]}
    binding = {"identityUid": uid, "roleUid": lab.role("libraries.java.pull")}
    (tag,) = api.get("/registry/v2/tags", params={"uidp.descendantsOf": lab.org, "name": "openjdk-21"}).json()["tags"]
    image = f"/registry/v2/repos/{tag['uid'].rpartition('/')[0]}/digests/{tag['digest']}"
    for response in (
        lab.client("api").get("/ping/v2/ping"),
        api.get("/iam/v2/groups"),
        api.get(f"/iam/v2/groups/{lab.org}"),
        api.post(f"/iam/v2/groups/{lab.org}", json={"name": "folder"}),
        api.get("/iam/v2/roles"),
        api.get(f"/iam/v2/roles/{lab.role('registry.pull')}"),
        api.post(f"/iam/v2/roles/{lab.org}", json=role),
        api.get("/iam/v2/identities?pageSize=2"),
        api.get(f"/iam/v2/identities/{uid}"),
        api.get(f"/iam/v2/identities/{workload['identity']}"),
        api.patch(f"/iam/v2/identities/{uid}", json={"description": "changed"}),
        api.get("/iam/v2/roleBindings"),
        api.post(f"/iam/v2/roleBindings/{lab.org}", json=binding),
        api.post("/iam/v2/roleBindings:batchCreate", json=bindings),
        api.get("/registry/v2/repos"),
        api.get("/registry/v2/tags?pageSize=3"),
        api.get(f"{image}/architectures"),
        api.get(f"{image}/size?architecture=arm64"),
        tokens.post("/sts/exchange", data={"aud": "cgr.dev", "identity": workload["identity"]}),
        api.delete(f"/iam/v2/identities/{uid}"),
    ):
        assert response.status_code == 200, response.text
        description.check(response)


@pytest.mark.parametrize("omit", [False, True])
def test_error_responses_match_the_description(lab: Lab, description: Description, omit: bool) -> None:
    lab.configure(omit_unpopulated=omit, delete_missing=404)
    api, missing = lab.api(), f"/iam/v2/identities/{lab.org}/{'0' * 16}"
    for response in (
        api.get(missing),
        api.delete(missing),
        api.post(f"/iam/v2/identities/{lab.org}", json={"name": "!"}),
        lab.client("api").get("/iam/v2/groups"),
        lab.client("api", lab.state["chainguard"]["workload"]["oidc_token"]).post("/sts/exchange"),
    ):
        assert response.status_code >= 400
        description.check(response)


def test_a_mismatch_is_detected(description: Description) -> None:
    request = httpx.Request("GET", "https://x/iam/v2/groups")
    for group in ({"name": 5}, {"name": "x", "surprise": 1}, {"name": "x", "createTime": "soon"}, {"uid": "no name"}):
        with pytest.raises(Exception, match="Failed validating"):
            description.check(httpx.Response(200, json={"groups": [group]}, request=request))
