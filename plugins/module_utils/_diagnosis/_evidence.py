# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known about a source without a failed pull. No I/O. Private to the collection."""

from __future__ import annotations

import dataclasses
import typing as t
from urllib.parse import urlsplit

from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._iam import is_organization_uid
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._time import format_timestamp
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._pull_rules import Evidence
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._tls import TlsSession
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import Stage
from ansible_collections.cgr.pull_through.plugins.module_utils._origin import Origin

# Artifactory's own.
NEGATIVE_CACHE_SECONDS = 1800
# Allows for the seconds between a comparison and the download that caused it.
_CLOCK_TOLERANCE = 300
_MAX_NAMES = 3
_MAX_SECONDS = 10**9

# path: HOST/v2/KEY/. subdomain: a host for each repository. api: Artifactory's own path, which needs no proxy.
AddressForm = t.Literal["path", "subdomain", "api"]
IdentityState = t.Literal["not_read", "missing", "not_a_pull_token", "read"]

# Its images need no credentials.
PUBLIC_ORGANIZATION = "chainguard"
REGISTRY_TYPES = ("docker", "helmoci", "oci")
# A path that each repository of the type has, to try the patterns with.
_COMMON_PATHS = {"alpine": "x86_64/APKINDEX.tar.gz", "maven": "org/example/name/maven-metadata.xml"}


@dataclasses.dataclass(frozen=True)
class Identity:
    """The identity at Chainguard that belongs to the user name of a repository. seconds_left: until it expires."""

    state: IdentityState = "not_read"
    expires: str = ""
    seconds_left: float = 0.0
    roles: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class ImageListing:
    """What Chainguard's API lists of images of an organization.

    is_read: whether it lists them all, apart from the following. missing: the organization has no image of that name.
    published: Chainguard publishes an image of that name, but the organization does not have it. without_tag: the
    organization has the image, but not the tag.
    """

    is_read: bool = False
    missing: tuple[str, ...] = ()
    published: tuple[str, ...] = ()
    without_tag: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Member:
    """A member of a virtual repository. is_missing: Artifactory has no such repository."""

    key: str
    package_type: str = ""
    is_missing: bool = False
    is_disabled: bool = False
    has_priority: bool = False


