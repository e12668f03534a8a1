# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From what is known of a failed pull of an artifact to its cause and its fix. Pure. Private to the collection.

The rules that hold for images as well are in _diagnosis.py.
"""

from __future__ import annotations

import dataclasses
import typing as t
from urllib.parse import urlsplit

from ansible_collections.cgr.pull_through.plugins.module_utils import _diagnosis
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis import (
    CONNECTION_RULES,
    FALLBACK,
    FORBIDDEN,
    KNOWN_MESSAGES,
    MASKED_BY_CACHE,
    NO_REPOSITORY,
    PERMISSION,
    REPOSITORY_DISABLED,
    SERVER,
    UPSTREAM_COMPARISON,
    Diagnosis,
    Rule,
    all_of,
    at_stage,
    first_match,
    has_problem,
    is_upstream_failure_response,
    lacks_username,
    message_contains,
    refused,
    unanswered,
    upstream_refuses,
    with_config,
)

# What Artifactory must do where upstream redirects each download to storage on another host. The page that a redirect
# comes with is HTML, the links are signed, and they work for GET alone.
REDIRECT_SETTINGS = {
    "allowAnyHostAuth": False,
    "bypassHeadRequests": True,
    "blockMismatchingMimeTypes": False,
    "disableUrlNormalization": True,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evidence(_diagnosis.Evidence):
    """What is known of one pull.

    stage: as in the outcome of a pull. problem: also version and differs.
    wanted: the type of package. path: what was asked for last, as it lies in the cache. upstream_url: as the user gave it.
    missing, found: versions.
    """

    wanted: str
    path: str = "its index"
    upstream_url: str = ""
    missing: str = ""
    found: str = ""

    @property
    def source(self) -> str:
        """Where the repository fetches its index from; empty if that is not known."""
        if self.wanted == "pypi" and self.config.get("pyPIRegistryUrl"):
            suffix = str(self.config.get("pyPIRepositorySuffix") or "simple")
            return f"{str(self.config['pyPIRegistryUrl']).rstrip('/')}/{suffix}"
        if self.wanted == "nuget" and self.config.get("v3FeedUrl"):
            return str(self.config["v3FeedUrl"])
        return self.url if self.wanted != "pypi" else ""

    @property
    def wrong_settings(self) -> dict[str, bool]:
        """What the repository should be set to instead, as far as it shows how it is set."""
        return {name: value for name, value in REDIRECT_SETTINGS.items() if self.config.get(name) not in (None, value)}

    @property
    def fix_text(self) -> str:
        """How to set the repository for upstreams that redirect."""
        settings = self.wrong_settings or REDIRECT_SETTINGS
        return "set " + ", ".join(f"{name} to {str(value).lower()}" for name, value in settings.items())

    @property
    def delete_text(self) -> str:
        """How to get rid of content that is wrong."""
        return (
            f"delete {self.path} from {self.repository}-cache "
            "(with cgr.pull_through.artifactory_repository_cache, or in the UI), and pull it again"
        )


def diagnose(evidence: Evidence) -> Diagnosis:
    """Return the first cause that fits."""
    return first_match(RULES, evidence)


def _other_source(e: Evidence) -> bool:
    """Whether the repository fetches from another path than the user compares with. Hosts can have several names."""
    paths = {urlsplit(url).path.rstrip("/").removesuffix("/index.json") for url in (e.source, e.upstream_url)}
    return bool(e.source and e.upstream_url) and len(paths) == 2


def _direct_works(condition: t.Callable[[t.Any], bool]) -> t.Callable[[t.Any], bool]:
    """Apply where the repository refuses what upstream serves to the module itself."""
    return with_config(lambda e: e.upstream == "found" and condition(e))


OUTDATED = Rule(
    "outdated",
    lambda e: True,
    "The index in the cache is older than upstream's, which has a newer version of {e.requested_reference}. "
    "Artifactory looks for it after {e.metadata_cache_period}",
    "This is normal. To have it at once, expire the cache of {e.repository}",
)

RULES: tuple[Rule, ...] = (
    Rule(
        "upstream_checksum_mismatch",
        has_problem("upstream_checksum_mismatch"),
        "{e.message} {e.place} has another build of it in its cache, or gets it from elsewhere",
        "If {e.place} is virtual, look for a member that fetches from another upstream; otherwise {e.delete_text}",
    ),
    *UPSTREAM_COMPARISON,
    Rule(
        "storage_unreachable",
        all_of(at_stage("file"), unanswered(), lambda e: e.error_host != e.host),
        "The index comes, but files lie on {e.error_host}, and from there nothing comes: {e.message}",
        "Let {e.error_host} through the firewall and the proxy. {e.hint}",
    ),
    *CONNECTION_RULES,
    # Answers that are not what they should be.
    Rule(
        "redirect_rejected",
        refused(301, 302, 303, 307, 308),
        "{e.error_host} answers with {e.response_message}",
        "Mend the redirect in the proxy or the storage settings, or set artifactory_url to where Artifactory really is",
    ),
    Rule(
        "bypasses_artifactory",
        has_problem("elsewhere"),
        "The index that {e.place} serves does not lead to files in it: {e.message}",
        "Check the Custom Base URL of Artifactory, and the settings of {e.place} that tell where files are",
    ),
    Rule(
        "redirect_cached",
        all_of(has_problem("kept_html", "html"), lambda e: bool(e.wrong_settings) and e.error_host == e.host),
        "{e.repository} holds a web page in place of {e.path}: it kept the redirect of upstream and not what it leads to",
        "In {e.repository}, {e.fix_text}. Then {e.delete_text}",
    ),
    Rule(
        "html_cached",
        has_problem("kept_html"),
        "{e.place} holds a web page in place of {e.path}, such as a redirect or a login that it met upstream",
        "Check that the settings fit an upstream that redirects ({e.fix_text}), then {e.delete_text}",
    ),
    Rule(
        "html_response",
        lambda e: (e.html and e.status < 500) or e.problem == "html",
        "{e.error_host} answers with a web page: a proxy, a login or another site stands where packages should be, "
        "or Artifactory kept the page of a redirect",
        "Check the URL, and the reverse proxy before Artifactory. If it is the page of a redirect, {e.delete_text}",
    ),
    Rule(
        "content_mismatch",
        has_problem("digest", "size", "content"),
        "What came is not what was promised: {e.message}",
        "If it comes from the cache, {e.delete_text}. If it stays, look for a proxy that changes or cuts contents. {e.hint}",
    ),
    # Clear words.
    Rule(
        "mime_blocked",
        message_contains("Mismatching mime types"),
        "{e.repository} refuses the redirect of upstream, since that comes as a web page: {e.response_message}",
        "In {e.repository}, {e.fix_text}",
    ),
    Rule(
        "upstream_credentials",
        message_contains("Invalid username/password configured for Remote"),
        "Upstream refuses the login that is stored in {e.repository}: {e.response_message}",
        "Store a new pull token in {e.repository}; its username is the identity's ID, and not an e-mail address",
    ),
    *KNOWN_MESSAGES,
    Rule(
        "duplicate_credentials",
        message_contains("Only one auth mechanism allowed"),
        "The login followed the redirect to storage, which refuses it: {e.response_message}",
        "Set allowAnyHostAuth to false in {e.repository}",
    ),
    # Login and permission.
    Rule(
        "unauthenticated",
        all_of(refused(401), lambda e: e.anonymous),
        "{e.error_host} wants a login (status {e.status}): {e.response_message}",
        "Set artifactory_access_token, or artifactory_username and artifactory_password",
    ),
    Rule(
        "credentials_rejected",
        refused(401),
        "{e.error_host} refuses the login (status {e.status}): {e.response_message}",
        "Is the password or token wrong, expired, or of another server?",
    ),
    Rule(
        "upstream_access_denied",
        all_of(refused(403), lambda e: not e.repository),
        "{e.error_host} knows the login, but does not let it have {e.requested_reference}: {e.response_message}",
        "The organization has no entitlement for this ecosystem, or the pull token was made for another",
    ),
    *PERMISSION,
    NO_REPOSITORY,
    Rule(
        "repository_type",
        with_config(lambda e: e.package_type not in ("", e.wanted)),
        "{e.repository} is a repository for {e.package_type}, and not for {e.wanted}",
        "Use the key of another repository, or set package_type; the type of one that exists cannot be changed",
    ),
    *REPOSITORY_DISABLED,
    # What upstream says.
    Rule(
        "blocked",
        lambda e: upstream_refuses(409)(e) or (upstream_refuses(403)(e) and "block" in e.upstream_message.lower()),
        "{e.upstream_host} blocks {e.requested_reference} for this organization: {e.upstream_message}",
        "Use another version or package, or ask who owns the policy at Chainguard",
    ),
    Rule(
        "upstream_credentials_rejected",
        all_of(upstream_refuses(401), lambda e: not e.upstream_anonymous),
        "{e.upstream_host} does not take upstream_password: {e.upstream_message}",
        "The pull token has expired, was revoked, or is not for this ecosystem. Renew it, store it in {e.repository}, "
        "and {e.expire_text}",
    ),
    Rule(
        "upstream_access_denied",
        all_of(upstream_refuses(403), lambda e: not e.upstream_anonymous),
        "{e.upstream_host} knows the login, but does not let it have {e.requested_reference}: {e.upstream_message}",
        "The organization has no entitlement for this ecosystem, or the pull token was made for another",
    ),
    Rule(
        "repository_credentials_missing",
        all_of(upstream_refuses(401, 403), lacks_username),
        "{e.upstream_host} shows {e.requested_reference} to nobody without a login, and {e.repository} has no username",
        "Store a pull token in {e.repository}, then {e.expire_text}",
    ),
    Rule(
        "upstream_not_found",
        upstream_refuses(404, 410),
        "{e.upstream_host} has no {e.requested_reference} either: {e.upstream_message}",
        "Check name and version",
    ),
    Rule(
        "upstream_url_mismatch",
        _direct_works(_other_source),
        "{e.upstream_host} has {e.requested_reference}, but {e.repository} fetches from {e.source}, and upstream_url is {e.upstream_url}",
        "Correct the url of {e.repository} (for pypi also pyPIRegistryUrl and pyPIRepositorySuffix), then {e.expire_text}",
    ),
    FORBIDDEN,
    Rule(
        "credentials_forwarded",
        _direct_works(lambda e: e.config.get("allowAnyHostAuth") is True),
        "{e.upstream_host} has {e.requested_reference}, and {e.repository} does not get it: it sends its login on to the storage that "
        "upstream redirects to, which refuses that",
        "In {e.repository}, {e.fix_text}. Then {e.expire_text}",
    ),
    Rule(
        "redirect_settings",
        _direct_works(lambda e: bool(e.wrong_settings) and e.wanted != "alpine"),
        "{e.upstream_host} has {e.requested_reference}, and {e.repository}, which does not get it, is not set for an upstream that "
        "redirects each download to storage",
        "In {e.repository}, {e.fix_text}. Then {e.expire_text}",
    ),
    Rule(
        "repository_credentials_missing",
        _direct_works(lambda e: lacks_username(e) and not e.upstream_anonymous),
        "{e.upstream_host} has {e.requested_reference} for upstream_username, and {e.repository} has no username",
        "Store the pull token in {e.repository}, then {e.expire_text}",
    ),
    Rule(
        "negative_cache",
        all_of(is_upstream_failure_response, at_stage("index", "file"), lambda e: e.upstream == "found"),
        "{e.upstream_host} has {e.requested_reference} and {e.place} does not: it remembers an earlier failure for {e.negative_cache_period}, "
        "takes upstream for offline, or has a login that upstream refuses",
        "Renew the pull token of {e.repository}, then {e.expire_text}",
    ),
    *MASKED_BY_CACHE,
    Rule(
        "outdated_index",
        all_of(has_problem("version"), lambda e: e.upstream == "found"),
        "{e.place} has an older index than {e.upstream_host}: it has no {e.missing} yet, but {e.found}",
        "Wait {e.metadata_cache_period}, or expire the cache of {e.repository}. If it stays, upstream refuses the login stored there",
    ),
    Rule(
        "version_missing",
        has_problem("version"),
        "The index of {e.place} has no {e.missing}; it has: {e.found}",
        "Check name and version. A version that is new upstream is seen after {e.metadata_cache_period}",
    ),
    *SERVER,
    Rule(
        "upstream_fetch_failed",
        with_config(lambda e: e.status == 404),
        "{e.repository} does not get it from {e.url}: it does not exist there, the login stored is missing, dead or "
        "not entitled, the package is blocked, or an earlier failure is remembered for {e.negative_cache_period}",
        "Check name, url and the pull token of {e.repository}, then {e.expire_text}; upstream_url would tell more",
    ),
    Rule(
        "blocked",
        refused(409),
        "{e.error_host} refuses {e.requested_reference} as blocked or in conflict: {e.response_message}",
        "Use another version or package, or ask who owns the policy",
    ),
    Rule(
        "not_found",
        lambda e: e.status in (404, 410),
        "{e.place} does not have {e.requested_reference}, or could not get it: {e.response_message}",
        "Check name and version. With upstream_url and a login that may read the repository, more can be told",
    ),
    FALLBACK,
)
