# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each phase of the role pull_through adds to the sources, from the results of its modules. No I/O.

_verification.py has the phases that pull through Artifactory, and _token_lifetime.py the overdue rotations.
Results of remote repositories are joined by key, those of pull tokens by consumer, those of organizations by name or UID.
"""

from __future__ import annotations

import dataclasses
import typing as t
from urllib.parse import urlsplit

from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._organization_urls import (
    fill_organization,
    match_organization,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._origin import origin_of
from ansible_collections.cgr.pull_through.plugins.plugin_utils._sources import CHAINGUARD_HOSTS, Facts, Source

_MAX_OTHER_IMAGES = 5
_TOKEN_FIELDS = ("due", "valid", "username", "reason")
NOT_REVOKED = (
    "Artifactory already has the new pull token, and the previous one was not revoked. "
    "Fix the cause and run this again: that finishes the rotation."
)
# Without the key, so that the summary has it once for all.
NOT_SET_UP = "Not found in Artifactory. The playbook cgr.pull_through.setup creates what is missing."
NO_RESULT = "A module ended without a result. Run this again with -vvv to see why."
# Codes of diagnoses.
_OUT_OF_REACH = frozenset(
    {"unreachable", "name_resolution", "tls", "blob_host_unreachable", "storage_unreachable", "upstream_unreachable"}
)
# Errors of a server, of a proxy before it, or of this collection, with any pull token.
_OTHER_CAUSES = frozenset({"server_error", "rate_limited", "not_a_registry", "html_response", "unknown_error"})
TOKEN_NOT_ISSUED = "No new pull token was issued, and Artifactory was not changed."
NOT_USED = "The new pull token cannot pull from Chainguard, so it is revoked if these credentials may do that. Artifactory was not changed."


def fail(source: Source, message: str, code: str) -> Source:
    """Return a source that later phases leave out. The first failure counts. code: of the cause."""
    return source if source.failure else dataclasses.replace(source, failure=message, failure_code=code)


def module_message(result: Facts) -> str:
    """Return why a module has no result for a source. One that crashed has no message."""
    return str(result.get("msg") or NO_RESULT)


def pull_of(name: str, results: list[Facts], field: str = "repository") -> Facts | None:
    """Return the result for a repository, or for what else a field names, from those of the two pull modules."""
    return next(filter(None, (_by_key(result, "pulls", name, field) for result in results)), None)


def diagnoses_of(pull: Facts) -> list[Facts]:
    """Return the diagnosis of each failed image or artifact, each once. pull: a result of the two pull modules."""
    items = [*(pull.get("images") or []), *(pull.get("artifacts") or [])]
    diagnoses = [item["diagnosis"] for item in items if item["ok"] is False and item.get("diagnosis")]
    return [diagnosis for number, diagnosis in enumerate(diagnoses) if diagnosis not in diagnoses[:number]]


def code_of(pull: Facts, default: str) -> str:
    """Return the code of the first diagnosis of a pull that failed."""
    return next((str(diagnosis["code"]) for diagnosis in diagnoses_of(pull)), default)


def is_out_of_reach(pull: Facts) -> bool:
    """Return whether the controller did not reach Chainguard, which shows nothing about a pull token."""
    return code_of(pull, "") in _OUT_OF_REACH


def reach_hint(source: Source, pull: Facts) -> str:
    """Return which variable to set if the controller did not reach Chainguard; empty if it did."""
    if not is_out_of_reach(pull):
        return ""
    kind = "registry" if source.is_registry else "libraries"
    if source.package_type == "alpine":
        kind = "virtualapk" if "virtualapk" in source.direct_url else "apk"
    return f" If the controller cannot reach it, set pull_through_chainguard_{kind}_url to an empty text."


def module_failures(results: list[Facts], name: str) -> list[str]:
    """Return the message of each module that neither was skipped nor returned what it is named for."""
    return [module_message(result) for result in results if name not in result and not result.get("skipped")]


def _by_key(result: Facts, name: str, key: str, field: str = "key") -> Facts | None:
    return next((item for item in result.get(name) or [] if item[field] == key), None)


# --- read -------------------------------------------------------------------------------------------------------------
def add_current_state(
    source: Source,
    repositories: list[Facts],
    organizations: list[Facts],
    partial: t.Collection[str] = (),
    keeps_url: bool = False,
    must_exist: bool = False,
) -> Source:
    """Add the repository as it is, and what Chainguard returned about the organization and the pull token in use.

    organizations: results of chainguard_pull_token_info. partial: keys of the repositories of which only a part could be read.
    keeps_url: whether a new pull token is stored without the URL of the source. must_exist: whether a missing repository is a failure.
    """
    current: Facts = next((repository for repository in repositories if repository["key"] == source.key), {})
    source = dataclasses.replace(source, current=current, is_missing=not current, is_partial=source.key in partial)
    source = _keep_alternative_url(source)
    if source.token_spec:
        active = [current.get("username") or ""]
        source = dataclasses.replace(source, token_spec={**source.token_spec, "active_identities": active})
    if keeps_url:
        source = _fail_other_host(source)
    if must_exist and source.is_missing:
        source = fail(source, NOT_SET_UP, "repository_missing")
    source = fail_unread_organization(source, organizations)
    listing = _of_organization(source, organizations)
    if listing is None:
        return source
    source = _with_organization(source, listing["organization"])
    has_status = source.pull_token and not source.is_partial and not source.is_missing
    return _with_token_status(source, listing["tokens"]) if has_status else source


def _fail_other_host(source: Source) -> Source:
    """Add a failure where a new pull token would be sent to another host than that of the source."""
    url = source.current.get("url")
    if not source.token_spec or not url:
        return source
    allowed = [origin_of(address) for address in (source.url, *(f"https://{host}" for host in CHAINGUARD_HOSTS))]
    if origin_of(url) in allowed:
        return source
    message = (
        f"{source.key} fetches from {urlsplit(url).hostname}, where a pull token must not be sent. "
        "The playbook cgr.pull_through.setup sets the url of the source. If the repository is another one, correct the key."
    )
    return fail(source, message, "upstream_url_mismatch")


def _of_organization(source: Source, results: list[Facts]) -> Facts | None:
    """Return the result for the organization of a source."""
    for result in results:
        organization = result.get("organization") or {}
        if source.organization and source.organization in (organization.get("name"), organization.get("uid")):
            return result
    return None


def _keep_alternative_url(source: Source) -> Source:
    """Keep the URL of a repository that serves the same without the organization, or with one that is not set."""
    url = source.current.get("url") or ""
    organization = match_organization(source.alternative_url, url)
    if organization is None:
        return source
    upstream_url = fill_organization(source.alternative_upstream_url, organization)
    return dataclasses.replace(source, url=url, upstream_url=upstream_url)


def fail_unread_organization(source: Source, results: list[Facts]) -> Source:
    """Add a failure if the organization of a source could not be read. results: of a loop over organizations."""
    for result in results:
        is_own = source.needs_organization and result.get("__pull_through_organization") == source.organization
        if is_own and "organization" not in result and not result.get("skipped"):
            return fail(source, module_message(result), "organization_not_read")
    return source


def _with_organization(source: Source, organization: Facts) -> Source:
    """Fill the name and the UID of the organization into the URLs."""
    return dataclasses.replace(
        source,
        url=fill_organization(source.url, organization),
        upstream_url=fill_organization(source.upstream_url, organization),
    )


def _with_token_status(source: Source, tokens: list[Facts]) -> Source:
    """Add the pull token that Artifactory logs in with. One that does not work is a failure, whatever the cache serves."""
    username = source.current.get("username")
    token = next((token for token in tokens if token["uid"] == username), None)
    if token is None:
        summary = (
            "it was revoked, or belongs to another organization" if username else "the repository has no user name"
        )
        token = {"valid": False, "ecosystems": [], "summary": summary}
    source = dataclasses.replace(source, token_status=token)
    if token["valid"] and source.pull_token in token["ecosystems"]:
        return source
    return fail(
        source,
        f"The pull token that Artifactory uses for {source.key} does not work for {source.pull_token}: "
        f"{token['summary']}. Cached content is still served, everything else fails. "
        "The playbook cgr.pull_through.setup issues a new one.",
        "pull_token_invalid",
    )


# --- plan and issue ---------------------------------------------------------------------------------------------------
def add_token_results(source: Source, result: Facts, revoke_unmanaged: bool) -> Source:
    """Add the result of chainguard_pull_token, planned or issued. The password stays out: facts are printed.

    revoke_unmanaged: whether a token that this collection does not manage is revoked when it was replaced.
    """
    if source.failure:
        return source
    if not source.token_spec:
        # The tokens of other sources bring the name and the UID of the organization.
        token = _of_organization(source, result.get("tokens") or [])
        return _with_organization(source, token["organization"]) if token is not None else source
    token = _by_key(result, "tokens", source.token_spec["consumer"], "consumer")
    if token is None or token["failed"]:
        previous = (token or {}).get("replaces") or source.token.get("previous") or {}
        source = dataclasses.replace(source, token={"due": True, "is_new": False, "previous": previous})
        message = f"{module_message(token or result)} {TOKEN_NOT_ISSUED}"
        return fail(source, message, "pull_token_not_issued")
    source = _with_organization(source, token["organization"])
    replaced = token.get("replaces") or {"managed": True}
    fields = {field: token[field] for field in _TOKEN_FIELDS if field in token}
    source = dataclasses.replace(
        source,
        token={
            **fields,
            "is_new": token["changed"],
            "kept": {} if token["changed"] else token.get("token") or {},
            "replaced": replaced.get("uid", ""),
            "previous": token.get("replaces") or {},
            "superseded": token.get("superseded") or [],
            "unmanaged": [replaced["uid"]] if revoke_unmanaged and not replaced["managed"] else [],
            "expires": (token.get("token") or {}).get("expires", ""),
            "days_left": (token.get("token") or {}).get("days_left"),
            "seconds_left": (token.get("token") or {}).get("seconds_left"),
        },
    )
    return _with_changes(source, source.changes)


def _with_changes(source: Source, changes: Facts) -> Source:
    needs_write = bool(source.has_new_token or changes)
    return dataclasses.replace(
        source,
        changes=changes,
        needs_write=needs_write,
        has_work=needs_write or bool(source.token.get("superseded")),
    )


def add_plan(source: Source, plans: Facts) -> Source:
    """Add what is going to change in the repository. plans: the result of artifactory_remote_repository in check mode."""
    if source.failure:
        return source
    if not source.may_differ:
        return _with_changes(source, {})
    plan = _by_key(plans, "repositories", source.key)
    if plan is None or plan.get("failed"):
        return fail(source, module_message(plan or plans), "not_planned")
    diff = plan.get("diff") or {}
    source = dataclasses.replace(source, previous=diff.get("before") or {})
    return _with_changes(source, diff.get("after") or {})


# --- upstream ---------------------------------------------------------------------------------------------------------
def add_images(source: Source, images: list[Facts], charts: list[Facts], public: Facts) -> Source:
    """Add the images that a verification pulls, pinned to the digest that Chainguard serves now where it is known.

    images, charts: results of chainguard_image_info. public: the result of registry_pull, whose pulls have the names of sources.
    """
    if source.is_private_image_source or source.uses_latest_chart:
        source = fail_unread_organization(source, charts if source.uses_latest_chart else images)
    if source.failure or not source.is_registry:
        return source
    if source.is_private_image_source and source.images:
        return _with_named_images(source, _of_organization(source, images) or {})
    if source.is_private_image_source or source.uses_latest_chart:
        listing = _of_organization(source, charts if source.uses_latest_chart else images) or {}
        references = [image["reference"] for image in (listing.get("images") or [])[: 1 + _MAX_OTHER_IMAGES]]
        return dataclasses.replace(source, verify_images=references[:1], other_images=references[1:])
    pull = _by_key(public, "pulls", source.name, "name")
    if pull is None and public and not public.get("skipped") and "pulls" not in public:
        return fail(source, module_message(public), "upstream_not_read")
    if pull is None:
        return dataclasses.replace(source, verify_images=source.images)
    if pull["failed"]:
        return fail(source, pull["msg"] + reach_hint(source, pull), code_of(pull, "upstream_not_read"))
    return dataclasses.replace(
        source, verify_images=[f"{image['image']}@{image['digest']}" for image in pull["images"]]
    )


def add_remediated_library(source: Source, libraries: Facts) -> Source:
    """Replace the library that a verification pulls if it is no longer among those that Chainguard remediates.

    libraries: the result of chainguard_library_info. If it failed, nothing changes.
    """
    if not source.uses_remediated_library:
        return source
    names = [library["name"] for library in libraries.get("remediated") or [] if library["ecosystem"] == "pypi"]
    if not names or set(source.artifacts) & set(names):
        return source
    return dataclasses.replace(source, artifacts=names[:1])


def _with_named_images(source: Source, listing: Facts) -> Source:
    missing = [image for image in source.images if image in (listing.get("not_found") or [])]
    if missing:
        owner = (listing.get("organization") or {}).get("name", source.organization)
        return fail(
            source,
            f"{owner} has no {', '.join(missing)} at Chainguard. Check the names of the images.",
            "image_unknown",
        )
    references = listing.get("references_by_name") or {}
    pinned = [references[image] for image in source.images if image in references]
    return dataclasses.replace(source, verify_images=pinned)


# --- try --------------------------------------------------------------------------------------------------------------
def add_direct_results(source: Source, results: list[Facts]) -> Source:
    """Add a failure where the new pull token could not pull directly from Chainguard.

    results: those of the two pull modules. A module that ended before it pulled anything says nothing about the token, which
    has logged in already, and neither does a registry out of reach, or one that fails for everybody. The verification through Artifactory shows more, and the
    next run does not issue another one.
    """
    if source.failure or not needs_direct_pull(source):
        return source
    pull = pull_of(source.name, results, "name")
    if pull is None or not pull["failed"] or is_out_of_reach(pull) or code_of(pull, "") in _OTHER_CAUSES:
        return source
    return fail(source, f"{NOT_USED} {module_message(pull)}", code_of(pull, "pull_token_not_usable"))


def needs_direct_pull(source: Source) -> bool:
    """Whether a new pull token is tried at Chainguard before Artifactory gets it."""
    has_content = bool(source.verify_images if source.is_registry else source.artifacts)
    return bool(source.has_new_token and source.direct_url and has_content and not source.failure)


# --- write ------------------------------------------------------------------------------------------------------------
def add_write_results(source: Source, result: Facts) -> Source:
    """Add that the repository was written, or why not. result: of artifactory_remote_repository."""
    if source.failure or not source.needs_write:
        return source
    item = _by_key(result, "repositories", source.key)
    if item is None or item["failed"]:
        return fail(source, module_message(item or result), "not_written")
    username = {"username": source.token["username"]} if source.has_new_token else {}
    current = {"key": source.key, **source.current, **source.settings, "url": source.url, **username}
    return dataclasses.replace(source, is_written=True, current=current)


def add_cache_results(source: Source, results: list[Facts]) -> Source:
    """Add a failure where a cache could not be changed. results: those of artifactory_repository_cache."""
    for result in results:
        item = _by_key(result, "repositories", source.key)
        if item is not None and item["failed"]:
            return fail(source, item["msg"], "cache_not_changed")
        if source.has_work and not source.is_missing and "repositories" not in result and not result.get("skipped"):
            return fail(source, module_message(result), "cache_not_changed")
    return source


# --- revoke -----------------------------------------------------------------------------------------------------------
def add_revocations(source: Source, result: Facts) -> Source:
    """Add a failure where superseded pull tokens could not be revoked. result: of chainguard_pull_token."""
    if source.failure or not source.token_spec or not source.has_work or result.get("skipped"):
        return source
    consumer = source.token_spec["consumer"]
    item = _by_key(result, "tokens", consumer, "consumer")
    if item is None and "tokens" in result:
        return source
    if item is None or item["failed"]:
        return fail(source, module_message(item or result), "pull_token_not_revoked")
    return dataclasses.replace(source, token={**source.token, "revoked": item.get("revoked") or []})
