# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sixty Artifactory instances in one run and in four job slices, and a warm-up of 1,000 images in four shards.

Each instance is a lab of its own, on this machine. A job slice is a run of its own with a part of the hosts, as in AWX.
"""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import os
import subprocess
import sys
import tempfile
import time
import typing as t
from pathlib import Path

import psutil
from _metrics import ROOT, Figure, print_figures
from _playbooks import PLAYBOOK, SETUP

from lab.client import started
from support.lab_client import Json, LabClient
from support.playbook_runner import write_private_json

INSTANCES, FORKS, SLICES = 60, 10, 4
IMAGES, SHARDS = 1000, 4
SOURCES = ("containers_public", "containers")
WARM = "cgr.pull_through.warm"


class Measured(t.NamedTuple):
    """Wall time in seconds, and the most memory of all processes of a run together, in MiB."""

    seconds: float
    memory: float


def run_playbook(playbook: str, folder: Path, hosts: dict[str, Json], forks: int) -> Measured:
    """Run a playbook on hosts. End the benchmark if it fails."""
    inventory = write_private_json(folder / f"{time.monotonic_ns()}.json", {"all": {"hosts": hosts}})
    command = [str(PLAYBOOK), playbook, "-i", str(inventory), "--forks", str(forks), "-e", "pull_through_hosts=all"]
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache" / "collections"),
        "ANSIBLE_NOCOLOR": "1",
    }
    start, memory = time.monotonic(), 0.0
    with tempfile.TemporaryFile("w+") as output:
        with subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT) as process:
            while process.poll() is None:
                memory = max(memory, _memory(process.pid))
                time.sleep(0.2)
        seconds = time.monotonic() - start
        output.seek(0)
        if process.returncode != 0:
            sys.exit(f"{playbook}:\n{output.read()[-3000:]}")
    return Measured(seconds, memory)


def _memory(pid: int) -> float:
    """Return the MiB that a process and its children use, with shared pages in proportion."""
    total = 0
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        for member in [process, *process.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                total += member.memory_full_info().pss
    return total / 2**20


def run_slices(playbook: str, folder: Path, slices: t.Sequence[dict[str, Json]], forks: int) -> list[Measured]:
    """Run a playbook on each part of the hosts at the same time."""
    with concurrent.futures.ThreadPoolExecutor(len(slices)) as pool:
        return list(pool.map(lambda hosts: run_playbook(playbook, folder, hosts, forks), slices))


def count_requests(labs: t.Iterable[LabClient], positions: t.Sequence[int]) -> float:
    """Return the number of requests to each lab since its position, on average."""
    counts = [len(lab.request_log(position)) for lab, position in zip(labs, positions)]
    return sum(counts) / len(counts)


def measure_sites(folder: Path) -> None:
    """Print the figures of sixty instances: the first run, one without changes, and one in slices."""
    with contextlib.ExitStack() as stack:
        labs = [LabClient(stack.enter_context(started("--http")).state) for _number in range(INSTANCES)]
        hosts = {f"site{number}": lab.variables(*SOURCES, depth="manifest") for number, lab in enumerate(labs)}
        names = list(hosts)
        slices = [{name: hosts[name] for name in names[number::SLICES]} for number in range(SLICES)]
        run_playbook(SETUP, folder, {names[0]: hosts[names[0]]}, 1)
        rounds: dict[str, t.Callable[[], list[Measured]]] = {
            "one instance, nothing to change": lambda: [run_playbook(SETUP, folder, {names[0]: hosts[names[0]]}, 1)],
            f"{INSTANCES} instances, first run": lambda: [run_playbook(SETUP, folder, hosts, FORKS)],
            f"{INSTANCES} instances, nothing to change": lambda: [run_playbook(SETUP, folder, hosts, FORKS)],
            f"the same in {SLICES} slices": lambda: run_slices(SETUP, folder, slices, FORKS),
        }
        for name, measure in rounds.items():
            used = labs[:1] if name.startswith("one") else labs
            positions = [lab.log_position() for lab in used]
            start = time.monotonic()
            runs = measure()
            seconds = time.monotonic() - start
            memory = ", ".join(f"{run.memory:.0f}" for run in runs)
            print(
                f"{name:34} {seconds:7.1f} s, {count_requests(used, positions):5.1f} requests each, {memory} MiB",
                flush=True,
            )


def measure_shards(folder: Path) -> list[Figure]:
    """Warm a catalog in one run and in shards, each with an empty cache."""
    with started("--http") as process:
        lab = LabClient(process.state)
        for number in range(IMAGES):
            lab.control("POST", "/chainguard/images", {"name": f"example.com/image-{number}", "tag": "latest"})
        variables = {**lab.variables(*SOURCES, depth="manifest"), "pull_through_warm_names": "image-*"}
        run_playbook(SETUP, folder, {"all-images": variables}, 1)
        shards = {
            f"shard{part}": {**variables, "pull_through_warm_shard": f"{part}/{SHARDS}"}
            for part in range(1, SHARDS + 1)
        }
        pulls: collections.Counter[str] = collections.Counter()
        for name, hosts in (("one run", {"all-images": variables}), (f"{SHARDS} shards, one run with forks", shards)):
            lab.clear_cache("cgr-private")
            position = lab.log_position()
            run = run_playbook(WARM, folder, hosts, FORKS)
            log = lab.request_log(position)
            pulls = collections.Counter(entry["path"] for entry in log if entry["kind"] == "docker.blob")
            print(
                f"{IMAGES} images, {name:32} {run.seconds:7.1f} s, {len(log)} requests, {run.memory:.0f} MiB",
                flush=True,
            )
        images = {path.split("/blobs/")[0] for path in pulls}
        return [
            Figure("images that the shards pulled", len(images), IMAGES, at_least=True),
            Figure("most pulls of the same layer", max(pulls.values()), 1),
        ]


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        figures = measure_shards(folder)
        measure_sites(folder)
        print_figures(figures)


if __name__ == "__main__":
    main()
