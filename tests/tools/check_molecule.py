# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the scenario of extensions/molecule against the simulated services, as a user who copied it does.

Usage: python tests/tools/check_molecule.py [COMMAND ...], by default those of COMMANDS. `test` runs the whole scenario.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from environments import CACHE, ROOT, make_environment
from lab.client import LabProcess, started

COMMANDS = ["list", "syntax", "converge", "cleanup"]


def build_environment(lab: LabProcess, programs: Path, folder: Path) -> dict[str, str]:
    """Return the environment of Molecule, with the credentials of the simulated services."""
    artifactory, chainguard = lab.state["artifactory"], lab.state["chainguard"]
    return {
        **os.environ,
        "PATH": os.pathsep.join([str(programs), os.environ["PATH"]]),
        "HOME": str(folder),
        "ANSIBLE_COLLECTIONS_PATH": str(CACHE / "collections"),
        "ARTIFACTORY_URL": artifactory["url"],
        "ARTIFACTORY_ACCESS_TOKEN": artifactory["users"]["admin"]["token"],
        "CHAINGUARD_API_TOKEN": chainguard["api_tokens"]["owner"],
        "CHAINGUARD_API_URL": chainguard["api_url"],
        "CHAINGUARD_ISSUER_URL": chainguard["issuer_url"],
        "CHAINGUARD_HOSTS": urlsplit(chainguard["registry_url"]).netloc,
    }


def main() -> int:
    programs = make_environment("molecule", "molecule")
    with tempfile.TemporaryDirectory(prefix="molecule-") as name, started("--http") as lab:
        folder = Path(name)
        shutil.copytree(ROOT / "extensions" / "molecule" / "default", folder / "molecule" / "default")
        variables = folder / "lab.json"
        variables.write_text(
            json.dumps({"pull_through_chainguard_registry_url": lab.state["chainguard"]["registry_url"]}),
            encoding="utf-8",
        )
        environment = build_environment(lab, programs, folder)
        for command in sys.argv[1:] or COMMANDS:
            arguments = ["--", "-e", f"@{variables}"] if command in ("converge", "test") else []
            result = subprocess.run(
                [programs / "molecule", command, *arguments], cwd=folder, env=environment, check=False
            )
            if result.returncode:
                return result.returncode
        left = lab.control("GET", "/artifactory/repositories")
    print(f"repositories that are left: {', '.join(left) or 'none'}")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
