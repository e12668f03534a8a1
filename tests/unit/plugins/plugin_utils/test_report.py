# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import html.parser
import json
import typing as t

import pytest

from ansible_collections.cgr.pull_through.plugins.plugin_utils._report import NOT_RUN
from ansible_collections.cgr.pull_through.plugins.plugin_utils._report_metrics import report_metrics
from ansible_collections.cgr.pull_through.plugins.plugin_utils._run_result import STOPPED
from support.report_samples import NOW, healthy_part, mixed_report, page, part, report, source, token

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&lt; {{ 7 * 7 }} {% raw %}"


class Elements(html.parser.HTMLParser):
    """The elements, attributes and texts of a page."""

    def __init__(self, text):
        super().__init__()
        self.names, self.attributes, self.text = set(), [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.names.add(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data


# --- the data ---------------------------------------------------------------------------------------------------------
def test_all_hosts_work():
    data = report(amsterdam=healthy_part(), berlin=healthy_part("berlin", shift=-2))
    assert data["findings"] == []
    summary = {name: data["summary"][name] for name in ("state", "hosts", "sources", "works", "failed")}
    assert summary == {"state": "ok", "hosts": 2, "sources": 16, "works": 16, "failed": 0}
    first = data["summary"]["first_expiry"]
    assert (first["host"], first["repository"], first["days_left"]) == ("berlin", "cgr-private", 16)


def test_a_finding_that_several_repositories_share_is_told_once_and_errors_come_first():
    data = mixed_report()
    shared, *warnings = data["findings"]
    assert [item["repository"] for item in shared["affected"]] == ["cgr-private", "cgr-charts"]
    assert (shared["severity"], shared["code"]) == ("error", "token_authentication_off")
    assert [warning["severity"] for warning in warnings] == ["warning", "warning", "warning"]
    assert warnings[-1]["cause"] == NOT_RUN
    assert [host["state"] for host in data["hosts"]] == ["works", "failed", "not_run"]
    assert data["summary"]["hosts_not_run"] == 1


@pytest.mark.parametrize(
    ("days", "state"),
    [(20.0, "valid"), (15.0, "valid"), (14.9, "due"), (0.1, "due"), (0.0, "expired"), (-3.0, "expired")],
)
def test_the_state_of_a_pull_token(days, state):
    (record,) = part(source("private", days=days))["sources"]
    assert record["token"]["state"] == state
    assert record["token"]["rotation_days_left"] == pytest.approx(days - 15)


def test_a_new_pull_token_counts_and_not_the_one_that_it_replaces():
    new = {**token(30), "is_new": True, "username": "org/1", "superseded": ["org/0"]}
    (record,) = part(source("private", days=2, token=new), entry_point="rotate")["sources"]
    assert (record["token"]["new"], record["token"]["days_left"]) == (True, 30)


@pytest.mark.parametrize(("status", "state"), [({}, "unread"), ({"valid": False, "summary": "revoked"}, "none")])
def test_a_pull_token_that_is_not_known(status, state):
    (record,) = part(source("private", token_status=status))["sources"]
    assert (record["token"]["state"], record["token"]["expires"]) == (state, "")


def test_a_pull_token_that_expired_is_a_finding():
    (finding,) = report(a=part(source("private", days=-1)))["findings"]
    assert finding["cause"] == "The pull token expired on 2026-03-01."
    assert "cgr.pull_through.rotate" in finding["fix"]


@pytest.mark.parametrize(("days", "is_late"), [(8, False), (7.5, False), (7.4, True)])
def test_a_pull_token_that_was_not_rotated_for_half_of_its_rotation_window_is_a_warning(days, is_late):
    findings = report(a=part(source("private", days=days)))["findings"]
    assert [(finding["severity"], finding["code"]) for finding in findings] == [
        ("warning", "token_expires_soon")
    ] * is_late
    if is_late:
        assert findings[0]["evidence"] == ["cgr-private on a: rotation due since 2026-02-22, expires on 2026-03-09"]


def test_pull_tokens_that_expire_soon_are_one_warning_which_a_diagnosis_does_not_repeat():
    days_left = {"public": None, "private": 3, "java": 6}
    sources = [source(name, days=days or 20) for name, days in days_left.items()]
    (finding,) = report(a=part(*sources))["findings"]
    assert [item["repository"] for item in finding["affected"]] == ["cgr-private", "cgr-java"]
    texts = {"severity": "warning", "code": "token_expires_soon", "cause": "It expires.", "fix": "Rotate it."}
    diagnosed = {**texts, "certainty": "known", "evidence": "x", "path": "", "source": "private"}
    findings = report(a=part(*sources, diagnosis={"findings": [diagnosed], "sources": []}))["findings"]
    assert [[item["repository"] for item in finding["affected"]] for finding in findings] == [
        ["cgr-private"],
        ["cgr-java"],
    ]


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ([{"failed": True, "msg": "no response"}], "no response"),
        (
            [{"failed": True, "msg": "items failed", "results": [{}, {"failed": True, "msg": "status 403"}]}],
            "status 403",
        ),
        ([{"failed": False, "msg": "fine"}, {}], STOPPED),
    ],
)
def test_a_host_whose_run_stopped_has_failed(results, message):
    data = report(a=part(stopping_results=results, has_ended=False))
    assert (data["hosts"][0]["state"], data["findings"][0]["cause"]) == ("failed", message)


