# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From what is known of a failed pull to its cause and its fix. Pure. Private to the collection.

Artifactory gives one and the same 404 for a wrong URL, a dead pull token, token authentication switched off, an offline
repository, a negative cache and an image that does not exist. Side evidence tells them apart: first the repository's
configuration, then what upstream says. No rule needs the failed request again, since each repetition would be answered
from the negative cache.

To add a cause, add a rule. The first rule that applies wins, so the particular stand before the general.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import typing as t
from urllib.parse import urlsplit


@dataclasses.dataclass(frozen=True)
class Evidence:
    """What is known of one pull.

    stage: as in the outcome of a pull.
    problem: refused, unanswered, platform, not_fresh, other, or the reason why a body could not be used.
    image: the name without repository key and tag. asked: as the user wrote it. host: the registry's.
    method, status, said, error_host, html, by_token_service: of the request that failed. anonymous: it had no login.
    message, hint: of the error. missing, found: platforms.
    config_state: unasked, unreadable, missing or known; then config has Artifactory's names.
    upstream: unasked, found, refused or unreachable. upstream_status, upstream_said: as it refused.
    """

    stage: str
    problem: str
    image: str
    asked: str
    host: str
    repository: str = ""
    method: str = "GET"
    status: int = 0
    said: str = ""
    error_host: str = ""
    html: bool = False
    by_token_service: bool = False
    anonymous: bool = False
    message: str = ""
    hint: str = ""
    missing: str = ""
    found: str = ""
    config_state: t.Literal["unasked", "unreadable", "missing", "known"] = "unasked"
    config: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    upstream_host: str = ""
    upstream: t.Literal["unasked", "found", "refused", "unreachable"] = "unasked"
    upstream_status: int = 0
    upstream_said: str = ""
    upstream_anonymous: bool = False

    @property
    def place(self) -> str:
        """What is pulled from, in the user's words."""
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
    def project(self) -> str:
        """What the repository puts before each name by itself."""
        return str(self.config.get("dockerProjectId") or "")

    @property
    def remembered(self) -> str:
        """How long Artifactory remembers that something was not there."""
        return f"{self.config.get('missedRetrievalCachePeriodSecs', 1800)} seconds"

    @property
    def looks_again(self) -> str:
        """How long a tag in the cache may be older than upstream's."""
        seconds = self.config.get("retrievalCachePeriodSecs")
        return (
            "the time set as retrievalCachePeriodSecs"
            if seconds is None
            else f"{seconds} seconds (retrievalCachePeriodSecs)"
        )

    @property
    def clear(self) -> str:
        """How to get rid of a failure that is remembered."""
        how = "with cgr.pull_through.artifactory_repository_cache or Zap Caches in the UI, which need Manage or Delete"
        return f"expire the cache of {self.repository} ({how}) or wait {self.remembered}"


@dataclasses.dataclass(frozen=True)
class Diagnosis:
    """code is stable, for programs; cause and fix are sentences, for people."""

    code: str
    cause: str
    fix: str


Condition = t.Callable[[Evidence], bool]


@dataclasses.dataclass(frozen=True)
class Rule:
    """A cause. The sentences are formats, with e for the evidence."""

    code: str
    applies: Condition
    cause: str
    fix: str

    def diagnosis(self, evidence: Evidence) -> Diagnosis:
        """Return the rule's words for one pull."""
        return Diagnosis(self.code, *(_sentence(text.format(e=evidence)) for text in (self.cause, self.fix)))


def diagnose(evidence: Evidence) -> Diagnosis:
    """Return the first cause that fits."""
    return next(rule for rule in RULES if rule.applies(evidence)).diagnosis(evidence)


def _sentence(text: str) -> str:
    text = text.strip().rstrip(":")
    return text if not text or text[-1] in ".!?" else f"{text}."


def _all(*conditions: Condition) -> Condition:
    return lambda e: all(condition(e) for condition in conditions)


def _stage(*stages: str) -> Condition:
    return lambda e: e.stage in stages


def _problem(*problems: str) -> Condition:
    return lambda e: e.problem in problems


def _unanswered(*words: str) -> Condition:
    return lambda e: e.problem == "unanswered" and (not words or any(word in e.message for word in words))


def _refused(*statuses: int) -> Condition:
    return lambda e: e.problem == "refused" and e.status in statuses


def _says(*words: str) -> Condition:
    return lambda e: any(word.lower() in e.said.lower() for word in words)


def _not_served(e: Evidence) -> bool:
    """Whether it is an answer that Artifactory has for what it did not get from upstream."""
    return e.problem == "refused" and 400 <= e.status < 500 and e.status not in (401, 429)


