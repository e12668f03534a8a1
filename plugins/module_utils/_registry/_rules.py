# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Diagnosis rules for images. No I/O. Private to the collection.

Artifactory returns the same 404 for a wrong URL, an expired pull token, disabled token authentication, an offline
repository, a negative cache, and an image that does not exist. Rules that artifacts share are in _diagnosis/_pull_rules.py.
"""

from __future__ import annotations

import dataclasses
import typing as t
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
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._auth import CREDENTIALS_WITHHELD


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageEvidence(Evidence):
    """What is known about one pull of an image.

    image: the name without repository key and tag. manifest_paths: where the cache can have its manifest.
    missing_platforms, available_platforms: of the problem platform_missing.
    """

    image: str
    manifest_paths: t.Sequence[str] = ()
    missing_platforms: str = ""
    available_platforms: str = ""

    @property
    def project(self) -> str:
        """The prefix that the repository adds to each image name."""
        return str(self.settings.get("dockerProjectId") or "")


def diagnose(evidence: ImageEvidence) -> Diagnosis:
    """Return the diagnosis of the first rule that applies."""
    return first_match(RULES, evidence)


def _has_path(e: Evidence) -> bool:
    path = urlsplit(e.remote_url).path.strip("/")
    return bool(path) and not path.startswith("artifactory/api/docker/")


def _has_other_public_tag(e: ImageEvidence) -> bool:
    """Return whether a public image was requested without credentials by a tag that is not one of the newest build."""
    is_public = e.upstream.anonymous and e.image.startswith("chainguard/")
    tag = e.requested_reference.rpartition("/")[2].partition(":")[2]
    return is_public and "@" not in e.requested_reference and tag not in ("", "latest", "latest-dev")


def _is_from_other_host(e: Evidence) -> bool:
    return e.failure.host != e.host


# Not a rule for failures: for a pull that succeeded with an outdated tag.
OUTDATED: Rule[ImageEvidence] = Rule(
    "outdated",
    lambda e: True,
    "The tag in the cache is older than the tag upstream, which can be pulled by its digest. "
    "Artifactory checks for a newer one after {e.metadata_cache_period}",
    "This is normal. To get the newer image now, expire {e.image} in the cache of {e.repository}",
)

RULES: tuple[Rule[ImageEvidence], ...] = (
    Rule(
        "platform_missing",
        has_problem("platform_missing"),
        "The image is not available for {e.missing_platforms}. Available: {e.available_platforms}",
        "Set platforms to platforms that the image has, or to all",
    ),
    *UPSTREAM_COMPARISON,
    Rule(
        "blob_host_unreachable",
        all_of(at_stage("blob"), has_no_response(), _is_from_other_host),
        "Manifests can be pulled, but layers are stored on {failure.host}, which does not respond: {failure.message}",
        "Allow connections to {failure.host} in the firewall and the proxy. {failure.hint}",
    ),
    Rule(
        "blob_host_denied",
        all_of(
            at_stage("blob"),
            has_problem("error_response"),
            _is_from_other_host,
            lambda e: not e.failure.is_token_service,
        ),
        "Manifests can be pulled, but layers are stored on {failure.host}, which denies access "
        "(status {failure.status}): {failure.response_message}",
        "Check for a proxy that modifies the request, and compare the clocks: signed links expire after minutes",
        "likely",
    ),
    *CONNECTION_RULES,
    Rule(
        "credentials_withheld",
        lambda e: e.failure.code == CREDENTIALS_WITHHELD,
        "{e.host} requires credentials (status {failure.status}), but {failure.response_message}",
        "If that host is the token service of {e.host}, add it to token_service_hosts",
    ),
    # Responses that are not from a registry.
    Rule(
        "redirect_rejected",
        has_status(301, 302, 303, 307, 308),
        "{e.host} responded with {failure.response_message}",
        "Fix the redirect in the proxy or in the storage settings, or set registry_url to the actual URL of the registry",
    ),
    Rule(
        "html_from_upstream",
        all_of(has_problem("html"), lambda e: e.settings.get("blockMismatchingMimeTypes") is False),
        "{e.repository} serves an HTML page as an image, because blocking of mismatching MIME types is off",
        "Set blockMismatchingMimeTypes to true, delete {e.image} from {e.repository}-cache, and check the url of "
        "{e.repository}",
    ),
    Rule(
        "not_a_registry",
        lambda e: (e.failure.is_html and e.failure.status < 500) or e.failure.problem == "html",
        "{failure.host} responded with an HTML page, probably from a proxy, a login page, or another site",
        "Check registry_url (scheme, host, and port, as for docker login), "
        "and check that the reverse proxy forwards /v2/ to Artifactory",
        "likely",
    ),
    # Invalid content.
    Rule(
        "schema1",
        has_problem("schema1"),
        "The image has only a manifest of the outdated schema 1, which clients reject",
        "Rebuild the image with a current tool",
    ),
    Rule(
        "content_mismatch",
        has_problem("digest", "size", "content"),
        "The downloaded content is not valid: {failure.message}",
        "Delete it from the cache of Artifactory and pull it again. "
        "If that does not help, check for a proxy that modifies or truncates content. {failure.hint}",
        "likely",
    ),
    # Known error messages of Artifactory.
    Rule(
        "upstream_credentials",
        message_contains("Invalid username/password configured for Remote", "Can't fetch token for repo"),
        "The upstream rejects the credentials stored in {e.repository}: {failure.response_message}",
        "Store a new pull token in {e.repository}. Its username is the ID of the identity, not an email address",
    ),
    Rule(
        "mime_blocked",
        message_contains("Mismatching mime types"),
        "The upstream sent {e.repository} an HTML page instead of an image: {failure.response_message}",
        "Check the url of {e.repository} and the proxy between Artifactory and the upstream. "
        "Leave blockMismatchingMimeTypes set to true",
    ),
    Rule(
        "reverse_proxy",
        message_contains("Unsupported docker v2 repository request"),
        "The request that the reverse proxy forwards does not name a repository of Artifactory: "
        "{failure.response_message}",
        "Use the repository path method (host/KEY/image), or fix how the reverse proxy rewrites the host name",
    ),
    Rule(
        "upstream_misconfigured",
        message_contains("Upstream repository is not configured properly"),
        "Artifactory cannot use the upstream of {e.repository}: {failure.response_message}",
        "Check the url of {e.repository}, and check that enableTokenAuthentication is true",
        "likely",
    ),
    *KNOWN_MESSAGES,
    # Authentication and permissions.
    Rule(
        "unauthenticated",
        all_of(lambda e: e.anonymous, lambda e: has_status(401)(e) or e.failure.is_token_service),
        "{failure.host} requires authentication (status {failure.status}): {failure.response_message}",
        "Set username and password, or artifactory_username and artifactory_access_token",
    ),
    Rule(
        "credentials_rejected",
        lambda e: has_status(401)(e) or (has_status(400, 403)(e) and e.failure.is_token_service),
        "{failure.host} rejected the credentials (status {failure.status}): {failure.response_message}",
        "Check that the password or token is correct, is not expired, and belongs to this server. "
        "Try docker login with the same credentials",
    ),
    *PERMISSION,
    # The configuration of the repository.
    REPOSITORY_MISSING,
    Rule(
        "repository_type",
        with_config(lambda e: e.repository_type not in ("", "docker", "oci", "helmoci")),
        "{e.repository} is a repository for {e.repository_type}, not for Docker",
        "Use the key of a Docker repository; the type of an existing repository cannot be changed",
    ),
    *REPOSITORY_DISABLED,
    Rule(
        "url_has_path",
        with_config(_has_path),
        "The url of {e.repository} has a path ({e.remote_url}), which Artifactory ignores for Docker",
        "Set url to scheme and host only, and write the organization into the image name",
    ),
    Rule(
        "token_authentication_off",
        with_config(lambda e: e.settings.get("enableTokenAuthentication") is False),
        "Token authentication is off in {e.repository}, so Artifactory cannot authenticate with the upstream",
        "Set enableTokenAuthentication to true, then {e.expire_text}",
    ),
    Rule(
        "excluded_by_pattern",
        with_config(lambda e: e.is_excluded(e.manifest_paths)),
        "The include and exclude patterns of {e.repository} exclude {e.requested_reference}; the tag is a part of the path",
        "Set includesPattern to **/* and excludesPattern to an empty string",
    ),
    Rule(
        "project_prefix_doubled",
        with_config(lambda e: bool(e.project) and e.image.startswith(f"{e.project}/")),
        "{e.repository} adds {e.project}/ to each image name (dockerProjectId), so the requested name has it twice",
        "Write the image name without {e.project}/, or clear dockerProjectId",
    ),
    FORBIDDEN,
    # The response of the upstream.
    Rule(
        "repository_credentials_missing",
        all_of(upstream_has_status(401, 403), lacks_credentials),
        "{upstream.host} requires authentication for {e.image}, so the image is private or does not exist, "
        "and {e.repository} has no username",
        "Check the image name. For a private image, use a repository that has a pull token, or store one in "
        "{e.repository} and {e.expire_text}",
        "likely",
    ),
    Rule(
        "tag_requires_pull_token",
        all_of(upstream_has_status(404), _has_other_public_tag),
        "{upstream.host} does not have {e.requested_reference} without a pull token either: {upstream.message}",
        "Use latest or latest-dev: without a pull token, Chainguard has only the tags latest and latest-dev",
        "likely",
    ),
    Rule(
        "upstream_not_found",
        upstream_has_status(404),
        "{upstream.host} does not have {e.requested_reference} either: {upstream.message}",
        "Check the organization, name, and tag",
    ),
    Rule(
        "upstream_access_denied",
        all_of(upstream_has_status(400, 401, 403), lambda e: not e.upstream.anonymous),
        "{upstream.host} denies upstream_username access to {e.image} (status {upstream.status}): {upstream.message}",
        "Check that the pull token has not expired and was not revoked, and that the organization has this image",
    ),
    Rule(
        "negative_cache",
        all_of(is_upstream_failure_response, lambda e: e.upstream.state == "available", at_stage("manifest")),
        "{upstream.host} has the image, but {e.location} does not serve it: it caches an earlier failure for "
        "{e.negative_cache_period}, treats the upstream as offline, or has credentials that the upstream rejects",
        "If the image is private, rotate the pull token of {e.repository}; then {e.expire_text}",
        "possible",
    ),
    # Caches that hide errors.
    *MASKED_BY_CACHE,
    Rule(
        "pinned_missing",
        at_stage("pinned"),
        "The tag has a different digest, and the requested digest cannot be pulled: {failure.message}",
        "Check the digest; the upstream may have deleted it",
    ),
    # What remains.
    Rule(
        "upstream_storage_unreachable",
        all_of(at_stage("blob"), with_config(lambda e: e.failure.status == 404)),
        "{e.repository} fetched the manifest of {e.requested_reference} from the upstream, but not its layers, which "
        "are stored on another host",
        "Allow connections from Artifactory to *.r2.cloudflarestorage.com in its firewall and its proxy, then "
        "{e.expire_text}",
        "likely",
    ),
    Rule(
        "upstream_fetch_failed",
        with_config(lambda e: e.failure.status == 404),
        "{e.repository} could not fetch {e.requested_reference} from the upstream: it does not exist, the organization is not "
        "entitled to it, the stored credentials are missing, expired, or of another organization, or an earlier failure is "
        "cached for {e.negative_cache_period}",
        "Check the name and the pull token of {e.repository}, then {e.expire_text}. "
        "Set upstream_url for a more precise diagnosis",
        "possible",
    ),
    *SERVER,
    Rule(
        "not_found",
        lambda e: e.failure.status == 404 and bool(e.repository),
        "{e.repository} does not have {e.requested_reference}, or could not fetch it: {failure.response_message}",
        "Check the name and tag. Set artifactory_url, its credentials, and upstream_url for a more precise diagnosis",
        "possible",
    ),
    Rule(
        "not_found",
        lambda e: e.failure.status == 404,
        "{e.host} does not have {e.requested_reference}: {failure.response_message}",
        "Check the name and tag",
        "possible",
    ),
    FALLBACK,
)
