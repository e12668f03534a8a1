# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A place to rotate tokens at: a lab, a warm Ansible that runs the playbooks against it, and a client that pulls."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import select
import socket
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path

import httpx
import psutil
from lab.client import started

from support import fork_server
from support.lab_client import Json, LabClient, basic
from support.playbook_runner import clean_environment, private_file

KEY = "cgr-private"
TIMEOUT = 60.0  # seconds until a run has to be over
USER_AGENT = "cgr.pull_through"  # how that begins of what the modules send
LOUD = ("-vvvv", "--diff")


@dataclasses.dataclass(frozen=True)
class RunResult:
    """How a run ended: its exit code (None: it was killed), and all that it printed."""

    code: int | None
    output: str


class PlaybookProcess:
    """A playbook that runs."""

    def __init__(self, connection: socket.socket, output: Path, timeout: float) -> None:
        self._connection = connection
        self._connection.settimeout(timeout)
        self._output = output
        self._reply = connection.recv(100)

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return bool(select.select([self._connection], [], [], 0)[0])

    def wait(self) -> RunResult:
        """Wait for its end."""
        with self._connection:
            while data := self._connection.recv(100):
                self._reply += data
        codes = self._reply.split()[1:]
        return RunResult(int(codes[0]) if codes else None, self._output.read_text(encoding="utf-8", errors="replace"))

    def kill(self) -> None:
        """Kill it with all that it started, at once, as a machine that is switched off does."""
        root = psutil.Process(int(self._reply.split()[0]))
        root.suspend()
        for process in [root, *root.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


class ForkedAnsible:
    """Runs playbooks in processes that start at once, in a folder. What they are given and print is kept in another one.

    patience: the seconds that a run may take. environment: more environment variables.
    """

    def __init__(self, folder: Path, kept: Path, *, timeout: float = TIMEOUT, **environment: str) -> None:
        self._folder = folder
        self._kept = kept
        self._patience = timeout
        self._environment = {**clean_environment(folder), **environment}
        self._servers: list[subprocess.Popen[bytes]] = []
        self._count = 0

    def __enter__(self) -> ForkedAnsible:
        for name in fork_server.PROGRAMS:
            command = [sys.executable, fork_server.__file__, self._socket(name), name]
            self._servers.append(subprocess.Popen(command, stdin=subprocess.PIPE, env=self._environment))
        deadline = time.monotonic() + TIMEOUT
        while not all(Path(self._socket(name)).exists() for name in fork_server.PROGRAMS):
            assert time.monotonic() < deadline, "the warm programs did not start"
            time.sleep(0.05)
        interpreter = self._folder / "python"
        interpreter.write_text(fork_server.INTERPRETER.format(python=sys.executable, socket=self._socket("module")))
        interpreter.chmod(0o700)
        return self

    def __exit__(self, *_exception: object) -> None:
        for server in self._servers:
            server.communicate()

    def _socket(self, name: str) -> str:
        return str(self._folder / f"{name}.socket")

    def start(self, playbook: str, variables: Json, *more: str) -> PlaybookProcess:
        """Start a playbook of the collection, with more arguments."""
        self._count += 1
        output = self._kept / f"{self._count}.output"
        given = {**variables, "ansible_python_interpreter": str(self._folder / "python")}
        file = private_file(self._kept / f"{self._count}.json", given)
        arguments = ["ansible-playbook", f"cgr.pull_through.{playbook}", "--extra-vars", f"@{file}", *LOUD, *more]
        request = {"environment": self._environment, "folder": str(self._folder), "arguments": arguments}
        server = socket.socket(socket.AF_UNIX)
        server.connect(self._socket("playbook"))
        with output.open("wb") as written, open("/dev/null", "rb") as nothing:
            files = [nothing.fileno(), written.fileno(), written.fileno()]
            socket.send_fds(server, [json.dumps(request).encode()], files)
            return PlaybookProcess(server, output, self._patience)


class Client:
    """Pulls images through Artifactory that nobody has pulled before, as docker would, and keeps what failed."""

    image, tag = "example.com/python", "3.12"

    def __init__(self, lab: LabClient, session: httpx.Client) -> None:
        self._lab = lab
        self._session = session
        self.pulls = 0
        self.failures: list[str] = []

    def pull(self, when: str) -> None:
        """Pull a new build of the image: its index, and manifest, configuration and own layer of its first platform."""
        build = self._lab.control("POST", "/chainguard/images", {"name": self.image, "tag": self.tag})
        self.pulls += 1
        try:
            index = self._get(f"manifests/{build['digest']}").json()
            manifest = self._get(f"manifests/{index['manifests'][0]['digest']}").json()
            for blob in (manifest["config"], manifest["layers"][-1]):
                self._get(f"blobs/{blob['digest']}")
        except httpx.HTTPError as error:
            self.failures.append(f"{when}: {error}")

    def _get(self, path: str) -> httpx.Response:
        accept = {"Accept": "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"}
        answer = self._session.get(f"/v2/{KEY}/{self.image}/{path}", headers=accept, follow_redirects=True)
        return answer.raise_for_status()

    @contextlib.contextmanager
    def pulling(self, when: str, *, workers: int = 1, pause: float = 0.8) -> t.Iterator[None]:
        """Pull all the time while it is entered."""
        over = threading.Event()

        def work() -> None:
            while True:
                self.pull(when)
                if over.wait(pause):
                    return

        threads = [threading.Thread(target=work) for _number in range(workers)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join()


class RotationHarness:
    """A lab, an Ansible, and clients. What is reported of a story is what went wrong, in words."""

    def __init__(self, lab: LabClient, ansible: ForkedAnsible, session: httpx.Client) -> None:
        self.lab = lab
        self._ansible = ansible
        self._session = session
        self._series = ""
        self.outputs: list[str] = []

    def resume(self, series: str) -> Client:
        """Return a client of what the case before in the series left at rest; start anew where it did not."""
        if self._series != series or self.assert_single_token(series):
            self.reset()
        self._series = series
        return self.new_client()

    def reset(self, **variables: t.Any) -> Client:
        """Start anew, with a repository that has a pull token, and return a client of it."""
        self._series = ""
        self.lab.reset()
        assert self.run("setup", **variables).code == 0, self.outputs[-1]
        return self.new_client()

    def new_client(self) -> Client:
        return Client(self.lab, self._session)

    def start(self, playbook: str, *arguments: str, **variables: t.Any) -> PlaybookProcess:
        usual = {"depth": "manifest", "source_overrides": {"containers": {"images": ["nginx"]}}}
        return self._ansible.start(playbook, self.lab.variables("containers", **{**usual, **variables}), *arguments)

    def run(self, playbook: str, *arguments: str, **variables: t.Any) -> RunResult:
        return self.ended(self.start(playbook, *arguments, **variables))

    def ended(self, running: PlaybookProcess) -> RunResult:
        """Wait for a run, and keep what it printed for the search for secrets."""
        ended = running.wait()
        self.outputs.append(ended.output)
        return ended

    @property
    def username(self) -> str:
        """What Artifactory logs in with."""
        return str(self.lab.repositories()[KEY]["username"])

    def assert_single_token(self, when: str) -> list[str]:
        """Return what is wrong at rest: there has to be one token, and it is the one in use."""
        tokens = [token["uid"] for token in self.lab.pull_tokens()]
        return [] if tokens == [self.username] else [f"{when}: {self.username} is in use, there is {tokens}"]

    def most_tokens(self, since: int, before: int) -> int:
        """Return how many tokens there were at most after an entry of the request log, when there were so many before it."""
        most = count = before
        for entry in self.lab.request_log(since):
            if entry["status"] in (200, None):
                count += (entry["kind"] == "iam.identity.create") - (entry["kind"] == "iam.identity.delete")
                most = max(most, count)
        return most


@contextlib.contextmanager
def open_harness(folder: Path, kept: Path) -> t.Iterator[RotationHarness]:
    """Start a lab, and an Ansible in these folders, which are made."""
    folder.mkdir(parents=True)
    kept.mkdir(parents=True)
    with started("--http") as process, ForkedAnsible(folder, kept) as ansible:
        lab = LabClient(process.state)
        login = {"Authorization": basic("puller", lab.users["puller"]["token"])}
        # Over plain HTTP: to load certificates would take longer than to pull.
        with httpx.Client(base_url=lab.artifactory_url, headers=login, trust_env=False, verify=False) as session:
            yield RotationHarness(lab, ansible, session)
