# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Explains a failed download through a virtual repository by its members. No I/O. Private to the collection."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._pull_rules import Diagnosis, EvidenceT

# What is normal for a member if another member serves the content.
_EXPECTED = frozenset({"excluded_by_pattern", "repository_credentials_missing"})
_CERTAINTIES = ("known", "likely", "possible")


def diagnose_with_members(evidence: EvidenceT, diagnose: t.Callable[[EvidenceT], Diagnosis]) -> Diagnosis:
    """Return the diagnosis. For a virtual repository, it is that of the member which explains the failure best."""
    members = evidence.config.members
    own = diagnose(evidence)
    if not members:
        return own
    of_members = {
        key: diagnose(dataclasses.replace(evidence, repository=key, config=config)) for key, config in members.items()
    }
    candidates = {key: item for key, item in of_members.items() if item.code not in _EXPECTED} or of_members
    if len(candidates) == 1:
        ((key, diagnosis),) = candidates.items()
        return diagnosis if diagnosis.cause == own.cause else _of_member(evidence.repository, key, diagnosis)
    specific = [(key, item) for key, item in candidates.items() if item.code != own.code]
    if not specific:
        # What names the repository is about its members. Anything else, such as a wrong password, is not.
        names_repository = any(item.cause != own.cause for item in candidates.values())
        text = f"Pull from the members of {evidence.repository} to see which one fails: {', '.join(candidates)}."
        return dataclasses.replace(own, fix=f"{own.fix} {text}") if names_repository else own
    key, diagnosis = min(specific, key=lambda pair: _CERTAINTIES.index(pair[1].certainty))
    # Another member can be the cause, too.
    certainty = max(diagnosis.certainty, "likely", key=_CERTAINTIES.index)
    return _of_member(evidence.repository, key, dataclasses.replace(diagnosis, certainty=certainty))


def _of_member(virtual: str, key: str, diagnosis: Diagnosis) -> Diagnosis:
    return dataclasses.replace(diagnosis, cause=f"{virtual} is virtual, and its member {key} fails: {diagnosis.cause}")
