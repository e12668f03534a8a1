# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Scenario 8: requests and time of a rotation, and of a run with nothing due. Ansible starts as it does for users."""

from __future__ import annotations

import collections
import time
import typing as t

from lab.client import started
from rotation.scenarios import Report
from support.lab_client import LabClient
from support.playbook_runner import PlaybookRunner
from support.rotation_harness import USER_AGENT

MAX_IDLE_REQUESTS = 4


def measure(lab: LabClient, run_playbook: PlaybookRunner, **variables: t.Any) -> tuple[float, dict[str, int]]:
    """Return the seconds of a run of `rotate`, and its requests by service."""
    defaults = {"depth": "manifest", "source_overrides": {"containers": {"images": ["nginx"]}}}
    before, start = lab.log_position(), time.monotonic()
    run = run_playbook("cgr.pull_through.rotate", lab.variables("containers", **defaults, **variables))
    seconds = time.monotonic() - start
    assert run.code == 0, run.output
    sent = [entry for entry in lab.request_log(before) if entry["user_agent"].startswith(USER_AGENT)]
    return seconds, dict(sorted(collections.Counter(entry["service"] for entry in sent).items()))


def test_requests_and_time_of_a_rotation(run_playbook: PlaybookRunner, report: Report) -> None:
    with started() as process:
        lab = LabClient(process.state)
        assert run_playbook("cgr.pull_through.setup", lab.variables("containers", depth="manifest")).code == 0
        idle_seconds, idle_requests = measure(lab, run_playbook)
        seconds, requests = measure(lab, run_playbook, force_rotation=True)
    cases = f"rotation {seconds:.1f} s, {sum(requests.values())} requests {requests}"
    cases += f"; nothing due {idle_seconds:.1f} s, {sum(idle_requests.values())} requests {idle_requests}"
    is_over_limit = sum(idle_requests.values()) > MAX_IDLE_REQUESTS
    failures = [f"a run with nothing due sent {idle_requests}"] if is_over_limit else []
    report(8, f"{cases}; ratio of the times {seconds / idle_seconds:.1f}", failures)
