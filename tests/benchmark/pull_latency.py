# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""100 small images over a line with a round trip of 20 ms: against a loop of skopeo, and against one crane process.

The peers pull a part of the images, and their time is multiplied.
"""

from __future__ import annotations

import os
import shutil
import statistics
import typing as t
from pathlib import Path

from _harness import Store, delayed, memory, program, registry, registry_pull, run
from _metrics import Figure, show

ROUNDS = 5
ROUND_TRIP = 0.020
IMAGES, PART, MANY = 100, 20, 1000
LAYERS, SIZE = 5, 200 << 10
DEFAULT, THREADS = 12, (8, 12, 16, 32)
AS_SKOPEO, AS_CRANE, DEFAULT_AS_BEST, RESOLVE_SECONDS = 12, 7, 1.6, 3


def skopeo_loop(skopeo: Path, host: str, names: t.Sequence[str], folder: Path) -> float:
    """Return the seconds of one process for each image."""
    platform = ["--override-os", "linux", "--override-arch", "amd64"]
    seconds = 0.0
    for name in names:
        source = ["--src-tls-verify=false", f"docker://{host}/{name}:latest"]
        seconds += run([skopeo, *platform, "copy", "-q", *source, f"dir:{folder / 'pulled'}"]).seconds
        shutil.rmtree(folder / "pulled")
    return seconds


def crane_once(crane: Path, host: str, names: t.Sequence[str], folder: Path) -> float:
    """Return the seconds of one process for all images."""
    sources = [f"{host}/{name}:latest" for name in names]
    options = ["--insecure", "--platform", "linux/amd64", "--format", "oci"]
    seconds = run([crane, "pull", *options, *sources, str(folder / "pulled")]).seconds
    shutil.rmtree(folder / "pulled")
    return seconds


def main() -> None:
    (skopeo, skopeo_version), (crane, crane_version) = program("skopeo"), program("crane", "version")
    print(f"peers: {skopeo_version}; crane {crane_version}")
    names = [f"org/image{number}" for number in range(MANY)]
    seconds: dict[t.Any, list[float]] = {key: [] for key in (*THREADS, "skopeo", "crane", "resolve")}
    with memory() as folder:
        store = Store(folder / "store")
        for number, name in enumerate(names):
            store.add_image(name, [os.urandom(SIZE) for _layer in range(LAYERS if number < IMAGES else 0)])
        with registry(folder / "store") as near, delayed(near, ROUND_TRIP) as host:
            options: dict[str, t.Any] = {"registry_url": f"http://{host}"}
            for _round in range(ROUNDS):
                for threads in THREADS:
                    seconds[threads].append(registry_pull(images=names[:IMAGES], threads=threads, **options).seconds)
                resolve = registry_pull(images=names, depth="resolve", threads=max(THREADS), **options)
                seconds["resolve"].append(resolve.seconds)
                if skopeo:
                    seconds["skopeo"].append(skopeo_loop(skopeo, host, names[:PART], folder) * IMAGES / PART)
                if crane:
                    seconds["crane"].append(crane_once(crane, host, names[:PART], folder) * IMAGES / PART)
    median = {key: statistics.median(each) for key, each in seconds.items() if each}
    print(
        *(f"{key if isinstance(key, str) else f'{key} threads'}: {each:.2f} s" for key, each in median.items()),
        sep="\n",
    )
    best = min(median[threads] for threads in THREADS)
    show(
        [
            _times(
                f"times faster than a loop of skopeo, {IMAGES} images",
                median.get("skopeo"),
                best,
                AS_SKOPEO,
                skopeo_version,
            ),
            _times(f"times faster than one crane, {IMAGES} images", median.get("crane"), best, AS_CRANE, crane_version),
            Figure(f"the default ({DEFAULT} threads) against the best", median[DEFAULT] / best, DEFAULT_AS_BEST),
            Figure(f"resolve {MANY} images, s", median["resolve"], RESOLVE_SECONDS),
        ]
    )


def _times(name: str, peer: float | None, ours: float, bound: float, why: str) -> Figure:
    return Figure(name, None if peer is None else peer / ours, bound, at_least=True, why=why)


if __name__ == "__main__":
    main()
