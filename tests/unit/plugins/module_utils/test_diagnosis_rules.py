# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repository_config import RepositoryConfig
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._ant_patterns import is_accepted
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._evidence import (
    AddressEvidence,
    CachedTag,
    Identity,
    ImageListing,
    Member,
    ServerEvidence,
    SourceEvidence,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._findings import (
    Finding,
    find_all,
    sort_findings,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._pull_rules import (
    Diagnosis,
    Evidence,
    Failure,
    diagnose_with_trace,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._server_rules import (
    ADDRESS_RULES,
    HOST_RULES,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._source_rules import (
    AFTER_PULL_RULES,
    CACHE_RULES,
    RULES,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._trace import Trace, parse_trace

UID = "0" * 40
LOGIN = f"{UID}/{'1' * 16}"
DESIRED = {"url": "https://cgr.dev/", "enableTokenAuthentication": True, "blockMismatchingMimeTypes": True}
SETTINGS = {
    **DESIRED,
    "rclass": "remote",
    "packageType": "docker",
    "includesPattern": "**/*",
    "excludesPattern": "",
    "username": LOGIN,
}
VALID = Identity("read", "2031-01-21T00:00:00Z", 1e7, ("registry.pull",))
NO_RESPONSE = Failure("no_response", "the TLS certificate of cgr.dev is not trusted.")


def source(settings=None, **fields):
    evidence = {
        "requested_reference": "example.com/nginx",
        "host": "artifactory.example.com",
        "repository": "cgr-private",
        "package_type": "docker",
        "desired": DESIRED,
        "ecosystem": "oci",
        "role": "registry.pull",
        "organization": "example.com",
        "organization_uid": UID,
        "images": ("example.com/nginx",),
        "identity": VALID,
        "config": RepositoryConfig("read", {**SETTINGS, **(settings or {})}),
    }
    return SourceEvidence(**{**evidence, **fields})


def codes(evidence):
    return [finding.code for finding in find_all(RULES, "containers", evidence)]


def virtual(settings=None, **member):
    config = RepositoryConfig(
        "read", {"rclass": "virtual", "packageType": "docker", "repositories": ["a", "b"], **(settings or {})}
    )
    members = (Member("a", "docker"), Member("b", **{"package_type": "docker", **member}))
    return source(config=config, members=members, ecosystem="", desired={}, images=())


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        (source(), []),
        (source(config=RepositoryConfig("missing")), ["repository_missing"]),
        (source(config=RepositoryConfig("unreadable")), []),
        (source({"rclass": "local"}), ["repository_class"]),
        (source({"packageType": "oci"}), ["repository_type"]),
        (source({"offline": True, "blackedOut": True}), ["blacked_out", "offline"]),
        (source({"url": "https://cgr.dev/example.com/"}), ["url_has_path"]),
        (source({"url": "https://cgr.dev"}), []),
        (source({"url": "https://other.example.org/artifactory/api/docker/x"}), ["upstream_url_mismatch"]),
        (source({"enableTokenAuthentication": False}), ["token_authentication_off"]),
        (source({"excludesPattern": "**/latest/**"}), ["excluded_by_pattern"]),
        (source({"dockerProjectId": "example.com"}), ["project_prefix_doubled"]),
        (source({"dockerProjectId": "other"}), ["project_prefix_other"]),
        (source({"blockMismatchingMimeTypes": False}), ["mime_blocking_off"]),
        (source({"username": ""}, identity=Identity()), ["repository_credentials_missing"]),
        (source({"username": "a@example.com"}, identity=Identity()), ["username_email"]),
        (source({"username": LOGIN.replace("/", "%2F")}, identity=Identity()), ["username_encoded"]),
        (source({"username": "ci"}, identity=Identity()), ["username_not_identity"]),
        (source(organization_uid="2" * 40), ["username_other_organization"]),
        (source(organization_uid=""), []),
        (source(identity=Identity("missing")), ["token_revoked"]),
        (source(identity=Identity("not_a_pull_token")), ["token_type"]),
        (source(identity=Identity("read", "", -1.0, ("registry.pull",))), ["token_expired"]),
        (source(identity=Identity("read", "", 1e7)), ["token_unbound"]),
        (source(identity=Identity("read", "", 1e7, ("apk.pull",))), ["token_role"]),
        (source(identity=Identity("read", "", 3600.0, ("registry.pull",))), ["token_expires_soon"]),
        (source(unknown_organization=True), ["organization_unknown"]),
        (source(listing=ImageListing(missing=("example.com/ngnix",))), ["image_missing"]),
        (source(listing=ImageListing(published=("example.com/go",))), ["image_not_entitled"]),
        (source(listing=ImageListing(without_tag=("example.com/nginx:9",))), ["tag_missing"]),
        (source(images=("other.example.org/nginx",)), ["image_other_organization"]),
        (source(images=("team/nginx", "chainguard/go")), ["image_other_organization"]),
        (source(images=("other.example.org/nginx",), organization=UID), []),
        (source(trace=Trace("assumed_offline", "x")), ["assumed_offline"]),
        (source(trace=Trace("assumed_offline", "x"), server_version="7.98.9"), ["assumed_offline"]),
        (source({"username": f"{LOGIN}\n"}, identity=Identity()), ["username_white_space"]),
        (source({"offline": True}, marker_layers=("a:1",)), ["layers_not_cached", "offline"]),
        (source(trace=Trace("unreachable", "x")), ["upstream_unreachable_for_artifactory"]),
        (source(trace=Trace("credentials", "x")), ["upstream_credentials"]),
        (source(trace=Trace("failed", "x")), ["upstream_error"]),
        (source(trace=Trace("remembered", "x")), ["negative_cache"]),
        (source(trace=Trace("denied", "x")), ["forbidden"]),
        (virtual(), []),
        (virtual(is_missing=True), ["member_missing"]),
        (virtual({"repositories": ["a"]}), ["member_missing"]),
        (virtual(is_disabled=True), ["member_disabled"]),
        (virtual(package_type="npm"), ["member_type"]),
        (virtual(has_priority=True), ["member_priority"]),
    ],
)
def test_findings_of_a_source(evidence, expected):
    findings = find_all(RULES, "containers", evidence)
    assert [finding.code for finding in findings] == expected
    for finding in findings:
        assert finding.evidence
        for text in (finding.cause, finding.fix):
            assert text[-1] in ".!?" and "None" not in text


def test_findings_of_a_package_source():
    desired = {
        "url": "https://libraries.cgr.dev/{organization_uid}/",
        "allowAnyHostAuth": False,
        "bypassHeadRequests": True,
        "handleSnapshots": False,
    }
    settings = {**SETTINGS, "packageType": "maven", "allowAnyHostAuth": True, "bypassHeadRequests": False}
    config = RepositoryConfig("read", {**settings, "handleSnapshots": True, "includesPattern": "com/**"})
    evidence = source(config=config, package_type="maven", desired=desired, images=())
    assert codes(evidence) == [
        "token_authentication_on",
        "excluded_by_pattern",
        "credentials_forwarded",
        "redirect_settings",
        "settings_differ",
    ]


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        ({"realm": "https://artifactory.example.com/v2/token"}, []),
        ({"realm": "https://artifactory.example.com:443/v2/token"}, []),
        ({"realm": "https://login.example.com/v2/token", "token_service_hosts": frozenset({"login.example.com"})}, []),
        ({"realm": "https://artifactory.example.com:8443/v2/token"}, ["realm_host"]),
        ({"realm": "http://artifactory.example.com/v2/token"}, ["realm_scheme"]),
        ({"realm": "https://inner:8082/v2/token"}, ["realm_host"]),
        ({"failure": Failure("html", "the response is an HTML page.")}, ["not_a_registry"]),
        ({"failure": Failure("error_response", "status 503", status=503)}, ["registry_fails"]),
        ({"failure": Failure("no_response", "x")}, ["registry_fails"]),
    ],
)
def test_findings_of_an_address(evidence, expected):
    url = "https://artifactory.example.com/v2/"
    address = AddressEvidence(requested_reference=url, host="artifactory.example.com", url=url, **evidence)
    assert [finding.code for finding in find_all(ADDRESS_RULES, "", address)] == expected


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        ({"clock_difference": 30.0}, []),
        ({"clock_difference": -3600.0}, ["clock_difference"]),
        ({"failure": NO_RESPONSE}, ["tls_from_controller"]),
    ],
)
def test_findings_of_a_host(evidence, expected):
    host = ServerEvidence(requested_reference="https://cgr.dev", host="cgr.dev", **evidence)
    assert [finding.code for finding in find_all(HOST_RULES, "", host)] == expected


