# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What it costs to look at 1,000 repositories of one Artifactory, and to change each of them.

The peer sends the same 1,000 changes and does nothing else, from a client that has started already: one by one with several numbers of
threads, and in batches of several sizes. The fastest of these is what the server itself needs. Once with an Artifactory that has batches,
and once with an older one. Either takes 5 ms for each configuration that it saves, one after the other. That is little: what a real one
takes is not in the facts, and the longer it is, the less all else counts.
"""

from __future__ import annotations

import concurrent.futures
import json
import os
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

import httpx
from _metrics import ROOT, Figure, show

from lab.client import LabProcess, started

COLLECTIONS = ROOT / ".cache" / "collections"
MODULE = "ansible_collections.cgr.pull_through.plugins.modules.artifactory_remote_repository"
REPOSITORIES = 1000
ROUNDS = 5
SAVE_SECONDS = 0.005
THREADS = (1, 2, 4, 8, 16)
# Versions, and the sizes of batches that they are tried with.
VERSIONS: dict[str, tuple[int, ...]] = {"7.161.15": (50, 100, 250, 1000), "7.77.3": ()}

Repository = dict[str, t.Any]


def repositories(period: int) -> list[Repository]:
    """Return what is wanted. period: a setting that makes the difference between one state and the next."""
    settings = {"enableTokenAuthentication": True, "retrievalCachePeriodSecs": period}
    return [
        {"key": f"cgr-{number:04}", "url": "https://cgr.dev/", "settings": settings} for number in range(REPOSITORIES)
    ]


class Subject:
    """One Artifactory, as the module, a playbook and the peer see it."""

    def __init__(self, lab: LabProcess, folder: Path) -> None:
        self.lab = lab
        self.folder = folder
        self.url = lab.state["artifactory"]["url"]
        self.token = lab.state["artifactory"]["users"]["admin"]["token"]
        self.environment = {**os.environ, "PYTHONPATH": str(COLLECTIONS), "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS)}

    def options(self, wanted: list[Repository]) -> dict[str, t.Any]:
        login = {"artifactory_url": self.url, "artifactory_access_token": self.token}
        return {**login, "ca_path": self.lab.state["ca_path"], "repositories": wanted}

    def module(self, wanted: list[Repository]) -> float:
        """Run the module as Ansible does, as a process with its arguments on standard input, and return its seconds."""
        arguments = json.dumps({"ANSIBLE_MODULE_ARGS": self.options(wanted)})
        return self._timed([sys.executable, "-m", MODULE], arguments)

    def playbook(self, wanted: list[Repository]) -> float:
        """Run a playbook with that one task, and return its seconds."""
        task = {
            "name": "Set up",
            "cgr.pull_through.artifactory_remote_repository": self.options(wanted),
            "no_log": True,
        }
        variables = {"ansible_python_interpreter": "{{ ansible_playbook_python }}", "ansible_pipelining": True}
        header = {"hosts": "localhost", "connection": "local", "gather_facts": False, "vars": variables}
        path = self.folder / "play.yml"
        path.write_text(json.dumps([{**header, "tasks": [task]}]), encoding="utf-8")
        return self._timed([str(Path(sys.executable).with_name("ansible-playbook")), str(path)], "")

    def _timed(self, command: list[str], given: str) -> float:
        begun = time.monotonic()
        done = subprocess.run(command, input=given, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(done.stdout[-2000:] + done.stderr[-2000:])
        return time.monotonic() - begun

    def look(self, wanted: list[Repository]) -> tuple[int, float]:
        """Run the module where nothing is to be done, and return how many requests it sends, and its seconds."""
        before = int(self.lab.request_log()[-1]["n"])
        seconds = self.module(wanted)
        return sum(entry["service"] == "artifactory" for entry in self.lab.request_log(before)), seconds

    def peer(self, wanted: list[Repository], *, threads: int, batch: int) -> tuple[float, float]:
        """Send the changes plainly, and return the seconds: of that alone, and with a look at all before and after it.

        batch: how many repositories a request changes.
        """
        bodies = [{"key": one["key"], **one["settings"]} for one in wanted]
        parts = [bodies[start : start + batch] for start in range(0, len(bodies), batch)]
        headers = {"Authorization": f"Bearer {self.token}"}
        trust = ssl.create_default_context(cafile=self.lab.state["ca_path"])

        def look() -> None:
            client.get("repositories/configurations").raise_for_status().json()

        def send(part: list[Repository]) -> None:
            path = "v2/repositories/batch" if batch > 1 else f"repositories/{part[0]['key']}"
            client.post(path, json=part if batch > 1 else part[0]).raise_for_status()

        base = f"{self.url}/artifactory/api/"
        with httpx.Client(base_url=base, headers=headers, verify=trust, timeout=120, trust_env=False) as client:
            first = time.monotonic()
            look()
            begun = time.monotonic()
            with concurrent.futures.ThreadPoolExecutor(threads) as pool:
                list(pool.map(send, parts))
            ended = time.monotonic()
            look()
            return ended - begun, time.monotonic() - first


def best_peer(subject: Subject, periods: t.Iterator[int], batches: tuple[int, ...]) -> tuple[str, dict[str, int]]:
    """Return the fastest way to send the changes: what to call it, and what it is made of."""
    ways = [{"threads": threads, "batch": 1} for threads in THREADS] + [{"threads": 1, "batch": n} for n in batches]
    timed = []
    for way in ways:
        seconds, _whole = subject.peer(repositories(next(periods)), **way)
        name = f"batches of {way['batch']}" if way["batch"] > 1 else f"one by one, {way['threads']} threads"
        print(f"  peer, {name + ':':32} {seconds:.2f} s", flush=True)
        timed.append((seconds, name, way))
    _seconds, name, way = min(timed, key=lambda one: one[0])
    return name, way


def measured(subject: Subject, batches: tuple[int, ...]) -> list[Figure]:
    """Return the figures of one Artifactory. batches: sizes that the peer tries."""
    periods = iter(range(1000, 10**6))
    print(f"creating {REPOSITORIES} repositories: {subject.module(repositories(next(periods))):.2f} s", flush=True)
    fastest, way = best_peer(subject, periods, batches)
    looks, plays, changes, peers = [], [], [], []
    for _round in range(ROUNDS):
        wanted = repositories(next(periods))
        changes.append(subject.module(wanted))
        requests, seconds = subject.look(wanted)
        looks.append(seconds)
        plays.append(subject.playbook(wanted))
        peers.append(subject.peer(repositories(next(periods)), **way))
    changed = statistics.median(changes)
    server, whole = (statistics.median(each) for each in zip(*peers))
    print(f"look without a change, a playbook with one task: {statistics.median(plays):.2f} s")
    print(f"{REPOSITORIES} changes: {changed:.2f} s; the server alone {server:.2f} s ({fastest})")
    print(f"with a look before and after, the peer takes {whole:.2f} s; the module {changed / whole:.2f} times that")
    return [
        Figure("look without a change, requests", requests, 3),
        Figure("look without a change, s", statistics.median(looks), 2),
        Figure(f"{REPOSITORIES} changes, times the server's own", changed / server, 1.5),
    ]


def main() -> None:
    for version, batches in VERSIONS.items():
        print(f"Artifactory {version}")
        with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
            with started("--artifactory-version", version) as lab:
                lab.control("POST", "/settings", {"artifactory_save_seconds": SAVE_SECONDS})
                show(measured(Subject(lab, Path(name)), batches))


if __name__ == "__main__":
    main()
