# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file with the progress of a long-running module. Private to the collection.

Ansible shows no output of a module, or of an async task, before it ends.
"""

from __future__ import annotations

import os
import threading
import time
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError

_INTERVAL = 5.0


class ProgressFile:
    """Appends a line with the time at the start, every few seconds, and at the end of a block. line: returns the text."""

    def __init__(self, path: str, line: t.Callable[[], str], *, interval: float = _INTERVAL) -> None:
        self._path = path
        self._line = line
        self._interval = interval
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> None:
        self._write()
        self._thread.start()

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._thread.join()
        self._write()

    def _follow(self) -> None:
        while not self._ended.wait(self._interval):
            self._write()

    def _write(self) -> None:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with open(descriptor, "a", encoding="utf-8") as file:
                file.write(f"{now} {self._line()}\n")
        except OSError as exc:
            if self._thread.ident is None:
                raise InputError(f"progress_file cannot be written: {exc.strerror}.", hint="Check its path.") from exc
