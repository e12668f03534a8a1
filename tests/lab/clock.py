# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's clock, which tests can set."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timezone
from email.utils import formatdate


class Clock:
    """Real time plus an offset. Every expiry and every `Date` header in the lab uses it."""

    def __init__(self) -> None:
        self._offset = 0.0
        self._holders = 0
        self._is_free, self._may_hold = asyncio.Event(), asyncio.Event()
        self._is_free.set()
        self._may_hold.set()

    def now(self) -> float:
        """Epoch seconds."""
        return time.time() + self._offset

    def advance(self, seconds: float) -> None:
        self._offset += seconds

    @asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        """Keep advance_when_free() waiting, because what happens inside takes no time that a token could expire in."""
        await self._may_hold.wait()
        self._holders += 1
        self._is_free.clear()
        try:
            yield
        finally:
            self._holders -= 1
            if not self._holders:
                self._is_free.set()

    async def advance_when_free(self, seconds: float) -> None:
        """Advance the clock when it has no holders. New holders wait."""
        self._may_hold.clear()
        try:
            await self._is_free.wait()
            self.advance(seconds)
        finally:
            self._may_hold.set()

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
