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

# What each fault was found as: by its name, whether the right finding was first with pulls, and without.
RESULTS = pytest.StashKey[dict[str, dict[str, bool]]]()
MODES = ("pulls", "no pulls", "no Chainguard", "reader", "neither", "no route")


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

    def record_result(fault: str, mode: str, is_first: bool) -> None:
        request.config.stash.setdefault(RESULTS, {}).setdefault(fault, {})[mode] = is_first

    return record_result


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    results = config.stash.get(RESULTS, {})
    if not results:
        return
    terminalreporter.section("faults whose cause is the first finding")
    terminalreporter.write_line(f"{'':40}" + "".join(f"{mode:>15}" for mode in MODES))
    for fault, modes in results.items():
        cells = "".join(f"{'found' if modes.get(mode) else '-':>15}" for mode in MODES)
        terminalreporter.write_line(f"{fault:40}{cells}")
    counts = [sum(modes.get(mode, False) for modes in results.values()) for mode in MODES]
    terminalreporter.write_line(f"{f'of {len(results)} faults':40}" + "".join(f"{count:15}" for count in counts))
