# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Examples in the documentation: their YAML is valid, and the modules, options, role variables, playbooks and files that they name exist."""

from __future__ import annotations

import ast
import re
import typing as t
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml

from support.ansible_yaml import parse_yaml

ROOT = Path(__file__).resolve().parents[2]
MODULES = {file.stem: file for file in (ROOT / "plugins" / "modules").glob("[a-z]*.py")}
PLAYBOOKS = {file.stem for file in (ROOT / "playbooks").glob("*.yml")}
PAGES = [
    *(ROOT / name for name in ("README.md", "SECURITY.md", "CONTRIBUTING.md", "roles/pull_through/README.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "extensions").rglob("*.md")),
]
# Links to the repository, which Galaxy shows outside of a checkout.
REPOSITORY = "https://example.com/cgr/pull_through/blob/main/"
PAGE_IDS = [str(page.relative_to(ROOT)) for page in PAGES]

Json = dict[str, t.Any]


def read_constant(module: str, name: str) -> str:
    """Return a text constant of a module."""
    for node in ast.parse(MODULES[module].read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return str(ast.literal_eval(node.value))
    raise AssertionError(f"{module} has no {name}")


def documented_options(module: str) -> Json:
    """Return the documented options of a module, with those of its fragments."""
    documentation = yaml.safe_load(read_constant(module, "DOCUMENTATION"))
    options: Json = dict(documentation.get("options", {}))
    for fragment in documentation.get("extends_documentation_fragment", []):
        file = ROOT / "plugins" / "doc_fragments" / f"{fragment.split('.')[2]}.py"
        for text in re.findall(r'[A-Z_]+ = r?"""(.*?)"""', file.read_text(encoding="utf-8"), re.DOTALL):
            options |= yaml.safe_load(text).get("options", {})
    return options


def find_tasks(content: t.Any) -> t.Iterator[tuple[str, Json]]:
    """Yield each module of this collection with its arguments, anywhere in a document."""
    if isinstance(content, list):
        for item in content:
            yield from find_tasks(item)
    elif isinstance(content, dict):
        for key, value in content.items():
            name = str(key).removeprefix("cgr.pull_through.")
            if str(key).startswith("cgr.pull_through."):
                yield name, value if isinstance(value, dict) else {}
            yield from find_tasks(value)


def validate_tasks(content: t.Any) -> None:
    """Raise AssertionError for a module or an option that does not exist."""
    for module, arguments in find_tasks(content):
        assert module in MODULES, module
        options = documented_options(module)
        assert set(arguments) <= set(options), f"{module}: {set(arguments) - set(options)}"
        for name, value in arguments.items():
            if isinstance(value, list) and "suboptions" in options[name]:
                fields = {field for item in value if isinstance(item, dict) for field in item}
                assert fields <= set(options[name]["suboptions"]), f"{module}, {name}"


def public_names() -> set[str]:
    """Return the public variables of the role and of the playbooks, and the metrics of the report."""
    specs = yaml.safe_load((ROOT / "roles/pull_through/meta/argument_specs.yml").read_text(encoding="utf-8"))
    names = {name for spec in specs["argument_specs"].values() for name in spec["options"]}
    metrics = (ROOT / "plugins/plugin_utils/_report_metrics.py").read_text(encoding="utf-8")
    names |= set(re.findall(r"pull_through_\w+", metrics)) | {
        f"pull_through_{name}" for name in re.findall(r'"(\w+)"', metrics)
    }
    # A variable of the playbooks, and the fact that each run sets.
    return names | {"pull_through_hosts", "pull_through_result"}


@pytest.mark.parametrize("module", sorted(MODULES))
def test_examples_of_a_module(module: str) -> None:
    examples = parse_yaml(read_constant(module, "EXAMPLES"))
    assert module in {name for name, _arguments in find_tasks(examples)}
    validate_tasks(examples)


@pytest.mark.parametrize("page", PAGES, ids=PAGE_IDS)
def test_yaml_of_a_page(page: Path) -> None:
    for block in re.findall(r"^ *```yaml\n(.*?)^ *```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        validate_tasks(parse_yaml(block))


@pytest.mark.parametrize("page", PAGES, ids=PAGE_IDS)
def test_names_in_a_page_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    names = set(re.findall(r"(?<![\w./-])pull_through_[a-z_]*[a-z](?![\w*(-])", text))
    assert names <= public_names()
    assert set(re.findall(r"ansible-playbook cgr\.pull_through\.(\w+)", text)) <= PLAYBOOKS
    assert set(re.findall(r"ansible-doc cgr\.pull_through\.(\w+)", text)) <= set(MODULES)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = {
        *re.findall(r"^([a-z-]+):", makefile, re.MULTILINE),
        *re.findall(r"(?<=STAGES := ).*", makefile)[0].split(),
    }
    assert set(re.findall(r"(?<=[`\n])make ([a-z-]+)", text)) <= targets


@pytest.mark.parametrize("page", PAGES, ids=PAGE_IDS)
def test_links_of_a_page_lead_to_files(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        path, _mark, anchor = link.removeprefix(REPOSITORY).partition("#")
        if "://" in path:
            continue
        target = (ROOT if link.startswith(REPOSITORY) else page.parent) / unquote(path) if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), link


def anchors(text: str) -> set[str]:
    """Return the anchors of the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_readme_has_the_sections_of_automation_hub_in_order() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == [
        "Description",
        "Requirements",
        "Installation",
        "Use cases",
        "Testing",
        "Contributing",
        "Support",
        "Release notes and roadmap",
        "Related information",
        "License information",
    ]
    # Galaxy shows the page without the files beside it.
    assert all("://" in link for link in re.findall(r"\]\(([^)\s]+)\)", text))


def test_no_task_of_the_role_is_an_assertion() -> None:
    """One that fails prints its condition."""
    files = [*(ROOT / "roles").rglob("*.yml"), *(ROOT / "playbooks").rglob("*.yml")]
    assert [file.name for file in files if "builtin.assert" in file.read_text(encoding="utf-8")] == []
