# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""extensions/awx/load.yml with the modules of awx.awx and a simulated controller: a second load changes nothing."""

from __future__ import annotations

from pathlib import Path

from awx_collection import install_awx_collection
from support import awx
from support.controller_api import TOKEN, TYPES, Controller, simulated_controller
from support.playbook_runner import PlaybookRunner, Run

CONFIG = awx.load_config()
OBJECTS = {
    "credential_types": "controller_credential_types",
    "credentials": "controller_credentials",
    "execution_environments": "controller_execution_environments",
    "projects": "controller_projects",
    "inventories": "controller_inventories",
    "hosts": "controller_hosts",
    "groups": "controller_groups",
    "notification_templates": "controller_notifications",
    "job_templates": "controller_templates",
    "workflow_job_templates": "controller_workflows",
    "schedules": "controller_schedules",
}


def load(controller: Controller, folder: Path) -> Run:
    folder.mkdir()
    environment = {
        "ANSIBLE_COLLECTIONS_PATH": str(install_awx_collection()),
        "CONTROLLER_HOST": controller.url,
        "CONTROLLER_OAUTH_TOKEN": TOKEN,
    }
    run = PlaybookRunner(lambda: folder)(str(awx.FOLDER / "load.yml"), {}, environment=environment)
    assert run.code == 0, run.output
    return run


def names(controller: Controller, endpoint: str) -> list[str]:
    return [item["name"] for item in controller.objects.values() if item["type"] == TYPES[endpoint]]


def test_a_second_load_changes_nothing(tmp_path: Path) -> None:
    with simulated_controller() as controller:
        load(controller, tmp_path / "first")
        for endpoint, variable in OBJECTS.items():
            assert names(controller, endpoint) == [item["name"] for item in CONFIG[variable]]
        assert len(controller.surveys) == len(CONFIG["controller_templates"])

        # What an administrator enters in the UI remains.
        credential = controller.find("credentials", "Artifactory")
        credential["inputs"]["access_token"] = "entered in the UI"
        controller.writes.clear()

        second = load(controller, tmp_path / "second")
        assert (second.changed, controller.writes) == ([], [])
        assert credential["inputs"]["access_token"] == "entered in the UI"

        # What someone changed in the UI is corrected, and nothing else.
        template = controller.find("job_templates", CONFIG["controller_templates"][0]["name"])
        template["ask_variables_on_launch"] = True
        load(controller, tmp_path / "third")
        assert controller.writes == [f"PATCH {template['url']}"]
        assert template["ask_variables_on_launch"] is False
