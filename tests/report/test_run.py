# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report that the playbooks write: one file for all hosts, whatever happened on each."""

from __future__ import annotations

from support.lab_client import Json
from support.report_scenario import HOSTILE, Scenario

HOSTS = ["amsterdam", "berlin", "chicago", "denver"]
SUFFIXES = (".html", ".json", ".prom")


def host(data: Json, name: str) -> Json:
    return next(entry for entry in data["hosts"] if entry["name"] == name)


def source(data: Json, name: str, key: str) -> Json:
    return next(entry for entry in host(data, name)["sources"] if entry["repository"] == key)


def test_all_hosts_are_in_one_report(scenario: Scenario) -> None:
    data = scenario.data("verify")
    assert sorted(entry["name"] for entry in data["hosts"]) == HOSTS
    states = {entry["name"]: entry["state"] for entry in data["hosts"]}
    assert states == {"amsterdam": "works", "berlin": "failed", "chicago": "works", "denver": "failed"}


def test_a_working_source_has_its_verification_digest_and_pull_token(scenario: Scenario) -> None:
    entry = source(scenario.data("verify"), "amsterdam", "cgr-private")
    (image,) = entry["pulled"]
    assert image["digest"] in [tag["digest"] for tag in entry["tags"]]
    assert entry["verified"] and entry["tags"][0]["overdue"] is False
    assert (entry["token"]["state"], round(entry["token"]["days_left"])) == ("valid", 30)


def test_a_failed_source_has_its_cause(scenario: Scenario) -> None:
    entry = source(scenario.data("verify"), "berlin", "cgr-private")
    assert entry["state"] == "failed"
    assert HOSTILE in entry["diagnoses"][0]["cause"]
    assert source(scenario.data("verify"), "berlin", "cgr-public")["state"] == "works"


def test_a_host_without_artifactory_has_its_cause(scenario: Scenario) -> None:
    (failure,) = host(scenario.data("verify"), "denver")["failures"]
    assert "127.0.0.1:9" in failure
    assert scenario.verify.failure("denver") == failure


def test_the_run_fails_as_it_does_without_a_report(scenario: Scenario) -> None:
    failed = {task.host for task in scenario.verify.tasks if task.status == "failed"}
    assert (scenario.verify.code, failed) == (2, {"berlin", "denver"})


def test_writing_the_report_is_no_change_and_shows_no_difference(scenario: Scenario) -> None:
    assert scenario.verify.changed == []
    assert "+++" not in scenario.verify.output
    assert scenario.rotate.output.count("<html") == 0


def test_check_mode_writes_no_report(scenario: Scenario) -> None:
    assert scenario.files_after_check == []
    assert scenario.check.changed == []


def test_a_rotation_reports_new_pull_tokens_and_earlier_verifications(scenario: Scenario) -> None:
    before, after = scenario.data("verify"), scenario.data("rotate")
    assert host(after, "chicago")["entry_point"] == "rotate"
    rotated, kept = (source(after, name, "cgr-private") for name in ("chicago", "amsterdam"))
    assert (rotated["token"]["new"], rotated["state"]) == (True, "works")
    assert (kept["token"]["new"], kept["state"]) == (False, "not_verified")
    assert kept["verified"] == source(before, "amsterdam", "cgr-private")["verified"]


def test_a_diagnosis_reports_its_findings(scenario: Scenario) -> None:
    data = scenario.data("diagnose")
    (berlin,) = data["hosts"]
    assert berlin["entry_point"] == "diagnose"
    assert source(data, "berlin", "cgr-public")["state"] == "failed"
    first = data["findings"][0]
    assert first["affected"] == [{"host": "berlin", "repository": "cgr-public"}]
    assert first["fix"] and first["evidence"] and first["certainty"] == "known"


def test_no_secret_is_in_the_files(scenario: Scenario) -> None:
    secrets = {secret for lab in scenario.labs.values() for secret in lab.credentials()}
    assert secrets
    for file in scenario.reports.values():
        text = "".join(file.with_suffix(suffix).read_text(encoding="utf-8") for suffix in SUFFIXES)
        assert not [secret for secret in secrets if secret in text]


def test_the_message_of_a_server_is_neither_markup_nor_a_template(scenario: Scenario) -> None:
    text = scenario.reports["verify"].read_text(encoding="utf-8")
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; {{ 7 * 7 }}" in text
