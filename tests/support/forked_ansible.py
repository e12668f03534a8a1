# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs playbooks with the fork server, which avoids most of the time that a start takes (see fork_server.py)."""

from __future__ import annotations

import contextlib
import dataclasses
import select
import socket
import subprocess
import sys
import time
import typing as t
from pathlib import Path

import psutil

from support import fork_server
from support.lab_client import Json
from support.playbook_runner import Run, build_environment, read_record, recorder_environment, write_private_json

TIMEOUT = 180.0  # seconds, since several runs share a processor
VERBOSE = ("-vvvv", "--diff")


@dataclasses.dataclass(frozen=True)
class RunResult:
    """The exit code of a run (None if it was killed), and all of its output."""

    code: int | None
    output: str


class PlaybookProcess:
    """A running playbook."""

    def __init__(self, connection: socket.socket, output: Path, timeout: float) -> None:
        self._connection = connection
        self._connection.settimeout(timeout)
        self._output = output
        self._response = connection.recv(100)

    @property
    def is_finished(self) -> bool:
        """Whether the run has ended."""
        return bool(select.select([self._connection], [], [], 0)[0])

    def wait(self) -> RunResult:
        """Wait for the end of the run."""
        with self._connection:
            while data := self._connection.recv(100):
                self._response += data
        codes = self._response.split()[1:]
        return RunResult(int(codes[0]) if codes else None, self._output.read_text(encoding="utf-8", errors="replace"))

    def kill(self) -> None:
        """Kill the run and all processes that it started at once, as if the machine was switched off."""
        root = psutil.Process(int(self._response.split()[0]))
        root.suspend()
        for process in [root, *root.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


class ForkedAnsible:
    """A context manager that starts the fork servers and runs playbooks of the collection with them.

    folder: the working directory and home of the runs. log_folder: for their variables and output.
    timeout: seconds that a run may take. environment: more environment variables.
    """

    def __init__(self, folder: Path, log_folder: Path, *, timeout: float = TIMEOUT, **environment: str) -> None:
        self._folder = folder
        self._log_folder = log_folder
        self._timeout = timeout
        self._environment = {**build_environment(folder), **environment}
        self._servers: list[subprocess.Popen[bytes]] = []
        self._count = 0

    def __enter__(self) -> ForkedAnsible:
        for name in fork_server.PROGRAMS:
            command = [sys.executable, fork_server.__file__, self._socket(name), name]
            self._servers.append(subprocess.Popen(command, stdin=subprocess.PIPE, env=self._environment))
        deadline = time.monotonic() + TIMEOUT
        while not all(Path(self._socket(name)).exists() for name in fork_server.PROGRAMS):
            assert time.monotonic() < deadline, "the fork servers did not start"
            time.sleep(0.05)
        interpreter = self._folder / "python"
        interpreter.write_text(fork_server.INTERPRETER.format(python=sys.executable, socket=self._socket("module")))
        interpreter.chmod(0o700)
        return self

    def __exit__(self, *_exception: object) -> None:
        for server in self._servers:
            server.communicate()

    def _socket(self, name: str) -> str:
        return str(self._folder / f"{name}.socket")

    def start(self, playbook: str, variables: Json, *arguments: str) -> PlaybookProcess:
        """Start a playbook: the path of a file, or the name of one of the collection."""
        self._count += 1
        playbook = playbook if "/" in playbook else f"cgr.pull_through.{playbook}"
        output = self._log_folder / f"{self._count}.output"
        interpreter = {"ansible_python_interpreter": str(self._folder / "python")}
        file = write_private_json(self._log_folder / f"{self._count}.json", {**variables, **interpreter})
        command = ["ansible-playbook", playbook, "--extra-vars", f"@{file}", *VERBOSE, *arguments]
        request = {"environment": self._environment, "folder": str(self._folder), "arguments": command}
        server = socket.socket(socket.AF_UNIX)
        server.connect(self._socket("playbook"))
        with output.open("wb") as output_file, open("/dev/null", "rb") as null:
            files = [null.fileno(), output_file.fileno(), output_file.fileno()]
            socket.send_fds(server, [ascii(request).encode()], files)
            return PlaybookProcess(server, output, self._timeout)


@contextlib.contextmanager
def open_forked_runner(folder: Path, *, timeout: float, **environment: str) -> t.Iterator[t.Callable[..., Run]]:
    """Yield a function that takes a playbook and variables like PlaybookRunner, and runs it with the fork server.

    The runs work in FOLDER/home. environment: more environment variables.
    """
    home, log_folder = folder / "home", folder / "log"
    home.mkdir()
    log_folder.mkdir()
    record = log_folder / "tasks.jsonl"
    environment |= recorder_environment(record)
    with ForkedAnsible(home, log_folder, timeout=timeout, **environment) as ansible:

        def run_playbook(playbook: str, variables: Json, *arguments: str) -> Run:
            record.write_text("", encoding="utf-8")
            name = playbook if "/" in playbook else playbook.rpartition(".")[2]
            result = ansible.start(name, variables, *arguments).wait()
            assert result.code is not None, result.output
            return Run(result.code, result.output, read_record(record), log_folder)

        yield run_playbook
