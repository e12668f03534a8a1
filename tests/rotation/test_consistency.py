# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Point 5: what was just made takes some seconds to be known everywhere."""

from __future__ import annotations

from support.rotation_harness import KEY, RotationHarness

from rotation.conftest import HarnessPool, Report

PROPAGATION = (0.5, 2.0, 5.0, 8.0)  # seconds


def rotate_slowly(harness: RotationHarness, seconds: float) -> list[str]:
    """Rotate while new identities and bindings are refused for some seconds, and return what went wrong."""
    when = f"{seconds:g} s"
    client = harness.reset()
    harness.lab.advance(days=16)
    harness.lab.configure(propagation=seconds)
    mark = harness.lab.log_position()
    with client.pulling(when):
        ended = harness.run("rotate")
    client.pull(f"{when}, in the end")
    made, stored = (
        next(entry["time"] for entry in harness.lab.request_log(mark) if entry["kind"] == kind)
        for kind in ("iam.role_binding.create", "artifactory.repository.update")
    )
    checks = {
        f"{when}: it ended with {ended.code}: {ended.output[-800:]}": ended.code != 0,
        f"{when}: Artifactory got the token after {stored - made:.1f} s": stored - made < seconds,
    }
    return [problem for problem, found in checks.items() if found] + harness.assert_single_token(when) + client.failures


def test_new_tokens_that_are_not_known_at_once(harnesses: HarnessPool, report: Report) -> None:
    outcomes = harnesses.map(rotate_slowly, PROPAGATION)
    known = " s, ".join(f"{seconds:g}" for seconds in PROPAGATION)
    report(
        5, f"Eventual consistency of {KEY}'s token", f"known after {known} s", [one for all in outcomes for one in all]
    )
