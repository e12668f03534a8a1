# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the failed pull of an image to its diagnosis. Private to the collection."""

from __future__ import annotations

import dataclasses
import typing as t

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
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import PullThroughError
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._cache_paths import manifest_paths
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._platforms import PlatformNotFoundError
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._result import ImagePullJob, ImagePullResult
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._rules import (
    OUTDATED,
    ImageEvidence,
    diagnose,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._trace import Trace, unused_path


class ImageDiagnoser:
    """Explains the pulls of one job that failed, or that are outdated. Parameters: see ImageResultBuilder."""

    def __init__(
        self, job: ImagePullJob, read_config: t.Callable[[], RepositoryConfig], read_trace: t.Callable[[str], Trace]
    ) -> None:
        self._job = job
        self._read_config = read_config
        self._read_trace = read_trace
        self._trace: Trace | None = None

    def diagnose(self, result: ImagePullResult) -> Diagnosis:
        """Return the diagnosis of a pull that failed, or whose tag is outdated."""
        if result.error is not None:
            return diagnose_error(result.error, lambda error: self._explain(result, error))
        return OUTDATED.diagnose(self._evidence(result, None))

    def _explain(self, result: ImagePullResult, error: PullThroughError) -> Diagnosis:
        evidence = self._evidence(result, error)

        def trace() -> Trace:
            if self._trace is None:
                self._trace = self._read_trace(unused_path("docker", result.reference.name))
            return self._trace

        return diagnose_with_trace(diagnose_with_members(evidence, diagnose), evidence, trace)

    def _evidence(self, result: ImagePullResult, error: PullThroughError | None) -> ImageEvidence:
        evidence = ImageEvidence(
            stage=result.stage,
            image=result.reference.name,
            manifest_paths=manifest_paths(result.reference.name, result.reference.selector),
            requested_reference=result.reference.text,
            host=self._job.client.host,
            repository=self._job.repository,
            anonymous=self._job.client.credentials.is_anonymous,
            config=self._read_config(),
            upstream=upstream_response(result),
        )
        if isinstance(error, PlatformNotFoundError):
            return dataclasses.replace(
                evidence,
                failure=Failure.from_error(error, "platform_missing"),
                missing_platforms=error.missing,
                available_platforms=error.available,
            )
        return evidence if error is None else dataclasses.replace(evidence, failure=Failure.from_error(error))
