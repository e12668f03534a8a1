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


OUTDATED = Rule(
    "outdated",
    lambda e: True,
    "The tag in the cache is older than upstream's, which could be pulled by its digest. "
    "Artifactory looks for a newer one after {e.metadata_cache_period}",
    "This is normal. To have it at once, expire {e.image} in the cache of {e.repository}",
)

RULES: tuple[Rule, ...] = (
    Rule(
        "platform_missing",
        has_problem("platform"),
        "The image has no {e.missing}; it has: {e.found}",
        "Ask for platforms that the image has, or for all",
    ),
    *UPSTREAM_COMPARISON,
    Rule(
        "blob_host_unreachable",
        all_of(at_stage("blob"), unanswered(), lambda e: e.error_host != e.host),
        "Manifests come, but layers lie on {e.error_host}, and from there nothing comes: {e.message}",
        "Let {e.error_host} through the firewall and the proxy. {e.hint}",
    ),
    Rule(
        "blob_host_denied",
        all_of(at_stage("blob"), has_problem("refused"), lambda e: e.error_host != e.host and not e.by_token_service),
        "Manifests come, but layers lie on {e.error_host}, which refuses them (status {e.status}): {e.response_message}",
        "Look for a proxy on the way that changes the request, and compare the clocks: such links end after minutes",
    ),
    *CONNECTION_RULES,
    # Answers that are not a registry's.
    Rule(
        "redirect_rejected",
        refused(301, 302, 303, 307, 308),
        "{e.host} answers with {e.response_message}",
        "Mend the redirect in the proxy or the storage settings, or set registry_url to where the registry really is",
    ),
    Rule(
        "html_from_upstream",
        all_of(has_problem("html"), lambda e: e.config.get("blockMismatchingMimeTypes") is False),
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
        "content_mismatch",
        has_problem("digest", "size", "content"),
        "What came is not what was promised: {e.message}",
        "Delete it from Artifactory's cache and pull again; "
        "if it stays, look for a proxy that changes or cuts contents. {e.hint}",
    ),
    # Clear words of Artifactory.
    Rule(
        "upstream_credentials",
        message_contains("Invalid username/password configured for Remote", "Can't fetch token for repo"),
        "Upstream refuses the login that is stored in {e.repository}: {e.response_message}",
        "Store a new pull token in {e.repository}; its username is the identity's ID, and not an e-mail address",
    ),
    Rule(
        "mime_blocked",
        message_contains("Mismatching mime types"),
        "Upstream sent {e.repository} a web page instead of an image: {e.response_message}",
        "Check the repository's url and the proxy between Artifactory and upstream. Leave blocking of MIME types on",
    ),
    Rule(
        "reverse_proxy",
        message_contains("Unsupported docker v2 repository request"),
        "The reverse proxy does not tell Artifactory which repository is meant: {e.response_message}",
        "Use the repository path method (host/KEY/image), or mend how the proxy rewrites the host name",
    ),
    Rule(
        "upstream_misconfigured",
        message_contains("Upstream repository is not configured properly"),
        "Artifactory cannot use the upstream of {e.repository}: {e.response_message}",
        "Check the repository's url, and that token authentication is on",
    ),
    *KNOWN_MESSAGES,
    # Login and permission.
    Rule(
        "unauthenticated",
        all_of(lambda e: e.anonymous, lambda e: refused(401)(e) or e.by_token_service),
        "{e.error_host} wants a login (status {e.status}): {e.response_message}",
        "Set username and password, or artifactory_username and artifactory_access_token",
    ),
    Rule(
        "credentials_rejected",
        lambda e: refused(401)(e) or (refused(400, 403)(e) and e.by_token_service),
        "{e.error_host} refuses the login (status {e.status}): {e.response_message}",
        "Is the password or token wrong, expired, or of another server? Try docker login with the same",
    ),
    *PERMISSION,
    # The repository's configuration, which is known without a request through it.
    NO_REPOSITORY,
    Rule(
        "repository_type",
        with_config(lambda e: e.package_type not in ("", "docker", "oci", "helmoci")),
        "{e.repository} is a repository for {e.package_type}, and not for Docker",
        "Use the key of a Docker repository; the type of one that exists cannot be changed",
    ),
    *REPOSITORY_DISABLED,
    Rule(
        "url_has_path",
        with_config(_has_path),
        "The url of {e.repository} has a path ({e.url}), which Artifactory ignores for Docker",
        "Set url to scheme and host alone, and write the organization into the image's name",
    ),
    Rule(
        "token_authentication_off",
        with_config(lambda e: e.config.get("enableTokenAuthentication") is False),
        "Token authentication is off in {e.repository}, so Artifactory cannot log in upstream",
        "Set enableTokenAuthentication to true, then {e.expire_text}",
    ),
    Rule(
        "excluded_by_pattern",
        with_config(_is_excluded),
        "The include and exclude patterns of {e.repository} leave {e.image} out",
        "Set includesPattern to **/* and excludesPattern to nothing",
    ),
    Rule(
        "project_prefix_doubled",
        with_config(lambda e: bool(e.project) and e.image.startswith(f"{e.project}/")),
        "{e.repository} puts {e.project} before each name by itself (dockerProjectId)",
        "Write the image without {e.project}/, or empty dockerProjectId",
    ),
    FORBIDDEN,
    # What upstream says.
    Rule(
        "repository_credentials_missing",
        all_of(upstream_refuses(401, 403), lacks_username),
        "{e.upstream_host} shows {e.image} to nobody without a login, so it is private or does not exist; "
        "and {e.repository} has no username",
        "Check the name. For a private image, use the repository with a pull token, or store one here and {e.expire_text}",
    ),
    Rule(
        "upstream_not_found",
        upstream_refuses(404),
        "{e.upstream_host} has no {e.requested_reference} either: {e.upstream_message}",
        "Check organization, name and tag",
    ),
    Rule(
        "upstream_access_denied",
        all_of(upstream_refuses(400, 401, 403), lambda e: not e.upstream_anonymous),
        "{e.upstream_host} does not let upstream_username have {e.image} (status {e.upstream_status}): "
        "{e.upstream_message}",
        "The pull token has expired or was revoked, or the organization does not have this image",
    ),
    Rule(
        "negative_cache",
        all_of(is_upstream_failure_response, lambda e: e.upstream == "found" and e.stage == "manifest"),
        "{e.upstream_host} has the image and {e.place} does not: it remembers an earlier failure for {e.negative_cache_period}, "
        "takes upstream for offline, or has a login that upstream refuses",
        "Renew the pull token of {e.repository} if the image is private, then {e.expire_text}",
    ),
    # Caches that hide errors.
    *MASKED_BY_CACHE,
    Rule(
        "pinned_missing",
        at_stage("pinned"),
        "The tag has another digest than the one asked for, and that one cannot be had: {e.message}",
        "Check the digest; upstream may have removed it",
    ),
    # What is left.
    Rule(
        "upstream_fetch_failed",
        with_config(lambda e: e.status == 404),
        "{e.repository} does not get {e.requested_reference} from upstream: it does not exist, it is private and the login stored "
        "is missing, dead or of another organization, or an earlier failure is remembered for {e.negative_cache_period}",
        "Check the name and the pull token of {e.repository}, then {e.expire_text}; upstream_url would tell more",
    ),
    *SERVER,
    Rule(
        "not_found",
        lambda e: e.status == 404 and bool(e.repository),
        "{e.repository} does not have {e.requested_reference}, or could not get it: {e.response_message}",
        "Check name and tag. With artifactory_url, its login and upstream_url, the cause can be told more exactly",
    ),
    Rule(
        "not_found",
        lambda e: e.status == 404,
        "{e.host} does not have {e.requested_reference}: {e.response_message}",
        "Check name and tag",
    ),
    FALLBACK,
)
