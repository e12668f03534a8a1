# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible imports the filters for each task, on a controller that need not have what the modules need."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
import ansible_collections.cgr.pull_through.plugins.filter.pull_through
print(sorted({"requests", "urllib3", "cryptography", "jmespath"} & sys.modules.keys()))
"""


def test_the_filters_import_no_library_of_the_modules():
    process = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "[]"
