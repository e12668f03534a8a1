# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses

import pytest
from rule_checks import assert_is_text, movable_rules, untested_rules

from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repository_config import RepositoryConfig
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._pull_rules import (
    Failure,
    UpstreamResponse,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._rules import (
    OUTDATED,
    RULES,
    ArtifactEvidence,
    diagnose,
)

CONFIG = {
    "rclass": "remote",
    "packageType": "npm",
    "url": "https://libraries.example.net/javascript/",
    "username": "org/identity",
    "allowAnyHostAuth": False,
    "bypassHeadRequests": True,
    "blockMismatchingMimeTypes": False,
    "disableUrlNormalization": True,
    "missedRetrievalCachePeriodSecs": 600,
    "retrievalCachePeriodSecs": 7200,
}


def failure(problem, message="", **details):
    return Failure(problem, message, **{"host": "artifactory.example.com", **details})


def response(status, response_message="no", **details):
    return failure("error_response", status=status, response_message=response_message, **details)


NOT_FOUND = response(404, "Could not find resource")
AVAILABLE = {
    "upstream": UpstreamResponse("available", "libraries.example.net"),
    "upstream_url": "https://libraries.example.net/javascript",
}


def evidence(failed=Failure(), *, config=None, **details):
    """Return evidence about one artifact. config: what differs from a good configuration, or another state of it."""
    if isinstance(config, dict):
        config = RepositoryConfig("read", {**CONFIG, **config})
    defaults = {
        "stage": "file",
        "requested_reference": "lodash@4.17.21",
        "host": "artifactory.example.com",
        "repository": "cgr-npm",
        "package_type": "npm",
        "path": "lodash/-/lodash-4.17.21.tgz",
        "config": config or RepositoryConfig(),
        "upstream": UpstreamResponse(host="libraries.example.net"),
    }
    return ArtifactEvidence(failure=failed, **{**defaults, **details})


def upstream_response(status, message="no", *, config=(), **details):
    """Return evidence about an artifact that the upstream does not serve either."""
    upstream = UpstreamResponse("error_response", "libraries.example.net", status=status, message=message, **details)
    return evidence(NOT_FOUND, config=dict(config), upstream=upstream)


ANONYMOUS_UPSTREAM = UpstreamResponse(host="libraries.example.net", anonymous=True)
VERSION_MISSING = {"missing_version": "2.0", "available_versions": "1.0", "stage": "index"}
CERTIFICATE_PAGE = "an HTML page titled '400 No required SSL certificate was sent'"

SENDS_HEAD = {"bypassHeadRequests": False}

CASES = [
    (
        "upstream_checksum_mismatch",
        evidence(failure("upstream_checksum_mismatch", "x has another checksum."), stage="upstream"),
    ),
    ("upstream_unreachable", evidence(failure("no_response", "It refuses the connection."), stage="upstream")),
    ("upstream_unauthenticated", evidence(response(403), stage="upstream", upstream=ANONYMOUS_UPSTREAM)),
    ("upstream_credentials_rejected", evidence(response(401), stage="upstream")),
    ("upstream_gone", evidence(response(404), stage="upstream")),
    ("upstream_gone", evidence(failure("version_missing", "no version"), stage="upstream")),
    ("upstream_failed", evidence(response(500), stage="upstream")),
    ("upstream_failed", evidence(failure("html", "an HTML page."), stage="upstream")),
    ("storage_unreachable", evidence(failure("no_response", "No response.", host="storage.example.org"))),
    ("head_length", evidence(failure("no_response", "no response (ReadTimeoutError)."), config=SENDS_HEAD)),
    ("head_length", evidence(failure("digest", "x does not have the sha1."), config=SENDS_HEAD)),
    ("unreachable", evidence(failure("no_response", "it refuses the connection."), config=SENDS_HEAD)),
    ("unreachable", evidence(failure("no_response", "no response (ReadTimeoutError)."), config={})),
    ("tls", evidence(failure("no_response", "the TLS certificate of artifactory.example.com is not trusted."))),
    ("client_certificate", evidence(response(400, CERTIFICATE_PAGE, is_html=True))),
    ("name_resolution", evidence(failure("no_response", "the name of artifactory.example.com cannot be resolved."))),
    ("unreachable", evidence(failure("no_response", "artifactory.example.com refuses the connection."))),
    ("unreachable", evidence(failure("no_response", "The connection was closed."), stage="from_upstream")),
    ("redirect_rejected", evidence(response(302, "a redirect to http://elsewhere: it is not encrypted"))),
    ("redirect_rejected", evidence(response(302, "a redirect to http://elsewhere"), stage="outdated")),
    ("bypasses_artifactory", evidence(failure("outside_repository", "the index leads to https://elsewhere."))),
    ("bypasses_artifactory", evidence(failure("outside_repository"), stage="outdated")),
    ("redirect_cached", evidence(failure("html_cached"), config={"disableUrlNormalization": False})),
    ("redirect_cached", evidence(failure("html"), config={"blockMismatchingMimeTypes": True})),
    ("html_cached", evidence(failure("html_cached"), config={})),
    ("html_cached", evidence(failure("html_cached"), stage="from_upstream")),
    ("credentials_rejected", evidence(response(401, "an HTML page", is_html=True), repository="")),
    ("html_response", evidence(response(403, "an HTML page", is_html=True), repository="")),
    ("html_response", evidence(failure("html"))),
    ("not_found", evidence(response(404, "an HTML page titled 'Not found'", is_html=True), repository="")),
    ("not_found", evidence(response(410, "gone"), repository="")),
    ("html_response", evidence(response(404, "an HTML page", is_html=True))),
    ("content_mismatch", evidence(failure("digest", "x does not have the sha1."))),
    ("content_mismatch", evidence(failure("size"))),
    ("content_mismatch", evidence(failure("content"), stage="from_upstream")),
    ("mime_blocked", evidence(response(409, "Mismatching mime types found in request"), config={})),
    ("upstream_credentials", evidence(response(400, "Invalid username/password configured for Remote repository: x"))),
    (
        "upstream_credentials",
        evidence(response(404, "Invalid username/password configured for Remote repository: x"), config={}),
    ),
    ("policy", evidence(response(403, "not downloaded due to the download blocking policy configured in Xray for x"))),
    ("storage_full", evidence(response(507, "Storage limit exceeded"))),
    ("assumed_offline", evidence(response(404, "cgr-npm: is assumed offline, 'x' is not found at 'x'"))),
    ("duplicate_credentials", evidence(response(400, "Only one auth mechanism allowed"))),
    ("duplicate_credentials", evidence(response(400, "Only one auth mechanism allowed"), stage="outdated")),
    ("unauthenticated", evidence(response(401), anonymous=True)),
    ("credentials_rejected", evidence(response(401))),
    ("credentials_rejected", evidence(response(401), stage="from_upstream")),
    (
        "blocked",
        evidence(response(403, "too new", code="POLICY_COOLDOWN"), repository="", host="libraries.example.net"),
    ),
    ("upstream_access_denied", evidence(response(403), repository="", host="libraries.example.net")),
    ("deploy_cache_denied", evidence(response(403, "User u is not permitted to deploy 'p' into 'cgr-npm-cache:p'"))),
    ("deploy_cache_denied", evidence(response(403), stage="from_upstream")),
    ("repository_missing", evidence(NOT_FOUND, config=RepositoryConfig("missing"))),
    ("repository_type", evidence(NOT_FOUND, config={"packageType": "maven"})),
    ("blacked_out", evidence(NOT_FOUND, config={"blackedOut": True})),
    ("excluded_by_pattern", evidence(NOT_FOUND, config={"includesPattern": "@scope/**"})),
    ("offline", evidence(NOT_FOUND, config={"offline": True})),
    ("blocked", upstream_response(409)),
    ("blocked", upstream_response(403, "POLICY_BLOCKED: this version is blocked")),
    ("blocked", upstream_response(403, "too new", code="POLICY_COOLDOWN")),
    ("upstream_credentials_rejected", upstream_response(401)),
    ("upstream_access_denied", upstream_response(403)),
    ("repository_credentials_missing", upstream_response(401, config={"username": ""}, anonymous=True)),
    ("upstream_not_found", upstream_response(404)),
    (
        "upstream_url_mismatch",
        evidence(NOT_FOUND, **AVAILABLE, config={"url": "https://libraries.example.net/java/"}),
    ),
    (
        "upstream_url_mismatch",
        evidence(
            NOT_FOUND,
            config={"packageType": "pypi", "pyPIRegistryUrl": "https://libraries.example.net"},
            package_type="pypi",
            upstream=AVAILABLE["upstream"],
            upstream_url="https://libraries.example.net/python/simple",
        ),
    ),
    ("forbidden", evidence(response(403, "forbidden for user"), config={})),
    ("forbidden", evidence(response(403, "forbidden for user"), **AVAILABLE, config={})),
    ("credentials_forwarded", evidence(NOT_FOUND, **AVAILABLE, config={"allowAnyHostAuth": True})),
    ("redirect_settings", evidence(NOT_FOUND, **AVAILABLE, config={"bypassHeadRequests": False})),
    ("repository_credentials_missing", evidence(NOT_FOUND, **AVAILABLE, config={"username": ""})),
    ("negative_cache", evidence(NOT_FOUND, **AVAILABLE, config={})),
    ("negative_cache", evidence(NOT_FOUND, **AVAILABLE, config={"url": "https://mirror.example.org/javascript"})),
    ("served_from_cache", evidence(failure("served_from_cache", "All of it was cached."), stage="from_upstream")),
    ("masked_by_cache", evidence(NOT_FOUND, config={}, stage="from_upstream")),
    ("outdated_index", evidence(failure("version_missing"), **AVAILABLE, **VERSION_MISSING)),
    ("version_missing", evidence(failure("version_missing"), **VERSION_MISSING)),
    ("rate_limited", evidence(response(429), config={"offline": True})),
    ("server_error", evidence(response(502, "Bad Gateway"), config={"offline": True})),
    ("upstream_fetch_failed", evidence(NOT_FOUND, config={})),
    ("upstream_fetch_failed", evidence(NOT_FOUND, config={"bypassHeadRequests": False})),
    ("blocked", evidence(response(409, "MALWARE_DETECTED"), config={})),
    ("not_found", evidence(NOT_FOUND)),
    ("not_found", evidence(NOT_FOUND, config=RepositoryConfig("unreadable"))),
    ("unknown_error", evidence(response(418, "teapot", message="status 418: teapot."))),
]

# No later rule but the fallback applies where these do.
INDEPENDENT = ["version_missing", "rate_limited", "server_error", "blocked", "not_found"]


@pytest.mark.parametrize(
    ("code", "case"), CASES, ids=[f"{number}-{code}" for number, (code, _case) in enumerate(CASES)]
)
def test_the_first_rule_that_applies_wins(code, case):
    diagnosis = diagnose(case)
    assert diagnosis.code == code
    assert_is_text(diagnosis)


def test_each_rule_has_a_case():
    assert untested_rules(RULES, CASES) == []


def test_each_position_that_matters_has_a_case():
    assert movable_rules(RULES, CASES) == INDEPENDENT


@pytest.mark.parametrize(
    ("code", "cause", "fix"),
    [
        ("POLICY_ORG_BLOCKLIST", "the blocklist of the organization (POLICY_ORG_BLOCKLIST) blocks it: no", "the owner"),
        ("POLICY_COOLDOWN", "the cooldown for new versions (POLICY_COOLDOWN) blocks it: no", "wait until the cooldown"),
        ("MALWARE_DETECTED", "the malware detection (MALWARE_DETECTED) blocks it: no", "installed already"),
        ("POLICY_NEW", "a policy (POLICY_NEW) blocks it: no", "ask the owner of the policy"),
        ("", "a policy blocks it: no", "ask the owner of the policy"),
    ],
)
def test_the_policy_is_named(code, cause, fix):
    diagnosis = diagnose(upstream_response(409, code=code))
    assert cause in diagnosis.cause and fix in diagnosis.fix


def test_another_build_of_the_upstream_is_a_cause_of_a_mismatch():
    diagnosis = diagnose(evidence(failure("upstream_checksum_mismatch", "x has another checksum."), stage="upstream"))
    assert (
        "older than the build that the upstream pins" in diagnosis.cause and "or the cache is wrong" in diagnosis.cause
    )


def test_only_wrong_settings_are_named():
    fix = diagnose(evidence(failure("html_cached"), config={"bypassHeadRequests": False})).fix
    assert "set bypassHeadRequests to true. Then delete lodash/-/lodash-4.17.21.tgz from cgr-npm-cache" in fix


def test_redirect_settings_do_not_matter_for_packages_that_are_not_redirected():
    config = {"packageType": "alpine", "bypassHeadRequests": False}
    assert diagnose(evidence(NOT_FOUND, **AVAILABLE, config=config, package_type="alpine")).code == "negative_cache"


def test_a_feed_url_with_and_without_its_index_is_the_same():
    url = "https://libraries.example.net/dotnet/v3/index.json"
    case = evidence(
        NOT_FOUND,
        config={"packageType": "nuget", "url": url},
        package_type="nuget",
        upstream=AVAILABLE["upstream"],
        upstream_url=url.removesuffix("/index.json"),
    )
    assert diagnose(case).code == "negative_cache"
    settings = {**case.settings, "url": "https://libraries.example.net/dotnet/", "v3FeedUrl": url}
    case = dataclasses.replace(case, config=RepositoryConfig("read", settings))
    assert diagnose(case).code == "negative_cache"


def test_an_outdated_index_is_explained():
    assert "7200 seconds" in OUTDATED.diagnose(evidence(config={})).cause
