# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The harnesses for all tests, and a report with a line for each scenario."""

from __future__ import annotations

import concurrent.futures
import contextlib
import queue
import typing as t

import pytest

from rotation.scenarios import Report, ScenarioResult
from support.playbook_runner import PlaybookRunner
from support.rotation_harness import RotationHarness, open_harness
from support.secret_scan import Monitor

HARNESSES = 4  # for two processors, since runs wait now and then

# These tests occupy one harness, so they run first, while tests with the mark "background" occupy the others.
FIRST = ("test_sites.py", "test_token_ownership.py", "test_out_of_reach.py")
# The first of these measures a time, and the second one searches what all other tests left.
LAST = ("test_request_count.py", "test_secrets.py")

Case = t.TypeVar("Case")
Result = t.TypeVar("Result")


class HarnessPool:
    """The harnesses, and a monitor of everything that their runs write and start."""

    def __init__(self, harnesses: t.Sequence[RotationHarness], monitor: Monitor) -> None:
        self.all = harnesses
        self.monitor = monitor
        self._free: queue.SimpleQueue[RotationHarness] = queue.SimpleQueue()
        for harness in harnesses:
            self._free.put(harness)
        self._started: dict[t.Callable[..., t.Any], concurrent.futures.Future[list[t.Any]]] = {}

    def start(self, function: t.Callable[[RotationHarness, Case], Result], cases: t.Iterable[Case]) -> None:
        """Call the function for each case in the background, since most tests keep only one processor busy."""
        pool = concurrent.futures.ThreadPoolExecutor(1)
        self._started[function] = pool.submit(self._map, function, cases)
        pool.shutdown(wait=False)

    def map(self, function: t.Callable[[RotationHarness, Case], Result], cases: t.Iterable[Case]) -> list[Result]:
        """Call the function with a free harness for each case, and return the results in the order of the cases.

        If the function was started in the background, wait for its results.
        """
        started = self._started.pop(function, None)
        return started.result() if started else self._map(function, cases)

    def _map(self, function: t.Callable[[RotationHarness, Case], Result], cases: t.Iterable[Case]) -> list[Result]:
        def call(case: Case) -> Result:
            harness = self._free.get()
            try:
                return function(harness, case)
            finally:
                self._free.put(harness)

        with concurrent.futures.ThreadPoolExecutor(len(self.all)) as pool:
            return list(pool.map(call, cases))

    def collect_failures(
        self, function: t.Callable[[RotationHarness, Case], list[str]], cases: t.Iterable[Case]
    ) -> list[str]:
        """Call a function that returns failures for each case, and return the failures of all cases."""
        return [failure for failures in self.map(function, cases) for failure in failures]

    def run(self, function: t.Callable[[RotationHarness], None]) -> None:
        """Call the function with a free harness."""
        self.map(lambda harness, _case: function(harness), [None])


@pytest.fixture(scope="session")
def harnesses(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[HarnessPool]:
    """All harnesses. Each case resets the lab of its harness, or resumes a series of cases."""
    monitored, log_folder = tmp_path_factory.mktemp("harnesses"), tmp_path_factory.mktemp("log")
    with contextlib.ExitStack() as stack:
        names = [str(number) for number in range(1, HARNESSES + 1)]
        opened = [stack.enter_context(open_harness(monitored / name, log_folder / name)) for name in names]
        pool = HarnessPool(opened, stack.enter_context(Monitor(monitored, interval=0.5)))
        for item in request.session.items:
            for mark in item.iter_markers("background"):
                pool.start(*mark.args)
        yield pool


RESULTS = pytest.StashKey[list[ScenarioResult]]()


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Report:
    """Return the function that records the result of a scenario for the summary."""

    def record(number: int, cases: str, failures: t.Sequence[str]) -> None:
        request.config.stash.setdefault(RESULTS, []).append(ScenarioResult(number, cases, failures))
        assert not failures, "\n".join(failures)

    return record


@pytest.fixture(scope="session")
def run_playbook(tmp_path_factory: pytest.TempPathFactory) -> PlaybookRunner:
    """Runs playbooks as a user does, without the fork server."""
    return PlaybookRunner(lambda: tmp_path_factory.mktemp("run"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep both processors busy."""
    items.sort(
        key=lambda item: (LAST.index(item.path.name) + 1 if item.path.name in LAST else 0, item.path.name not in FIRST)
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "background(function, cases): HarnessPool.map() of these starts before the first test"
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    terminalreporter.section("rotation")
    results: list[ScenarioResult] = config.stash.get(RESULTS, [])
    for result in sorted(results, key=lambda result: result.number):
        terminalreporter.write_line(str(result))
