# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.cgr.pull_through.plugins.module_utils._registry._rules import (
    OUTDATED,
    RULES,
    Evidence,
    diagnose,
)

# What Artifactory says for everything that it did not get.
UNKNOWN = {"problem": "refused", "status": 404, "response_message": "The named manifest is not known to the registry."}
CONFIG = {
    "rclass": "remote",
    "packageType": "docker",
    "url": "https://cgr.dev/",
    "enableTokenAuthentication": True,
    "blockMismatchingMimeTypes": True,
    "includesPattern": "**/*",
    "username": "org/identity",
    "missedRetrievalCachePeriodSecs": 600,
    "retrievalCachePeriodSecs": 7200,
}
NOT_UPSTREAM = {"upstream": "refused", "upstream_status": 404, "upstream_message": "no such thing"}


def evidence(*parts, config=None, **details):
    """Return evidence about one image; config: what differs from a good configuration, if it is known."""
    known = {} if config is None else {"config_state": "known", "config": {**CONFIG, **config}}
    about = {
        "stage": "manifest",
        "problem": "other",
        "image": "example.com/nginx",
        "requested_reference": "example.com/nginx:1",
        "host": "artifactory.example.com",
        "error_host": "artifactory.example.com",
        "repository": "cgr-private",
        "upstream_host": "cgr.dev",
    }
    for part in (*parts, known, details):
        about.update(part)
    return Evidence(**about)


def refused(status, response_message="no", **details):
    return evidence(problem="refused", status=status, response_message=response_message, **details)


def unanswered(message, **details):
    return evidence(problem="unanswered", message=message, **details)


