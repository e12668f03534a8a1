# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Point 2: rotations while clients pull without pause."""

from __future__ import annotations

from support.rotation_harness import Client, RotationHarness

from rotation.conftest import HarnessPool, Report

ROTATIONS, WORKERS = 10, 4


def rotate_under_load(harness: RotationHarness, rotations: int) -> tuple[Client, list[str]]:
    client, failures = harness.reset(), []
    with client.pulling("under load", workers=WORKERS, pause=0):
        for number in range(1, rotations + 1):
            used = harness.username
            ended = harness.run("rotate", force_rotation=True)
            if ended.code != 0 or harness.username == used:
                failures.append(f"rotation {number} ended with {ended.code}, from {used} to {harness.username}")
            failures += harness.assert_single_token(f"after rotation {number}")
    return client, failures + client.failures


def test_rotations_under_load(harnesses: HarnessPool, report: Report) -> None:
    ((client, failures),) = harnesses.map(rotate_under_load, [ROTATIONS])
    report(2, "Under load", f"{ROTATIONS} rotations, {WORKERS} workers, {client.pulls} pulls", failures)
