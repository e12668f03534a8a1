# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An image of 12 layers of 64 MiB over the loopback interface, compared with skopeo, and with curl and a hash.

skopeo writes what it pulls to memory. The module keeps nothing.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import hashlib
import os
import shutil
import statistics
import time
import typing as t
from pathlib import Path

from _harness import (
    Run,
    Store,
    create_memory_folder,
    find_program,
    print_processor_time,
    registry_pull,
    run,
    run_registry,
    write_certificate,
)
from _metrics import Figure, print_figures

ROUNDS = 5
LAYERS = 12
SIZE = 64 << 20
THREADS = 8
MAX_SKOPEO_RATIO = {"HTTP": 0.85, "HTTPS": 1.0}
MAX_CURL_RATIO, MAX_MEMORY = 1.3, 96


def hash_seconds() -> float:
    """Return the seconds to hash the same number of bytes with the same number of threads."""
    body = os.urandom(SIZE)
    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda _layer: hashlib.sha256(body).digest(), range(LAYERS)))
    return time.monotonic() - start


def measure(url: str, digests: t.Sequence[str], folder: Path, ca: str, skopeo: Path | None) -> dict[str, list[Run]]:
    """Return the runs of one kind of connection."""
    host = url.partition("://")[2]
    blobs = [part for digest in digests for part in ("-o", "/dev/null", f"{url}/v2/org/bulk/blobs/{digest}")]
    runs: dict[str, list[Run]] = {"module": [], "curl": [], "skopeo": []}
    for _round in range(ROUNDS):
        runs["module"].append(registry_pull(registry_url=url, images=["org/bulk"], ca_path=ca, threads=THREADS))
        curl = run(["curl", "-sSf", "--cacert", ca, *blobs])
        runs["curl"].append(dataclasses.replace(curl, seconds=curl.seconds + hash_seconds()))
        if skopeo:
            target = folder / "pulled"
            source = ["--src-tls-verify=false", f"docker://{host}/org/bulk:latest"]
            platform = ["--override-os", "linux", "--override-arch", "amd64"]
            runs["skopeo"].append(run([skopeo, *platform, "copy", "-q", *source, f"dir:{target}"]))
            shutil.rmtree(target)
    return runs


def create_figures(kind: str, runs: t.Mapping[str, t.Sequence[Run]], versions: t.Mapping[str, str]) -> list[Figure]:
    """Print the medians and return the figures."""
    median = {name: statistics.median(run.seconds for run in each) for name, each in runs.items() if each}
    print(f"{kind}: {median['module']:.2f} s, that is {LAYERS * SIZE / median['module'] / 1e6:.0f} MB/s")
    for name in ("module", "skopeo"):
        if runs[name]:
            print_processor_time(f"{kind}, {name}", runs[name])
    ratio = median["module"] / median["skopeo"] if "skopeo" in median else None
    curl = median["module"] / median["curl"]
    memory = max(run.memory for run in runs["module"])
    return [
        Figure(f"{kind}, wall against {versions['skopeo']}", ratio, MAX_SKOPEO_RATIO[kind], reason="not installed"),
        Figure(f"{kind}, wall against {versions['curl']} and a hash on {THREADS} threads", curl, MAX_CURL_RATIO),
        Figure(f"{kind}, memory in MiB", memory, MAX_MEMORY),
    ]


def main() -> None:
    (skopeo, skopeo_version), (_curl, curl_version) = find_program("skopeo"), find_program("curl")
    versions = {"skopeo": skopeo_version, "curl": curl_version}
    with create_memory_folder() as folder:
        layers = [os.urandom(SIZE) for _layer in range(LAYERS)]
        digests = ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers]
        Store(folder / "store").add_image("org/bulk", layers)
        layers.clear()
        tls = write_certificate(folder)
        with run_registry(folder / "store") as plain, run_registry(folder / "store", tls) as secure:
            urls = {"HTTP": f"http://{plain}", "HTTPS": f"https://{secure}"}
            runs = {kind: measure(url, digests, folder, tls["ca"], skopeo) for kind, url in urls.items()}
    print_figures([figure for kind, each in runs.items() for figure in create_figures(kind, each, versions)])


if __name__ == "__main__":
    main()
