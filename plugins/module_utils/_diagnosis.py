# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From what is known of a failed download to its cause and its fix: what all kinds share. Private to the collection.

Artifactory gives one and the same 404 for most causes. Side evidence tells them apart: first the repository's
configuration, then what upstream says. No rule needs the failed request again, since each repetition would be answered
from the negative cache.

To add a cause, add a rule. The first rule that applies wins, so the particular stand before the general.
"""

from __future__ import annotations

import dataclasses
import typing as t
from urllib.parse import urlsplit

from ansible_collections.cgr.pull_through.plugins.module_utils._cache_probe import NotFromUpstreamError
from ansible_collections.cgr.pull_through.plugins.module_utils._download import DownloadError
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import (
    HTTPStatusError,
    InvalidContentError,
    PullThroughError,
    RequestError,
    TransportError,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._rate_limit import LimitExceededError
from ansible_collections.cgr.pull_through.plugins.module_utils._retry import SkippedError

Result = t.Dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class RepositoryConfig:
    """What could be read of the repository's configuration: unasked, unreadable, missing or known."""

    state: t.Literal["unasked", "unreadable", "missing", "known"] = "unasked"
    settings: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evidence:
    """What is known of one download.

    stage: what was being done. asked: as the user wrote it. host: what is downloaded from.
    problem: refused, unanswered, served_from_cache, other, or the reason why a body could not be used.
    method, status, said, error_host, html, by_token_service: of the request that failed. anonymous: it had no login.
    message, hint: of the error.
    config_state: unasked, unreadable, missing or known; then config has Artifactory's names.
    upstream: unasked, found, refused or unreachable. upstream_status, upstream_message: as it refused.
    """

    stage: str
    problem: str
    requested_reference: str
    host: str
    repository: str = ""
    method: str = "GET"
    status: int = 0
    response_message: str = ""
    error_host: str = ""
    html: bool = False
    by_token_service: bool = False
    anonymous: bool = False
    message: str = ""
    hint: str = ""
    config_state: t.Literal["unasked", "unreadable", "missing", "known"] = "unasked"
    config: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    upstream_host: str = ""
    upstream: t.Literal["unasked", "found", "refused", "unreachable"] = "unasked"
    upstream_status: int = 0
    upstream_message: str = ""
    upstream_anonymous: bool = False

    @property
    def place(self) -> str:
        """What is downloaded from, in the user's words."""
        return self.repository or self.host

    @property
    def package_type(self) -> str:
        """The repository's, in lower case; empty if it is not known."""
        return str(self.config.get("packageType", "")).lower()

    @property
    def url(self) -> str:
        """The repository's upstream."""
        return str(self.config.get("url", ""))

    @property
    def negative_cache_period(self) -> str:
        """How long Artifactory remembers that something was not there."""
        return f"{self.config.get('missedRetrievalCachePeriodSecs', 1800)} seconds"

    @property
    def metadata_cache_period(self) -> str:
        """How long what can change may be older in the cache than it is upstream."""
        seconds = self.config.get("retrievalCachePeriodSecs")
        return (
            "the time set as retrievalCachePeriodSecs"
            if seconds is None
            else f"{seconds} seconds (retrievalCachePeriodSecs)"
        )

    @property
    def expire_text(self) -> str:
        """How to get rid of a failure that is remembered."""
        how = "with cgr.pull_through.artifactory_repository_cache or Zap Caches in the UI, which need Manage or Delete"
        return f"expire the cache of {self.repository} ({how}) or wait {self.negative_cache_period}"


def evidence_from_error(error: PullThroughError) -> dict[str, t.Any]:
    """Return the part of the evidence that an error holds, by the names of Evidence."""
    found: dict[str, t.Any] = {"message": error.message, "hint": error.hint}
    if isinstance(error, RequestError):
        # The sentences name hosts and what was asked for by themselves; the URL is in the error's details.
        message = error.message.removeprefix(f"{error.method} {error.url}: ")
        found.update(message=message, method=error.method, error_host=urlsplit(error.url).netloc)
    if isinstance(error, HTTPStatusError):
        found.update(problem="refused", status=error.status, response_message=error.response_message)
    if isinstance(error, DownloadError):
        found.update(html=error.html, by_token_service=error.by_token_service)
    elif isinstance(error, InvalidContentError):
        found["problem"] = error.reason
    elif isinstance(error, TransportError):
        found["problem"] = "unanswered"
    elif isinstance(error, NotFromUpstreamError):
        found["problem"] = "served_from_cache"
    return found


def evidence_from_upstream(
    host: str, *, anonymous: bool, found: bool, error: PullThroughError | None
) -> dict[str, t.Any]:
    """Return the part of the evidence that upstream's answer holds, by the names of Evidence."""
    known: dict[str, t.Any] = {"upstream_host": host, "upstream_anonymous": anonymous}
    if found:
        known["upstream"] = "found"
    elif isinstance(error, HTTPStatusError):
        known.update(upstream="refused", upstream_status=error.status, upstream_message=error.response_message)
    elif error is not None:
        known["upstream"] = "unreachable"
    return known


