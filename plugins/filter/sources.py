# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: sources
short_description: Work out what the role pull_through has to know of each source
version_added: 0.2.0
author: cgr.pull_through contributors (@cgr)
description:
  - Joins the catalog with what was learnt from Artifactory and Chainguard so far. Asks nobody.
  - It is made for the role P(cgr.pull_through.pull_through#role).
positional: _input
options:
  _input:
    description: Names of the sources.
    type: list
    elements: str
    required: true
  known:
    description: The catalog, each source by its name.
    type: dict
    required: true
  overrides:
    description: What of the catalog the user changed, in the same form. What is pulled by default is told from what was named by it.
    type: dict
    default: {}
  organization:
    description: Name or UID of the organization of those sources that name none.
    type: str
    default: ""
  artifactory_url:
    description: Base URL of Artifactory.
    type: str
    required: true
  registry_url:
    description: Chainguard's registry, where what a pull token opens is pulled directly. Empty when it cannot be reached.
    type: str
    default: ""
  revoke_adopted:
    description: Whether a pull token that somebody made by hand is revoked when it was replaced.
    type: bool
    default: false
  repositories:
    description: The repositories that there are, as RV(cgr.pull_through.artifactory_repository_info#module:repositories) has them.
    type: list
    elements: dict
    default: []
  organizations:
    description: Organizations whose name and UID are known.
    type: list
    elements: dict
    default: []
  tokens:
    description: Results for the pull tokens, in the order of the sources that need one.
    type: list
    elements: dict
    default: []
  listed:
    description: Results of M(cgr.pull_through.chainguard_pull_token_info), when the pull tokens in use were looked at only.
    type: list
    elements: dict
  plans:
    description: Results for the repositories, in the order of the sources.
    type: list
    elements: dict
    default: []
  public_images:
    description: Results of pulls from public registries, in which C(__pull_through_source) tells the source.
    type: list
    elements: dict
    default: []
  organization_images:
    description: The images of organizations, in which C(__pull_through_organization) tells which.
    type: list
    elements: dict
    default: []
  organization_charts:
    description: The chart of each organization that changed last, as in O(organization_images).
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: Know the repositories of two sources
  ansible.builtin.debug:
    msg: "{{ sources | map(attribute='repository') }}"
  vars:
    sources: >-
      {{ ['containers_public', 'python'] | cgr.pull_through.sources(known=pull_through_catalog, organization='example.com',
                                                                    artifactory_url='https://artifactory.example.com') }}
"""

RETURN = r"""
_value:
  description:
    - The sources, each with the fields of the catalog, its place in Artifactory and at Chainguard, what is planned or was done for it,
      and what its proof pulls. Never a password.
  type: list
  elements: dict
"""

import re
import typing as t

from ansible.errors import AnsibleFilterError

Source = t.Dict[str, t.Any]

REGISTRIES = ("docker", "helmoci", "oci")
_TOKEN_FACTS = ("due", "valid", "username", "reason", "superseded", "replaces", "changed", "failed", "msg")


def _named(organizations: list[Source], owner: str) -> Source:
    """Return an organization's name and UID. Of one that nobody had to ask for, what the user gave is as good."""
    found = (one for one in organizations if owner in (one["name"], one["uid"]))
    return next(found, {"name": owner, "uid": owner})


def _filled(url: str, owner: Source) -> str:
    return url.replace("{organization_name}", owner["name"]).replace("{organization_uid}", owner["uid"])


def _place(artifactory_url: str, key: str) -> str:
    """Return where a pull token is used. It goes into the marker that says whose it is."""
    return re.sub(r"/+(artifactory/*)?$", "", artifactory_url) + f"/{key}"


def _token(source: Source, before: Source, artifactory_url: str) -> Source:
    name = re.sub(r"[^a-z0-9 ._-]", "-", f"pull {source['key']}".lower())[:63]
    return {
        "organization": source["owner"],
        "name": name,
        "ecosystem": source["pull_token"],
        "consumer": _place(artifactory_url, source["key"]),
        "active_identities": [before.get("username") or ""],
    }


def _of_owner(source: Source, results: list[Source]) -> Source:
    """Return what was found in the organization of a source."""
    return next((one for one in results if one["__pull_through_organization"] == source["owner"]), {})


def _pinned(source: Source, learnt: dict[str, t.Any]) -> list[str]:
    """Return the images that the proof pulls, pinned to the digest that Chainguard serves, as far as it was asked."""
    named = source["images"]
    found = _of_owner(source, learnt["organization_charts" if source["any_chart"] else "organization_images"])
    if source["private"] and named:
        return [found["references_by_name"][image] for image in named if image in found.get("references_by_name", {})]
    if source["private"] or source["any_chart"]:
        return [one["reference"] for one in found.get("images", [])[:1]]
    public: list[Source] = learnt["public_images"]
    asked = next((one for one in public if one["__pull_through_source"]["key"] == source["key"]), {})
    return [f"{one['image']}@{one['digest']}" for one in asked.get("images", [])] or named


def _proof(source: Source) -> Source:
    """Return what the proof of an unchanged source pulls, as registry_pull or artifact_pull takes it; empty for nothing."""
    what = {"images": source["pinned"]} if source["is_registry"] else {"artifacts": source.get("artifacts") or []}
    if not any(what.values()):
        return {}
    proof = {"repository": source["key"], "from_upstream": "preferred", **what}
    if not source["is_registry"]:
        proof["package_type"] = source["package_type"]
    if source["compared"] and not source.get("pull_token"):
        proof["upstream_url"] = source["direct_url"]
    return proof


def _in_use(source: Source, listed: list[Source]) -> Source:
    """Return the pull token in use, as chainguard_pull_token_info lists it."""
    username = source["before"].get("username")
    tokens = [
        token for one in listed if one["__pull_through_organization"] == source["owner"] for token in one["tokens"]
    ]
    gone = "it is gone: it was revoked, or is of another organization" if username else "there is none"
    missing = {"valid": False, "ecosystems": [], "summary": gone}
    return next((token for token in tokens if token["uid"] == username), missing)


def _described(name: str, known: Source, organization: str, registry_url: str, learnt: dict[str, t.Any]) -> Source:
    """Return a source with where it is, in Artifactory and at Chainguard, and what its proof pulls."""
    source: Source = {"name": name, **known}
    source["owner"] = source.get("organization") or organization
    owner = _named(learnt["organizations"], source["owner"])
    source["is_registry"] = source["package_type"] in REGISTRIES
    source["private"] = source.get("pull_token") == "oci" and source["package_type"] == "docker"
    source["images"] = list(source.get("images") or [])
    source["any_chart"] = (
        source.get("pull_token") == "oci" and source["package_type"] == "helmoci" and not source["images"]
    )
    source["url"] = _filled(source["url"], owner)
    direct = registry_url if source["is_registry"] and source.get("pull_token") else source.get("upstream_url") or ""
    # Its host may be left empty.
    source["direct_url"] = _filled(direct, owner) if re.match("https?://.", direct) else ""
    source["before"] = next((one for one in learnt["repositories"] if one["key"] == source["key"]), {})
    source["pinned"] = _pinned(source, learnt)
    source["needs_organization"] = bool(source.get("pull_token")) or "{organization_" in known["url"]
    source["repository"] = {field: source[field] for field in ("key", "package_type", "url", "settings")}
    # A proof that asks for the digests which upstream has leaves nothing to compare.
    pinned = source["package_type"] == "docker" and all("@" in image for image in source["pinned"])
    source["compared"] = bool(source["direct_url"]) and not pinned
    source["proof"] = _proof(source)
    return source


def _made(told: Source, revoke_adopted: bool) -> Source:
    """Return what came of a pull token. adopted: the UID of one that was made by hand, when it is to be revoked."""
    # The password stays out: what a task loops over is printed with its result.
    facts = {fact: told[fact] for fact in _TOKEN_FACTS if fact in told}
    made: Source = {"changed": False, "failed": False, "superseded": [], **facts}
    replaced = made.get("replaces") or {"managed": True}
    by_hand = not replaced["managed"]
    says = str(made.get("reason") or made.get("msg") or "")
    if made["changed"]:
        says = f"A new pull token: {says}."
    if made["changed"] and by_hand:
        lives_on = f"lives on until {replaced['expires']}, unless pull_through_revoke_unmanaged is true"
        fate = "is revoked in the end" if revoke_adopted else lives_on
        says = f"{says} The one that it replaces, {replaced['uid']}, was made by hand and {fate}."
    return {**made, "says": says, "adopted": [replaced["uid"]] if by_hand and revoke_adopted else []}


def _with_token(source: Source, index: int, artifactory_url: str, told: Source, listed: list[Source] | None) -> Source:
    """Return a source with its pull token: what to ask for, what is planned or was made, whether the one in use works.

    index: its place among the sources with a pull token. told: what came of it.
    """
    active_identities = {} if listed is None else _in_use(source, listed)
    return {
        **source,
        "token": _token(source, source["before"], artifactory_url),
        "token_index": index,
        "made": told,
        "active_identities": active_identities,
        "works": not active_identities
        or (active_identities["valid"] and source["pull_token"] in active_identities["ecosystems"]),
    }


def _with_plan(source: Source, plan: Source) -> Source:
    """Return a source with what is going to change, and whether there is anything to do for it."""
    changes = (plan.get("diff") or {}).get("after") or {}
    written = bool(source["made"].get("due") or changes)
    return {
        **source,
        "changes": changes,
        "written": written,
        "work": not source["made"]["failed"] and (written or bool(source["made"]["superseded"])),
    }


def sources(
    names: list[str],
    known: dict[str, Source],
    artifactory_url: str,
    overrides: dict[str, Source] | None = None,
    organization: str = "",
    registry_url: str = "",
    tokens: list[Source] | None = None,
    listed: list[Source] | None = None,
    plans: list[Source] | None = None,
    revoke_adopted: bool = False,
    repositories: list[Source] | None = None,
    organizations: list[Source] | None = None,
    public_images: list[Source] | None = None,
    organization_images: list[Source] | None = None,
    organization_charts: list[Source] | None = None,
) -> list[Source]:
    """Return the sources with all that is known of them. The arguments are in DOCUMENTATION."""
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise AnsibleFilterError(f"There is no source {', '.join(unknown)}.")
    learnt = {
        "repositories": repositories or [],
        "organizations": organizations or [],
        "public_images": public_images or [],
        "organization_images": organization_images or [],
        "organization_charts": organization_charts or [],
    }
    results: list[Source] = []
    for index, name in enumerate(names):
        source = _described(name, known[name], organization, registry_url, learnt)
        if source.get("pull_token"):
            place = sum("token" in one for one in results)
            made = _made(tokens[place] if tokens else {}, revoke_adopted)
            source = _with_token(source, place, artifactory_url, made, listed)
        else:
            source = {**source, "made": _made({}, False), "works": True}
        source["by_default"] = "artifacts" not in (overrides or {}).get(name, {})
        results.append(_with_plan(source, plans[index] if plans else {}))
    return results


class FilterModule:
    """Ansible's way to find the filter."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"sources": sources}
