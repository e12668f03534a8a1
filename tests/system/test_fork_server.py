# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run with the fork server is the run that ansible-playbook does, although tasks without a module have no process there."""

from __future__ import annotations

import dataclasses
import json
import typing as t
from pathlib import Path

import pytest

from support.forked_ansible import VERBOSE, open_forked_runner
from support.lab_client import LabClient
from support.playbook_runner import MAX_RUN_SECONDS, PlaybookRunner, Run

INCLUDED = [
    {"name": "Fail in a file", "ansible.builtin.fail": {"msg": "{{ number }}"}, "when": "number == 2"},
    {"name": "Set a fact in a file", "ansible.builtin.set_fact": {"last": "{{ number }}"}},
]
TASKS: list[dict[str, t.Any]] = [
    {"name": "Set facts", "ansible.builtin.set_fact": {"a": "{{ x }}", "b": "{{ x + 1 }}"}, "vars": {"x": 1}},
    {"name": "Skip a task", "ansible.builtin.set_fact": {"a": 5}, "when": "a == 2"},
    {"name": "Show a fact", "ansible.builtin.debug": {"msg": "{{ a }} {{ b }} {{ x | default('unset') }}"}},
    {"name": "Loop", "ansible.builtin.set_fact": {"c": "{{ item }}"}, "loop": [1, 2], "register": "looped"},
    {"name": "Show a result", "ansible.builtin.debug": {"var": "looped.results | map(attribute='item')"}},
    {"name": "Assert", "ansible.builtin.assert": {"that": ["c == 2"], "quiet": True}},
    {"name": "Read a variable that is not defined", "ansible.builtin.debug": {"msg": "{{ none.such }}"}},
    {"name": "Fail with a secret", "ansible.builtin.fail": {"msg": "secret"}, "no_log": True},
    {"name": "Include a file", "ansible.builtin.include_tasks": "FILE", "loop": [1, 2], "loop_control": {"loop_var": "number"}},
    {"name": "Include no file", "ansible.builtin.include_tasks": "FILE", "when": "false"},
    {"name": "Run a module", "ansible.builtin.ping": {"data": "{{ last }}"}, "register": "ping"},
    {"name": "Decide the result", "ansible.builtin.debug": {"msg": "x"}, "failed_when": "ping.ping == 2", "changed_when": True},
    {"name": "Publish", "ansible.builtin.set_stats": {"data": {"c": "{{ c }}"}}},
]  # fmt: skip


@pytest.fixture(scope="module")
def run_forked(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[t.Callable[..., Run]]:
    """Runs playbooks with the fork server."""
    with open_forked_runner(tmp_path_factory.mktemp("forked"), timeout=MAX_RUN_SECONDS) as run:
        yield run


def test_each_kind_of_task_has_the_same_result_and_output(
    run_playbook: PlaybookRunner, run_forked: t.Callable[..., Run], tmp_path: Path
) -> None:
    file = tmp_path / "included.json"
    file.write_text(json.dumps(INCLUDED))
    play = {"name": "Tasks", "hosts": "localhost", "connection": "local", "gather_facts": False, "ignore_errors": True}
    playbook = tmp_path / "playbook.json"
    playbook.write_text(json.dumps([{**play, "tasks": TASKS}]).replace('"FILE"', json.dumps(str(file))))
    variables = {"ansible_pipelining": True}

    direct = run_playbook(str(playbook), variables, *VERBOSE)
    forked = run_forked(str(playbook), variables)

    assert len(direct.tasks) > len(TASKS)
    assert [dataclasses.asdict(task) for task in forked.tasks] == [dataclasses.asdict(task) for task in direct.tasks]
    assert forked.code == direct.code
    assert task_lines(forked) == task_lines(direct)


def task_lines(run: Run) -> list[str]:
    """Return the output of the tasks of a run, without the lines about how a module was started."""
    lines = run.output[run.output.index("\nTASK [") :].splitlines()
    return [line for line in lines if not line.startswith("<127.0.0.1>")]


def test_the_role_does_the_same(
    run_playbook: PlaybookRunner, run_forked: t.Callable[..., Run], plain_lab: LabClient
) -> None:
    summaries = []
    for run, arguments in ((run_playbook, VERBOSE), (run_forked, ())):
        plain_lab.reset()
        variables = plain_lab.variables("containers")
        runs = [run(f"cgr.pull_through.{name}", variables, *arguments) for name in ("setup", "setup", "verify")]
        summaries.append([(each.code, [task.summary for task in each.tasks]) for each in runs])

    direct, forked = summaries
    assert all(code == 0 for code, _tasks in direct)
    assert forked == direct
