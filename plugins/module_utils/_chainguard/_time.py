# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Durations and times: as options, results, and the Chainguard API write them. Private to the collection."""

from __future__ import annotations

import datetime
import re

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError, PullThroughError

DAY = 86400.0

_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
# Empty for a time that is not set. Times of the year 9999 and later would exceed the limits of arithmetic.
TIMESTAMP = re.compile(
    r"(?:((?:19|2\d)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d)(\.\d{1,12})?Z)?",
    re.ASCII,
)


def parse_duration(text: str, option: str) -> int:
    """Return the seconds of a duration such as 720h, 30d or 1h30m. Raises InputError, which names the option."""
    match = _DURATION.fullmatch(text.strip())
    if not match or not any(match.groups()):
        raise InputError(f"{option} is not a duration: {text!r}.", hint="Write it like 720h, 30d, 90m or 1d12h.")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def parse_timestamp(text: str | None) -> float:
    """Return the epoch seconds of an RFC 3339 time in UTC; 0 for an empty text. Raises PullThroughError."""
    if not text:
        return 0.0
    match = TIMESTAMP.fullmatch(text)
    try:
        if match is None:
            raise ValueError
        # Python's parser does not accept fractions of nine digits.
        return datetime.datetime.fromisoformat(f"{match[1]}+00:00").timestamp() + float(match[2] or 0)
    except ValueError:  # also February 31
        raise PullThroughError(f"Chainguard returned a time that cannot be read: {text[:40]!r}.") from None


def format_timestamp(epoch: float) -> str:
    """Return epoch seconds as an RFC 3339 time in UTC."""
    return datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def format_days_left(seconds_left: float) -> str:
    """Return the remaining lifetime of a token as text."""
    return f"{seconds_left / DAY:.1f} days are left"