@dataclasses.dataclass(frozen=True)
class Diagnosis:
    """code is stable, for programs; cause and fix are sentences, for people."""

    code: str
    cause: str
    fix: str


# Of evidence of any kind: the rules of a kind know what theirs has.
Condition = t.Callable[[t.Any], bool]


@dataclasses.dataclass(frozen=True)
class Rule:
    """A cause. The sentences are formats, with e for the evidence."""

    code: str
    applies: Condition
    cause: str
    fix: str

    def diagnosis(self, evidence: Evidence) -> Diagnosis:
        """Return the rule's words for one download."""
        return Diagnosis(self.code, *(_sentence(text.format(e=evidence)) for text in (self.cause, self.fix)))


def first_match(rules: t.Iterable[Rule], evidence: Evidence) -> Diagnosis:
    """Return the first cause that fits. The last rule fits always."""
    return next(rule for rule in rules if rule.applies(evidence)).diagnosis(evidence)


def skipped_diagnosis(why: str, cause: Diagnosis) -> Diagnosis:
    """Return the diagnosis of what was not tried because of a cause."""
    return Diagnosis("skipped", f"Not tried, as {why}. {cause.cause}", cause.fix)


def limit_diagnosis(error: LimitExceededError) -> Diagnosis:
    """Return the diagnosis of what was not pulled because of a limit that the user set."""
    return Diagnosis("limit", error.message, "Raise the limit, or run again for the rest.")


def status_of(error: PullThroughError | None, success: str) -> str:
    """Return the status to show for something that ended with or without an error."""
    return (
        success if error is None else "skipped" if isinstance(error, (SkippedError, LimitExceededError)) else "failed"
    )


def is_ok(error: PullThroughError | None) -> bool | None:
    """Return whether all could be shown; None for what a limit left out, which is neither shown nor wrong."""
    return None if isinstance(error, LimitExceededError) else error is None


def failure_message(results: t.Sequence[Result], what: str, name: str) -> str:
    """Return what to tell the user: each failure with cause and fix, those with one cause together.

    what: the things, in the plural. name: the key of a result under which it has its name.
    """
    failed = [result for result in results if result["ok"] is False]
    by_cause: dict[str, list[str]] = {}
    for result in failed:
        diagnosis = result["diagnosis"]
        by_cause.setdefault(f"{diagnosis['cause']} {diagnosis['fix']}".strip(), []).append(result[name])
    lines = [f"{', '.join(names)}: {cause}" for cause, names in by_cause.items()]
    return "\n".join([f"{len(failed)} of {len(results)} {what} could not be pulled as asked.", *lines])


def _sentence(text: str) -> str:
    text = text.strip().rstrip(":")
    return text if not text or text[-1] in ".!?" else f"{text}."


def all_of(*conditions: Condition) -> Condition:
    return lambda e: all(condition(e) for condition in conditions)


def at_stage(*stages: str) -> Condition:
    return lambda e: e.stage in stages


def has_problem(*problems: str) -> Condition:
    return lambda e: e.problem in problems


def unanswered(*words: str) -> Condition:
    return lambda e: e.problem == "unanswered" and (not words or any(word in e.message for word in words))


def refused(*statuses: int) -> Condition:
    return lambda e: e.problem == "refused" and e.status in statuses


def message_contains(*words: str) -> Condition:
    return lambda e: any(word.lower() in e.response_message.lower() for word in words)


def is_upstream_failure_response(e: Evidence) -> bool:
    """Whether it is an answer that Artifactory has for what it did not get from upstream."""
    return e.problem == "refused" and 400 <= e.status < 500 and e.status not in (401, 429)


def with_config(condition: Condition) -> Condition:
    return all_of(is_upstream_failure_response, lambda e: e.config_state == "known", condition)


def upstream_refuses(*statuses: int) -> Condition:
    return lambda e: is_upstream_failure_response(e) and e.upstream == "refused" and e.upstream_status in statuses


def lacks_username(e: Evidence) -> bool:
    """Whether the repository logs in upstream as nobody. A reader, who never sees the username, cannot tell."""
    return "missedRetrievalCachePeriodSecs" in e.config and not e.config.get("username")


