# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs that start at once: each runs in a process forked from one that has imported what it needs.

Nine tenths of a playbook that has nothing to do are Pythons that start. Here Ansible, the role and the modules are the
real ones, one process each as ever; only the imports were done before. So hundreds of runs take minutes.

Usage: python warm.py SOCKET PROGRAM, with one of PROGRAMS. It ends when its standard input does.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import sys
import threading
import traceback
import typing as t

_LONGEST_REQUEST = 1 << 16

# Stands where Ansible expects a Python: it hands its own files over, and ends as the forked process does.
INTERPRETER = """\
#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as server:
    server.connect({socket!r})
    request = {{"environment": dict(os.environ), "folder": os.getcwd(), "arguments": sys.argv}}
    socket.send_fds(server, [json.dumps(request).encode()], [0, 1, 2])
    reply = b""
    while data := server.recv(100):
        reply += data
os._exit(int(reply.split()[1]))
"""


def run_playbook(arguments: list[str]) -> None:
    """Be ansible-playbook."""
    from ansible.cli.playbook import PlaybookCLI

    PlaybookCLI.cli_executor(arguments)


def run_module(_arguments: list[str]) -> None:
    """Be a Python that runs the program on its standard input: so Ansible hands a module over."""
    program = sys.stdin.buffer.read()
    exec(compile(program, "<stdin>", "exec"), sys.modules["__main__"].__dict__)  # pylint: disable=exec-used


def prepare_playbook() -> None:
    """Import what a playbook needs anyway."""
    for name in ("ansible.cli.playbook", "ansible.executor.task_executor", "ansible.plugins.strategy"):
        importlib.import_module(name)


def prepare_module() -> None:
    """Import what modules need anyway, and make smaller keys: one of the real size takes half a second."""
    importlib.import_module("ansible.module_utils.basic")
    shared = importlib.import_module("ansible_collections.cgr.pull_through.plugins.module_utils")
    for found in pkgutil.walk_packages(shared.__path__, f"{shared.__name__}."):
        importlib.import_module(found.name)
    vars(sys.modules[f"{shared.__name__}._chainguard._jwt"])["_KEY_BITS"] = 2048


class Program(t.NamedTuple):
    """What is done once, and for each run. with_client: whether a run ends when the client is gone."""

    prepare: t.Callable[[], None]
    run: t.Callable[[list[str]], None]
    with_client: bool


PROGRAMS = {
    "playbook": Program(prepare_playbook, run_playbook, False),
    "module": Program(prepare_module, run_module, True),
}


def serve(path: str, name: str) -> None:
    """Fork a process for each request: {"environment", "folder", "arguments"} as JSON, with the three standard files."""
    program = PROGRAMS[name]
    program.prepare()
    # Else the collector would write to each page that the processes share, which copies it.
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(64)
        while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
            connection, _address = listener.accept()
            request, files, _flags, _sender = socket.recv_fds(connection, _LONGEST_REQUEST, 3)
            if os.fork() == 0:
                _be(program, connection, json.loads(request), files)
            for file in files:
                os.close(file)
            connection.close()


def _be(program: Program, connection: socket.socket, request: dict[str, t.Any], files: list[int]) -> t.NoReturn:
    """Run the program. The connection gets the process's number, and its exit code in the end, a line each."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w", buffering=1)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    connection.sendall(f"{os.getpid()}\n".encode())
    if program.with_client:
        threading.Thread(target=_end_with, args=(connection,), daemon=True).start()
    code = 1
    try:
        program.run(request["arguments"])
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            connection.sendall(f"{code}\n".encode())
        os._exit(code)


def _end_with(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.recv(1)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2])
