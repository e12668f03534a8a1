# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What it costs to start each module, over the smallest one: what Ansible sends to a host, run there as it is.

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

from _metrics import ROOT, Figure, show

ROUNDS = 5
MOST_SECONDS = 0.150
PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
TRIVIAL = "ansible.builtin.ping"


def payloads(folder: Path) -> dict[str, Path]:
    """Have Ansible make what it sends for each module, and return the files by the module's name."""
    ours = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("[a-z]*.py"))
    names = [TRIVIAL, *(f"cgr.pull_through.{name}" for name in ours)]
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
    found = {path.stem.partition("_")[2]: path for path in (folder / "sent").rglob("AnsiballZ_*.py")}
    return {name: found[name.rpartition(".")[2]] for name in names}


def processor_seconds(file: Path) -> float:
    """Run what was sent for a module, and return what it takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, file], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        files = payloads(Path(name))
        seconds: dict[str, list[float]] = {module: [] for module in files}
        for _round in range(ROUNDS):
            for module, file in files.items():
                seconds[module].append(processor_seconds(file))
    trivial = statistics.median(seconds.pop(TRIVIAL))
    print(f"{TRIVIAL} alone takes {trivial * 1000:.0f} ms")
    show(
        Figure(
            f"{module.rpartition('.')[2]}, ms over it", 1000 * (statistics.median(each) - trivial), 1000 * MOST_SECONDS
        )
        for module, each in seconds.items()
    )


if __name__ == "__main__":
    main()
