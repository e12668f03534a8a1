# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the verifications of the role pull_through show. No I/O."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.cgr.pull_through.plugins.plugin_utils._phases import (
    NOT_REVOKED,
    code_of,
    diagnoses_of,
    fail,
    fail_unread_organization,
    module_message,
    pull_of,
    reach_hint,
)
from ansible_collections.cgr.pull_through.plugins.plugin_utils._sources import REGISTRY_TYPES, Facts, Source

NOT_PULLED = "not verified in check mode"
FROM_CACHE = "everything came from the cache"
UNKNOWN_ORIGIN = "it is unknown whether this came from upstream"
PINNED = "The digest requested is the one that Chainguard serves now."

# The causes that artifact_pull reports when a repository may just not have the artifact.
_ABSENT = ("upstream_not_found", "version_missing", "upstream_fetch_failed", "not_found")


def add_verification(source: Source, results: list[Facts], requested: list[str], user: str) -> Source:
    """Add what the two pull modules showed. requested: keys of what they were asked for. user: who pulled, if not the role."""
    if source.failure or source.key not in requested:
        return source
    pull = pull_of(source.key, results)
    if pull is None:
        return fail(source, module_message(results[0 if source.is_registry else 1]), "not_verified")
    source = dataclasses.replace(source, pulled=_pulled_items(pull), diagnoses=diagnoses_of(pull))
    if pull["failed"]:
        unreached = reach_hint(source, pull) if code_of(pull, "") == "upstream_unreachable" else ""
        message = pull["msg"] + unreached + _default_hint(source, pull) + _drift(source)
        is_new = bool(source.has_new_token) and not user
        paths = [] if user else [path for item in pull.get("artifacts", []) for path in item["invalid_paths"]]
        source = dataclasses.replace(source, invalid_paths=paths)
        code = code_of(pull, "not_verified")
        return fail(source, f"{message} {NOT_REVOKED}" if is_new else message, code)
    verification: Facts = {
        **_describe(pull, has_login=bool(source.pull_token) or not source.is_partial),
        "details": [*pull["summary"], *_evidence(pull), *_pinned_line(source)],
    }
    if user:
        return dataclasses.replace(source, user_verification={**verification, "user": user})
    earlier = source.verification
    if earlier and not earlier["is_unverified"] and verification["is_unverified"]:
        return source  # What the verification before the grace period showed of the new login still holds.
    return dataclasses.replace(source, verification=verification)


def _pulled_items(pull: Facts) -> list[Facts]:
    """Return the images and artifacts that were pulled: name, version, digest, and whether they came from upstream."""
    pulled = [image for image in pull.get("images", []) if image["ok"]]
    items = [(image, image["image"].partition("@")[0], "", image["digest"]) for image in pulled]
    pulled = [artifact for artifact in pull.get("artifacts", []) if artifact["ok"]]
    items += [(item, item["artifact"], item["version"], _last_digest(item.get("files"))) for item in pulled]
    return [
        {"name": name, "version": version, "digest": digest, "from_upstream": item["from_upstream"]}
        for item, name, version, digest in items
    ]


def _last_digest(files: list[Facts] | None) -> str:
    """Return the digest of the last file: the files that describe an artifact come before it."""
    return f"sha256:{files[-1]['sha256']}" if files else ""


def add_virtual_verification(repository: Facts, results: list[Facts], requested: list[str]) -> Facts:
    """Add what the two pull modules showed of a virtual repository. requested: keys of what they were asked for."""
    if repository["failure"] or repository["key"] not in requested:
        return repository
    pull = pull_of(repository["key"], results)
    if pull is None:
        is_registry = repository["package_type"] in REGISTRY_TYPES
        return {**repository, "failure": module_message(results[0 if is_registry else 1])}
    if pull["failed"]:
        return {**repository, "failure": pull["msg"]}
    items = _pulled(pull)
    summary = f"pulled: {_label(items)}; its members show whether that comes from upstream" if items else NOT_PULLED
    verification = {"summary": summary, "is_unverified": not items, "details": pull["summary"]}
    return {**repository, "verification": verification}


def _describe(pull: Facts, *, has_login: bool) -> Facts:
    """Return what a verification showed in a few words, and whether something that should be shown was not.

    has_login: False if the repository needs no login, and it cannot be read whether it has one.
    """
    items = _pulled(pull)
    if not items:
        return {"summary": NOT_PULLED, "is_unverified": False}
    origins = {item["from_upstream"] for item in items}
    if True not in origins:
        reason = UNKNOWN_ORIGIN if None in origins else FROM_CACHE
        return {"summary": f"not verified: {reason} ({_label(items)})", "is_unverified": True}
    summary = f"verified: {_label(items)}, from upstream"
    until = max((item.get("login_unverified_until") or "" for item in items), default="") if has_login else ""
    if until:
        summary += f"; login not verified: Artifactory may still use the earlier login until {until[11:16]} UTC"
    return {"summary": summary, "is_unverified": bool(until)}


def _pulled(pull: Facts) -> list[Facts]:
    """Return the images or artifacts that were pulled; empty in check mode."""
    return [item for item in [*pull.get("images", []), *pull.get("artifacts", [])] if item["ok"]]


def _evidence(pull: Facts) -> list[str]:
    return [item["from_upstream_evidence"] for item in _pulled(pull) if item.get("from_upstream_evidence")]


