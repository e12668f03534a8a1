# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs ansible-playbook as a user does, with an isolated environment and home folder."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

from support import task_names

HERE = Path(__file__).resolve().parent
COLLECTIONS = HERE.parents[1] / ".cache" / "collections"
PROGRAMS = Path(sys.executable).parent
MAX_RUN_SECONDS = 180
_MAX_TEMPORARY_PATH = 107 - len("/pymp-12345678/listener-12345678")

Variables = t.Mapping[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Task:
    """What a task did on a host. status: ok, failed, skipped or unreachable. no_log hides the result here too."""

    host: str
    name: str
    status: str
    changed: bool
    result: dict[str, t.Any]

    @property
    def summary(self) -> tuple[str, str, str, bool]:
        """Everything but the result."""
        return self.host, self.name, self.status, self.changed

    @property
    def message(self) -> str:
        """The message of the task, or the messages of a loop's items."""
        items = [item["msg"] for item in self.result.get("results", []) if "msg" in item]
        return "\n".join(map(str, items or [self.result.get("msg", "")]))


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished run: its exit code, all of its output, its tasks in order, and the folder with its files."""

    code: int
    output: str
    tasks: tuple[Task, ...]
    folder: Path

    def task(self, name: str, host: str = "localhost") -> Task:
        """Return the only task of that name on a host."""
        matches = [task for task in self.tasks if (task.name, task.host) == (name, host)]
        assert len(matches) == 1, f"{len(matches)} tasks {name!r} on {host} in this run:\n{self.output}"
        return matches[0]

    def failure(self, host: str = "localhost") -> str:
        """Return the message of the last failed task of a host."""
        failed = [task for task in self.tasks if (task.status, task.host) == ("failed", host)]
        assert failed, f"no task failed on {host} in this run:\n{self.output}"
        return failed[-1].message

    def pull_results(
        self, key: str, host: str = "localhost", names: tuple[str, ...] = task_names.PULLS
    ) -> list[Variables]:
        """Return the results of the last pull through a repository, one per image or artifact. names: of the tasks that pull.

        A rotation pulls twice: it verifies again after the grace period.
        """
        results = [
            result
            for task in self.tasks
            if task.host == host and task.name in names
            for result in task.result.get("pulls", [])
            if result["repository"] == key
        ]
        assert results, f"no pull through {key} on {host} in this run:\n{self.output}"
        return t.cast("list[Variables]", results[-1].get("images") or results[-1].get("artifacts"))

    def repository_results(self, name: str) -> dict[str, Variables]:
        """Return the results of a task that manages a list of repositories, by key. Empty if the task was skipped."""
        return {result["key"]: result for result in self.task(name).result.get("repositories", [])}

    def report(self, key: str, host: str = "localhost") -> list[str]:
        """Return the lines about a repository in the summary and in the details, which a run shows with -v."""
        lines = self.task(task_names.SUMMARY, host).result["msg"]
        details = self.task(task_names.DETAILS, host).result.get("msg", [])
        return [line for line in lines if line.split()[0] == key] + [
            line for line in details if line.startswith(f"{key}: ")
        ]

    def client_setup(self) -> list[str]:
        """Return the client setup commands, which a run shows with -v."""
        return t.cast("list[str]", self.task(task_names.CLIENT_SETUP).result["msg"])

    @property
    def changed(self) -> list[str]:
        """The names of the tasks that report a change."""
        return [task.name for task in self.tasks if task.changed]


class PlaybookRunner:
    """Runs playbooks. create_folder: returns an empty folder for each run."""

    def __init__(self, create_folder: t.Callable[[], Path]) -> None:
        self._create_folder = create_folder

    def __call__(
        self,
        playbook: str,
        variables: Variables,
        *arguments: str,
        inventory: Variables | None = None,
        environment: t.Mapping[str, str] | None = None,
    ) -> Run:
        """Run a playbook. inventory: the variables of each host by its name; by default localhost is the only host."""
        folder = self._create_folder()
        extra_vars = write_private_json(folder / "variables.json", variables)
        command = ["ansible-playbook", playbook, "--extra-vars", f"@{extra_vars}"]
        if inventory is not None:
            hosts = write_private_json(folder / "hosts.json", {"all": {"hosts": inventory}})
            command += ["--inventory", str(hosts)]
        record = folder / "tasks.jsonl"
        record.touch()
        process = subprocess.run(
            [*command, *arguments],
            cwd=folder,
            env={**build_environment(folder), **recorder_environment(record), **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=MAX_RUN_SECONDS,
            check=False,
        )
        return Run(process.returncode, process.stdout, read_record(record), folder)

    def run_tasks(self, tasks: t.Sequence[Variables], defaults: Variables, *arguments: str, **environment: str) -> Run:
        """Run tasks on localhost. A failed task does not stop the others. defaults: their module_defaults."""
        play = {
            "name": "Tasks of a test",
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "ignore_errors": True,
            "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}", "ansible_pipelining": True},
            "module_defaults": defaults,
            "tasks": tasks,
        }
        playbook = write_private_json(self._create_folder() / "playbook.json", [play])
        return self(str(playbook), {}, *arguments, environment=environment)


def build_environment(folder: Path) -> dict[str, str]:
    """Return the environment of a run: the collection under test, and nothing of the caller's but the programs."""
    for name in ("home", "tmp"):
        (folder / name).mkdir(exist_ok=True)
    # Ansible creates sockets there, whose paths have at most 107 characters.
    assert len(str(folder / "tmp")) <= _MAX_TEMPORARY_PATH, f"{folder} is too long for the sockets of Ansible"
    (folder / "ansible.cfg").write_text("[defaults]\ninternal_poll_interval = 0.01\n", encoding="utf-8")
    return {
        # A caller's PATH may contain pyenv's shims, which Ansible takes for Python interpreters.
        "PATH": os.pathsep.join([str(PROGRAMS), "/usr/local/bin", "/usr/bin", "/bin"]),
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
    }


def recorder_environment(record: Path) -> dict[str, str]:
    """Return the variables that make Ansible write what each task did to a file, for read_record()."""
    return {
        "ANSIBLE_CALLBACKS_ENABLED": "task_record",
        "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback_plugins"),
        "TASK_RECORD_FILE": str(record),
    }


def read_record(record: Path) -> tuple[Task, ...]:
    """Return the recorded tasks in order."""
    return tuple(Task(**json.loads(line)) for line in record.read_text(encoding="utf-8").splitlines())


def write_private_json(path: Path, content: t.Any) -> Path:
    """Write JSON, which is also YAML, to a new file that only its owner can read."""
    path.touch(mode=0o600)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path
