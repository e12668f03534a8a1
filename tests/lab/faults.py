# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fault injection: which requests fail, and how."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

_MATCHED = ("service", "kind", "method", "path", "user_agent")
_FIELDS = {*_MATCHED, "after", "times", "action"}
_ACTIONS = {"status", "body", "headers", "delay", "cut", "hold"}


@dataclass
class Rule:
    """Lets `after` matching requests pass, then applies its action to `times` requests (None: all)."""

    id: int
    match: dict[str, str]
    action: dict[str, Any]
    after: int = 0
    times: int | None = None
    seen: int = 0
    hits: int = 0

    def matches(self, service: str, kind: str, method: str, path: str, user_agent: str) -> bool:
        match = self.match
        return (
            match.get("service", service) == service
            and match.get("kind", kind) == kind
            and match.get("method", method).upper() == method
            and re.search(match.get("path", ""), path) is not None
            and re.search(match.get("user_agent", ""), user_agent) is not None
        )

    def fires(self) -> bool:
        """Count one matching request, and return whether the action applies to it."""
        self.seen += 1
        if self.seen <= self.after or (self.times is not None and self.hits >= self.times):
            return False
        self.hits += 1
        return True


class Faults:
    """The rules in the order of their addition. The first one that fires applies."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self._count = 0

    def add(self, rule: dict[str, Any]) -> Rule:
        """Add a rule as in README.md. Raises ValueError if it is not valid."""
        action = rule.get("action")
        if not isinstance(action, dict) or not {"status", "delay", "cut", "hold"} & action.keys():
            raise ValueError("action needs one of status, delay, cut, hold")
        if unknown := sorted((rule.keys() - _FIELDS) | (action.keys() - _ACTIONS)):
            raise ValueError(f"unknown: {', '.join(unknown)}")
        if action.get("cut") not in (None, "before", "after"):
            raise ValueError("cut must be before or after")
        for name in ("path", "user_agent"):
            try:
                re.compile(rule.get(name, ""))
            except re.error as error:
                raise ValueError(f"{name} is not a regular expression: {error}") from error
        self._count += 1
        match = {name: str(rule[name]) for name in _MATCHED if name in rule}
        self.rules.append(Rule(self._count, match, action, rule.get("after", 0), rule.get("times")))
        return self.rules[-1]

    def take(self, service: str, kind: str, method: str, path: str, user_agent: str = "") -> dict[str, Any]:
        """The action for a request, or an empty dictionary."""
        for rule in self.rules:
            if rule.matches(service, kind, method, path, user_agent) and rule.fires():
                return rule.action
        return {}

    def clear(self) -> None:
        self.rules.clear()
