# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.cgr.pull_through.plugins.module_utils._rate_limit import LimitExceededError, Limits


class Clock:
    """A clock that only sleep() advances."""

    def __init__(self):
        self.now = 100.0
        self.delays = []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.delays.append(round(seconds, 6))
        self.now += seconds


@pytest.fixture
def clock():
    return Clock()


def limits(clock, **options):
    return Limits(clock=clock, sleep=clock.sleep, **options)


def test_without_limits_there_are_no_delays(clock):
    unlimited = limits(clock)
    for _request in range(100):
        unlimited.acquire()
        unlimited.throttle(1 << 30)
        unlimited.reserve(1 << 40)
    assert not clock.delays and not unlimited.is_bounded and not unlimited.reached


def test_the_rate_of_requests_is_limited(clock):
    limited = limits(clock, requests_per_second=4)
    for _request in range(4):
        limited.acquire()
    assert clock.delays == [0.25, 0.25, 0.25]
    clock.now += 10
    limited.acquire()
    assert len(clock.delays) == 3


def test_the_rate_of_bytes_is_limited(clock):
    limited = limits(clock, bytes_per_second=1000)
    limited.throttle(500)
    limited.throttle(2000)
    limited.throttle(1)
    assert clock.delays == [0.5, 2.0]


def test_a_download_beyond_max_bytes_ends_the_run(clock):
    limited = limits(clock, max_bytes=100)
    limited.reserve(60)
    with pytest.raises(LimitExceededError, match="because max_bytes .100. was reached"):
        limited.reserve(50)
    with pytest.raises(LimitExceededError):
        limited.reserve(1)
    assert limited.reached == "max_bytes (100)" and limited.is_bounded


def test_max_seconds_ends_the_run_and_limits_delays(clock):
    limited = limits(clock, max_seconds=10, requests_per_second=0.01)
    limited.acquire()
    limited.acquire()
    assert clock.delays == [10.0]
    for method in (limited.acquire, limited.reserve, lambda: limited.throttle(1)):
        with pytest.raises(LimitExceededError, match="because max_seconds .10. was reached"):
            method()
