# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The configuration of AWX in extensions/awx: awx.awx takes it, its names fit together, and the role takes each entry of a survey."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.dataloader import DataLoader
from jinja2.nativetypes import NativeEnvironment

from ansible_collections.cgr.pull_through.plugins.plugin_utils._input import to_list
from support import awx
from support.ansible_yaml import load_yaml

ROOT = Path(__file__).resolve().parents[3]
CONFIG = awx.load_config()
OPTIONS = load_yaml(Path(__file__).with_name("awx_options.yml"))
AAP_CONFIGURATION = load_yaml(Path(__file__).with_name("aap_configuration.yml"))
ENTRY_POINTS = load_yaml(ROOT / "roles/pull_through/meta/argument_specs.yml")["argument_specs"]
CATALOG = load_yaml(ROOT / "roles/pull_through/defaults/main/catalog.yml")["__pull_through_default_catalog"]

# Module of awx.awx, and the variable of infra.aap_configuration.
VARIABLES = {
    "credential_type": "controller_credential_types",
    "credential": "controller_credentials",
    "execution_environment": "controller_execution_environments",
    "project": "controller_projects",
    "inventory": "controller_inventories",
    "host": "controller_hosts",
    "group": "controller_groups",
    "notification_template": "controller_notifications",
    "job_template": "controller_templates",
    "workflow_job_template": "controller_workflows",
    "schedule": "controller_schedules",
}
OBJECTS = [(module, item) for module, variable in VARIABLES.items() for item in CONFIG[variable]]
TEMPLATES: list[awx.Json] = CONFIG["controller_templates"]
EXAMPLES = {
    "verify_username": "ci",
    "warm_images": "example.com/nginx:latest\nexample.com/go:1",
    "warm_changed_within": "7d",
    "pull_through_warm_limit": 20,
}
RUNS = [(template, entries) for template in TEMPLATES for entries in awx.survey_runs(template, EXAMPLES)]


def names(module: str) -> set[str]:
    return {item["name"] for item in CONFIG[VARIABLES[module]]}


def render(variables: awx.Json) -> awx.Json:
    """Return variables with the values of those that are Jinja."""
    environment = NativeEnvironment()
    return {
        name: environment.from_string(value).render(variables) if isinstance(value, str) and "{{" in value else value
        for name, value in variables.items()
    }


def entry_point(template: awx.Json) -> str:
    playbook = template["playbook"].removesuffix(".yml")
    return "main" if playbook == "setup" else playbook


@pytest.mark.parametrize(("module", "item"), OBJECTS, ids=[f"{module}-{item['name']}" for module, item in OBJECTS])
def test_awx_modules_take_the_data(module: str, item: awx.Json) -> None:
    result = ArgumentSpecValidator(OPTIONS[module]).validate(item)
    assert not result.error_messages


def test_infra_aap_configuration_reads_each_field() -> None:
    own = {name for name in CONFIG if name.startswith("pull_through_")}  # YAML anchors
    assert set(CONFIG) - own == set(AAP_CONFIGURATION) == set(VARIABLES.values())
    for variable, fields in AAP_CONFIGURATION.items():
        assert set().union(*CONFIG[variable]) <= set(fields), variable


def test_a_load_never_replaces_the_inputs_of_a_credential() -> None:
    """An update would delete the secrets that were entered in the UI."""
    assert {credential["state"] for credential in CONFIG["controller_credentials"]} == {"exists"}


def test_the_loader_passes_each_field() -> None:
    tasks = load_yaml(awx.FOLDER / "load.yml")[0]["tasks"]
    passed = {
        name.removeprefix("awx.awx."): set(task[name]) for task in tasks for name in task if name.startswith("awx.")
    }
    assert {module: set().union(*(item for kind, item in OBJECTS if kind == module)) for module in VARIABLES} == passed


def test_the_loader_reads_each_file() -> None:
    play = load_yaml(awx.FOLDER / "load.yml")[0]
    assert {f"config/{file.name}" for file in (awx.FOLDER / "config").iterdir()} == set(play["vars_files"])


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template["playbook"])
def test_names_of_a_template_exist(template: awx.Json) -> None:
    assert template["project"] in names("project")
    assert template["inventory"] in names("inventory")
    assert template["execution_environment"] in names("execution_environment")
    only = template["survey_spec"]["spec"][0]
    assert (only["variable"], awx.choices(only)) == (
        "pull_through_only",
        template["extra_vars"]["pull_through_sources"],
    )
    assert set(template["credentials"]) <= names("credential")
    assert set(template["notification_templates_error"]) <= names("notification_template")
    assert (awx.FOLDER / "project" / template["playbook"]).is_file()


def test_each_playbook_has_a_template() -> None:
    playbooks = {file.name for file in (ROOT / "playbooks").glob("*.yml")} - {"preflight.yml"}
    assert {template["playbook"] for template in TEMPLATES} == playbooks
    for name in playbooks:
        play = load_yaml(awx.FOLDER / "project" / name)[0]
        assert play["ansible.builtin.import_playbook"] == f"cgr.pull_through.{Path(name).stem}"


