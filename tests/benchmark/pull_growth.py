# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How requests, time and memory grow from 10 to 1,000 images, and the requests of a second warm-up with nothing to do.

Also prints the number of requests beside what the protocol needs. A unit test of the engine asserts the same.
"""

from __future__ import annotations

import os
import statistics
import typing as t

from _harness import Run, Store, create_memory_folder, registry_pull, run_registry
from _metrics import Figure, print_figures

ROUNDS = 5
COUNTS = (10, 100, 1000)
LAYERS, SIZE = 5, 2 << 10
MAX_MORE_MEMORY = 16
MAX_REPEATED_REQUESTS = 3  # for an image that was pulled before: index and manifest, but no layers or configuration


def print_requests(requests: t.Mapping[int, int]) -> None:
    """Print the requests of each kind, and what the protocol needs."""
    few, many = COUNTS[0], COUNTS[-1]
    each = (requests[many] - requests[few]) / (many - few)
    rows = [
        ("for a registry: are credentials needed? (GET /v2/)", requests[few] - few * each, 1),
        (f"for an image: index, manifest, configuration, {LAYERS} layers", each, 3 + LAYERS),
        ("for a repository with credentials: a token (see the unit test)", 1, 1),
    ]
    print(f"{'requests':62} {'sent':>6} {'needed':>6}")
    for name, sent, needed in rows:
        print(f"{name:62} {sent:6g} {needed:6}")


def main() -> None:
    names = [f"org/image{number}" for number in range(max(COUNTS))]
    runs: dict[int, list[Run]] = {count: [] for count in COUNTS}
    with create_memory_folder() as folder:
        store = Store(folder / "store")
        for name in names:
            store.add_image(name, [os.urandom(SIZE) for _layer in range(LAYERS)])
        with run_registry(folder / "store") as host:
            options = {"registry_url": f"http://{host}"}
            for _round in range(ROUNDS):
                for count in COUNTS:
                    runs[count].append(registry_pull(images=names[:count], **options))
            resumable = {**options, "resume_file": str(folder / "resume.jsonl"), "images": names}
            registry_pull(**resumable)
            again = registry_pull(**resumable)
    seconds = {count: statistics.median(run.seconds for run in each) for count, each in runs.items()}
    memories = {count: statistics.median(run.memory for run in each) for count, each in runs.items()}
    requests = {count: each[-1].result["totals"]["requests"] for count, each in runs.items()}
    for count in COUNTS:
        print(f"{count:5} images: {seconds[count]:6.2f} s, {requests[count]:5} requests, {memories[count]:5.1f} MiB")
    few, some, many = COUNTS
    print_figures(
        [
            Figure("requests, 10 times the images", requests[many] / requests[some], many / some),
            Figure("wall, 10 times the images", seconds[many] / seconds[some], many / some),
            Figure("more memory from 10 to 1,000 images, MiB", memories[many] - memories[few], MAX_MORE_MEMORY),
            Figure(
                "a second warm-up, requests for an image",
                again.result["totals"]["requests"] / many,
                MAX_REPEATED_REQUESTS,
            ),
        ]
    )
    print_requests(requests)


if __name__ == "__main__":
    main()