@pytest.mark.parametrize(
    ("path", "included", "excluded", "accepted"),
    [
        ("a/b/latest/manifest.json", "**/*", "", True),
        ("a/b/latest/manifest.json", "", "", True),
        ("a/b/latest/manifest.json", "a/**", "", True),
        ("a/b/latest/manifest.json", "a/", "", True),
        ("a/b/latest/manifest.json", "a/*", "", False),
        ("a/b/latest/manifest.json", "c/**, a/*/latest/*", "", True),
        ("a/b/latest/manifest.json", "**/*", "**/latest/**", False),
        ("a/b/latest/manifest.json", "**/*", "**/la?est/**", False),
        ("a/b/latest/manifest.json", "**/*", "**/late/**", True),
        ("manifest.json", "**/manifest.json", "", True),
    ],
)
def test_ant_patterns(path, included, excluded, accepted):
    assert is_accepted(path, included, excluded) is accepted


@pytest.mark.parametrize(
    ("line", "step"),
    [
        ("GET https://a/x: received status 404 Not Found", "answered"),
        ("GET https://a/x: received status 403 Forbidden", "credentials"),
        ("GET https://a/x: received status 503", "failed"),
        ("GET https://a/x: received status 503\nNot found. Failed to retrieve https://a/x", "failed"),
        ("Not found. Failed to retrieve https://a/x", "unreachable"),
        ("GET https://a/x: connection refused", "unreachable"),
        ("cgr-java is offline", "offline"),
        ("cgr-java is assumed offline", "assumed_offline"),
        ("cgr-java has 'x' in the cache of missing items", "remembered"),
        ("cgr-java is skipped: ci may not read 'x'", "denied"),
        ("something else", ""),
    ],
)
def test_traces(line, step):
    assert parse_trace(f"Repo Path: cgr-java:x\nSteps:\n2031-01-01T00:00:00Z {line}\n").step == step


