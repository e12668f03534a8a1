# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the benchmarks of `setup` share: playbooks, their variables, and the requests that the lab receives."""

from __future__ import annotations

import collections
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

from _metrics import ROOT

from lab.client import started
from support.lab_client import Json, LabClient
from support.sources import SOURCE_PULLS, SOURCES, VIRTUALS

PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
SETUP = "cgr.pull_through.setup"

Requests = collections.Counter[str]

# What a verification asks about a cache, and expires, so that a pull has to go upstream.
CACHE_PROBES = "cache probes"
_CACHE_PROBE_KINDS = {"storage.info", "cache.zap"}


class Bench:
    """Runs playbooks against the lab."""

    def __init__(self, lab: LabClient, folder: Path) -> None:
        self.lab = lab
        self._folder = folder
        collections_path = str(ROOT / ".cache" / "collections")
        self._environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": collections_path, "ANSIBLE_NOCOLOR": "1"}

    def write(self, name: str, content: t.Any) -> Path:
        """Write a file that may hold secrets."""
        path = self._folder / name
        path.touch(mode=0o600)
        path.write_text(json.dumps(content), encoding="utf-8")
        return path

    def run_playbook(self, playbook: str | Path, variables: Path, *arguments: str, changes: bool = False) -> float:
        """Return the wall time of a playbook in seconds. End the benchmark if it fails or changes something unexpectedly.

        arguments: of ansible-playbook.
        """
        command = [str(PLAYBOOK), str(playbook), "-e", f"@{variables}", *arguments]
        start = time.monotonic()
        process = subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - start
        if process.returncode != 0 or ("changed=0 " not in process.stdout and not changes):
            sys.exit(f"{playbook}:\n{process.stdout[-1500:]}{process.stderr[-500:]}")
        return seconds

    def count_requests(self, playbook: str | Path, variables: Path, *, changes: bool = False) -> tuple[float, Requests]:
        """Return the wall time of a playbook in seconds, and the number of requests by service; CACHE_PROBES count by themselves."""
        mark = self.lab.log_position()
        seconds = self.run_playbook(playbook, variables, changes=changes)
        log = self.lab.request_log(mark)
        return seconds, collections.Counter(
            CACHE_PROBES if entry["kind"] in _CACHE_PROBE_KINDS else entry["service"] for entry in log
        )


@contextlib.contextmanager
def start_bench() -> t.Iterator[Bench]:
    """Start a lab, and yield a bench for it."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name, started() as process:
        yield Bench(LabClient(process.state), Path(name))


def create_trivial_play() -> list[Json]:
    """Return a play with one task, which runs the smallest module."""
    variables = {"ansible_python_interpreter": "{{ ansible_playbook_python }}", "ansible_pipelining": True}
    header = {"hosts": "localhost", "connection": "local", "gather_facts": False, "vars": variables}
    return [{**header, "tasks": [{"name": "Do nothing", "ansible.builtin.ping": {}}]}]


def create_setup_variables(lab: LabClient, **overrides: t.Any) -> Json:
    """Return role variables for all sources, their virtual repositories and a permission. overrides: see LabClient.variables()."""
    variables = {"source_overrides": SOURCE_PULLS, "virtuals": list(VIRTUALS), "users": ["reader"], "depth": "manifest"}
    # Without a grace period of its own, a run has the default of the role.
    return lab.variables(*SOURCES, **{**variables, "grace_period": None, **overrides})
