# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One stage of the tests: its commands, their log, and the number of checks."""

from __future__ import annotations

import dataclasses
import os
import shlex
import subprocess
import time
import typing as t
from pathlib import Path

from environments import CACHE, ROOT, path_without_shims

LOGS = CACHE / "logs"
TAIL = 60  # lines of output that a failed check shows


@dataclasses.dataclass(frozen=True)
class Counts:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed" + (f", {self.skipped} skipped" if self.skipped else "")


@dataclasses.dataclass(frozen=True)
class CommandResult:
    """Exit code, output including standard error, and start time by the monotonic clock."""

    code: int
    output: str
    started: float


class Stage:
    """Runs commands and counts checks. Writes all output to .cache/logs/NAME.log, and to the terminal if `verbose`."""

    def __init__(self, name: str, *, verbose: bool) -> None:
        LOGS.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.counts = Counts()
        self.is_verbose = verbose
        self.is_running = False
        self.last_line = ""
        self.log = LOGS / f"{name}.log"
        self._log = self.log.open("w", encoding="utf-8")

    def run(
        self, *command: str | Path, cwd: Path = ROOT, path: t.Sequence[Path] = (), **variables: str
    ) -> CommandResult:
        """Run a command with `path` before the folders of PATH, and with additional environment variables."""
        words = [str(word) for word in command]
        folders = os.pathsep.join([*map(str, path), *path_without_shims()])
        started = time.monotonic()
        lines = []
        self._show(f"$ {shlex.join(words)}\n")
        with subprocess.Popen(
            words,
            cwd=cwd,
            env={**os.environ, "PATH": folders, "NO_COLOR": "1", **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        ) as process:
            for line in process.stdout or ():
                lines.append(line)
                self._show(line)
        return CommandResult(process.returncode, "".join(lines), started)

    def check(self, what: str, *command: str | Path, **options: t.Any) -> None:
        """Run a command as run() does. Count it as one check, which passes with exit code 0."""
        result = self.run(*command, **options)
        self.record(what, result, Counts(passed=1) if result.code == 0 else Counts(failed=1))

    def record(self, what: str, result: CommandResult, counts: Counts) -> None:
        """Add the counts of a command and print one line."""
        self.counts += counts
        seconds = time.monotonic() - result.started
        text = f"{'FAILED' if counts.failed else 'ok':8}{self.name:13}{what:60}{seconds:6.1f} s\n"
        if counts.failed and not self.is_verbose:
            text += "".join(f"    {line}\n" for line in result.output.splitlines()[-TAIL:])
        print(text, end="", flush=True)

    def skip(self, why: str) -> None:
        """Count one check that cannot run here."""
        self.counts += Counts(skipped=1)
        print(f"{'skipped':8}{self.name:13}{why}", flush=True)

    def fail(self, why: str) -> None:
        """Count one failure that is not a command's."""
        self.counts += Counts(failed=1)
        print(f"{'FAILED':8}{self.name:13}{why}", flush=True)

    def end(self) -> None:
        """Close the log. No other command runs after it."""
        self.is_running = False
        self._log.close()

    def _show(self, text: str) -> None:
        self.last_line = text.strip() or self.last_line
        self._log.write(text)
        self._log.flush()
        if self.is_verbose:
            print(text, end="", flush=True)
