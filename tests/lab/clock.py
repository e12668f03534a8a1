# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's clock, which tests can set."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from email.utils import formatdate


class Clock:
    """Real time plus an offset. Every expiry and every `Date` header in the lab uses it."""

    def __init__(self) -> None:
        self._offset = 0.0

    def now(self) -> float:
        """Epoch seconds."""
        return time.time() + self._offset

    def advance(self, seconds: float) -> None:
        self._offset += seconds

    def set(self, epoch: float) -> None:
        self._offset = epoch - time.time()

    def reset(self) -> None:
        self._offset = 0.0

    def http_date(self) -> str:
        """The current time in the format of a `Date` header."""
        return formatdate(self.now(), usegmt=True)

    def rfc3339(self, epoch: float | None = None) -> str:
        """A time (default: now) in the format of JSON APIs: `2026-02-02T02:40:00.120Z`."""
        moment = datetime.fromtimestamp(self.now() if epoch is None else epoch, timezone.utc)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
