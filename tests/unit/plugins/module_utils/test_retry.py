# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import random

import pytest

from ansible_collections.cgr.pull_through.plugins.module_utils import _retry
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import (
    HTTPStatusError,
    InputError,
    InvalidContentError,
    TransportError,
)

URL = "https://artifactory.example.com/x"


class Clock:
    """A clock that only sleep() advances."""

    def __init__(self):
        self.now = 100.0
        self.delays = []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.delays.append(seconds)
        self.now += seconds


@pytest.fixture(autouse=True)
def no_jitter(monkeypatch):
    monkeypatch.setattr(random, "uniform", lambda _low, _high: 1.0)


def status_error(status, **options):
    return HTTPStatusError(status, "message", method="GET", url=URL, **options)


def connection_error(*, transient):
    return TransportError("message", method="GET", url=URL, transient=transient)


def failing(*errors):
    """Return a function that raises the errors, one per call, and then returns the number of its calls."""
    pending, calls = list(errors), []

    def work():
        calls.append(1)
        if pending:
            raise pending.pop(0)
        return len(calls)

    return work


@pytest.mark.parametrize(
    ("error", "idempotent", "other"),
    [
        *[pytest.param(status_error(status), True, False, id=str(status)) for status in (408, 502, 503, 504)],
        *[
            pytest.param(status_error(status), False, False, id=str(status))
            for status in (400, 401, 403, 404, 409, 500)
        ],
        pytest.param(status_error(500, unprocessed=True), True, True, id="unprocessed"),
        pytest.param(connection_error(transient=True), True, False, id="transient"),
        pytest.param(connection_error(transient=False), False, False, id="permanent"),
        pytest.param(InputError("message"), False, False, id="input"),
        pytest.param(InvalidContentError("digest", "message", url=URL), False, False, id="content"),
    ],
)
def test_which_errors_are_retryable(error, idempotent, other):
    assert (_retry.is_retryable(error), _retry.is_retryable(error, idempotent=False)) == (idempotent, other)


def test_the_backoff_doubles_up_to_a_maximum():
    assert [_retry.backoff(attempt) for attempt in (1, 2, 3, 7, 99)] == [1.0, 2.0, 4.0, 60.0, 60.0]
    assert [_retry.backoff(attempt, first=0.5, maximum=4.0) for attempt in (1, 2, 9)] == [0.5, 1.0, 4.0]


@pytest.mark.parametrize(
    ("retry_after", "delay"),
    [("7", 7.0), ("0", 0.0), ("7200", 60.0), ("Wed, 01 Jan 2031 00:00:00 GMT", 60.0), ("soon", 1.0)],
)
def test_retry_after_takes_precedence_over_the_backoff(retry_after, delay):
    assert _retry.backoff(1, status_error(429, headers={"Retry-After": retry_after})) == delay


@pytest.mark.parametrize(
    ("errors", "tries"),
    [
        pytest.param([status_error(500)] * 2, 3, id="500"),
        pytest.param([connection_error(transient=True)], 2, id="transient"),
        pytest.param([InvalidContentError("digest", "message", url=URL)], 2, id="digest"),
        pytest.param([InvalidContentError("size", "message", url=URL), status_error(503)], 3, id="size-and-503"),
    ],
)
def test_a_download_that_can_succeed_is_retried(errors, tries):
    assert _retry.retry_download(failing(*errors), lambda _seconds: None) == tries


@pytest.mark.parametrize(
    ("errors", "tries"),
    [
        pytest.param([status_error(503)] * 3, 3, id="always-503"),
        pytest.param([InvalidContentError("digest", "message", url=URL)] * 2, 2, id="digest-twice"),
        pytest.param([InvalidContentError("html", "message", url=URL)], 1, id="html"),
        pytest.param([status_error(404)], 1, id="404"),
    ],
)
def test_a_download_that_cannot_succeed_raises_its_last_error(errors, tries):
    work, delays = failing(*errors), []
    with pytest.raises(type(errors[-1])):
        _retry.retry_download(work, delays.append)
    assert len(delays) == tries - 1


def test_retry_until_repeats_the_work_until_the_object_is_visible():
    clock = Clock()
    work = failing(*[status_error(404)] * 5)
    assert _retry.retry_until(work, _retry.status_in(404), timeout=30, sleep=clock.sleep, clock=clock) == 6
    assert clock.delays == [0.5, 1.0, 2.0, 4.0, 4.0]


@pytest.mark.parametrize(("timeout", "delays"), [(0, []), (1, [0.5]), (7.5, [0.5, 1.0, 2.0, 4.0])])
def test_retry_until_raises_the_last_error_after_the_timeout(timeout, delays):
    clock = Clock()
    with pytest.raises(HTTPStatusError):
        _retry.retry_until(
            failing(*[status_error(403)] * 99),
            _retry.status_in(403, 404),
            timeout=timeout,
            sleep=clock.sleep,
            clock=clock,
        )
    assert clock.delays == delays


def test_retry_until_raises_other_errors_at_once():
    clock = Clock()
    with pytest.raises(HTTPStatusError):
        _retry.retry_until(
            failing(status_error(400)), _retry.status_in(404), timeout=30, sleep=clock.sleep, clock=clock
        )
    assert clock.delays == []