def test_the_inventory_of_shards_has_each_shard() -> None:
    shards = [host["variables"].get("pull_through_warm_shard") for host in CONFIG["controller_hosts"]]
    assert list(filter(None, shards)) == ["1/4", "2/4", "3/4", "4/4"]


def test_names_of_workflows_and_schedules_exist() -> None:
    for workflow in CONFIG["controller_workflows"]:
        nodes = {node["identifier"]: node for node in workflow["workflow_nodes"]}
        assert {node["unified_job_template"]["name"] for node in nodes.values()} <= names("job_template")
        targets = [node for source in nodes.values() for kind in source.get("related", {}).values() for node in kind]
        assert {node["identifier"] for node in targets} <= set(nodes)
    for schedule in CONFIG["controller_schedules"]:
        assert schedule["unified_job_template"] in names("job_template") | names("workflow_job_template")


def test_the_interval_of_the_schedule_is_the_one_of_the_templates() -> None:
    rule = CONFIG["controller_schedules"][0]["rrule"]
    assert "RRULE:FREQ=DAILY;INTERVAL=1" in rule
    assert {template["extra_vars"]["pull_through_run_interval"] for template in TEMPLATES} == {"1d"}


@pytest.mark.parametrize("schedule", CONFIG["controller_schedules"], ids=lambda schedule: schedule["name"])
def test_a_schedule_starts_at_once(schedule: awx.Json) -> None:
    """One that starts weeks after it was loaded lets pull tokens expire."""
    assert schedule["rrule"].startswith("DTSTART:2026010")


def test_credentials_have_only_fields_of_their_type() -> None:
    types = {item["name"]: item for item in CONFIG["controller_credential_types"]}
    for credential in CONFIG["controller_credentials"]:
        awx.inject_environment(types[credential["credential_type"]], credential["inputs"])


@pytest.mark.parametrize("credential_type", CONFIG["controller_credential_types"], ids=lambda item: item["name"])
def test_fields_with_secrets_are_secret(credential_type: awx.Json) -> None:
    for field in credential_type["inputs"]["fields"]:
        is_secret = re.search("token|password|europe|america", field["id"]) and not field["id"].endswith("_file")
        assert field.get("secret", False) == bool(is_secret), field["id"]


def test_injected_variables_are_read_by_the_collection_or_the_inventory() -> None:
    documentation = (ROOT / "roles/pull_through/meta/argument_specs.yml").read_text(encoding="utf-8")
    documentation += "".join(file.read_text(encoding="utf-8") for file in (ROOT / "plugins/doc_fragments").glob("*.py"))
    inventories = (awx.FOLDER / "config/inventories.yml").read_text(encoding="utf-8")
    for credential_type in CONFIG["controller_credential_types"]:
        for name in credential_type["injectors"]["env"]:
            assert f"E({name})" in documentation or f"'{name}'" in inventories, name


# --- surveys ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template["playbook"])
def test_what_a_job_works_on_is_not_a_question(template: awx.Json) -> None:
    questions = {question["variable"]: question for question in template["survey_spec"]["spec"]}
    assert not set(questions) & set(template["extra_vars"])
    # An empty entry would arrive as null.
    assert not {
        name for name, question in questions.items() if question["type"] in awx.TEXTS and "pull_through" in name
    }
    assert not template["ask_variables_on_launch"]
    assert {name for name, question in questions.items() if question["required"]} <= {"pull_through_remove_confirmed"}


@pytest.mark.parametrize(("template", "entries"), RUNS)
def test_the_role_takes_each_entry(template: awx.Json, entries: awx.Json, tmp_path: Path) -> None:
    file = tmp_path / "extravars"
    file.write_text(awx.write_extra_vars(awx.job_variables(template, entries)), encoding="utf-8")
    variables = render(DataLoader().load_from_file(str(file)))
    options = ENTRY_POINTS[entry_point(template)]["options"]
    unknown = set(variables) - {name for spec in ENTRY_POINTS.values() for name in spec["options"]}
    assert unknown <= {"pull_through_hosts", "verify_username", "warm_images", "warm_changed_within"}
    known_options = {name: value for name, value in variables.items() if name in options}
    spec = {name: _without_documentation(option) for name, option in options.items() if name in known_options}
    assert not ArgumentSpecValidator(spec).validate(known_options).error_messages
    assert set(to_list(variables.get("pull_through_only"))) <= set(variables["pull_through_sources"]) <= set(CATALOG)


def test_a_removal_has_to_be_confirmed() -> None:
    template = next(template for template in TEMPLATES if template["playbook"] == "remove.yml")
    with pytest.raises(ValueError, match="value missing"):
        awx.job_variables(template, {})


def _without_documentation(option: awx.Json) -> awx.Json:
    return {name: value for name, value in option.items() if name not in ("description", "version_added")}
