# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: warmed
short_description: Say for people what the role pull_through has warmed
version_added: 0.2.0
author: cgr.pull_through contributors (@cgr)
description:
  - Words what came through one repository, and tells which of its layers are only promised. Asks nobody.
  - It is made for the role P(cgr.pull_through.pull_through#role).
positional: _input
options:
  _input:
    description: One of the repositories that P(cgr.pull_through.warming#filter) returns.
    type: dict
    required: true
  pull:
    description: The result of M(cgr.pull_through.registry_pull).
    type: dict
    required: true
  markers:
    description: The layers that Artifactory only promises, as M(cgr.pull_through.artifactory_repository_cache_info) tells.
    type: list
    elements: dict
    default: []
  freshness:
    description: How far the tags are behind Chainguard, as M(cgr.pull_through.chainguard_image_info) tells.
    type: list
    elements: dict
    default: []
  planned:
    description: Whether the pull is only planned, as in check mode.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Say what came
  ansible.builtin.debug:
    msg: "{{ (repository | cgr.pull_through.warmed(pull)).lines }}"
"""

RETURN = r"""
_value:
  description:
    - C(came) has the images that came, C(promised) the markers of layers of these, and C(lines) the words.
  type: dict
"""

import re
import typing as t

from ansible.module_utils.common.text.formatters import bytes_to_human

Result = t.Dict[str, t.Any]


def _plan(repository: Result, pull: Result) -> str:
    """Return how much would be pulled. The catalog tells the sizes of an organization's images, and a plan those of others."""
    images, sized = repository["images"], repository["sized"]
    size = (pull.get("plan") or {}).get("bytes") or 0
    unknown = 0 if size else len(images) - len(sized)
    more = f" and {unknown} of unknown size" if unknown > 0 else ""
    known = bytes_to_human(size or sum(image["bytes"] for image in sized))
    return f"{len(images)} images would be pulled, {known} at most{more}."


def _done(repository: Result, pull: Result, came: list[str]) -> str:
    totals = pull.get("totals") or {}
    limit = f" because of {pull['limit']}" if pull.get("limit") else ""
    size, seconds = bytes_to_human(totals.get("bytes") or 0), round(totals.get("seconds") or 0.0, 1)
    return (
        f"{len(came)} of {len(repository['images'])} images came, {size} in {seconds} seconds; "
        f"{totals.get('skipped') or 0} were skipped{limit}, {totals.get('failed') or 0} failed."
    )


def _freshness(tags: list[Result]) -> str:
    present = sum(tag.get("builds_behind") == 0 for tag in tags)
    late = sum(bool(tag.get("overdue")) for tag in tags)
    return f"{present} of {len(tags)} tags are the present build, {late} are too old."


def warmed(
    repository: Result,
    pull: Result,
    markers: list[Result] | None = None,
    freshness: list[Result] | None = None,
    planned: bool = False,
) -> dict[str, t.Any]:
    """Return what came, what of it is only promised, and both in words. See DOCUMENTATION."""
    came = [one["image"] for one in pull.get("images") or [] if one["ok"]]
    names = {re.sub("[:@].*", "", image) for image in came}
    promised = [marker for marker in markers or [] if marker["image"] in names]
    words = [_plan(repository, pull) if planned else _done(repository, pull, came)]
    if came and not planned:
        others = len(markers or []) - len(promised)
        words.append(f"{len(promised)} layers of them are not there yet, and {others} of other images and builds.")
        if repository["source"].get("pull_token"):
            words.append(_freshness(freshness or []))
    return {"came": came, "promised": promised, "lines": [f"{repository['source']['key']}: {one}" for one in words]}


class FilterModule:
    """Ansible's way to find the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"warmed": warmed}
