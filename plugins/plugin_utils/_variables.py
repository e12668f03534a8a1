# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables of the role pull_through: their values with the documented types, and what is wrong with them.

Ansible's own validation of roles rejects empty values, and prints the whole specification with each mistake. The only I/O
is reading the specification, and the environment.
"""

from __future__ import annotations

import functools
import os
import typing as t
from pathlib import Path

from ansible.module_utils.common.yaml import yaml_load

from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._authentication import parse_base_url
from ansible_collections.cgr.pull_through.plugins.plugin_utils._catalog import (
    SOURCE_SPEC,
    VIRTUAL_SPEC,
    merge,
    nearest,
    parse_overrides,
)
from ansible_collections.cgr.pull_through.plugins.plugin_utils._input import ItemError, is_empty, parse_value, quote

Facts = dict[str, t.Any]

PREFIX = "pull_through_"
_SPECS = Path(__file__).parents[2] / "roles" / "pull_through" / "meta" / "argument_specs.yml"
# The variable of the playbooks, and the result of an earlier run in the same play.
_OTHER_VARIABLES = ("pull_through_hosts", "pull_through_result")
# Empty, they mean that the controller cannot reach the service.
_EMPTY_HAS_MEANING = tuple(
    f"pull_through_chainguard_{name}_url" for name in ("registry", "libraries", "apk", "virtualapk")
)


@functools.cache
def _load_specs() -> dict[str, dict[str, Facts]]:
    """Return the options of each entry point by their names."""
    specs = yaml_load(_SPECS.read_text(encoding="utf-8"))["argument_specs"]
    return {entry_point: spec["options"] for entry_point, spec in specs.items()}


def all_options() -> dict[str, Facts]:
    """Return the options of all entry points by their names."""
    return {name: option for options in _load_specs().values() for name, option in options.items()}


def documented_variables(names: t.Iterable[str], entry_point: str = "") -> list[str]:
    """Return those of the names that are variables of an entry point, or of any."""
    options = _load_specs()[entry_point] if entry_point else all_options()
    return [name for name in names if name in options]


def unknown_variable_errors(names: t.Iterable[str]) -> list[str]:
    """Return a sentence for each name that is no variable of the role or of its playbooks."""
    variables = [*all_options(), *_OTHER_VARIABLES]
    return [
        f"{name} is not a variable of this role.{nearest(name, variables)}"
        for name in sorted(set(names) - set(variables))
    ]


def read_variables(given: Facts, sources: dict[str, Facts], virtual_repositories: dict[str, Facts]) -> Facts:
    """Return the value of each variable, by its name without the prefix. Secrets are left out, because facts are printed.

    Empty values are those of the default. What is not valid has its default as well: see variable_errors(). sources,
    virtual_repositories: the catalogs by default. Those of the result include the overrides.
    """
    values = {
        name.removeprefix(PREFIX): _read(name, option, given)[0]
        for name, option in all_options().items()
        if not option.get("no_log")
    }
    _fill_defaults(values)
    for name, default, spec in (("source", sources, SOURCE_SPEC), ("virtual", virtual_repositories, VIRTUAL_SPEC)):
        key = "catalog" if name == "source" else "virtual_catalog"
        values[f"{name}_overrides"] = parse_overrides(values[f"{name}_overrides"] or {}, spec)
        values[key] = merge(values[key] or default, values[f"{name}_overrides"])
    return values


def _fill_defaults(values: Facts) -> None:
    """Set the values whose default is that of another variable."""
    url = values["artifactory_url"] or os.environ.get("ARTIFACTORY_URL", "").strip()
    values["artifactory_url"] = url
    if (values["registry_url"] or url) == url:
        values["registry_url"] = "/".join(parse_base_url(url).split("/")[:3])
    site = values["site"]
    values["permission_name"] = values["permission_name"] or (f"cgr-pull-{site}" if site else "cgr-pull")
    values["warm_platforms"] = values["warm_platforms"] or values["platforms"]


def variable_errors(given: Facts, entry_point: str) -> list[str]:
    """Return a sentence for each variable of an entry point whose value does not have the documented type."""
    errors = (_read(name, option, given)[1] for name, option in _load_specs()[entry_point].items())
    return [error for error in errors if error]


def _read(name: str, option: Facts, given: Facts) -> tuple[t.Any, str]:
    """Return the value of a variable, and what is wrong with it."""
    default = option.get("default")
    value = given.get(name)
    if is_empty(value):
        return ("" if name in given and name in _EMPTY_HAS_MEANING else default), ""
    try:
        parsed = parse_value(value, option)
    except ItemError as exc:
        return default, f"{name} has {exc}."
    except ValueError as exc:
        quoted = "" if option.get("no_log") else f" is {quote(value)}, but"
        return default, f"{name}{quoted} must be {exc}."
    return parsed, ""
