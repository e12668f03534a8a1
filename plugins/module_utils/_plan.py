# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compare the current with the desired settings of an object, and plan the change. No I/O. Private to the collection."""

from __future__ import annotations

import dataclasses
import re
import typing as t

Config = dict[str, t.Any]
Action = t.Literal["none", "create", "update", "delete"]

SECRET_SENT = "(sent, never shown)"
_INTEGER = re.compile(r"-?\d+")


@dataclasses.dataclass(frozen=True)
class Plan:
    """The change of one object.

    payload: the settings to send. before, after: the settings for the diff, without secrets.
    """

    action: Action
    payload: Config = dataclasses.field(default_factory=dict, repr=False)
    before: Config = dataclasses.field(default_factory=dict)
    after: Config = dataclasses.field(default_factory=dict)

    @property
    def changed(self) -> bool:
        return self.action != "none"

    def diff(self) -> dict[str, Config]:
        """Return the diff in the format of Ansible."""
        return {"before": self.before, "after": self.after}


def values_equal(left: t.Any, right: t.Any) -> bool:
    """Return whether two values of a setting are equivalent.

    Services omit settings that are null or empty. Templates make texts of booleans and numbers in ansible-core before 2.19.
    """
    if left in (None, "", [], {}) and right in (None, "", [], {}):
        return True
    if isinstance(left, dict) and isinstance(right, dict):
        return all(values_equal(left.get(name), right.get(name)) for name in left.keys() | right.keys())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(values_equal, left, right))
    return bool(left == right or left == typed_like(left, right) or typed_like(right, left) == right)


def typed_like(stored: t.Any, value: t.Any) -> t.Any:
    """Return the value with the type of the stored value, if it is the text of a boolean or number, else unchanged."""
    if isinstance(stored, dict) and isinstance(value, dict):
        return {name: typed_like(stored.get(name), nested) for name, nested in value.items()}
    if not isinstance(value, str):
        return value
    if isinstance(stored, bool):
        boolean = parse_bool(value)
        return value if boolean is None else boolean
    if isinstance(stored, int) and _INTEGER.fullmatch(value.strip()):
        return int(value)
    return value


def parse_bool(text: str) -> bool | None:
    """Return the boolean that a text stands for, or None."""
    return {"true": True, "false": False}.get(text.strip().lower())


def plan_present(
    current: Config | None,
    desired: Config,
    *,
    secret: Config | None = None,
    force_secret: bool = False,
    secret_indicator: str = "",
) -> Plan:
    """Plan the creation of an object, or the change of the desired settings that differ.

    current: None if the object does not exist. secret: write-only values. They are sent with a creation, with force_secret,
    and when the setting that secret_indicator names differs: it is readable and changes with each secret.
    """
    secret = secret or {}
    redacted = dict.fromkeys(secret, SECRET_SENT)
    if current is None:
        return Plan("create", {**desired, **secret}, {}, {**desired, **redacted})
    differing = {name: value for name, value in desired.items() if not values_equal(current.get(name), value)}
    differing = {name: typed_like(current.get(name), value) for name, value in differing.items()}
    before = {name: current.get(name) for name in differing}
    if secret and (force_secret or secret_indicator in differing):
        return Plan("update", {**differing, **secret}, before, {**differing, **redacted})
    if not differing:
        return Plan("none")
    return Plan("update", differing, before, differing)


def settings_not_applied(sent: Config, stored: Config) -> list[str]:
    """Return the names of the settings that the service did not store as sent."""
    return sorted(name for name, value in sent.items() if not values_equal(stored.get(name), value))


def plan_absent(current: Config | None, diff_settings: t.Iterable[str]) -> Plan:
    """Plan the deletion of an object if it exists. diff_settings: the settings that the diff shows."""
    if current is None:
        return Plan("none")
    return Plan("delete", {}, {name: current[name] for name in diff_settings if current.get(name)}, {})
