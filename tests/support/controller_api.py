# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A part of AWX's API that stores objects: lists by field, objects that can be created and changed, associations, and surveys.

It answers as AWX 24 does: secrets are shown as $encrypted$, and the inputs of a credential are replaced as a whole.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import json
import re
import typing as t
from urllib.parse import parse_qsl, urlsplit

from support.services import QuietHandler, serve_http

Json = dict[str, t.Any]

TOKEN = "controller-token"
ENCRYPTED = "$encrypted$"
TYPES = {
    "organizations": "organization",
    "credential_types": "credential_type",
    "credentials": "credential",
    "execution_environments": "execution_environment",
    "projects": "project",
    "project_updates": "project_update",
    "inventories": "inventory",
    "hosts": "host",
    "groups": "group",
    "notification_templates": "notification_template",
    "job_templates": "job_template",
    "workflow_job_templates": "workflow_job_template",
    "workflow_job_template_nodes": "workflow_job_template_node",
    "schedules": "schedule",
}
UNIFIED = ("job_templates", "workflow_job_templates", "projects")  # what unified_job_templates lists
QUESTION_TYPES = {
    **dict.fromkeys(("text", "textarea", "password", "multiplechoice", "multiselect"), str),
    "integer": int,
    "float": float,
}


@dataclasses.dataclass
class Controller:
    """url: of the API. objects: by their path, such as /api/v2/hosts/4/. writes: each request that is not a GET."""

    url: str = ""
    objects: dict[str, Json] = dataclasses.field(default_factory=dict)
    associations: dict[str, list[int]] = dataclasses.field(default_factory=dict)
    surveys: dict[str, Json] = dataclasses.field(default_factory=dict)
    writes: list[str] = dataclasses.field(default_factory=list)

    def find(self, endpoint: str, name: str) -> Json:
        """Return the only object of that name, with its secrets."""
        (item,) = [
            item for item in self.objects.values() if (item["type"], item.get("name")) == (TYPES[endpoint], name)
        ]
        return item

    def create(self, endpoint: str, fields: Json) -> Json:
        """Store an object and return it."""
        number = len(self.objects) + 1
        path = f"/api/v2/{endpoint}/{number}/"
        related = {name: f"{path}{name}/" for name in ("survey_spec", "hosts", "children")}
        item = {**fields, "id": number, "type": TYPES[endpoint], "url": path, "related": related, "summary_fields": {}}
        if endpoint == "projects":
            update = self.create("project_updates", {"status": "successful"})
            item |= {"scm_revision": "", "summary_fields": {"current_update": {"id": update["id"]}}}
        self.objects[item["url"]] = item
        return item

    def update(self, item: Json, fields: Json) -> None:
        """Replace fields. A secret that is sent as $encrypted$ keeps its value, and one that is not sent is deleted."""
        for name, value in fields.items():
            if isinstance(value, dict) and isinstance(item.get(name), dict):
                value = {key: item[name].get(key) if secret == ENCRYPTED else secret for key, secret in value.items()}
            item[name] = value

    def list_objects(self, endpoint: str, filters: dict[str, str]) -> list[Json]:
        """Return the objects whose fields have these values."""
        types = [TYPES[name] for name in (UNIFIED if endpoint == "unified_job_templates" else (endpoint,))]
        return [
            self.show(item)
            for item in self.objects.values()
            if item["type"] in types and all(str(item.get(name)) == value for name, value in filters.items())
        ]

    def show(self, item: Json) -> Json:
        """Return an object as the API does."""
        result = copy.deepcopy(item)
        if item["type"] == "credential":
            (kind,) = [kind for kind in self.objects.values() if kind["id"] == item["credential_type"]]
            secrets = {field["id"] for field in kind["inputs"]["fields"] if field.get("secret")}
            inputs: Json = result.setdefault("inputs", {})
            inputs.update(dict.fromkeys(secrets & set(inputs), ENCRYPTED))
        return result


@contextlib.contextmanager
def simulated_controller() -> t.Iterator[Controller]:
    """Serve a controller that has the organization Default only. It takes requests with TOKEN."""
    controller = Controller()
    controller.create("organizations", {"name": "Default"})

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            self._respond(lambda path: _read(controller, path, dict(parse_qsl(address.query, keep_blank_values=True))))

        def do_POST(self) -> None:
            self._write(_post)

        def do_PATCH(self) -> None:
            self._write(_patch)

        def _write(self, write: t.Callable[[Controller, str, Json], tuple[int, Json]]) -> None:
            fields = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            controller.writes.append(f"{self.command} {self.path}")
            self._respond(lambda path: write(controller, path, fields))

        def _respond(self, operation: t.Callable[[str], tuple[int, Json]]) -> None:
            is_authorized = self.headers.get("Authorization") == f"Bearer {TOKEN}"
            try:
                status, body = operation(urlsplit(self.path).path) if is_authorized else (401, {})
            except KeyError as error:
                status, body = 404, {"detail": f"There is no {error}."}
            content = b"" if status == 204 else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("X-API-Product-Name", "AWX")
            self.send_header("X-API-Product-Version", "24.6.1")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    with serve_http(Handler) as controller.url:
        yield controller


def _read(controller: Controller, path: str, filters: dict[str, str]) -> tuple[int, Json]:
    parts = path.strip("/").split("/")[2:]
    if len(parts) == 1:
        results = controller.list_objects(parts[0], filters)
    elif len(parts) == 2:
        return 200, controller.show(controller.objects[path])
    elif parts[2] == "survey_spec":
        return 200, controller.surveys.get(path, {})
    else:
        results = [{"id": number} for number in controller.associations.get(path, [])]
    return 200, {"count": len(results), "next": None, "results": results}


def _post(controller: Controller, path: str, fields: Json) -> tuple[int, Json]:
    parts = path.strip("/").split("/")[2:]
    if len(parts) == 1:
        return 201, controller.show(controller.create(parts[0], fields))
    if parts[2] == "survey_spec":
        if mistakes := _check_survey(fields):
            return 400, {"error": mistakes[0]}
        controller.surveys[path] = fields
        return 200, {}
    numbers = controller.associations.setdefault(path, [])
    (numbers.remove if fields.get("disassociate") else numbers.append)(fields["id"])
    return 204, {}


def _patch(controller: Controller, path: str, fields: Json) -> tuple[int, Json]:
    controller.update(controller.objects[path], fields)
    return 200, controller.show(controller.objects[path])


def _check_survey(survey: Json) -> list[str]:
    """Return what AWX rejects: types of questions and of their defaults, and defaults that are no choice."""
    mistakes = []
    names = [question["variable"] for question in survey["spec"]]
    if len(names) != len(set(names)) or not all(re.fullmatch(r"\w+", name) for name in names):
        mistakes.append(f"The variables {names} are not unique names.")
    for question in survey["spec"]:
        kind, default = question["type"], question["default"]
        if kind not in QUESTION_TYPES or (default != "" and not isinstance(default, QUESTION_TYPES[kind])):
            mistakes.append(f"The default of {question['variable']} does not have the type {kind}.")
        elif kind.startswith("multi") and not set(default.splitlines()) <= set(question["choices"].splitlines()):
            mistakes.append(f"The default of {question['variable']} is not a choice.")
    return mistakes
