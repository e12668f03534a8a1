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
    ANYTHING,
    CLEAR_WORDS,
    FORBIDDEN,
    HIDDEN_BY_CACHE,
    NO_ANSWER,
    NO_REPOSITORY,
    PERMISSION,
    SERVER,
    SWITCHED_OFF,
    UPSTREAM_QUESTION,
    Diagnosis,
    Rule,
    at_stage,
    both,
    configured,
    first_match,
    has_problem,
    lacks_username,
    not_served,
    refused,
    says,
    unanswered,
    upstream_refuses,
)

# What Artifactory must do where upstream redirects each download to storage on another host. The page that a redirect
# comes with is HTML, the links are signed, and they work for GET alone.
REDIRECTED = {
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
        return {name: value for name, value in REDIRECTED.items() if self.config.get(name) not in (None, value)}

    @property
    def mend(self) -> str:
        """How to set the repository for upstreams that redirect."""
        settings = self.wrong_settings or REDIRECTED
        return "set " + ", ".join(f"{name} to {str(value).lower()}" for name, value in settings.items())

    @property
    def remove(self) -> str:
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
    return configured(lambda e: e.upstream == "found" and condition(e))


STALE = Rule(
    "stale",
    lambda e: True,
    "The index in the cache is older than upstream's, which has a newer version of {e.asked}. "
    "Artifactory looks for it after {e.looks_again}",
    "This is normal. To have it at once, expire the cache of {e.repository}",
)

RULES: tuple[Rule, ...] = (
    Rule(
        "differs",
        has_problem("differs"),
        "{e.message} {e.place} has another build of it in its cache, or gets it from elsewhere",
        "If {e.place} is virtual, look for a member that fetches from another upstream; otherwise {e.remove}",
    ),
    *UPSTREAM_QUESTION,
    Rule(
        "storage_unreachable",
        both(at_stage("file"), unanswered(), lambda e: e.error_host != e.host),
        "The index comes, but files lie on {e.error_host}, and from there nothing comes: {e.message}",
        "Let {e.error_host} through the firewall and the proxy. {e.hint}",
    ),
    *NO_ANSWER,
    # Answers that are not what they should be.
    Rule(
        "redirect_refused",
        refused(301, 302, 303, 307, 308),
        "{e.error_host} answers with {e.said}",
        "Mend the redirect in the proxy or the storage settings, or set artifactory_url to where Artifactory really is",
    ),
    Rule(
        "past_artifactory",
        has_problem("elsewhere"),
        "The index that {e.place} serves does not lead to files in it: {e.message}",
        "Check the Custom Base URL of Artifactory, and the settings of {e.place} that tell where files are",
    ),
    Rule(
        "redirect_kept",
        both(has_problem("kept_html", "html"), lambda e: bool(e.wrong_settings) and e.error_host == e.host),
        "{e.repository} holds a web page in place of {e.path}: it kept the redirect of upstream and not what it leads to",
        "In {e.repository}, {e.mend}. Then {e.remove}",
    ),
    Rule(
        "web_page_kept",
        has_problem("kept_html"),
        "{e.place} holds a web page in place of {e.path}, such as a redirect or a login that it met upstream",
        "Check that the settings fit an upstream that redirects ({e.mend}), then {e.remove}",
    ),
    Rule(
        "web_page",
        lambda e: (e.html and e.status < 500) or e.problem == "html",
        "{e.error_host} answers with a web page: a proxy, a login or another site stands where packages should be, "
        "or Artifactory kept the page of a redirect",
        "Check the URL, and the reverse proxy before Artifactory. If it is the page of a redirect, {e.remove}",
    ),
    Rule(
        "wrong_content",
        has_problem("digest", "size", "content"),
        "What came is not what was promised: {e.message}",
        "If it comes from the cache, {e.remove}. If it stays, look for a proxy that changes or cuts contents. {e.hint}",
    ),
    # Clear words.
    Rule(
        "mime_blocked",
        says("Mismatching mime types"),
        "{e.repository} refuses the redirect of upstream, since that comes as a web page: {e.said}",
        "In {e.repository}, {e.mend}",
    ),
    Rule(
        "upstream_credentials",
        says("Invalid username/password configured for Remote"),
        "Upstream refuses the login that is stored in {e.repository}: {e.said}",
        "Store a new pull token in {e.repository}; its username is the identity's ID, and not an e-mail address",
    ),
    *CLEAR_WORDS,
    Rule(
        "two_logins",
        says("Only one auth mechanism allowed"),
        "The login followed the redirect to storage, which refuses it: {e.said}",
        "Set allowAnyHostAuth to false in {e.repository}",
    ),
    # Login and permission.
    Rule(
        "login_missing",
        both(refused(401), lambda e: e.anonymous),
        "{e.error_host} wants a login (status {e.status}): {e.said}",
        "Set artifactory_access_token, or artifactory_username and artifactory_password",
    ),
    Rule(
        "login_refused",
        refused(401),
        "{e.error_host} refuses the login (status {e.status}): {e.said}",
        "Is the password or token wrong, expired, or of another server?",
    ),
    *PERMISSION,
    NO_REPOSITORY,
    Rule(
        "repository_type",
        configured(lambda e: e.package_type not in ("", e.wanted)),
        "{e.repository} is a repository for {e.package_type}, and not for {e.wanted}",
        "Use the key of another repository, or set package_type; the type of one that exists cannot be changed",
    ),
    *SWITCHED_OFF,
    # What upstream says.
    Rule(
        "blocked",
        lambda e: upstream_refuses(409)(e) or (upstream_refuses(403)(e) and "block" in e.upstream_said.lower()),
        "{e.upstream_host} blocks {e.asked} for this organisation: {e.upstream_said}",
        "Use another version or package, or ask who owns the policy at Chainguard",
    ),
    Rule(
        "upstream_token_refused",
        both(upstream_refuses(401), lambda e: not e.upstream_anonymous),
        "{e.upstream_host} does not take upstream_password: {e.upstream_said}",
        "The pull token has expired, was revoked, or is not for this ecosystem. Renew it, store it in {e.repository}, "
        "and {e.clear}",
    ),
    Rule(
        "not_entitled",
        both(upstream_refuses(403), lambda e: not e.upstream_anonymous),
        "{e.upstream_host} knows the login, but does not let it have {e.asked}: {e.upstream_said}",
        "The organisation has no entitlement for this ecosystem, or the pull token was made for another",
    ),
    Rule(
        "private_without_login",
        both(upstream_refuses(401, 403), lacks_username),
        "{e.upstream_host} shows {e.asked} to nobody without a login, and {e.repository} has no username",
        "Store a pull token in {e.repository}, then {e.clear}",
    ),
    Rule(
        "unknown_upstream",
        upstream_refuses(404, 410),
        "{e.upstream_host} has no {e.asked} either: {e.upstream_said}",
        "Check name and version",
    ),
    Rule(
        "other_source",
        _direct_works(_other_source),
        "{e.upstream_host} has {e.asked}, but {e.repository} fetches from {e.source}, and upstream_url is {e.upstream_url}",
        "Correct the url of {e.repository} (for pypi also pyPIRegistryUrl and pyPIRepositorySuffix), then {e.clear}",
    ),
    FORBIDDEN,
    Rule(
        "credentials_follow",
        _direct_works(lambda e: e.config.get("allowAnyHostAuth") is True),
        "{e.upstream_host} has {e.asked}, and {e.repository} does not get it: it sends its login on to the storage that "
        "upstream redirects to, which refuses that",
        "In {e.repository}, {e.mend}. Then {e.clear}",
    ),
    Rule(
        "redirect_settings",
        _direct_works(lambda e: bool(e.wrong_settings) and e.wanted != "alpine"),
        "{e.upstream_host} has {e.asked}, and {e.repository}, which does not get it, is not set for an upstream that "
        "redirects each download to storage",
        "In {e.repository}, {e.mend}. Then {e.clear}",
    ),
    Rule(
        "login_not_stored",
        _direct_works(lambda e: lacks_username(e) and not e.upstream_anonymous),
        "{e.upstream_host} has {e.asked} for upstream_username, and {e.repository} has no username",
        "Store the pull token in {e.repository}, then {e.clear}",
    ),
    Rule(
        "negative_cache",
        both(not_served, at_stage("index", "file"), lambda e: e.upstream == "found"),
        "{e.upstream_host} has {e.asked} and {e.place} does not: it remembers an earlier failure for {e.remembered}, "
        "takes upstream for offline, or has a login that upstream refuses",
        "Renew the pull token of {e.repository}, then {e.clear}",
    ),
    *HIDDEN_BY_CACHE,
    Rule(
        "outdated_index",
        both(has_problem("version"), lambda e: e.upstream == "found"),
        "{e.place} has an older index than {e.upstream_host}: it has no {e.missing} yet, but {e.found}",
        "Wait {e.looks_again}, or expire the cache of {e.repository}. If it stays, upstream refuses the login stored there",
    ),
    Rule(
        "version_missing",
        has_problem("version"),
        "The index of {e.place} has no {e.missing}; it has: {e.found}",
        "Check name and version. A version that is new upstream is seen after {e.looks_again}",
    ),
    *SERVER,
    Rule(
        "not_from_upstream",
        configured(lambda e: e.status == 404),
        "{e.repository} does not get it from {e.url}: it does not exist there, the login stored is missing, dead or "
        "not entitled, the package is blocked, or an earlier failure is remembered for {e.remembered}",
        "Check name, url and the pull token of {e.repository}, then {e.clear}; upstream_url would tell more",
    ),
    Rule(
        "blocked_or_conflicting",
        refused(409),
        "{e.error_host} refuses {e.asked} as blocked or in conflict: {e.said}",
        "Use another version or package, or ask who owns the policy",
    ),
    Rule(
        "not_served",
        lambda e: e.status in (404, 410),
        "{e.place} does not have {e.asked}, or could not get it: {e.said}",
        "Check name and version. With upstream_url and a login that may read the repository, more can be told",
    ),
    ANYTHING,
)
