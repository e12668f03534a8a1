# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role makes of its variables, with the templates of its own files and the ansible-core that runs this.

A program of its own, since Ansible's loader of plugins replaces how a process imports collections. Its argument is the folder of the
collections. It reads a JSON list of [entry point, variables] and writes the plan of each: the values, the mistakes, the sources, and
the defaults of the options of modules, as these read them.
"""

from __future__ import annotations

import json
import sys
import typing as t
from pathlib import Path

import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar

try:
    from ansible.template import trust_as_template
except ImportError:  # ansible-core before 2.19

    def trust_as_template(value: str) -> str:
        return value


Json = dict[str, t.Any]


def trust(value: t.Any) -> t.Any:
    """Return what is in a file of the role, in which all texts can be templates."""
    if isinstance(value, dict):
        return {name: trust(item) for name, item in value.items()}
    if isinstance(value, list):
        return [trust(item) for item in value]
    return trust_as_template(value) if isinstance(value, str) else value


def load(path: Path) -> t.Any:
    return trust(yaml.safe_load(path.read_text(encoding="utf-8")))


class Role:
    """The variables and the templates of the role, in its folder."""

    def __init__(self, folder: Path) -> None:
        self._variables: Json = {}
        for file in [*sorted((folder / "defaults" / "main").glob("*.yml")), folder / "vars" / "main.yml"]:
            self._variables.update(load(file))
        phases = [load(folder / "tasks" / "phases" / f"{name}.yml") for name in ("start", "validate")]
        self._tasks = {task["name"]: task for tasks in phases for task in tasks}
        (warm,) = (task for task in load(folder / "tasks" / "warm.yml")[0]["block"] if "module_defaults" in task)
        self._warm = warm["module_defaults"]["cgr.pull_through.registry_pull"]

    def plan(self, entry_point: str, given: Json) -> Json:
        templar, given = Templar(DataLoader(), variables={}), trust(given)

        def template(value: t.Any, **more: t.Any) -> t.Any:
            variables = {**self._variables, **given, "__pull_through_entry_point": entry_point, **more}
            templar.available_variables = variables
            return templar.template(value)

        unusable = template(self._tasks["Fail if variables cannot be used"]["ansible.builtin.fail"]["msg"])
        if unusable:
            return {"message": unusable}
        values = template(self._facts("Read the role variables"))["__pull_through_input"]
        facts = {"__pull_through_input": values}
        message = template(
            self._tasks["Fail if the role variables make no sense"]["vars"]["__pull_through_message"], **facts
        )
        sources = {} if message else template(self._facts("Record the sources"), **facts)
        # The connections are the same in all entry points.
        connections = [self._variables[f"__pull_through_{name}_connection"] for name in ("artifactory", "chainguard")]
        defaults = {"main": connections, "warm": [self._warm]}.get(entry_point, [])
        options = [read_options(template(default, omit=OMIT, **facts)) for default in defaults]
        return {"values": values, "message": message, **sources, "options": options}

    def _facts(self, name: str) -> Json:
        return t.cast("Json", self._tasks[name]["ansible.builtin.set_fact"])


OMIT = "__omitted__"


def read_options(options: Json) -> Json:
    """Return defaults of modules as these read them."""
    # Found only by Ansible's loader.
    from ansible_collections.cgr.pull_through.plugins.module_utils import _argspec
    from ansible_collections.cgr.pull_through.plugins.modules import registry_pull

    spec = {**registry_pull.ARGUMENTS["argument_spec"], **_argspec.CHAINGUARD_SPEC, "organization": {"type": "str"}}
    params = {name: value for name, value in options.items() if value != OMIT}
    _argspec.drop_empty_options(spec, params)
    result = ArgumentSpecValidator(spec).validate(params)
    assert not result.error_messages, result.error_messages
    # Modules remove white space at the ends of secrets.
    secrets = {name: str(params[name]).strip() for name in params if spec[name].get("no_log")}
    return {**result.validated_parameters, **secrets}


def main() -> None:
    collections = Path(sys.argv[1])
    init_plugin_loader([str(collections)])
    role = Role(collections / "ansible_collections" / "cgr" / "pull_through" / "roles" / "pull_through")
    cases = json.load(sys.stdin)
    json.dump([role.plan(entry_point, variables) for entry_point, variables in cases], sys.stdout, default=str)


if __name__ == "__main__":
    main()
