# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from scripted_chainguard import (
    DAY,
    NOW,
)

from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._time import parse_duration, parse_timestamp
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError, PullThroughError


@pytest.mark.parametrize(
    ("text", "expected"), [("720h", 720 * 3600), ("30d", 30 * DAY), ("1d12h", 36 * 3600), ("90m", 5400), ("1h1s", 3601)]
)
def test_durations(text, expected):
    assert parse_duration(text, "ttl") == expected


@pytest.mark.parametrize("text", ["", "h", "720", "1h1d", "-1h", "1.5h"])
def test_invalid_durations(text):
    with pytest.raises(InputError):
        parse_duration(text, "ttl")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2031-01-01T00:00:00Z", NOW),
        ("2031-01-01T00:00:00.5Z", NOW + 0.5),
        ("2031-01-01T00:00:00.123456789Z", NOW + 0.123456789),
        (None, 0),
        ("", 0),
    ],
)
def test_timestamps(text, expected):
    assert parse_timestamp(text) == expected


@pytest.mark.parametrize("text", ["soon", "2031-01-01", "2031-01-01T00:00:00+01:00"])
def test_invalid_timestamps(text):
    with pytest.raises(PullThroughError, match="cannot be read"):
        parse_timestamp(text)
