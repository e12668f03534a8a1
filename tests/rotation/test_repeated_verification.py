# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Scenario 17: a verification on a schedule never runs out of content that is not cached, and finds what broke at once."""

from __future__ import annotations

import typing as t

import pytest

from rotation.scenarios import Report
from support.rotation_harness import RotationHarness
from support.sources import SOURCES

RUNS = 10
PRIVATE = [source.key for source in SOURCES.values() if source.private]
PUBLIC = [source.key for source in SOURCES.values() if not source.private]
ALL_SOURCES = {"sources": list(SOURCES), "source_overrides": None}
# All of their content is cached after two runs.
FEW_SOURCES = {"sources": ["packages", "java"], "source_overrides": None}
FEW_KEYS = [SOURCES[name].key for name in ("packages", "java")]

# Sources of each kind, and the values of the lab's settings that are not its defaults: it is not established which are true.
EACH_KIND = ["containers_public", "containers", "charts", "packages", "java", "javascript", "dotnet"]
OTHER_BEHAVIOR = {
    "artifactory_access_api_rejects_unknown_grantees": True,
    "artifactory_access_ping": "text",
    "artifactory_bad_upstream_credentials": "invalid_credentials",
    "artifactory_blob_head_fills_cache": True,
    "artifactory_deploy_denied_status": 404,
    "artifactory_description_suffix": True,
    "artifactory_edition": "enterprise_plus",
    "artifactory_empty_list_clears": True,
    "artifactory_encrypt_passwords": False,
    "artifactory_environments_without_project": True,
    "artifactory_mime_mismatch_status": 409,
    "artifactory_npm_outside_tarballs": "unchanged",
    "artifactory_oci_token_authentication": "always",
    "artifactory_offline_after_failures": 1,
    "artifactory_priority_filters_documents": False,
    "artifactory_proxies_referrers": False,
    "artifactory_redirected_head": "rejected",
    "artifactory_returns_nuget_urls": False,
    "artifactory_save_clears_negative_cache": True,
    "artifactory_small_cache_period": "raised",
    "artifactory_traces_images": True,
    "artifactory_upstream_token_by_credentials": True,
    "delete_missing": 404,
    "omit_unpopulated": True,
    "registry_blob_head": "served",
    "registry_checks_identity": True,
}
BYPASSED = "cgr-javascript"  # Artifactory does not rewrite the links to tarballs outside of the URL of the repository.


def summary_line(output: str, key: str) -> str:
    """Return the line of a repository in the summary."""
    return next((line for line in output.splitlines() if line.lstrip(' "').startswith(f"{key} ")), "")


def find_differences(outputs: t.Mapping[str, str], expected: t.Mapping[tuple[str, str], str]) -> list[str]:
    """Return the lines of summaries that lack a text. outputs: by the name of the run. expected: by that and the repository."""
    return [
        f"{name}: {line or key}"
        for (name, key), text in expected.items()
        if text not in (line := summary_line(outputs[name], key))
    ]


def verify_repeatedly(harness: RotationHarness, runs: int) -> list[str]:
    """Verify a healthy estate once a day, and return what was not shown."""
    problems = []
    for number in range(1, runs + 1):
        harness.lab.advance(days=1)
        result = harness.run("verify", **ALL_SOURCES)
        if result.code:
            problems.append(f"verify {number} ended with {result.code}: {result.output[-1500:]}")
        problems += [
            f"verify {number}: {line or source.key}"
            for source in SOURCES.values()
            for line in [summary_line(result.output, source.key)]
            if " verified: " not in line or "from upstream" not in line or "not verified" in line
        ]
    return problems


def break_everything(harness: RotationHarness) -> list[str]:
    """Store wrong passwords, then let the upstream not respond, and return what the first verify does not find."""
    lab = harness.lab
    for key in PRIVATE:
        lab.set_config(key, password="wrong-password")
    lab.advance(days=1)
    wrong_passwords = harness.run("verify", **ALL_SOURCES)
    for service in ("registry", "virtualapk"):
        lab.inject_fault({"status": 503}, service=service, user_agent="^Artifactory")
    lab.advance(days=1)
    no_upstream = harness.run("verify", **ALL_SOURCES)
    expected = [(key, wrong_passwords) for key in PRIVATE] + [(key, no_upstream) for key in PUBLIC]
    problems = [
        f"{key} is not found: {line}"
        for key, run in expected
        if "FAILED" not in (line := summary_line(run.output, key))
    ]
    healthy = [line for key in PUBLIC if "from upstream" not in (line := summary_line(wrong_passwords.output, key))]
    return problems + [f"a healthy source is not verified: {line}" for line in healthy]


def verify_then_break(harness: RotationHarness) -> list[str]:
    """Set up all sources, verify them repeatedly, break them, and return what was not shown."""
    harness.reset(**ALL_SOURCES)
    return verify_repeatedly(harness, RUNS) + break_everything(harness)


@pytest.mark.background.with_args(verify_then_break)
def test_a_verification_can_be_repeated_forever(background_result: list[str], report: Report) -> None:
    report(
        17, f"{RUNS} runs over {len(SOURCES)} sources, {len(PRIVATE)} wrong passwords, no upstream", background_result
    )


