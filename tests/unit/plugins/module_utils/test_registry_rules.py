# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
import requests
from rule_checks import assert_is_text, movable_rules, untested_rules

from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repository_config import RepositoryConfig
from ansible_collections.cgr.pull_through.plugins.module_utils._connection_errors import explain_exception
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._pull_errors import diagnose_error
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._pull_rules import (
    Failure,
    UpstreamResponse,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import RequestError, TransportError
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._rules import (
    OUTDATED,
    RULES,
    ImageEvidence,
    diagnose,
)

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


def failure(problem, message="", **details):
    return Failure(problem, message, **{"host": "artifactory.example.com", **details})


def response(status, response_message="no", **details):
    return failure("error_response", status=status, response_message=response_message, **details)


def upstream(status, **details):
    return UpstreamResponse("error_response", "cgr.dev", status=status, message="no such thing", **details)


# The response of Artifactory for everything that it could not fetch.
NOT_KNOWN = response(404, "The named manifest is not known to the registry.")
AVAILABLE = UpstreamResponse("available", "cgr.dev")


def evidence(failed=Failure(), *, config=None, **details):
    """Return evidence about one image. config: what differs from a good configuration, or another state of it."""
    if isinstance(config, dict):
        config = RepositoryConfig("read", {**CONFIG, **config})
    defaults = {
        "stage": "manifest",
        "image": "example.com/nginx",
        "manifest_paths": ["example.com/nginx/1/list.manifest.json", "example.com/nginx/1/manifest.json"],
        "requested_reference": "example.com/nginx:1",
        "host": "artifactory.example.com",
        "repository": "cgr-private",
        "config": config or RepositoryConfig(),
        "upstream": UpstreamResponse(host="cgr.dev"),
    }
    return ImageEvidence(failure=failed, **{**defaults, **details})


ANONYMOUS_UPSTREAM = UpstreamResponse(host="cgr.dev", anonymous=True)
STORAGE = "r2.example.net"
REJECTED_BY_REMOTE = (
    "Invalid username/password configured for Remote Docker repository: cgr-private: Error in getting "
    "information (java.lang.IllegalStateException: Can't fetch token for repo: cgr-private)"
)

CASES = [
    (
        "platform_missing",
        evidence(failure("platform_missing"), missing_platforms="linux/arm64", available_platforms="linux/amd64"),
    ),
    ("platform_missing", evidence(failure("platform_missing"), stage="from_upstream", missing_platforms="x/y")),
    ("upstream_unreachable", evidence(failure("no_response", "It refuses the connection."), stage="upstream")),
    ("upstream_unauthenticated", evidence(response(401), stage="upstream", upstream=ANONYMOUS_UPSTREAM)),
    ("upstream_credentials_rejected", evidence(response(403), stage="upstream")),
    ("upstream_gone", evidence(response(404), stage="upstream")),
    ("upstream_failed", evidence(response(500), stage="upstream")),
    ("blob_host_unreachable", evidence(failure("no_response", "No response.", host=STORAGE), stage="blob")),
    ("tls", evidence(failure("no_response", "the TLS certificate of artifactory.example.com is not trusted."))),
    ("tls", evidence(failure("no_response", "no TLS connection to artifactory.example.com."))),
    (
        "client_certificate",
        evidence(response(400, "an HTML page titled '400 No required SSL certificate was sent'", is_html=True)),
    ),
    ("name_resolution", evidence(failure("no_response", "the name of artifactory.example.com cannot be resolved."))),
    ("unreachable", evidence(failure("no_response", "artifactory.example.com refuses the connection."))),
    ("unreachable", evidence(failure("no_response", "The connection was closed."), stage="blob")),
    ("unreachable", evidence(failure("no_response", "The connection was closed."), stage="from_upstream")),
    ("blob_host_denied", evidence(response(403, "<?xml?><Code>AccessDenied</Code>", host=STORAGE), stage="blob")),
    ("credentials_withheld", evidence(response(401, "another host", code="CREDENTIALS_WITHHELD"))),
    ("redirect_rejected", evidence(response(302, "a redirect to http://elsewhere: it is not encrypted"))),
    ("redirect_rejected", evidence(response(302, "a redirect to http://elsewhere"), stage="pinned")),
    ("html_from_upstream", evidence(failure("html"), config={"blockMismatchingMimeTypes": False})),
    ("not_a_registry", evidence(failure("html"), config={})),
    ("not_a_registry", evidence(response(404, "an HTML page", is_html=True))),
    ("not_a_registry", evidence(response(401, "an HTML page", is_html=True))),
    ("schema1", evidence(failure("schema1"))),
    ("schema1", evidence(failure("schema1"), stage="pinned")),
    ("content_mismatch", evidence(failure("digest", "the blob does not have the digest."))),
    ("content_mismatch", evidence(failure("size"))),
    ("content_mismatch", evidence(failure("content"), stage="outdated")),
    ("upstream_credentials", evidence(response(404, REJECTED_BY_REMOTE), config={"offline": True})),
    ("policy", evidence(response(403, "not downloaded due to the download blocking policy configured in Xray for x"))),
    ("storage_full", evidence(response(507, "Storage limit exceeded"))),
    ("mime_blocked", evidence(response(409, "Mismatching mime types found in request"), stage="pinned")),
    ("reverse_proxy", evidence(response(400, "Unsupported docker v2 repository request for 'null'"))),
    (
        "reverse_proxy",
        evidence(
            response(400, "Unsupported docker v2 repository request for 'null'"), config=RepositoryConfig("missing")
        ),
    ),
    ("upstream_misconfigured", evidence(response(403, "Upstream repository is not configured properly"))),
    ("assumed_offline", evidence(response(404, "cgr-private: is assumed offline, 'x' is not found at 'x'"))),
    ("unauthenticated", evidence(response(401), anonymous=True)),
    ("unauthenticated", evidence(response(403, is_token_service=True), anonymous=True)),
    ("credentials_rejected", evidence(response(401, "Bad Credentials"))),
    ("credentials_rejected", evidence(response(401, "Bad Credentials"), stage="blob")),
    ("credentials_rejected", evidence(response(403, "Forbidden", is_token_service=True))),
    (
        "deploy_cache_denied",
        evidence(response(403, "User u is not permitted to deploy 'p' into 'cgr-private-cache:p'")),
    ),
    ("deploy_cache_denied", evidence(response(403, "forbidden for user"), stage="from_upstream")),
    ("repository_missing", evidence(NOT_KNOWN, config=RepositoryConfig("missing"))),
    ("repository_type", evidence(NOT_KNOWN, config={"packageType": "maven"})),
    ("blacked_out", evidence(NOT_KNOWN, config={"blackedOut": True})),
    ("offline", evidence(NOT_KNOWN, config={"offline": True})),
    ("url_has_path", evidence(NOT_KNOWN, config={"url": "https://cgr.dev/example.com/"})),
    ("token_authentication_off", evidence(NOT_KNOWN, config={"enableTokenAuthentication": False})),
    (
        "token_authentication_off",
        evidence(NOT_KNOWN, config={"enableTokenAuthentication": False}, stage="from_upstream"),
    ),
    ("excluded_by_pattern", evidence(NOT_KNOWN, config={"includesPattern": "chainguard/**, other/**"})),
    ("excluded_by_pattern", evidence(NOT_KNOWN, config={"includesPattern": "*/nginx/*.json"})),
    ("excluded_by_pattern", evidence(NOT_KNOWN, config={"excludesPattern": "example.com/**"})),
    ("excluded_by_pattern", evidence(NOT_KNOWN, config={"excludesPattern": "**/nginx/1/"})),
    ("project_prefix_doubled", evidence(NOT_KNOWN, config={"dockerProjectId": "example.com"})),
    (
        "forbidden",
        evidence(response(403, "Download request for repo:path is forbidden for user: 'token:u'"), config={}),
    ),
    ("forbidden", evidence(response(403), repository="", host="cgr.dev")),
    ("forbidden", evidence(response(403), config={}, upstream=AVAILABLE)),
    (
        "repository_credentials_missing",
        evidence(NOT_KNOWN, config={"username": ""}, upstream=upstream(401, anonymous=True)),
    ),
    *(
        (
            code,
            evidence(
                NOT_KNOWN,
                config={},
                image="chainguard/go",
                requested_reference=f"chainguard/go{tag}",
                upstream=upstream(404, anonymous=True),
            ),
        )
        for code, tag in (
            ("tag_requires_pull_token", ":1.25"),
            ("upstream_not_found", ""),
            ("upstream_not_found", ":latest-dev"),
            ("upstream_not_found", f"@sha256:{'0' * 64}"),
        )
    ),
    ("upstream_not_found", evidence(NOT_KNOWN, config={}, upstream=upstream(404))),
    ("upstream_access_denied", evidence(NOT_KNOWN, config={}, upstream=upstream(403))),
    ("negative_cache", evidence(NOT_KNOWN, config={}, upstream=AVAILABLE)),
    ("negative_cache", evidence(NOT_KNOWN, upstream=AVAILABLE)),
    ("served_from_cache", evidence(failure("served_from_cache", "All of it was cached."), stage="from_upstream")),
    ("masked_by_cache", evidence(NOT_KNOWN, config={}, stage="outdated", upstream=AVAILABLE)),
    ("masked_by_cache", evidence(NOT_KNOWN, config={}, stage="from_upstream")),
    ("pinned_missing", evidence(NOT_KNOWN, stage="pinned")),
    ("upstream_storage_unreachable", evidence(NOT_KNOWN, config={}, stage="blob")),
    ("upstream_fetch_failed", evidence(NOT_KNOWN, config={})),
    ("upstream_fetch_failed", evidence(NOT_KNOWN, config={}, upstream=upstream(401, anonymous=True))),
    ("server_error", evidence(response(502, "an HTML page titled '502 Bad Gateway'", is_html=True))),
    ("rate_limited", evidence(response(429), config={"offline": True})),
    ("server_error", evidence(response(502, "Bad Gateway"), config={"offline": True})),
    ("not_found", evidence(NOT_KNOWN)),
    ("not_found", evidence(NOT_KNOWN, config=RepositoryConfig("unreadable"))),
    ("not_found", evidence(NOT_KNOWN, repository="")),
    ("unknown_error", evidence(response(418, "teapot", message="status 418: teapot."))),
]

# No later rule but the fallback applies where these do.
INDEPENDENT = ["rate_limited", "server_error", "not_found"]


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
    ("exception", "code"),
    [
        (requests.exceptions.SSLError("CERTIFICATE_VERIFY_FAILED"), "tls"),
        (requests.exceptions.SSLError("TLSV13_ALERT_CERTIFICATE_REQUIRED"), "tls"),
        (requests.exceptions.SSLError("SSLV3_ALERT_BAD_CERTIFICATE"), "tls"),
        (requests.exceptions.SSLError("WRONG_VERSION_NUMBER"), "tls"),
        (requests.exceptions.ConnectionError("Name or service not known"), "name_resolution"),
        (requests.exceptions.ConnectionError("Connection refused"), "unreachable"),
        (requests.exceptions.ReadTimeout("timed out"), "unreachable"),
    ],
)
def test_each_connection_failure_has_its_code(monkeypatch, exception, code):
    monkeypatch.setenv("NO_PROXY", "*")
    url = "https://artifactory.example.com/v2/"
    failed = explain_exception(exception, url)
    error = TransportError(failed.message, method="GET", url=url, hint=failed.hint)
    assert diagnose(evidence(Failure.from_error(error))).code == code


