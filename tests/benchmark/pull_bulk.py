# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An image of 12 layers of 64 MiB over the loopback interface: against skopeo, and against curl and a hash over it.

skopeo writes what it pulls, to memory; the module keeps nothing.
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

from _harness import Store, certificate, memory, program, registry, registry_pull, run
from _metrics import Figure, show

ROUNDS = 5
LAYERS = 12
SIZE = 64 << 20
THREADS = 8
AS_SKOPEO, AS_CURL, MOST_MEMORY = 0.85, 1.3, 96


def hash_seconds() -> float:
    """Return what it takes to hash as many bytes, on as many threads."""
    body = os.urandom(SIZE)
    begun = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda _layer: hashlib.sha256(body).digest(), range(LAYERS)))
    return time.monotonic() - begun


def measure(url: str, digests: t.Sequence[str], folder: Path, ca: str, skopeo: Path | None) -> list[Figure]:
    """Return the figures over one kind of connection."""
    host, kind = url.partition("://")[2], url.partition(":")[0].upper()
    blobs = [part for digest in digests for part in ("-o", "/dev/null", f"{url}/v2/org/bulk/blobs/{digest}")]
    ours, memories, theirs, curls = [], [], [], []
    for _round in range(ROUNDS):
        mine = registry_pull(registry_url=url, images=["org/bulk"], ca_path=ca, threads=THREADS)
        ours.append(mine.seconds)
        memories.append(mine.memory)
        curls.append(run(["curl", "-sSf", "--cacert", ca, *blobs]).seconds + hash_seconds())
        if skopeo:
            target = folder / "pulled"
            source = ["--src-tls-verify=false", f"docker://{host}/org/bulk:latest"]
            platform = ["--override-os", "linux", "--override-arch", "amd64"]
            theirs.append(run([skopeo, *platform, "copy", "-q", *source, f"dir:{target}"]).seconds)
            shutil.rmtree(target)
    mine_, curl = statistics.median(ours), statistics.median(curls)
    ratio = mine_ / statistics.median(theirs) if theirs else None
    print(f"{kind}: {mine_:.2f} s, that is {LAYERS * SIZE / mine_ / 1e6:.0f} MB/s")
    return [
        Figure(f"{kind}, wall against skopeo's", ratio, AS_SKOPEO, why="skopeo is not installed"),
        Figure(f"{kind}, wall against curl's and a hash on {THREADS} threads", mine_ / curl, AS_CURL),
        Figure(f"{kind}, memory in MiB", max(memories), MOST_MEMORY),
    ]


def main() -> None:
    skopeo, version = program("skopeo")
    print(f"peers: {version}, {program('curl')[1]}")
    with memory() as folder:
        layers = [os.urandom(SIZE) for _layer in range(LAYERS)]
        digests = ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers]
        Store(folder / "store").add_image("org/bulk", layers)
        layers.clear()
        tls = certificate(folder)
        with registry(folder / "store") as plain, registry(folder / "store", tls) as secure:
            figures = measure(f"http://{plain}", digests, folder, tls["ca"], skopeo)
            figures += measure(f"https://{secure}", digests, folder, tls["ca"], skopeo)
    show(figures)


if __name__ == "__main__":
    main()
