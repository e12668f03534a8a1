# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file in which the progress of long work can be followed. Private to the collection.

Ansible shows nothing of a module before it ends, unless it warns: neither its output, nor that of an async task.
"""

from __future__ import annotations

import os
import threading
import time
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError

_EVERY = 5.0


class ProgressFile:
    """While work is under way, appends a line with the time every few seconds, and once more at its end."""

    def __init__(self, path: str, line: t.Callable[[], str], *, every: float = _EVERY) -> None:
        self._path = path
        self._line = line
        self._every = every
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> None:
        self._write()
        self._thread.start()

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()
        self._write()

    def _follow(self) -> None:
        while not self._over.wait(self._every):
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
