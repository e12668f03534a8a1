# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Scenario 4: two rotations of the same repository at the same time."""

from __future__ import annotations

from rotation.conftest import HarnessPool
from rotation.scenarios import Report
from support.rotation_harness import USER_AGENT, RotationHarness

PAIRS = 20


def rotate_concurrently(harness: RotationHarness, number: int) -> list[str]:
    """Start two runs together and another one a day later, and return the failures."""
    when = f"pair {number}"
    client = harness.resume("pairs")
    harness.lab.advance(days=16)
    # Delay two requests, different ones for each pair, so that the order of the runs changes at different requests.
    for request in (number, number + PAIRS):
        harness.lab.inject_fault({"delay": 0.7}, user_agent=USER_AGENT, after=request, times=1)
    with client.pull_continuously(when):
        pair = [harness.start("rotate"), harness.start("rotate")]
        results = [harness.wait(process) for process in pair]
    client.pull(f"{when}, after it")
    uids = [token["uid"] for token in harness.lab.pull_tokens()]
    failures = [
        f"{when}: a run ended with {result.code}: {result.output[-800:]}" for result in results if result.code != 0
    ]
    failures += [] if harness.username in uids else [f"{when}: {harness.username} is in use and was revoked"]
    harness.lab.clear_faults()
    harness.lab.advance(days=1)
    with client.pull_continuously(f"{when}, in the next run"):
        after = harness.run("rotate")
    failures += [] if after.code == 0 else [f"{when}: the next run ended with {after.code}: {after.output[-800:]}"]
    return failures + harness.token_errors(f"{when}, at the end") + client.failures


def test_two_rotations_at_the_same_time(harnesses: HarnessPool, report: Report) -> None:
    failures = harnesses.collect_failures(rotate_concurrently, range(PAIRS))
    report(4, f"{PAIRS} pairs", failures)
