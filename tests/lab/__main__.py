# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m lab`: starts the lab, prints its addresses, and stops on SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
from pathlib import Path
from typing import Any

from .serve import PRODUCTS, SERVICES, running
from .simulator import Simulator


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="lab", description="A simulated Artifactory and Chainguard.")
    parser.add_argument("--http", action="store_true", help="plain HTTP instead of TLS with the lab's own CA")
    parser.add_argument("--client-certificates", action="store_true", help="Artifactory requires one")
    parser.add_argument("--artifactory-version", metavar="X.Y.Z")
    parser.add_argument("--artifactory-edition", choices=["pro", "enterprise_plus", "jcr", "oss"])
    parser.add_argument(
        "--propagation", type=float, metavar="SECONDS", help="until new identities and bindings take effect"
    )
    parser.add_argument("--state-file", type=Path, help="written when all services are ready")
    for service in SERVICES:
        parser.add_argument(f"--port-{service}", type=int, default=0, metavar="N")
    return parser.parse_args()


async def main(arguments: argparse.Namespace) -> None:
    options: dict[str, Any] = vars(arguments)
    names = ("artifactory_version", "artifactory_edition", "propagation")
    settings = {name: options[name] for name in names if options[name] is not None}
    simulator = Simulator(
        PRODUCTS, tls=not arguments.http, client_certificates=arguments.client_certificates, settings=settings
    )
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with running(simulator, {service: options[f"port_{service}"] for service in SERVICES}):
        for service, address in simulator.addresses.items():
            print(f"{service:12} {address}", flush=True)
        if arguments.state_file:
            _write(arguments.state_file, json.dumps(simulator.describe(), indent=2))
        await stop.wait()


def _write(path: Path, text: str) -> None:
    """Write a file atomically, readable for its owner only, because it contains secrets."""
    part = path.with_name(f"{path.name}.part")
    part.touch(mode=0o600)
    part.write_text(text)
    part.replace(path)


if __name__ == "__main__":
    asyncio.run(main(parse_arguments()))
