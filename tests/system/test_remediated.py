# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plain and remediated versions side by side in a virtual repository: both are listed, and both can be downloaded.

Remediated versions have suffixes of their own, so the order of the members is enough. With priorityResolution, Artifactory
would list only the remediated ones (facts/artifactory.md#virtual-repositories).
"""

from __future__ import annotations

import re

import pytest

from support.lab_client import LabClient
from support.playbook_runner import PlaybookRunner
from support.scenario import Scenario, Step

SOURCES = ("python_remediated", "python", "java_remediated", "java")
LIBRARIES = {
    name: {"artifacts": ["lab-greeting" if "python" in name else "com.example:lab-greeting"]} for name in SOURCES
}
REMEDIATED_JAVA = "1.0.0-0.cgr.1"
JAVA_FOLDER = "cgr-java-all/com/example/lab-greeting"


@pytest.fixture(scope="module")
def site(running_lab: LabClient, run_playbook: PlaybookRunner) -> Scenario:
    """A site whose remediated repositories have priorityResolution, as an earlier version of this collection set it."""
    scenario = Scenario(running_lab, run_playbook)
    set_up(scenario)
    for key in ("cgr-python-remediated", "cgr-java-remediated"):
        running_lab.set_config(key, priorityResolution=True)
    return scenario


def set_up(scenario: Scenario, **overrides: object) -> Step:
    sources = {**LIBRARIES, **overrides}
    variables = scenario.lab.variables(*SOURCES, source_overrides=sources, virtuals="python,java")
    step = scenario.run("setup", variables)
    assert step.run.code == 0, step.run.output
    return step


def python_versions(lab: LabClient) -> set[str]:
    """Return the versions in the index of the virtual repository."""
    index = lab.read_file("api/pypi/cgr-python-all/simple/lab-greeting/").decode()
    return set(re.findall(r"lab_greeting-([0-9.]+(?:\+cgr\.[0-9]+)?)-py3", index.replace("%2B", "+")))


def java_versions(lab: LabClient) -> set[str]:
    metadata = lab.read_file(f"{JAVA_FOLDER}/maven-metadata.xml").decode()
    return set(re.findall("<version>([^<]+)</version>", metadata))


def test_priority_hides_plain_versions_and_the_next_setup_turns_it_off(site: Scenario) -> None:
    assert python_versions(site.lab) == {"1.0.0+cgr.1"}
    step = set_up(site)
    assert "cgr-python-remediated: priorityResolution changed from true to false." in step.run.output
    assert step.repositories["cgr-java-remediated"]["priorityResolution"] is False


def test_both_versions_are_listed(site: Scenario) -> None:
    set_up(site)
    assert {"1.0.0", "1.1.0", "1.0.0+cgr.1"} <= python_versions(site.lab)
    assert {"1.0.0", "1.1.0", REMEDIATED_JAVA} <= java_versions(site.lab)


def test_both_versions_can_be_downloaded(site: Scenario) -> None:
    set_up(site)
    for version in ("1.1.0", REMEDIATED_JAVA):
        assert site.lab.read_file(f"{JAVA_FOLDER}/{version}/lab-greeting-{version}.jar")


def test_an_override_wins(site: Scenario) -> None:
    java = {**LIBRARIES["java_remediated"], "settings": {"priorityResolution": True}}
    step = set_up(site, java_remediated=java)
    assert step.repositories["cgr-java-remediated"]["priorityResolution"] is True
    assert java_versions(site.lab) == {REMEDIATED_JAVA}


def test_the_feed_of_remediated_libraries_replaces_a_default_that_is_gone(site: Scenario) -> None:
    lab = site.lab
    lab.reset()
    for version in ("3.0.2+cgr.1", "3.0.3+cgr.1"):
        block = {"repository": "python-remediated", "package": "werkzeug", "version": version}
        lab.control("POST", "/chainguard/packages/block", {**block, "reason": "POLICY_ORG_BLOCKLIST"})
    before = lab.log_position()
    step = site.run("setup", lab.variables("python_remediated", "python"))
    assert step.run.code == 0, step.run.output
    assert step.pull_result("cgr-python-remediated")["artifact"] == "lab-greeting"
    (request,) = [entry for entry in lab.request_log(before) if entry["path"].startswith("/openvex/")]
    assert (request["status"], request["user"]) == (200, "")
