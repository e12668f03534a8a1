# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Scenario 5: Chainguard rejects a new token for some seconds, until the identity and its role have propagated."""

from __future__ import annotations

from rotation.conftest import HarnessPool
from rotation.scenarios import Report
from support.rotation_harness import RotationHarness

PROPAGATION_SECONDS = (0.5, 2.0, 5.0, 8.0)


def rotate_with_delay(harness: RotationHarness, seconds: float) -> list[str]:
    """Rotate while new identities and bindings are rejected for some seconds, and return the failures."""
    when = f"{seconds:g} s"
    client = harness.reset()
    harness.lab.advance(days=16)
    harness.lab.configure(propagation=seconds)
    before = harness.lab.log_position()
    with client.pull_continuously(when):
        result = harness.run("rotate")
    client.pull(f"{when}, at the end")
    bound, stored = (
        next(entry["time"] for entry in harness.lab.request_log(before) if entry["kind"] == kind)
        for kind in ("iam.role_binding.create", "artifactory.repository.update")
    )
    checks = {
        f"{when}: the run ended with {result.code}: {result.output[-800:]}": result.code != 0,
        f"{when}: Artifactory got the token after {stored - bound:.1f} s": stored - bound < seconds,
    }
    return [problem for problem, failed in checks.items() if failed] + harness.token_errors(when) + client.failures


def test_rotation_waits_until_a_new_token_has_propagated(harnesses: HarnessPool, report: Report) -> None:
    failures = harnesses.collect_failures(rotate_with_delay, PROPAGATION_SECONDS)
    delays = ", ".join(f"{seconds:g} s" for seconds in PROPAGATION_SECONDS)
    report(5, f"delays of {delays}", failures)
