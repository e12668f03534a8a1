# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: virtuals
short_description: Work out the virtual repositories of the role pull_through
version_added: 0.2.0
author: cgr.pull_through contributors (@cgr)
description:
  - Puts the keys of those members in the place of their names that the role sets up. A virtual repository without any is left out.
  - It is made for the role P(cgr.pull_through.pull_through#role).
positional: _input
options:
  _input:
    description: Names of the virtual repositories.
    type: list
    elements: str
    required: true
  known:
    description: The catalogue of virtual repositories, each by its name.
    type: dict
    required: true
  sources:
    description: The sources that are set up, as P(cgr.pull_through.sources#filter) returns them.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Make virtual repositories
  cgr.pull_through.artifactory_virtual_repository:
    virtuals: "{{ ['java'] | cgr.pull_through.virtuals(known=pull_through_virtual_catalogue, sources=sources) }}"
"""

RETURN = r"""
_value:
  description: The virtual repositories, as M(cgr.pull_through.artifactory_virtual_repository) takes them.
  type: list
  elements: dict
"""

import typing as t

Virtual = t.Dict[str, t.Any]


def virtuals(names: list[str], known: dict[str, Virtual], sources: list[dict[str, t.Any]]) -> list[Virtual]:
    """Return the virtual repositories with the keys of their members. See DOCUMENTATION."""
    keys = {source["name"]: source["key"] for source in sources}
    found = []
    for name in names:
        virtual = known[name]
        members = [keys[member] for member in virtual["members"] if member in keys]
        if members:
            fields = {field: virtual[field] for field in ("key", "package_type", "settings")}
            found.append({**fields, "repositories": members})
    return found


class FilterModule:
    """Ansible's way to find the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"virtuals": virtuals}
