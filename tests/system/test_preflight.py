# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A playbook that would do nothing, or only a part of its work, fails before it does anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.lab_client import Json, LabClient
from support.playbook_runner import PlaybookRunner

PLAYBOOKS = ("setup", "rotate", "verify", "diagnose", "warm", "remove")


@pytest.mark.parametrize(
    ("playbook", "option"), [*((playbook, "--tags") for playbook in PLAYBOOKS), ("setup", "--skip-tags")]
)
def test_tags_are_rejected(run_playbook: PlaybookRunner, playbook: str, option: str) -> None:
    run = run_playbook(f"cgr.pull_through.{playbook}", {}, option, "verify")
    assert run.code == 2
    assert "The playbooks of cgr.pull_through have no tags" in run.failure() and "pull_through_only" in run.failure()


def test_tags_are_rejected_with_a_limit_too(run_playbook: PlaybookRunner) -> None:
    arguments = ("--limit", "europe", "--tags", "verify")
    inventory: Json = {"europe": {}, "america": {}}
    run = run_playbook("cgr.pull_through.setup", {"pull_through_hosts": "all"}, *arguments, inventory=inventory)
    assert run.code == 2
    assert "The playbooks of cgr.pull_through have no tags" in run.failure("europe") and len(run.tasks) == 1


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_hosts_that_the_inventory_does_not_have_are_rejected(run_playbook: PlaybookRunner, playbook: str) -> None:
    variables = {"pull_through_hosts": "artifactorys"}
    run = run_playbook(f"cgr.pull_through.{playbook}", variables, inventory={"europe": {}})
    assert run.code == 2
    assert "pull_through_hosts is artifactorys, but the inventory has no such host or group" in run.failure()


@pytest.mark.parametrize("hosts", ["artifactorys*", "~artifactorys", "artifactorys[0]", "artifactorys:&europe"])
def test_patterns_that_match_nothing_are_rejected(run_playbook: PlaybookRunner, hosts: str) -> None:
    run = run_playbook("cgr.pull_through.setup", {"pull_through_hosts": hosts}, inventory={"europe": {}})
    assert run.code == 2
    assert f"pull_through_hosts is {hosts}, but the inventory has no such host or group" in run.failure()


@pytest.mark.parametrize("hosts", ["artifactory", "art*", "~art", "artifactory[0]", "art*:!europe", "!europe"])
def test_an_empty_group_is_no_mistake(run_playbook: PlaybookRunner, tmp_path: Path, hosts: str) -> None:
    inventory = tmp_path / "hosts.ini"
    inventory.write_text("europe\n[artifactory]\n", encoding="utf-8")
    run = run_playbook("cgr.pull_through.setup", {"pull_through_hosts": hosts}, "--inventory", str(inventory))
    assert run.code == 0 and "skipping: no hosts matched" in run.output, run.output


@pytest.mark.parametrize(
    ("playbook", "hosts", "expected"),
    [
        *((playbook, "", {"localhost"}) for playbook in PLAYBOOKS),
        ("setup", None, {"localhost"}),
        ("setup", ["europe", "america"], {"europe", "america"}),
    ],
)
def test_hosts_can_be_a_list_or_empty(
    run_playbook: PlaybookRunner, playbook: str, hosts: str | list[str] | None, expected: set[str]
) -> None:
    inventory: Json = {"europe": {}, "america": {}, "asia": {}}
    variables = {"pull_through_hosts": hosts, "pull_through_only": "missing"}
    run = run_playbook(f"cgr.pull_through.{playbook}", variables, inventory=inventory)
    # The role is what fails, on each of the hosts.
    failed = [task for task in run.tasks if task.status == "failed"]
    assert {task.host for task in failed} == expected, run.output
    assert all("pull_through_only" in task.message for task in failed), run.output


def test_job_slices_do_not_repeat_the_work_of_localhost(run_playbook: PlaybookRunner, lab: LabClient) -> None:
    """AWX gives each slice a part of the hosts, and Ansible has a localhost of its own where the inventory has none."""
    variables = {**lab.variables("containers_public"), "awx_job_id": 1}
    run = run_playbook("cgr.pull_through.setup", variables, inventory={"europe": {}})
    assert run.code == 2
    assert "localhost is not in the inventory of this AWX job" in run.failure() and not lab.repositories()
    run = run_playbook("cgr.pull_through.setup", variables, "--check", inventory={"localhost": {}, "europe": {}})
    assert run.code == 0, run.output


@pytest.mark.parametrize(
    ("hosts", "arguments"), [("europe", ("--limit", "america")), ("all", ("--limit", "europe")), ("eur*", ())]
)
def test_a_limit_or_a_pattern_is_no_mistake(
    run_playbook: PlaybookRunner, lab: LabClient, hosts: str, arguments: tuple[str, ...]
) -> None:
    inventory: Json = {"europe": {}, "america": {}}
    variables = {**lab.variables("containers_public"), "pull_through_hosts": hosts}
    run = run_playbook("cgr.pull_through.setup", variables, *arguments, "--check", inventory=inventory)
    assert run.code == 0, run.output
    assert ("skipping: no hosts matched" in run.output) == ("america" in arguments)


def test_an_ansible_core_that_is_too_old_is_named(run_playbook: PlaybookRunner, tmp_path: Path) -> None:
    code = 'import ansible.release\nansible.release.__version__ = "2.15.13"\n'
    (tmp_path / "sitecustomize.py").write_text(code, encoding="utf-8")
    run = run_playbook("cgr.pull_through.setup", {}, environment={"PYTHONPATH": str(tmp_path)})
    assert run.code == 2
    assert "ansible-core 2.16 or newer is required, and this is 2.15.13. Update it with pip" in run.failure()


def test_a_python_that_is_too_old_is_named(run_playbook: PlaybookRunner, tmp_path: Path) -> None:
    python = tmp_path / "python3.9"
    python.write_text("#!/bin/sh\necho 3.9\n", encoding="utf-8")
    python.chmod(0o700)
    run = run_playbook("cgr.pull_through.setup", {"ansible_python_interpreter": str(python)})
    assert run.code == 2
    assert f"require Python 3.10 or newer, and {python} is Python 3.9. Set ansible_python_interpreter" in run.failure()
