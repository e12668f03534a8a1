# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the lab in a separate process, for the demo, tests and benchmarks. Uses only the standard library."""

from __future__ import annotations

import contextlib
import json
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

START_TIMEOUT = 30  # seconds
READ_METHODS = ("GET", "HEAD")
# Kinds of requests that change nothing, whatever the method: logins and searches.
READING_KINDS = ("sts.", "docker.token", "registry.token", "search.")
# A write that leaves all content in place: Artifactory compares it with the upstream earlier than it would have.
EXPIRATION = "cache.zap"


class LabProcess:
    """A running lab. `state` is the content of its state file."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state
        self._tls = ssl.create_default_context(cafile=state["ca_path"]) if state["ca_path"] else None
        if self._tls and state["client_cert_path"]:
            self._tls.load_cert_chain(state["client_cert_path"])

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Call the control API (see README.md). Raises urllib's HTTPError for an error response."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.state["control_url"] + path, data=data, method=method)
        with urllib.request.urlopen(request, context=self._tls, timeout=START_TIMEOUT) as response:
            return json.load(response)

    def request_log(self, since: int = 0) -> list[dict[str, Any]]:
        """The entries of the request log after the one with this number."""
        return list(self.control("GET", f"/request_log?since={since}"))

    def writes(self, since: int = 0) -> list[dict[str, Any]]:
        """The entries of the request log that write (see READING_KINDS)."""
        return [entry for entry in self.request_log(since) if is_write(entry)]

    def changes(self, since: int = 0) -> list[dict[str, Any]]:
        """The writes but for expirations, which a verification needs."""
        return [entry for entry in self.writes(since) if entry["kind"] != EXPIRATION]


def is_write(entry: dict[str, Any]) -> bool:
    return entry["method"] not in READ_METHODS and not str(entry["kind"]).startswith(READING_KINDS)


@contextlib.contextmanager
def started(*arguments: str) -> Iterator[LabProcess]:
    """Start `python -m lab` with these arguments, and stop it at the end."""
    with tempfile.TemporaryDirectory(prefix="lab-") as folder:
        ready, log = Path(folder, "ready.json"), Path(folder, "log")
        command = [sys.executable, "-m", "lab", "--state-file", str(ready), *arguments]
        with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
            try:
                deadline = time.monotonic() + START_TIMEOUT
                while not ready.exists():
                    if process.poll() is not None or time.monotonic() > deadline:
                        raise RuntimeError(f"the lab did not start:\n{log.read_text()}")
                    time.sleep(0.05)
                yield LabProcess(json.loads(ready.read_text()))
            finally:
                process.terminate()
