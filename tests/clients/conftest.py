# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures of the tests with programs that `make oci-clients` and `make clients` install: a lab, and the folder of the programs."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from lab.client import started
from support.lab_client import LabClient

PROGRAMS = Path(__file__).resolve().parents[2] / ".cache" / "clients" / "bin"


@pytest.fixture(scope="session")
def programs() -> Path:
    """The folder of the installed programs."""
    if not PROGRAMS.is_dir():
        pytest.fail("The programs are not installed. Run make oci-clients or make clients, which install them.")
    return PROGRAMS


@pytest.fixture(scope="module")
def lab() -> t.Iterator[LabClient]:
    """A lab over TLS."""
    with started() as process:
        yield LabClient(process.state)
