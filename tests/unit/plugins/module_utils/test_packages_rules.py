# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.cgr.pull_through.plugins.module_utils._packages._rules import (
    OUTDATED,
    RULES,
    Evidence,
    diagnose,
)

MISSING = {"problem": "refused", "status": 404, "response_message": "Could not find resource"}
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
FOUND = {"upstream": "found", "upstream_url": "https://libraries.example.net/javascript"}


def evidence(*parts, config=None, **details):
    """Return evidence about one artifact; config: what differs from a good configuration, if it is known."""
    known = {} if config is None else {"config_state": "known", "config": {**CONFIG, **config}}
    about = {
        "stage": "file",
        "problem": "other",
        "requested_reference": "lodash@4.17.21",
        "host": "artifactory.example.com",
        "error_host": "artifactory.example.com",
        "repository": "cgr-npm",
        "wanted": "npm",
        "path": "lodash/-/lodash-4.17.21.tgz",
        "upstream_host": "libraries.example.net",
    }
    for part in (*parts, known, details):
        about.update(part)
    return Evidence(**about)


def refused(status, response_message="no", **details):
    return evidence(problem="refused", status=status, response_message=response_message, **details)


def unanswered(message, **details):
    return evidence(problem="unanswered", message=message, **details)


def answered_upstream(status, **details):
    return evidence(MISSING, config={}, upstream="refused", upstream_status=status, upstream_message="no", **details)


CASES = [
    (
        "upstream_checksum_mismatch",
        evidence(problem="upstream_checksum_mismatch", stage="upstream", message="x has another checksum."),
    ),
    ("upstream_unreachable", unanswered("refuses the connection.", stage="upstream")),
    ("upstream_unauthenticated", refused(403, stage="upstream", upstream_anonymous=True)),
    ("upstream_credentials_rejected", refused(401, stage="upstream")),
    ("upstream_gone", refused(404, stage="upstream")),
    ("upstream_gone", evidence(problem="version", stage="upstream", message="none")),
    ("upstream_failed", refused(500, stage="upstream")),
    ("upstream_failed", evidence(problem="html", stage="upstream", message="a web page.")),
    ("storage_unreachable", unanswered("no answer.", error_host="storage.example.org")),
    ("tls", unanswered("the TLS certificate of artifactory.example.com is not trusted.")),
    ("client_certificate", refused(400, "an HTML page titled '400 No required SSL certificate was sent'", html=True)),
    ("name_resolution", unanswered("the name of artifactory.example.com cannot be resolved.")),
    ("unreachable", unanswered("artifactory.example.com refuses the connection.")),
    ("redirect_rejected", refused(302, "a redirect to http://elsewhere: that is not encrypted")),
    ("bypasses_artifactory", evidence(problem="elsewhere", message="the index leads to https://elsewhere.")),
    ("redirect_cached", evidence(problem="kept_html", config={"disableUrlNormalization": False})),
    ("redirect_cached", evidence(problem="html", config={"blockMismatchingMimeTypes": True})),
    ("html_cached", evidence(problem="kept_html", config={})),
    ("html_cached", evidence(problem="kept_html")),
    ("html_response", evidence(problem="html")),
    ("html_response", refused(404, "an HTML page", html=True)),
    ("content_mismatch", evidence(problem="digest", message="x does not have the sha1.")),
    ("content_mismatch", evidence(problem="size")),
    ("content_mismatch", evidence(problem="content")),
    ("mime_blocked", refused(409, "Mismatching mime types found in request", config={})),
    ("upstream_credentials", refused(400, "Invalid username/password configured for Remote repository: x")),
    ("policy", refused(403, "was not downloaded due to the download blocking policy configured in Xray for x")),
    ("assumed_offline", refused(404, "cgr-npm: is assumed offline, 'x' is not found at 'x'")),
    ("duplicate_credentials", refused(400, "Only one auth mechanism allowed")),
    ("unauthenticated", refused(401, anonymous=True)),
    ("credentials_rejected", refused(401)),
    ("delete_denied", refused(403, method="DELETE", stage="from_upstream")),
    ("deploy_cache_denied", refused(403, "User u is not permitted to deploy 'p' into 'cgr-npm-cache:p'")),
    ("deploy_cache_denied", refused(403, stage="from_upstream")),
    ("repository_missing", evidence(MISSING, config_state="missing")),
    ("repository_type", evidence(MISSING, config={"packageType": "maven"})),
    ("blacked_out", evidence(MISSING, config={"blackedOut": True})),
    ("offline", evidence(MISSING, config={"offline": True})),
    ("blocked", answered_upstream(409)),
    ("blocked", evidence(answered_upstream(403).__dict__, upstream_message="POLICY_BLOCKED: this version is blocked")),
    ("upstream_credentials_rejected", answered_upstream(401)),
    ("upstream_access_denied", answered_upstream(403)),
    (
        "repository_credentials_missing",
        evidence(MISSING, config={"username": ""}, upstream="refused", upstream_status=401, upstream_anonymous=True),
    ),
    ("upstream_not_found", answered_upstream(404)),
    ("upstream_url_mismatch", evidence(MISSING, FOUND, config={"url": "https://libraries.example.net/java/"})),
    (
        "upstream_url_mismatch",
        evidence(
            MISSING,
            config={"packageType": "pypi", "pyPIRegistryUrl": "https://libraries.example.net"},
            wanted="pypi",
            upstream="found",
            upstream_url="https://libraries.example.net/python/simple",
        ),
    ),
    ("forbidden", refused(403, "forbidden for user", config={})),
    ("credentials_forwarded", evidence(MISSING, FOUND, config={"allowAnyHostAuth": True})),
    ("redirect_settings", evidence(MISSING, FOUND, config={"bypassHeadRequests": False})),
    ("repository_credentials_missing", evidence(MISSING, FOUND, config={"username": ""})),
    ("negative_cache", evidence(MISSING, FOUND, config={})),
    ("negative_cache", evidence(MISSING, FOUND, config={"url": "https://mirror.example.org/javascript"})),
    (
        "served_from_cache",
        evidence(problem="served_from_cache", stage="from_upstream", message="All of it was cached already."),
    ),
    ("masked_by_cache", evidence(MISSING, config={}, stage="from_upstream")),
    ("outdated_index", evidence(FOUND, problem="version", missing="2.0", found="1.0", stage="index")),
    ("version_missing", evidence(problem="version", missing="2.0", found="1.0", stage="index")),
    ("rate_limited", refused(429, config={"offline": True})),
    ("server_error", refused(502, "Bad Gateway", config={"offline": True})),
    ("upstream_fetch_failed", evidence(MISSING, config={})),
    ("upstream_fetch_failed", evidence(MISSING, config={"bypassHeadRequests": False})),
    ("blocked", refused(409, "MALWARE_DETECTED", config={})),
    ("not_found", evidence(MISSING)),
    ("not_found", evidence(MISSING, config_state="unreadable")),
    ("failed", refused(418, "teapot", message="status 418, the service said: teapot.")),
]


