# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the pull modules say of a 404 with many causes, which a trace explains, and of content that differs."""

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


def compare_with_upstream(estate: Estate, name: str) -> Json:
    """Return the options of a pull that queries the upstream with the pull token of a source."""
    credentials = {f"upstream_{field}": estate.tokens[name][field] for field in ("username", "password")}
    return {"upstream_url": f"{estate.lab.state['chainguard']['libraries_url']}/{name}/", **credentials}


PACKAGE: Json = {"repository": "cgr-javascript", "package_type": "npm"}


@pytest.mark.parametrize(
    ("name", "pull", "artifact"),
    [("java", LIBRARY, "com.example:lab-greeting:"), ("javascript", PACKAGE, "lab-greeting@")],
    ids=["409", "403"],
)
def test_a_blocked_version(estate: Estate, name: str, pull: Json, artifact: str) -> None:
    estate.build([name])
    pull = {**pull, **compare_with_upstream(estate, name)}
    # Artifactory has cached the index, which lists the newer version too.
    assert diagnose(estate, {**pull, "artifacts": [f"{artifact}1.0.0"]})[0] is None
    block = {"repository": name, "version": "1.1.0", "reason": "POLICY_COOLDOWN"}
    estate.lab.control("POST", "/chainguard/packages/block", block)
    diagnosis, _traces = diagnose(estate, {**pull, "artifacts": [f"{artifact}1.1.0"]})
    assert diagnosis["code"] == "blocked"
    assert "the cooldown for new versions (POLICY_COOLDOWN) blocks it" in diagnosis["cause"]


def test_bytes_that_change_upstream(estate: Estate) -> None:
    estate.build(NAMES)
    pull = {**LIBRARY, **compare_with_upstream(estate, "java")}
    assert diagnose(estate, pull)[0] is None
    estate.lab.control("POST", "/chainguard/packages/rebuild", {"repository": "java", "version": "1.1.0"})
    diagnosis, _traces = diagnose(estate, pull)
    assert diagnosis["code"] == "upstream_checksum_mismatch"
    assert "is older than the build that the upstream pins" in diagnosis["cause"]
    assert "or the cache is wrong" in diagnosis["cause"]


def test_a_head_request_with_another_length(estate: Estate) -> None:
    estate.build(NAMES)
    estate.lab.configure(artifactory_redirected_head="length")
    estate.lab.set_config("cgr-java", bypassHeadRequests=False)
    # Only an administrator reads the setting.
    diagnosis, _traces = diagnose(estate, {**LIBRARY, "timeout": 1}, "admin")
    assert (diagnosis["code"], diagnosis["certainty"]) == ("head_length", "possible")