def log_in(harness: RotationHarness, name: str, *actions: str) -> str:
    """Return the access token of a new user with these actions on all remote repositories, and no others."""
    token = harness.lab.create_user(name)
    section = {"repositories": ["ANY REMOTE"], "include-patterns": ["**"], "actions": {"users": {name: actions}}}
    response = harness.lab.artifactory("POST", f"/v2/security/permissions/{name}", {"name": name, "repo": section})
    assert response.status_code == 201, response.text
    return token


def verify_without_an_administrator(harness: RotationHarness) -> list[str]:
    """Verify with and without Delete, then with a wrong password, and return what each run does not show."""
    harness.reset(**FEW_SOURCES)
    cleaner = log_in(harness, "cleaner", "read", "write", "delete")
    puller = log_in(harness, "puller", "read", "write")
    outputs = {}
    for name, token in {"first": cleaner, "again": cleaner, "cached": puller}.items():
        harness.lab.advance(days=1)
        outputs[name] = harness.run("verify", **FEW_SOURCES, artifactory_access_token=token).output
    harness.lab.set_config("cgr-java", password="wrong-password")
    harness.lab.advance(days=1)
    outputs["wrong"] = harness.run("verify", **FEW_SOURCES, artifactory_access_token=cleaner).output
    expected = {
        **{(name, key): ", from upstream" for name in ("first", "again") for key in FEW_KEYS},
        **{("cached", key): "not verified: everything came from the cache" for key in FEW_KEYS},
        ("wrong", "cgr-java"): "FAILED",
    }
    problems = find_differences(outputs, expected)
    count = f"Not verified: {len(FEW_KEYS)} of {len(FEW_KEYS)} repositories"
    return problems + ([] if count in outputs["cached"] else [f"cached: without {count!r}"])


@pytest.mark.background.with_args(verify_without_an_administrator)
def test_a_verification_needs_no_administrator(background_result: list[str], report: Report) -> None:
    report(17, "logins with and without Delete", background_result)


def verify_without_expiration(harness: RotationHarness) -> list[str]:
    """Verify repeatedly with a server that cannot expire an index, then with a wrong password, and return what is not shown."""
    lab = harness.lab
    lab.reset()
    lab.configure(artifactory_version="7.38.4")
    outputs = {"setup": harness.run("setup", **FEW_SOURCES).output}
    cached = {key: set(lab.cached_paths(key)) for key in FEW_KEYS}
    for number in range(1, 4):
        lab.advance(days=1)
        outputs[f"verify {number}"] = harness.run("verify", **FEW_SOURCES).output
    problems = find_differences(outputs, {(name, key): ", from upstream" for name in outputs for key in FEW_KEYS})
    problems += [f"{key}: deleted {lost}" for key in FEW_KEYS if (lost := cached[key] - set(lab.cached_paths(key)))]
    lab.set_config("cgr-java", password="wrong-password")
    lab.advance(days=1)
    wrong = summary_line(harness.run("verify", **FEW_SOURCES).output, "cgr-java")
    return problems + ([] if "FAILED" in wrong else [f"wrong password: {wrong}"])


@pytest.mark.background.with_args(verify_without_expiration)
def test_a_verification_can_be_repeated_where_nothing_can_be_expired(
    background_result: list[str], report: Report
) -> None:
    report(17, "3 runs with Artifactory 7.38.4", background_result)


def verify_other_behavior(harness: RotationHarness) -> list[str]:
    """Set up twice, then verify with wrong passwords, and return what is not as with the defaults of the lab."""
    lab = harness.lab
    lab.reset()
    lab.configure(**OTHER_BEHAVIOR)
    variables = {"sources": EACH_KIND, "source_overrides": None, "groups": ["readers"], "virtuals": ["containers"]}
    outputs = {"first": harness.run("setup", **variables).output}
    lab.advance(days=1)
    position = lab.log_position()
    outputs["again"] = harness.run("setup", **variables).output
    changes = [entry["kind"] for entry in lab.changes(position)]
    keys = [SOURCES[name].key for name in EACH_KIND]
    for key in set(keys) & set(PRIVATE):
        lab.set_config(key, password="wrong-password")
    lab.advance(days=1)
    outputs["broken"] = harness.run("verify", **variables).output
    expected = {
        **{(name, key): ", from upstream" for name in ("first", "again") for key in keys if key != BYPASSED},
        **{(name, BYPASSED): "FAILED" for name in ("first", "again")},
        **{("broken", key): "FAILED" for key in keys if key in PRIVATE},
    }
    problems = find_differences(outputs, expected)
    problems += [] if "which bypasses Artifactory" in outputs["again"] else ["no reason for the failure of JavaScript"]
    return problems + ([f"the second run sent {changes}"] if changes else [])


@pytest.mark.background.with_args(verify_other_behavior)
def test_a_verification_does_not_depend_on_what_is_not_established(
    background_result: list[str], report: Report
) -> None:
    report(17, f"{len(OTHER_BEHAVIOR)} settings of the lab with another value", background_result)
