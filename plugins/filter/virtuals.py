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
  - Says what proves each. That is what proves its members.
  - It is made for the role P(cgr.pull_through.pull_through#role).
positional: _input
options:
  _input:
    description: Names of the virtual repositories.
    type: list
    elements: str
    required: true
  known:
    description: The catalog of virtual repositories, each by its name.
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
    virtuals: "{{ virtuals | map(attribute='virtual') }}"
  vars:
    virtuals: "{{ ['java'] | cgr.pull_through.virtuals(known=pull_through_virtual_catalog, sources=sources) }}"
"""

RETURN = r"""
_value:
  description:
    - The virtual repositories. C(virtual) is as M(cgr.pull_through.artifactory_virtual_repository) takes it, and the rest as
      P(cgr.pull_through.sources#filter) has it.
  type: list
  elements: dict
"""

import typing as t

Virtual = t.Dict[str, t.Any]

# What the filter findings asks of a source, and what a virtual repository has nothing of.
_AS_A_SOURCE: Virtual = {"works": True, "made": {}, "pinned": [], "settings": {}, "url": "", "before": {}}


def _proof(key: str, package_type: str, members: list[Virtual]) -> Virtual:
    """Return what is pulled through a virtual repository: what proves those of its members that work, each thing once."""
    proofs = [member["proof"] for member in members if member["works"]]
    images = [image for proof in proofs for image in proof.get("images", [])]
    artifacts = [artifact for proof in proofs for artifact in proof.get("artifacts", [])]
    if images:
        return {"repository": key, "images": list(dict.fromkeys(images))}
    unique = [artifact for place, artifact in enumerate(artifacts) if artifact not in artifacts[:place]]
    return {"repository": key, "package_type": package_type, "artifacts": unique} if unique else {}


def virtuals(names: list[str], known: dict[str, Virtual], sources: list[Virtual]) -> list[Virtual]:
    """Return the virtual repositories with the keys of their members, and what proves them. See DOCUMENTATION."""
    members_by_name = {source["name"]: source for source in sources}
    found = []
    for name in names:
        virtual = {field: known[name][field] for field in ("key", "package_type", "settings")}
        members = [members_by_name[member] for member in known[name]["members"] if member in members_by_name]
        if members:
            virtual["repositories"] = [member["key"] for member in members]
            proof = _proof(virtual["key"], virtual["package_type"], members)
            found.append({"key": virtual["key"], "virtual": virtual, "proof": proof, **_AS_A_SOURCE})
    return found


class FilterModule:
    """Ansible's way to find the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"virtuals": virtuals}
