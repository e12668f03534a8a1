# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control API: clock, request log, faults, settings and reset."""

from __future__ import annotations

import base64
import json
import signal
import ssl
import subprocess
import sys
import time
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import pytest

from lab.serve import SERVICES

from .conftest import Lab

GROUPS = "/iam/v2/groups"


def test_clock_changes_every_date(lab: Lab) -> None:
    started = int(time.time())
    lab.advance(1000)
    now = lab.control("GET", "/clock")["now"]
    date = parsedate_to_datetime(lab.registry.get("/v2/").headers["date"]).timestamp()
    assert started + 1000 <= int(now) <= date <= time.time() + 1000
    lab.control("POST", "/clock", {"set": 2_000_000_000})
    now = lab.control("GET", "/clock")["now"]
    assert 2_000_000_000 <= now <= 2_000_000_000 + time.time() - started


def test_request_log_has_users_and_no_secrets(lab: Lab) -> None:
    started = int(time.time())
    lab.api().get(GROUPS, params={"name": "x", "page_token": "hidden"}, headers={"User-Agent": "test/1"})
    (entry,) = lab.request_log()
    assert entry | {"time": 0, "n": 0} == {
        "n": 0,
        "time": 0,
        "service": "api",
        "method": "GET",
        "path": GROUPS,
        "query": {"name": "x", "page_token": "***"},
        "status": 400,
        "kind": "iam.group.list",
        "user": entry["user"],
        "user_agent": "test/1",
        "certificate": False,
    }
    assert entry["user"].startswith(f"{lab.org}/")
    assert started <= entry["time"] <= time.time()


def test_request_log_since_and_clear(lab: Lab) -> None:
    for _ignored in range(3):
        lab.registry.get("/v2/")
    numbers = [entry["n"] for entry in lab.request_log()]
    assert numbers == [numbers[0], numbers[0] + 1, numbers[0] + 2]
    assert [entry["n"] for entry in lab.control("GET", f"/request_log?since={numbers[1]}")] == [numbers[2]]
    lab.control("DELETE", "/request_log")
    assert lab.request_log() == []


def test_fault_responds_instead_of_the_service(lab: Lab) -> None:
    lab.inject_fault(
        kind="iam.group.list", times=1, action={"status": 429, "body": {"a": 1}, "headers": {"Retry-After": "7"}}
    )
    first, second = (lab.api().get(GROUPS) for _ignored in range(2))
    assert (first.status_code, first.json(), first.headers["retry-after"]) == (429, {"a": 1}, "7")
    assert second.status_code == 200
    assert [entry["status"] for entry in lab.request_log("iam.group.list")] == [429, 200]


def test_fault_with_a_text_body(lab: Lab) -> None:
    lab.inject_fault(
        service="registry", action={"status": 502, "body": "<html>", "headers": {"Content-Type": "text/html"}}
    )
    response = lab.registry.get("/v2/")
    assert (response.status_code, response.text, response.headers["content-type"]) == (502, "<html>", "text/html")
    assert lab.api().get(GROUPS).status_code == 200


def test_fault_after_some_requests(lab: Lab) -> None:
    lab.inject_fault(method="get", path=r"^/iam/v2/gr.*s$", after=1, times=2, action={"status": 503})
    assert [lab.api().get(GROUPS).status_code for _ignored in range(4)] == [200, 503, 503, 200]
    assert lab.control("GET", "/faults")[0]["hits"] == 2
    lab.control("DELETE", "/faults")
    assert lab.control("GET", "/faults") == []


def test_fault_delays(lab: Lab) -> None:
    lab.inject_fault(kind="iam.group.list", action={"delay": 0.2})
    started = time.monotonic()
    assert lab.api().get(GROUPS).status_code == 200
    assert time.monotonic() - started >= 0.2


@pytest.mark.parametrize(("cut", "is_processed"), [("before", False), ("after", True)])
def test_fault_cuts_the_connection(lab: Lab, cut: str, is_processed: bool) -> None:
    lab.inject_fault(kind="iam.group.create", action={"cut": cut})
    with pytest.raises(httpx.TransportError):
        lab.api().post(f"{GROUPS}/{lab.org}", json={"name": "new folder"})
    assert bool(lab.api().get(GROUPS, params={"name": "new folder"}).json()["groups"]) is is_processed
    assert [entry["status"] for entry in lab.request_log("iam.group.create")] == [None]


