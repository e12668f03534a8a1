# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a download, which `?trace` prints instead of the file (facts/artifactory.md#cache)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_steps: ContextVar[list[str] | None] = ContextVar("steps", default=None)


@contextmanager
def recording() -> Iterator[list[str]]:
    """Collect the steps that are recorded inside."""
    steps: list[str] = []
    token = _steps.set(steps)
    try:
        yield steps
    finally:
        _steps.reset(token)


def record(step: str) -> None:
    """Add a step if the request is traced."""
    steps = _steps.get()
    if steps is not None:
        steps.append(step)
