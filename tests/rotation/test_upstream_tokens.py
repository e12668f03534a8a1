# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Scenario 14: Artifactory caches bearer tokens of its upstream for 240 seconds, whichever pull token is stored.

It is not established whether cgr.dev checks the identity of such a bearer token again, so both are tried.
"""

from __future__ import annotations

import dataclasses

from rotation.conftest import HarnessPool
from rotation.scenarios import Report
from support.rotation_harness import KEY, RotationHarness


@dataclasses.dataclass(frozen=True)
class Case:
    """grace_period: None for the default of the role. fails: whether a pull right after the rotation is expected to fail."""

    checks_identity: bool
    grace_period: str | None
    fails: bool

    def __str__(self) -> str:
        checks = "checked" if self.checks_identity else "not checked"
        return f"identities {checks}, grace period {self.grace_period or 'default'}"


CASES = [
    Case(checks_identity=True, grace_period="0s", fails=True),
    Case(checks_identity=True, grace_period=None, fails=False),
    Case(checks_identity=False, grace_period="0s", fails=False),
    Case(checks_identity=False, grace_period=None, fails=False),
]


def rotate_and_pull(harness: RotationHarness, case: Case) -> list[str]:
    """Rotate right after a pull, pull again, and return what differs from the case."""
    client = harness.reset()
    harness.lab.configure(
        artifactory_upstream_token_by_credentials=False, registry_checks_identity=case.checks_identity
    )
    client.pull("before the rotation")
    before = harness.username
    result = harness.run("rotate", force_rotation=True, grace_period=case.grace_period)
    client.pull("after the rotation")
    problems = {
        f"{case}: rotate ended with {result.code}": result.code != 0,
        f"{case}: the token was not rotated": harness.username == before,
        f"{case}: pulls that failed: {client.failures}": bool(client.failures) is not case.fails,
        f"{case}: the run does not say that pulls can fail": (
            ("may have used the previous pull token" in result.output) is not (case.grace_period == "0s")
        ),
    }
    # What failed is served once the cached bearer token has expired.
    harness.lab.advance(days=0.01)
    failures = len(client.failures)
    client.pull("five minutes later")
    problems[f"{case}: a pull fails later: {client.failures}"] = len(client.failures) > failures
    return [problem for problem, is_true in problems.items() if is_true] + harness.token_errors(str(case))


def verify_wrong_password(harness: RotationHarness) -> list[str]:
    """Store a wrong password right after pulls, verify, and return what is not found."""
    lab, any_image = harness.lab, {"source_overrides": None}
    harness.reset(**any_image)
    lab.set_config(KEY, password="wrong-password")
    with_others = harness.run("verify", **any_image)
    # The image that the setup pulled is the only one.
    alone = harness.run("verify", source_overrides={"containers": {"images": ["jdk"]}})
    problems = {
        "another image does not show the wrong password": with_others.code == 0,
        "the only image is said to show the login": "login not verified: Artifactory may still use" not in alone.output,
    }
    return [problem for problem, is_true in problems.items() if is_true]


WAIT = "Waiting 5m before the previous pull tokens of cgr-private, cgr-java are revoked: Artifactory can use them for up to four minutes"
TWO_SOURCES = {"sources": ["containers", "java"], "source_overrides": {"containers": {"images": ["nginx"]}}}


def count_waits(harness: RotationHarness) -> list[str]:
    """Run with and without something to wait for, and return the runs that do not wait as often as they should."""
    harness.lab.reset()
    runs = {
        "nothing is replaced": (0, harness.run("setup", **TWO_SOURCES)),
        "one wait for both sources": (1, harness.run("rotate", force_rotation=True, **TWO_SOURCES)),
        "check mode": (0, harness.run("rotate", "--check", force_rotation=True, **TWO_SOURCES)),
        "revoke: false": (0, harness.run("rotate", force_rotation=True, revoke=False, **TWO_SOURCES)),
    }
    return [
        f"{name}: {result.output[-1500:]}"
        for name, (count, result) in runs.items()
        if result.code or not result.output.count(WAIT) == result.output.count("Waiting ") == count
    ]


def test_upstream_tokens_that_outlive_a_rotation(harnesses: HarnessPool, report: Report) -> None:
    failures = harnesses.collect_failures(rotate_and_pull, CASES)
    failures += harnesses.run(lambda harness: verify_wrong_password(harness) + count_waits(harness))
    report(14, "; ".join([*map(str, CASES), "a wrong password right after pulls", "runs without a wait"]), failures)
