# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Point 1: a simulated year, which the other points did not wait for."""

from __future__ import annotations

from rotation.conftest import HarnessPool, Report
from rotation.year import SCHEDULES


def test_a_simulated_year(harnesses: HarnessPool, report: Report) -> None:
    years = harnesses.years()
    cases = "; ".join(
        f"{schedule.what}: {schedule.runs} runs ({year.missed} missed), {year.renewals} renewals, {year.client.pulls} pulls"
        for schedule, year in zip(SCHEDULES, years)
    )
    failures = [problem for year in years for problem in year.failures]
    failures += [
        f"{schedule.what}: {year.missed} runs were missed"
        for schedule, year in zip(SCHEDULES, years)
        if year.missed != len(schedule.missed)
    ]
    report(1, "A simulated year", cases, failures)
