# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What somebody sees who has just cloned the repository. tests/tools/bare_machine.py tries it on a new machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(*command: str | Path) -> tuple[int, list[str]]:
    """Return the exit code and the lines of the output, without those of make itself."""
    result = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    lines = result.stdout.splitlines()
    return result.returncode, [line for line in lines if line and not line.startswith("make")]


def test_the_demo() -> None:
    code, lines = run(sys.executable, "tests/demo")
    assert code == 0, lines[-20:]
    assert lines[-1].endswith("No process is left running.")


@pytest.mark.parametrize(
    ("program", "text"),
    [
        pytest.param(None, "is not installed. Python 3.11 or newer is required.", id="no-python"),
        pytest.param('case "$*" in *version_info*) exit 1; esac', "is older than Python 3.11.", id="old-python"),
        pytest.param(
            f'case "$*" in *ensurepip*) exit 1; esac; exec {sys.executable} "$@"',
            "apt install python3-venv",
            id="no-venv",
        ),
    ],
)
def test_a_missing_piece_is_one_line(tmp_path: Path, program: str | None, text: str) -> None:
    python = tmp_path / "python"
    if program is not None:
        python.write_text(f"#!/bin/sh\n{program}\n", encoding="utf-8")
        python.chmod(0o755)
    if text.endswith("venv"):
        code = f"import environments; environments.make_environment('none', 'core', {str(python)!r})"
        status, lines = run("env", f"PYTHONPATH={ROOT / 'tests' / 'tools'}", sys.executable, "-c", code)
    else:
        status, lines = run("make", f"PYTHON={python}", "environment")
    assert status != 0
    assert len(lines) == 1 and text in lines[0], lines
