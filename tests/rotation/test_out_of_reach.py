# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Scenario 18: the controller does not reach Chainguard's registry, so a new token cannot be tried there."""

from __future__ import annotations

from rotation.conftest import HarnessPool
from rotation.scenarios import Report
from support.rotation_harness import USER_AGENT, RotationHarness


def rotate_out_of_reach(harness: RotationHarness, when: str) -> list[str]:
    """Rotate while the registry cuts each connection of the modules, and not those of Artifactory."""
    client = harness.reset()
    before = harness.username
    harness.lab.advance(days=16)
    harness.lab.inject_fault({"cut": "before"}, user_agent=USER_AGENT, service="registry")
    result = harness.run("rotate", grace_period="0s")
    client.pull(when)
    failures = [] if result.code == 0 else [f"{when}: rotate ended with {result.code}: {result.output[-800:]}"]
    failures += [] if harness.username != before else [f"{when}: the token was not rotated"]
    return failures + harness.token_errors(when) + client.failures


def test_a_rotation_needs_no_registry(harnesses: HarnessPool, report: Report) -> None:
    report(18, "a rotation", harnesses.collect_failures(rotate_out_of_reach, ["without the registry"]))
