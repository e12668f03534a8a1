# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Messages of modules that the role runs name its variables, and no options. Checks the texts of the code itself."""

from __future__ import annotations

import ast
import functools
import re
import types
import typing as t
from pathlib import Path

import pytest
import yaml
from scripted import ScriptedTransport

from ansible_collections.cgr.pull_through.plugins.module_utils._module import PullThroughModule
from ansible_collections.cgr.pull_through.plugins.module_utils._variable_names import name_variables

PLUGINS = Path(__file__).parents[4] / "plugins"
OVERRIDES = "pull_through_source_overrides"
# What the role does not use, or sets itself to what is always valid.
OTHER_OPTIONS = {
    "architectures",
    "cache_period",
    "compare_images",
    "consumer",
    "entire_cache",
    "expires_in",
    "from_upstream",
    "groups",
    "propagation_timeout",
    "pulls",
    "query",
    "referrers",
    "repositories",
    "repository",
    "token_id",
}
# The role always sets one of both.
UNREACHABLE = (
    "repository and upstream_url are missing.",
    "Set repository, or upstream_url to pull without Artifactory.",
)


@functools.cache
def option_names() -> frozenset[str]:
    """Return the names of all options of all modules."""
    names: set[str] = set()
    for file in [*(PLUGINS / "modules").glob("*.py"), *(PLUGINS / "doc_fragments").glob("*.py")]:
        for text in re.findall(r'DOCUMENTATION = r?"""(.*?)"""', file.read_text(encoding="utf-8"), re.DOTALL):
            names.update(_names_of(yaml.safe_load(text).get("options")))
    return frozenset(names)


def _names_of(options: dict[str, t.Any] | None) -> t.Iterator[str]:
    for name, option in (options or {}).items():
        yield name
        yield from _names_of(option.get("suboptions"))


@functools.cache
def mention() -> re.Pattern[str]:
    """Return a pattern of an option: a name with an underscore, or a word in a sentence that sets it or begins with it."""
    names = "|".join(name for name in sorted(option_names(), key=len, reverse=True) if "_" in name or name == "ttl")
    words = "|".join(name for name in sorted(option_names(), key=len, reverse=True) if "_" not in name)
    return re.compile(
        rf"(?<![\w./-])(?P<name>{names})(?![\w/-]|\.\w)"
        rf"|\b(?:[Ss]et|[Ii]ncrease|[Ll]ower|[Rr]aise|[Oo]mit|[Oo]ption|[Cc]heck|[Uu]se) (?P<word>{words})\b(?! of)"
        rf"|^(?P<first>{words}) (?:is|has|must|contains|cannot)\b"
    )


def texts(file: Path) -> t.Iterator[str]:
    """Yield the sentences in the code of a file, with a placeholder for each value."""
    skipped: set[int] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.Expr, ast.Assign)) and _is_documentation(node):
            skipped.add(id(node.value))
        elif isinstance(node, ast.JoinedStr):
            skipped.update(map(id, node.values))
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield node.value


def _is_documentation(node: ast.Expr | ast.Assign) -> bool:
    return isinstance(node, ast.Expr) or getattr(node.targets[0], "id", "") in ("DOCUMENTATION", "EXAMPLES", "RETURN")


def options_in(message: str) -> set[str]:
    """Return the options that a message names."""
    rest = re.sub(rf"pull_through_\w+|\w+ in {OVERRIDES}", "", message)
    return {match["name"] or match["word"] or match["first"] for match in mention().finditer(rest)}


def test_no_message_of_the_role_names_an_option() -> None:
    files = sorted([*(PLUGINS / "module_utils").rglob("*.py"), *(PLUGINS / "modules").glob("*.py")])
    messages = [text for file in files for text in texts(file) if " " in text and text not in UNREACHABLE]
    assert any("artifactory_url" in options_in(message) for message in messages), "the check finds options"
    named = {message: options_in(name_variables(message, OVERRIDES, is_message=True)) for message in messages}
    assert {message: options for message, options in named.items() if options - OTHER_OPTIONS} == {}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Set artifactory_url.", "Set pull_through_artifactory_url."),
        ("ttl must be more than 0.", "pull_through_token_ttl must be more than 0."),
        ("url is not a URL: 'x'.", f"url in {OVERRIDES} is not a URL: 'x'."),
        ("Choose another key, or delete it.", f"Set another key in {OVERRIDES}, or delete it."),
        ("cgr-go: organization is missing.", "cgr-go: pull_through_organization is missing."),
        ("The organization and its url is missing.", "The organization and its url is missing."),
        ("GET https://example.com/ttl: status 404.", "GET https://example.com/ttl: status 404."),
        ("organization is missing for the token x.", "pull_through_organization is missing for the token x."),
        ("Or increase timeout.", "Or increase pull_through_timeout."),
    ],
)
def test_names_in_messages(message: str, expected: str) -> None:
    assert name_variables(message, OVERRIDES, is_message=True) == expected


def test_only_messages_are_changed() -> None:
    result = {
        "failed": True,
        "pulls": [{"repository": "ttl", "msg": "Check ca_path.", "error": {"hint": "Set ca_path."}}],
    }
    assert name_variables(result, OVERRIDES) == {
        "failed": True,
        "pulls": [
            {
                "repository": "ttl",
                "msg": "Check pull_through_ca_path.",
                "error": {"hint": "Set pull_through_ca_path."},
            }
        ],
    }


def test_a_message_is_short_although_the_names_of_variables_are_longer(run_module, monkeypatch):
    monkeypatch.setenv("PULL_THROUGH_ROLE", "true")
    module = types.SimpleNamespace(main=lambda: PullThroughModule(argument_spec={}).fail_json(msg="Set ca_path. " * 76))
    message = run_module(module, ScriptedTransport())["msg"]
    assert message.startswith("Set pull_through_ca_path.") and len(message) == 1000
