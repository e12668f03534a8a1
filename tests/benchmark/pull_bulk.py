# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An image of 12 layers of 64 MiB over the loopback interface, compared with skopeo, and with curl and a hash.

skopeo writes what it pulls to memory. The module keeps nothing.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import os
import shutil
import statistics
import time
import typing as t
from pathlib import Path

from _harness import Store, create_memory_folder, find_program, registry_pull, run, run_registry, write_certificate
from _metrics import Figure, print_figures

ROUNDS = 5
LAYERS = 12
SIZE = 64 << 20
THREADS = 8
MAX_SKOPEO_RATIO, MAX_CURL_RATIO, MAX_MEMORY = 0.85, 1.3, 96


def hash_seconds() -> float:
    """Return the seconds to hash the same number of bytes with the same number of threads."""
    body = os.urandom(SIZE)
    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda _layer: hashlib.sha256(body).digest(), range(LAYERS)))
    return time.monotonic() - start


def measure(url: str, digests: t.Sequence[str], folder: Path, ca: str, skopeo: Path | None) -> list[Figure]:
    """Return the figures of one kind of connection."""
    host, kind = url.partition("://")[2], url.partition(":")[0].upper()
    blobs = [part for digest in digests for part in ("-o", "/dev/null", f"{url}/v2/org/bulk/blobs/{digest}")]
    seconds, memories, skopeo_seconds, curl_seconds = [], [], [], []
    for _round in range(ROUNDS):
        pull = registry_pull(registry_url=url, images=["org/bulk"], ca_path=ca, threads=THREADS)
        seconds.append(pull.seconds)
        memories.append(pull.memory)
        curl_seconds.append(run(["curl", "-sSf", "--cacert", ca, *blobs]).seconds + hash_seconds())
        if skopeo:
            target = folder / "pulled"
            source = ["--src-tls-verify=false", f"docker://{host}/org/bulk:latest"]
            platform = ["--override-os", "linux", "--override-arch", "amd64"]
            skopeo_seconds.append(run([skopeo, *platform, "copy", "-q", *source, f"dir:{target}"]).seconds)
            shutil.rmtree(target)
    median, curl = statistics.median(seconds), statistics.median(curl_seconds)
    ratio = median / statistics.median(skopeo_seconds) if skopeo_seconds else None
    print(f"{kind}: {median:.2f} s, that is {LAYERS * SIZE / median / 1e6:.0f} MB/s")
    return [
        Figure(f"{kind}, wall against skopeo's", ratio, MAX_SKOPEO_RATIO, reason="skopeo is not installed"),
        Figure(f"{kind}, wall against curl's and a hash on {THREADS} threads", median / curl, MAX_CURL_RATIO),
        Figure(f"{kind}, memory in MiB", max(memories), MAX_MEMORY),
    ]


def main() -> None:
    skopeo, version = find_program("skopeo")
    print(f"peers: {version}, {find_program('curl')[1]}")
    with create_memory_folder() as folder:
        layers = [os.urandom(SIZE) for _layer in range(LAYERS)]
        digests = ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers]
        Store(folder / "store").add_image("org/bulk", layers)
        layers.clear()
        tls = write_certificate(folder)
        with run_registry(folder / "store") as plain, run_registry(folder / "store", tls) as secure:
            figures = measure(f"http://{plain}", digests, folder, tls["ca"], skopeo)
            figures += measure(f"https://{secure}", digests, folder, tls["ca"], skopeo)
    print_figures(figures)


if __name__ == "__main__":
    main()
