# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Scenario 1: a simulated year, which runs in the background of the other scenarios."""

from __future__ import annotations

import pytest

from rotation.conftest import HarnessPool
from rotation.scenarios import Report
from rotation.year import SCHEDULES, Year, simulate


def simulate_all(harnesses: HarnessPool) -> list[Year]:
    return harnesses.map(simulate, SCHEDULES)


@pytest.mark.background.with_args(simulate_all, whole_pool=True)
def test_scheduled_runs_for_a_year(background_result: list[Year], report: Report) -> None:
    years = background_result
    cases = "; ".join(
        f"{schedule}: {schedule.runs} runs ({year.missed} missed), {year.rotations} rotations, {year.client.pulls} pulls"
        for schedule, year in zip(SCHEDULES, years)
    )
    failures = [failure for year in years for failure in year.failures]
    failures += [
        f"{schedule}: {year.missed} runs were missed"
        for schedule, year in zip(SCHEDULES, years)
        if year.missed != len(schedule.missed)
    ]
    report(1, cases, failures)
