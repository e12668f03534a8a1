# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Scenario 2: rotations while clients pull without a break."""

from __future__ import annotations

import pytest

from rotation.scenarios import Report
from support.rotation_harness import PullClient, RotationHarness

ROTATIONS, WORKERS = 10, 4


def rotate_under_load(harness: RotationHarness) -> tuple[PullClient, list[str]]:
    client, failures = harness.reset(), []
    with client.pull_continuously("under load", workers=WORKERS, interval=0):
        for number in range(1, ROTATIONS + 1):
            previous = harness.username
            result = harness.run("rotate", force_rotation=True)
            if result.code != 0 or harness.username == previous:
                failures.append(f"rotation {number} ended with {result.code}, from {previous} to {harness.username}")
            failures += harness.token_errors(f"after rotation {number}")
    return client, failures + client.failures


@pytest.mark.background.with_args(rotate_under_load)
def test_rotations_under_load(background_result: tuple[PullClient, list[str]], report: Report) -> None:
    client, failures = background_result
    report(2, f"{ROTATIONS} rotations, {WORKERS} workers, {client.pulls} pulls", failures)
