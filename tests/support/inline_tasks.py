# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs tasks that start no module in the process of ansible-playbook.

Ansible forks a process for each task. For a task that only evaluates templates, such as set_fact, two thirds of the
processor time is spent by the kernel, which copies the memory of the forked process. A task with a module keeps its
process, so a run can still be stopped at each request.
"""

from __future__ import annotations

import typing as t

from ansible._internal._task import TaskContext
from ansible.executor.process.worker import WorkerProcess
from ansible.executor.task_executor import TaskExecutor
from ansible.executor.task_result import _RawTaskResult

# They have no connection, and do not wait.
_ACTIONS = frozenset(
    f"ansible.builtin.{name}" for name in ("assert", "debug", "fail", "include_tasks", "set_fact", "set_stats")
)
_start: t.Callable[[WorkerProcess], None] = WorkerProcess.start


def install() -> None:
    """Let this process, and those that it forks, run these tasks themselves."""
    WorkerProcess.start = start


def start(worker: WorkerProcess) -> None:
    """Run the task of a worker, or start its process."""
    if worker._task.action not in _ACTIONS:
        _start(worker)
        return
    # A process of its own would change a copy of the task.
    task = worker._task.copy(exclude_parent=True, exclude_tasks=True)
    task._parent = worker._task._parent
    # Newer releases of ansible-core, which do not run this, require more arguments.
    with TaskContext(task):  # pylint: disable=missing-kwoa
        result = TaskExecutor(
            worker._host,
            task,
            worker._task_vars,
            worker._play_context,
            worker._loader,
            worker._shared_loader_obj,
            worker._final_q,
            worker._variable_manager,
        ).run()
        worker._final_q.send_task_result(
            _RawTaskResult(host=worker._host, task=task, return_data=result, task_fields=task.dump_attrs())
        )
