# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The run whose report the tests read."""

from __future__ import annotations

import typing as t

import pytest

from support.report_scenario import Scenario, run_scenario


@pytest.fixture(scope="session")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Scenario]:
    with run_scenario(tmp_path_factory.mktemp) as scenario:
        yield scenario