def test_variables_that_are_not_valid_stop_the_run_and_not_the_report():
    data = report(
        a=part(source("private"), ttl="soon", stopping_results=[{"failed": True, "msg": "ttl"}], has_ended=False)
    )
    assert [finding["cause"] for finding in data["findings"]] == ["ttl"]


@pytest.mark.parametrize(
    "broken", ["", "{", "[]", "null", '{"hosts": 1}', '{"hosts": [{"name": "a", "sources": [[]]}]}']
)
def test_a_source_keeps_the_time_of_its_last_verification(broken):
    unverified = part(source("private", pulled=[], verification={}), entry_point="rotate")
    earlier = json.dumps(report(a=part(source("private"), time="2026-02-01T00:00:00Z")))
    assert report(earlier, a=unverified)["hosts"][0]["sources"][0]["verified"] == "2026-02-01T00:00:00Z"
    assert report(earlier, b=unverified)["hosts"][0]["sources"][0]["verified"] == ""
    assert report(broken, a=unverified)["hosts"][0]["sources"][0]["verified"] == ""


def test_what_came_from_the_cache_alone_does_not_work():
    cached = {"summary": "not verified: everything came from the cache", "is_unverified": True, "details": []}
    (record,) = part(source("private", verification=cached))["sources"]
    assert record["pulled"] and (record["state"], record["verified"]) == ("not_verified", "")


@pytest.mark.parametrize(("can_pull", "state"), [(False, "failed"), (None, "not_verified"), (True, "works")])
def test_a_diagnosis_shows_the_state_and_adds_its_findings(can_pull, state):
    texts = {"severity": "error", "code": "offline", "cause": "It is offline.", "fix": "Clear offline."}
    finding = {**texts, "certainty": "known", "evidence": "offline is true", "path": ""}
    findings = [{**finding, "source": name} for name in ("private", "cgr-all", "")]
    diagnosis = {"sources": [{"name": "private", "can_pull": can_pull}], "findings": findings}
    host = part(source("private", pulled=[], verification={}), diagnosis=diagnosis)
    assert [(record["state"], bool(record["verified"])) for record in host["sources"]] == [(state, can_pull is True)]
    (item,) = report(a=host)["findings"]
    assert (item["code"], item["certainty"], item["evidence"]) == ("offline", "known", ["offline is true"])
    assert [affected["repository"] for affected in item["affected"]] == ["cgr-private", "cgr-all", ""]


