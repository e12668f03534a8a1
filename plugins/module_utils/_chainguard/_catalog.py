# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The images and charts of an organization, from the Chainguard API. Private to the collection."""

from __future__ import annotations

import fnmatch
import itertools
import typing as t
from urllib.parse import quote

from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._iam import Iam, Resource, paginate
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._time import (
    TIMESTAMP,
    format_timestamp,
    parse_timestamp,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._json_api import ApiSession, is_not_found
from ansible_collections.cgr.pull_through.plugins.module_utils._shape import NUMBER, WORD, Listing

DEFAULT_TAG = "latest"

_REPO = {"uid": WORD, "name": str, "updateTime?": TIMESTAMP}
_TAG = {**_REPO, "digest": WORD}
_HISTORY = {"items?": [{"digest": WORD, "updateTimestamp?": TIMESTAMP}]}
_SIZE = {"size?": (int, NUMBER)}

# For at most this many images, listing the tags of each image is shorter than listing all tags.
_PER_IMAGE_LISTING_LIMIT = 10
_MAX_ARCHITECTURES = 100


class ImageFilter(t.NamedTuple):
    """Selects images of an organization. names, tags: shell patterns; without tags, the tag of each image that changed last.

    changed_within: seconds. limit: number of images, those that changed last. 0 disables either of them.
    """

    names: tuple[str, ...] = ("*",)
    tags: tuple[str, ...] = (DEFAULT_TAG,)
    changed_within: int = 0
    limit: int = 0


class ImageCatalog:
    """The images or charts of an organization, and the current digests of their tags. All methods raise RequestError.

    Images are directly under the organization. Charts are in folders for charts, which are part of their names.
    """

    def __init__(self, session: ApiSession, organization: Resource, kind: t.Literal["image", "chart"]) -> None:
        self._session = session
        self._organization = organization
        self._names: dict[str, str] = {}
        self._changed: dict[str, float] = {}
        for uid, prefix in ({organization["uid"]: ""} if kind == "image" else self._chart_prefixes()).items():
            for repo in paginate(session, "/registry/v2/repos", "repos", {"uidp.childrenOf": uid}, _REPO):
                self._names[repo["uid"]] = prefix + repo["name"]
                self._changed[repo["uid"]] = parse_timestamp(repo.get("updateTime"))

    def _chart_prefixes(self) -> dict[str, str]:
        """Return the prefix of the names of charts, by the UID of their folder."""
        names = {folder["uid"]: folder["name"] for folder in Iam(self._session).folders(self._organization["uid"])}
        return {uid: f"{name}/" for uid, name in names.items() if name == "charts" or name.endswith("-charts")}

    def server_time(self) -> float:
        """Return the time of the service, in epoch seconds."""
        return self._session.server_time()

    def select(self, image_filter: ImageFilter) -> list[Resource]:
        """Return the images that match the filter, sorted by name and tag."""
        repos = {uid for uid, name in self._names.items() if _matches(name, image_filter.names)}
        since = self.server_time() - image_filter.changed_within if image_filter.changed_within else 0.0
        if image_filter.tags:
            images: t.Iterable[Resource] = self._list_by_tag(repos, image_filter.tags, since)
        else:
            images = self._iterate_newest(repos, since)
        limited = itertools.islice(images, image_filter.limit or None)
        return sorted(limited, key=lambda image: (image["name"], image["tag"]))

    def _list_by_tag(self, repos: set[str], patterns: tuple[str, ...], since: float) -> list[Resource]:
        """Return the images with matching tags, those that changed last first."""
        images = {
            tag["uid"]: self._image(tag)
            for tag in self._iterate_tags(repos, patterns, since)
            if _repo_uid(tag) in repos and parse_timestamp(tag.get("updateTime")) >= since
        }
        return sorted(images.values(), key=lambda image: parse_timestamp(image["updated"]), reverse=True)

    def _iterate_newest(self, repos: set[str], since: float) -> t.Iterator[Resource]:
        """Yield each image with the tag that changed last, those that changed last first. Lists tags only as needed."""
        for uid in sorted(repos, key=lambda uid: (-self._changed[uid], uid)):
            tags = self._list_tags({"uidp.childrenOf": uid})
            newest = max(tags, key=lambda tag: parse_timestamp(tag.get("updateTime")), default=None)
            if newest is not None and parse_timestamp(newest.get("updateTime")) >= since:
                yield self._image(newest)

    def find(self, references: list[str]) -> tuple[list[Resource], dict[str, Resource]]:
        """Return the existing images, sorted by name, and the same images by reference.

        references: name, name:tag or organization/name:tag.
        """
        requested = {reference: self._split(reference) for reference in references}
        tags = tuple(sorted({tag for _name, tag in requested.values()}))
        images = {
            (image["name"], image["tag"]): image
            for image in map(self._image, self._iterate_tags(set(self._names), tags, 0.0))
            if image["name"]
        }
        by_reference = {reference: images[key] for reference, key in requested.items() if key in images}
        return [images[key] for key in sorted(images.keys() & set(requested.values()))], by_reference

    def has_name(self, reference: str) -> bool:
        """Return whether the organization has an image of this name, with whatever tags. reference: as of find()."""
        return self._split(reference)[0] in self._names.values()

    def history(self, image: Resource) -> list[tuple[float, str]]:
        """Return the digests of a tag with the epoch seconds of each change, oldest first. Empty if there is no history."""
        # Only v1 of the API has the history, so it may be removed.
        path = f"/registry/v1/tags/{quote(image['uid'])}/history"
        history = self._session.call("GET", path, absent=is_not_found, shape=_HISTORY)
        items = (history or {}).get("items") or []
        return sorted((parse_timestamp(item.get("updateTimestamp")), item["digest"]) for item in items)

    def size(self, image: Resource, platforms: t.Collection[str]) -> int:
        """Return the bytes of the layers and configurations of an image. platforms: os/architecture, or only "all"."""
        digest = f"/registry/v2/repos/{quote(_repo_uid(image))}/digests/{image['digest']}"
        if "all" in platforms:
            listed = self._session.call("GET", f"{digest}/architectures", shape={"architectures?": [str]})
            architectures = listed.get("architectures") or []
            Listing("architectures", self._session.base_url + digest, max_entries=_MAX_ARCHITECTURES).add(
                len(architectures)
            )
        else:
            architectures = sorted({platform.split("/")[1] for platform in platforms})
        sizes = [
            self._session.call(
                "GET", f"{digest}/size", query={"architecture": architecture}, absent=is_not_found, shape=_SIZE
            )
            or {}
            for architecture in architectures
        ]
        return sum(int(size.get("size") or 0) for size in sizes)

    def _split(self, reference: str) -> tuple[str, str]:
        name, _colon, tag = reference.removeprefix(f"{self._organization['name']}/").partition(":")
        return name, tag.partition("@")[0] or DEFAULT_TAG

    def _iterate_tags(self, repos: set[str], patterns: tuple[str, ...], since: float) -> t.Iterator[Resource]:
        """Yield the tags that match a pattern. May include those of other images or of earlier changes."""
        changed = {"updatedSince": format_timestamp(since)} if since else {}
        organization = {"uidp.descendantsOf": self._organization["uid"]}
        for name in dict.fromkeys(pattern for pattern in patterns if not _is_wildcard(pattern)):
            # By default, listings omit tags that never move, such as 1.27.3-r1.
            query = {**organization, "name": name, "includeDates": "true", "includeEpochs": "true", **changed}
            yield from (tag for tag in self._list_tags(query) if tag["name"] == name)
        wildcards = [pattern for pattern in patterns if _is_wildcard(pattern)]
        if wildcards:
            parents = [{"uidp.childrenOf": uid} for uid in sorted(repos)]
            for parent in parents if len(repos) <= _PER_IMAGE_LISTING_LIMIT else [organization]:
                yield from (tag for tag in self._list_tags({**parent, **changed}) if _matches(tag["name"], wildcards))

    def _list_tags(self, query: dict[str, str]) -> t.Iterator[Resource]:
        return paginate(self._session, "/registry/v2/tags", "tags", {**query, "includeReferrers": "false"}, _TAG)

    def _image(self, tag: Resource) -> Resource:
        name = self._names.get(_repo_uid(tag), "")
        return {
            "uid": tag["uid"],
            "name": name,
            "reference": f"{self._organization['name']}/{name}:{tag['name']}@{tag['digest']}",
            "tag": tag["name"],
            "digest": tag["digest"],
            "updated": tag.get("updateTime") or "",
        }


def _repo_uid(tag: Resource) -> str:
    return str(tag["uid"]).rpartition("/")[0]


def _is_wildcard(pattern: str) -> bool:
    return any(character in pattern for character in "*?[")


def _matches(text: str, patterns: t.Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(text, pattern) for pattern in patterns)
