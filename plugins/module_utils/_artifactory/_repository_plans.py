# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plan and apply the change of one repository of any class. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repositories import RepositoriesApi
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repository_config import (
    PARTIAL,
    SECRETS,
    require_complete,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._snapshot import RepositorySnapshot
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._stored_values import (
    differing_settings,
    same_package_type,
    typed_settings,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError, PullThroughError
from ansible_collections.cgr.pull_through.plugins.module_utils._plan import (
    Config,
    Plan,
    plan_absent,
    plan_present,
)

_IMMUTABLE = ("rclass", "packageType")


def desired_config(rclass: str, params: t.Mapping[str, t.Any], typed: t.Mapping[str, t.Any]) -> Config:
    """Return the desired configuration, with the setting names of the REST API.

    typed: values of the options that are settings; those that are not set are omitted. Raises InputError if the option
    settings contains a setting that has its own option.
    """
    owned = set(typed) | set(_IMMUTABLE) | set(SECRETS) | {"key", "type"}
    duplicates = sorted(owned & set(params["settings"]))
    if duplicates:
        raise InputError(f"settings must not contain {', '.join(duplicates)}: the module has options for that.")
    identity = {"key": params["key"], "rclass": rclass, "packageType": params["package_type"].lower()}
    return {
        **identity,
        **typed_settings(params["settings"]),
        **{name: value for name, value in typed.items() if value not in (None, "")},
    }


def plan_repository(
    snapshot: RepositorySnapshot,
    current: Config | None,
    desired: Config,
    *,
    needed: str,
    secret: Config | None = None,
    force_secret: bool = False,
) -> Plan:
    """Plan the change of a repository that must exist. Sends no writes.

    current: None if it does not exist. needed: the setting that a creation requires. secret, force_secret: see plan_present.
    """
    if current is None:
        if not desired.get(needed):
            raise InputError(f"There is no repository {desired['key']}, and creating one needs {needed}.")
        # Administrators of a project may create its repositories, but may not send this request.
        if not desired.get("projectKey"):
            snapshot.require_admin()
        return plan_present(None, desired, secret=secret)
    _validate_type_unchanged(current, desired, _IMMUTABLE)
    if not set(desired) <= PARTIAL:
        require_complete(current)
    differing = differing_settings(current, _merge_nested(current, desired))
    changeable = {name: value for name, value in differing.items() if name not in _IMMUTABLE}
    # Each pull token has a user name of its own, so a new user name is what sends its password.
    return plan_present(current, changeable, secret=secret, force_secret=force_secret, secret_indicator="username")


def plan_removal(current: Config | None, desired: Config) -> Plan:
    """Plan the deletion of a repository that must not exist. current: None if it does not exist."""
    _validate_type_unchanged(current, desired, ("rclass",))
    return plan_absent(current, ("key", "rclass", "packageType", "url", "repositories"))


def send_plan(api: RepositoriesApi, key: str, plan: Plan) -> None:
    """Send the plan of a repository."""
    if plan.action == "delete":
        api.delete(key)
    elif plan.action == "create":
        api.create(key, plan.payload)
    else:
        api.update(key, plan.payload)


def verify_applied(key: str, plan: Plan, stored: Config | None) -> None:
    """Raise PullThroughError if settings were not stored: the server silently ignores settings that it does not have."""
    sent = {name: value for name, value in plan.payload.items() if name not in SECRETS}
    lost = sorted(differing_settings(stored or {}, sent))
    # A username that is neither the old nor the new one was written by a concurrent run. The caller must read it again.
    if "username" in lost and (stored or {}).get("username") not in (None, "", plan.before.get("username")):
        lost.remove("username")
    if lost:
        raise PullThroughError(
            f"Artifactory accepted the repository {key} but did not store {', '.join(lost)} as sent.",
            hint="Check the spelling of these settings, and whether this version and edition of Artifactory has them.",
        )


def _validate_type_unchanged(current: Config | None, desired: Config, names: t.Iterable[str]) -> None:
    """Raise InputError if the repository exists and differs in one of the settings names, which cannot be changed."""
    for name in names:
        if current is not None and not same_package_type(current.get(name), desired[name]):
            raise InputError(
                f"The repository {desired['key']} exists with {name} {current.get(name)!r}, not {desired[name]!r}, and that cannot be changed.",
                hint="Choose another key, or delete that repository yourself: this module does not recreate repositories.",
            )


def _merge_nested(current: Config, desired: Config) -> Config:
    """Return desired, with its nested objects merged into the current ones, because the server replaces a whole object."""
    merged = dict(desired)
    for name, value in desired.items():
        before = current.get(name)
        if isinstance(value, dict) and isinstance(before, dict):
            merged[name] = _merge(before, value)
    return merged


def _merge(before: Config, desired: Config) -> Config:
    merged = dict(before)
    for name, value in desired.items():
        nested = merged.get(name)
        merged[name] = _merge(nested, value) if isinstance(value, dict) and isinstance(nested, dict) else value
    return merged
