# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The metrics, as real parsers read them, and the documentation of the report."""

from __future__ import annotations

import re
import subprocess
import typing as t
from pathlib import Path

import prometheus_client.openmetrics.parser
import prometheus_client.parser
import pytest
import yaml

from ansible_collections.cgr.pull_through.plugins.plugin_utils._report_metrics import HELP, report_metrics
from support.programs import find_program
from support.report_samples import mixed_report
from support.report_scenario import Scenario

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "report.md"
PARSERS = (prometheus_client.openmetrics.parser, prometheus_client.parser)


def metric_names(text: str) -> set[str]:
    return set(re.findall(r"\bpull_through_[a-z_]+", text)) - {"pull_through_report"}


@pytest.mark.parametrize("parser", PARSERS)
def test_parsers_read_the_metrics_of_a_run(scenario: Scenario, parser: t.Any) -> None:
    text = scenario.reports["verify"].with_suffix(".prom").read_text(encoding="utf-8")
    families = {family.name: family for family in parser.text_string_to_metric_families(text)}
    works = {tuple(sample.labels.values()): sample.value for sample in families["pull_through_source_works"].samples}
    assert works["amsterdam", "containers", "cgr-private"] == 1
    assert works["berlin", "containers", "cgr-private"] == 0
    hosts = {sample.labels["host"]: sample.value for sample in families["pull_through_host_works"].samples}
    assert hosts == {"amsterdam": 1, "berlin": 0, "chicago": 1, "denver": 0}
    assert {family.type for family in families.values()} == {"gauge"}


@pytest.mark.parametrize("parser", PARSERS)
def test_parsers_read_each_metric(parser: t.Any) -> None:
    families = list(parser.text_string_to_metric_families(report_metrics(mixed_report())))
    assert {family.name for family in families} == {f"pull_through_{name}" for name in HELP}
    assert all(family.documentation for family in families)


def test_the_document_names_each_metric() -> None:
    table = DOCUMENT.read_text(encoding="utf-8").partition("## Metrics")[2].partition("## Alert rules")[0]
    assert metric_names(table) == {f"pull_through_{name}" for name in HELP}


def test_the_document_names_each_field() -> None:
    text = DOCUMENT.read_text(encoding="utf-8").partition("## JSON")[2].partition("## Metrics")[0]
    words = set(re.findall("[a-z_]+", text))
    assert field_names(mixed_report()) <= words


def field_names(value: t.Any) -> set[str]:
    """Return the names of all fields in a JSON value."""
    if isinstance(value, list):
        return set().union(*map(field_names, value))
    if not isinstance(value, dict):
        return set()
    return set(value).union(*map(field_names, value.values()))


def alert_rules() -> str:
    """Return the alert rules of the documentation."""
    _before, _fence, rest = DOCUMENT.read_text(encoding="utf-8").partition("```yaml\n")
    return rest.partition("```")[0]


def test_alert_rules_use_metrics_that_exist() -> None:
    expressions = [rule["expr"] for group in yaml.safe_load(alert_rules())["groups"] for rule in group["rules"]]
    assert expressions
    for expression in expressions:
        assert metric_names(expression) and metric_names(expression) <= {f"pull_through_{name}" for name in HELP}


def test_promtool_accepts_the_alert_rules(tmp_path: Path) -> None:
    file = tmp_path / "rules.yml"
    file.write_text(alert_rules(), encoding="utf-8")
    subprocess.run([find_program("promtool"), "check", "rules", str(file)], check=True)
