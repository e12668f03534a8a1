# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The time of a first `setup` of all sources on an empty Artifactory, with the verification, beside a play of one trivial task.

The setup issues a pull token for each source that needs one. Most of the time to issue one is the generation of its key, which
has the size that chainctl uses. So the same number of keys is generated on as many threads as the module has, and the share of
that time is printed. The time to generate a key differs from key to key. The first round is not measured.
"""

from __future__ import annotations

import concurrent.futures
import statistics
import time

from _metrics import Figure, print_figures
from _playbooks import SETUP, Bench, create_setup_variables, create_trivial_play, start_bench

from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._jwt import SigningKey
from ansible_collections.cgr.pull_through.plugins.module_utils._module import THREADS

ROUNDS = 5
MAX_RATIO = 20

TRIVIAL, FIRST, KEYS = "trivial task", "first setup", "keys"


def time_keys(count: int) -> float:
    """Return the seconds to generate the keys of this many pull tokens."""
    start = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda _token: SigningKey(), range(count)))
    return time.monotonic() - start


def measure(bench: Bench) -> list[Figure]:
    """Set up an empty Artifactory several times, and run the peer in turns."""
    setup = bench.write("setup.json", create_setup_variables(bench.lab))
    trivial, no_variables = bench.write("trivial.json", create_trivial_play()), bench.write("none.json", {})
    rounds = []
    for _round in range(ROUNDS + 1):
        bench.lab.reset()
        first, requests = bench.count_requests(SETUP, setup, changes=True)
        tokens = len(bench.lab.pull_tokens())
        rounds.append({FIRST: first, TRIVIAL: bench.run_playbook(trivial, no_variables), KEYS: time_keys(tokens)})
    seconds = {name: statistics.median(results[name] for results in rounds[1:]) for name in rounds[0]}
    print(f"{TRIVIAL:21} {seconds[TRIVIAL]:6.2f} s")
    print(f"{FIRST:21} {seconds[FIRST]:6.2f} s, {requests.total():4} requests: {dict(requests)}")
    share = seconds[KEYS] / seconds[FIRST]
    print(f"{f'{tokens} {KEYS}':21} {seconds[KEYS]:6.2f} s on {THREADS} threads, {share:.0%} of the first setup")
    return [Figure("first setup, times one trivial task", seconds[FIRST] / seconds[TRIVIAL], MAX_RATIO)]


def main() -> None:
    with start_bench() as bench:
        print_figures(measure(bench))


if __name__ == "__main__":
    main()
