# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Simulates a year of weekly runs and five weeks of daily runs. Some runs are missed, and clients pull all the time."""

from __future__ import annotations

import dataclasses
import random

from support.rotation_harness import PullClient, RotationHarness


@dataclasses.dataclass(frozen=True)
class Schedule:
    """How often a playbook runs. A missed run is always one that would have rotated the token, the worst moment.

    interval: days between runs. due_age: the age in days at which a token is replaced.
    missed: which rotations are missed for a run, counted from 1.
    """

    playbook: str
    ttl: str
    interval: int
    runs: int
    due_age: int
    missed: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.playbook} every {self.interval} d with a TTL of {self.ttl}"


# 720h are 30 days: at most 15 are left for the first time in the run at day 21. 168h are 7 days: 3.5 in the run at day 4.
SCHEDULES = (
    Schedule("setup", "720h", interval=7, runs=52, due_age=21, missed=(2, 5, 9, 13)),
    Schedule("rotate", "168h", interval=1, runs=35, due_age=4, missed=(2, 4, 7)),
)


@dataclasses.dataclass
class Year:
    """The result of a simulation. age: days since the current token was issued."""

    client: PullClient
    age: int = 0
    missed: int = 0
    rotations: int = 0
    failures: list[str] = dataclasses.field(default_factory=list)


def simulate(harness: RotationHarness, schedule: Schedule) -> Year:
    year = Year(harness.reset(token_ttl=schedule.ttl))
    generator = random.Random(schedule.runs)
    for number in range(1, schedule.runs + 1):
        advance_time(harness, schedule, year, generator)
        is_due = year.age >= schedule.due_age
        if is_due and year.missed < len(schedule.missed) and year.rotations + 1 == schedule.missed[year.missed]:
            year.missed += 1
            year.client.pull(f"after the missed run {number}")
        else:
            run_scheduled(harness, schedule, year, f"run {number}")
    year.failures += year.client.failures
    return year


def advance_time(harness: RotationHarness, schedule: Schedule, year: Year, generator: random.Random) -> None:
    """Advance the clock to the next run, with pulls at random times."""
    moments = sorted(generator.uniform(0, schedule.interval) for _number in range(3))
    for before, moment in zip([0.0, *moments], [*moments, float(schedule.interval)]):
        harness.lab.advance(days=moment - before)
        year.client.pull(f"at the age of {year.age} + {moment:.2f} days")
    year.age += schedule.interval


def run_scheduled(harness: RotationHarness, schedule: Schedule, year: Year, when: str) -> None:
    """Run the playbook, and check that it replaced the token if it was due, and only then."""
    previous, before = harness.username, harness.lab.log_position()
    result = harness.run(schedule.playbook, token_ttl=schedule.ttl, run_interval=f"{schedule.interval}d")
    year.client.pull(f"after {when}")
    is_replaced, is_due = harness.username != previous, year.age >= schedule.due_age
    checks = {
        f"{when}: it ended with {result.code}": result.code != 0,
        f"{when}: a token of {year.age} days was {'' if is_replaced else 'not '}replaced": is_replaced != is_due,
        f"{when}: there were more than two tokens": harness.max_token_count(before, 1) > 2,
    }
    year.failures += [problem for problem, failed in checks.items() if failed] + harness.token_errors(when)
    year.age = 0 if is_replaced else year.age
    year.rotations += is_replaced
