# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the evidence about a source to its findings. No I/O. Private to the collection.

Unlike the rules for failed pulls, each rule that applies has a finding. To add a cause, add a rule, and a fault to
tests/faults.
"""

from __future__ import annotations

import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._iam import is_identity_uid
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._evidence import SourceEvidence
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._findings import FindingRule
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._pull_rules import Condition, all_of
from ansible_collections.cgr.pull_through.plugins.module_utils._trace import Step

SourceRule = FindingRule[SourceEvidence]

_WEEK = 7 * 86400
_ROTATE = "Rotate the pull token of {e.repository} (ansible-playbook cgr.pull_through.rotate), then {e.expire_text}"
_REDIRECTS = ("bypassHeadRequests", "blockMismatchingMimeTypes", "disableUrlNormalization")
_INDEX_SETTINGS = ("pyPIRegistryUrl", "pyPIRepositorySuffix", "v3FeedUrl")
_OWN_RULES = ("url", "enableTokenAuthentication", "allowAnyHostAuth", *_REDIRECTS, *_INDEX_SETTINGS)


def has_setting(name: str, value: t.Any) -> Condition[SourceEvidence]:
    return lambda e: e.settings.get(name) is value


def is_read(condition: Condition[SourceEvidence]) -> Condition[SourceEvidence]:
    return lambda e: e.config.state == "read" and condition(e)


def has_login(condition: Condition[SourceEvidence]) -> Condition[SourceEvidence]:
    """Restrict a condition to sources that need a pull token, and whose user name could be read."""
    return lambda e: bool(e.ecosystem and e.username) and condition(e)


def is_traced(step: Step) -> Condition[SourceEvidence]:
    return lambda e: e.trace.step == step


def is_before(*version: int) -> Condition[SourceEvidence]:
    """Return a condition for versions of Artifactory before the one that fixed a fault."""
    return lambda e: e.is_server_before(*version)


def has_identity(condition: Condition[SourceEvidence]) -> Condition[SourceEvidence]:
    return lambda e: e.identity.state == "read" and condition(e)


_EXISTENCE: tuple[SourceRule, ...] = (
    SourceRule(
        "repository_missing",
        lambda e: e.config.state == "missing",
        "Artifactory has no repository {e.repository}, or does not show it to this user",
        "Run ansible-playbook cgr.pull_through.setup, which creates it, or correct its key in "
        "pull_through_source_overrides",
        quote="GET /artifactory/api/repositories/{e.repository}: not found",
    ),
    SourceRule(
        "repository_class",
        is_read(
            lambda e: e.settings.get("rclass") not in (None, "", "virtual" if e.is_virtual else "remote", "federated")
        ),
        "{e.repository} is a {e.settings[rclass]} repository, which does not fetch from an upstream",
        "Use another key in pull_through_source_overrides: the class of a repository cannot be changed",
        quote="rclass: {e.settings[rclass]}",
    ),
    SourceRule(
        "repository_type",
        is_read(lambda e: e.repository_type not in ("", e.package_type)),
        "{e.repository} is a repository for {e.repository_type}, not for {e.package_type}",
        "Use another key in pull_through_source_overrides: the type of a repository cannot be changed",
        quote="packageType: {e.repository_type}",
    ),
    # More specific than the setting, which can be intended.
    SourceRule(
        "layers_not_cached",
        is_read(all_of(has_setting("offline", True), lambda e: bool(e.marker_layers))),
        "{e.repository} is offline and has markers instead of layers of {e.marker_layers_text}, so clients get the manifests, "
        "but not all layers",
        "Set offline to false in {e.repository}, then pull these images once with all their layers "
        "(ansible-playbook cgr.pull_through.warm)",
        quote="offline: true, .marker files of {e.marker_layers_text}",
    ),
    SourceRule(
        "blacked_out",
        is_read(has_setting("blackedOut", True)),
        "{e.repository} is blacked out, so it rejects all requests",
        "Set blackedOut to false in {e.repository}",
        quote="blackedOut: true",
    ),
    SourceRule(
        "offline",
        is_read(has_setting("offline", True)),
        "{e.repository} is set to offline, so it serves cached content only and does not contact the upstream",
        "Set offline to false in {e.repository}",
        quote="offline: true",
    ),
)

_SETTINGS: tuple[SourceRule, ...] = (
    SourceRule(
        "url_has_path",
        is_read(lambda e: e.package_type == "docker" and not e.is_virtual and bool(e.url_path)),
        "The url of {e.repository} has a path, which Artifactory ignores for Docker",
        "Change the url of {e.repository} to {e.desired[url]}, and write the organization into the image names",
        quote="url: {e.remote_url}",
    ),
    SourceRule(
        "upstream_url_mismatch",
        is_read(lambda e: bool(e.differing("url")) and not (e.package_type == "docker" and e.url_path)),
        "{e.repository} fetches from another upstream than the source needs",
        "Change the url of {e.repository} to {e.desired[url]}, then {e.expire_text}",
        quote="url: {e.remote_url}",
    ),
    SourceRule(
        "index_url_mismatch",
        is_read(lambda e: bool(e.differing(*_INDEX_SETTINGS))),
        "{e.repository} fetches its index from another URL than the source needs",
        "In {e.repository}, {e.differing_text}. Then {e.expire_text}",
        quote="{e.differing_quote}",
    ),
    SourceRule(
        "token_authentication_off",
        is_read(
            all_of(has_setting("enableTokenAuthentication", False), lambda e: "enableTokenAuthentication" in e.desired)
        ),
        "Token authentication is off in {e.repository}, so Artifactory cannot authenticate with the upstream",
        "Set enableTokenAuthentication to true in {e.repository}, then {e.expire_text}",
        quote="enableTokenAuthentication: false",
    ),
    SourceRule(
        "token_authentication_on",
        is_read(
            all_of(
                has_setting("enableTokenAuthentication", True),
                lambda e: e.desired.get("enableTokenAuthentication") is not True and not e.is_registry,
            )
        ),
        "Token authentication is on in {e.repository}, so Artifactory may send the pull token as a bearer token, but the "
        "upstream needs it as a password",
        "Set enableTokenAuthentication to false in {e.repository}, then {e.expire_text}",
        certainty="likely",
        quote="enableTokenAuthentication: true",
        severity="warning",
    ),
    SourceRule(
        "excluded_by_pattern",
        is_read(lambda e: bool(e.excluded_paths)),
        "The include and exclude patterns of {e.repository} exclude {e.excluded_paths}; the tag is a part of the path",
        "Set includesPattern to **/* and excludesPattern to an empty string in {e.repository}",
        quote="includesPattern: {e.settings[includesPattern]}, excludesPattern: {e.settings[excludesPattern]}",
    ),
    SourceRule(
        "project_prefix_doubled",
        is_read(lambda e: bool(e.doubled_images)),
        "{e.repository} adds {e.project}/ to each image name, so Artifactory requests {e.doubled_images} with it twice",
        "Clear dockerProjectId in {e.repository}, or write the image names without {e.project}/",
        quote="dockerProjectId: {e.project}",
    ),
    SourceRule(
        "project_prefix_other",
        is_read(lambda e: bool(e.other_images)),
        "{e.repository} adds {e.project}/ to each image name, so Artifactory requests {e.other_images} below {e.project}/",
        "Clear dockerProjectId in {e.repository}, or set it to the organization and write the image names without it",
        quote="dockerProjectId: {e.project}",
    ),
    SourceRule(
        "credentials_forwarded",
        is_read(lambda e: bool(e.differing("allowAnyHostAuth"))),
        "{e.repository} forwards its credentials to the storage that the upstream redirects to, which rejects them",
        "Set allowAnyHostAuth to false in {e.repository}, then {e.expire_text}",
        quote="{e.differing_quote}",
    ),
    SourceRule(
        "redirect_settings",
        is_read(lambda e: not e.is_registry and bool(e.differing(*_REDIRECTS))),
        "The settings of {e.repository} differ from those that Chainguard's guides name for an upstream that redirects each download",
        "In {e.repository}, {e.differing_text}. Then {e.expire_text}",
        certainty="likely",
        quote="{e.differing_quote}",
    ),
    SourceRule(
        "mime_blocking_off",
        is_read(lambda e: e.is_registry and bool(e.differing("blockMismatchingMimeTypes"))),
        "{e.repository} would cache an HTML page, such as the login page of a proxy, as an image",
        "Set blockMismatchingMimeTypes to true in {e.repository}",
        quote="blockMismatchingMimeTypes: false",
        severity="warning",
    ),
    SourceRule(
        "settings_differ",
        is_read(lambda e: bool(set(e.differing()) - {*_OWN_RULES, "includesPattern"})),
        "Settings of {e.repository} differ from those that the source needs",
        "In {e.repository}, {e.differing_text}, or run ansible-playbook cgr.pull_through.setup",
        quote="{e.differing_quote}",
        severity="warning",
    ),
)

_CREDENTIALS: tuple[SourceRule, ...] = (
    SourceRule(
        "repository_credentials_missing",
        lambda e: bool(e.ecosystem) and e.has_all_settings and not e.username,
        "{e.repository} has no user name, but its upstream requires a pull token",
        "Run ansible-playbook cgr.pull_through.setup, which stores a pull token in {e.repository}",
        quote="username: not set",
    ),
    SourceRule(
        "username_white_space",
        has_login(lambda e: e.username != e.username.strip()),
        "The user name of {e.repository} begins or ends with white space, such as the line break of a file, so Chainguard does "
        "not know it; the password probably has it too",
        _ROTATE,
        quote="username: {e.username!r}",
    ),
    SourceRule(
        "username_encoded",
        has_login(lambda e: "%2f" in e.username.lower()),
        "The user name of {e.repository} is percent-encoded, so Chainguard does not know it",
        "Write the slash of the user name as /, not as %2F, and store the password of the pull token again",
        quote="username: {e.username}",
    ),
    SourceRule(
        "username_email",
        has_login(lambda e: "@" in e.username),
        "The user name of {e.repository} is an email address, not the ID of an identity",
        _ROTATE,
        quote="username: {e.username}",
    ),
    SourceRule(
        "username_not_identity",
        has_login(
            lambda e: "@" not in e.username
            and "%2f" not in e.username.lower()
            and not is_identity_uid(e.username.strip())
        ),
        "The user name of {e.repository} is not the ID of an identity at Chainguard",
        _ROTATE,
        certainty="likely",
        quote="username: {e.username}",
    ),
    SourceRule(
        "username_other_organization",
        has_login(
            lambda e: bool(e.organization_uid)
            and is_identity_uid(e.username)
            and not e.username.startswith(f"{e.organization_uid}/")
        ),
        "The pull token of {e.repository} belongs to another organization than {e.organization}",
        _ROTATE,
        quote="username: {e.username}, organization: {e.organization_uid}",
    ),
    SourceRule(
        "token_revoked",
        has_login(lambda e: e.identity.state == "missing"),
        "Chainguard does not know the identity of {e.repository}: the pull token was revoked, or belongs to an "
        "organization that these credentials cannot read",
        _ROTATE,
        certainty="known",
        quote="identity {e.username}: not found",
    ),
    SourceRule(
        "token_type",
        has_login(lambda e: e.identity.state == "not_a_pull_token"),
        "The user name of {e.repository} is an identity, but not a pull token",
        _ROTATE,
        quote="identity {e.username}: without a static key of a pull token",
    ),
    SourceRule(
        "token_expired",
        has_login(has_identity(lambda e: e.identity.seconds_left <= 0)),
        "The pull token of {e.repository} has expired",
        _ROTATE,
        quote="expired: {e.identity.expires}",
    ),
    SourceRule(
        "token_unbound",
        has_login(has_identity(lambda e: not e.identity.roles)),
        "The pull token of {e.repository} has no role, so it gives access to nothing",
        _ROTATE,
        quote="role bindings of {e.username}: none",
    ),
    SourceRule(
        "token_role",
        has_login(has_identity(lambda e: bool(e.identity.roles) and e.role not in e.identity.roles)),
        "The pull token of {e.repository} was issued for something else: it lacks the role {e.role}",
        _ROTATE,
        quote="roles of {e.username}: {e.roles_text}",
    ),
    SourceRule(
        "token_expires_soon",
        has_login(has_identity(lambda e: 0 < e.identity.seconds_left < _WEEK)),
        "The pull token of {e.repository} expires within a week",
        "Run ansible-playbook cgr.pull_through.rotate on a schedule",
        quote="expires: {e.identity.expires}",
        severity="warning",
    ),
)

_CONTENT: tuple[SourceRule, ...] = (
    SourceRule(
        "organization_unknown",
        lambda e: e.unknown_organization,
        "Chainguard shows no organization {e.organization} to these credentials: the name is misspelt, or they belong "
        "to another organization",
        "Correct pull_through_organization: chainctl iam organizations list shows the names",
        certainty="likely",
        quote="organization {e.organization}: not found",
    ),
    SourceRule(
        "image_other_organization",
        lambda e: bool(e.other_organization_images),
        "The names {e.other_organization_images} do not begin with {e.organization}/, so they are of another organization, whose images "
        "the pull token of {e.repository} gives no access to, or they lack the organization",
        "Write the images of the source as NAME or {e.organization}/NAME. For those of another organization, add a source with "
        "a pull token of that organization",
        certainty="likely",
        quote="images: {e.other_organization_images}, organization: {e.organization}",
    ),
    SourceRule(
        "image_missing",
        lambda e: bool(e.missing_images),
        "The organization {e.organization} has no {e.missing_images}: there is no image of that name, or the organization is "
        "not entitled to it",
        "Correct the images of the source: chainctl images repos list shows the names. For an image that exists, ask "
        "Chainguard to add it to the organization",
        quote="images of {e.organization}: without {e.missing_images}",
    ),
    SourceRule(
        "image_not_entitled",
        lambda e: bool(e.published_images),
        "Chainguard has {e.published_images}, but the organization {e.organization} is not entitled to it",
        "Ask Chainguard to add it to the organization, or use the public image of that name below chainguard/, which has "
        "only the latest builds",
        quote="images of {e.organization}: without {e.published_images}, which are public images",
    ),
    SourceRule(
        "tag_missing",
        lambda e: bool(e.missing_tags),
        "The organization {e.organization} has the image, but not the tag of {e.missing_tags}",
        "Correct the tag: cgr.pull_through.chainguard_image_info lists those of an image. A version that is no longer "
        "maintained gets no tags",
        quote="tags of {e.organization}: without {e.missing_tags}",
    ),
)

_TRACE: tuple[SourceRule, ...] = (
    SourceRule(
        "assumed_offline",
        all_of(is_traced("assumed_offline"), is_before(7, 104, 12)),
        "Artifactory could not reach the upstream of {e.repository}, and this version can stay offline when the upstream "
        "is back, a fault that 7.104.12 fixes",
        "Fix the connectivity from Artifactory to {e.remote_url}. Then set offline to true and back to false in "
        "{e.repository}, and upgrade Artifactory to 7.104.12 or later",
        quote="version: {e.server_version}; {e.trace.quote}",
    ),
    SourceRule(
        "assumed_offline",
        all_of(is_traced("assumed_offline"), lambda e: not e.is_server_before(7, 104, 12)),
        "Artifactory could not reach the upstream of {e.repository} and does not retry for a while",
        "Fix the connectivity from Artifactory to {e.remote_url}, then wait for the time set as "
        "assumedOfflinePeriodSecs. If it stays offline, set offline to true and back to false: Artifactory before 7.104.12 "
        "has a fault there",
        quote="{e.trace.quote}",
    ),
    SourceRule(
        "upstream_unreachable_for_artifactory",
        is_traced("unreachable"),
        "Artifactory cannot connect to the upstream of {e.repository}",
        "Allow connections from Artifactory to {e.remote_url} in its firewall and its proxy",
        certainty="likely",
        quote="{e.trace.quote}",
    ),
    SourceRule(
        "upstream_credentials",
        is_traced("credentials"),
        "The upstream rejects the credentials stored in {e.repository}, or does not give them access",
        _ROTATE,
        certainty="likely",
        quote="{e.trace.quote}",
    ),
    SourceRule(
        "upstream_error",
        is_traced("failed"),
        "The upstream of {e.repository} responds with an error",
        "Try again later. If it persists, check the proxy between Artifactory and {e.remote_url}",
        certainty="likely",
        quote="{e.trace.quote}",
    ),
    SourceRule(
        "negative_cache",
        is_traced("remembered"),
        "{e.repository} caches an earlier failure for {e.negative_cache_period}",
        "Fix the cause of the earlier failure, then {e.expire_text}",
        quote="{e.trace.quote}; {e.retry_text}",
    ),
    SourceRule(
        "forbidden",
        is_traced("denied"),
        "The user is not allowed to pull from {e.repository}",
        "Grant the user Read and Deploy/Cache on {e.repository}",
        quote="{e.trace.quote}",
    ),
)

_VIRTUAL: tuple[SourceRule, ...] = (
    SourceRule(
        "member_missing",
        lambda e: bool(e.missing_members),
        "{e.repository} lacks members: {e.missing_members}",
        "Run ansible-playbook cgr.pull_through.setup, which adds them",
        quote="repositories: {e.settings[repositories]}",
    ),
    SourceRule(
        "member_disabled",
        lambda e: bool(e.disabled_members),
        "Members of {e.repository} do not fetch from their upstream: {e.disabled_members}",
        "Set offline and blackedOut to false in {e.disabled_members}",
        quote="offline or blackedOut in {e.disabled_members}: true",
    ),
    SourceRule(
        "member_type",
        lambda e: bool(e.other_types),
        "Members of {e.repository} have another package type: {e.other_types}",
        "Remove {e.other_types} from {e.repository}",
        quote="packageType of {e.other_types}: not {e.package_type}",
    ),
    SourceRule(
        "member_priority",
        lambda e: bool(e.priority_members) and len(e.members) > 1,
        "Artifactory builds the indexes of {e.repository} only from members with priorityResolution as soon as one of them "
        "has the package, so the versions of the other members are missing",
        "Set priorityResolution to false in {e.priority_members}",
        certainty="likely",
        quote="priorityResolution of {e.priority_members}: true",
        severity="warning",
    ),
    SourceRule(
        "key_pair_missing",
        lambda e: e.is_virtual
        and e.package_type == "alpine"
        and e.has_all_settings
        and not (e.settings.get("primaryKeyPairRef") or e.settings.get("secondaryKeyPairRef")),
        "{e.repository} has no key pair, so Artifactory does not sign its index and apk rejects it",
        "Set primaryKeyPairRef of {e.repository} to the name of an RSA key pair, or use --allow-untrusted",
        certainty="possible",
        quote="primaryKeyPairRef: not set",
        severity="warning",
    ),
)

# After a pull that failed without a cause of its own: what remains if everything else is right.
AFTER_PULL_RULES: tuple[SourceRule, ...] = (
    SourceRule(
        "upstream_credentials",
        lambda e: _is_right(e) and e.listing.is_read and e.trace.status in (400, 401, 403),
        "Chainguard has {e.requested_reference} and the pull token of {e.repository}, but rejects what Artifactory sends, so the "
        "stored password is not that of the pull token",
        _ROTATE,
        certainty="likely",
        quote="{e.trace.quote}",
    ),
    SourceRule(
        "negative_cache",
        lambda e: _is_right(e) and e.listing.is_read and e.trace.status not in (400, 401, 403),
        "Nothing else is wrong with {e.repository}, and Chainguard has {e.requested_reference}, so it probably caches an "
        "earlier failure for {e.negative_cache_period}, or its password, which cannot be read, is wrong",
        "To retry now, {e.expire_text}. If that does not help, rotate the pull token (ansible-playbook "
        "cgr.pull_through.rotate)",
        certainty="likely",
        quote="the settings and the pull token of {e.repository} are right, and {e.requested_reference} is not found; "
        "{e.retry_text}",
    ),
    SourceRule(
        "upstream_fetch_failed",
        lambda e: _is_right(e) and not e.listing.is_read,
        "Nothing else is wrong with {e.repository}, so its upstream does not have {e.requested_reference}, a policy such as "
        "the cooldown for new versions blocks it there, or an earlier failure is cached for {e.negative_cache_period}",
        "Check the names and versions, then {e.expire_text}",
        certainty="likely",
        quote="the settings and the pull token of {e.repository} are right, and {e.requested_reference} is not found; "
        "{e.retry_text}",
    ),
)

# What the cache shows of earlier pulls, and of those of the diagnosis.
CACHE_RULES: tuple[SourceRule, ...] = (
    SourceRule(
        "tag_overdue",
        is_read(lambda e: bool(e.overdue_tags)),
        "{e.repository} served {e.old_tags_text} after Chainguard had replaced it for longer than {e.metadata_cache_period}, so "
        "it could not fetch the current build",
        "Check the pull token of {e.repository} and the connectivity from Artifactory to {e.remote_url}, then {e.expire_text}",
        quote="{e.old_tags_quote}",
    ),
    SourceRule(
        "tag_overdue",
        is_read(lambda e: bool(e.expired_tags) and not e.overdue_tags),
        "{e.repository} served {e.old_tags_text} longer than {e.metadata_cache_period} after it had compared it with the "
        "upstream, so that comparison failed",
        "Check the pull token of {e.repository} and the connectivity from Artifactory to {e.remote_url}, then {e.expire_text}",
        certainty="likely",
        quote="{e.old_tags_quote}",
    ),
)


def _is_right(e: SourceEvidence) -> bool:
    """Return whether the settings and the pull token are known, and right."""
    return e.has_all_settings and e.has_negative_cache and (not e.ecosystem or _has_valid_token(e))


def _has_valid_token(e: SourceEvidence) -> bool:
    return e.identity.state == "read" and e.identity.seconds_left > 0 and e.role in e.identity.roles


RULES: tuple[SourceRule, ...] = (*_EXISTENCE, *_SETTINGS, *_CREDENTIALS, *_CONTENT, *_TRACE, *_VIRTUAL)