# The question that upstream is asked after a pull that worked. What it answers says nothing of the repository.
UPSTREAM_COMPARISON = (
    Rule(
        "upstream_unreachable",
        all_of(at_stage("upstream"), unanswered()),
        "{e.upstream_host} cannot be asked from where this module runs: {e.message}",
        "Open the way to it, or leave upstream_url out; whether Artifactory reaches it is another matter. {e.hint}",
    ),
    Rule(
        "upstream_unauthenticated",
        all_of(at_stage("upstream"), refused(401, 403), lambda e: e.upstream_anonymous),
        "{e.upstream_host} shows {e.requested_reference} only after a login (status {e.status}), so nothing could be compared",
        "Set upstream_username and upstream_password to a pull token, or leave upstream_url out for what is private",
    ),
    Rule(
        "upstream_credentials_rejected",
        all_of(at_stage("upstream"), refused(400, 401, 403)),
        "{e.upstream_host} does not let upstream_username have {e.requested_reference} (status {e.status}): {e.response_message}",
        "The pull token has expired or was revoked, its username is not the identity's ID, "
        "or the organization does not have this",
    ),
    Rule(
        "upstream_gone",
        all_of(at_stage("upstream"), lambda e: refused(404, 410)(e) or e.problem == "version"),
        "{e.upstream_host} has no {e.requested_reference} any more; the repository serves one from its cache",
        "Use one that upstream has: this one gets no updates, and is lost when the cache is cleaned",
    ),
    Rule(
        "upstream_failed",
        at_stage("upstream"),
        "{e.upstream_host} could not be asked: {e.message}",
        "Try again later. {e.hint}",
    ),
)

CONNECTION_RULES = (
    Rule(
        "client_certificate",
        all_of(lambda e: e.html, message_contains("SSL certificate")),
        "{e.error_host} demands a client certificate: {e.response_message}",
        "Set client_cert, and client_key if the key is in another file, and check that it is valid",
    ),
    Rule("tls", unanswered("certificate", "TLS"), "{e.message}", "{e.hint}"),
    Rule("name_resolution", unanswered("cannot be resolved"), "{e.message}", "{e.hint}"),
    Rule("unreachable", unanswered(), "{e.message}", "{e.hint} Look also for a proxy or a load balancer on the way"),
)

KNOWN_MESSAGES = (
    Rule(
        "policy",
        message_contains("Xray", "blocking policy", "Curation"),
        "A policy blocks {e.requested_reference}: {e.response_message}",
        "Ask who owns the policy, or wait for the scan to end",
    ),
    Rule(
        "assumed_offline",
        message_contains("is assumed offline"),
        "Artifactory could not reach the upstream of {e.repository}, and does not try again for a while: {e.response_message}",
        "Mend the way from Artifactory to upstream, then wait for assumedOfflinePeriodSecs",
    ),
)

PERMISSION = (
    Rule(
        "delete_denied",
        all_of(refused(403), lambda e: e.method == "DELETE"),
        "The login may not delete from {e.repository}-cache: {e.response_message}",
        "Give it Delete on {e.repository}, or pull something that is not cached yet",
    ),
    Rule(
        "deploy_cache_denied",
        all_of(
            refused(403),
            lambda e: e.stage in ("outdated", "pinned", "from_upstream")
            or message_contains("not permitted to deploy")(e),
        ),
        "The user may read what is cached, but not make {e.repository} fetch what is not: {e.response_message}",
        "Give the user Deploy/Cache on {e.repository}, besides Read",
    ),
)

# What is known of the repository without a request through it.
NO_REPOSITORY = Rule(
    "repository_missing",
    all_of(is_upstream_failure_response, lambda e: e.config_state == "missing"),
    "Artifactory has no repository {e.repository}",
    "Check the key, or create the repository",
)
REPOSITORY_DISABLED = (
    Rule(
        "blacked_out",
        with_config(lambda e: e.config.get("blackedOut") is True),
        "{e.repository} is blacked out: it serves nobody",
        "Set blackedOut to false",
    ),
    Rule(
        "offline",
        with_config(lambda e: e.config.get("offline") is True),
        "{e.repository} is set offline: it serves what is cached, and asks nobody for the rest",
        "Set offline to false",
    ),
)
FORBIDDEN = Rule(
    "forbidden",
    refused(403),
    "The user may not pull this from {e.place}: {e.response_message}",
    "Give the user Read and Deploy/Cache on {e.place}: with Read alone, only what is cached already can be pulled",
)

MASKED_BY_CACHE = (
    Rule(
        "served_from_cache",
        has_problem("served_from_cache"),
        "{e.message}",
        "Set evict to true (this needs Delete on the repository), or pull something that is not cached yet",
    ),
    Rule(
        "masked_by_cache",
        at_stage("outdated", "from_upstream"),
        "{e.repository} serves what is cached, but does not get from upstream what is not: {e.message}",
        "Check the login stored in {e.repository}, its url, and the way from Artifactory to upstream",
    ),
)

SERVER = (
    Rule(
        "rate_limited",
        refused(429),
        "{e.error_host} limits the rate of requests: {e.response_message}",
        "Use fewer threads, or run again later",
    ),
    Rule(
        "server_error",
        lambda e: e.status >= 500,
        "{e.error_host} has an error of its own (status {e.status}): {e.response_message}",
        "Look into its log; an Artifactory that waits for a slow upstream needs a higher socketTimeoutMillis",
    ),
)

FALLBACK = Rule("failed", lambda e: True, "{e.message}", "{e.hint}")
