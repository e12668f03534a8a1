# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook diagnose: its report, and each of its remedies."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.cgr.pull_through.plugins.plugin_utils._diagnosis import REMEDIES as REMEDY_CODES
from faults.catalog import FAULTS
from faults.estate import Estate
from support.forked_ansible import open_forked_runner
from support.lab_client import Json, LabClient
from support.playbook_runner import Run
from support.sources import SOURCE_PULLS

NAMES = ("containers", "containers_public", "packages", "java", "python", "javascript")
REMEDIES = ["negative_cache", "poisoned_cache", "settings", "token", "offline"]
REPORT, FAILURE = "Report the findings", "Fail if a source cannot be pulled"
SWITCH, CORRECT, DELETE, EXPIRE = (
    "Switch repositories on",
    "Correct settings",
    "Delete invalid content",
    "Expire the caches",
)
TOKENS = ["Issue the pull tokens that are due", "Ensure the remote repositories"]
# What is broken, the remedies, and the tasks that change something.
CASES: dict[str, tuple[list[str], list[str], list[str]]] = {
    "offline": (["offline containers", "blacked out python", "offline java"], ["offline"], [SWITCH, EXPIRE]),
    "settings": (
        [
            "url with a path",
            "url of another host packages",
            "credentials forwarded java",
            "index of another ecosystem",
            "disableUrlNormalization of javascript",
        ],
        ["settings"],
        [CORRECT, EXPIRE],
    ),
    "settings of one repository": (
        ["token authentication off", "pattern hides the tag", "prefix doubled", "mime blocking off", "snapshots"],
        ["settings"],
        [CORRECT, EXPIRE],
    ),
    "token": (
        ["email address", "no credentials packages", "pull token of python for java", "revoked python"],
        ["token"],
        [*TOKENS, EXPIRE],
    ),
    "token that expired": (
        ["user name with a line break", "unbound java", "expired packages"],
        ["token"],
        [*TOKENS, EXPIRE],
    ),
    "user name": (
        [
            "expires soon",
            "encoded user name",
            "other user name",
            "pull token of another organization",
            "identity that is no pull token",
        ],
        ["token"],
        [*TOKENS, EXPIRE],
    ),
    "password": (["wrong password java", "wrong password python"], ["token"], [*TOKENS, EXPIRE]),
    "negative_cache": (["negative cache"], ["negative_cache"], [EXPIRE]),
    "poisoned_cache": (
        ["bypassHeadRequests of java", "other content in the cache"],
        ["settings", "poisoned_cache"],
        [CORRECT, DELETE, EXPIRE],
    ),
    "poisoned_cache of a proxy": (
        ["page of a proxy instead of java", "page of a proxy instead of javascript"],
        ["poisoned_cache"],
        [DELETE],
    ),
    "length of HEAD": (["length of HEAD"], ["settings", "poisoned_cache"], [CORRECT, DELETE, EXPIRE]),
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


def break_estate(estate: Estate, *names: str) -> None:
    estate.build(NAMES)
    faults = {fault.name: fault for fault in FAULTS}
    for name in names:
        faults[name].inject(estate)


def test_each_code_of_a_remedy_is_that_of_a_fault() -> None:
    """What cannot be the first finding is repaired with what is."""
    faults = {fault.name: fault for fault in FAULTS}
    for remedy, codes in REMEDY_CODES.items():
        broken = [faults[name] for names, remedies, _changed in CASES.values() if remedy in remedies for name in names]
        assert codes <= {code for fault in broken for code in (fault.code, *fault.also)}, remedy


@pytest.mark.parametrize("case", CASES)
def test_remedy(estate: Estate, diagnose: Diagnose, case: str) -> None:
    """It is shown in check mode, repairs all that is broken, which another diagnosis shows, and then changes nothing."""
    faults, remedies, changed = CASES[case]
    break_estate(estate, *faults)
    before, position = state(estate.lab), estate.lab.log_position()
    planned = diagnose("--check", "--diff", repair=remedies)
    assert (state(estate.lab), estate.lab.writes(position)) == (before, [])
    repaired = diagnose("--diff", repair=remedies)
    assert repaired.code == 0, repaired.output
    assert repaired.changed == planned.changed == changed
    assert repairs(repaired) == repairs(planned)
    lines = repaired.task(REPORT).result["msg"]
    assert lines[-len(NAMES) :] == [f"{name}: can be pulled" for name in NAMES]
    assert not [line for line in lines if line.startswith("error")]
    repeated = diagnose(repair=REMEDIES)
    assert (repeated.code, repeated.changed) == (0, [])


def repairs(run: Run) -> list[Json]:
    """Return what was changed in repositories and caches."""
    tasks = [task for task in run.tasks if task.changed and task.name in (SWITCH, CORRECT, DELETE, EXPIRE)]
    return [{name: task.result.get(name) for name in ("repositories", "diff")} for task in tasks]


def test_remedies_are_off_by_default(estate: Estate, diagnose: Diagnose) -> None:
    break_estate(estate, *(fault for faults, _remedies, _changed in CASES.values() for fault in faults))
    before, position = state(estate.lab), estate.lab.log_position()
    run = diagnose()
    assert (run.code, run.changed) == (2, [])
    assert (state(estate.lab), estate.lab.writes(position)) == (before, [])


def test_a_healthy_estate_is_not_changed(estate: Estate, diagnose: Diagnose) -> None:
    estate.build(tuple(SOURCE_PULLS))
    run = diagnose(repair=REMEDIES, sources=list(SOURCE_PULLS), source_overrides=SOURCE_PULLS)
    assert (run.code, run.changed) == (0, [])
    lines = run.task(REPORT).result["msg"]
    assert lines == [f"{name}: can be pulled" for name in SOURCE_PULLS]


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
