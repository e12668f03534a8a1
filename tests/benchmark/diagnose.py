# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The time of `diagnose` on three healthy instances with all sources each, beside a play of one trivial task.

Wall time and processor time are compared, as the clock's time grows with the load of the machine. The first round is not measured.
"""

from __future__ import annotations

import collections
import contextlib
import resource
import statistics
import typing as t
from pathlib import Path

from _metrics import Figure, print_figures
from _playbooks import SETUP, Bench, create_setup_variables, create_trivial_play, start_bench

from lab.client import started
from support.lab_client import LabClient

ROUNDS = 5
MAX_RATIO = 20
INSTANCES = 3
DIAGNOSE = "cgr.pull_through.diagnose"


class Seconds(t.NamedTuple):
    """What a playbook takes. processor: of Ansible and the modules; the lab, which still runs, is not counted."""

    wall: float
    processor: float


def measure_playbook(bench: Bench, playbook: str | Path, variables: Path, *arguments: str) -> Seconds:
    """Run a playbook."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    wall = bench.run_playbook(playbook, variables, *arguments)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Seconds(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def measure(bench: Bench, labs: t.Sequence[LabClient]) -> list[Figure]:
    """Set up all instances, and run both playbooks in turns."""
    hosts = {f"instance{number}": create_setup_variables(lab) for number, lab in enumerate(labs)}
    inventory = ("--inventory", str(bench.write("hosts.json", {"all": {"hosts": hosts}})))
    all_hosts = bench.write("all.json", {"pull_through_hosts": "all"})
    trivial, no_variables = bench.write("trivial.json", create_trivial_play()), bench.write("none.json", {})
    bench.run_playbook(SETUP, all_hosts, *inventory, changes=True)
    rounds = []
    for _round in range(ROUNDS + 1):
        positions = [lab.log_position() for lab in labs]
        diagnosis = measure_playbook(bench, DIAGNOSE, all_hosts, *inventory)
        logs = [lab.request_log(position) for lab, position in zip(labs, positions)]
        writes = sum(len(lab.writes(position)) for lab, position in zip(labs, positions))
        requests = collections.Counter(entry["service"] for log in logs for entry in log)
        rounds.append((diagnosis, measure_playbook(bench, trivial, no_variables), requests, writes))
    return create_figures(rounds)


def create_figures(rounds: t.Sequence[tuple[Seconds, Seconds, collections.Counter[str], int]]) -> list[Figure]:
    """Return the medians, and the number of writes in all rounds."""
    requests = max((counter for _diagnosis, _trivial, counter, _writes in rounds), key=lambda counter: counter.total())
    print(f"diagnose: {requests.total()} requests for {INSTANCES} instances: {dict(requests)}")
    figures = []
    for name in Seconds._fields:
        diagnosis, trivial = (
            statistics.median(getattr(results[position], name) for results in rounds[1:]) for position in range(2)
        )
        print(f"{name} time: diagnose {diagnosis:.2f} s, trivial task {trivial:.2f} s")
        figures.append(Figure(f"diagnose, times one trivial task, {name} time", diagnosis / trivial, MAX_RATIO))
    return [*figures, Figure("writes", sum(writes for *_rest, writes in rounds), 0)]


def main() -> None:
    with start_bench() as bench, contextlib.ExitStack() as stack:
        others = [LabClient(stack.enter_context(started()).state) for _instance in range(INSTANCES - 1)]
        print_figures(measure(bench, [bench.lab, *others]))


if __name__ == "__main__":
    main()
