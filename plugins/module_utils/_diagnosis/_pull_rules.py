# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Diagnosis of failed downloads: evidence, and the rules that images and artifacts share. Private to the collection.

Artifactory returns the same 404 for most causes. Other evidence tells them apart: the configuration of the repository
and the response of the upstream. No rule repeats the failed request, because Artifactory would respond from its
negative cache.

To add a cause, add a rule. The first rule that applies wins, so put specific rules before general ones, and update
docs/diagnosis-codes.md with tests/tools/diagnosis_codes.py.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t
from urllib.parse import urlsplit

from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repository_config import RepositoryConfig
from ansible_collections.cgr.pull_through.plugins.module_utils._cache_probe import NotFromUpstreamError
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._ant_patterns import is_accepted
from ansible_collections.cgr.pull_through.plugins.module_utils._download_errors import DownloadError
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import (
    ContentProblem,
    HTTPStatusError,
    InvalidContentError,
    PullThroughError,
    RequestError,
    Stage,
    TransportError,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._rate_limit import LimitExceededError
from ansible_collections.cgr.pull_through.plugins.module_utils._trace import Step, Trace

# known: the evidence shows the cause. likely, possible: other causes have the same evidence.
Certainty = t.Literal["known", "likely", "possible"]

# What is wrong with a download. A ContentProblem is the reason of an InvalidContentError.
DownloadProblem = t.Literal[
    "other",
    "error_response",
    "no_response",
    "served_from_cache",
    "platform_missing",
    "version_missing",
    "upstream_checksum_mismatch",
]

UpstreamState = t.Literal["not_queried", "available", "error_response", "failed"]


@dataclasses.dataclass(frozen=True)
class Failure:
    """What an error says about a failed download. host: the server that the failed request went to."""

    problem: ContentProblem | DownloadProblem = "other"
    message: str = ""
    hint: str = ""
    method: str = "GET"
    host: str = ""
    status: int = 0
    response_message: str = ""
    code: str = ""
    is_html: bool = False
    is_token_service: bool = False

    @classmethod
    def from_error(cls, error: PullThroughError, problem: ContentProblem | DownloadProblem = "other") -> Failure:
        """Return what the error says. problem: for errors that only the caller can classify."""
        failure = cls(problem, error.message, error.hint)
        if isinstance(error, RequestError):
            # The URL is in the error's details; a diagnosis names hosts only.
            message = error.message.removeprefix(f"{error.method} {error.url}: ")
            failure = dataclasses.replace(
                failure, message=message, method=error.method, host=urlsplit(error.url).netloc
            )
        if isinstance(error, HTTPStatusError):
            failure = dataclasses.replace(
                failure, problem="error_response", status=error.status, response_message=error.response_message
            )
        if isinstance(error, DownloadError):
            return dataclasses.replace(
                failure, code=error.code, is_html=error.html, is_token_service=error.by_token_service
            )
        if isinstance(error, InvalidContentError):
            return dataclasses.replace(failure, problem=error.reason)
        if isinstance(error, TransportError):
            return dataclasses.replace(failure, problem="no_response")
        if isinstance(error, NotFromUpstreamError):
            return dataclasses.replace(failure, problem="served_from_cache")
        return failure


@dataclasses.dataclass(frozen=True)
class UpstreamResponse:
    """The response of the upstream to the same request. status, message and code: of an error response."""

    state: UpstreamState = "not_queried"
    host: str = ""
    anonymous: bool = False
    status: int = 0
    message: str = ""
    code: str = ""

    @classmethod
    def from_query(
        cls, host: str, *, anonymous: bool, available: bool, error: PullThroughError | None
    ) -> UpstreamResponse:
        """Return the response to a query. Without an error, and if not available, the upstream was not queried."""
        if available:
            return cls("available", host, anonymous)
        if isinstance(error, HTTPStatusError):
            code = error.code if isinstance(error, DownloadError) else ""
            return cls("error_response", host, anonymous, error.status, error.response_message, code)
        return cls("not_queried" if error is None else "failed", host, anonymous)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evidence:
    """What is known about one download.

    stage: the step that failed. requested_reference: as the user wrote it. host, repository: the origin of the
    download; repository is empty without Artifactory. anonymous: whether the requests had no credentials. trace: of the
    download of something else that is not cached. server_version: of Artifactory; empty if it is not known.
    """

    stage: Stage
    requested_reference: str
    host: str
    repository: str = ""
    anonymous: bool = False
    failure: Failure = Failure()
    config: RepositoryConfig = RepositoryConfig()
    upstream: UpstreamResponse = UpstreamResponse()
    trace: Trace = Trace()
    server_version: str = ""

    @property
    def location(self) -> str:
        """The key of the repository, or the host of another server."""
        return self.repository or self.host

    @property
    def settings(self) -> t.Mapping[str, t.Any]:
        """The settings of the repository, by Artifactory's names."""
        return self.config.settings

    @property
    def repository_type(self) -> str:
        """The package type of the repository, in lower case; empty if it is not known."""
        return str(self.settings.get("packageType", "")).lower()

    @property
    def remote_url(self) -> str:
        """The URL that the repository fetches from."""
        return str(self.settings.get("url", ""))

    def is_excluded(self, paths: t.Collection[str]) -> bool:
        """Return whether the patterns of the repository exclude all these paths in its cache. False without paths."""
        included, excluded = (str(self.settings.get(name) or "") for name in ("includesPattern", "excludesPattern"))
        return bool(paths) and not any(is_accepted(path, included, excluded) for path in paths)

    def is_server_before(self, *version: int) -> bool:
        """Return whether Artifactory has an earlier version. False if that is not known."""
        return bool(self.server_version) and tuple(map(int, re.findall(r"\d+", self.server_version))) < version

    @property
    def negative_cache_period(self) -> str:
        """How long Artifactory caches that something was not found."""
        return f"{self.settings.get('missedRetrievalCachePeriodSecs', 1800)} seconds"

    @property
    def metadata_cache_period(self) -> str:
        """How long Artifactory serves tags and indexes from its cache before it checks the upstream."""
        seconds = self.settings.get("retrievalCachePeriodSecs")
        if seconds is None:
            return "the period set as retrievalCachePeriodSecs"
        return f"{seconds} seconds (retrievalCachePeriodSecs)"

    @property
    def expire_text(self) -> str:
        """How to clear the negative cache, as a part of a sentence."""
        # Artifactory before 7.49.3 has no such request.
        module = "" if self.is_server_before(7, 49, 3) else "with cgr.pull_through.artifactory_repository_cache or "
        return (
            f"expire the cache of {self.repository} ({module}with Zap Caches in the UI; "
            f"{'this requires' if not module else 'both require'} Manage or Delete), or wait {self.negative_cache_period}"
        )


EvidenceT = t.TypeVar("EvidenceT", bound=Evidence)
# A rule for any evidence is also a rule for the evidence of images.
EvidenceT_contra = t.TypeVar("EvidenceT_contra", bound=Evidence, contravariant=True)
Condition = t.Callable[[EvidenceT], bool]


@dataclasses.dataclass(frozen=True)
class Diagnosis:
    """code: stable and machine-readable. cause, fix: sentences."""

    code: str
    cause: str
    fix: str
    certainty: Certainty = "known"


@dataclasses.dataclass(frozen=True)
class Rule(t.Generic[EvidenceT_contra]):
    """A cause and when it applies. cause and fix are format strings over e (the evidence), its failure and upstream."""

    code: str
    applies: Condition[EvidenceT_contra]
    cause: str
    fix: str
    certainty: Certainty = "known"

    def diagnose(self, evidence: EvidenceT_contra) -> Diagnosis:
        """Return the diagnosis of one download."""
        cause, fix = (
            _sentence(text.format(e=evidence, failure=evidence.failure, upstream=evidence.upstream))
            for text in (self.cause, self.fix)
        )
        return Diagnosis(self.code, cause, fix, self.certainty)


def first_match(rules: t.Iterable[Rule[EvidenceT]], evidence: EvidenceT) -> Diagnosis:
    """Return the diagnosis of the first rule that applies. The last rule must always apply."""
    return next(rule for rule in rules if rule.applies(evidence)).diagnose(evidence)


def diagnose_with_trace(
    diagnosis: Diagnosis,
    evidence: Evidence,
    read_trace: t.Callable[[], Trace],
    read_trace_of_failure: t.Callable[[], Trace] = Trace,
) -> Diagnosis:
    """Return a better diagnosis of a 404 that has many possible causes, if a trace shows the cause.

    diagnosis: without a trace. read_trace: of something else; is called only for such a 404 of a remote repository.
    read_trace_of_failure: of what was requested; is called only if the upstream serves the repository.
    """
    is_remote = evidence.settings.get("rclass") == "remote"
    if diagnosis.certainty != "possible" or evidence.failure.status != 404 or not is_remote:
        return diagnosis
    evidence = dataclasses.replace(evidence, trace=read_trace())
    rules = TRACE_RULES
    if evidence.trace.step == "answered":
        evidence = dataclasses.replace(evidence, trace=read_trace_of_failure())
        rules = FAILURE_TRACE_RULES
    return next((rule.diagnose(evidence) for rule in rules if rule.applies(evidence)), diagnosis)


# The diagnoses of what was not pulled, without a rule.
SKIPPED, SKIPPED_CAUSE = "skipped", "Skipped because {reason}. {cause}"
LIMIT, LIMIT_FIX = "limit", "Raise the limit, or run the task again for the rest."


def skipped_diagnosis(reason: str, diagnosis: Diagnosis) -> Diagnosis:
    """Return the diagnosis of a download that was skipped because of another failure. reason: a clause."""
    return Diagnosis(
        SKIPPED, SKIPPED_CAUSE.format(reason=reason, cause=diagnosis.cause), diagnosis.fix, diagnosis.certainty
    )


def limit_diagnosis(error: LimitExceededError) -> Diagnosis:
    """Return the diagnosis of a download that a limit of the user prevented."""
    return Diagnosis(LIMIT, error.message, LIMIT_FIX)


def _sentence(text: str) -> str:
    """Return the text with a period, and without the colon of a message that is empty."""
    text = text.strip().rstrip(":")
    return text if not text or text[-1] in ".!?" else f"{text}."


def all_of(*conditions: Condition[EvidenceT]) -> Condition[EvidenceT]:
    return lambda e: all(condition(e) for condition in conditions)


def at_stage(*stages: Stage) -> Condition[Evidence]:
    return lambda e: e.stage in stages


def has_problem(*problems: ContentProblem | DownloadProblem) -> Condition[Evidence]:
    return lambda e: e.failure.problem in problems


def has_no_response(*texts: str) -> Condition[Evidence]:
    """Return a condition for connection failures: all, or those with one of the texts in their message."""
    return lambda e: e.failure.problem == "no_response" and (
        not texts or any(text in e.failure.message for text in texts)
    )


def has_status(*statuses: int) -> Condition[Evidence]:
    return lambda e: e.failure.problem == "error_response" and e.failure.status in statuses


def message_contains(*texts: str) -> Condition[Evidence]:
    return lambda e: any(text.lower() in e.failure.response_message.lower() for text in texts)


def is_upstream_failure_response(e: Evidence) -> bool:
    """Return whether Artifactory uses such a response for what it did not get from the upstream."""
    status = e.failure.status
    return e.failure.problem == "error_response" and 400 <= status < 500 and status not in (401, 429)


def with_config(condition: Condition[EvidenceT]) -> Condition[EvidenceT]:
    return all_of(is_upstream_failure_response, lambda e: e.config.state == "read", condition)


def upstream_has_status(*statuses: int) -> Condition[Evidence]:
    return all_of(
        is_upstream_failure_response, lambda e: e.upstream.state == "error_response" and e.upstream.status in statuses
    )


def lacks_credentials(e: Evidence) -> bool:
    """Return whether the repository has no username. False for a user who may not see the complete configuration."""
    return "missedRetrievalCachePeriodSecs" in e.settings and not e.settings.get("username")


# The comparison with the upstream after a successful pull. These rules do not concern the repository.
UPSTREAM_COMPARISON: tuple[Rule[Evidence], ...] = (
    Rule(
        "upstream_unreachable",
        all_of(at_stage("upstream"), has_no_response()),
        "This module cannot connect to {upstream.host} for the comparison with the upstream: {failure.message}",
        "Allow connections from the host that runs this module to {upstream.host}, or omit upstream_url. "
        "Artifactory has its own connection to the upstream. {failure.hint}",
    ),
    Rule(
        "upstream_unauthenticated",
        all_of(at_stage("upstream"), has_status(401, 403), lambda e: e.upstream.anonymous),
        "The comparison with the upstream failed, because {upstream.host} requires authentication for "
        "{e.requested_reference} (status {failure.status})",
        "Set upstream_username and upstream_password to a pull token, or omit upstream_url for private content",
    ),
    Rule(
        "upstream_credentials_rejected",
        all_of(at_stage("upstream"), has_status(400, 401, 403)),
        "{upstream.host} denies upstream_username access to {e.requested_reference} (status {failure.status}): "
        "{failure.response_message}",
        "Check that the pull token has not expired and was not revoked, that upstream_username is the ID of the "
        "identity, and that the organization has access to {e.requested_reference}",
    ),
    Rule(
        "upstream_gone",
        all_of(at_stage("upstream"), lambda e: has_status(404, 410)(e) or e.failure.problem == "version_missing"),
        "{upstream.host} no longer has {e.requested_reference}; {e.location} serves it from its cache",
        "Switch to a version that the upstream still has: this one gets no updates, and is lost when the cache is "
        "cleaned up",
    ),
    Rule(
        "upstream_failed",
        at_stage("upstream"),
        "The comparison with {upstream.host} failed: {failure.message}",
        "Try again later. {failure.hint}",
    ),
)

CONNECTION_RULES: tuple[Rule[Evidence], ...] = (
    Rule(
        "client_certificate",
        all_of(lambda e: e.failure.is_html or message_contains("HTML page")(e), message_contains("SSL certificate")),
        "{failure.host} requires a client certificate: {failure.response_message}",
        "Set client_cert, and client_key if the key is in a separate file, and check that the certificate is valid",
    ),
    Rule(
        "tls", has_no_response("certificate", "TLS"), "The TLS connection failed: {failure.message}", "{failure.hint}"
    ),
    Rule(
        "name_resolution",
        has_no_response("be resolved"),
        "The name resolution failed: {failure.message}",
        "{failure.hint}",
    ),
    Rule(
        "unreachable",
        has_no_response(),
        "The connection failed: {failure.message}",
        "{failure.hint} Also check for a proxy or a load balancer between this host and {failure.host}",
    ),
)

STORAGE_FULL: Rule[Evidence] = Rule(
    "storage_full",
    message_contains("storage limit", "storage quota", "no space", "insufficient storage", "disk is full"),
    "The storage of Artifactory is full: {failure.response_message}",
    "Free storage, or raise the quota of Artifactory",
)

KNOWN_MESSAGES: tuple[Rule[Evidence], ...] = (
    Rule(
        "policy",
        message_contains("Xray", "blocking policy", "Curation"),
        "A policy blocks {e.requested_reference}: {failure.response_message}",
        "Ask the owner of the policy for an exception, or wait until the scan is complete",
    ),
    STORAGE_FULL,
    Rule(
        "assumed_offline",
        message_contains("is assumed offline"),
        "Artifactory could not reach the upstream of {e.repository} and does not retry for a while: "
        "{failure.response_message}",
        "Fix the connectivity from Artifactory to the upstream, then wait for the time set as "
        "assumedOfflinePeriodSecs",
    ),
)

PERMISSION: tuple[Rule[Evidence], ...] = (
    Rule(
        "deploy_cache_denied",
        all_of(
            has_status(403),
            lambda e: e.stage in ("outdated", "pinned", "from_upstream")
            or message_contains("not permitted to deploy")(e),
        ),
        "The user is allowed to read what {e.repository} has cached, but not to make it cache more: "
        "{failure.response_message}",
        "Grant the user Deploy/Cache on {e.repository}, in addition to Read",
        "likely",
    ),
)


def _is_traced(step: Step) -> Condition[Evidence]:
    return lambda e: e.trace.step == step


def _is_registry(e: Evidence) -> bool:
    return e.repository_type in ("docker", "oci", "helmoci")


def _is_from_upstream(e: Evidence) -> bool:
    """Return whether the traced response is that of the upstream, and not of the storage that it redirects to."""
    return f"//{urlsplit(e.remote_url).netloc}/" in e.trace.quote


# For a 404 with many possible causes. Something else that is not cached was traced, so the cause concerns the repository.
TRACE_RULES: tuple[Rule[Evidence], ...] = (
    Rule(
        "assumed_offline",
        _is_traced("assumed_offline"),
        "Artifactory could not reach the upstream of {e.repository} and does not retry for a while",
        "Fix the connectivity from Artifactory to {e.remote_url}, then wait for the time set as assumedOfflinePeriodSecs",
        "likely",
    ),
    Rule(
        "upstream_unreachable_for_artifactory",
        _is_traced("unreachable"),
        "Artifactory cannot connect to the upstream of {e.repository}",
        "Allow connections from Artifactory to {e.remote_url} in its firewall and its proxy, then {e.expire_text}",
        "likely",
    ),
    # A token service denies access to an image that does not exist like this, too.
    Rule(
        "upstream_fetch_failed",
        all_of(_is_registry, lambda e: e.trace.status in (400, 401, 403)),
        "The upstream responds to Artifactory with status {e.trace.status}: {e.requested_reference} does not exist there, the "
        "organization is not entitled to it, or the credentials stored in {e.repository} are missing, expired, or of another "
        "organization",
        "Check the name and the pull token of {e.repository}, then {e.expire_text}",
        "possible",
    ),
    Rule(
        "upstream_credentials",
        _is_traced("credentials"),
        "The upstream rejects the credentials stored in {e.repository}, or does not give them access: it responds to "
        "Artifactory with status {e.trace.status}",
        "Store a new pull token in {e.repository}, then {e.expire_text}",
        "likely",
    ),
    Rule(
        "upstream_error",
        _is_traced("failed"),
        "The upstream of {e.repository} responds to Artifactory with status {e.trace.status}",
        "Try again later. If it persists, check the proxy between Artifactory and {e.remote_url}",
        "likely",
    ),
)

# The same for a trace of what was requested, while the upstream serves the repository.
_POLICY_FIX = (
    "Use another version or package: by default, the cooldown blocks a new version for seven days. Or ask the owner of the policy "
    "at Chainguard. After that, {e.expire_text}"
)
FAILURE_TRACE_RULES: tuple[Rule[Evidence], ...] = (
    Rule(
        "blocked",
        lambda e: e.trace.status == 409,
        "The upstream of {e.repository} does not serve {e.requested_reference} to this organization, because a policy blocks it: "
        "it responds to Artifactory with status 409",
        _POLICY_FIX,
    ),
    Rule(
        "blocked",
        lambda e: e.trace.status == 403 and _is_from_upstream(e),
        "The upstream of {e.repository} serves other things, but responds to Artifactory with status 403 for "
        "{e.requested_reference}, so a policy probably blocks it",
        _POLICY_FIX,
        "likely",
    ),
    Rule(
        "upstream_not_found",
        lambda e: e.trace.status in (404, 410),
        "The upstream of {e.repository} does not have {e.requested_reference}: it responds to Artifactory with status "
        "{e.trace.status}",
        "Check the name and version",
        "likely",
    ),
)

REPOSITORY_MISSING: Rule[Evidence] = Rule(
    "repository_missing",
    all_of(is_upstream_failure_response, lambda e: e.config.state == "missing"),
    "Artifactory has no repository {e.repository}",
    "Check the repository key, or create the repository",
)
REPOSITORY_DISABLED: tuple[Rule[Evidence], ...] = (
    Rule(
        "blacked_out",
        with_config(lambda e: e.settings.get("blackedOut") is True),
        "{e.repository} is blacked out, so it rejects all requests",
        "Set blackedOut to false",
    ),
    Rule(
        "offline",
        with_config(lambda e: e.settings.get("offline") is True),
        "{e.repository} is set to offline, so it serves cached content only and does not contact the upstream",
        "Set offline to false",
    ),
)
FORBIDDEN: Rule[Evidence] = Rule(
    "forbidden",
    has_status(403),
    "The user is not allowed to pull from {e.location}: {failure.response_message}",
    "Grant the user Read and Deploy/Cache on {e.location}; with Read alone, only cached content can be pulled",
)

MASKED_BY_CACHE: tuple[Rule[Evidence], ...] = (
    Rule(
        "served_from_cache",
        has_problem("served_from_cache"),
        "Nothing was fetched from the upstream: {failure.message}",
        "Grant the user Delete or Manage on {e.repository}, which is needed to expire an index, or pull something that is not "
        "cached yet",
    ),
    Rule(
        "masked_by_cache",
        at_stage("outdated", "from_upstream"),
        "{e.repository} serves cached content, but does not fetch from the upstream: {failure.message}",
        "Check the credentials stored in {e.repository}, its url, and the connectivity from Artifactory to the "
        "upstream",
        "likely",
    ),
)

SERVER: tuple[Rule[Evidence], ...] = (
    Rule(
        "rate_limited",
        has_status(429),
        "{failure.host} limits the rate of requests: {failure.response_message}",
        "Lower threads, or try again later",
    ),
    Rule(
        "server_error",
        lambda e: e.failure.status >= 500,
        "{failure.host} failed to process the request (status {failure.status}): {failure.response_message}",
        "Check the log of {failure.host}. If Artifactory waits for a slow upstream, raise socketTimeoutMillis of the "
        "repository",
        "likely",
    ),
)

FALLBACK: Rule[Evidence] = Rule(
    "unknown_error", lambda e: True, "The pull failed: {failure.message}", "{failure.hint}", "possible"
)
