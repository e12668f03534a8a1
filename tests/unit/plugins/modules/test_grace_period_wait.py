# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module grace_period_wait waits for the grace period, and not in check mode."""

from __future__ import annotations

import pytest
from scripted import ScriptedTransport

from ansible_collections.cgr.pull_through.plugins.module_utils import _wait
from ansible_collections.cgr.pull_through.plugins.modules import grace_period_wait


@pytest.fixture
def waits(monkeypatch):
    seconds = []
    monkeypatch.setattr(_wait, "sleep", seconds.append)
    return seconds


@pytest.mark.parametrize(("grace_period", "seconds"), [("5m", 300), ("90s", 90), ("0s", 0)])
def test_the_wait(run_module, waits, grace_period, seconds):
    result = run_module(grace_period_wait, ScriptedTransport(), grace_period=grace_period)
    assert (result["seconds"], result["changed"], waits) == (seconds, False, [seconds])


def test_no_wait_in_check_mode(run_module, waits):
    result = run_module(grace_period_wait, ScriptedTransport(), check=True, grace_period="5m")
    assert (result["seconds"], waits) == (0, [0])


@pytest.mark.parametrize(("grace_period", "text"), [("soon", "is not a duration"), ("11m", "more than 10 minutes")])
def test_grace_periods_that_are_rejected(run_module, waits, grace_period, text):
    result = run_module(grace_period_wait, ScriptedTransport(), grace_period=grace_period)
    assert result["failed"] is True and text in result["msg"] and waits == []