@pytest.mark.parametrize(
    "config",
    [
        {"url": "https://other.example.com/artifactory/api/docker/cgr"},
        {"includesPattern": ""},
        {"includesPattern": None, "excludesPattern": ""},
        {"includesPattern": "example.com/**"},
        {"includesPattern": "example.com/*/1/*"},
        {"excludesPattern": "chainguard/**"},
        {"excludesPattern": "*/manifest.json, **/latest/**"},
        {"dockerProjectId": "chainguard"},
        {"packageType": "helmoci"},
    ],
)
def test_a_good_configuration_is_not_blamed(config):
    assert diagnose(evidence(NOT_KNOWN, config=config)).code == "upstream_fetch_failed"


def test_what_a_reader_may_not_see_is_not_taken_for_unset():
    visible = {"key": "cgr-private", "rclass": "remote", "packageType": "docker", "url": "https://cgr.dev/"}
    case = evidence(NOT_KNOWN, config=RepositoryConfig("read", visible), upstream=upstream(401, anonymous=True))
    assert diagnose(case).code == "upstream_fetch_failed"


def test_the_sentences_name_locations_and_times():
    diagnosis = diagnose(evidence(NOT_KNOWN, config={}, upstream=AVAILABLE))
    assert "600 seconds" in diagnosis.cause and "cgr.dev has the image" in diagnosis.cause
    assert "expire the cache of cgr-private" in diagnosis.fix and "wait 600 seconds" in diagnosis.fix


def test_messages_with_braces_are_kept():
    assert '{"errors": []}' in diagnose(evidence(response(401, '{"errors": []}'))).cause


@pytest.mark.parametrize(
    ("config", "text"), [({}, "7200 seconds"), (None, "the period set as retrievalCachePeriodSecs")]
)
def test_an_outdated_tag_is_explained(config, text):
    assert text in OUTDATED.diagnose(evidence(config=config)).cause


def test_a_bug_in_the_diagnosis_leaves_the_error_of_the_pull():
    def diagnose(_error):
        raise KeyError("missing")

    diagnosis = diagnose_error(RequestError("x", method="GET", url="https://a"), diagnose)
    assert (diagnosis.code, diagnosis.certainty) == ("unknown_error", "possible")
    assert "bug in cgr.pull_through: KeyError" in diagnosis.cause and "missing" not in diagnosis.cause
