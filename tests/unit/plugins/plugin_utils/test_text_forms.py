# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""For each variable of each entry point, text gives the same plan as the native value, through the templates of the role."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import role_templates

from ansible_collections.cgr.pull_through.plugins.plugin_utils import _variables

ENTRY_POINTS = _variables._load_specs()
# What these types have elsewhere is no value that makes sense here.
NATIVE: dict[str, t.Any] = {
    "artifactory_url": "https://artifactory.example.com",
    "artifactory_previous_urls": ["https://old.example.com", "https://older.example.com"],
    "registry_url": "https://registry.example.com",
    **{
        f"chainguard_{name}_url": f"https://{name}.example.com"
        for name in ("api", "issuer", "registry", "libraries", "apk")
    },
    "chainguard_virtualapk_url": "https://virtualapk.example.com",
    "sources": ["mine", "other"],
    "only": ["other"],
    # The two exclude each other.
    "prune": False,
    "catalog": {
        "mine": {"key": "mine", "package_type": "docker", "url": "https://cgr.dev/"},
        "other": {"key": "other", "package_type": "pypi", "url": "https://libraries.cgr.dev/", "artifacts": ["six"]},
    },
    "virtual_catalog": {"all": {"key": "all", "package_type": "docker", "members": ["mine"]}},
    "virtuals": ["all"],
    "source_overrides": {"mine": {"images": ["a", "b"], "settings": {"hardFail": True}}},
    "virtual_overrides": {"all": {"settings": {"description": "x"}}},
    "grace_period": "30m",
    "token_ttl": "720h",
    "token_renew_before": "100h",
    "run_interval": "24h",
    "warm_manifests": ["/srv/deploy", "~/other"],
    "warm_changed_within": "7d",
    "warm_shard": "1/2",
}
BY_TYPE: dict[str, t.Any] = {
    "str": "text",
    "path": "/tmp/file",
    "int": 30,
    "float": 2.5,
    "bool": True,
    "bytes": "50M",
    "list": ["one", "two"],
    "dict": {},
}


def native(name: str, option: dict[str, t.Any]) -> t.Any:
    kind, choices = option.get("type", "str"), option.get("choices")
    if choices:
        return list(choices) if kind == "list" else choices[-1]
    return NATIVE.get(name.removeprefix("pull_through_"), BY_TYPE[kind])


def as_json(value: t.Any) -> t.Any:
    return (
        json.dumps(value)
        if isinstance(value, (list, dict))
        else str(value).lower() if isinstance(value, bool) else str(value)
    )


def as_lines(value: t.Any) -> t.Any:
    if isinstance(value, list):
        return "\n".join(value) + "\n"
    return json.dumps(value, indent=1) if isinstance(value, dict) else f" {'yes' if value is True else value} \n"


def as_commas(value: t.Any) -> t.Any:
    return ", ".join(value) if isinstance(value, list) else json.dumps(value) if isinstance(value, dict) else str(value)


FORMS: dict[str, t.Callable[[t.Any], t.Any]] = {"json": as_json, "lines": as_lines, "commas": as_commas}
EMPTY: dict[str, t.Any] = {"empty": "", "null": None}
# Without these, a run cannot connect. The other URLs mean something else if they are empty.
KEPT = ("pull_through_artifactory_url", "pull_through_artifactory_access_token", *_variables._EMPTY_HAS_MEANING)


