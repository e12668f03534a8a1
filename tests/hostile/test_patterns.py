# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No regular expression of plugins/ needs quadratic time.

Each is applied, as the code applies it, to long texts of what it consists of. Linear time is below a millisecond, and quadratic time
is half a second, so that the limit between them does not depend on the speed of the machine.
"""

from __future__ import annotations

import ast
import builtins
import collections
import importlib
import itertools
import re
import time
import typing as t
from pathlib import Path

import pytest

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
PACKAGE = "ansible_collections.cgr.pull_through.plugins"
METHODS = frozenset({"match", "fullmatch", "search", "sub", "split", "findall", "finditer"})
LENGTH = 20_000
MAX_CPU_SECONDS = 0.15
MAX_CHARACTERS = 9

Pattern: t.TypeAlias = "str | bytes"
parser = importlib.import_module("re._parser") if hasattr(re, "_parser") else importlib.import_module("sre_parse")


class _Names(collections.ChainMap[str, t.Any]):
    """The names of a module. Others, which are local, stand for one letter."""

    def __missing__(self, key: str) -> t.Any:
        return getattr(builtins, key, "x")


def find_patterns() -> dict[tuple[Pattern, int, str], str]:
    """Return where each pattern is, by the pattern, its flags, and the method that applies it."""
    patterns: dict[tuple[Pattern, int, str], str] = {}
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(PLUGINS.rglob("*.py"))}
    methods: dict[str, set[str]] = collections.defaultdict(set)
    for node in itertools.chain.from_iterable(map(ast.walk, trees.values())):
        if isinstance(node, ast.Attribute) and node.attr in METHODS and isinstance(node.value, ast.Name):
            methods[node.value.id].add(node.attr)
    for path, tree in trees.items():
        if "doc_fragments" in path.parts:
            continue
        name = ".".join((PACKAGE, *path.relative_to(PLUGINS).with_suffix("").parts)).removesuffix(".__init__")
        names = vars(importlib.import_module(name))
        for key, value in names.items():
            if isinstance(value, re.Pattern):
                for method in methods[key] or {"fullmatch"}:
                    patterns[(value.pattern, value.flags, method)] = f"{path.name}: {key}"
        for node in ast.walk(tree):
            if is_inline(node):
                call = t.cast(ast.Call, node)
                method = t.cast(ast.Attribute, call.func).attr
                pattern = eval(compile(ast.Expression(call.args[0]), "", "eval"), {}, _Names(names))
                patterns[(getattr(pattern, "pattern", pattern), 0, method)] = f"{path.name}: {call.lineno}"
    return patterns


def is_inline(node: ast.AST) -> bool:
    """Return whether a node is a call such as re.search(...)."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in METHODS
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "re"
    )


def characters(parsed: t.Any) -> t.Iterator[str]:
    """Yield a character for each part of a parsed pattern."""
    for operation, argument in parsed:
        name = str(operation)
        if name in ("LITERAL", "NOT_LITERAL"):
            yield chr(argument)
        elif name == "IN":
            for kind, value in argument:
                if str(kind) == "RANGE":
                    yield chr(value[0])
                elif str(kind) == "LITERAL":
                    yield chr(value)
                elif str(kind) == "CATEGORY":
                    yield {"CATEGORY_SPACE": " ", "CATEGORY_DIGIT": "1"}.get(str(value), "a")
        elif name == "BRANCH":
            for branch in argument[1]:
                yield from characters(branch)
        elif isinstance(argument, tuple):
            for item in argument:
                if isinstance(item, parser.SubPattern):
                    yield from characters(item)
        elif isinstance(argument, parser.SubPattern):
            yield from characters(argument)
        yield "a"


def texts(pattern: Pattern, flags: int) -> t.Iterator[str]:
    """Yield long texts of one character and of two characters of a pattern, alone and after the start of a match."""
    parsed = parser.parse(pattern, flags & ~re.UNICODE)
    parts = list(characters(parsed))
    start = "".join(parts)[:40]
    chosen = [character for character, _count in collections.Counter(parts).most_common(MAX_CHARACTERS)]
    for unit in (*chosen, *map("".join, itertools.permutations(chosen, 2))):
        body = unit * (LENGTH // len(unit))
        yield from (body, f"{body}\x01", f"{start}{body}\x01")


def apply(pattern: Pattern, flags: int, method: str, text: str) -> None:
    subject: t.Any = text.encode("utf-8", "replace") if isinstance(pattern, bytes) else text
    compiled = re.compile(pattern, flags)
    arguments = (subject[:0], subject) if method == "sub" else (subject,)
    result = getattr(compiled, method)(*arguments)
    if method == "finditer":
        collections.deque(result, maxlen=0)


PATTERNS = find_patterns()


def test_the_patterns_are_found() -> None:
    assert len(PATTERNS) > 60


def test_the_check_finds_quadratic_time() -> None:
    assert slowest(r"\s+$", 0, "search") > MAX_CPU_SECONDS
    assert slowest(r"ab", 0, "search") < MAX_CPU_SECONDS


@pytest.mark.parametrize(
    ("pattern", "flags", "method"), PATTERNS, ids=[f"{where}-{key[2]}" for key, where in PATTERNS.items()]
)
def test_linear_time(pattern: Pattern, flags: int, method: str) -> None:
    assert slowest(pattern, flags, method) < MAX_CPU_SECONDS


def slowest(pattern: Pattern, flags: int, method: str) -> float:
    """Return the CPU seconds that the slowest text takes. Stops at the first one that is too slow."""
    longest = 0.0
    for text in texts(pattern, flags):
        start = time.thread_time()
        apply(pattern, flags, method, text)
        longest = max(longest, time.thread_time() - start)
        if longest > MAX_CPU_SECONDS:
            break
    return longest
