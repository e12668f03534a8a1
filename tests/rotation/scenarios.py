# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The scenarios of the rotation suite. README.md says what each of them shows."""

from __future__ import annotations

import dataclasses
import typing as t

TITLES = {
    1: "Scheduled runs for a year",
    2: "Rotations under load",
    3: "Interrupted rotations",
    4: "Concurrent rotations",
    5: "Delayed propagation of new tokens",
    6: "Broken tokens behind a warm cache",
    7: "Secrets in output, files and command lines",
    8: "Requests and time of a rotation",
    9: "Tokens issued by chainctl",
    10: "Unmanaged tokens",
    11: "Restricted Chainguard roles",
    12: "Grace period",
    13: "Removal",
    14: "Cached tokens of the upstream",
    15: "Sites",
    16: "Another host name",
    17: "Repeated verification",
    18: "Registry out of reach",
    19: "Lifetimes that the plan does not allow",
    20: "Overdue rotations",
}

# Records the result of a scenario, and fails the test if there are failures: number, cases, failures.
Report = t.Callable[[int, str, t.Sequence[str]], None]


@dataclasses.dataclass(frozen=True)
class ScenarioResult:
    """A line of the suite's report. number: a key of TITLES. cases: what ran, as text."""

    number: int
    cases: str
    failures: t.Sequence[str]

    def __str__(self) -> str:
        return f"{self.number}. {TITLES[self.number]}: {self.cases}; failures: {len(self.failures)}"