UNDEFINED = {
    "pull_through_artifactory_access_token": "Secret. {{ vault_token }}",
    "pull_through_chainguard_registry_url": "{{ registry }}",
    "pull_through_chainguard_api_token": "{{ lookup('file', '/nonexistent') }}",
    "pull_through_artifactory_password": """{{ "it's: hunter2" | to_datetime }}""",
    "pull_through_users": ["ci", "{{ builders }}"],
    "pull_through_source_overrides": {"python": {"settings": {"description": "{{ builders }}"}}},
}


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, t.Any]]:
    """Return the plan of each form of all variables, by entry point."""
    cases: dict[tuple[str, str], dict[str, t.Any]] = {}
    for entry_point, options in ENTRY_POINTS.items():
        values = {name: native(name, option) for name, option in options.items()}
        kept = {name: values[name] for name in KEPT if name in values}
        cases[entry_point, "native"] = values
        cases[entry_point, "unset"] = kept
        for form, convert in FORMS.items():
            cases[entry_point, form] = {name: convert(value) for name, value in values.items()}
        for form, value in EMPTY.items():
            cases[entry_point, form] = {**dict.fromkeys(values, value), **kept}
    cases["main", "undefined"] = UNDEFINED
    collections = Path(_variables.__file__).absolute().parents[5]
    process = subprocess.run(
        [sys.executable, role_templates.__file__, str(collections)],
        input=json.dumps([[entry_point, variables] for (entry_point, _form), variables in cases.items()]),
        env={**os.environ, "ANSIBLE_HOME": str(tmp_path_factory.mktemp("home"))},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    results: dict[str, dict[str, t.Any]] = {entry_point: {} for entry_point in ENTRY_POINTS}
    for (entry_point, form), plan in zip(cases, json.loads(process.stdout)):
        results[entry_point][form] = plan
    return results


def differing_values(plan: dict[str, t.Any], expected: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return the values that differ, so that a failure names the variable."""
    values, others = plan["values"], expected["values"]
    return {name: (values[name], others[name]) for name in values if values[name] != others[name]}


def test_variables_that_cannot_be_evaluated_are_named_without_their_templates(plans):
    message = plans["main"]["undefined"]["message"]
    assert sorted(message.lower().splitlines()) == [
        "pull_through_artifactory_access_token cannot be evaluated: 'vault_token' is undefined.",
        "pull_through_artifactory_password cannot be evaluated: time data '…' does not match format '…'.",
        "pull_through_catalog, pull_through_chainguard_registry_url cannot be evaluated: 'registry' is undefined.",
        "pull_through_chainguard_api_token cannot be evaluated: file not found.",
        "pull_through_source_overrides, pull_through_users cannot be evaluated: 'builders' is undefined.",
    ]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_text_gives_the_same_plan_as_native_values(plans, entry_point, form):
    expected = plans[entry_point]["native"]
    assert expected["message"] == ""
    assert expected["values"]["timeout"] == 30
    assert differing_values(plans[entry_point][form], expected) == {}
    assert plans[entry_point][form] == expected


def test_tasks_read_only_the_plan():
    """The plan has the typed values, so a task that reads none of the variables themselves does the same with each form."""
    folder = Path(_variables.__file__).absolute().parents[2] / "roles" / "pull_through" / "tasks"
    published = {"pull_through_result"}
    expression = re.compile(r"{{.*?}}|^ *(?:when|failed_when|changed_when): [^\n]*", re.DOTALL | re.MULTILINE)
    raw = {
        (file.name, name)
        for file in folder.rglob("*.yml")
        for text in expression.findall(file.read_text(encoding="utf-8"))
        for name in re.findall(r"(?<![\w.])pull_through_\w+", re.sub("'[^']*'", "", text))
        if name not in published
    }
    assert len(list(folder.rglob("*.yml"))) > 20 and raw == set()


def test_modules_get_typed_values(plans):
    connection, (limits,) = plans["main"]["lines"]["options"][0], plans["warm"]["lines"]["options"]
    assert (connection["timeout"], connection["validate_certs"], connection["ca_path"]) == (30, True, "/tmp/file")
    assert (limits["threads"], limits["max_bytes"], limits["requests_per_second"]) == (30, 50 << 20, 2.5)


@pytest.mark.parametrize("form", EMPTY)
@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_empty_values_give_the_same_plan_as_none(plans, entry_point, form):
    expected = plans[entry_point]["unset"]
    assert expected["message"] == "" and expected["values"]["timeout"] is None
    assert differing_values(plans[entry_point][form], expected) == {}
    assert plans[entry_point][form] == expected
