# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fork server that makes hundreds of playbook runs affordable.

Most of the time of a short playbook goes into starting Python and importing Ansible: once for ansible-playbook, and
once for each module. This program imports a fixed set of modules, listens on a Unix socket, and forks a process for
each request. The forked process runs the real ansible-playbook or the real module, one process per run as usual; only
the imports are already done.

Two servers take part in a run (support/forked_ansible.py starts both and stops them):

1. `playbook` runs ansible-playbook. The client sends it the arguments, the environment and the three standard files.
2. `module` runs modules. Ansible starts a Python interpreter for each module and passes the module on standard input.
   `ansible_python_interpreter` names the script INTERPRETER instead. It passes its environment, its standard files and
   its arguments to the server, waits for the forked process, and exits with its code. If the script is killed, the
   server's process kills itself too, as the module would die with its interpreter.

Nothing is left out of a run: ansible-playbook reads its files and runs each task, and a module gets its arguments as
Ansible passes them and checks them. What differs from a run without the server: code is imported once, before the run,
and plugins are loaded, so a test must not change plugins while a server runs; templates that a run compiled are not
compiled again (template_cache.py); a task without a module has no process of its own (inline_tasks.py); the garbage
collector is off; pull tokens have 2048-bit keys, since a key of the real size takes half a second; and a grace period
moves the clock of the lab that LAB_CONTROL_URL names instead of waiting. tests/system/test_fork_server.py compares runs
with and without this server. test_request_count.py, and most of the system tests, run ansible-playbook without it.

Protocol: the request is one Python literal, {"environment", "folder", "arguments"}, sent with the file descriptors 0, 1
and 2. The response is two lines: the process ID at once, and the exit code at the end. A killed process sends no code.

Usage: python fork_server.py SOCKET PROGRAM, with one of PROGRAMS. The server stops when its standard input is closed.
"""

from __future__ import annotations

import ast
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
import urllib.request
import warnings

CONTROL_URL = "LAB_CONTROL_URL"  # the environment variable with the URL of the lab whose clock moves

_MAX_REQUEST = 1 << 16  # bytes
_KEY_BITS = 2048

# What all playbooks import while they run. Without this, each process of a run would import it again.
_PLAYBOOK_IMPORTS = (
    "ansible.cli.playbook",
    "ansible.executor.task_executor",
    "ansible.module_utils._internal._json._profiles._module_legacy_c2m",
    "ansible.module_utils._internal._json._profiles._module_legacy_m2c",
    "ansible.parsing.yaml.dumper",
    "ansible.playbook.handler_task_include",
    "ansible.plugins.cache.memory",
    "ansible.utils.encrypt",
    "ansible.utils.version",
    "multiprocessing.popen_fork",
    "multiprocessing.synchronize",
    "passlib.hash",
    "pty",
)
_PLUGIN_KINDS = (
    *("action", "become", "cache", "callback", "connection"),
    *("filter", "inventory", "shell", "strategy", "test", "vars"),
)

# Replaces the Python interpreter that Ansible starts for a module.
INTERPRETER = """\
#!{python} -IS
import _socket, os, sys
if sys.argv[1:2] == ["-c"]:  # the playbooks read the version of Python in this way
    exec(sys.argv[2])
    sys.exit()
# The modules json and socket would take longer to import than Python to start.
server = _socket.socket(_socket.AF_UNIX)
server.connect({socket!r})
request = ascii({{"environment": dict(os.environ), "folder": os.getcwd(), "arguments": sys.argv}})
files = b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 2))
server.sendmsg([request.encode()], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, files)])
response = b""
while data := server.recv(100):
    response += data
