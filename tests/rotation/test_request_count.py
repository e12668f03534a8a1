# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Point 8: what a rotation costs, against a run that has nothing to do. Timed with Ansible as users start it."""

from __future__ import annotations

import collections
import time
import typing as t

from lab.client import started
from support.lab_client import LabClient
from support.playbook_runner import PlaybookRunner
from support.rotation_harness import USER_AGENT

from rotation.conftest import Report

ROUNDS = 2


def measure(lab: LabClient, run_playbook: PlaybookRunner, **variables: t.Any) -> tuple[float, dict[str, int]]:
    """Return the seconds of a run of the door rotate, and how many requests it sent to each service."""
    usual = {"depth": "manifest", "source_overrides": {"containers": {"images": ["nginx"]}}}
    mark, begun = lab.log_position(), time.monotonic()
    run = run_playbook("cgr.pull_through.rotate", lab.variables("containers", **usual, **variables))
    seconds = time.monotonic() - begun
    assert run.code == 0, run.output
    sent = [entry for entry in lab.request_log(mark) if entry["user_agent"].startswith(USER_AGENT)]
    return seconds, dict(sorted(collections.Counter(entry["service"] for entry in sent).items()))


def test_what_a_rotation_costs(run_playbook: PlaybookRunner, report: Report) -> None:
    with started() as process:
        lab = LabClient(process.state)
        assert run_playbook("cgr.pull_through.setup", lab.variables("containers", depth="manifest")).code == 0
        idle, busy = [], []
        for _round in range(ROUNDS):
            idle.append(measure(lab, run_playbook))
            busy.append(measure(lab, run_playbook, force_rotation=True))
    (idle_time, idle_sent), (busy_time, busy_sent) = min(idle), min(busy)
    told = f"rotation {busy_time:.1f} s, {sum(busy_sent.values())} requests {busy_sent}"
    told += f"; nothing due {idle_time:.1f} s, {sum(idle_sent.values())} requests {idle_sent}"
    too_many = [] if sum(idle_sent.values()) <= 4 else [f"a run that has nothing to do sent {idle_sent}"]
    report(8, "Costs", f"{told}; ratio of the times {busy_time / idle_time:.1f}", too_many)
