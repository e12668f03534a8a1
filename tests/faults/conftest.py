# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One lab and one estate for all faults, and a table of what was found."""

from __future__ import annotations

import os
import typing as t

import pytest

from faults.estate import Estate
from lab.client import started
from support.lab_client import LabClient

# Whether the right finding was first: by the function of the test, the name of the fault, and how it was diagnosed.
RESULTS = pytest.StashKey[dict[str, dict[str, dict[str, bool]]]]()
TITLES = {"test_fault": "faults", "test_pair_of_faults": "pairs of faults"}


@pytest.fixture(scope="session")
def estate() -> t.Iterator[Estate]:
    with pytest.MonkeyPatch.context() as patch, started("--http") as process:
        for name in list(os.environ):
            if name.startswith(("ARTIFACTORY_", "CHAINGUARD_", "PULL_THROUGH_")) or name in (
                "CHAINCTL",
                "REGISTRY_URL",
            ):
                patch.delenv(name)
        yield Estate(LabClient(process.state))


@pytest.fixture
def record(request: pytest.FixtureRequest) -> t.Callable[[str, str, bool], None]:
    """Return the function that records whether the right finding was first."""
    results = request.config.stash.setdefault(RESULTS, {}).setdefault(request.function.__name__, {})

    def record_result(fault: str, mode: str, is_first: bool) -> None:
        results.setdefault(fault, {})[mode] = is_first

    return record_result


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for test, results in config.stash.get(RESULTS, {}).items():
        modes = list(dict.fromkeys(mode for by_mode in results.values() for mode in by_mode))
        width = max(map(len, results)) + 2
        terminalreporter.section(f"{TITLES[test]} whose cause is the first finding")
        terminalreporter.write_line(" " * width + "".join(f"{mode:>15}" for mode in modes))
        for fault, by_mode in results.items():
            cells = "".join(f"{'found' if by_mode.get(mode) else '-':>15}" for mode in modes)
            terminalreporter.write_line(f"{fault:{width}}{cells}")
        counts = [sum(by_mode.get(mode, False) for by_mode in results.values()) for mode in modes]
        total = f"of {len(results)} {TITLES[test]}"
        terminalreporter.write_line(f"{total:{width}}" + "".join(f"{count:15}" for count in counts))