def _configured(condition: Condition) -> Condition:
    return _all(_not_served, lambda e: e.config_state == "known", condition)


def _upstream_refuses(*statuses: int) -> Condition:
    return lambda e: _not_served(e) and e.upstream == "refused" and e.upstream_status in statuses


def _has_path(e: Evidence) -> bool:
    path = urlsplit(e.url).path.strip("/")
    return bool(path) and not path.startswith("artifactory/api/docker/")


def _is_excluded(e: Evidence) -> bool:
    """Whether the repository's patterns leave the image out. No patterns limit nothing."""

    def listed(setting: str) -> bool:
        patterns = [pattern.strip() for pattern in str(e.config.get(setting) or "").split(",")]
        # The * of fnmatch crosses slashes as ** does, which is generous to includes.
        return any(fnmatch.fnmatchcase(f"{e.image}/manifest.json", pattern) for pattern in patterns if pattern)

    return listed("excludesPattern") or (bool(e.config.get("includesPattern")) and not listed("includesPattern"))


def _lacks_username(e: Evidence) -> bool:
    # A reader gets only a part of the configuration, which never has the username.
    return "enableTokenAuthentication" in e.config and not e.config.get("username")


STALE = Rule(
    "stale",
    lambda e: True,
    "The tag in the cache is older than upstream's, which could be pulled by its digest. "
    "Artifactory looks for a newer one after {e.looks_again}",
    "This is normal. To have it at once, expire {e.image} in the cache of {e.repository}",
)

