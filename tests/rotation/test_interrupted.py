# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Scenario 3: a rotation that is interrupted at each of its requests, in three ways."""

from __future__ import annotations

import dataclasses
import itertools
import time

import pytest

from rotation.conftest import HarnessPool
from rotation.scenarios import Report
from support.forked_ansible import TIMEOUT, PlaybookProcess
from support.lab_client import Json
from support.rotation_harness import USER_AGENT, RotationHarness

DUE_AGE = 16  # days, with a TTL of 30 days

# The interruptions, in turn for each request: the connection is cut after the server did the work, the server returns
# an error, or the machine is switched off.
CUT: Json = {"cut": "after"}
ERRORS: tuple[Json, ...] = ({"status": 500}, {"status": 503})
HOLD: Json = {"hold": True}
METHODS = ("cut", "rejected", "killed")


@dataclasses.dataclass(frozen=True)
class Interruption:
    """One case. number: of the request in a rotation, from 0. kind: of the request, for messages only."""

    method: str
    number: int
    kind: str

    def __str__(self) -> str:
        return f"{self.method} at request {self.number} ({self.kind})"

    @property
    def action(self) -> Json:
        """The lab's response to the request."""
        return {"cut": CUT, "rejected": ERRORS[self.number % 2], "killed": HOLD}[self.method]


def list_requests(harness: RotationHarness) -> list[str]:
    """Return the kinds of the requests that the modules send in a rotation."""
    harness.reset()
    harness.lab.advance(days=DUE_AGE)
    before = harness.lab.log_position()
    assert harness.run("rotate").code == 0, harness.outputs[-1]
    return [entry["kind"] for entry in harness.lab.request_log(before) if entry["user_agent"].startswith(USER_AGENT)]


def interrupt(harness: RotationHarness, case: Interruption) -> list[str]:
    """Interrupt a rotation that is due, run the next scheduled one, and return the failures."""
    client = harness.resume("interrupted")
    harness.lab.advance(days=DUE_AGE)
    harness.lab.inject_fault(case.action, user_agent=USER_AGENT, after=case.number, times=1)
    process = harness.start("rotate")
    is_hit = wait_for_fault(harness, process)
    with client.pull_continuously(f"{case}, and after it"):
        if is_hit and case.method == "killed":
            process.kill()
        harness.wait(process)
    harness.lab.clear_faults()
    harness.lab.advance(days=1)
    with client.pull_continuously(f"{case}, in the next run"):
        result = harness.run("rotate")
    client.pull(f"{case}, at the end")
    failures = client.failures + harness.token_errors(f"{case}, at the end")
    failures += [] if is_hit else [f"{case}: the rotation had no such request"]
    return failures + (
        [] if result.code == 0 else [f"{case}: the next run ended with {result.code}: {result.output[-800:]}"]
    )


def wait_for_fault(harness: RotationHarness, process: PlaybookProcess) -> bool:
    """Wait until the fault has occurred, and return True. Return False if the run ends without it."""
    deadline = time.monotonic() + TIMEOUT
    while not harness.lab.control("GET", "/faults")[0]["hits"]:
        if process.is_finished:
            return False
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return True


def interrupt_all(harnesses: HarnessPool) -> tuple[list[Interruption], list[str]]:
    """Return all cases, and the failures."""
    kinds = harnesses.run(list_requests)
    cases = [
        Interruption(method, number, kind) for (number, kind), method in itertools.product(enumerate(kinds), METHODS)
    ]
    return cases, harnesses.collect_failures(interrupt, cases)


@pytest.mark.background.with_args(interrupt_all, whole_pool=True)
def test_a_rotation_interrupted_at_any_request(
    background_result: tuple[list[Interruption], list[str]], report: Report
) -> None:
    cases, failures = background_result
    methods = ", ".join(f"{sum(case.method == method for case in cases)} {method}" for method in METHODS)
    report(3, f"{len(cases) // len(METHODS)} requests of a rotation, {len(cases)} cases ({methods})", failures)
