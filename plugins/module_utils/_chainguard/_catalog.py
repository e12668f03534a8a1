# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The images and charts of an organization, from the Chainguard API. Private to the collection."""

from __future__ import annotations

import dataclasses
import fnmatch
import itertools
import typing as t
from urllib.parse import quote

from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._iam import Iam, Resource, paginate
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._pull_tokens import rfc3339, timestamp
from ansible_collections.cgr.pull_through.plugins.module_utils._json_api import ApiSession, is_not_found

DEFAULT_TAG = "latest"

# Up to so many images, a listing of the tags of each is shorter than one of all tags.
_PER_IMAGE_LISTING_LIMIT = 10


@dataclasses.dataclass(frozen=True)
class ImageFilter:
    """Which of an organization's images are meant. names and tags are shell patterns; no tags stand for the one that changed last.

    changed_within: seconds, limit: at most so many, those that changed last; 0 is no limit for both.
    """

    names: tuple[str, ...] = ("*",)
    tags: tuple[str, ...] = (DEFAULT_TAG,)
    changed_within: int = 0
    limit: int = 0


class ImageCatalog:
    """The images of one organization, or its charts, and the digests that their tags have now.

    Images are directly below the organization. Charts are in its folders for charts, which their names begin with.
    """

    def __init__(self, session: ApiSession, organization: Resource, kind: t.Literal["image", "chart"]) -> None:
        self._session = session
        self._organization = organization
        self._repos: dict[str, str] = {}
        self._changed: dict[str, float] = {}
        for uid, prefix in ({organization["uid"]: ""} if kind == "image" else self._chart_folders()).items():
            for repo in paginate(session, "/registry/v2/repos", "repos", {"uidp.childrenOf": uid}):
                self._repos[repo["uid"]] = prefix + repo["name"]
                self._changed[repo["uid"]] = timestamp(repo.get("updateTime"))

    def _chart_folders(self) -> dict[str, str]:
        """Return what the names of charts begin with, by the UID of their folder."""
        names = {folder["uid"]: folder["name"] for folder in Iam(self._session).folders(self._organization["uid"])}
        return {uid: f"{name}/" for uid, name in names.items() if name == "charts" or name.endswith("-charts")}

    def now(self) -> float:
        """Return the service's time, epoch seconds."""
        return self._session.server_time()

    def select(self, choice: ImageFilter) -> list[Resource]:
        """Return the images that are meant, sorted by name and tag."""
        repos = {uid for uid, name in self._repos.items() if _matches(name, choice.names)}
        since = self.now() - choice.changed_within if choice.changed_within else 0.0
        newest = self._with_tags(repos, choice.tags, since) if choice.tags else self._newest_of_each(repos, since)
        meant = itertools.islice(newest, choice.limit or None)
        return sorted(meant, key=lambda image: (image["name"], image["tag"]))

    def _with_tags(self, repos: set[str], patterns: tuple[str, ...], since: float) -> list[Resource]:
        """Return those of the images that have such tags, the one that changed last in front."""
        found = {
            tag["uid"]: self._image(tag)
            for tag in self._tags(repos, patterns, since)
            if _repo(tag) in repos and timestamp(tag.get("updateTime")) >= since
        }
        return sorted(found.values(), key=lambda image: timestamp(image["updated"]), reverse=True)

    def _newest_of_each(self, repos: set[str], since: float) -> t.Iterator[Resource]:
        """Yield each of the images with the tag that changed last, the image that changed last in front. Lists no more than is taken."""
        for uid in sorted(repos, key=lambda uid: (-self._changed[uid], uid)):
            tags = self._list({"uidp.childrenOf": uid})
            newest = max(tags, key=lambda tag: timestamp(tag.get("updateTime")), default=None)
            if newest is not None and timestamp(newest.get("updateTime")) >= since:
                yield self._image(newest)

    def find(self, wanted: list[str]) -> tuple[list[Resource], dict[str, Resource]]:
        """Return those of the images that are there, sorted by name, and each by how it was written.

        wanted: name, name:tag or organization/name:tag.
        """
        asked = {one: self._split(one) for one in wanted}
        tags = tuple(sorted({tag for _name, tag in asked.values()}))
        found = {
            (image["name"], image["tag"]): image
            for image in map(self._image, self._tags(set(self._repos), tags, 0.0))
            if image["name"]
        }
        there = {one: found[name_and_tag] for one, name_and_tag in asked.items() if name_and_tag in found}
        return [found[one] for one in sorted(found.keys() & set(asked.values()))], there

    def history(self, image: Resource) -> list[tuple[float, str]]:
        """Return when (epoch seconds) the tag of an image got which digest, the first one in front; nothing where it is not told."""
        # Only v1 of the API has it, so that it may be gone one day.
        path = f"/registry/v1/tags/{quote(image['uid'])}/history"
        items = (self._session.call("GET", path, absent=is_not_found) or {}).get("items") or []
        return sorted((timestamp(item.get("updateTimestamp")), item["digest"]) for item in items)

    def size(self, image: Resource, platforms: t.Collection[str]) -> int:
        """Return the bytes of the layers and configurations of an image, for os/architecture platforms or for all alone."""
        digest = f"/registry/v2/repos/{quote(_repo(image))}/digests/{image['digest']}"
        if "all" in platforms:
            architectures = self._session.call("GET", f"{digest}/architectures").get("architectures") or []
        else:
            architectures = sorted({platform.split("/")[1] for platform in platforms})
        sizes = [
            self._session.call("GET", f"{digest}/size", query={"architecture": architecture}, absent=is_not_found) or {}
            for architecture in architectures
        ]
        return sum(int(size.get("size") or 0) for size in sizes)

    def _split(self, reference: str) -> tuple[str, str]:
        name, _colon, tag = reference.removeprefix(f"{self._organization['name']}/").partition(":")
        return name, tag.partition("@")[0] or DEFAULT_TAG

    def _tags(self, repos: set[str], patterns: tuple[str, ...], since: float) -> t.Iterator[Resource]:
        """Yield tags that a pattern matches, at least those of the images and of that time: one listing serves all images."""
        changed = {"updatedSince": rfc3339(since)} if since else {}
        names = [pattern for pattern in patterns if not _is_wild(pattern)]
        wild = [pattern for pattern in patterns if _is_wild(pattern)]
        for name in dict.fromkeys(names):
            # A tag that never moves, such as 1.27.3-r1, is left out of listings unless it is asked for.
            whole = {"name": name, "includeDates": "true", "includeEpochs": "true"}
            below = {"uidp.descendantsOf": self._organization["uid"], **whole, **changed}
            yield from (tag for tag in self._list(below) if tag["name"] == name)
        if wild:
            everywhere = [{"uidp.descendantsOf": self._organization["uid"]}]
            places = (
                [{"uidp.childrenOf": uid} for uid in sorted(repos)]
                if len(repos) <= _PER_IMAGE_LISTING_LIMIT
                else everywhere
            )
            for place in places:
                yield from (tag for tag in self._list({**place, **changed}) if _matches(tag["name"], wild))

    def _list(self, query: dict[str, str]) -> t.Iterator[Resource]:
        return paginate(self._session, "/registry/v2/tags", "tags", {**query, "includeReferrers": "false"})

    def _image(self, tag: Resource) -> Resource:
        name = self._repos.get(_repo(tag), "")
        return {
            "uid": tag["uid"],
            "name": name,
            "reference": f"{self._organization['name']}/{name}:{tag['name']}@{tag['digest']}",
            "tag": tag["name"],
            "digest": tag["digest"],
            "updated": tag.get("updateTime") or "",
        }


def _repo(tag: Resource) -> str:
    return str(tag["uid"]).rpartition("/")[0]


def _is_wild(pattern: str) -> bool:
    return any(mark in pattern for mark in "*?[")


def _matches(text: str, patterns: t.Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(text, pattern) for pattern in patterns)
