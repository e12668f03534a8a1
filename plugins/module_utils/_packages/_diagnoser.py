# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the failed pull of an artifact to its diagnosis. Private to the collection."""

from __future__ import annotations

import dataclasses
import typing as t
from urllib.parse import unquote

from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repository_config import RepositoryConfig
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._pull_errors import (
    diagnose_error,
    upstream_response,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._pull_rules import (
    Diagnosis,
    Failure,
    diagnose_with_trace,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._virtual import diagnose_with_members
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import PullThroughError, RequestError
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._model import VersionNotFoundError
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._result import (
    ArtifactPullJob,
    ArtifactPullResult,
    ChecksumMismatchError,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._rules import (
    OUTDATED,
    ArtifactEvidence,
    diagnose,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._urls import PathLayout
from ansible_collections.cgr.pull_through.plugins.module_utils._trace import Trace, unused_path


class ArtifactDiagnoser:
    """Explains the pulls of one job that failed, or that are outdated. Parameters: see ArtifactResultBuilder."""

    def __init__(
        self, job: ArtifactPullJob, read_config: t.Callable[[], RepositoryConfig], read_trace: t.Callable[[str], Trace]
    ) -> None:
        self._job = job
        self._read_config = read_config
        self._read_trace = read_trace
        self._trace: Trace | None = None

    def diagnose(self, result: ArtifactPullResult) -> Diagnosis:
        """Return the diagnosis of a pull that failed, or that is outdated."""
        if result.error is not None:
            return diagnose_error(result.error, lambda error: self._explain(result, error))
        return OUTDATED.diagnose(self._evidence(result, None))

    def _explain(self, result: ArtifactPullResult, error: PullThroughError) -> Diagnosis:
        evidence = self._evidence(result, error)

        def trace() -> Trace:
            if self._trace is None:
                self._trace = self._read_trace(unused_path(self._job.package_type))
            return self._trace

        def trace_failure() -> Trace:
            path = _failed_path(result, error)
            return self._read_trace(path) if path else Trace()

        return diagnose_with_trace(diagnose_with_members(evidence, diagnose), evidence, trace, trace_failure)

    def _evidence(self, result: ArtifactPullResult, error: PullThroughError | None) -> ArtifactEvidence:
        evidence = ArtifactEvidence(
            stage=result.stage,
            requested_reference=result.artifact.label,
            host=self._job.client.host,
            repository=self._job.repository,
            anonymous=self._job.client.credentials.is_anonymous,
            config=self._read_config(),
            package_type=self._job.package_type,
            upstream=upstream_response(result),
            upstream_url=self._job.upstream.base_url if self._job.upstream is not None else "",
        )
        file = error.file if isinstance(error, ChecksumMismatchError) else result.last_file
        if file is not None:
            evidence = dataclasses.replace(evidence, path=file.paths[0])
        if isinstance(error, VersionNotFoundError):
            return dataclasses.replace(
                evidence,
                failure=Failure.from_error(error, "version_missing"),
                missing_version=error.missing,
                available_versions=error.available,
            )
        if isinstance(error, ChecksumMismatchError):
            failure = Failure.from_error(error, "upstream_checksum_mismatch")
            return dataclasses.replace(evidence, failure=failure)
        return evidence if error is None else dataclasses.replace(evidence, failure=Failure.from_error(error))


def _failed_path(result: ArtifactPullResult, error: PullThroughError) -> str:
    """Return the path in the cache of what was requested last; empty if that is not known."""
    if result.last_file is not None:
        return result.last_file.paths[0]
    prefix = f"{result.job.client.base_url}/"
    # The index. In other layouts, its path in the cache is not the one in its URL.
    if (
        isinstance(result.job.ecosystem, PathLayout)
        and isinstance(error, RequestError)
        and error.url.startswith(prefix)
    ):
        return unquote(error.url.removeprefix(prefix))
    return ""
