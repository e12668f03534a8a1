# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Point 2: rotations while clients pull without pause."""

from __future__ import annotations

from rotation.conftest import Show, Stations
from rotation.station import Client, Station

ROTATIONS, WORKERS = 10, 4


def rotate_under_load(station: Station, rotations: int) -> tuple[Client, list[str]]:
    client, failures = station.begin(), []
    with client.pulling("under load", workers=WORKERS, pause=0):
        for number in range(1, rotations + 1):
            used = station.username
            ended = station.run("rotate", rotate_now=True)
            if ended.code != 0 or station.username == used:
                failures.append(f"rotation {number} ended with {ended.code}, from {used} to {station.username}")
            failures += station.at_rest(f"after rotation {number}")
    return client, failures + client.failures


def test_rotations_under_load(stations: Stations, show: Show) -> None:
    ((client, failures),) = stations.map(rotate_under_load, [ROTATIONS])
    show(2, "Under load", f"{ROTATIONS} rotations, {WORKERS} workers, {client.pulls} pulls", failures)
