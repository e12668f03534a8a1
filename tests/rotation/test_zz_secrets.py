# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Point 7: no secret shows in what all of these runs printed, in a file or in a command line. Goes last: it looks at what the others left."""

from __future__ import annotations

from rotation.conftest import Show, Stations
from rotation.station import Station
from system.secret_scan import Scanner, TokenScanner


def fixed_secrets(station: Station) -> dict[str, str]:
    """Return what a user gives the role, and the keys of the lab."""
    lab = station.lab
    return {
        **{f"access token of {name}": user["token"] for name, user in lab.users.items()},
        **{f"password of {name}": user["password"] for name, user in lab.users.items()},
        "the OIDC token": lab.workload["oidc_token"],
    }


def test_no_secret_shows(stations: Stations, show: Show) -> None:
    stations.watch.stop()
    secrets = {
        f"{name} ({number})": secret
        for number, one in enumerate(stations.all)
        for name, secret in fixed_secrets(one).items()
    }
    tokens = {
        token
        for station in stations.all
        for token in station.lab.control("GET", "/credentials")
        if token.count(".") == 2
    }
    scanner, token_scanner = Scanner(secrets), TokenScanner(tokens)
    outputs = [output.encode() for station in stations.all for output in station.outputs]
    places = {
        "an output": outputs,
        "a file": [data for _place, data in stations.watch.files],
        "a command line": list(stations.watch.commands),
    }
    failures = [
        f"{place} shows {scanner.find(data) or token_scanner.find(data)}"
        for place, all_data in places.items()
        for data in all_data
        if scanner.find(data) or token_scanner.find(data)
    ]
    assert outputs and tokens and all(places.values())
    looked = ", ".join(f"{len(all_data)} times {place}" for place, all_data in places.items())
    show(7, "No secret shows", f"{looked}; {len(secrets) + len(tokens)} secrets", failures)
