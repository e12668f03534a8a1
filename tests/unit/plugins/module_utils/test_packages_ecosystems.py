# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.cgr.pull_through.plugins.module_utils._packages._ecosystems import (
    PACKAGE_TYPES,
    get_ecosystem,
)


def test_each_package_type_has_its_own_ecosystem():
    assert len({type(get_ecosystem(package_type)) for package_type in PACKAGE_TYPES}) == len(PACKAGE_TYPES)


def test_no_other_package_type_has_an_ecosystem():
    with pytest.raises(KeyError):
        get_ecosystem("docker")
