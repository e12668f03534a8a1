# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from pathlib import Path

import pytest
from role_sources import resolved

from ansible_collections.cgr.pull_through.plugins.plugin_utils._diagnosis import (
    REMEDIES,
    paths_to_delete,
    repaired_sources,
    report_diagnosis,
    repositories_to_correct,
    repositories_to_switch_on,
    sources_to_diagnose,
)

FINDING = {
    "source": "apk",
    "code": "offline",
    "severity": "error",
    "certainty": "known",
    "cause": "It is offline.",
    "evidence": "offline: true",
    "fix": "Set offline to false.",
    "path": "",
}


def report(diagnosis):
    return report_diagnosis(diagnosis, "720h", "", "")


def result(*findings, can_pull=None, url="", token=None):
    state = {"token": token or {}, "can_pull": can_pull, "findings": len(findings)}
    sources = [{"name": "apk", "key": "cgr-apk", "url": url, **state}]
    return {"findings": list(findings), "unknown": ["Nothing was pulled."], "sources": sources}


def test_sources_and_virtual_repositories():
    catalog = {"all": {"key": "cgr-all", "package_type": "alpine", "members": ["apk", "open", "other"]}}
    items = sources_to_diagnose(resolved("apk", "open"), ["all"], catalog)
    assert [item["key"] for item in items] == ["cgr-apk", "cgr-open", "cgr-all"]
    assert items[0]["pull_token"] == "apk" and "images" not in items[0] and "pull_token" not in items[1]
    assert items[2]["members"] == ["cgr-apk", "cgr-open"]


def test_report():
    lines = report(result(FINDING, can_pull=False))
    assert lines["lines"] == [
        "error  known  apk  offline  It is offline.",
        "    evidence: offline: true",
        "    fix: Set offline to false.",
        "apk: cannot be pulled",
        "Not known: Nothing was pulled.",
    ]
    assert lines["failures"] == ["apk: It is offline. Set offline to false."]


@pytest.mark.parametrize(("days", "is_overdue"), [(20, False), (11, True), (-1, True)])
def test_an_overdue_rotation_is_in_the_report(days, is_overdue):
    diagnosis = result(token={"expires": "2031-01-21T00:00:00Z", "seconds_left": days * 86400})
    text = "The rotation of the pull token of cgr-apk is overdue since 2031-01-06. Does the playbook cgr.pull_through.rotate"
    assert any(line.startswith(text) for line in report(diagnosis)["lines"]) is is_overdue
    assert report(diagnosis)["failures"] == []


def test_a_warning_is_no_failure():
    assert report(result({**FINDING, "severity": "warning"}))["failures"] == []


def test_what_prevents_all_pulls_is_a_failure():
    finding = {**FINDING, "source": "", "code": "credentials_rejected"}
    assert report(result(finding))["failures"] == ["credentials_rejected: It is offline. Set offline to false."]


def test_a_pull_that_failed_without_a_finding_is_a_failure():
    assert report(result(can_pull=False))["failures"] == ["apk cannot be pulled."]


def test_remedies_are_for_the_sources_with_a_finding():
    sources = [source.to_facts() for source in resolved("apk", "open")]
    diagnosis = result(FINDING, {**FINDING, "source": "open", "code": "upstream_credentials"})
    assert [source["name"] for source in repaired_sources(sources, diagnosis, ["offline"], "offline")] == ["apk"]
    assert repaired_sources(sources, diagnosis, ["settings"], "offline") == []
    assert repaired_sources(sources, diagnosis, ["token"], "token") == []  # it needs no pull token


def test_requests_of_the_remedies():
    (apk,) = resolved("apk")
    assert repositories_to_switch_on([apk])[0]["settings"] == {"offline": False, "blackedOut": False}
    invalid = {**FINDING, "code": "html_cached", "path": "x/y.apk"}
    expected = [{"key": "cgr-apk", "state": "absent", "paths": ["x/y.apk"]}]
    assert paths_to_delete([apk], result(invalid, invalid)) == expected
    assert paths_to_delete([apk], result(FINDING)) == []


def test_settings_to_correct():
    (apk,) = resolved("apk")
    (spec,) = repositories_to_correct([apk], result(FINDING, url="https://apk.cgr.dev/example.com"))
    assert (spec["url"], spec["settings"]) == ("https://apk.cgr.dev/example.com", apk.settings)
    hidden = {**FINDING, "code": "excluded_by_pattern"}
    (spec,) = repositories_to_correct([apk], result(hidden, url="https://virtualapk.cgr.dev/{organization_uid}/x"))
    assert "url" not in spec
    assert spec["settings"] == {"includesPattern": "**/*", "excludesPattern": "", **apk.settings}


def test_remedies_are_for_codes_that_exist():
    page = Path(__file__).resolve().parents[4] / "docs" / "diagnosis-codes.md"
    codes = set(re.findall(r"^\| `([a-z_]+)`", page.read_text(encoding="utf-8"), re.MULTILINE))
    assert set().union(*REMEDIES.values()) <= codes
