# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Simulates a year of weekly runs and five weeks of daily runs. Some runs are missed, and clients pull all the time.

In the year, versions of a library are withheld by a policy, and change their bytes.
"""

from __future__ import annotations

import dataclasses
import random
import typing as t

from lab.packages.python import wheel_path
from support.lab_client import LabClient
from support.rotation_harness import PullClient, RotationHarness


@dataclasses.dataclass(frozen=True)
class Schedule:
    """How often a playbook runs. A missed run is always one that would have rotated the token, the worst moment.

    interval: days between runs. due_age: the age in days at which a token is replaced.
    missed: which rotations are missed for a run, counted from 1. sources: each has a pull token.
    """

    playbook: str
    ttl: str
    interval: int
    runs: int
    due_age: int
    missed: tuple[int, ...]
    sources: tuple[str, ...] = ("containers",)

    @property
    def variables(self) -> dict[str, t.Any]:
        """The variables of each run."""
        pulls = {"containers": {"images": ["nginx"]}, "python": {"artifacts": [LIBRARY]}}
        return {"token_ttl": self.ttl, "sources": list(self.sources), "source_overrides": pulls}

    def __str__(self) -> str:
        return f"{self.playbook} every {self.interval} d with a TTL of {self.ttl}"


LIBRARY = "lab-greeting"
REASONS = ("POLICY_ORG_BLOCKLIST", "MALWARE_DETECTED", "POLICY_COOLDOWN")
# 720h are 30 days: at most 15 are left for the first time in the run at day 21. 168h are 7 days: 3.5 in the run at day 4.
SCHEDULES = (
    Schedule("setup", "720h", 7, runs=52, due_age=21, missed=(2, 5, 9, 13), sources=("containers", "python")),
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
    year = Year(harness.reset(**schedule.variables))
    generator = random.Random(schedule.runs)
    for number in range(1, schedule.runs + 1):
        advance_time(harness, schedule, year, generator)
        if "python" in schedule.sources:
            change_library(harness.lab, number)
            year.failures += pull_library(harness.lab, f"before run {number}")
        is_due = year.age >= schedule.due_age
        if is_due and year.missed < len(schedule.missed) and year.rotations + 1 == schedule.missed[year.missed]:
            year.missed += 1
            year.client.pull(f"after the missed run {number}")
        else:
            run_scheduled(harness, schedule, year, f"run {number}")
    year.failures += year.client.failures
    return year


def change_library(lab: LabClient, number: int) -> None:
    """Publish a version, which is withheld in every other week, and change the bytes of one that is not cached."""
    version = f"2.{number}.0"
    packages, package = "/chainguard/packages", {"repository": "python", "package": LIBRARY}
    lab.control("POST", packages, {**package, "version": version, "from_upstream": number % 4 == 1})
    if number % 4 == 3:
        # Artifactory has listed it already.
        lab.download(f"api/pypi/cgr-python/simple/{LIBRARY}/")
        reason = REASONS[number // 4 % len(REASONS)]
        lab.control("POST", f"{packages}/block", {**package, "version": version, "reason": reason})
    lab.control("POST", f"{packages}/rebuild", {**package, "version": "1.0.0"})


def pull_library(lab: LabClient, when: str) -> list[str]:
    """Pull the index and a version that is never withheld, and return the failures."""
    paths = (f"simple/{LIBRARY}/", f"packages{wheel_path(LIBRARY, '1.1.0')}")
    responses = [lab.download(f"api/pypi/cgr-python/{path}") for path in paths]
    return [
        f"{when}: {response.url} is {response.status_code}" for response in responses if response.status_code != 200
    ]


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
    result = harness.run(schedule.playbook, **schedule.variables, run_interval=f"{schedule.interval}d")
    year.client.pull(f"after {when}")
    count = len(schedule.sources)
    is_replaced, is_due = harness.username != previous, year.age >= schedule.due_age
    checks = {
        f"{when}: it ended with {result.code}": result.code != 0,
        f"{when}: a token of {year.age} days was {'' if is_replaced else 'not '}replaced": is_replaced != is_due,
        f"{when}: there were more than two tokens of a source": harness.max_token_count(before, count) > 2 * count,
    }
    year.failures += [problem for problem, failed in checks.items() if failed] + harness.token_errors(when)
    year.age = 0 if is_replaced else year.age
    year.rotations += is_replaced
