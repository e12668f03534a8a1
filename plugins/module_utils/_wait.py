# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The wait of the module grace_period_wait. Private to the collection.

The rotation tests replace sleep(), to move the clock of their services instead.
"""

from __future__ import annotations

import time

MAX_SECONDS = 600


def sleep(seconds: float) -> None:
    """Wait for this many seconds."""
    time.sleep(seconds)
