# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run leaves for other programs: statistics of all hosts, and a fact for own tasks, also when it failed."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from support.lab_client import Json, LabClient
from support.playbook_runner import PlaybookRunner, Run, write_private_json
from support.scenario import PRIVATE, PUBLIC


def statistics(run: Run) -> Json:
    """Return what ansible-playbook shows of set_stats, by host."""
    (line,) = [line for line in run.output.splitlines() if line.strip().startswith("RUN: ")]
    stats = line.strip().removeprefix("RUN: ")
    return dict(json.loads(stats) if '"' in stats else ast.literal_eval(stats))


@pytest.fixture(scope="module")
def runs(running_plain_lab: LabClient, run_playbook: PlaybookRunner) -> dict[str, Run]:
    """A run with two hosts, of which one has a wrong access token, and a run that finds a revoked pull token."""
    lab = running_plain_lab
    lab.reset()
    options = {"depth": "manifest", "source_overrides": {"containers": {"images": ["nginx"]}}, "grace_period": "0s"}
    both = lab.variables("containers_public", "containers", **options, site="b")
    hosts = {"pull_through_hosts": "all"}
    environment = {"ANSIBLE_SHOW_CUSTOM_STATS": "true"}

    def run(playbook: str, **inventory: Json) -> Run:
        return run_playbook(f"cgr.pull_through.{playbook}", hosts, inventory=inventory, environment=environment)

    setup = run("setup", good=both, bad={**both, "pull_through_artifactory_access_token": "wrong"})
    lab.revoke(lab.pull_tokens()[0]["uid"])
    repair = {**both, "pull_through_repair": ["token"]}
    return {"setup": setup, "verify": run("verify", bad=both), "diagnose": run("diagnose", bad=both, repaired=repair)}


def test_the_statistics_of_setup_have_all_hosts(runs: dict[str, Run]) -> None:
    run = runs["setup"]
    assert run.code != 0
    hosts = statistics(run)["cgr_pull_through"]
    good, bad = hosts["good"], hosts["bad"]
    assert (good["entry_point"], good["site"], good["failed"], good["changed"]) == ("main", "b", False, True)
    public, private = good["sources"]
    assert (public["repository"], public["works"], public["changed"]) == (PUBLIC, True, True)
    assert (private["repository"], private["works"], private["expires"] != "") == (PRIVATE, True, True)
    assert 29 < private["days_left"] <= 30
    assert bad["failed"] and "status 401" in bad["failures"][0]
    assert [source["works"] for source in bad["sources"]] == [None, None]


def test_the_statistics_of_a_failed_verification_have_its_cause(runs: dict[str, Run]) -> None:
    result = statistics(runs["verify"])["cgr_pull_through"]["bad"]
    assert (result["entry_point"], result["failed"], result["failures"]) == ("verify", True, [])
    public, private = result["sources"]
    assert (public["works"], private["works"], private["cause"]) == (True, False, "pull_token_invalid")
    assert private["message"].startswith(f"The pull token that Artifactory uses for {PRIVATE} does not work")


def test_the_statistics_of_a_diagnosis_have_its_first_cause_and_what_was_repaired(runs: dict[str, Run]) -> None:
    hosts = statistics(runs["diagnose"])["cgr_pull_through"]
    bad, repaired = hosts["bad"], hosts["repaired"]
    assert (bad["entry_point"], bad["failed"], bad["changed"], bad["failures"]) == ("diagnose", True, False, [])
    assert [(source["works"], source["cause"]) for source in bad["sources"]] == [(None, ""), (False, "token_revoked")]
    assert (repaired["failed"], repaired["changed"]) == (False, True)
    assert [source["changed"] for source in repaired["sources"]] == [False, True]


def test_own_tasks_get_the_same_as_a_fact(
    running_plain_lab: LabClient, run_playbook: PlaybookRunner, tmp_path: Path
) -> None:
    role: Json = {"name": "cgr.pull_through.pull_through", "tasks_from": "verify"}
    variables = running_plain_lab.variables("containers_public", only=["unknown"])
    verify = {"name": "Verify", "ansible.builtin.include_role": role, "vars": variables}
    show = {"name": "Show the result", "ansible.builtin.debug": {"var": "pull_through_result"}}
    play = {"hosts": "localhost", "gather_facts": False, "tasks": [{"block": [verify], "rescue": [show]}] * 2}
    run = run_playbook(str(write_private_json(tmp_path / "playbook.json", [play])), {})
    assert run.code == 0, run.output
    first, result = (task.result["pull_through_result"] for task in run.tasks if task.name == "Show the result")
    assert result == first, "a second run in the same play is not confused by the first one"
    assert result["failed"] and "pull_through_only names unknown" in result["failures"][0]
    assert (result["entry_point"], result["sources"]) == ("verify", [])