@dataclasses.dataclass(frozen=True)
class CachedTag:
    """A tag in a cache, with times in epoch seconds, None if unknown. digest: empty if unknown.

    compared: when Artifactory fetched it or last compared it with the upstream. served: when a client last got it.
    is_overdue: whether Chainguard had replaced the digest for longer than the cache may keep it when it was served.
    """

    image: str
    digest: str = ""
    compared: float | None = None
    served: float | None = None
    is_overdue: bool = False

    def is_served_after(self, period: float) -> bool:
        """Whether it was served although the cache may keep it only for this many seconds."""
        return bool(self.compared and self.served and self.served > self.compared + period + _CLOCK_TOLERANCE)

    @property
    def text(self) -> str:
        """The digest and the times."""
        compared = format_timestamp(self.compared) if self.compared else "an unknown time"
        served = format_timestamp(self.served) if self.served else "an unknown time"
        return f"{self.image} is {self.digest}, compared with the upstream at {compared}, served at {served}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class SourceEvidence(Evidence):
    """What is known about a source.

    desired: its settings and url, as the role sets them. ecosystem, role: of its pull token; empty if it needs none.
    organization, organization_uid: at Chainguard; the UID is empty if it is not known, and unknown_organization says
    that Chainguard does not know the name. images: what a pull asks for. listing: what Chainguard's API lists of them.
    members: of a virtual repository. tags: of the images, as they are cached. marker_layers: references of
    cached manifests with layers that are not cached; read only if the repository is offline. now: epoch seconds.
    """

    stage: Stage = "diagnosis"
    package_type: str
    desired: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    ecosystem: str = ""
    role: str = ""
    organization: str = ""
    organization_uid: str = ""
    unknown_organization: bool = False
    images: tuple[str, ...] = ()
    listing: ImageListing = ImageListing()
    identity: Identity = Identity()
    members: tuple[Member, ...] = ()
    tags: tuple[CachedTag, ...] = ()
    marker_layers: tuple[str, ...] = ()
    now: float = 0.0

    @property
    def is_registry(self) -> bool:
        """Whether the source serves images or charts."""
        return self.package_type in REGISTRY_TYPES

    @property
    def is_virtual(self) -> bool:
        """Whether the source is a virtual repository."""
        return bool(self.members)

    @property
    def has_all_settings(self) -> bool:
        """Whether the configuration was read, and not only the part of it that every user can read."""
        return self.config.state == "read" and "includesPattern" in self.settings

    @property
    def username(self) -> str:
        """The user name that the repository logs in with."""
        return str(self.settings.get("username") or "")

    @property
    def project(self) -> str:
        """The prefix that the repository adds to each image name."""
        return str(self.settings.get("dockerProjectId") or "")

    @property
    def url_path(self) -> str:
        """The path of the URL that the repository fetches from, unless that is another Artifactory."""
        path = urlsplit(self.remote_url).path.strip("/")
        return "" if path.startswith("artifactory/api/docker/") else path

    @property
    def doubled_images(self) -> str:
        """The images that begin with the prefix that the repository adds."""
        return ", ".join(image for image in self.images if self.project and image.startswith(f"{self.project}/"))

    @property
    def other_images(self) -> str:
        """The images of the organization, if the repository adds another prefix to their names."""
        own = [image for image in self.images if self.organization and image.startswith(f"{self.organization}/")]
        return ", ".join(own) if self.project and self.project != self.organization else ""

    @property
    def excluded_paths(self) -> str:
        """The first path in the cache that the patterns of the repository exclude; empty if there is none."""
        paths = [path for image in self.images for path in [_manifest_path(image)] if path] if self.is_registry else []
        if self.package_type in _COMMON_PATHS:
            paths.append(_COMMON_PATHS[self.package_type])
        return next((path for path in paths if self.is_excluded([path])), "")

    @property
    def overdue_tags(self) -> list[CachedTag]:
        """The tags that Artifactory served after Chainguard had replaced them for too long."""
        return [tag for tag in self.tags if tag.is_overdue]

    @property
    def expired_tags(self) -> list[CachedTag]:
        """The tags that Artifactory served after the time that it may keep them."""
        period = self.seconds("retrievalCachePeriodSecs")
        return [tag for tag in self.tags if period is not None and tag.is_served_after(period)]

    @property
    def old_tags_text(self) -> str:
        """The images with such a tag."""
        return ", ".join(tag.image for tag in self.overdue_tags or self.expired_tags)

    @property
    def old_tags_quote(self) -> str:
        """The digests and times of such tags."""
        return "; ".join(tag.text for tag in self.overdue_tags or self.expired_tags)

    @property
    def marker_layers_text(self) -> str:
        """The references of manifests with layers that are not cached."""
        first, rest = self.marker_layers[:_MAX_NAMES], len(self.marker_layers) - _MAX_NAMES
        return ", ".join(first) + (f" and {rest} more" if rest > 0 else "")

    @property
    def has_negative_cache(self) -> bool:
        """Whether Artifactory caches what it did not find."""
        return self.seconds("missedRetrievalCachePeriodSecs") != 0

    @property
    def retry_text(self) -> str:
        """When Artifactory asks the upstream again for what it did not find, as a part of a sentence."""
        seconds = self.seconds("missedRetrievalCachePeriodSecs") or NEGATIVE_CACHE_SECONDS
        return f"retry in {seconds} seconds at most, at {format_timestamp(self.now + seconds)}"

    def seconds(self, name: str) -> int | None:
        """Return a setting that is a number of seconds; None if it is not known, or is no valid one."""
        value = self.settings.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_SECONDS else None

    def differing(self, *names: str) -> dict[str, t.Any]:
        """Return the desired values of the named settings that the repository has other values of."""
        return {
            name: self.desired[name]
            for name in names or self.desired
            if name in self.desired and self.settings.get(name) is not None and not self._is_desired(name)
        }

    def _is_desired(self, name: str) -> bool:
        current, desired = self.settings[name], self.desired[name]
        if isinstance(current, str) and isinstance(desired, str):
            return "{" in desired or current.rstrip("/") == desired.rstrip("/")
        return bool(current == desired)

    @property
    def differing_text(self) -> str:
        """The settings that differ with their desired values, as a part of a sentence."""
        return "set " + ", ".join(f"{name} to {_value(value)}" for name, value in self.differing().items())

    @property
    def differing_quote(self) -> str:
        """The settings that differ with their current values."""
        return ", ".join(f"{name}: {_value(self.settings[name])}" for name in self.differing())

    @property
    def other_types(self) -> str:
        """The members of another package type."""
        return ", ".join(member.key for member in self.members if member.package_type not in ("", self.package_type))

    @property
    def missing_members(self) -> str:
        """The members that do not exist, or that the virtual repository does not have."""
        current = self.settings.get("repositories")
        return ", ".join(
            member.key
            for member in self.members
            if member.is_missing or (isinstance(current, list) and member.key not in current)
        )

    @property
    def priority_members(self) -> str:
        """The members that are searched first."""
        return ", ".join(member.key for member in self.members if member.has_priority)

    @property
    def disabled_members(self) -> str:
        """The members that are offline or blacked out."""
        return ", ".join(member.key for member in self.members if member.is_disabled)

    @property
    def missing_images(self) -> str:
        """The images that the organization does not have."""
        return ", ".join(self.listing.missing)

    @property
    def published_images(self) -> str:
        """The images that Chainguard publishes, and the organization does not have."""
        return ", ".join(self.listing.published)

    @property
    def missing_tags(self) -> str:
        """The images that the organization has without the tag."""
        return ", ".join(self.listing.without_tag)

    @property
    def other_organization_images(self) -> str:
        """The images whose names begin with another organization than that of the pull token. It can pull public ones too."""
        is_named = bool(self.organization) and not is_organization_uid(self.organization)
        if self.ecosystem != "oci" or self.project or not is_named or self.unknown_organization:
            return ""
        own = (f"{self.organization}/", f"{PUBLIC_ORGANIZATION}/")
        return ", ".join(image for image in self.images if not image.startswith(own))

    @property
    def roles_text(self) -> str:
        """The roles of the identity."""
        return ", ".join(self.identity.roles) or "no role"


