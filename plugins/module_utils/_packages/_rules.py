# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Diagnosis rules for artifacts. No I/O. Private to the collection.

Rules that images share are in _diagnosis/_pull_rules.py.
"""

from __future__ import annotations

import dataclasses
from urllib.parse import urlsplit

from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._pull_rules import (
    CONNECTION_RULES,
    FALLBACK,
    FORBIDDEN,
    KNOWN_MESSAGES,
    MASKED_BY_CACHE,
    PERMISSION,
    REPOSITORY_DISABLED,
    REPOSITORY_MISSING,
    SERVER,
    UPSTREAM_COMPARISON,
    Condition,
    Diagnosis,
    Evidence,
    Rule,
    all_of,
    at_stage,
    first_match,
    has_no_response,
    has_problem,
    has_status,
    is_upstream_failure_response,
    lacks_credentials,
    message_contains,
    upstream_has_status,
    with_config,
)

# For an upstream that redirects each download to storage on another host: its redirects are HTML, and its links are
# signed and valid for GET only.
REDIRECT_SETTINGS = {
    "allowAnyHostAuth": False,
    "bypassHeadRequests": True,
    "blockMismatchingMimeTypes": False,
    "disableUrlNormalization": True,
}

# The policies of Chainguard Libraries, by the reason in its responses.
_POLICIES = {
    "POLICY_ORG_BLOCKLIST": "the blocklist of the organization",
    "POLICY_COOLDOWN": "the cooldown for new versions",
    "MALWARE_DETECTED": "the malware detection",
}
_POLICY_FIX = "Use another version or package, or ask the owner of the policy at Chainguard"
_POLICY_FIXES = {
    "POLICY_COOLDOWN": "Use an older version, or wait until the cooldown is over, which takes seven days by default",
    "MALWARE_DETECTED": "Use another version or package, and check where this version is installed already",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class ArtifactEvidence(Evidence):
    """What is known about one pull of an artifact.

    package_type: of the artifact. path: of the last request, as a path in the cache. upstream_url: as the user set it.
    missing_version, available_versions: of the problem version_missing.
    """

    package_type: str
    path: str = "the index"
    upstream_url: str = ""
    missing_version: str = ""
    available_versions: str = ""

    @property
    def is_direct_error_page(self) -> bool:
        """Whether a server other than Artifactory responded with an HTML page that says what is wrong."""
        return self.failure.is_html and 400 <= self.failure.status < 500 and not self.repository

    @property
    def policy(self) -> str:
        """The policy that blocks the artifact, as the subject of a sentence."""
        code = self.upstream.code or self.failure.code
        return f"{_POLICIES.get(code, 'a policy')} ({code})" if code else "a policy"

    @property
    def is_blocked_upstream(self) -> bool:
        """Whether the response of the upstream is about a policy."""
        return bool(self.upstream.code) or "block" in self.upstream.message.lower()

    @property
    def policy_fix(self) -> str:
        """What to do about the policy."""
        return _POLICY_FIXES.get(self.upstream.code or self.failure.code, _POLICY_FIX)

    @property
    def index_url(self) -> str:
        """The URL that the repository fetches its index from; empty if it is not known."""
        if self.package_type == "pypi" and self.settings.get("pyPIRegistryUrl"):
            suffix = str(self.settings.get("pyPIRepositorySuffix") or "simple")
            return f"{str(self.settings['pyPIRegistryUrl']).rstrip('/')}/{suffix}"
        if self.package_type == "nuget" and self.settings.get("v3FeedUrl"):
            return str(self.settings["v3FeedUrl"])
        return self.remote_url if self.package_type != "pypi" else ""

    @property
    def wrong_settings(self) -> dict[str, bool]:
        """The correct values of the redirect settings that are wrong. Settings that cannot be read do not count."""
        return {
            name: value for name, value in REDIRECT_SETTINGS.items() if self.settings.get(name) not in (None, value)
        }

    @property
    def fix_text(self) -> str:
        """How to correct the redirect settings, as a part of a sentence."""
        settings = self.wrong_settings or REDIRECT_SETTINGS
        return "set " + ", ".join(f"{name} to {str(value).lower()}" for name, value in settings.items())

    @property
    def delete_text(self) -> str:
        """How to delete wrong content from the cache, as a part of a sentence."""
        return (
            f"delete {self.path} from {self.repository}-cache "
            "(with cgr.pull_through.artifactory_repository_cache or in the UI), and pull it again"
        )


def diagnose(evidence: ArtifactEvidence) -> Diagnosis:
    """Return the diagnosis of the first rule that applies."""
    return first_match(RULES, evidence)


def _has_other_upstream(e: ArtifactEvidence) -> bool:
    """Return whether the repository fetches from another path than upstream_url. One host can have several names."""
    paths = {urlsplit(url).path.rstrip("/").removesuffix("/index.json") for url in (e.index_url, e.upstream_url)}
    return bool(e.index_url and e.upstream_url) and len(paths) == 2


def _if_only_upstream_works(condition: Condition[ArtifactEvidence]) -> Condition[ArtifactEvidence]:
    """Restrict a condition to downloads that fail through the repository and work directly from the upstream."""
    return with_config(lambda e: e.upstream.state == "available" and condition(e))


def _has_other_length(e: ArtifactEvidence) -> bool:
    """Return whether a response of Artifactory was too short or too long, and it sends HEAD before it fetches a file."""
    is_cut = has_no_response("ReadTimeoutError", "closed the connection")(e) or has_problem(
        "digest", "size", "content"
    )(e)
    sends_head = e.package_type != "alpine" and e.settings.get("bypassHeadRequests") is False
    return is_cut and sends_head and e.failure.host == e.host


# Not a rule for failures: for a pull that succeeded with an outdated index.
OUTDATED: Rule[ArtifactEvidence] = Rule(
    "outdated",
    lambda e: True,
    "The index in the cache is older than the index upstream, which has a newer version of {e.requested_reference}. "
    "Artifactory checks for a newer one after {e.metadata_cache_period}",
    "This is normal. To get the newer version now, expire the cache of {e.repository}",
)

RULES: tuple[Rule[ArtifactEvidence], ...] = (
    Rule(
        "upstream_checksum_mismatch",
        has_problem("upstream_checksum_mismatch"),
        "{failure.message} Either the copy in the cache of {e.location} is older than the build that the upstream pins "
        "for this version now, or the cache is wrong, for example because {e.location} fetches from another upstream",
        "Find out which of both files is expected, for example from a lock file. If it is the upstream's, {e.delete_text}. "
        "If {e.location} is virtual, check whether a member fetches from another upstream",
    ),
    *UPSTREAM_COMPARISON,
    Rule(
        "storage_unreachable",
        all_of(at_stage("file"), has_no_response(), lambda e: e.failure.host != e.host),
        "The index can be pulled, but files are stored on {failure.host}, which does not respond: {failure.message}",
        "Allow connections to {failure.host} in the firewall and the proxy. {failure.hint}",
    ),
    Rule(
        "head_length",
        _has_other_length,
        "bypassHeadRequests is false in {e.repository}. If the upstream responds to HEAD and GET with different lengths, "
        "Artifactory announces that of HEAD for {e.path}, and clients wait for the rest or get a part: {failure.message}",
        "In {e.repository}, set bypassHeadRequests to true. Then {e.delete_text}. If that does not help, check for a proxy or a "
        "load balancer between this host and {failure.host}. {failure.hint}",
        "possible",
    ),
    *CONNECTION_RULES,
    # Unexpected responses.
    Rule(
        "redirect_rejected",
        has_status(301, 302, 303, 307, 308),
        "{failure.host} responded with {failure.response_message}",
        "Fix the redirect in the proxy or in the storage settings, or set artifactory_url to the actual URL of Artifactory",
    ),
    Rule(
        "bypasses_artifactory",
        has_problem("outside_repository"),
        "The index of {e.location} links to files outside of {e.location}: {failure.message}",
        "Check the Custom Base URL of Artifactory, and the settings of {e.location} for the location of files",
    ),
    Rule(
        "redirect_cached",
        all_of(has_problem("html_cached", "html"), lambda e: bool(e.wrong_settings) and e.failure.host == e.host),
        "{e.repository} has cached an HTML page instead of {e.path}, possibly the redirect of the upstream and not its target: its "
        "settings differ from those that Chainguard's guides name",
        "In {e.repository}, {e.fix_text}. Then {e.delete_text}",
        "likely",
    ),
    Rule(
        "html_cached",
        has_problem("html_cached"),
        "{e.location} has cached an HTML page instead of {e.path}, such as a redirect or a login page of the upstream",
        "Check the settings for an upstream that redirects ({e.fix_text}), then {e.delete_text}",
    ),
    Rule(
        "credentials_rejected",
        all_of(has_status(401), lambda e: e.is_direct_error_page and not e.anonymous),
        "{failure.host} rejected the credentials (status {failure.status}): {failure.response_message}",
        "Check that the password or token is correct, is not expired, and belongs to this server",
    ),
    Rule(
        "not_found",
        lambda e: not e.repository and e.failure.status in (404, 410),
        "{failure.host} does not have {e.requested_reference}: {failure.response_message}",
        "Check the name and version, and the URL",
        "likely",
    ),
    Rule(
        "html_response",
        lambda e: e.is_direct_error_page,
        "{failure.host} responded with {failure.response_message} (status {failure.status}), from the package server or a proxy",
        "Check upstream_url, and that upstream_username and upstream_password are correct",
        "likely",
    ),
    Rule(
        "html_response",
        lambda e: (e.failure.is_html and e.failure.status < 500) or e.failure.problem == "html",
        "{failure.host} responded with an HTML page, probably from a proxy, a login page, another site, or a redirect "
        "that Artifactory has cached",
        "Check the URL, and the reverse proxy in front of Artifactory. If the page is a redirect, {e.delete_text}",
        "likely",
    ),
    Rule(
        "content_mismatch",
        has_problem("digest", "size", "content"),
        "The downloaded content is not valid: {failure.message}",
        "If it comes from the cache, the copy can be older than the index, because the upstream has replaced the build, or "
        "wrong: {e.delete_text}. If that does not help, check for a proxy that modifies or truncates content. {failure.hint}",
        "likely",
    ),
    # Known error messages.
    Rule(
        "mime_blocked",
        message_contains("Mismatching mime types"),
        "{e.repository} blocks the redirects of the upstream, because they are HTML pages: {failure.response_message}",
        "In {e.repository}, {e.fix_text}",
    ),
    Rule(
        "upstream_credentials",
        message_contains("Invalid username/password configured for Remote"),
        "The upstream rejects the credentials stored in {e.repository}: {failure.response_message}",
        "Store a new pull token in {e.repository}. Its username is the ID of the identity, not an email address",
    ),
    *KNOWN_MESSAGES,
    Rule(
        "duplicate_credentials",
        message_contains("Only one auth mechanism allowed"),
        "The redirect to storage was followed with the credentials, which the storage rejects: "
        "{failure.response_message}",
        "Set allowAnyHostAuth to false in {e.repository}",
    ),
    # Authentication and permissions.
    Rule(
        "unauthenticated",
        all_of(has_status(401), lambda e: e.anonymous),
        "{failure.host} requires authentication (status {failure.status}): {failure.response_message}",
        "Set artifactory_access_token, or artifactory_username and artifactory_password",
    ),
    Rule(
        "credentials_rejected",
        has_status(401),
        "{failure.host} rejected the credentials (status {failure.status}): {failure.response_message}",
        "Check that the password or token is correct, is not expired, and belongs to this server",
    ),
    Rule(
        "blocked",
        all_of(has_status(403, 409), lambda e: e.failure.code in _POLICIES or e.failure.code.startswith("POLICY_")),
        "{failure.host} does not serve {e.requested_reference}, because {e.policy} blocks it: {failure.response_message}",
        "{e.policy_fix}",
    ),
    Rule(
        "upstream_access_denied",
        all_of(has_status(403), lambda e: not e.repository),
        "{failure.host} accepts the credentials, but denies access to {e.requested_reference}: "
        "{failure.response_message}",
        "Check that the organization is entitled to this ecosystem, and that the pull token was issued for it",
    ),
    *PERMISSION,
    # The configuration of the repository.
    REPOSITORY_MISSING,
    Rule(
        "repository_type",
        with_config(lambda e: e.repository_type not in ("", e.package_type)),
        "{e.repository} is a repository for {e.repository_type}, not for {e.package_type}",
        "Use the key of another repository, or set package_type; the type of an existing repository cannot be changed",
    ),
    *REPOSITORY_DISABLED,
    Rule(
        "excluded_by_pattern",
        all_of(at_stage("file"), with_config(lambda e: e.is_excluded([e.path]))),
        "The include and exclude patterns of {e.repository} exclude {e.path}",
        "Set includesPattern to **/* and excludesPattern to an empty string",
        "likely",
    ),
    # The response of the upstream.
    Rule(
        "blocked",
        lambda e: upstream_has_status(409)(e) or (upstream_has_status(403)(e) and e.is_blocked_upstream),
        "{upstream.host} does not serve {e.requested_reference} to this organization, because {e.policy} blocks it: "
        "{upstream.message}",
        "{e.policy_fix}",
    ),
    Rule(
        "upstream_credentials_rejected",
        all_of(upstream_has_status(401), lambda e: not e.upstream.anonymous),
        "{upstream.host} rejects upstream_username and upstream_password: {upstream.message}",
        "The pull token has expired, was revoked, or is not for this ecosystem: rotate it, store the new one in "
        "{e.repository}, and {e.expire_text}",
    ),
    Rule(
        "upstream_access_denied",
        all_of(upstream_has_status(403), lambda e: not e.upstream.anonymous),
        "{upstream.host} accepts the credentials, but denies access to {e.requested_reference}: {upstream.message}",
        "Check that the organization is entitled to this ecosystem, and that the pull token was issued for it",
    ),
    Rule(
        "repository_credentials_missing",
        all_of(upstream_has_status(401, 403), lacks_credentials),
        "{upstream.host} requires authentication for {e.requested_reference}, and {e.repository} has no username",
        "Store a pull token in {e.repository}, then {e.expire_text}",
    ),
    Rule(
        "upstream_not_found",
        upstream_has_status(404, 410),
        "{upstream.host} does not have {e.requested_reference} either: {upstream.message}",
        "Check the name and version",
    ),
    Rule(
        "upstream_url_mismatch",
        _if_only_upstream_works(_has_other_upstream),
        "{upstream.host} has {e.requested_reference}, but {e.repository} fetches from {e.index_url}, while "
        "upstream_url is {e.upstream_url}",
        "Correct the url of {e.repository} (for pypi also pyPIRegistryUrl and pyPIRepositorySuffix), "
        "then {e.expire_text}",
    ),
    FORBIDDEN,
    Rule(
        "credentials_forwarded",
        _if_only_upstream_works(lambda e: e.settings.get("allowAnyHostAuth") is True),
        "{upstream.host} has {e.requested_reference}, but {e.repository} cannot fetch it: it forwards its credentials "
        "to the storage that the upstream redirects to, which rejects them",
        "In {e.repository}, {e.fix_text}. Then {e.expire_text}",
        "likely",
    ),
    Rule(
        "redirect_settings",
        _if_only_upstream_works(lambda e: bool(e.wrong_settings) and e.package_type != "alpine"),
        "{upstream.host} has {e.requested_reference}, but {e.repository} cannot fetch it, possibly because its settings differ "
        "from those that Chainguard's guides name for an upstream that redirects each download to storage",
        "In {e.repository}, {e.fix_text}. Then {e.expire_text}",
        "possible",
    ),
    Rule(
        "repository_credentials_missing",
        _if_only_upstream_works(lambda e: lacks_credentials(e) and not e.upstream.anonymous),
        "{upstream.host} serves {e.requested_reference} to upstream_username, but {e.repository} has no username",
        "Store the pull token in {e.repository}, then {e.expire_text}",
    ),
    Rule(
        "negative_cache",
        all_of(is_upstream_failure_response, at_stage("index", "file"), lambda e: e.upstream.state == "available"),
        "{upstream.host} has {e.requested_reference}, but {e.location} does not serve it: it caches an earlier failure "
        "for {e.negative_cache_period}, treats the upstream as offline, or has credentials that the upstream rejects",
        "Rotate the pull token of {e.repository}, then {e.expire_text}",
        "possible",
    ),
    *MASKED_BY_CACHE,
    Rule(
        "outdated_index",
        all_of(has_problem("version_missing"), lambda e: e.upstream.state == "available"),
        "The index of {e.location} is older than the index of {upstream.host}: it does not have {e.missing_version} "
        "yet. Available: {e.available_versions}",
        "Wait {e.metadata_cache_period}, or expire the cache of {e.repository}. If that does not help, the upstream "
        "rejects the credentials stored in {e.repository}",
        "likely",
    ),
    Rule(
        "version_missing",
        has_problem("version_missing"),
        "The index of {e.location} does not have {e.missing_version}. Available: {e.available_versions}",
        "Check the name and version. A new version of the upstream is available after {e.metadata_cache_period}. A version "
        "that a policy of the upstream blocks is not in the index either",
        "likely",
    ),
    *SERVER,
    Rule(
        "upstream_fetch_failed",
        with_config(lambda e: e.failure.status == 404),
        "{e.repository} could not fetch it from {e.remote_url}: it does not exist there, the stored credentials are "
        "missing, expired, or not entitled to it, it is blocked, or an earlier failure is cached for "
        "{e.negative_cache_period}",
        "Check the name, the url, and the pull token of {e.repository}, then {e.expire_text}. "
        "Set upstream_url for a more precise diagnosis",
        "possible",
    ),
    Rule(
        "blocked",
        has_status(409),
        "{failure.host} does not serve {e.requested_reference}, because it is blocked or in conflict: "
        "{failure.response_message}",
        "Use another version or package, or ask the owner of the policy",
    ),
    Rule(
        "not_found",
        lambda e: e.failure.status in (404, 410),
        "{e.location} does not have {e.requested_reference}, or could not fetch it: {failure.response_message}",
        "Check the name and version. Set upstream_url, and credentials that can read the configuration of the "
        "repository, for a more precise diagnosis",
        "possible",
    ),
    FALLBACK,
)
