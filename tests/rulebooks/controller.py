# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The requests of AWX's API that start a job template, with the templates of extensions/awx."""

from __future__ import annotations

import contextlib
import json
import typing as t
from urllib.parse import parse_qs, urlsplit

from support import awx
from support.lab_client import Json
from support.services import QuietHandler, serve_http

Launch = tuple[str, Json]  # the name of the template, and the extra variables of the request


@contextlib.contextmanager
def record_launches() -> t.Iterator[tuple[str, list[Launch]]]:
    """Serve a controller whose jobs are successful. Yield its URL, and a list of what is started."""
    launches: list[Launch] = []
    names = [template["name"] for template in awx.load_config()["controller_templates"]]

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            address = urlsplit(self.path)
            name = parse_qs(address.query).get("name", [""])[0]
            if address.path.endswith("/unified_job_templates/"):
                results = [_describe_template(names.index(name), name)] if name in names else []
                self._respond({"count": len(results), "results": results, "next": None})
            elif address.path.endswith("jobs/"):
                numbers = parse_qs(address.query)["id__in"][0].split(",")
                jobs = [_describe_job(int(number), "successful") for number in numbers]
                self._respond({"count": len(jobs), "results": jobs, "next": None})
            else:
                self._respond({"version": "24.6.1"})

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            launches.append((names[int(self.path.split("/")[4])], request["extra_vars"]))
            self._respond(_describe_job(len(launches), "pending"), 201)

        def _respond(self, body: Json, status: int = 200) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    with serve_http(Handler) as url:
        yield url, launches


def _describe_job(number: int, status: str) -> Json:
    return {"id": number, "url": f"/api/v2/jobs/{number}/", "status": status, "artifacts": {}, "created": ""}


def _describe_template(number: int, name: str) -> Json:
    """Return a job template as the API does, as far as a client reads it."""
    asks = {f"ask_{name}_on_launch": False for name in ("limit", "labels", "inventory", "variables")}
    related = {"launch": f"/api/v2/job_templates/{number}/launch/"}
    organization = {"organization": {"name": "Default"}}
    return {
        "id": number,
        "name": name,
        "type": "job_template",
        "related": related,
        **asks,
        "summary_fields": organization,
    }
