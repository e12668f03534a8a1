# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A simulated Artifactory and Chainguard for all tests, and a way to run playbooks against them."""

from __future__ import annotations

import typing as t

import pytest

from lab.client import started
from support.lab_client import LabClient
from support.playbook_runner import PlaybookRunner


@pytest.fixture(scope="session")
def running_lab() -> t.Iterator[LabClient]:
    """The lab, over TLS, in whatever state it is. Who shares it among several tests resets it first."""
    with started() as process:
        yield LabClient(process.state)


@pytest.fixture(scope="session")
def running_plain_lab() -> t.Iterator[LabClient]:
    """A second one, over plain HTTP, for what needs two Artifactory instances."""
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