CASES = [
    ("platform_missing", evidence(problem="platform", missing="linux/arm64", found="linux/amd64")),
    ("upstream_unreachable", unanswered("refuses the connection.", stage="upstream")),
    ("upstream_unauthenticated", refused(401, stage="upstream", upstream_anonymous=True)),
    ("upstream_credentials_rejected", refused(403, stage="upstream")),
    ("upstream_gone", refused(404, stage="upstream")),
    ("upstream_failed", refused(500, stage="upstream")),
    ("blob_host_unreachable", unanswered("no answer.", stage="blob", error_host="r2.example.net")),
    ("tls", unanswered("the TLS certificate of artifactory.example.com is not trusted.")),
    ("tls", unanswered("no TLS connection to artifactory.example.com.")),
    ("client_certificate", refused(400, "an HTML page titled '400 No required SSL certificate was sent'", html=True)),
    ("name_resolution", unanswered("the name of artifactory.example.com cannot be resolved.")),
    ("unreachable", unanswered("artifactory.example.com refuses the connection.")),
    ("unreachable", unanswered("cut.", stage="blob")),
    ("blob_host_denied", refused(403, "<?xml?><Code>AccessDenied</Code>", stage="blob", error_host="r2.example.net")),
    ("redirect_rejected", refused(302, "a redirect to http://elsewhere: that is not encrypted")),
    ("html_from_upstream", evidence(problem="html", config={"blockMismatchingMimeTypes": False})),
    ("not_a_registry", evidence(problem="html", config={})),
    ("not_a_registry", refused(404, "an HTML page", html=True)),
    ("not_a_registry", refused(401, "an HTML page", html=True)),
    ("schema1", evidence(problem="schema1")),
    ("content_mismatch", evidence(problem="digest", message="the blob does not have the digest.")),
    ("content_mismatch", evidence(problem="size")),
    ("content_mismatch", evidence(problem="content")),
    (
        "upstream_credentials",
        refused(
            404,
            "Invalid username/password configured for Remote Docker repository: cgr-private: Error in getting "
            "information (java.lang.IllegalStateException: Can't fetch token for repo: cgr-private)",
            config={"offline": True},
        ),
    ),
    ("policy", refused(403, "was not downloaded due to the download blocking policy configured in Xray for x")),
    ("mime_blocked", refused(409, "Mismatching mime types found in request")),
    ("reverse_proxy", refused(400, "Unsupported docker v2 repository request for 'null'")),
    ("upstream_misconfigured", refused(403, "Upstream repository is not configured properly")),
    ("assumed_offline", refused(404, "cgr-private: is assumed offline, 'x' is not found at 'x'")),
    ("unauthenticated", refused(401, anonymous=True)),
    ("unauthenticated", refused(403, anonymous=True, by_token_service=True)),
    ("credentials_rejected", refused(401, "Bad Credentials")),
    ("credentials_rejected", refused(401, "Bad Credentials", stage="blob")),
    ("credentials_rejected", refused(403, "Forbidden", by_token_service=True)),
    ("delete_denied", refused(403, method="DELETE", stage="from_upstream")),
    ("deploy_cache_denied", refused(403, "User u is not permitted to deploy 'p' into 'cgr-private-cache:p'")),
    ("deploy_cache_denied", refused(403, "forbidden for user", stage="from_upstream")),
    ("repository_missing", evidence(UNKNOWN, config_state="missing")),
    ("repository_type", evidence(UNKNOWN, config={"packageType": "maven"})),
    ("blacked_out", evidence(UNKNOWN, config={"blackedOut": True})),
    ("offline", evidence(UNKNOWN, config={"offline": True})),
    ("url_has_path", evidence(UNKNOWN, config={"url": "https://cgr.dev/example.com/"})),
    ("token_authentication_off", evidence(UNKNOWN, config={"enableTokenAuthentication": False})),
    ("token_authentication_off", evidence(UNKNOWN, config={"enableTokenAuthentication": False}, stage="from_upstream")),
    ("excluded_by_pattern", evidence(UNKNOWN, config={"includesPattern": "chainguard/**, other/**"})),
    ("excluded_by_pattern", evidence(UNKNOWN, config={"excludesPattern": "example.com/**"})),
    ("project_prefix_doubled", evidence(UNKNOWN, config={"dockerProjectId": "example.com"})),
    ("forbidden", refused(403, "Download request for repo:path is forbidden for user: 'token:u'", config={})),
    ("forbidden", refused(403, repository="", host="cgr.dev")),
    (
        "repository_credentials_missing",
        evidence(UNKNOWN, config={"username": ""}, upstream="refused", upstream_status=401, upstream_anonymous=True),
    ),
    ("upstream_not_found", evidence(UNKNOWN, NOT_UPSTREAM, config={})),
    ("upstream_access_denied", evidence(UNKNOWN, NOT_UPSTREAM, config={}, upstream_status=403)),
    ("negative_cache", evidence(UNKNOWN, config={}, upstream="found")),
    ("negative_cache", evidence(UNKNOWN, upstream="found")),
    (
        "served_from_cache",
        evidence(problem="served_from_cache", stage="from_upstream", message="All of it was cached already."),
    ),
    ("masked_by_cache", evidence(UNKNOWN, config={}, stage="outdated", upstream="found")),
    ("masked_by_cache", evidence(UNKNOWN, config={}, stage="from_upstream")),
    ("pinned_missing", evidence(UNKNOWN, stage="pinned")),
    ("upstream_fetch_failed", evidence(UNKNOWN, config={})),
    (
        "upstream_fetch_failed",
        evidence(UNKNOWN, config={}, upstream="refused", upstream_status=401, upstream_anonymous=True),
    ),
    ("server_error", refused(502, "an HTML page titled '502 Bad Gateway'", html=True)),
    ("rate_limited", refused(429, config={"offline": True})),
    ("server_error", refused(502, "Bad Gateway", config={"offline": True})),
    ("not_found", evidence(UNKNOWN)),
    ("not_found", evidence(UNKNOWN, config_state="unreadable")),
    ("not_found", evidence(UNKNOWN, repository="")),
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


@pytest.mark.parametrize(
    "config",
    [
        {"url": "https://other.example.com/artifactory/api/docker/cgr"},
        {"includesPattern": ""},
        {"includesPattern": None, "excludesPattern": ""},
        {"includesPattern": "example.com/**"},
        {"excludesPattern": "chainguard/**"},
        {"dockerProjectId": "chainguard"},
        {"packageType": "helmoci"},
    ],
)
def test_a_good_configuration_is_not_blamed(config):
    assert diagnose(evidence(UNKNOWN, config=config)).code == "upstream_fetch_failed"


def test_what_a_reader_may_not_see_is_not_taken_for_unset():
    partly = {"key": "cgr-private", "rclass": "remote", "packageType": "docker", "url": "https://cgr.dev/"}
    known = evidence(UNKNOWN, config_state="known", upstream="refused", upstream_status=401, upstream_anonymous=True)
    assert diagnose(Evidence(**{**vars(known), "config": partly})).code == "upstream_fetch_failed"


def test_the_words_name_places_and_times():
    found = diagnose(evidence(UNKNOWN, config={}, upstream="found"))
    assert "600 seconds" in found.cause and "cgr.dev has the image" in found.cause
    assert "expire the cache of cgr-private" in found.fix and "wait 600 seconds" in found.fix


def test_words_with_braces_are_kept():
    assert '{"errors": []}' in diagnose(refused(401, '{"errors": []}')).cause


@pytest.mark.parametrize(
    ("config", "words"), [({}, "7200 seconds"), (None, "the time set as retrievalCachePeriodSecs")]
)
def test_a_stale_tag_is_explained(config, words):
    assert words in OUTDATED.diagnosis(evidence(config=config)).cause
