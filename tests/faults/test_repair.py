# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook diagnose: its report, and each of its remedies."""

from __future__ import annotations

import typing as t

import pytest

from faults.catalog import FAULTS
from faults.estate import Estate
from support.forked_ansible import open_forked_runner
from support.lab_client import Json, LabClient
from support.playbook_runner import Run
from support.sources import SOURCE_PULLS

NAMES = ("containers", "containers_public", "java")
REMEDIES = ["negative_cache", "poisoned_cache", "settings", "token", "offline"]
REPORT, FAILURE = "Report the findings", "Fail if a source cannot be pulled"
# The fault that each remedy repairs, and the tasks that change something.
CASES = {
    "offline": ("offline containers", ["Switch repositories on", "Expire the caches"]),
    "settings": ("credentials forwarded java", ["Correct settings", "Expire the caches"]),
    "token": (
        "revoked java",
        ["Issue the pull tokens that are due", "Ensure the remote repositories", "Expire the caches"],
    ),
    "negative_cache": ("negative cache", ["Expire the caches"]),
}

Diagnose = t.Callable[..., Run]


@pytest.fixture(scope="module")
def diagnose(estate: Estate, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Diagnose]:
    """Return a function that runs the playbook with remedies and arguments."""
    with open_forked_runner(tmp_path_factory.mktemp("playbooks"), timeout=120) as run:
        overrides = {name: SOURCE_PULLS[name] for name in NAMES}

        def run_diagnose(*arguments: str, **variables: t.Any) -> Run:
            values: Json = {"source_overrides": overrides, "diagnose_pull": True, **variables}
            return run("cgr.pull_through.diagnose", estate.lab.variables(*NAMES, **values), *arguments)

        yield run_diagnose


def break_estate(estate: Estate, fault_name: str) -> None:
    estate.build(NAMES)
    next(fault for fault in FAULTS if fault.name == fault_name).inject(estate)


@pytest.mark.parametrize("remedy", CASES)
def test_remedy(estate: Estate, diagnose: Diagnose, remedy: str) -> None:
    fault, changed = CASES[remedy]
    break_estate(estate, fault)
    before = state(estate.lab)
    planned = diagnose("--check", repair=[remedy], diagnose_pull=remedy == "negative_cache")
    assert state(estate.lab) == before
    repaired = diagnose(repair=[remedy])
    assert repaired.code == 0, repaired.output
    assert repaired.changed == changed
    if remedy != "negative_cache":  # which only a pull shows
        assert planned.changed == changed
    assert "cannot be pulled" not in str(repaired.task(REPORT).result["msg"])


def test_invalid_content_is_deleted(estate: Estate, diagnose: Diagnose) -> None:
    break_estate(estate, "bypassHeadRequests of java")
    failed = diagnose()
    assert failed.code == 2
    assert "redirect_cached" in str(failed.task(REPORT).result["msg"])
    repaired = diagnose(repair=["settings", "poisoned_cache"])
    assert (repaired.code, repaired.changed) == (0, ["Correct settings", "Delete invalid content", "Expire the caches"])


def test_a_healthy_estate_is_not_changed(estate: Estate, diagnose: Diagnose) -> None:
    estate.build(NAMES)
    run = diagnose(repair=REMEDIES)
    assert (run.code, run.changed) == (0, [])
    lines = run.task(REPORT).result["msg"]
    assert lines == [f"{name}: can be pulled" for name in NAMES]


def test_report_and_failure(estate: Estate, diagnose: Diagnose) -> None:
    break_estate(estate, "revoked containers")
    run = diagnose(diagnose_pull=False)
    assert run.code == 2
    lines = run.task(REPORT).result["msg"]
    assert lines[0].split()[:4] == ["error", "known", "containers", "token_revoked"]
    assert "evidence: identity" in lines[1] and "fix: Rotate the pull token" in lines[2]
    assert "containers: cannot be pulled" in lines
    assert run.failure().startswith("containers: Chainguard does not know the identity of cgr-private")


def state(lab: LabClient) -> tuple[Json, list[str]]:
    return lab.repositories(), [token["uid"] for token in lab.pull_tokens()]