def _manifest_path(image: str) -> str:
    """Return the path in the cache of the manifest of an image with a tag; empty with a digest."""
    if "@" in image:
        return ""
    name, tag = split_image(image)
    return f"{name}/{tag}/manifest.json"


def split_image(image: str) -> tuple[str, str]:
    """Return the name and the tag of an image. Without a tag it is latest."""
    name, _colon, tag = image.partition("@")[0].partition(":")
    return name, tag or "latest"


def _value(value: t.Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServerEvidence(Evidence):
    """What is known about a server.

    clock_difference: seconds by which its clock is ahead of the controller's. is_registry: whether it is one. blobs_of: the
    registry that stores its layers there; empty for other servers. tls: of the connection from the controller.
    """

    stage: Stage = "diagnosis"
    clock_difference: float = 0.0
    is_registry: bool = False
    blobs_of: str = ""
    tls: TlsSession = TlsSession()

    @property
    def issuer(self) -> str:
        """Who signed the last certificate that the server sent; empty if that is not known."""
        return self.tls.issuer

    @property
    def tls_text(self) -> str:
        """The TLS version and the certificates, as a clause."""
        return f"; {self.tls.text}" if self.tls.certificates else ""

    @property
    def clock_text(self) -> str:
        """How much the clocks differ."""
        ahead = "ahead of" if self.clock_difference > 0 else "behind"
        return f"{abs(self.clock_difference):.0f} seconds {ahead}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class AddressEvidence(Evidence):
    """What Artifactory responds to container clients at one address.

    form: how the address names the repository. realm: of the challenge; empty without one. token_service_hosts: other
    hosts that the realm may have, with or without a port. working_addresses: others that clients can use instead, as
    values of registry_url.
    """

    stage: Stage = "diagnosis"
    url: str
    form: AddressForm = "path"
    working_addresses: tuple[str, ...] = ()
    realm: str = ""
    token_service_hosts: frozenset[str] = frozenset()

    @property
    def has_other_realm(self) -> bool:
        """Whether the realm is at an address that clients do not use. Artifactory also names the default port."""
        if not self.realm:
            return False
        try:
            realm, own = Origin.from_url(self.realm), Origin.from_url(self.url)
        except ValueError:
            return True
        names = {realm.host, f"{realm.host}:{realm.port}"}
        is_same_port = realm.port == own.port or realm.scheme != own.scheme
        return not (realm.host == own.host and is_same_port) and names.isdisjoint(self.token_service_hosts)

    @property
    def is_of_one_repository(self) -> bool:
        """Whether a proxy maps an address that should be for all repositories to this one."""
        return self.form == "path" and f"/api/docker/{self.repository}/" in self.realm

    @property
    def working_text(self) -> str:
        """What else to set pull_through_registry_url to, in parentheses; empty if there is nothing."""
        if not self.working_addresses:
            return ""
        return f"(or set pull_through_registry_url to {' or '.join(self.working_addresses)}, where clients can log in)"

    @property
    def address(self) -> str:
        """Scheme, host and port that clients use."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"
