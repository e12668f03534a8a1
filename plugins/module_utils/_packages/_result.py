# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Artifact pulls: the jobs of the engine and their results. Private to the collection."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InvalidContentError, PullThroughError
from ansible_collections.cgr.pull_through.plugins.module_utils._http import redact_url
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._model import (
    ArtifactSpec,
    DownloadedFile,
    Release,
    RemoteFile,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._repository_client import RepositoryClient
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._versions import newest_first
from ansible_collections.cgr.pull_through.plugins.module_utils._pull_engine import PullJob, PullResult


class Ecosystem(t.Protocol):
    """How packages of one type are named, and where their index and their files are."""

    def parse(self, text: str, architecture: str = "") -> ArtifactSpec:
        """Return the artifact. Raises InputError."""

    def repository_url(self, artifactory_url: str, key: str) -> str:
        """Return the prefix of all URLs of a repository in Artifactory."""

    def base_url(self, repository_url: str) -> str:
        """Return the URL that clients are configured with, for a repository in Artifactory."""

    def upstream_file_url(self, base_url: str, path: str) -> str:
        """Return the URL of a file at the upstream. path: in the cache of Artifactory."""

    def find(self, client: RepositoryClient, artifact: ArtifactSpec, withheld: t.Collection[str] = ()) -> Release:
        """Return the release. withheld: versions that are passed over for older ones, if the artifact has no version.

        Raises VersionNotFoundError, and the exceptions of RepositoryClient.get_document().
        """


class ChecksumMismatchError(PullThroughError):
    """A file that differs from the upstream's file."""

    def __init__(self, file: RemoteFile) -> None:
        self.file = file
        super().__init__(
            f"The checksum of {file.name} differs from the upstream's file, although both match their indexes."
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ArtifactPullJob(PullJob[RepositoryClient]):
    """The artifacts to pull from one repository."""

    package_type: str
    ecosystem: Ecosystem
    artifacts: t.Sequence[ArtifactSpec]

    def find(self, client: RepositoryClient, artifact: ArtifactSpec, withheld: t.Collection[str] = ()) -> Release:
        """Return the release, see Ecosystem.find(). An index of an unexpected shape raises InvalidContentError."""
        try:
            return self.ecosystem.find(client, artifact, withheld)
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as exc:
            message = f"the index has something else than documented ({type(exc).__name__}: {exc})."
            raise InvalidContentError("content", message, url=redact_url(client.base_url)) from exc


@dataclasses.dataclass(kw_only=True)
class ArtifactPullResult(PullResult[ArtifactPullJob]):
    """The result for one artifact.

    last_file: the file that was requested last. matches_upstream: by file name, of the files that were compared.
    withheld: the reasons of the upstream by the versions that were passed over for an older one.
    """

    artifact: ArtifactSpec
    release: Release | None = None
    files: list[DownloadedFile] = dataclasses.field(default_factory=list)
    last_file: RemoteFile | None = None
    matches_upstream: dict[str, bool] = dataclasses.field(default_factory=dict)
    withheld: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def version(self) -> str | None:
        return self.release.version if self.release else None

    @property
    def is_outdated(self) -> bool | None:
        """Whether the upstream has a newer version. It can have an older one, if it withholds a cached version."""
        if self.version is None or self.upstream_version is None:
            return None
        return self.version != self.upstream_version == newest_first([self.version, self.upstream_version])[0]

    def new_attempt(self) -> ArtifactPullResult:
        return ArtifactPullResult(job=self.job, artifact=self.artifact, started=self.started)
