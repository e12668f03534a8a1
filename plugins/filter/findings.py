# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: findings
short_description: Say for people what the proofs of the role pull_through show
version_added: 0.2.0
author: cgr.pull_through contributors (@cgr)
description:
  - Words what came of the sources, and what failed. Asks nobody.
  - It is made for the role P(cgr.pull_through.pull_through#role).
positional: _input
options:
  _input:
    description: The sources, as P(cgr.pull_through.sources#filter) returns them.
    type: list
    elements: dict
    required: true
  proofs:
    description: Results of M(cgr.pull_through.registry_pull) and M(cgr.pull_through.artifact_pull), for any of the sources.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Say what was proved
  ansible.builtin.debug:
    msg: "{{ (sources | cgr.pull_through.findings([images, files])).proved }}"
"""

RETURN = r"""
_value:
  description:
    - C(proved) has the lines for each source, by the key of its repository.
    - C(failures) has the words for each that failed.
  type: dict
"""

import json
import typing as t

Source = t.Dict[str, t.Any]

PINNED = "The digest asked for is the one that Chainguard serves now."

# The causes that artifact_pull gives when a repository has no such artifact, or none is known to be there.
ABSENT = ("upstream_not_found", "version_missing", "upstream_fetch_failed", "not_found")


def _nothing(source: Source) -> str:
    if source["private"]:
        return "Nothing: the organization has no image with the tag latest. Name one in the source."
    if source["any_chart"]:
        return "Nothing: no chart was found in the organization. Name one in the images of the source."
    return f"Nothing: name what to pull in the {'images' if source['is_registry'] else 'artifacts'} of the source."


def _lines(source: Source, result: Source | None) -> list[str]:
    """Return what is known of a source that works. result: of its proof, None when nothing was pulled."""
    lines = list(result["summary"]) if result else [_nothing(source)]
    if result and any("@sha256:" in image for image in source["pinned"]):
        lines.append(PINNED)
    if source["made"].get("due") is False:
        lines.append(f"The pull token stays: {source['made']['reason']}.")
    if source.get("active_identities"):
        lines.append(f"The pull token works: {source['active_identities']['summary']}.")
    return lines


def _dead_token(source: Source) -> str:
    return (
        f"The pull token that Artifactory uses for {source['key']} does not work for {source['pull_token']}: {source['active_identities']['summary']}. "
        "What is cached still comes, anything else does not. Mend it with the playbook cgr.pull_through.setup."
    )


def _drift(source: Source) -> str:
    """Return what is not set as the role does it, where something could not be pulled."""
    wanted = {**source["settings"], "url": source["url"]}
    drifted = {name: value for name, value in wanted.items() if source["before"].get(name, value) != value}
    if not drifted:
        return ""
    named = ", ".join(f"{name} should be {json.dumps(value)}" for name, value in drifted.items())
    return f" {source['key']} is not set as this role does it: {named}. The playbook cgr.pull_through.setup mends that."


def _default(source: Source, result: Source) -> str:
    """Return where what could not be found comes from, when nobody named it."""
    causes = {(one["diagnosis"] or {}).get("code") for one in result.get("artifacts") or []}
    if not source.get("by_default") or causes.isdisjoint(ABSENT):
        return ""
    named = ", ".join(source["artifacts"])
    return f" {named} is the default of the source {source['name']}: pull_through_source_overrides names another one, as its artifacts."


def findings(sources: list[Source], proofs: list[Source]) -> dict[str, t.Any]:
    """Return the lines of what was proved, and what failed. See DOCUMENTATION."""
    results = {one["repository"]: one for proof in proofs for one in proof.get("pulls") or []}
    proved: dict[str, list[str]] = {}
    # A proof that ended before it came to a source.
    failures = [
        proof["msg"] for proof in proofs if "pulls" not in proof and proof.get("msg") and not proof.get("skipped")
    ]
    for source in sources:
        result = results.get(source["key"])
        if not source["works"]:
            failures.append(_dead_token(source))
        elif result and result["failed"]:
            failures.append(result["msg"] + _default(source, result) + _drift(source))
        elif result or (not source["proof"] and "virtual" not in source):
            proved[source["key"]] = _lines(source, result)
    return {"proved": proved, "failures": failures}


class FilterModule:
    """Ansible's way to find the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"findings": findings}
