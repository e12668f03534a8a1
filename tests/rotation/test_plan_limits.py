# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Scenario 19: a lifetime that the plan of the organization does not allow is named with the limits, and changes nothing."""

from __future__ import annotations

from rotation.conftest import HarnessPool
from rotation.scenarios import Report
from support.rotation_harness import RotationHarness

LIMITS = {"starter": 720, "team": 168, "enterprise": 8760}  # hours
NUMBERS = "720h for Starter, 168h for Team, 8760h for others"
OPTION = "pull_through_token_ttl"


def rotate_beyond_the_limit(harness: RotationHarness, plan: str) -> list[str]:
    """Rotate with the longest lifetime of a plan, then with a longer one, and return what is wrong."""
    lab, limit = harness.lab, LIMITS[plan]
    client = harness.reset(token_ttl=f"{limit}h")
    lab.configure(plan=plan)
    allowed = harness.run("rotate", force_rotation=True, token_ttl=f"{limit}h")
    before, position = harness.username, lab.log_position()
    refused = harness.run("rotate", force_rotation=True, token_ttl=f"{limit + 1}h")
    requests, writes = lab.request_log(position), {entry["kind"] for entry in lab.writes(position)}
    client.pull(plan)
    checks = {
        f"the longest lifetime is refused: {allowed.output[-800:]}": allowed.code == 0,
        f"a longer one ended with {refused.code}": refused.code == 2,
        f"the limits are not named: {refused.output[-1500:]}": NUMBERS in refused.output and OPTION in refused.output,
        "Artifactory has other credentials": harness.username == before,
        f"something was written: {writes}": writes <= {"iam.identity.create"},
        # No plan allows more, so this is known without a request.
        f"{len(requests)} requests were sent": plan != "enterprise" or requests == [],
    }
    failures = [problem for problem, holds in checks.items() if not holds]
    return [f"{plan}: {problem}" for problem in [*failures, *harness.token_errors(plan), *client.failures]]


def test_a_lifetime_that_the_plan_does_not_allow(harnesses: HarnessPool, report: Report) -> None:
    failures = harnesses.collect_failures(rotate_beyond_the_limit, LIMITS)
    report(19, ", ".join(LIMITS), failures)
