# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What holds for all modules."""

from __future__ import annotations

import importlib
import pkgutil

import pytest
import yaml

from ansible_collections.cgr.pull_through.plugins import modules

NAMES = [module.name for module in pkgutil.iter_modules(modules.__path__)]


@pytest.mark.parametrize("name", NAMES)
def test_no_module_returns_results(name):
    """Ansible takes a list of this name for a loop, and then no_log hides nothing that is in it."""
    module = importlib.import_module(f"{modules.__name__}.{name}")
    assert "results" not in yaml.safe_load(module.RETURN)