@pytest.mark.parametrize(
    ("code", "known"), CASES, ids=[f"{number}-{code}" for number, (code, _known) in enumerate(CASES)]
)
def test_the_cause_is_found(code, known):
    found = diagnose(known)
    assert found.code == code
    for sentence in filter(None, (found.cause, found.fix)):
        assert sentence[-1] in ".!?" and "{" not in sentence and "  " not in sentence and ".." not in sentence
    assert found.cause


def test_each_rule_has_a_case():
    assert [rule.code for rule in RULES if rule.code not in {code for code, _known in CASES}] == []


def test_only_wrong_settings_are_named():
    fix = diagnose(evidence(problem="kept_html", config={"bypassHeadRequests": False})).fix
    assert "set bypassHeadRequests to true. Then delete lodash/-/lodash-4.17.21.tgz from cgr-npm-cache" in fix


def test_settings_for_redirects_are_not_asked_of_packages_that_are_not_redirected():
    known = evidence(MISSING, FOUND, config={"packageType": "alpine", "bypassHeadRequests": False}, wanted="alpine")
    assert diagnose(known).code == "negative_cache"


def test_a_feed_with_and_without_its_index_is_the_same():
    url = "https://libraries.example.net/dotnet/v3/index.json"
    known = evidence(MISSING, config={"packageType": "nuget", "url": url}, wanted="nuget")
    direct = {"upstream": "found", "upstream_url": url.removesuffix("/index.json")}
    assert diagnose(Evidence(**{**vars(known), **direct})).code == "negative_cache"
    settings = {**known.config, "url": "https://libraries.example.net/dotnet/", "v3FeedUrl": url}
    assert diagnose(Evidence(**{**vars(known), **direct, "config": settings})).code == "negative_cache"


def test_an_older_index_is_explained():
    assert "7200 seconds" in OUTDATED.diagnosis(evidence(config={})).cause
