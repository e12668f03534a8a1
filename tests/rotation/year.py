# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A simulated year of weekly runs, and five weeks of daily ones, some of which do not happen, and builds that pull all the time."""

from __future__ import annotations

import dataclasses
import random

from support.rotation_harness import Client, RotationHarness


@dataclasses.dataclass(frozen=True)
class Schedule:
    """How often which playbook runs. Each run that is missed is one that would have renewed: the worst moment.

    every: days between runs. renewed_at: the age in days at which a token is replaced. missed: which renewals are, counted from 1.
    """

    playbook: str
    ttl: str
    every: int
    runs: int
    renewed_at: int
    missed: tuple[int, ...]

    @property
    def what(self) -> str:
        return f"{self.playbook} each {self.every} d, TTL {self.ttl}"


# 720h is 30 days: 15 are left or less for the first time in the run at day 21. 168h is 7 days: 3.5 in the run at day 4.
SCHEDULES = (
    Schedule("setup", "720h", every=7, runs=52, renewed_at=21, missed=(2, 5, 9, 13)),
    Schedule("rotate", "168h", every=1, runs=35, renewed_at=4, missed=(2, 4, 7)),
)


@dataclasses.dataclass
class Year:
    """What happened. age: days since the present token was made."""

    client: Client
    age: int = 0
    missed: int = 0
    renewals: int = 0
    failures: list[str] = dataclasses.field(default_factory=list)


def simulate(harness: RotationHarness, schedule: Schedule) -> Year:
    year = Year(harness.reset(token_ttl=schedule.ttl))
    chance = random.Random(schedule.runs)
    for number in range(1, schedule.runs + 1):
        advance_time(harness, schedule, year, chance)
        worst = year.age >= schedule.renewed_at
        if worst and year.missed < len(schedule.missed) and year.renewals + 1 == schedule.missed[year.missed]:
            year.missed += 1
            year.client.pull(f"after the missed run {number}")
        else:
            run_scheduled(harness, schedule, year, f"run {number}")
    year.failures += year.client.failures
    return year


def advance_time(harness: RotationHarness, schedule: Schedule, year: Year, chance: random.Random) -> None:
    """Let the time until the next run pass, with pulls at random times."""
    moments = sorted(chance.uniform(0, schedule.every) for _number in range(3))
    for before, moment in zip([0.0, *moments], [*moments, float(schedule.every)]):
        harness.lab.advance(days=moment - before)
        year.client.pull(f"at the age of {year.age} + {moment:.2f} days")
    year.age += schedule.every


def run_scheduled(harness: RotationHarness, schedule: Schedule, year: Year, when: str) -> None:
    """Run the playbook, and see whether it did what the age of the token asks for, and no more."""
    used, mark = harness.username, harness.lab.log_position()
    ended = harness.run(schedule.playbook, token_ttl=schedule.ttl, run_interval=f"{schedule.every}d")
    year.client.pull(f"after {when}")
    replaced, due = harness.username != used, year.age >= schedule.renewed_at
    checks = {
        f"{when}: it ended with {ended.code}": ended.code != 0,
        f"{when}: a token of {year.age} days was {'' if replaced else 'not '}replaced": replaced != due,
        f"{when}: there were more than two tokens": harness.most_tokens(mark, 1) > 2,
    }
    year.failures += [problem for problem, found in checks.items() if found] + harness.assert_single_token(when)
    year.age = 0 if replaced else year.age
    year.renewals += replaced
