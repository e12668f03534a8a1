# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Scenario 20: a rotation that no run did in time is reported by all runs that read pull tokens, and the next one does it."""

from __future__ import annotations

import re
import typing as t

from rotation.conftest import HarnessPool
from rotation.scenarios import Report
from support.rotation_harness import KEY, RotationHarness

OVERDUE = f"The rotation of the pull token of {KEY} {{}} overdue since .*Does the playbook cgr.pull_through.rotate run"
LONGER = f"The pull token of {KEY} is valid for 30 more days, longer than pull_through_token_ttl"


def run_overdue(harness: RotationHarness) -> list[str]:
    """Let a rotation become overdue, run each playbook that reads pull tokens, and return what is wrong."""
    harness.reset()
    before, failures = harness.username, []

    def check(playbook: str, pattern: str, *arguments: str, code: int = 0, **variables: t.Any) -> None:
        result = harness.run(playbook, *arguments, **variables)
        if result.code != code or not re.search(pattern, result.output):
            failures.append(f"{playbook} {arguments} ended with {result.code}: {result.output[-1500:]}")

    harness.lab.advance(days=20)
    check("verify", OVERDUE.format("is"), code=2)
    check("diagnose", OVERDUE.format("is"))
    check("remove", OVERDUE.format("is"), "--check", remove_confirmed=True)
    check("setup", OVERDUE.format("is"), "--check")
    if harness.username != before:
        failures.append("the token was rotated too early")
    check("rotate", OVERDUE.format("was"))
    check("rotate", LONGER, token_ttl="168h")
    return failures + harness.token_errors("overdue")


def rotate_beside_a_withdrawn_image(harness: RotationHarness) -> list[str]:
    """Rotate a due pull token in a run of `setup` in which a public image does not exist at Chainguard any longer."""
    sources = {"sources": ["containers_public", "containers"]}
    client = harness.reset(**sources)
    before = harness.username
    harness.lab.advance(days=16)
    body = {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}
    harness.lab.inject_fault({"status": 404, "body": body}, service="registry", path="chainguard/wolfi-base/manifests")
    result = harness.run("setup", **sources)
    client.pull("after the rotation")
    failures = [] if result.code == 2 and "wolfi-base" in result.output else [f"setup: {result.output[-1500:]}"]
    failures += [] if harness.username != before else ["the token was not rotated"]
    return failures + harness.token_errors("withdrawn") + client.failures


def test_a_rotation_that_is_overdue(harnesses: HarnessPool, report: Report) -> None:
    cases = (run_overdue, rotate_beside_a_withdrawn_image)
    report(20, "five playbooks", harnesses.collect_failures(lambda harness, case: case(harness), cases))
