# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fails when a source file uses a word that the glossary in CONTRIBUTING.md gives up.

Usage: python tests/tools/check_words.py [PATH ...], for the whole repository or the files below the given paths.
Prints `file:line: word → use X` for each hit.
"""

from __future__ import annotations

import ast
import re
import sys
import typing as t
from pathlib import Path, PurePath

from environments import ROOT
from source_tree import source_files

# Given up everywhere: in code, comments, messages, and documentation. Regular expressions, matched without case.
EVERYWHERE = {
    "doors?": "entry point",
    "mend(s|ed|ing)?": "fix",
    "mint(s|ed|ing)?": "issue",
    "upkeep": "rotation",
    "sightings?": "cache observation",
    "witness(es|ed)?": "cache probe",
    "overtak(e|es|en|ing)|overtook": "superseded by a concurrent run",
    "homeless": "without a repository",
    "shelf|shelves": "package store, package index",
    "patience|patient(ly)?": "retry, timeout",
    "unanswered": "no response, connection failure",
    "prov(e|es|ed|en|ing)|proofs?": "verify, verification",
    "renew(?!_before)(s|ed|ing|als?)?": "rotate; of a bearer token: refresh",
    "knobs?": "setting",
    "journals?": "request log",
    "freshness": "age of the tags",
    "promis(e|es|ed|ing)": "expected checksum, declared",
    "nobody": "anonymous, no user",
    "(tak(e|es|en|ing)|took)[ _]back": "revoke the unused token",
    "live[sd] on": "remains valid",
    "web[ _]?pages?": "UI; of a response: HTML page",
    "(came|comes?|became|becomes?) of (it|them|each|the|that|this|an?)": "result",
    "(?<=, )in words|in words(?=[,.])": "as text",
    "for life": "cannot be changed after creation",
    "anew|once more": "again",
    "in the place of": "instead of",
    "foresee[sn]?|foresaw": "plan, dry run",
}

# Spelled the British way: American English replaces the ending.
BRITISH = {
    r"(catalog|analog)ue[sd]?": r"\1",
    r"(behavi|col|fav|harb|hon|hum|lab|neighb|rum|vap)our(s|ed|ing|al|able|ite|ites)?": r"\1or\2",
    r"([a-z]*?(?:ap|authen|author|capital|categor|central|custom|emphas|final|formal|general|initial|local|maxim|memor|minim"
    r"|modern|normal|optim|organ|parallel|parameter|penal|personal|prior|random|real|recogn|sanit|serial|special|stabil"
    r"|standard|summar|synchron|token|util|virtual|visual))is(e[sdr]?|ers|ing|ations?|able)": r"\1iz\2",
    r"(anal|paral|catal)ys(e|ed|ing)": r"\1yz\2",
    r"(cent|fib|lit|theat)re(s?)": r"\1er\2",
    r"(defen|licen|offen|preten)ce(s?)": r"\1se\2",
    r"(label|model|signal|travel|tunnel|fuel|level|total)l(ed|ing|ers?)": r"\1\2",
    r"(fulfil|enrol)(s|ment)?": r"\1l\2",
    r"artefact(s?)": r"artifact\1",
    r"(whil|among)st": r"\1",
    r"grey(s?)": r"gray\1",
    r"judgement(s?)": r"judgment\1",
    r"programme(s?)": r"program\1",
    r"(learn|burn)t": r"\1ed",
    r"spelt": r"spelled",
}

# Given up as the whole name of something that the repository defines, and as a word of a task name.
NAMES = {
    "answer answers reply replies": "response",
    "asked": "requested",
    "batch batches": "job",
    "busy": "retryable",
    "foreign": "unmanaged",
    "found": "the noun: repository, token, result",
    "fresh": "from_upstream",
    "known": "catalog, available",
    "late stale": "overdue, outdated",
    "learnt": "facts",
    "look looks": "read, query, gather, plan",
    "made": "issued, created",
    "mine ours": "managed",
    "one": "the noun: repository, token, result",
    "outcome outcomes": "result",
    "passing": "transient",
    "pause": "backoff, delay",
    "place places": "position, consumer, origin, location",
    "said says": "message",
    "settle": "propagation_timeout",
    "shown": "result, redacted",
    "story": "scenario",
    "tell tells told": "report, result",
    "wanted": "desired",
    "witness": "cache_probe",
    "world": "simulator",
}
# Given up also as a part of a name, such as wanted_config.
PARTS = {
    *("answer", "answers", "asked", "foreign", "fresh", "learnt", "ours", "outcome", "outcomes", "replies", "reply"),
    *("said", "says", "shown", "stale", "tell", "tells", "told", "wanted", "witness"),
}
# Plain English in the name of a task: "Assert that one token was found".
FINE_IN_TASK_NAMES = {"found", "one"}

# Terms of real services and formats, which keep their spelling.
TERMS = {
    "contentSynchronisation": "a field of Artifactory's repository configurations",
    "foreign_layers?|is_foreign": "Docker's word for layers that a registry does not hold",
}
# Files that name the words on purpose.
EXEMPT_FILES = {
    "LICENSE": "the text of the license",
    "CONTRIBUTING.md": "its glossary names the words that were given up",
    "tests/tools/check_words.py": "holds the lists",
}

TASK_FILES = ("roles/*/tasks/*", "roles/*/tasks/phases/*", "playbooks/*", "tests/integration/targets/*/tasks/*")


class Hit(t.NamedTuple):
    line: int
    word: str
    use: str


def check_text(text: str) -> t.Iterator[Hit]:
    """Find the words given up everywhere, also as parts of snake_case and CamelCase names."""
    for number, line in enumerate(text.splitlines(), 1):
        plain = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", _TERMS.sub("", line))
        for match in _EVERYWHERE.finditer(plain):
            yield Hit(number, match[0], _find_use(match[0]))


def check_python(text: str) -> t.Iterator[Hit]:
    """Find given-up names among what a Python file defines, and among the options and results that a module documents."""
    for node in ast.walk(ast.parse(text)):
        if name := _get_defined_name(node):
            yield from _check_name(getattr(node, "lineno", 1), name)
        match node:
            case ast.Assign(targets=[ast.Name("DOCUMENTATION" | "RETURN")], value=ast.Constant(str() as yaml)):
                yield from check_yaml_keys(yaml, node.lineno)


def check_yaml_keys(text: str, first_line: int = 1) -> t.Iterator[Hit]:
    """Find given-up names among the keys of a YAML text, and among the variables that its tasks set."""
    for number, line in enumerate(text.splitlines(), first_line):
        if match := re.match(r"\s*(?:- )?(?:(?:register|loop_var|index_var):\s*([a-z_]\w*)|([A-Za-z_]\w*):)", line):
            yield from _check_name(number, match[1] or match[2])


def check_task_names(text: str) -> t.Iterator[Hit]:
    for number, line in enumerate(text.splitlines(), 1):
        if match := re.match(r"\s*- name:\s*(\S.*)", line):
            for word in re.findall(r"[a-z]+", match[1].lower()):
                if word in _NAMES and word not in FINE_IN_TASK_NAMES:
                    yield Hit(number, word, f"{_NAMES[word]} (in a task name)")


def check_file(file: Path) -> list[Hit]:
    text = (ROOT / file).read_text(encoding="utf-8")
    hits = list(check_text(text))
    if file.suffix == ".py":
        hits += check_python(text)
    elif any(file.match(pattern) for pattern in TASK_FILES):
        hits += [*check_task_names(text), *check_yaml_keys(text)]
    elif file.parts[0] in ("plugins", "roles") and file.suffix == ".yml":
        hits += check_yaml_keys(text)
    return sorted(set(hits))


def main() -> int:
    chosen = [PurePath(path) for path in sys.argv[1:]]
    count = 0
    for file in source_files():
        is_chosen = not chosen or any(file.is_relative_to(path) for path in chosen)
        if is_chosen and file.suffix != ".png" and file.as_posix() not in EXEMPT_FILES:
            for hit in check_file(file):
                count += 1
                print(f"{file}:{hit.line}: {hit.word} → use {hit.use}")
    print(f"{count} words to replace; the glossary in CONTRIBUTING.md says with what")
    return 1 if count else 0


def _check_name(line: int, name: str) -> t.Iterator[Hit]:
    # The name of a test is a sentence.
    if name.startswith("test_") or _TERMS.fullmatch(name):
        return
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().strip("_")
    if snake in _NAMES:
        yield Hit(line, name, _NAMES[snake])
        return
    for word in PARTS.intersection(snake.split("_")):
        yield Hit(line, name, f"{_NAMES[word]} instead of {word}")


def _get_defined_name(node: ast.AST) -> str | None:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.ExceptHandler)):
        return node.name
    if isinstance(node, ast.arg):
        return node.arg
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        return node.id
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        return node.attr
    return node.asname if isinstance(node, ast.alias) else None


def _find_use(word: str) -> str:
    for pattern, use in EVERYWHERE.items():
        if re.fullmatch(pattern, word, re.IGNORECASE):
            return use
    for pattern, use in BRITISH.items():
        if match := re.fullmatch(pattern, word, re.IGNORECASE):
            return match.expand(use)
    return "another word"


_EVERYWHERE = re.compile(rf"(?<![A-Za-z])(?:{'|'.join([*EVERYWHERE])}|{'|'.join(BRITISH)})(?![A-Za-z])", re.IGNORECASE)
_TERMS = re.compile("|".join(TERMS))
_NAMES = {word: use for words, use in NAMES.items() for word in words.split()}

if __name__ == "__main__":
    sys.exit(main())
