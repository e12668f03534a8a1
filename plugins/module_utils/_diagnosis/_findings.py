# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings of a diagnosis: what is wrong, how that is known, and what to do. No I/O. Private to the collection."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._pull_rules import (
    Certainty,
    EvidenceT,
    EvidenceT_contra,
    Rule,
)

Severity = t.Literal["error", "warning"]
_SEVERITIES: tuple[Severity, ...] = ("error", "warning")
_CERTAINTIES: tuple[Certainty, ...] = ("known", "likely", "possible")
# The codes of content in the cache that is not valid.
_INVALID_CONTENT = ("html_cached", "redirect_cached", "content_mismatch", "head_length")

Result = dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Finding:
    """source: name of the source; empty if the finding is not about a single one. severity: an error prevents pulls.

    evidence: the setting, response or time that shows it. certainty: known, likely or possible. path: of invalid
    content in the cache; empty if the finding is about something else.
    """

    source: str
    code: str
    severity: Severity
    certainty: Certainty
    cause: str
    evidence: str
    fix: str
    path: str = ""

    @property
    def rank(self) -> tuple[int, int]:
        """The position in a list of findings, the worst first."""
        return _SEVERITIES.index(self.severity), _CERTAINTIES.index(self.certainty)


@dataclasses.dataclass(frozen=True)
class FindingRule(Rule[EvidenceT_contra]):
    """A rule whose finding quotes its evidence. quote: a format string like cause and fix."""

    quote: str = ""
    severity: Severity = "error"

    def find(self, source: str, evidence: EvidenceT_contra) -> Finding:
        """Return the finding of the rule for evidence that it applies to."""
        diagnosis = self.diagnose(evidence)
        quote = self.quote.format(e=evidence, failure=evidence.failure, upstream=evidence.upstream)
        return Finding(
            source, self.code, self.severity, diagnosis.certainty, diagnosis.cause, quote.strip(), diagnosis.fix
        )


def find_all(rules: t.Iterable[FindingRule[EvidenceT]], source: str, evidence: EvidenceT) -> list[Finding]:
    """Return the finding of each rule that applies."""
    return [rule.find(source, evidence) for rule in rules if rule.applies(evidence)]


def sort_findings(findings: t.Iterable[Finding]) -> list[Finding]:
    """Return the findings, the worst first. Of several with the same code and source, only the most certain remains."""
    unique: dict[tuple[str, str], Finding] = {}
    for finding in sorted(findings, key=lambda finding: finding.rank):
        unique.setdefault((finding.source, finding.code), finding)
    return list(unique.values())


def pull_findings(source: str, results: t.Sequence[Result]) -> list[Finding]:
    """Return the finding of each pull that failed."""
    findings = []
    for result in results:
        if result["ok"] is False:
            diagnosis, error = result["diagnosis"], result["error"]
            findings.append(
                Finding(
                    source,
                    diagnosis["code"],
                    "error",
                    diagnosis["certainty"],
                    diagnosis["cause"],
                    f"{result['reference']}: {error['message']}",
                    diagnosis["fix"],
                    result.get("path", "") if diagnosis["code"] in _INVALID_CONTENT else "",
                )
            )
    return findings
