# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The arguments of the modules that the phases of the role pull_through run, in their list form. No I/O, and no HTTP.

Only here a password is joined to its source, in the arguments of a task: it never becomes a fact.
"""

from __future__ import annotations

import typing as t

from ansible_collections.cgr.pull_through.plugins.plugin_utils._phases import needs_direct_pull
from ansible_collections.cgr.pull_through.plugins.plugin_utils._sources import Facts, Source

NOT_ISSUED = "not issued in check mode"


def _credentials(source: Source, tokens: list[Facts]) -> tuple[str, str] | None:
    """Return user name and password of a new pull token; None where there is none."""
    if not source.has_new_token:
        return None
    consumer = source.token_spec["consumer"]
    passwords = [token.get("password") for token in tokens if token["consumer"] == consumer]
    return source.token["username"], next(filter(None, passwords), NOT_ISSUED)


def repository_specs(sources: t.Sequence[Source], tokens: list[Facts] | None, credentials_only: bool) -> list[Facts]:
    """Return what artifactory_remote_repository is asked for. A user name is never written without its password.

    tokens: issued pull tokens; None to plan without credentials. credentials_only: leave everything else as it is.
    """
    specs = []
    for source in sources:
        spec: Facts = {"key": source.key, "package_type": source.package_type}
        if not credentials_only:
            spec.update(url=source.url, settings=source.settings)
        credentials = None if tokens is None else _credentials(source, tokens)
        if credentials:
            spec.update(zip(("username", "password"), credentials))
        specs.append(spec)
    return specs


def direct_pulls(sources: t.Sequence[Source], tokens: list[Facts]) -> dict[str, list[Facts]]:
    """Return what the pull modules are asked for, to try each new pull token at Chainguard."""
    images, artifacts = [], []
    for source in sources:
        credentials = _credentials(source, tokens)
        if credentials is None or not needs_direct_pull(source):
            continue
        username, password = credentials
        if source.is_registry:
            connection = {"registry_url": source.direct_url, "username": username, "password": password}
            images.append({"name": source.name, "images": source.verify_images, **connection})
        else:
            connection = {
                "upstream_url": source.direct_url,
                "upstream_username": username,
                "upstream_password": password,
            }
            spec = {"name": source.name, "package_type": source.package_type, "artifacts": source.artifacts}
            artifacts.append({**spec, **connection})
    return {"images": images, "artifacts": artifacts}


def public_image_pulls(sources: t.Sequence[Source]) -> list[Facts]:
    """Return what registry_pull is asked for, to read the digests of public images."""
    return [
        {"name": source.name, "registry_url": source.direct_url, "images": source.images}
        for source in sources
        if source.needs_public_digest and not source.failure
    ]


def caches_to_expire(sources: t.Sequence[Source]) -> list[Facts]:
    """Return the caches to expire: what was wrong before this run has left failures in the negative cache."""
    return [{"key": source.key, "state": "expired"} for source in sources if _has_changed(source)]


def _has_changed(source: Source) -> bool:
    return source.has_work and not source.is_missing and not source.failure


def verification_pulls(
    sources: t.Sequence[Source], virtual_repositories: t.Sequence[Facts], tokens: list[Facts], planned: bool
) -> dict[str, list[Facts]]:
    """Return what the pull modules are asked for, to verify sources and virtual repositories through Artifactory.

    planned: in check mode no new pull token can log in upstream.
    """
    pulls = [_verification_pull(source, [] if planned else tokens) for source in sources]
    pulls += [_virtual_pull(repository, sources) for repository in virtual_repositories if not repository["failure"]]
    return _by_module(pulls)


def user_pulls(sources: t.Sequence[Source]) -> dict[str, list[Facts]]:
    """Return what the pull modules are asked for, to verify sources as another user of Artifactory."""
    return _by_module([_unchanged_pull(source) for source in sources])


def _by_module(pulls: list[Facts]) -> dict[str, list[Facts]]:
    return {name: [pull for pull in pulls if name in pull] for name in ("images", "artifacts")}


def _content(source: Source) -> Facts:
    """Return what a verification of the source pulls; empty for nothing."""
    if source.is_registry:
        return {"images": source.verify_images} if source.verify_images else {}
    return {"package_type": source.package_type, "artifacts": source.artifacts} if source.artifacts else {}


def _unchanged_pull(source: Source) -> Facts:
    """Return what verifies a source: if possible something that is not cached, and what upstream serves now."""
    content = _content(source)
    if not content or source.failure:
        return {}
    pull = {"repository": source.key, "from_upstream": "preferred", **content}
    if source.other_images:
        pull["other_images"] = source.other_images
    if source.pull_token or not source.direct_url or _is_pinned(source):
        return pull
    return {**pull, "upstream_url": source.direct_url}


def _verification_pull(source: Source, tokens: list[Facts]) -> Facts:
    """Return what verifies a source in this run. After a change only content from upstream shows that it works."""
    pull = _unchanged_pull(source)
    if not pull or not source.has_work:
        return pull
    pull["from_upstream"] = "required"
    credentials = _credentials(source, tokens) if tokens else None
    if credentials and source.direct_url and not _is_pinned(source):
        pull["upstream_url"] = source.direct_url
        pull.update(zip(("upstream_username", "upstream_password"), credentials))
    return pull


def _is_pinned(source: Source) -> bool:
    """Return whether the digests that upstream serves are asked for, so that there is nothing to compare."""
    return source.package_type == "docker" and all("@" in image for image in source.verify_images)


def _virtual_pull(virtual: Facts, sources: t.Sequence[Source]) -> Facts:
    """Return what is pulled through a virtual repository: what verifies its members, each thing once."""
    contents = [_content(source) for source in sources if source.key in virtual["repositories"] and not source.failure]
    images = [image for content in contents for image in content.get("images", [])]
    if images:
        return {"repository": virtual["key"], "images": list(dict.fromkeys(images))}
    artifacts = [artifact for content in contents for artifact in content.get("artifacts", [])]
    if not artifacts:
        return {}
    unique = [artifact for position, artifact in enumerate(artifacts) if artifact not in artifacts[:position]]
    return {"repository": virtual["key"], "package_type": virtual["package_type"], "artifacts": unique}


def organizations_to_list(sources: t.Sequence[Source], reads_all: bool, organization: str) -> list[str]:
    """Return the organizations whose pull tokens are listed when the current state is read.

    reads_all: whether these are all. Otherwise what issues pull tokens lists those of its organizations. organization: that
    of the role, which can have pull tokens of sources that are no longer listed.
    """
    names = [source.organization for source in sources if source.needs_organization]
    issuing = {source.organization for source in sources if source.pull_token}
    if organization and (reads_all or not issuing):
        names.append(organization)
    return [name for name in dict.fromkeys(names) if reads_all or name not in issuing]


def unused_tokens(sources: t.Sequence[Source], repositories: list[Facts]) -> list[Facts]:
    """Return what chainguard_pull_token is asked to revoke: new pull tokens of sources that failed before Artifactory used them.

    repositories: as they are now. A write without a response may have been done, so a token that one of them uses stays.
    """
    active_identities = {repository.get("username") for repository in repositories}
    return [
        _revocation(source, [source.token["username"]])
        for source in sources
        if source.has_unused_token and source.token["username"] not in active_identities
    ]


def superseded_tokens(sources: t.Sequence[Source], repositories: list[Facts], planned: bool) -> list[Facts]:
    """Return what chainguard_pull_token is asked to revoke: what was replaced in sources that were verified.

    The user names that Artifactory uses now are kept: when another run wrote its own token after this one, the token of
    this run is the one to go. planned: in check mode Artifactory still has the previous one.
    """
    active_identities = [repository.get("username") or "" for repository in repositories]
    return [
        {
            **_revocation(source, [*source.token["superseded"], source.token["username"], *source.token["unmanaged"]]),
            "unmanaged": bool(source.token["unmanaged"]),
            "keep": [source.token["username"]] if planned else active_identities,
        }
        for source in sources
        if source.token_spec and source.has_work and not source.failure
        # A run that left the rotation to another run leaves the revocation to it, too.
        and (source.has_new_token or source.token.get("superseded"))
    ]


def _revocation(source: Source, identities: list[str]) -> Facts:
    return {**source.token_spec, "identities": identities, "state": "absent"}


def repositories_to_remove(sources: t.Sequence[Source]) -> list[Facts]:
    """Return what artifactory_remote_repository is asked to delete."""
    return [{"key": source.key, "state": "absent"} for source in sources]


def tokens_to_remove(sources: t.Sequence[Source]) -> list[Facts]:
    """Return what chainguard_pull_token is asked to revoke, once the repositories are deleted: all managed tokens."""
    return [{**source.token_spec, "state": "absent"} for source in sources if source.token_spec]
