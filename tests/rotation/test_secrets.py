# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Scenario 7: no secret in the output, files and command lines of all other scenarios. conftest.py makes it run last."""

from __future__ import annotations

from rotation.conftest import Machine
from rotation.scenarios import Report
from support.rotation_harness import RotationHarness
from support.secret_scan import Scanner, TokenScanner


def fixed_secrets(harness: RotationHarness) -> dict[str, str]:
    """Return the secrets of a lab that never change, by name."""
    lab = harness.lab
    return {
        **{f"access token of {name}": user["token"] for name, user in lab.users.items()},
        **{f"password of {name}": user["password"] for name, user in lab.users.items()},
        "the OIDC token": lab.workload["oidc_token"],
    }


def join_different_lines(all_data: list[bytes]) -> bytes:
    """Return each line of the data once, since most lines of a run occur in all runs. No form of a secret has a line break."""
    return b"\n".join({line for data in all_data for line in data.split(b"\n")})


def test_no_secret_is_shown(machine: Machine, report: Report) -> None:
    machine.monitor.stop()
    secrets = {
        f"{name} ({number})": secret
        for number, harness in enumerate(machine.harnesses)
        for name, secret in fixed_secrets(harness).items()
    }
    tokens = {token for harness in machine.harnesses for token in harness.lab.credentials() if token.count(".") == 2}
    scanner, token_scanner = Scanner(secrets), TokenScanner(tokens)
    contents = {
        "output": [output.encode() for harness in machine.harnesses for output in harness.outputs],
        "file": [data for _path, data in machine.monitor.files],
        "command line": list(machine.monitor.commands),
    }
    failures = [
        f"{kind}: {names}"
        for kind, all_data in contents.items()
        for data in [join_different_lines(all_data)]
        if (names := scanner.find(data) or token_scanner.find(data))
    ]
    assert tokens and all(contents.values())
    counts = ", ".join(f"{kind}: {len(all_data)}" for kind, all_data in contents.items())
    report(7, f"{counts}; {len(secrets) + len(tokens)} secrets", failures)
