# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs playbooks as a user does: the program, in an environment of its own, with a home folder of its own."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import typing as t
from pathlib import Path

HERE = Path(__file__).resolve().parent
COLLECTIONS = HERE.parents[1] / ".cache" / "collections"
PROGRAMS = Path(sys.executable).parent
LONGEST_RUN = 180  # seconds

Variables = t.Mapping[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Task:
    """What a task did on a host. The status is ok, failed, skipped or unreachable; no_log hides the result here too."""

    host: str
    name: str
    status: str
    changed: bool
    result: dict[str, t.Any]

    @property
    def outcome(self) -> tuple[str, str, str, bool]:
        """Everything but the result."""
        return self.host, self.name, self.status, self.changed

    @property
    def message(self) -> str:
        """What the task says; of a loop, what its items say."""
        items = [item["msg"] for item in self.result.get("results", []) if "msg" in item]
        return "\n".join(map(str, items or [self.result.get("msg", "")]))


PROOFS = ("Pull images through Artifactory", "Pull files through Artifactory")
TELL = "What this proves"


@dataclasses.dataclass(frozen=True)
class Run:
    """How a run ended: its exit code, all that it printed, its tasks in their order, and where it kept its files."""

    code: int
    output: str
    tasks: tuple[Task, ...]
    folder: Path

    def task(self, name: str, host: str = "localhost") -> Task:
        """Return the one task of that name on a host."""
        found = [task for task in self.tasks if (task.name, task.host) == (name, host)]
        assert len(found) == 1, f"{len(found)} tasks {name!r} on {host}, in this run:\n{self.output}"
        return found[0]

    def failure(self, host: str = "localhost") -> str:
        """Return what the last failed task of a host says."""
        failed = [task for task in self.tasks if (task.status, task.host) == ("failed", host)]
        assert failed, f"nothing failed on {host}, in this run:\n{self.output}"
        return failed[-1].message

    def proofs(self, key: str, host: str = "localhost", user: str = "") -> list[Variables]:
        """Return what the proof of a repository found: a result for each image or artifact. user: who pulled, if not the role."""
        ending = (f" as {user}",) if user else ("Artifactory", f" | {key}")
        found = [
            result
            for task in self.tasks
            if task.host == host and task.name.startswith(PROOFS) and task.name.endswith(ending)
            for result in task.result.get("pulls", [])
            if result["repository"] == key
        ]
        assert len(found) == 1, f"{len(found)} proofs of {key} on {host}, in this run:\n{self.output}"
        return t.cast("list[Variables]", found[0].get("images") or found[0].get("artifacts"))

    def told(self, key: str, host: str = "localhost") -> list[str]:
        """Return the lines in which the run tells people what it proved of a repository."""
        for task in self.tasks:
            if task.host == host and task.name == f"{TELL} | {key}":
                return t.cast("list[str]", task.result["msg"])
            if task.host == host and task.name == TELL and key in task.result["msg"]:
                return t.cast("list[str]", task.result["msg"][key])
        raise AssertionError(f"nothing is told of {key} on {host}, in this run:\n{self.output}")

    @property
    def changed(self) -> list[str]:
        """The names of the tasks that report a change."""
        return [task.name for task in self.tasks if task.changed]


class PlaybookRunner:
    """Runs playbooks. new_folder makes an empty folder for each run."""

    def __init__(self, new_folder: t.Callable[[], Path]) -> None:
        self._new_folder = new_folder

    def __call__(
        self,
        playbook: str,
        variables: Variables,
        *arguments: str,
        inventory: Variables | None = None,
        environment: t.Mapping[str, str] | None = None,
    ) -> Run:
        """Run a playbook. inventory maps the names of hosts to their variables; only localhost without it."""
        folder = self._new_folder()
        words = ["ansible-playbook", playbook, "--extra-vars", f"@{private_file(folder / 'variables.json', variables)}"]
        if inventory is not None:
            hosts = private_file(folder / "hosts.json", {"all": {"hosts": inventory}})
            words += ["--inventory", str(hosts)]
        record = folder / "tasks.jsonl"
        record.touch()
        ended = subprocess.run(
            [*words, *arguments],
            cwd=folder,
            env={**clean_environment(folder), **recorded_in(record), **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=LONGEST_RUN,
            check=False,
        )
        return Run(ended.returncode, ended.stdout, read_record(record), folder)

    def tasks(self, tasks: t.Sequence[Variables], defaults: Variables, *arguments: str, **environment: str) -> Run:
        """Run tasks on localhost, one after the other whether they fail or not. defaults: their module_defaults."""
        run_playbook = {
            "name": "Tasks of a test",
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "ignore_errors": True,
            "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}", "ansible_pipelining": True},
            "module_defaults": defaults,
            "tasks": tasks,
        }
        playbook = private_file(self._new_folder() / "playbook.json", [run_playbook])
        return self(str(playbook), {}, *arguments, environment=environment)


def clean_environment(folder: Path) -> dict[str, str]:
    """Return the environment of a run: nothing of the caller's but the programs, and the collection under test."""
    for name in ("home", "tmp"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "ansible.cfg").write_text("[defaults]\ninternal_poll_interval = 0.01\n", encoding="utf-8")
    return {
        # The first folder is that of this Python. A caller's PATH may hold pyenv's shims, which Ansible takes for Pythons.
        "PATH": os.pathsep.join([str(PROGRAMS), "/usr/local/bin", "/usr/bin", "/bin"]),
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
    }


def recorded_in(record: Path) -> dict[str, str]:
    """Return what makes Ansible write down what each task did."""
    return {
        "ANSIBLE_CALLBACKS_ENABLED": "task_record",
        "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback_plugins"),
        "TASK_RECORD_FILE": str(record),
    }


def read_record(record: Path) -> tuple[Task, ...]:
    """Return what each task did, in their order."""
    return tuple(Task(**json.loads(line)) for line in record.read_text(encoding="utf-8").splitlines())


def private_file(path: Path, content: t.Any) -> Path:
    """Write JSON, which is YAML too, into a new file that only its owner can read."""
    path.touch(mode=0o600)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path
