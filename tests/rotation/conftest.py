# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stations for all tests, and a line for each point that they show."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import queue
import typing as t

import pytest
from support.playbook_runner import PlaybookRunner
from support.rotation_harness import RotationHarness, open_harness
from support.secret_scan import Watch

from rotation.year import SCHEDULES, Year, simulate

HARNESSES = 4  # two cores, and runs that wait now and then; the years take two for a while

Case = t.TypeVar("Case")
Shown = t.TypeVar("Shown")
Report = t.Callable[[int, str, str, t.Sequence[str]], None]


class HarnessPool:
    """The stations, with a watch over everything that happens at them."""

    def __init__(self, harnesses: t.Sequence[RotationHarness], watch: Watch) -> None:
        self.all = harnesses
        self.watch = watch
        self._free: queue.SimpleQueue[RotationHarness] = queue.SimpleQueue()
        for harness in harnesses:
            self._free.put(harness)
        self._years: concurrent.futures.Future[list[Year]] | None = None

    def begin_years(self) -> None:
        """Let the years go by meanwhile, since other points keep only one processor busy."""
        pool = concurrent.futures.ThreadPoolExecutor(1)
        self._years = pool.submit(self.map, simulate, SCHEDULES)
        pool.shutdown(wait=False)

    def years(self) -> list[Year]:
        """Return what came of the years."""
        assert self._years is not None
        return self._years.result()

    def map(self, report: t.Callable[[RotationHarness, Case], Shown], cases: t.Iterable[Case]) -> list[Shown]:
        """Show each case at a station that is free, and return what came of it, in the order of the cases."""

        def at_a_station(case: Case) -> Shown:
            harness = self._free.get()
            try:
                return report(harness, case)
            finally:
                self._free.put(harness)

        with concurrent.futures.ThreadPoolExecutor(len(self.all)) as pool:
            return list(pool.map(at_a_station, cases))


@pytest.fixture(scope="session")
def harnesses(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[HarnessPool]:
    """The stations. Each story begins with a lab that was reset."""
    watched, kept = tmp_path_factory.mktemp("stations"), tmp_path_factory.mktemp("kept")
    with contextlib.ExitStack() as stack:
        names = [str(number) for number in range(1, HARNESSES + 1)]
        opened = [stack.enter_context(open_harness(watched / name, kept / name)) for name in names]
        all_stations = HarnessPool(opened, stack.enter_context(Watch(watched, pause=0.5)))
        if any(item.path.stem == "test_year" for item in request.session.items):
            all_stations.begin_years()
        yield all_stations


@dataclasses.dataclass(frozen=True)
class Scenario:
    """What was shown: the number in the list of what rotation has to show, in words, and how it went."""

    number: int
    what: str
    cases: str
    failures: t.Sequence[str]

    def __str__(self) -> str:
        return f"{self.number}. {self.what}: {self.cases}; failures: {len(self.failures)}"


SCENARIOS = pytest.StashKey[list[Scenario]]()


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Report:
    """Return the function that notes a point for the end, and fails the test with what went wrong."""

    def note(number: int, what: str, cases: str, failures: t.Sequence[str]) -> None:
        request.config.stash.setdefault(SCENARIOS, []).append(Scenario(number, what, cases, failures))
        assert not failures, "\n".join(failures)

    return note


@pytest.fixture(scope="session")
def run_playbook(tmp_path_factory: pytest.TempPathFactory) -> PlaybookRunner:
    """Runs playbooks in the way of users."""
    return PlaybookRunner(lambda: tmp_path_factory.mktemp("run"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    points = config.stash.get(SCENARIOS, [])
    terminalreporter.section("rotation")
    for point in sorted(points, key=lambda point: point.number):
        terminalreporter.write_line(str(point))
