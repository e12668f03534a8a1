# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The processor time to start each module, compared with the smallest module of Ansible.

Runs the file that Ansible sends to a host for a module.
The modules get no options, so each ends when it has imported all that it needs. Processor time is counted and not the
clock's, as nothing is waited for here, and a busy machine would count twice.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from _metrics import ROOT, Figure, print_figures

ROUNDS = 5
MAX_RATIO = 1.95
# It contains the clients and the rules of all pull modules, and a play runs it once.
MAX_RATIO_OF_DIAGNOSIS = 2.5
PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
TRIVIAL = "ansible.builtin.ping"


def create_payloads(folder: Path) -> dict[str, Path]:
    """Let Ansible write the file that it sends for each module, and return the files by module name."""
    modules = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("[a-z]*.py"))
    names = [TRIVIAL, *(f"cgr.pull_through.{name}" for name in modules)]
    variables = {"ansible_python_interpreter": sys.executable, "ansible_remote_tmp": str(folder / "sent")}
    run_playbook = {"hosts": "localhost", "connection": "local", "gather_facts": False, "vars": variables}
    tasks = [{"name": name, name: {}, "ignore_errors": True} for name in names]
    (folder / "play.yml").write_text(json.dumps([{**run_playbook, "tasks": tasks}]), encoding="utf-8")
    environment = {
        **os.environ,
        "ANSIBLE_KEEP_REMOTE_FILES": "1",
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache" / "collections"),
    }
    subprocess.run([PLAYBOOK, folder / "play.yml"], env=environment, capture_output=True, check=True)
    files = {path.stem.partition("_")[2]: path for path in (folder / "sent").rglob("AnsiballZ_*.py")}
    return {name: files[name.rpartition(".")[2]] for name in names}


def measure(file: Path) -> float:
    """Run the file of a module, and return its processor time in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, file], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        files = create_payloads(Path(name))
        seconds: dict[str, list[float]] = {module: [] for module in files}
        for _round in range(ROUNDS):
            for module, file in files.items():
                seconds[module].append(measure(file))
    medians = {module: statistics.median(each) for module, each in seconds.items()}
    trivial = medians.pop(TRIVIAL)
    print(f"{TRIVIAL}: {trivial * 1000:.0f} ms")
    for module, each in medians.items():
        print(f"{module}: {(each - trivial) * 1000:.0f} ms more")
    print_figures(
        Figure(f"{module.rpartition('.')[2]}, times ping", each / trivial, max_ratio(module))
        for module, each in medians.items()
    )


def max_ratio(module: str) -> float:
    """Return how many times as long as the trivial module a module may take to start."""
    return MAX_RATIO_OF_DIAGNOSIS if module.endswith("artifactory_diagnosis") else MAX_RATIO


if __name__ == "__main__":
    main()