def test_fault_holds_a_request_until_the_client_disconnects(lab: Lab) -> None:
    lab.inject_fault(kind="iam.group.create", action={"hold": True})
    with pytest.raises(httpx.ReadTimeout):
        lab.api().post(f"{GROUPS}/{lab.org}", json={"name": "held folder"}, timeout=0.3)
    assert lab.api().get(GROUPS, params={"name": "held folder"}).json()["groups"]
    assert [entry["status"] for entry in lab.request_log("iam.group.create")] == [None]


def test_fault_for_one_client(lab: Lab) -> None:
    lab.inject_fault(user_agent="^curl/", action={"status": 503})
    statuses = [
        lab.api().get(GROUPS, headers={"User-Agent": name}).status_code for name in ("curl/8", "wget", "curl/7")
    ]
    assert statuses == [503, 200, 503]


def test_received_credentials(lab: Lab) -> None:
    lab.registry.get("/token", headers={"Authorization": f"Basic {base64.b64encode(b'somebody:a-password').decode()}"})
    lab.registry.get("/v2/", headers={"Authorization": "Bearer a-token"})
    assert {"a-password", "a-token"} <= set(lab.control("GET", "/credentials"))


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"action": {}},
        {"action": {"cut": "sometimes"}},
        {"action": {"status": 500}, "knid": "x"},
        {"action": {"status": 500}, "path": "("},
        {"action": {"status": 500}, "user_agent": "("},
    ],
)
def test_invalid_faults_are_rejected(lab: Lab, rule: dict[str, object]) -> None:
    assert lab.client("control").post("/faults", json=rule).status_code == 400
    assert lab.control("GET", "/faults") == []


def test_unknown_settings_are_rejected(lab: Lab) -> None:
    response = lab.client("control").post("/settings", json={"propagatoin": 3})
    assert response.status_code == 400
    assert "propagatoin" in response.json()["error"]


def test_reset_restores_everything(lab: Lab) -> None:
    before = lab.control("GET", "/settings"), lab.control("GET", "/chainguard/identities")
    lab.configure(propagation=60, omit_unpopulated=True)
    lab.advance(86400)
    lab.inject_fault(service="registry", action={"status": 500})
    lab.api().delete(f"/iam/v2/identities/{lab.state['chainguard']['workload']['identity']}")
    started = int(time.time())
    lab.control("POST", "/reset")
    assert lab.control("GET", "/settings") == before[0]
    assert {identity["uid"] for identity in lab.control("GET", "/chainguard/identities")} == {
        identity["uid"] for identity in before[1]
    }
    assert lab.control("GET", "/faults") == lab.control("GET", "/request_log") == []
    assert started <= lab.control("GET", "/clock")["now"] <= time.time()
    assert lab.api().get(GROUPS).status_code == 200, "tokens of the state file outlive a reset"


def test_command_line(tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    command = [sys.executable, "-m", "lab", "--http", "--propagation", "3", "--state-file", str(ready)]
    environment = {"PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            deadline = time.monotonic() + 60
            while not ready.exists() and time.monotonic() < deadline:
                time.sleep(0.02)
            state = json.loads(ready.read_text())
            assert state == httpx.get(f"{state['control_url']}/state", trust_env=False).json()
            assert httpx.get(f"{state['control_url']}/settings", trust_env=False).json()["propagation"] == 3
            assert httpx.get(f"{state['chainguard']['registry_url']}/v2/", trust_env=False).status_code == 401
        finally:
            process.send_signal(signal.SIGTERM)
            output, _ignored = process.communicate(timeout=10)
    assert process.returncode == 0
    assert [line.split()[0] for line in output.splitlines()] == list(SERVICES)
    assert state["ca_path"] is None
    assert ready.stat().st_mode & 0o077 == 0


def test_artifactory_requires_a_client_certificate_and_the_others_request_one() -> None:
    with Lab(client_certificates=True) as lab:
        files = lab.state["ca_path"], lab.state["client_cert_path"]
        bare, certified = (ssl.create_default_context(cafile=files[0]) for _number in range(2))
        certified.load_cert_chain(files[1])
        addresses = lab.simulator.addresses
        for context in (certified, bare):
            httpx.get(f"{addresses['registry']}/v2/", verify=context)
            httpx.get(f"{addresses['artifactory']}/artifactory/api/system/ping", verify=context)
        log = [(entry["service"], entry["certificate"], entry["status"]) for entry in lab.request_log()]
    with_one, without = [("registry", True, 401), ("artifactory", True, 200)], [("registry", False, 401)]
    assert log == [*with_one, *without, ("artifactory", False, 400)]
