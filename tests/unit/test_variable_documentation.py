# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the variables of the role are documented."""

from __future__ import annotations

import collections
import re
from pathlib import Path

from ansible_collections.cgr.pull_through.plugins.plugin_utils._variables import _load_specs, all_options

ROOT = Path(__file__).resolve().parents[2]
# The table of the files of AWX says where they may be, and not what they are for.
FILES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "roles/pull_through/README.md"]


def test_a_table_for_people_has_each_variable_once() -> None:
    rows: dict[str, list[str]] = collections.defaultdict(list)
    for file in FILES:
        for cell in re.findall(r"^\| ([^|]*)\|", file.read_text(encoding="utf-8"), re.MULTILINE):
            for name in re.findall(r"`(pull_through_\w+)`", cell):
                rows[name].append(file.name)
    assert len(rows) > 10 and {name: files for name, files in rows.items() if len(files) > 1} == {}


def test_a_table_of_the_role_has_every_variable_once() -> None:
    cells = re.findall(r"^\| ([^|]*)\| ([^|]*)\|", FILES[-1].read_text(encoding="utf-8"), re.MULTILINE)
    # The tables of the environment begin with what a variable is for.
    entries = collections.Counter(
        name
        for first, second in cells
        for name in re.findall(r"`(pull_through_\w+)`", first if "pull_through_" in first else second)
    )
    assert {name: entries[name] for name in all_options() if entries[name] != 1} == {}
    assert set(entries) <= set(all_options())


def test_a_variable_means_the_same_in_each_entry_point() -> None:
    descriptions: dict[str, list[object]] = collections.defaultdict(list)
    for options in _load_specs().values():
        for name, option in options.items():
            descriptions[name].append(option)
    assert [name for name, options in descriptions.items() if any(option != options[0] for option in options)] == []


def test_each_internal_variable_is_set() -> None:
    """A task that fails at the end of a run because of a renamed variable is otherwise found by a run only."""
    text = "\n".join(file.read_text(encoding="utf-8") for file in sorted((ROOT / "roles").rglob("*.yml")))
    names = set(re.findall(r"\b__pull_through_\w+", text))
    set_names = set(re.findall(r"^ *(?:register: |loop_var: )?(__pull_through_\w+)(?::|$)", text, re.MULTILINE))
    assert len(names) > 100 and names - set_names == set()
