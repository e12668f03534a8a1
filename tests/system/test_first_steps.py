# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What somebody sees who has just cloned the repository. tests/tools/bare_machine.py tries it on a new machine."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import typing as t
from pathlib import Path

import pytest

import run_tests
from stage import LOGS, Stage

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
    part = lines[next(number for number, line in enumerate(lines) if line.startswith("4. ")) :]
    commands = [line.split("#")[0].strip() for line in part if line.startswith("    ")]
    assert commands[:4] == [
        "python3 -m venv ~/ansible && . ~/ansible/bin/activate",
        "pip install ansible-core requests cryptography jmespath",
        "make build",
        "ansible-galaxy collection install .cache/build/cgr-pull_through-*.tar.gz",
    ], "how to get Ansible and the collection comes first"
    assert any(command.startswith("ansible-playbook cgr.pull_through.setup") for command in commands[4:])


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


@pytest.fixture
def output(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[list[str]]:
    """Run four stages, of which the first ends only when the sign of life has shown its last line, and return the output."""
    lines: list[str] = []
    was_printed = threading.Event()

    def record(text: str, **_options: t.Any) -> None:
        lines.append(text)
        if text.endswith("the last line"):
            was_printed.set()

    def slow(stage: Stage) -> None:
        stage.check("slow", "echo", "the last line")
        assert was_printed.wait(60)

    def quick(stage: Stage) -> None:
        stage.check("quick", "true")

    stages = {"test-1": slow, "test-2": quick, "test-3": quick, "test-alone": quick}
    monkeypatch.setattr(run_tests, "print", record, raising=False)
    monkeypatch.setattr(run_tests, "make_test_environment", lambda: None)
    monkeypatch.setattr(run_tests, "SIGN_OF_LIFE", 0.01)
    monkeypatch.setattr(run_tests, "STAGES", stages)
    monkeypatch.setattr(run_tests, "ALONE", "test-alone")
    monkeypatch.setattr("sys.argv", ["run_tests.py"])
    assert run_tests.main() == 0
    yield lines
    for name in stages:
        (LOGS / f"{name}.log").unlink()


def test_the_tests_show_the_logs_first_and_signs_of_life(output: list[str]) -> None:
    starts = [line.split()[0] for line in output if ".log" in line]
    assert sorted(starts[:3]) == ["test-1", "test-2", "test-3"] and starts[3:] == ["test-alone"]
    assert re.search(r"starts[.] Its output is in [.]cache/logs/test-[123][.]log$", output[0])
    sign = next(number for number, line in enumerate(output) if line.endswith("the last line"))
    assert output[sign].split()[1:3] == ["min", "test-1"]
    alone = next(number for number, line in enumerate(output) if "test-alone.log" in line)
    assert sign < alone, "it starts when the others have ended"


def test_the_short_stages_come_first() -> None:
    assert list(run_tests.STAGES)[0] == "lab-test" and list(run_tests.STAGES)[-1] == run_tests.ALONE == "rotation"
