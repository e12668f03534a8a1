# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The list in README.md and the report of the suite have the same scenarios."""

from __future__ import annotations

import re
from pathlib import Path

from rotation.scenarios import TITLES

HERE = Path(__file__).parent


def test_the_readme_lists_the_scenarios_of_the_report() -> None:
    rows = re.findall(
        r"^\| (\d+) \| ([^|]+) \| ([^|]+) \|", (HERE / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert {int(number): title for number, title, _module in rows} == TITLES
    for number, _title, module in rows:
        assert f"report({number}, " in (HERE / module.strip("`")).read_text(encoding="utf-8")
