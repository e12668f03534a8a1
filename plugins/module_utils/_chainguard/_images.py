# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The images of an organisation, from the Chainguard API. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._iam import Resource, pages
from ansible_collections.cgr.pull_through.plugins.module_utils._http import ApiSession

_DEFAULT_TAG = "latest"


def find_images(
    session: ApiSession, organization: Resource, wanted: list[str] | None
) -> tuple[list[Resource], dict[str, str]]:
    """Return the images that are there, sorted by name, and for each of wanted that is among them its pinned reference.

    wanted: name, name:tag or organisation/name:tag; None asks for all images, with their tag latest.
    """
    repos = {repo["uid"]: repo["name"] for repo in _repos(session, organization["uid"])}
    asked = {one: _split(one, organization["name"]) for one in wanted or []}
    tags = sorted({tag for _name, tag in asked.values()}) if wanted is not None else [_DEFAULT_TAG]
    found = {
        (repos[repo], tag["name"]): _image(organization["name"], repos[repo], tag)
        for name in tags
        for repo, tag in _tags(session, organization["uid"], name)
        if repo in repos
    }
    chosen = found.keys() if wanted is None else found.keys() & set(asked.values())
    pinned = {one: found[image]["reference"] for one, image in asked.items() if image in found}
    return [found[image] for image in sorted(chosen)], pinned


def _split(reference: str, organization: str) -> tuple[str, str]:
    name, _colon, tag = reference.removeprefix(f"{organization}/").partition(":")
    return name, tag.partition("@")[0] or _DEFAULT_TAG


def _repos(session: ApiSession, organization: str) -> t.Iterator[Resource]:
    return pages(session, "/registry/v2/repos", "repos", {"uidp.childrenOf": organization})


def _tags(session: ApiSession, organization: str, name: str) -> t.Iterator[tuple[str, Resource]]:
    """Yield the UID of each image that has the tag, and the tag. One listing serves all images."""
    query = {"uidp.descendantsOf": organization, "name": name, "includeReferrers": "false"}
    for tag in pages(session, "/registry/v2/tags", "tags", query):
        if tag["name"] == name:
            yield tag["uid"].rpartition("/")[0], tag


def _image(organization: str, name: str, tag: Resource) -> Resource:
    return {
        "name": name,
        "reference": f"{organization}/{name}:{tag['name']}@{tag['digest']}",
        "tag": tag["name"],
        "digest": tag["digest"],
        "updated": tag.get("updateTime") or "",
    }
