# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Point 7: no secret shows in what all of these runs printed, in a file or in a command line. Goes last: it looks at what the others left."""

from __future__ import annotations

from support.rotation_harness import RotationHarness
from support.secret_scan import Scanner, TokenScanner

from rotation.conftest import HarnessPool, Report


def fixed_secrets(harness: RotationHarness) -> dict[str, str]:
    """Return what a user gives the role, and the keys of the lab."""
    lab = harness.lab
    return {
        **{f"access token of {name}": user["token"] for name, user in lab.users.items()},
        **{f"password of {name}": user["password"] for name, user in lab.users.items()},
        "the OIDC token": lab.workload["oidc_token"],
    }


def test_no_secret_shows(harnesses: HarnessPool, report: Report) -> None:
    harnesses.watch.stop()
    secrets = {
        f"{name} ({number})": secret
        for number, one in enumerate(harnesses.all)
        for name, secret in fixed_secrets(one).items()
    }
    tokens = {
        token
        for harness in harnesses.all
        for token in harness.lab.control("GET", "/credentials")
        if token.count(".") == 2
    }
    scanner, token_scanner = Scanner(secrets), TokenScanner(tokens)
    outputs = [output.encode() for harness in harnesses.all for output in harness.outputs]
    places = {
        "an output": outputs,
        "a file": [data for _place, data in harnesses.watch.files],
        "a command line": list(harnesses.watch.commands),
    }
    failures = [
        f"{place} shows {scanner.find(data) or token_scanner.find(data)}"
        for place, all_data in places.items()
        for data in all_data
        if scanner.find(data) or token_scanner.find(data)
    ]
    assert outputs and tokens and all(places.values())
    looked = ", ".join(f"{len(all_data)} times {place}" for place, all_data in places.items())
    report(7, "No secret shows", f"{looked}; {len(secrets) + len(tokens)} secrets", failures)