@pytest.mark.parametrize(
    ("status", "shows_failure"), [(401, True), (403, True), (407, True), (500, True), (404, False), (429, False)]
)
def test_whether_a_trace_shows_that_the_upstream_serves_nothing(status, shows_failure):
    assert parse_trace(f"Received status {status} on remote request").shows_failure is shows_failure


def pull_evidence(rclass="remote", status=404):
    settings = {"rclass": rclass, "url": "https://libraries.cgr.dev/java/"}
    return Evidence(
        stage="file",
        requested_reference="a:b",
        host="artifactory.example.com",
        repository="cgr-java",
        failure=Failure("error_response", status=status),
        config=RepositoryConfig("read", settings),
    )


AMBIGUOUS = Diagnosis("not_found", "Something.", "Something.", "possible")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("received status 401", "upstream_credentials"),
        ("received status 500", "upstream_error"),
        ("GET https://a/x: connection refused", "upstream_unreachable_for_artifactory"),
        ("cgr-java is assumed offline", "assumed_offline"),
        ("received status 404", "not_found"),
        ("", "not_found"),
    ],
)
def test_a_trace_shows_the_cause_of_an_ambiguous_failure(line, code):
    diagnosis = diagnose_with_trace(AMBIGUOUS, pull_evidence(), lambda: parse_trace(line))
    assert diagnosis.code == code
    assert diagnosis.certainty == ("possible" if code == "not_found" else "likely")


@pytest.mark.parametrize(
    ("line", "code", "certainty"),
    [
        ("received status 409", "blocked", "known"),
        ("GET https://libraries.cgr.dev/java/a: received status 403", "blocked", "likely"),
        ("GET https://storage.example.com/a: received status 403", "not_found", "possible"),
        ("received status 404", "upstream_not_found", "likely"),
        ("cgr-java has 'x' in the cache of missing items", "not_found", "possible"),
        ("received status 200", "not_found", "possible"),
    ],
)
def test_a_trace_of_the_failure_is_read_if_the_upstream_serves_the_repository(line, code, certainty):
    answered, denied = Trace("answered", "x", 404), Trace("credentials", "x", 401)
    diagnosis = diagnose_with_trace(AMBIGUOUS, pull_evidence(), lambda: answered, lambda: parse_trace(line))
    assert (diagnosis.code, diagnosis.certainty) == (code, certainty)
    diagnose_with_trace(AMBIGUOUS, pull_evidence(), lambda: denied, lambda: pytest.fail("traced"))