RULES: tuple[Rule, ...] = (
    Rule(
        "platform_missing",
        _problem("platform"),
        "The image has no {e.missing}; it has: {e.found}",
        "Ask for platforms that the image has, or for all",
    ),
    # The question for upstream's digest. It says nothing of the repository.
    Rule(
        "upstream_unreachable",
        _all(_stage("upstream"), _unanswered()),
        "{e.upstream_host} cannot be asked from where this module runs: {e.message}",
        "Open the way to it, or leave upstream_url out; whether Artifactory reaches it is another matter. {e.hint}",
    ),
    Rule(
        "upstream_login_missing",
        _all(_stage("upstream"), _refused(401, 403), lambda e: e.upstream_anonymous),
        "{e.upstream_host} shows {e.image} only after a login (status {e.status}), so digests could not be compared",
        "Set upstream_username and upstream_password to a pull token, or leave upstream_url out for private images",
    ),
    Rule(
        "upstream_login_refused",
        _all(_stage("upstream"), _refused(400, 401, 403)),
        "{e.upstream_host} does not let upstream_username have {e.image} (status {e.status}): {e.said}",
        "The pull token has expired or was revoked, its username is not the identity's ID, "
        "or the organisation does not have this image",
    ),
    Rule(
        "upstream_missing",
        _all(_stage("upstream"), _refused(404)),
        "{e.upstream_host} has no {e.asked} any more; the repository serves one from its cache",
        "Use a tag that upstream has: this one gets no updates, and is lost when the cache is cleaned",
    ),
    Rule(
        "upstream_failed",
        _stage("upstream"),
        "{e.upstream_host} could not be asked for the digest: {e.message}",
        "Try again later. {e.hint}",
    ),
    # No answer.
    Rule(
        "blob_host_unreachable",
        _all(_stage("blob"), _unanswered(), lambda e: e.error_host != e.host),
        "Manifests come, but layers lie on {e.error_host}, and from there nothing comes: {e.message}",
        "Let {e.error_host} through the firewall and the proxy. {e.hint}",
    ),
    Rule(
        "blob_host_refuses",
        _all(_stage("blob"), _problem("refused"), lambda e: e.error_host != e.host and not e.by_token_service),
        "Manifests come, but layers lie on {e.error_host}, which refuses them (status {e.status}): {e.said}",
        "Look for a proxy on the way that changes the request, and compare the clocks: such links end after minutes",
    ),
    Rule("tls", _unanswered("certificate", "TLS"), "{e.message}", "{e.hint}"),
    Rule("name_resolution", _unanswered("cannot be resolved"), "{e.message}", "{e.hint}"),
    Rule("unreachable", _unanswered(), "{e.message}", "{e.hint} Look also for a proxy or a load balancer on the way"),
    # Answers that are not a registry's.
    Rule(
        "redirect_refused",
        _refused(301, 302, 303, 307, 308),
        "{e.host} answers with {e.said}",
        "Mend the redirect in the proxy or the storage settings, or set registry_url to where the registry really is",
    ),
    Rule(
        "html_from_upstream",
        _all(_problem("html"), lambda e: e.config.get("blockMismatchingMimeTypes") is False),
        "{e.repository} serves a web page as an image: blocking of mismatching MIME types is off",
        "Set blockMismatchingMimeTypes to true, delete {e.image} from {e.repository}-cache, and check the url",
    ),
    Rule(
        "not_a_registry",
        lambda e: (e.html and e.status < 500) or e.problem == "html",
        "{e.error_host} answers with a web page: a proxy, a login or another site stands where the registry should be",
        "Check registry_url (scheme, host and port, as for docker login), "
        "and that the reverse proxy hands /v2/ on to Artifactory",
    ),
    # Bodies that are not what was promised.
    Rule(
        "schema1",
        _problem("schema1"),
        "The image has only a manifest of the old schema 1, which clients refuse",
        "Have the image built again",
    ),
    Rule(
        "wrong_content",
        _problem("digest", "size", "content"),
        "What came is not what was promised: {e.message}",
        "Delete it from Artifactory's cache and pull again; "
        "if it stays, look for a proxy that changes or cuts contents. {e.hint}",
    ),
    # Clear words of Artifactory.
    Rule(
        "upstream_credentials",
        _says("Invalid username/password configured for Remote", "Can't fetch token for repo"),
        "Upstream refuses the login that is stored in {e.repository}: {e.said}",
        "Store a new pull token in {e.repository}; its username is the identity's ID, and not an e-mail address",
    ),
    Rule(
        "policy",
        _says("Xray", "blocking policy", "Curation"),
        "A policy blocks the image: {e.said}",
        "Ask who owns the policy, or wait for the scan to end",
    ),
    Rule(
        "mime_blocked",
        _says("Mismatching mime types"),
        "Upstream sent {e.repository} a web page instead of an image: {e.said}",
        "Check the repository's url and the proxy between Artifactory and upstream. Leave blocking of MIME types on",
    ),
    Rule(
        "reverse_proxy",
        _says("Unsupported docker v2 repository request"),
        "The reverse proxy does not tell Artifactory which repository is meant: {e.said}",
        "Use the repository path method (host/KEY/image), or mend how the proxy rewrites the host name",
    ),
    Rule(
        "upstream_misconfigured",
        _says("Upstream repository is not configured properly"),
        "Artifactory cannot use the upstream of {e.repository}: {e.said}",
        "Check the repository's url, and that token authentication is on",
    ),
    Rule(
        "assumed_offline",
        _says("is assumed offline"),
        "Artifactory could not reach the upstream of {e.repository}, and does not try again for a while: {e.said}",
        "Mend the way from Artifactory to upstream, then wait for assumedOfflinePeriodSecs",
    ),
    # Login and permission.
    Rule(
        "login_missing",
        _all(lambda e: e.anonymous, lambda e: _refused(401)(e) or e.by_token_service),
        "{e.error_host} wants a login (status {e.status}): {e.said}",
        "Set username and password, or artifactory_username and artifactory_access_token",
    ),
    Rule(
        "login_refused",
        lambda e: _refused(401)(e) or (_refused(400, 403)(e) and e.by_token_service),
        "{e.error_host} refuses the login (status {e.status}): {e.said}",
        "Is the password or token wrong, expired, or of another server? Try docker login with the same",
    ),
    Rule(
        "may_not_evict",
        _all(_refused(403), lambda e: e.method == "DELETE"),
        "The login may not delete from {e.repository}-cache: {e.said}",
        "Give it Delete on {e.repository}, or pull an image that is not cached yet",
    ),
    Rule(
        "may_not_cache",
        _all(
            _refused(403), lambda e: e.stage in ("outdated", "pinned", "fresh") or _says("not permitted to deploy")(e)
        ),
        "The user may read what is cached, but not make {e.repository} fetch what is not: {e.said}",
        "Give the user Deploy/Cache on {e.repository}, besides Read",
    ),
    # The repository's configuration, which is known without a request through it.
    Rule(
        "repository_missing",
        _all(_not_served, lambda e: e.config_state == "missing"),
        "Artifactory has no repository {e.repository}",
        "Check the key, or create the repository",
    ),
    Rule(
        "repository_type",
        _configured(lambda e: e.package_type not in ("", "docker", "oci", "helmoci")),
        "{e.repository} is a repository for {e.package_type}, and not for Docker",
        "Use the key of a Docker repository; the type of one that exists cannot be changed",
    ),
    Rule(
        "blacked_out",
        _configured(lambda e: e.config.get("blackedOut") is True),
        "{e.repository} is blacked out: it serves nobody",
        "Set blackedOut to false",
    ),
    Rule(
        "offline",
        _configured(lambda e: e.config.get("offline") is True),
        "{e.repository} is set offline: it serves what is cached, and asks nobody for the rest",
        "Set offline to false",
    ),
    Rule(
        "url_has_path",
        _configured(_has_path),
        "The url of {e.repository} has a path ({e.url}), which Artifactory ignores for Docker",
        "Set url to scheme and host alone, and write the organisation into the image's name",
    ),
    Rule(
        "token_authentication_off",
        _configured(lambda e: e.config.get("enableTokenAuthentication") is False),
        "Token authentication is off in {e.repository}, so Artifactory cannot log in upstream",
        "Set enableTokenAuthentication to true, then {e.clear}",
    ),
    Rule(
        "excluded",
        _configured(_is_excluded),
        "The include and exclude patterns of {e.repository} leave {e.image} out",
        "Set includesPattern to **/* and excludesPattern to nothing",
    ),
    Rule(
        "project_doubled",
        _configured(lambda e: bool(e.project) and e.image.startswith(f"{e.project}/")),
        "{e.repository} puts {e.project} before each name by itself (dockerProjectId)",
        "Write the image without {e.project}/, or empty dockerProjectId",
    ),
    Rule(
        "forbidden",
        _refused(403),
        "The user may not pull this from {e.place}: {e.said}",
        "Give the user Read and Deploy/Cache on {e.place}: with Read alone, only what is cached already can be pulled",
    ),
    # What upstream says.
    Rule(
        "private_without_login",
        _all(_upstream_refuses(401, 403), _lacks_username),
        "{e.upstream_host} shows {e.image} to nobody without a login, so it is private or does not exist; "
        "and {e.repository} has no username",
        "Check the name. For a private image, use the repository with a pull token, or store one here and {e.clear}",
    ),
    Rule(
        "image_unknown",
        _upstream_refuses(404),
        "{e.upstream_host} has no {e.asked} either: {e.upstream_said}",
        "Check organisation, name and tag",
    ),
    Rule(
        "image_not_allowed",
        _all(_upstream_refuses(400, 401, 403), lambda e: not e.upstream_anonymous),
        "{e.upstream_host} does not let upstream_username have {e.image} (status {e.upstream_status}): "
        "{e.upstream_said}",
        "The pull token has expired or was revoked, or the organisation does not have this image",
    ),
    Rule(
        "negative_cache",
        _all(_not_served, lambda e: e.upstream == "found" and e.stage == "manifest"),
        "{e.upstream_host} has the image and {e.place} does not: it remembers an earlier failure for {e.remembered}, "
        "takes upstream for offline, or has a login that upstream refuses",
        "Renew the pull token of {e.repository} if the image is private, then {e.clear}",
    ),
    # Caches that hide errors.
    Rule(
        "not_fresh",
        _problem("not_fresh"),
        "{e.message}",
        "Set evict to true (this needs Delete on the repository), or pull an image that is not cached yet",
    ),
    Rule(
        "masked",
        _stage("outdated", "fresh"),
        "{e.repository} serves what is cached, but does not get from upstream what is not: {e.message}",
        "Check the login stored in {e.repository}, its url, and the way from Artifactory to upstream",
    ),
    Rule(
        "pinned_missing",
        _stage("pinned"),
        "The tag has another digest than the one asked for, and that one cannot be had: {e.message}",
        "Check the digest; upstream may have removed it",
    ),
    # What is left.
    Rule(
        "not_from_upstream",
        _configured(lambda e: e.status == 404),
        "{e.repository} does not get {e.asked} from upstream: it does not exist, it is private and the login stored "
        "is missing, dead or of another organisation, or an earlier failure is remembered for {e.remembered}",
        "Check the name and the pull token of {e.repository}, then {e.clear}; upstream_url would tell more",
    ),
    Rule(
        "rate_limited",
        _refused(429),
        "{e.error_host} limits the rate of requests: {e.said}",
        "Use fewer threads, or run again later",
    ),
    Rule(
        "server_error",
        lambda e: e.status >= 500,
        "{e.error_host} has an error of its own (status {e.status}): {e.said}",
        "Look into its log; an Artifactory that waits for a slow upstream needs a higher socketTimeoutMillis",
    ),
    Rule(
        "not_served",
        lambda e: e.status == 404 and bool(e.repository),
        "{e.repository} does not have {e.asked}, or could not get it: {e.said}",
        "Check name and tag. With artifactory_url, its login and upstream_url, the cause can be told more exactly",
    ),
    Rule("not_found", lambda e: e.status == 404, "{e.host} does not have {e.asked}: {e.said}", "Check name and tag"),
    Rule("failed", lambda e: True, "{e.message}", "{e.hint}"),
)
