# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What AWX does with the configuration in extensions/awx/: surveys, variables, and the environment of credentials.

Rules of AWX 24: a default is an entry if it is valid, so the default of a multi-select, which is text, is none. A text that is not
answered is the empty text. Other questions without an entry are not sent.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

import jinja2
import yaml

from support.ansible_yaml import load_yaml

FOLDER = Path(__file__).resolve().parents[2] / "extensions" / "awx"
TEXTS = ("text", "textarea", "password")

Json = dict[str, t.Any]


def load_config() -> Json:
    """Return all variables of extensions/awx/config."""
    files = sorted((FOLDER / "config").glob("*.yml"))
    return {name: value for file in files for name, value in load_yaml(file).items()}


def choices(question: Json) -> list[str]:
    """Return the choices of a question. AWX stores them as text with a line for each."""
    return [line for line in question["choices"].splitlines() if line.strip()]


def is_valid(question: Json, entry: t.Any) -> bool:
    """Return whether AWX accepts an entry."""
    kind = question["type"]
    low, high = question.get("min"), question.get("max")
    if kind in TEXTS:
        return isinstance(entry, str) and (low or 0) <= len(entry) <= (high or 2**16)
    if kind == "integer":
        return isinstance(entry, int) and (low is None or entry >= low) and (high is None or entry <= high)
    if kind == "multiplechoice":
        return entry in choices(question)
    return isinstance(entry, list) and set(entry) <= set(choices(question))


def job_variables(template: Json, entries: Json) -> Json:
    """Return the extra variables of a job. Raises ValueError for entries that AWX rejects."""
    questions = template["survey_spec"]["spec"]
    for question in questions:
        name = question["variable"]
        if name not in entries and question["required"]:
            raise ValueError(f"'{name}' value missing")
        if name in entries and not is_valid(question, entries[name]):
            raise ValueError(f"{name}: {entries[name]!r} is not valid")
    if unknown := set(entries) - {question["variable"] for question in questions}:
        raise ValueError(f"Variables {unknown} are not allowed on launch")
    defaults = {
        question["variable"]: question["default"] for question in questions if is_valid(question, question["default"])
    }
    return {**template["extra_vars"], **defaults, **entries}


def survey_runs(template: Json, examples: Json) -> t.Iterator[Json]:
    """Yield entries: none, each choice, and for a text or a number the empty text and the example by the variable's name."""
    questions = template["survey_spec"]["spec"]
    required = {question["variable"]: question["default"] for question in questions if question["required"]}
    yield required
    yield {**required, **{question["variable"]: "" for question in questions if question["type"] in TEXTS}}
    for question in questions:
        name = question["variable"]
        for entry in choices(question) or [examples[name]]:
            yield {**required, name: [entry] if question["type"] == "multiselect" else entry}


def write_extra_vars(variables: Json) -> str:
    """Return the file of variables that AWX passes to ansible-playbook. Text is unsafe, except the template's own Jinja."""

    class Dumper(yaml.SafeDumper):  # type: ignore[misc]  # yaml has no types
        pass

    def represent(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
        is_template = text.startswith("{{")
        return dumper.represent_scalar("tag:yaml.org,2002:str" if is_template else "!unsafe", text, style="'")

    Dumper.add_representer(str, represent)
    return str(yaml.dump(variables, Dumper=Dumper, width=2**16))


def inject_environment(credential_type: Json, inputs: Json) -> dict[str, str]:
    """Return the environment of a credential. Fields that are not filled in are empty."""
    fields = {field["id"] for field in credential_type["inputs"]["fields"]}
    assert set(inputs) <= fields, f"{credential_type['name']} has no field {set(inputs) - fields}"
    templates = credential_type["injectors"]["env"]
    return {name: jinja2.Template(template).render(inputs) for name, template in templates.items()}
