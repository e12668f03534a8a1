# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests and time to compare 1,000 repositories of one Artifactory with their desired state, and to change each of them.

The peer is a running client that only sends the same 1,000 changes: one at a time with several numbers of threads, and in bulk requests
of several sizes. Its fastest variant shows the time that the server itself needs. The benchmark runs with an Artifactory that has bulk
requests, and with an older one. Both take 5 ms to save a configuration, one after another. No source says how long a real Artifactory
takes; the longer it is, the less everything else counts.
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
from _metrics import ROOT, Figure, print_figures

from lab.client import LabProcess, started

COLLECTIONS = ROOT / ".cache" / "collections"
MODULE = "ansible_collections.cgr.pull_through.plugins.modules.artifactory_remote_repository"
REPOSITORIES = 1000
ROUNDS = 5
SAVE_SECONDS = 0.005
THREADS = (1, 2, 4, 8, 16)
# Versions, and the sizes of bulk requests that the peer tries.
VERSIONS: dict[str, tuple[int, ...]] = {"7.161.15": (50, 100, 250, 1000), "7.77.3": ()}

Repository = dict[str, t.Any]


def repositories(period: int) -> list[Repository]:
    """Return the desired state. period: a setting that differs between one state and the next."""
    settings = {"enableTokenAuthentication": True, "retrievalCachePeriodSecs": period}
    return [
        {"key": f"cgr-{number:04}", "url": "https://cgr.dev/", "settings": settings} for number in range(REPOSITORIES)
    ]