os._exit(int(response.split()[1]))
"""


def run_playbook(arguments: list[str]) -> None:
    """Run ansible-playbook."""
    from ansible.cli.playbook import PlaybookCLI

    PlaybookCLI.cli_executor(arguments)


def run_module(arguments: list[str]) -> None:
    """Run the Python program on standard input, as Ansible passes a module to an interpreter, or the one after -c."""
    program = arguments[2].encode() if arguments[1:2] == ["-c"] else sys.stdin.buffer.read()
    exec(compile(program, "<stdin>", "exec"), sys.modules["__main__"].__dict__)  # pylint: disable=exec-used


def prepare_playbook() -> None:
    """Import what playbooks need, with the filters of the collection, and keep compiled templates in a folder."""
    for name in _PLAYBOOK_IMPORTS:
        importlib.import_module(name)
    loader = importlib.import_module("ansible.plugins.loader")
    loader.init_plugin_loader()
    for kind in _PLUGIN_KINDS:
        list(
            vars(loader)[f"{kind}_loader"].all(class_only=True)
        )  # reads their documentation too, which has their options
    # Each run initializes the loader as well, which has no effect.
    warnings.filterwarnings("ignore", "AnsibleCollectionFinder has already been configured")
    importlib.import_module("ansible_collections.cgr.pull_through.plugins.filter.pull_through")
    importlib.import_module("support.template_cache").install()
    importlib.import_module("support.inline_tasks").install()


def prepare_module() -> None:
    """Import what modules need, and replace what takes time: the size of keys, and waits."""
    importlib.import_module("ansible.module_utils.basic")
    module_utils = "ansible_collections.cgr.pull_through.plugins.module_utils"
    import_package(module_utils)
    replace(f"{module_utils}._chainguard._jwt", "_KEY_BITS", _KEY_BITS)
    if CONTROL_URL in os.environ:
        replace(f"{module_utils}._wait", "sleep", move_clock)


def import_package(name: str) -> None:
    """Import a package and all of its modules."""
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, f"{name}."):
        importlib.import_module(module.name)


def replace(module: str, name: str, value: t.Any) -> None:
    """Replace what a module defines."""
    defined = vars(sys.modules[module])
    assert name in defined, f"{module} does not define {name}"
    defined[name] = value


def move_clock(seconds: float) -> None:
    """Move the clock of the lab instead of waiting."""
    body = json.dumps({"advance": seconds}).encode()
    request = urllib.request.Request(f"{os.environ[CONTROL_URL]}/clock", body, {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=30).close()


class Program(t.NamedTuple):
    """A program that the server runs.

    prepare: runs once. run: runs in each forked process.
    ends_with_client: whether a run ends when its client does.
    """

    prepare: t.Callable[[], None]
    run: t.Callable[[list[str]], None]
    ends_with_client: bool


PROGRAMS = {
    "playbook": Program(prepare_playbook, run_playbook, False),
    "module": Program(prepare_module, run_module, True),
}


def serve(path: str, name: str) -> None:
    """Fork a process for each request until standard input is closed."""
    program = PROGRAMS[name]
    program.prepare()
    # Without this, the garbage collector would write to the memory that the processes share, which copies it.
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listener:
        # Clients wait for the path, and must not find it before the server listens.
        listener.bind(f"{path}.new")
        listener.listen(64)
        os.rename(f"{path}.new", path)
        while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
            connection, _address = listener.accept()
            request, files, _flags, _sender = socket.recv_fds(connection, _MAX_REQUEST, 3)
            if os.fork() == 0:
                _run_forked(program, connection, ast.literal_eval(request.decode()), files)
            for file in files:
                os.close(file)
            connection.close()


def _run_forked(program: Program, connection: socket.socket, request: dict[str, t.Any], files: list[int]) -> t.NoReturn:
    """Run the program in the forked process, and send the process ID and the exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w", buffering=1)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    connection.sendall(f"{os.getpid()}\n".encode())
    if program.ends_with_client:
        threading.Thread(target=_end_with_client, args=(connection,), daemon=True).start()
    # The process ends soon, and the collector would copy the memory that it shares with the server.
    gc.disable()
    code = 1
    try:
        program.run(request["arguments"])
        code = 0
    except SystemExit as exit_request:
        code = exit_request.code if isinstance(exit_request.code, int) else int(exit_request.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            connection.sendall(f"{code}\n".encode())
        os._exit(code)


def _end_with_client(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.recv(1)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2])
