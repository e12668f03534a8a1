# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ecosystems of packages by package type. Private to the collection."""

from __future__ import annotations

import functools

from ansible_collections.cgr.pull_through.plugins.module_utils._packages._result import Ecosystem

PACKAGE_TYPES = ("alpine", "go", "maven", "npm", "nuget", "pypi")


@functools.cache
def get_ecosystem(package_type: str) -> Ecosystem:
    """Return the ecosystem of one of PACKAGE_TYPES. Raises KeyError for others.

    Each is imported where it is used, as a pull needs only one.
    """
    if package_type == "alpine":
        from ansible_collections.cgr.pull_through.plugins.module_utils._packages._alpine import Alpine

        return Alpine()
    if package_type == "go":
        from ansible_collections.cgr.pull_through.plugins.module_utils._packages._golang import GoProxy

        return GoProxy()
    if package_type == "maven":
        from ansible_collections.cgr.pull_through.plugins.module_utils._packages._maven import Maven

        return Maven()
    if package_type == "npm":
        from ansible_collections.cgr.pull_through.plugins.module_utils._packages._npm import Npm

        return Npm()
    if package_type == "nuget":
        from ansible_collections.cgr.pull_through.plugins.module_utils._packages._nuget import NuGet

        return NuGet()
    if package_type == "pypi":
        from ansible_collections.cgr.pull_through.plugins.module_utils._packages._pypi import PyPi

        return PyPi()
    raise KeyError(package_type)
