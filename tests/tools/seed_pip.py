# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Installs the pip that ansible-test would download from a separate host: it comes from the package index instead.

Run with the Python of the environment that contains ansible-test. Does nothing if that pip is there already.
"""

from __future__ import annotations

import subprocess
import sys
import types
from pathlib import Path

from ansible_test._internal.python_requirements import get_venv_packages

SEEDS = Path.home() / ".ansible" / "test" / "cache"

# ansible-test runs it with options of pip and get-pip, and with the packages to install: pip==VERSION first.
SCRIPT = """\
import os
import sys

WHEEL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pip-{version}-py3-none-any.whl")
sys.path.insert(0, WHEEL)

from pip._internal.cli.main import main

words = [WHEEL if word == "pip=={version}" else word for word in sys.argv[1:]]
words = [word for word in words if word not in ("--no-setuptools", "--no-wheel")]
sys.exit(main(["install", "--upgrade", "--force-reinstall"] + words))
"""


def main() -> None:
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    version = get_venv_packages(types.SimpleNamespace(version=minor))["pip"]
    script = SEEDS / f"get_pip_{version.replace('.', '_')}.py"
    if script.exists():
        return
    SEEDS.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "download", "--quiet", "--no-deps", "--dest", str(SEEDS), f"pip=={version}"], check=True)
    script.write_text(SCRIPT.format(version=version), encoding="utf-8")


if __name__ == "__main__":
    main()
