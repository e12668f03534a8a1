# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two running labs for all tests, and a runner of playbooks."""

from __future__ import annotations

import typing as t

import pytest

from lab.client import started
from support.lab_client import LabClient
from support.playbook_runner import PlaybookRunner


@pytest.fixture(scope="session")
def running_lab() -> t.Iterator[LabClient]:
    """A lab over TLS, in an unknown state: a fixture that uses it resets it first."""
    with started() as process:
        yield LabClient(process.state)


@pytest.fixture(scope="session")
def running_plain_lab() -> t.Iterator[LabClient]:
    """A second lab, over plain HTTP, in an unknown state."""
    with started("--http") as process:
        yield LabClient(process.state)


@pytest.fixture
def lab(running_lab: LabClient) -> LabClient:
    running_lab.reset()
    return running_lab


@pytest.fixture
def plain_lab(running_plain_lab: LabClient) -> LabClient:
    running_plain_lab.reset()
    return running_plain_lab


@pytest.fixture(scope="session")
def run_playbook(tmp_path_factory: pytest.TempPathFactory) -> PlaybookRunner:
    return PlaybookRunner(lambda: tmp_path_factory.mktemp("run"))
