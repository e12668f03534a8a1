# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Image pulls: the jobs of the engine and their results. Private to the collection."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._pull_engine import PullJob, PullResult
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._client import Registry
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._manifest import Manifest
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._platforms import Platform
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._reference import Reference


class Settings(t.NamedTuple):
    """What to pull of each image.

    platforms: None for all. referrers: whether to pull signatures, attestations and SBOMs too.
    canary: whether to pull the other images only if the first one succeeds.
    propagation_timeout: seconds during which denied direct pulls are repeated.
    """

    depth: t.Literal["resolve", "manifest", "image"] = "image"
    platforms: tuple[Platform, ...] | None = None
    threads: int = 12
    referrers: bool = False
    canary: bool = False
    propagation_timeout: float = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImagePullJob(PullJob[Registry]):
    """The images to pull from one repository.

    other_references: pulled instead of one that shows nothing about the login. is_in_host: whether the host names the
    repository, and not the path.
    """

    references: t.Sequence[Reference]
    other_references: t.Sequence[Reference] = ()
    is_in_host: bool = False

    @property
    def path_prefix(self) -> str:
        """What precedes the name of each image: the repository key, or nothing."""
        return "" if self.is_in_host else self.repository


@dataclasses.dataclass(kw_only=True)
class ImagePullResult(PullResult[ImagePullJob]):
    """The result for one image.

    number: its position among all images of the run. is_dry_run: whether its manifests are read from upstream only.
    layers, foreign_layers, bytes: of the image, including what another image of the run shares with it.
    artifact_type: empty for an image, or if it is not known. referrers: their number; None if they were not pulled.
    earlier_login_until: see CacheProbe.earlier_login_until().
    """

    reference: Reference
    number: int = 0
    is_dry_run: bool = False
    root: Manifest | None = None
    platforms: dict[str, str] = dataclasses.field(default_factory=dict)
    artifact_type: str = ""
    layers: int = 0
    foreign_layers: int = 0
    bytes: int = 0
    referrers: int | None = None
    earlier_login_until: float | None = None

    @property
    def version(self) -> str | None:
        return self.root.digest if self.root else None

    @property
    def registry(self) -> Registry:
        """The registry that the image is read from."""
        return t.cast(Registry, self.job.upstream) if self.is_dry_run else self.job.client

    @property
    def name(self) -> str:
        """The name of the image in that registry."""
        return self.reference.name if self.is_dry_run else self.repository_name

    @property
    def repository_name(self) -> str:
        """The name of the image with the repository key."""
        return "/".join(filter(None, (self.job.path_prefix, self.reference.name)))

    def new_attempt(self) -> ImagePullResult:
        return ImagePullResult(job=self.job, reference=self.reference, number=self.number, started=self.started)
