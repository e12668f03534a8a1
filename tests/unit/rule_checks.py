# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of a list of diagnosis rules against test cases: is each rule tested, and is its position tested?"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._pull_rules import Diagnosis, Evidence, Rule

Rules = t.Sequence[Rule[t.Any]]
Cases = t.Sequence[tuple[str, Evidence]]


def assert_is_text(diagnosis: Diagnosis) -> None:
    """Check that cause and fix are complete sentences, without placeholders."""
    assert diagnosis.cause
    for text in filter(None, (diagnosis.cause, diagnosis.fix)):
        assert text[-1] in ".!?"
        assert not re.search(r"[{]|  |\.\.|: \.|None", text), text


def first_rule(rules: Rules, evidence: Evidence) -> Rule[t.Any]:
    return next(rule for rule in rules if rule.applies(evidence))


def untested_rules(rules: Rules, cases: Cases) -> list[str]:
    """Return the codes of the rules that no case hits."""
    tested = [first_rule(rules, evidence) for _code, evidence in cases]
    return [rule.code for rule in rules if not any(rule is other for other in tested)]


def movable_rules(rules: Rules, cases: Cases) -> list[str]:
    """Return the codes of the rules that could move to the end, before the fallback, without changing any case."""
    *specific, fallback = rules
    return [rule.code for rule in specific if not _is_changed_by_move(rule, specific, fallback, cases)]


def _is_changed_by_move(rule: Rule[t.Any], specific: Rules, fallback: Rule[t.Any], cases: Cases) -> bool:
    before = [*specific, fallback]
    after = [*(other for other in specific if other is not rule), rule, fallback]
    return any(first_rule(before, evidence) is not first_rule(after, evidence) for _code, evidence in cases)