@pytest.mark.parametrize(
    ("diagnosis", "evidence"),
    [
        (dataclasses.replace(AMBIGUOUS, certainty="known"), pull_evidence()),
        (AMBIGUOUS, pull_evidence("virtual")),
        (AMBIGUOUS, pull_evidence(status=403)),
    ],
)
def test_nothing_else_is_traced(diagnosis, evidence):
    assert diagnose_with_trace(diagnosis, evidence, lambda: pytest.fail("traced")) is diagnosis


def test_the_worst_finding_is_first_and_the_most_certain_remains():
    findings = [
        Finding("a", "x", "warning", "known", "", "", ""),
        Finding("a", "y", "error", "possible", "", "", ""),
        Finding("a", "y", "error", "known", "", "", ""),
        Finding("b", "z", "error", "likely", "", "", ""),
    ]
    ranked = [(finding.code, finding.certainty) for finding in sort_findings(findings)]
    assert ranked == [("y", "known"), ("z", "likely"), ("x", "known")]


@pytest.mark.parametrize(
    ("tag", "certainty"),
    [
        (CachedTag("a:1", "sha256:1", 1000.0, 1000.0), None),
        (CachedTag("a:1", "sha256:1", 1000.0, 1000.0 + 7200.0 + 299.0), None),
        (CachedTag("a:1", "sha256:1", 1000.0, 1000.0 + 7200.0 + 301.0), "likely"),
        (CachedTag("a:1", "sha256:1", None, 1000.0), None),
        (CachedTag("a:1", "sha256:1", 1000.0, None), None),
        (CachedTag("a:1", "sha256:1", 1000.0, 1000.0, is_overdue=True), "known"),
    ],
)
def test_a_tag_is_overdue_if_it_was_served_after_its_period(tag, certainty):
    findings = find_all(CACHE_RULES, "containers", source({"retrievalCachePeriodSecs": 7200}, tags=(tag,)))
    assert [finding.certainty for finding in findings] == ([certainty] if certainty else [])


def test_an_overdue_tag_is_quoted_with_its_times():
    tag = CachedTag("a:1", "sha256:1", 0.0, 3600.0, is_overdue=True)
    (finding,) = find_all(CACHE_RULES, "containers", source({"retrievalCachePeriodSecs": 7200}, tags=(tag,)))
    assert finding.evidence == (
        "a:1 is sha256:1, compared with the upstream at an unknown time, served at 1970-01-01T01:00:00Z"
    )


def test_the_seconds_that_are_left_of_the_negative_cache():
    evidence = source({"missedRetrievalCachePeriodSecs": 60}, trace=Trace("remembered", "x"), now=3600.0)
    (finding,) = find_all(RULES, "containers", evidence)
    assert finding.evidence == "x; retry in 60 seconds at most, at 1970-01-01T01:01:00Z"
    (finding,) = find_all(AFTER_PULL_RULES, "containers", evidence)
    assert finding.evidence.endswith("is not found; retry in 60 seconds at most, at 1970-01-01T01:01:00Z")


@pytest.mark.parametrize(("is_read", "code"), [(True, "negative_cache"), (False, "upstream_fetch_failed")])
def test_what_remains_after_a_pull_depends_on_what_chainguard_lists(is_read, code):
    evidence = source({"missedRetrievalCachePeriodSecs": 60}, listing=ImageListing(is_read=is_read))
    (finding,) = find_all(AFTER_PULL_RULES, "containers", evidence)
    assert (finding.code, finding.certainty) == (code, "likely")


def test_a_negative_cache_that_is_off_is_no_cause():
    assert not find_all(AFTER_PULL_RULES, "containers", source({"missedRetrievalCachePeriodSecs": 0}))


@pytest.mark.parametrize(
    ("version", "has_module"), [("", True), ("7.49.3", True), ("7.49.2", False), ("7.161.15", True)]
)
def test_a_server_without_the_request_to_expire_a_cache(version, has_module):
    text = source(server_version=version).expire_text
    assert ("artifactory_repository_cache" in text) is has_module
    assert "Zap Caches" in text


def test_a_fault_of_the_version_is_quoted():
    evidence = source(trace=Trace("assumed_offline", "x"), server_version="7.98.9")
    (finding,) = find_all(RULES, "containers", evidence)
    assert (finding.evidence, "upgrade Artifactory" in finding.fix) == ("version: 7.98.9; x", True)
