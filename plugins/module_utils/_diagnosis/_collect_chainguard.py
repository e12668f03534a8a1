# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Collects what Chainguard's API knows about organizations, pull tokens and images. Private to the collection."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._catalog import ImageCatalog, ImageFilter
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._iam import Iam, Resource, is_identity_uid
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._pull_tokens import PullToken
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._tag_age import describe_age
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._time import format_timestamp
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._evidence import (
    CachedTag,
    Identity,
    ImageListing,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError, PullThroughError
from ansible_collections.cgr.pull_through.plugins.module_utils._json_api import ApiSession


@dataclasses.dataclass(frozen=True)
class Organization:
    """An organization. resource: empty if it could not be read. is_unknown: whether Chainguard shows none of this name."""

    resource: Resource = dataclasses.field(default_factory=dict)
    is_unknown: bool = False


class ChainguardReader:
    """Reads from Chainguard's API, each thing once. What cannot be read is in unknown, with the reason.

    session: None without credentials; reason: why.
    """

    def __init__(self, session: ApiSession | None, reason: str = "") -> None:
        self._session = session
        self.unknown: dict[str, str] = {"chainguard": reason} if session is None else {}
        self._organizations: dict[str, Organization] = {}
        self._catalogs: dict[tuple[str, str], ImageCatalog | None] = {}

    def organization(self, name: str) -> Organization:
        """Return an organization by name or UID."""
        if name not in self._organizations:
            organization = self._read_organization(name)
            self._organizations.update(
                {name: organization, str(organization.resource.get("name") or name): organization}
            )
        return self._organizations[name]

    def identity(self, uid: str) -> Identity:
        """Return the identity with this UID, which is the user name of a pull token."""
        if self._session is None or not is_identity_uid(uid):
            return Identity()
        iam = Iam(self._session)
        try:
            resource = iam.identity(uid)
            if resource is None:
                return Identity("missing")
            token = PullToken.from_identity(resource)
            if token is None:
                return Identity("not_a_pull_token")
            bindings = iam.bindings_by_identity(uid.partition("/")[0], identity=uid)
        except PullThroughError as exc:
            self.unknown[f"identity {uid}"] = str(exc)
            return Identity()
        roles = tuple(sorted(role for _uid, role in bindings))
        return Identity("read", format_timestamp(token.expires), token.expires - iam.server_time(), roles)

    def listing(self, organization: str, kind: t.Literal["image", "chart"], images: list[str]) -> ImageListing:
        """Return what Chainguard's API lists of images. Those of others, and those with a digest, cannot be looked up."""
        catalog = self._catalog(organization, kind)
        own = [image for image in images if image.startswith(f"{organization}/") and "@" not in image]
        if catalog is None or not own:
            return ImageListing()
        try:
            listed = catalog.find(own)[1]
        except PullThroughError as exc:
            self.unknown[f"images of {organization}"] = str(exc)
            return ImageListing()
        without_tag = tuple(image for image in own if image not in listed and catalog.has_name(image))
        missing = tuple(image for image in own if image not in listed and image not in without_tag)
        return ImageListing(is_read=own == images, missing=missing, without_tag=without_tag)

    def overdue(
        self, organization: str, kind: t.Literal["image", "chart"], tags: t.Sequence[CachedTag], period: int | None
    ) -> list[CachedTag]:
        """Return the tags, with whether the organization had replaced them for longer than period when they were served."""
        catalog = self._catalog(organization, kind)
        own = [tag.image for tag in tags if tag.digest and tag.served and tag.image.startswith(f"{organization}/")]
        if catalog is None or not own or period is None:
            return list(tags)
        try:
            current = catalog.find(own)[1]
            return [_judge_age(tag, current.get(tag.image), catalog, period) for tag in tags]
        except PullThroughError as exc:
            self.unknown[f"images of {organization}"] = str(exc)
            return list(tags)

    def newest_image(self, organization: str, kind: t.Literal["image", "chart"]) -> str:
        """Return the image of an organization that changed last, with its tag; empty if that is unknown."""
        catalog = self._catalog(organization, kind)
        try:
            tags = ("latest",) if kind == "image" else ()
            images = catalog.select(ImageFilter(tags=tags, limit=1)) if catalog is not None else []
        except PullThroughError as exc:
            self.unknown[f"images of {organization}"] = str(exc)
            return ""
        return str(images[0]["reference"]).partition("@")[0] if images else ""

    def _catalog(self, organization: str, kind: t.Literal["image", "chart"]) -> ImageCatalog | None:
        resource = self.organization(organization).resource
        if self._session is None or not resource:
            return None
        if (organization, kind) not in self._catalogs:
            try:
                self._catalogs[organization, kind] = ImageCatalog(self._session, resource, kind)
            except PullThroughError as exc:
                self.unknown[f"images of {organization}"] = str(exc)
                self._catalogs[organization, kind] = None
        return self._catalogs[organization, kind]

    def _read_organization(self, name: str) -> Organization:
        if self._session is None or not name:
            return Organization()
        try:
            return Organization(Iam(self._session).organization(name))
        except InputError:
            return Organization(is_unknown=True)
        except PullThroughError as exc:
            self.unknown["chainguard"] = str(exc)
            # Each further request would fail in the same way.
            self._session = None
            return Organization()


def _judge_age(tag: CachedTag, image: Resource | None, catalog: ImageCatalog, period: int) -> CachedTag:
    if image is None or tag.served is None or tag.digest == image["digest"]:
        return tag
    age = describe_age(tag.digest, image, catalog.history(image), tag.served, period)
    return dataclasses.replace(tag, is_overdue=age["overdue"] is True)
