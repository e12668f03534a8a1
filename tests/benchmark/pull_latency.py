# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""100 small images with a round trip of 20 ms, compared with a loop of skopeo, and with one crane process.

The peers pull a part of the images, and their time is multiplied.
"""

from __future__ import annotations

import os
import shutil
import statistics
import typing as t
from pathlib import Path

from _harness import (
    Run,
    Store,
    create_memory_folder,
    delay_connections,
    find_program,
    print_processor_time,
    registry_pull,
    run,
    run_registry,
)
from _metrics import Figure, print_figures

ROUNDS = 5
ROUND_TRIP = 0.020
IMAGES, PART, MANY = 100, 20, 1000
LAYERS, SIZE = 5, 200 << 10
DEFAULT, THREADS = 12, (8, 12, 16, 32)
MIN_SKOPEO_RATIO, MIN_CRANE_RATIO, MAX_DEFAULT_RATIO, MAX_RESOLVE_SECONDS = 12, 7, 1.6, 3


def run_skopeo_loop(skopeo: Path, host: str, names: t.Sequence[str], folder: Path) -> list[Run]:
    """Run a process for each image."""
    platform = ["--override-os", "linux", "--override-arch", "amd64"]
    runs = []
    for name in names:
        source = ["--src-tls-verify=false", f"docker://{host}/{name}:latest"]
        runs.append(run([skopeo, *platform, "copy", "-q", *source, f"dir:{folder / 'pulled'}"]))
        shutil.rmtree(folder / "pulled")
    return runs


def time_crane(crane: Path, host: str, names: t.Sequence[str], folder: Path) -> float:
    """Return the seconds of a single process for all images."""
    sources = [f"{host}/{name}:latest" for name in names]
    options = ["--insecure", "--platform", "linux/amd64", "--format", "oci"]
    seconds = run([crane, "pull", *options, *sources, str(folder / "pulled")]).seconds
    shutil.rmtree(folder / "pulled")
    return seconds


def measure(skopeo: Path | None, crane: Path | None) -> dict[t.Any, list[float]]:
    """Return the seconds of each round, by the number of threads or the name of the peer. Print the processor times."""
    names = [f"org/image{number}" for number in range(MANY)]
    seconds: dict[t.Any, list[float]] = {key: [] for key in (*THREADS, "skopeo", "crane", "resolve")}
    pulls: list[Run] = []
    with create_memory_folder() as folder:
        store = Store(folder / "store")
        for number, name in enumerate(names):
            store.add_image(name, [os.urandom(SIZE) for _layer in range(LAYERS if number < IMAGES else 0)])
        with run_registry(folder / "store") as near, delay_connections(near, ROUND_TRIP) as host:
            options: dict[str, t.Any] = {"registry_url": f"http://{host}"}
            for _round in range(ROUNDS):
                for threads in THREADS:
                    pulls.append(registry_pull(images=names[:IMAGES], threads=threads, **options))
                    seconds[threads].append(pulls[-1].seconds)
                resolve = registry_pull(images=names, depth="resolve", threads=max(THREADS), **options)
                seconds["resolve"].append(resolve.seconds)
                if skopeo:
                    loop = run_skopeo_loop(skopeo, host, names[:PART], folder)
                    seconds["skopeo"].append(sum(run.seconds for run in loop) * IMAGES / PART)
                if crane:
                    seconds["crane"].append(time_crane(crane, host, names[:PART], folder) * IMAGES / PART)
    print_processor_time(f"module, {IMAGES} images", pulls)
    return seconds


def main() -> None:
    (skopeo, skopeo_version), (crane, crane_version) = find_program("skopeo"), find_program("crane", "version")
    print_figures(create_figures(measure(skopeo, crane), skopeo_version, crane_version))


def create_figures(seconds: dict[t.Any, list[float]], skopeo_version: str, crane_version: str) -> list[Figure]:
    """Print the medians and return the figures."""
    median = {key: statistics.median(each) for key, each in seconds.items() if each}
    print(
        *(f"{key if isinstance(key, str) else f'{key} threads'}: {each:.2f} s" for key, each in median.items()),
        sep="\n",
    )
    best = min(median[threads] for threads in THREADS)
    return [
        _compare_with_peer(
            f"times faster than a loop of {skopeo_version}", median.get("skopeo"), best, MIN_SKOPEO_RATIO
        ),
        _compare_with_peer(
            f"times faster than one {crane_version} process", median.get("crane"), best, MIN_CRANE_RATIO
        ),
        Figure(f"the default ({DEFAULT} threads) against the best", median[DEFAULT] / best, MAX_DEFAULT_RATIO),
        Figure(f"resolve {MANY} images, s", median["resolve"], MAX_RESOLVE_SECONDS),
    ]


def _compare_with_peer(name: str, peer: float | None, seconds: float, bound: float) -> Figure:
    return Figure(name, None if peer is None else peer / seconds, bound, at_least=True, reason="not installed")


if __name__ == "__main__":
    main()
