# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The releases of ansible-core that the collection supports, and a virtual environment with each."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from environments import find_pythons, make_environment

# What a user installs. The newest release checks the tests too: on every release, pylint would take most of the time.
SHIPPED = ("plugins/", "roles/", "playbooks/", "meta/")


@dataclasses.dataclass(frozen=True)
class AnsibleCore:
    """One minor release, the Pythons that it runs on in order of preference, and what ansible-test sanity checks on it."""

    release: str
    pythons: tuple[str, ...]
    sanity: tuple[str, ...] | None = None  # paths; all with an empty tuple; not run with None
    sanity_pythons: tuple[str, ...] = ()  # also used by the compile and import tests

    @property
    def python(self) -> str | None:
        """The version of Python that it runs on here, or None if none is installed."""
        return next((python for python in self.pythons if python in find_pythons()), None)

    def make_environment(self) -> Path:
        """Return the bin folder of .cache/core-RELEASE."""
        python = find_pythons()[self.python or ""]
        return make_environment(f"core-{self.release}", "core", str(python), f"ansible-core=={self.release}.*")


# Together they cover each supported Python.
ANSIBLE_CORES = (
    AnsibleCore("2.16", ("3.10", "3.11", "3.12"), SHIPPED, ("3.11", "3.12")),
    AnsibleCore("2.17", ("3.12", "3.11", "3.10")),
    AnsibleCore("2.18", ("3.13", "3.12", "3.11")),
    AnsibleCore("2.19", ("3.11", "3.12", "3.13"), SHIPPED),
    AnsibleCore("2.20", ("3.12", "3.13", "3.14")),
    AnsibleCore("2.21", ("3.14", "3.13", "3.12"), ()),
)
