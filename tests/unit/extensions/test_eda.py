# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rulebooks in extensions/eda fit together, and to the job templates in extensions/awx."""

from __future__ import annotations

from support import awx
from support.ansible_yaml import load_yaml

RULEBOOKS = awx.FOLDER.parent / "eda" / "rulebooks"
PLAYBOOKS, JOB_TEMPLATES = (load_yaml(RULEBOOKS / f"{name}.yml") for name in ("events", "events_awx"))
TEMPLATES = {template["name"]: template for template in awx.load_config()["controller_templates"]}


def actions(rulebook: list[awx.Json], name: str) -> list[awx.Json]:
    return [rule["action"][name] for ruleset in rulebook for rule in ruleset["rules"]]


def test_both_rulebooks_have_the_same_rules() -> None:
    for rulebook in (PLAYBOOKS, JOB_TEMPLATES):
        for ruleset in rulebook:
            for rule in ruleset["rules"]:
                assert rule["throttle"]["group_by_attributes"]
    rules = [
        [{**rule, "action": ""} for rulesets in book for rule in rulesets["rules"]]
        for book in (PLAYBOOKS, JOB_TEMPLATES)
    ]
    assert rules[0] == rules[1]
    assert [ruleset["sources"] for ruleset in PLAYBOOKS] == [ruleset["sources"] for ruleset in JOB_TEMPLATES]


def test_the_job_templates_run_the_same_playbooks_and_take_the_variables() -> None:
    for playbook, job in zip(actions(PLAYBOOKS, "run_playbook"), actions(JOB_TEMPLATES, "run_job_template")):
        template = TEMPLATES[job["name"]]
        assert f"{playbook['name']}.yml" == f"cgr.pull_through.{template['playbook']}"
        assert job["organization"] == template["organization"]
        questions = {question["variable"] for question in template["survey_spec"]["spec"]}
        assert set(job["job_args"]["extra_vars"]) <= questions
