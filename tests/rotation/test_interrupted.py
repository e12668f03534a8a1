# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Point 3: a rotation that is stopped at any of its requests, in three ways."""

from __future__ import annotations

import dataclasses
import itertools
import time

from support.lab_client import Json
from support.rotation_harness import TIMEOUT, USER_AGENT, PlaybookProcess, RotationHarness

from rotation.conftest import HarnessPool, Report

DUE = 16  # days after which a token is due, of 30

# What stops it, in turn for each request: the connection is cut after the work was done, a refusal, the machine is switched off.
CUT: Json = {"cut": "after"}
REFUSALS: tuple[Json, ...] = ({"status": 500}, {"status": 503})
KILL: Json = {"hold": True}
WAYS = ("cut", "refused", "killed")


@dataclasses.dataclass(frozen=True)
class Stop:
    """One case. number: that of the request in a rotation, from 0 on; kind: what it usually is, for people."""

    way: str
    number: int
    kind: str

    def __str__(self) -> str:
        return f"{self.way} at request {self.number} ({self.kind})"

    @property
    def action(self) -> Json:
        """What the lab does with the request."""
        return {"cut": CUT, "refused": REFUSALS[self.number % 2], "killed": KILL}[self.way]


def list_requests(harness: RotationHarness) -> list[str]:
    """Return the kinds of the requests that the modules send in a rotation, from the lab's request log."""
    harness.reset()
    harness.lab.advance(days=DUE)
    mark = harness.lab.log_position()
    assert harness.run("rotate").code == 0, harness.outputs[-1]
    return [entry["kind"] for entry in harness.lab.request_log(mark) if entry["user_agent"].startswith(USER_AGENT)]


def stop(harness: RotationHarness, case: Stop) -> list[str]:
    """Stop a rotation that is due, let the next scheduled run come, and return what went wrong."""
    client = harness.resume("stopped")
    harness.lab.advance(days=DUE)
    harness.lab.inject_fault(case.action, user_agent=USER_AGENT, after=case.number, times=1)
    running = harness.start("rotate")
    hit = wait_for_the_fault(harness, running)
    with client.pulling(f"{case}, and after it"):
        if hit and case.way == "killed":
            running.kill()
        harness.ended(running)
    harness.lab.clear_faults()
    harness.lab.advance(days=1)
    with client.pulling(f"{case}, in the next run"):
        ended = harness.run("rotate")
    client.pull(f"{case}, in the end")
    failures = client.failures + harness.assert_single_token(f"{case}, in the end")
    failures += [] if hit else [f"{case}: the rotation had no such request"]
    return failures + (
        [] if ended.code == 0 else [f"{case}: the next run ended with {ended.code}: {ended.output[-800:]}"]
    )


def wait_for_the_fault(harness: RotationHarness, running: PlaybookProcess) -> bool:
    """Wait until the fault has happened; return whether it did before the run was over."""
    deadline = time.monotonic() + TIMEOUT
    while not harness.lab.control("GET", "/faults")[0]["hits"]:
        if running.over:
            return False
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return True


def test_a_rotation_that_is_stopped_anywhere(harnesses: HarnessPool, report: Report) -> None:
    (kinds,) = harnesses.map(lambda harness, _case: list_requests(harness), [None])
    cases = [Stop(way, number, kind) for (number, kind), way in itertools.product(enumerate(kinds), WAYS)]
    outcomes = harnesses.map(stop, cases)
    ways = ", ".join(f"{sum(case.way == way for case in cases)} {way}" for way in WAYS)
    failures = [failure for outcome in outcomes for failure in outcome]
    report(3, "Stopped anywhere", f"{len(kinds)} requests of a rotation, {len(cases)} cases ({ways})", failures)