def test_no_credentials_of_a_url_are_in_the_report():
    data = report(a=part(artifactory_url="https://admin:secret@artifactory.example.com/?token=secret"))
    assert data["hosts"][0]["artifactory_url"] == "https://artifactory.example.com/"


# --- the page ---------------------------------------------------------------------------------------------------------
def hostile_report():
    diagnosis = {"code": HOSTILE, "cause": HOSTILE, "fix": HOSTILE}
    pulled = [{"name": HOSTILE, "version": HOSTILE, "digest": HOSTILE, "from_upstream": None}]
    tag = {"image": HOSTILE, "digest": HOSTILE, "upstream_digest": "", "hours_behind": 1.0, "overdue": True}
    virtual = {
        "key": HOSTILE,
        "package_type": HOSTILE,
        "repositories": [HOSTILE],
        "failure": HOSTILE,
        "verification": {},
    }
    fields: dict[str, t.Any] = {"title": HOSTILE, "pulled": pulled, "tag_age": [tag]}
    texts = dict.fromkeys(("source", "code", "certainty", "evidence", "cause", "fix"), HOSTILE)
    finding = {"severity": "error", **texts}
    broken = part(
        source("private", failure=HOSTILE, diagnoses=[diagnosis], **fields),
        source("apk", failure=HOSTILE, **fields),
        artifactory_url=f"https://{HOSTILE}",
        entry_point=HOSTILE,
        virtual_repositories=[virtual],
        failures=[HOSTILE],
        diagnosis={"findings": [finding]},
    )
    return report(**{HOSTILE: broken})


def test_no_text_of_a_server_becomes_markup():
    harmless, hostile = Elements(page(mixed_report())), Elements(page(hostile_report()))
    assert hostile.names <= harmless.names
    assert not [name for name, _value in hostile.attributes if name.startswith("on")]
    assert HOSTILE in hostile.text


def test_the_page_needs_no_other_file():
    text = page(mixed_report())
    elements = Elements(text)
    assert elements.names.isdisjoint({"script", "link", "img", "iframe", "object", "base", "form"})
    links = [value for name, value in elements.attributes if name in ("href", "src", "srcset", "xlink:href", "action")]
    assert links and all(link.startswith("#host-") for link in links)
    assert "url(http" not in text and "@import" not in text


@pytest.mark.parametrize(
    ("data", "verdict"),
    [
        (report(), "Nothing to report"),
        (report(a=None), "No failure, 1 warning"),
        (report(a=part()), "Nothing to report"),
        (report(a=part(failures=["no permission"])), "1 error"),
        (report(a=part(source("public"))), "1 source works"),
        (report(a=healthy_part()), "All 8 sources work"),
        (report(a=part(source("public", pulled=[], verification={}))), "No failure"),
        (mixed_report(), "2 of 14 sources failed"),
    ],
)
def test_the_verdict(data, verdict):
    assert f"\n{verdict}\n</h2>" in page(data)


# --- the metrics ------------------------------------------------------------------------------------------------------
def test_metrics_escape_the_values_of_labels():
    text = report_metrics(report(**{'a"b\\c\nd': part(source("public"))}))
    assert 'pull_through_host_works{host="a\\"b\\\\c\\nd"} 1\n' in text


def test_metrics_of_a_source():
    lines = report_metrics(report(a=part(source("private", days=20)))).splitlines()
    labels = '{host="a",source="private",repository="cgr-private"}'
    assert f"pull_through_source_works{labels} 1" in lines
    assert f"pull_through_token_days_left{labels} 20" in lines
    assert f"pull_through_token_valid{labels} 1" in lines
    assert "pull_through_report_timestamp_seconds 1772433000" in lines
    assert lines[-1] == "# EOF"
    assert NOW.startswith("2026-03-02")


def test_what_was_not_verified_has_no_result_in_the_metrics():
    text = report_metrics(report(a=part(source("public", pulled=[], verification={})), b=None))
    assert "source_works" not in text
    assert 'pull_through_host_works{host="b"} 0' in text
