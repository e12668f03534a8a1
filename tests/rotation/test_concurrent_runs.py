# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Point 4: two rotations of the same repository at once."""

from __future__ import annotations

from support.rotation_harness import USER_AGENT, RotationHarness

from rotation.conftest import HarnessPool, Report

TIMES = 20


def rotate_twice_at_once(harness: RotationHarness, number: int) -> list[str]:
    """Start two runs together, the second one a bit behind, and another one a day later. Return what went wrong."""
    when = f"pair {number}"
    client = harness.resume("pairs")
    harness.lab.advance(days=16)
    # Each time, two requests of one of them wait, so that they pass each other at another place.
    for request in (number, number + TIMES):
        harness.lab.inject_fault({"delay": 0.7}, user_agent=USER_AGENT, after=request, times=1)
    with client.pulling(when):
        pair = [harness.start("rotate"), harness.start("rotate")]
        ended = [harness.ended(running) for running in pair]
    client.pull(f"{when}, after it")
    uids = [token["uid"] for token in harness.lab.pull_tokens()]
    failures = [f"{when}: a run ended with {one.code}: {one.output[-800:]}" for one in ended if one.code != 0]
    failures += [] if harness.username in uids else [f"{when}: {harness.username} is in use and was revoked"]
    harness.lab.clear_faults()
    harness.lab.advance(days=1)
    with client.pulling(f"{when}, in the next run"):
        after = harness.run("rotate")
    failures += [] if after.code == 0 else [f"{when}: the next run ended with {after.code}: {after.output[-800:]}"]
    return failures + harness.assert_single_token(f"{when}, in the end") + client.failures


def test_two_rotations_at_once(harnesses: HarnessPool, report: Report) -> None:
    outcomes = harnesses.map(rotate_twice_at_once, range(TIMES))
    report(4, "Two at once", f"{TIMES} pairs", [failure for outcome in outcomes for failure in outcome])
