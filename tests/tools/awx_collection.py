# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The collection awx.awx in .cache/awx, taken once from the Python package ansible, which contains it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from environments import CACHE

_PACKAGE = "ansible==12.3.0"  # has awx.awx 24.6.1
_FOLDER = CACHE / "awx"


def install_awx_collection() -> Path:
    """Return the folder for ANSIBLE_COLLECTIONS_PATH. Raises CalledProcessError if pip cannot download the package."""
    if not (_FOLDER / "ansible_collections" / "awx" / "awx").exists():
        with tempfile.TemporaryDirectory() as downloads:
            pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
            subprocess.run([*pip, "--no-deps", "--only-binary", ":all:", "--dest", downloads, _PACKAGE], check=True)
            (wheel,) = Path(downloads).iterdir()
            with zipfile.ZipFile(wheel) as archive:
                names = [name for name in archive.namelist() if name.startswith("ansible_collections/awx/awx/")]
                archive.extractall(_FOLDER, names)
    return _FOLDER
