# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A measured figure beside its bound."""

from __future__ import annotations

import dataclasses
import os
import typing as t
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclasses.dataclass(frozen=True)
class Figure:
    """A figure and its bound, an upper one unless at_least is set. value: None if it could not be measured, with a reason."""

    name: str
    value: float | None
    bound: float
    at_least: bool = False
    reason: str = ""

    @property
    def line(self) -> str:
        sign = ">=" if self.at_least else "<="
        if self.value is None:
            return f"{self.name:58} {'-':>9} {sign} {self.bound:<8g} not measured: {self.reason}"
        holds = self.value >= self.bound if self.at_least else self.value <= self.bound
        return f"{self.name:58} {self.value:9.2f} {sign} {self.bound:<8g} {'holds' if holds else 'DOES NOT HOLD'}"


def print_figures(figures: t.Iterable[Figure]) -> None:
    """Print the figures, and the load of this machine."""
    print(*(figure.line for figure in figures), sep="\n")
    load = " ".join(f"{average:.1f}" for average in os.getloadavg())
    print(f"load of this machine: {load}, on {os.cpu_count()} processors")
