# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is there, what is wanted, what to send, what to show. Pure. Private to the collection."""

from __future__ import annotations

import collections
import dataclasses
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError

Config = dict[str, t.Any]
Action = t.Literal["none", "create", "update", "delete"]

SECRET_SENT = "(sent, never shown)"


@dataclasses.dataclass(frozen=True)
class Plan:
    """One object's change. payload is what is sent; before and after are what is shown, and never hold a secret."""

    action: Action
    payload: Config = dataclasses.field(default_factory=dict, repr=False)
    before: Config = dataclasses.field(default_factory=dict)
    after: Config = dataclasses.field(default_factory=dict)

    @property
    def changed(self) -> bool:
        return self.action != "none"

    def diff(self) -> dict[str, Config]:
        """Return the diff as Ansible shows it."""
        return {"before": self.before, "after": self.after}


def validate_unique(names: t.Sequence[str]) -> None:
    """Raise InputError when a list form names something more than once."""
    twice = sorted(name for name, count in collections.Counter(names).items() if count > 1)
    if twice:
        raise InputError(f"{', '.join(twice)} is in the list more than once.")


def values_equal(left: t.Any, right: t.Any) -> bool:
    """Return whether two values of a setting mean the same. A service leaves out what is null or empty."""
    if left in (None, "", [], {}) and right in (None, "", [], {}):
        return True
    if isinstance(left, dict) and isinstance(right, dict):
        return all(values_equal(left.get(name), right.get(name)) for name in left.keys() | right.keys())
    return bool(left == right)


def plan_present(
    current: Config | None,
    desired: Config,
    *,
    secret: Config | None = None,
    force_secret: bool = False,
    marker: str = "",
) -> Plan:
    """Compare only what the user set, send only what differs.

    secret: write-only values. They are sent on creation, when push_secret is true, and when the setting named marker
    changes: it comes back when it is read and is new with each secret, so it tells that the stored one is stale.
    """
    secret = secret or {}
    sent = dict.fromkeys(secret, SECRET_SENT)
    if current is None:
        return Plan("create", {**desired, **secret}, {}, {**desired, **sent})
    differing = {name: value for name, value in desired.items() if not values_equal(current.get(name), value)}
    before = {name: current.get(name) for name in differing}
    if secret and (force_secret or marker in differing):
        return Plan("update", {**differing, **secret}, before, {**differing, **sent})
    if not differing:
        return Plan("none")
    return Plan("update", differing, before, differing)


def settings_not_applied(sent: Config, stored: Config) -> list[str]:
    """Return the names of the settings that a service does not have as they were sent."""
    return sorted(name for name, value in sent.items() if not values_equal(stored.get(name), value))


def plan_absent(current: Config | None, shown: t.Iterable[str]) -> Plan:
    """Delete what is there. shown names the settings that the diff tells of it."""
    if current is None:
        return Plan("none")
    return Plan("delete", {}, {name: current[name] for name in shown if current.get(name)}, {})
