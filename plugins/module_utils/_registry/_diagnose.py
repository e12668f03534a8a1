# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From what is known of a failed pull to its cause and its fix. Pure. Private to the collection.

Artifactory gives one and the same 404 for a wrong URL, a dead pull token, token authentication switched off, an offline
repository, a negative cache and an image that does not exist. The rules that hold for other things as well are in
_diagnosis.py.
"""

from __future__ import annotations

import dataclasses
import fnmatch
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


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evidence(_diagnosis.Evidence):
    """What is known of one pull.

    stage: as in the outcome of a pull. problem: also platform; then missing and found name platforms.
    image: the name without repository key and tag.
    """

    image: str
    missing: str = ""
    found: str = ""

    @property
    def project(self) -> str:
        """What the repository puts before each name by itself."""
        return str(self.config.get("dockerProjectId") or "")


def diagnose(evidence: Evidence) -> Diagnosis:
    """Return the first cause that fits."""
    return first_match(RULES, evidence)


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
        has_problem("platform"),
        "The image has no {e.missing}; it has: {e.found}",
        "Ask for platforms that the image has, or for all",
    ),
    *UPSTREAM_QUESTION,
    Rule(
        "blob_host_unreachable",
        both(at_stage("blob"), unanswered(), lambda e: e.error_host != e.host),
        "Manifests come, but layers lie on {e.error_host}, and from there nothing comes: {e.message}",
        "Let {e.error_host} through the firewall and the proxy. {e.hint}",
    ),
    Rule(
        "blob_host_refuses",
        both(at_stage("blob"), has_problem("refused"), lambda e: e.error_host != e.host and not e.by_token_service),
        "Manifests come, but layers lie on {e.error_host}, which refuses them (status {e.status}): {e.said}",
        "Look for a proxy on the way that changes the request, and compare the clocks: such links end after minutes",
    ),
    *NO_ANSWER,
    # Answers that are not a registry's.
    Rule(
        "redirect_refused",
        refused(301, 302, 303, 307, 308),
        "{e.host} answers with {e.said}",
        "Mend the redirect in the proxy or the storage settings, or set registry_url to where the registry really is",
    ),
    Rule(
        "html_from_upstream",
        both(has_problem("html"), lambda e: e.config.get("blockMismatchingMimeTypes") is False),
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
        has_problem("schema1"),
        "The image has only a manifest of the old schema 1, which clients refuse",
        "Have the image built again",
    ),
    Rule(
        "wrong_content",
        has_problem("digest", "size", "content"),
        "What came is not what was promised: {e.message}",
        "Delete it from Artifactory's cache and pull again; "
        "if it stays, look for a proxy that changes or cuts contents. {e.hint}",
    ),
    # Clear words of Artifactory.
    Rule(
        "upstream_credentials",
        says("Invalid username/password configured for Remote", "Can't fetch token for repo"),
        "Upstream refuses the login that is stored in {e.repository}: {e.said}",
        "Store a new pull token in {e.repository}; its username is the identity's ID, and not an e-mail address",
    ),
    Rule(
        "mime_blocked",
        says("Mismatching mime types"),
        "Upstream sent {e.repository} a web page instead of an image: {e.said}",
        "Check the repository's url and the proxy between Artifactory and upstream. Leave blocking of MIME types on",
    ),
    Rule(
        "reverse_proxy",
        says("Unsupported docker v2 repository request"),
        "The reverse proxy does not tell Artifactory which repository is meant: {e.said}",
        "Use the repository path method (host/KEY/image), or mend how the proxy rewrites the host name",
    ),
    Rule(
        "upstream_misconfigured",
        says("Upstream repository is not configured properly"),
        "Artifactory cannot use the upstream of {e.repository}: {e.said}",
        "Check the repository's url, and that token authentication is on",
    ),
    *CLEAR_WORDS,
    # Login and permission.
    Rule(
        "login_missing",
        both(lambda e: e.anonymous, lambda e: refused(401)(e) or e.by_token_service),
        "{e.error_host} wants a login (status {e.status}): {e.said}",
        "Set username and password, or artifactory_username and artifactory_access_token",
    ),
    Rule(
        "login_refused",
        lambda e: refused(401)(e) or (refused(400, 403)(e) and e.by_token_service),
        "{e.error_host} refuses the login (status {e.status}): {e.said}",
        "Is the password or token wrong, expired, or of another server? Try docker login with the same",
    ),
    *PERMISSION,
    # The repository's configuration, which is known without a request through it.
    NO_REPOSITORY,
    Rule(
        "repository_type",
        configured(lambda e: e.package_type not in ("", "docker", "oci", "helmoci")),
        "{e.repository} is a repository for {e.package_type}, and not for Docker",
        "Use the key of a Docker repository; the type of one that exists cannot be changed",
    ),
    *SWITCHED_OFF,
    Rule(
        "url_has_path",
        configured(_has_path),
        "The url of {e.repository} has a path ({e.url}), which Artifactory ignores for Docker",
        "Set url to scheme and host alone, and write the organisation into the image's name",
    ),
    Rule(
        "token_authentication_off",
        configured(lambda e: e.config.get("enableTokenAuthentication") is False),
        "Token authentication is off in {e.repository}, so Artifactory cannot log in upstream",
        "Set enableTokenAuthentication to true, then {e.clear}",
    ),
    Rule(
        "excluded",
        configured(_is_excluded),
        "The include and exclude patterns of {e.repository} leave {e.image} out",
        "Set includesPattern to **/* and excludesPattern to nothing",
    ),
    Rule(
        "project_doubled",
        configured(lambda e: bool(e.project) and e.image.startswith(f"{e.project}/")),
        "{e.repository} puts {e.project} before each name by itself (dockerProjectId)",
        "Write the image without {e.project}/, or empty dockerProjectId",
    ),
    FORBIDDEN,
    # What upstream says.
    Rule(
        "private_without_login",
        both(upstream_refuses(401, 403), lacks_username),
        "{e.upstream_host} shows {e.image} to nobody without a login, so it is private or does not exist; "
        "and {e.repository} has no username",
        "Check the name. For a private image, use the repository with a pull token, or store one here and {e.clear}",
    ),
    Rule(
        "image_unknown",
        upstream_refuses(404),
        "{e.upstream_host} has no {e.asked} either: {e.upstream_said}",
        "Check organisation, name and tag",
    ),
    Rule(
        "image_not_allowed",
        both(upstream_refuses(400, 401, 403), lambda e: not e.upstream_anonymous),
        "{e.upstream_host} does not let upstream_username have {e.image} (status {e.upstream_status}): "
        "{e.upstream_said}",
        "The pull token has expired or was revoked, or the organisation does not have this image",
    ),
    Rule(
        "negative_cache",
        both(not_served, lambda e: e.upstream == "found" and e.stage == "manifest"),
        "{e.upstream_host} has the image and {e.place} does not: it remembers an earlier failure for {e.remembered}, "
        "takes upstream for offline, or has a login that upstream refuses",
        "Renew the pull token of {e.repository} if the image is private, then {e.clear}",
    ),
    # Caches that hide errors.
    *HIDDEN_BY_CACHE,
    Rule(
        "pinned_missing",
        at_stage("pinned"),
        "The tag has another digest than the one asked for, and that one cannot be had: {e.message}",
        "Check the digest; upstream may have removed it",
    ),
    # What is left.
    Rule(
        "not_from_upstream",
        configured(lambda e: e.status == 404),
        "{e.repository} does not get {e.asked} from upstream: it does not exist, it is private and the login stored "
        "is missing, dead or of another organisation, or an earlier failure is remembered for {e.remembered}",
        "Check the name and the pull token of {e.repository}, then {e.clear}; upstream_url would tell more",
    ),
    *SERVER,
    Rule(
        "not_served",
        lambda e: e.status == 404 and bool(e.repository),
        "{e.repository} does not have {e.asked}, or could not get it: {e.said}",
        "Check name and tag. With artifactory_url, its login and upstream_url, the cause can be told more exactly",
    ),
    Rule("not_found", lambda e: e.status == 404, "{e.host} does not have {e.asked}: {e.said}", "Check name and tag"),
    ANYTHING,
)