def _label(items: list[Facts]) -> str:
    """Return the first image or artifact, and how many more."""
    first = items[0]
    label = first["image"].partition("@")[0] if "image" in first else f"{first['artifact']} {first['version']}"
    withheld = ", ".join(version["version"] for version in first.get("withheld", []))
    label += f" (the upstream withholds {withheld})" if withheld else ""
    return f"{label} and {len(items) - 1} more" if len(items) > 1 else str(label)


def _pinned_line(source: Source) -> list[str]:
    return [PINNED] if any("@sha256:" in image for image in source.verify_images) else []


def _default_hint(source: Source, pull: Facts) -> str:
    """Return where the artifact comes from that was not found, if the user did not name it."""
    codes = {(artifact.get("diagnosis") or {}).get("code") for artifact in pull.get("artifacts") or []}
    if not source.has_default_artifacts or codes.isdisjoint(_ABSENT):
        return ""
    return (
        f" {', '.join(source.artifacts)} is the default of the source {source.name}. "
        "Name another artifact in pull_through_source_overrides."
    )


def _drift(source: Source) -> str:
    """Return which settings are not as this role sets them."""
    desired = {**source.settings, "url": source.url}
    drifted = {name: value for name, value in desired.items() if source.current.get(name, value) != value}
    if not drifted:
        return ""
    settings = ", ".join(f"{name} should be {json.dumps(value)}" for name, value in drifted.items())
    return (
        f" {source.key} is not set as this role sets it: {settings}. The playbook cgr.pull_through.setup corrects that."
    )


def add_reason_not_verified(source: Source) -> Source:
    """Add why nothing is pulled to verify a source, and what to set, where there is nothing to pull."""
    if source.failure or (source.verify_images if source.is_registry else source.artifacts):
        return source
    reason = f"nothing to pull; name something in {'images' if source.is_registry else 'artifacts'}"
    if source.is_private_image_source:
        reason = "the organization has no image with the tag latest; name one in images"
    elif source.uses_latest_chart:
        reason = "no chart was found in the organization; name one in images"
    return dataclasses.replace(
        source, verification={"summary": f"not verified: {reason}", "is_unverified": True, "details": []}
    )


# --- invalid files in a cache ------------------------------------------------------------------------------------------
def files_to_delete(sources: t.Sequence[Source]) -> list[Facts]:
    """Return the files to delete from the caches: those that the verification of this run found to be HTML pages."""
    return [
        {"key": source.key, "state": "absent", "paths": source.invalid_paths}
        for source in sources
        if source.invalid_paths
    ]


def add_deletions(source: Source, result: Facts) -> Source:
    """Clear the failure of a source whose invalid files are deleted, so that it is verified again.

    result: of artifactory_repository_cache.
    """
    if not source.invalid_paths:
        return source
    items = [item for item in result.get("repositories", []) if item["key"] == source.key]
    if not items or items[0]["failed"]:
        return dataclasses.replace(source, failure=f"{source.failure} {module_message(items[0] if items else result)}")
    return dataclasses.replace(source, failure="", failure_code="")


def add_deletions_of_members(repository: Facts, keys: list[str]) -> Facts:
    """Clear the failure of a virtual repository if invalid files of a member are deleted. keys: of such members."""
    return repository if set(keys).isdisjoint(repository["repositories"]) else {**repository, "failure": ""}


# --- the age of tags --------------------------------------------------------------------------------------------------
def tags_to_resolve(sources: t.Sequence[Source]) -> list[Facts]:
    """Return what registry_pull resolves, to compare the tags of an organization's images with Chainguard."""
    return [
        {"repository": source.key, "images": [image.partition("@")[0] for image in source.verify_images]}
        for source in sources
        if source.is_private_image_source and source.verify_images and not source.failure
    ]


def images_to_compare(sources: t.Sequence[Source], result: Facts, organization: str) -> list[Facts]:
    """Return what chainguard_image_info compares for an organization, with the cache period of the repository of each image.

    result: of registry_pull, which resolved the tags through Artifactory.
    """
    compared = []
    for source in sources:
        pull = pull_of(source.key, [result])
        if source.organization == organization and not source.failure and pull is not None:
            period = source.current.get("retrievalCachePeriodSecs")
            images = [image for image in pull["images"] if image["ok"]]
            compared += [
                {"image": image["image"], "digest": image["digest"], "cache_period": period} for image in images
            ]
    return compared


def add_tag_age(source: Source, result: Facts, comparisons: list[Facts]) -> Source:
    """Add how old the tags are that Artifactory serves. One that is overdue is a failure."""
    pull = pull_of(source.key, [result])
    if source.failure or pull is None:
        return source
    if pull["failed"]:
        return fail(source, pull["msg"], code_of(pull, "not_verified"))
    source = fail_unread_organization(source, comparisons)
    if source.failure:
        return source
    images = {image["image"] for image in pull["images"]}
    ages = [
        age
        for comparison in comparisons
        if source.organization in (comparison.get("organization") or {}).values()
        for age in comparison.get("tag_age") or []
        if age["image"] in images
    ]
    source = dataclasses.replace(source, tag_age=ages)
    overdue = [age["summary"] for age in ages if age["overdue"]]
    return fail(source, f"{source.key}: {' '.join(overdue)}", "tag_overdue") if overdue else source
