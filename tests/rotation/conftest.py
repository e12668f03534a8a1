# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The harnesses for all tests, and a report with a line for each scenario."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import functools
import queue
import typing as t

import pytest

from rotation.scenarios import Report, ScenarioResult
from support.playbook_runner import PlaybookRunner
from support.rotation_harness import RotationHarness, open_harness
from support.secret_scan import Monitor

# Tests with the mark "background" have harnesses of their own, and start before the first test. More harnesses than
# processors keep these busy, since runs wait now and then.
BACKGROUND_HARNESSES, FOREGROUND_HARNESSES = 3, 2

LAST = "test_secrets.py"  # searches what all other tests left

Case = t.TypeVar("Case")
Result = t.TypeVar("Result")


class HarnessPool:
    """Harnesses that run cases at the same time, each of them one case at a time."""

    def __init__(self, harnesses: t.Sequence[RotationHarness]) -> None:
        self._size = len(harnesses)
        self._free: queue.SimpleQueue[RotationHarness] = queue.SimpleQueue()
        for harness in harnesses:
            self._free.put(harness)

    def map(self, function: t.Callable[[RotationHarness, Case], Result], cases: t.Iterable[Case]) -> list[Result]:
        """Call the function with a free harness for each case, and return the results in the order of the cases."""

        def call(case: Case) -> Result:
            harness = self._free.get()
            try:
                return function(harness, case)
            finally:
                self._free.put(harness)

        with concurrent.futures.ThreadPoolExecutor(self._size) as pool:
            return list(pool.map(call, cases))

    def collect_failures(
        self, function: t.Callable[[RotationHarness, Case], list[str]], cases: t.Iterable[Case]
    ) -> list[str]:
        """Call a function that returns failures for each case, and return the failures of all cases."""
        return [failure for failures in self.map(function, cases) for failure in failures]

    def run(self, function: t.Callable[[RotationHarness], Result]) -> Result:
        """Call the function with a free harness, and return its result."""
        (result,) = self.map(lambda harness, _case: function(harness), [None])
        return result


class Background:
    """What runs while the tests before its own do, each in a thread, with the same pool."""

    def __init__(self, pool: HarnessPool) -> None:
        self._pool = pool
        self._started: dict[str, concurrent.futures.Future[t.Any]] = {}

    def start(self, test: str, function: t.Callable[..., t.Any], *, whole_pool: bool = False) -> None:
        """Call a function with a harness, or with the pool. test: the ID of the test that checks its result."""
        thread = concurrent.futures.ThreadPoolExecutor(1)
        call = functools.partial(function, self._pool) if whole_pool else functools.partial(self._pool.run, function)
        self._started[test] = thread.submit(call)
        thread.shutdown(wait=False)

    def result(self, test: str) -> t.Any:
        """Wait for the result of what was started for a test."""
        return self._started.pop(test).result()


@dataclasses.dataclass(frozen=True)
class Machine:
    """Everything that runs. monitor: of what the runs write and start."""

    harnesses: t.Sequence[RotationHarness]
    monitor: Monitor


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Machine]:
    """All harnesses."""
    monitored, log_folder = tmp_path_factory.mktemp("harnesses"), tmp_path_factory.mktemp("log")
    with contextlib.ExitStack() as stack:
        names = [str(number) for number in range(1, BACKGROUND_HARNESSES + FOREGROUND_HARNESSES + 1)]
        opened = [open_harness(monitored / name, log_folder / name) for name in names]
        with concurrent.futures.ThreadPoolExecutor(len(opened)) as threads:
            harnesses = list(threads.map(stack.enter_context, opened))
        yield Machine(harnesses, stack.enter_context(Monitor(monitored, interval=0.5)))


@pytest.fixture(scope="session")
def background(request: pytest.FixtureRequest, machine: Machine) -> Background:
    """Starts the functions that the mark "background" names."""
    background = Background(HarnessPool(machine.harnesses[:BACKGROUND_HARNESSES]))
    for item in request.session.items:
        for mark in item.iter_markers("background"):
            background.start(item.nodeid, *mark.args, **mark.kwargs)
    return background


@pytest.fixture
def background_result(request: pytest.FixtureRequest, background: Background) -> t.Any:
    """The result of the function that the mark "background" of the test names."""
    return background.result(request.node.nodeid)


@pytest.fixture(scope="session")
def harnesses(machine: Machine, background: Background) -> HarnessPool:
    """The harnesses for the tests, beside the background. Each case resets the lab of its harness, or resumes a series of cases."""
    return HarnessPool(machine.harnesses[BACKGROUND_HARNESSES:])


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
    """Let the tests that run in the background report after the others, and before the last one."""
    items.sort(
        key=lambda item: (
            item.path.name == LAST,
            item.get_closest_marker("background") is not None,
        )
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "background(function, whole_pool): the function starts before the first test")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    terminalreporter.section("rotation")
    results: list[ScenarioResult] = config.stash.get(RESULTS, [])
    for result in sorted(results, key=lambda result: result.number):
        terminalreporter.write_line(str(result))
