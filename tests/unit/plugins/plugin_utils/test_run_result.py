# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The result of a run for other programs: what it has, and that it stays small."""

from __future__ import annotations

import dataclasses
import json

import pytest
from role_sources import issued_result, managed_token, resolved

from ansible_collections.cgr.pull_through.plugins.plugin_utils._phases import add_token_results, fail
from ansible_collections.cgr.pull_through.plugins.plugin_utils._run_result import STOPPED, run_result
from ansible_collections.cgr.pull_through.plugins.plugin_utils._verification import add_verification

DIAGNOSIS = {"code": "rejected_by_upstream", "cause": "x", "fix": "y"}
IMAGE = {"image": "chainguard/go", "digest": "sha256:1", "from_upstream": True}


def result_of(*sources, **options):
    defaults = {"virtual_repositories": [], "failures": [], "entry_point": "main", "site": "a", "planned": False}
    more = {"has_ended": True, "stopping_results": [], "warm_pull": {}, "diagnosis": {}, "repairs": []}
    return run_result(list(sources), **{**defaults, **more, **options})


def verified(name="public", **fields):
    (source,) = resolved(name)
    pull = {"repository": source.key, "failed": False, "summary": [], "images": [{**IMAGE, "ok": True}], **fields}
    return add_verification(source, [{"pulls": [pull]}], [source.key], "")


def test_a_run_without_failures():
    (private,) = resolved("private")
    private = add_token_results(private, {"tokens": [issued_result(private, token=managed_token(private))]}, False)
    result = result_of(verified(), private)
    assert {name: result[name] for name in result if name != "sources"} == {
        "schema_version": 1,
        "entry_point": "main",
        "site": "a",
        "check_mode": False,
        "failed": False,
        "changed": True,
        "failures": [],
    }
    public = {"name": "public", "repository": "cgr-public", "works": True, "cause": "", "message": ""}
    assert result["sources"] == [
        {**public, "expires": "", "days_left": None, "changed": False},
        {
            "name": "private",
            "repository": "CGR_private",
            "works": None,
            "cause": "",
            "message": "",
            "expires": "2031-01-21T00:00:00Z",
            "days_left": 20.0,
            "changed": True,
        },
    ]


def test_a_source_that_failed_has_the_code_of_its_diagnosis():
    image = {**IMAGE, "ok": False, "diagnosis": DIAGNOSIS}
    result = result_of(verified(failed=True, msg="no", images=[image]))
    (record,) = result["sources"]
    assert (result["failed"], record["works"], record["cause"], record["message"]) == (
        *(True, False),
        *("rejected_by_upstream", "no"),
    )


@pytest.mark.parametrize(
    ("stopping_results", "message"),
    [
        ([], STOPPED),
        ([{}, {"skipped": True}, {"failed": True, "msg": "no response"}], "no response"),
        ([{"failed": True, "msg": "One or more", "results": [{"failed": True, "msg": "no access"}]}], "no access"),
    ],
)
def test_a_run_that_stopped(stopping_results, message):
    result = result_of(*resolved("public"), has_ended=False, stopping_results=stopping_results)
    assert (result["failed"], result["failures"]) == (True, [message])
    assert result["sources"][0]["works"] is None
    assert not result_of(stopping_results=stopping_results)["failed"], "that was another run in the same play"


def test_failures_that_belong_to_no_source():
    virtual = {"key": "all", "failure": "no pull", "state": "changed"}
    result = result_of(failures=["no permission"], virtual_repositories=[virtual])
    assert (result["failed"], result["changed"], result["failures"]) == (True, True, ["no permission", "no pull"])


def test_what_was_warmed():
    public, apk = resolved("public", "apk")
    pulls = [{"repository": public.key, "failed": True, "msg": "no", "images": [{"ok": False, "diagnosis": DIAGNOSIS}]}]
    failed, other = result_of(public, apk, entry_point="warm", warm_pull={"pulls": pulls})["sources"]
    assert (failed["works"], failed["cause"], other["works"]) == (False, "rejected_by_upstream", None)
    pulls = [{"repository": public.key, "failed": False, "images": [{"ok": True}]}]
    assert result_of(public, entry_point="warm", warm_pull={"pulls": pulls})["sources"][0]["works"] is True
    assert result_of(public, entry_point="warm", warm_pull={"failed": True, "msg": "no"})["failures"] == ["no"]


def test_what_was_removed():
    (source,) = resolved("private")
    existing = dataclasses.replace(source, current={"key": source.key})
    records = result_of(source, existing, entry_point="remove")["sources"]
    assert [record["changed"] for record in records] == [False, True]


def test_it_stays_small():
    (source,) = resolved("private")
    token = managed_token(source)
    source = dataclasses.replace(fail(source, "x" * 1000, "rejected_by_upstream"), token=token)
    result = result_of(*[source] * 13, failures=[f"{number}{'x' * 1000}" for number in range(20)])
    assert len(json.dumps({"cgr_pull_through": {"host": result}})) < 10_000


def test_what_came_from_the_cache_alone_does_not_show_that_it_works():
    cached = verified(images=[{**IMAGE, "ok": True, "from_upstream": False}])
    assert result_of(cached)["sources"][0]["works"] is None


def test_a_diagnosis_has_the_first_cause_of_each_source_and_what_was_repaired():
    public, private = resolved("public", "private")
    finding = {"source": "private", "code": "token_expired", "severity": "error", "certainty": "known"}
    finding.update(cause="It expired.", fix="Rotate.")
    of_all = {
        "source": "",
        "code": "clock",
        "severity": "error",
        "certainty": "known",
        "cause": "Late.",
        "fix": "Set it.",
    }
    diagnosis = {
        "findings": [of_all, finding, {**finding, "code": "settings_differ"}],
        "sources": [
            {"name": "public", "can_pull": None},
            {"name": "private", "can_pull": False},
            {"name": "all", "can_pull": False},
        ],
    }
    repairs = [{"skipped": True}, {"repositories": [{"key": "cgr-public", "changed": True}, {"key": "CGR_private"}]}]
    result = result_of(public, private, entry_point="diagnose", diagnosis=diagnosis, repairs=repairs)
    assert (result["failed"], result["changed"]) == (True, True)
    assert result["failures"] == ["clock: Late. Set it.", "all cannot be pulled."]
    assert [
        (source["works"], source["cause"], source["message"], source["changed"]) for source in result["sources"]
    ] == [
        (None, "", "", True),
        (False, "token_expired", "private: It expired. Rotate.", False),
    ]
