# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The examples of the documentation: the blocks of the Markdown files, and the EXAMPLES of modules and filters."""

from __future__ import annotations

import ast
import dataclasses
import re
import shlex
import typing as t
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
PATTERNS = ("README.md", "SECURITY.md", "docs/*.md", "roles/*/README.md", "extensions/*/README.md")
_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"\bansible-playbook ([^|>&\n]*)")

Json = dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Block:
    """A fenced block. name: its file and line. language: as written behind the fence."""

    name: str
    language: str
    text: str

    @property
    def documents(self) -> list[t.Any]:
        """The YAML documents of the block."""
        return list(yaml.safe_load_all(self.text))

    @property
    def playbook_commands(self) -> list[tuple[str, ...]]:
        """The arguments of each call of ansible-playbook, in a shell, a unit of systemd, or a list in YAML."""
        if self.language == "text":
            return []
        text = self.text.replace("\\\n", " ")
        commands = [tuple(shlex.split(arguments, comments=True)) for arguments in _COMMAND.findall(text)]
        if self.language == "yaml":
            commands += [
                tuple(map(str, words[1:])) for words in _lists(self.documents) if words[0] == "ansible-playbook"
            ]
        return commands


def read_blocks() -> list[Block]:
    """Return the blocks of all Markdown files that users get."""
    return [block for pattern in PATTERNS for file in sorted(ROOT.glob(pattern)) for block in _read_blocks(file)]


def read_module_examples() -> dict[str, list[Json]]:
    """Return the tasks in the EXAMPLES of each module."""
    return {file.stem: _read_examples(file) for file in sorted(ROOT.glob("plugins/modules/*.py"))}


def read_filter_examples() -> dict[str, str]:
    """Return the EXAMPLES of each filter, as text."""
    files = sorted(ROOT.glob("plugins/filter/*.yml"))
    return {file.stem: yaml.safe_load(file.read_text(encoding="utf-8"))["EXAMPLES"] for file in files}


def _read_blocks(file: Path) -> t.Iterator[Block]:
    text = file.read_text(encoding="utf-8")
    for match in _FENCE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        content = re.sub(f"^{match[1]}", "", match[3], flags=re.MULTILINE)
        yield Block(f"{file.relative_to(ROOT)}:{line}", match[2], content)


def _read_examples(file: Path) -> list[Json]:
    for statement in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "EXAMPLES":
            return list(yaml.safe_load(ast.literal_eval(statement.value)))
    raise AssertionError(f"{file} has no EXAMPLES")


def _lists(value: t.Any) -> t.Iterator[list[t.Any]]:
    """Yield the lists in a value that are not empty, at any depth."""
    if isinstance(value, list) and value:
        yield value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _lists(child)