class Subject:
    """Runs the module, a playbook and the peer against one Artifactory."""

    def __init__(self, lab: LabProcess, folder: Path) -> None:
        self.lab = lab
        self.folder = folder
        self.url = lab.state["artifactory"]["url"]
        self.token = lab.state["artifactory"]["users"]["admin"]["token"]
        self.environment = {**os.environ, "PYTHONPATH": str(COLLECTIONS), "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS)}

    def options(self, desired: list[Repository]) -> dict[str, t.Any]:
        connection = {"artifactory_url": self.url, "artifactory_access_token": self.token}
        return {**connection, "ca_path": self.lab.state["ca_path"], "repositories": desired}

    def run_module(self, desired: list[Repository]) -> float:
        """Run the module in a process, with its arguments on standard input as Ansible passes them, and return the seconds."""
        arguments = json.dumps({"ANSIBLE_MODULE_ARGS": self.options(desired)})
        return self._time([sys.executable, "-m", MODULE], arguments)

    def run_playbook(self, desired: list[Repository]) -> float:
        """Run a playbook with only this task, and return the seconds."""
        task = {
            "name": "Set up",
            "cgr.pull_through.artifactory_remote_repository": self.options(desired),
            "no_log": True,
        }
        variables = {"ansible_python_interpreter": "{{ ansible_playbook_python }}", "ansible_pipelining": True}
        header = {"hosts": "localhost", "connection": "local", "gather_facts": False, "vars": variables}
        path = self.folder / "play.yml"
        path.write_text(json.dumps([{**header, "tasks": [task]}]), encoding="utf-8")
        return self._time([str(Path(sys.executable).with_name("ansible-playbook")), str(path)], "")

    def _time(self, command: list[str], stdin: str) -> float:
        start = time.monotonic()
        process = subprocess.run(
            command, input=stdin, env=self.environment, capture_output=True, text=True, check=False
        )
        if process.returncode != 0:
            sys.exit(process.stdout[-2000:] + process.stderr[-2000:])
        return time.monotonic() - start

    def run_unchanged(self, desired: list[Repository]) -> tuple[int, float]:
        """Run the module with nothing to change, and return the number of its requests, and the seconds."""
        before = int(self.lab.request_log()[-1]["n"])
        seconds = self.run_module(desired)
        return sum(entry["service"] == "artifactory" for entry in self.lab.request_log(before)), seconds

    def run_peer(self, desired: list[Repository], *, threads: int, bulk_size: int) -> tuple[float, float]:
        """Send the changes, and return the seconds without and with a read of all repositories before and after them.

        bulk_size: how many repositories a request changes.
        """
        bodies = [{"key": repository["key"], **repository["settings"]} for repository in desired]
        parts = [bodies[start : start + bulk_size] for start in range(0, len(bodies), bulk_size)]
        headers = {"Authorization": f"Bearer {self.token}"}
        trust = ssl.create_default_context(cafile=self.lab.state["ca_path"])

        def read() -> None:
            client.get("repositories/configurations").raise_for_status().json()

        def send(part: list[Repository]) -> None:
            path = "v2/repositories/batch" if bulk_size > 1 else f"repositories/{part[0]['key']}"
            client.post(path, json=part if bulk_size > 1 else part[0]).raise_for_status()

        base = f"{self.url}/artifactory/api/"
        with httpx.Client(base_url=base, headers=headers, verify=trust, timeout=120, trust_env=False) as client:
            first = time.monotonic()
            read()
            start = time.monotonic()
            with concurrent.futures.ThreadPoolExecutor(threads) as pool:
                list(pool.map(send, parts))
            end = time.monotonic()
            read()
            return end - start, time.monotonic() - first


def find_best_peer(
    subject: Subject, periods: t.Iterator[int], bulk_sizes: tuple[int, ...]
) -> tuple[str, dict[str, int]]:
    """Return the fastest variant of the peer: its name, and its arguments."""
    variants = [{"threads": threads, "bulk_size": 1} for threads in THREADS]
    variants += [{"threads": 1, "bulk_size": size} for size in bulk_sizes]
    results = []
    for variant in variants:
        seconds, _whole = subject.run_peer(repositories(next(periods)), **variant)
        size = variant["bulk_size"]
        name = f"bulk requests of {size}" if size > 1 else f"one at a time, {variant['threads']} threads"
        print(f"  peer, {name + ':':32} {seconds:.2f} s", flush=True)
        results.append((seconds, name, variant))
    _seconds, name, variant = min(results, key=lambda result: result[0])
    return name, variant


def measure(subject: Subject, bulk_sizes: tuple[int, ...]) -> list[Figure]:
    """Return the figures of one Artifactory. bulk_sizes: the sizes of bulk requests that the peer tries."""
    periods = iter(range(1000, 10**6))
    print(f"creating {REPOSITORIES} repositories: {subject.run_module(repositories(next(periods))):.2f} s", flush=True)
    fastest, variant = find_best_peer(subject, periods, bulk_sizes)
    unchanged, playbooks, changes, peers = [], [], [], []
    for _round in range(ROUNDS):
        desired = repositories(next(periods))
        changes.append(subject.run_module(desired))
        requests, seconds = subject.run_unchanged(desired)
        unchanged.append(seconds)
        playbooks.append(subject.run_playbook(desired))
        peers.append(subject.run_peer(repositories(next(periods)), **variant))
    changed = statistics.median(changes)
    server, whole = (statistics.median(each) for each in zip(*peers))
    print(f"nothing to change, a playbook with one task: {statistics.median(playbooks):.2f} s")
    print(f"{REPOSITORIES} changes: {changed:.2f} s; the server alone {server:.2f} s ({fastest})")
    print(
        f"with a read before and after, the peer takes {whole:.2f} s; the module takes {changed / whole:.2f} times that"
    )
    return [
        Figure("nothing to change, requests", requests, 3),
        Figure("nothing to change, s", statistics.median(unchanged), 2),
        Figure(f"{REPOSITORIES} changes, times the server's own", changed / server, 1.5),
    ]


def main() -> None:
    for version, bulk_sizes in VERSIONS.items():
        print(f"Artifactory {version}")
        with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
            with started("--artifactory-version", version) as lab:
                lab.control("POST", "/settings", {"artifactory_save_seconds": SAVE_SECONDS})
                print_figures(measure(Subject(lab, Path(name)), bulk_sizes))


if __name__ == "__main__":
    main()
