# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: warming
short_description: Work out which images the role pull_through warms through which repository
version_added: 0.2.0
author: cgr.pull_through contributors (@cgr)
description:
  - Images of an organization go through its repository, and all others through the first repository without a pull token.
  - It is made for the role P(cgr.pull_through.pull_through#role).
positional: _input
options:
  _input:
    description: The sources of container images, as P(cgr.pull_through.sources#filter) returns them.
    type: list
    elements: dict
    required: true
  catalogs:
    description: Results of M(cgr.pull_through.chainguard_image_info), in the order of the sources with a pull token.
    type: list
    elements: dict
    required: true
  named:
    description: The images that are asked for by name, as C(ORGANIZATION/IMAGE:TAG). Without it, all that the catalogs have.
    type: list
    elements: str
"""

EXAMPLES = r"""
- name: What is to be pulled
  ansible.builtin.debug:
    msg: "{{ (sources | cgr.pull_through.warming(catalogs=catalogs.results)).repositories | map(attribute='images') }}"
"""

RETURN = r"""
_value:
  description:
    - C(repositories) has each source with images to pull as C(source), these as C(images), and as C(sized) what the catalog tells of them.
    - C(homeless) has the images that no repository is for.
  type: dict
"""

import typing as t

Source = t.Dict[str, t.Any]


def _of(organization: str, named: list[str]) -> list[str]:
    return [image for image in named if image.startswith(f"{organization}/")]


def warming(sources: list[Source], catalogs: list[Source], named: list[str] | None = None) -> dict[str, t.Any]:
    """Return what to pull through which repository, and what has none. See DOCUMENTATION."""
    private = [source for source in sources if source.get("pull_token")]
    public = [source for source in sources if not source.get("pull_token")]
    repositories = []
    rest = list(named or [])
    for source, catalog in zip(private, catalogs):
        listed = [image["reference"] for image in catalog["images"]]
        images = listed if named is None else _of(catalog["organization"]["name"], named)
        repositories.append({"source": source, "images": images, "sized": catalog["images"]})
        rest = [image for image in rest if image not in images]
    if public:
        repositories.append({"source": public[0], "images": rest, "sized": []})
    return {
        "repositories": [one for one in repositories if one["images"]],
        "homeless": [] if public else rest,
    }


class FilterModule:
    """Ansible's way to find the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"warming": warming}
