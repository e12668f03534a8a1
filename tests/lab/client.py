# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab in a process of its own, for the demo, tests and benchmarks. Needs nothing but the standard library."""

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

START_TIMEOUT = 30  # seconds until the lab has to be up
READ_METHODS = ("GET", "HEAD")
LOGIN_KINDS = ("sts.", "docker.token", "registry.token")  # kinds of requests that are no reads, and change nothing


class LabProcess:
    """A running lab. `state` is what its state file says."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state
        self._tls = ssl.create_default_context(cafile=state["ca_path"]) if state["ca_path"] else None
        if self._tls and state["client_cert_path"]:
            self._tls.load_cert_chain(state["client_cert_path"])

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """The answer of the control API (README.md has the list); urllib's HTTPError when it refuses."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.state["control_url"] + path, data=data, method=method)
        with urllib.request.urlopen(request, context=self._tls, timeout=START_TIMEOUT) as answer:
            return json.load(answer)

    def request_log(self, since: int = 0) -> list[dict[str, Any]]:
        """What the services were asked, after the entry with this number."""
        return list(self.control("GET", f"/request_log?since={since}"))

    def writes(self, since: int = 0) -> list[dict[str, Any]]:
        """Those of the request log that are neither reads nor logins."""
        return [entry for entry in self.request_log(since) if is_write(entry)]


def is_write(entry: dict[str, Any]) -> bool:
    return entry["method"] not in READ_METHODS and not str(entry["kind"]).startswith(LOGIN_KINDS)


@contextlib.contextmanager
def started(*arguments: str) -> Iterator[LabProcess]:
    """Start `python -m lab` with these arguments, and end it in the end."""
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
