# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the pull modules say of a 404 with many causes, which a trace explains."""

from __future__ import annotations

import pytest

from ansible_collections.cgr.pull_through.plugins.modules import artifact_pull, registry_pull
from faults.estate import Estate, run_module
from support.lab_client import Json

NAMES = ("containers", "java")
IMAGE: Json = {"repository": "cgr-private", "images": ["example.com/nginx"], "depth": "manifest"}
LIBRARY: Json = {"repository": "cgr-java", "package_type": "maven", "artifacts": ["com.example:lab-greeting"]}
WRONG = {"password": "wrong-password"}


def diagnose(estate: Estate, pull: Json, user: str = "puller") -> tuple[Json, int]:
    """Return the diagnosis of a failed pull, and the number of traces."""
    module, what = (registry_pull, "images") if "images" in pull else (artifact_pull, "artifacts")
    before = estate.lab.log_position()
    token = estate.lab.users[user]["token"]
    result = run_module(module, **pull, artifactory_url=estate.lab.artifactory_url, artifactory_access_token=token)
    traces = [entry for entry in estate.lab.request_log(before) if "trace" in entry["query"]]
    return result[what][0]["diagnosis"], len(traces)


@pytest.mark.parametrize(
    ("pull", "traces_images", "code", "certainty"),
    [
        (LIBRARY, False, "upstream_credentials", "likely"),
        (IMAGE, True, "upstream_fetch_failed", "possible"),
        (IMAGE, False, "upstream_fetch_failed", "possible"),
    ],
    ids=["library", "image", "image that cannot be traced"],
)
def test_a_wrong_password(estate: Estate, pull: Json, traces_images: bool, code: str, certainty: str) -> None:
    estate.build(NAMES)
    estate.lab.configure(artifactory_traces_images=traces_images)
    estate.lab.set_config(pull["repository"], **WRONG)
    diagnosis, traces = diagnose(estate, pull)
    assert (diagnosis["code"], diagnosis["certainty"], traces) == (code, certainty, 1)
    assert ("responds to Artifactory with status" in diagnosis["cause"]) is (traces_images or pull is LIBRARY)


def test_an_upstream_that_fails(estate: Estate) -> None:
    estate.build(NAMES)
    estate.lab.inject_fault({"status": 503}, service="libraries", user_agent="^Artifactory")
    assert diagnose(estate, LIBRARY)[0]["code"] == "upstream_error"


@pytest.mark.parametrize(
    ("artifact", "seconds", "code", "cause"),
    [
        ("com.example:lab-greeting:0.9.0", 0, "blocked", "a policy blocks it"),
        ("com.example:lab-malware", 0, "blocked", "a policy blocks it"),
        ("com.example:nothing", 0, "upstream_not_found", "status 404"),
        ("com.example:lab-greeting:0.9.0", 1800, "upstream_fetch_failed", "it is blocked, or an earlier failure"),
    ],
)
def test_a_blocked_library(estate: Estate, artifact: str, seconds: int, code: str, cause: str) -> None:
    """While the failure is cached, Artifactory does not say what the upstream responded."""
    estate.build(NAMES)
    estate.lab.set_config("cgr-java", missedRetrievalCachePeriodSecs=seconds)
    diagnosis, traces = diagnose(estate, {**LIBRARY, "artifacts": [artifact]})
    assert (diagnosis["code"], traces) == (code, 2)
    assert cause in diagnosis["cause"]


def test_several_failures_of_a_repository_take_one_trace(estate: Estate) -> None:
    estate.build(NAMES)
    estate.lab.set_config("cgr-java", **WRONG)
    both = {**LIBRARY, "artifacts": ["com.example:lab-greeting", "junit:junit"]}
    diagnosis, traces = diagnose(estate, both)
    assert (diagnosis["code"], traces) == ("upstream_credentials", 1)


@pytest.mark.parametrize(
    "pull", [{**LIBRARY, "artifacts": ["com.example:nothing"]}, {**IMAGE, "images": ["a/nothing"]}]
)
def test_what_does_not_exist_remains_ambiguous(estate: Estate, pull: Json) -> None:
    estate.build(NAMES)
    estate.lab.configure(artifactory_traces_images=True)
    diagnosis, _traces = diagnose(estate, pull)
    assert (diagnosis["code"], diagnosis["certainty"]) == ("upstream_fetch_failed", "possible")
