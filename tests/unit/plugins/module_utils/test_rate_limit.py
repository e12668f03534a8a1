# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.cgr.pull_through.plugins.module_utils._rate_limit import LimitExceededError, Limits


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self):
        self.now = 100.0
        self.slept = []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(round(seconds, 6))
        self.now += seconds


@pytest.fixture
def clock():
    return Clock()


def limits(clock, **given):
    return Limits(clock=clock, sleep=clock.sleep, **given)


def test_without_limits_nothing_waits_and_nothing_ends(clock):
    free = limits(clock)
    for _request in range(100):
        free.acquire()
        free.received(1 << 30)
        free.reserve(1 << 40)
    assert not clock.slept and not free.is_bounded and not free.reached


def test_requests_are_spread(clock):
    slow = limits(clock, requests_per_second=4)
    for _request in range(4):
        slow.acquire()
    assert clock.slept == [0.25, 0.25, 0.25]
    clock.now += 10
    slow.acquire()
    assert len(clock.slept) == 3


def test_bytes_are_spread(clock):
    slow = limits(clock, bytes_per_second=1000)
    slow.received(500)
    slow.received(2000)
    slow.received(1)
    assert clock.slept == [0.5, 2.0]


def test_what_does_not_fit_ends_the_run(clock):
    small = limits(clock, max_bytes=100)
    small.reserve(60)
    with pytest.raises(LimitExceededError, match="as max_bytes .100. was reached"):
        small.reserve(50)
    with pytest.raises(LimitExceededError):
        small.reserve(1)
    assert small.reached == "max_bytes (100)" and small.is_bounded


def test_time_ends_the_run_and_no_pause_outlasts_it(clock):
    short = limits(clock, max_seconds=10, requests_per_second=0.01)
    short.acquire()
    short.acquire()
    assert clock.slept == [10.0]
    for more in (short.acquire, short.reserve, lambda: short.received(1)):
        with pytest.raises(LimitExceededError, match="as max_seconds .10. was reached"):
            more()
