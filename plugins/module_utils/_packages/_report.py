# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the results of artifact pulls to the result of the module. Private to the collection."""

from __future__ import annotations

import dataclasses
import typing as t
from urllib.parse import unquote

from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._pull_rules import (
    Diagnosis,
    Failure,
    RepositoryConfig,
    Result,
    diagnose_with_trace,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._virtual import diagnose_with_members
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import (
    InvalidContentError,
    PullThroughError,
    RequestError,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._http import redact_url
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._model import (
    ArtifactSpec,
    DownloadedFile,
    VersionNotFoundError,
)
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
from ansible_collections.cgr.pull_through.plugins.module_utils._pull_result import (
    common_fields,
    diagnose_error,
    format_summary,
    upstream_response,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._text import count
from ansible_collections.cgr.pull_through.plugins.module_utils._trace import Trace, unused_path

_UNKNOWN_FIELDS = ("ok", "upstream_version", "outdated", "from_upstream", "error", "diagnosis")


class ArtifactResultBuilder:
    """Builds the results of one job.

    read_config: is called only if there is something to explain. read_trace: returns the trace of a path; is called at
    most once for something else than what was requested, and once for each artifact that is missing.
    """

    def __init__(
        self,
        job: ArtifactPullJob,
        read_config: t.Callable[[], RepositoryConfig],
        read_trace: t.Callable[[str], Trace] = lambda path: Trace(),
    ) -> None:
        self._job = job
        self._read_config = read_config
        self._read_trace = read_trace
        self._trace: Trace | None = None

    def build(self, result: ArtifactPullResult) -> Result:
        """Return the result for one artifact."""
        return {
            **skipped_result(result.artifact, self._job),
            **common_fields(result, self._diagnose(result)),
            "version": result.version or result.artifact.version,
            "files": [_file_fields(file, result.matches_upstream.get(file.file.name)) for file in result.files],
            "upstream_version": result.upstream_version,
            "withheld": [{"version": version, "reason": reason} for version, reason in result.withheld.items()],
            "invalid_paths": _invalid_paths(result),
            "bytes": sum(file.size for file in result.files),
        }

    def _diagnose(self, result: ArtifactPullResult) -> Diagnosis | None:
        if result.error is not None:
            return diagnose_error(result.error, lambda error: self._explain(result, error))
        return OUTDATED.diagnose(self._evidence(result, None)) if result.is_outdated else None

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


def _invalid_paths(result: ArtifactPullResult) -> list[str]:
    """Return the possible paths in the cache of a file that is an HTML page there."""
    error = result.error
    is_html = isinstance(error, InvalidContentError) and error.reason == "html_cached"
    return list(result.last_file.paths) if is_html and result.last_file is not None else []


def _file_fields(file: DownloadedFile, matches_upstream: bool | None) -> Result:
    return {
        "name": file.file.name,
        "url": redact_url(file.file.url),
        "size": file.size,
        "sha256": file.digests["sha256"],
        "verified_checksums": list(file.verified_checksums),
        "matches_upstream": matches_upstream,
    }


def skipped_result(artifact: ArtifactSpec, job: ArtifactPullJob) -> Result:
    """Return the result for an artifact for which no request was sent."""
    return {
        "artifact": artifact.text,
        "reference": f"{job.repository or job.client.host}: {artifact.label}",
        "architecture": artifact.architecture,
        "version": artifact.version,
        "status": "skipped",
        **dict.fromkeys(_UNKNOWN_FIELDS),
        "files": [],
        "withheld": [],
        "invalid_paths": [],
        "from_upstream_evidence": "",
        "bytes": 0,
        "seconds": 0.0,
    }


def summary(result: Result) -> str:
    """Return a line of text about one artifact that was pulled or skipped."""
    if result["status"] == "skipped":
        return f"{result['reference']}: not pulled in check mode."
    version = result["version"]
    if result["outdated"]:
        version = f"{version} (outdated; upstream has {result['upstream_version']})"
    for withheld in result["withheld"]:
        version = f"{version} instead of {withheld['version']}, which the upstream withholds ({withheld['reason']})"
    files = result["files"]
    content = f"{count(len(files), 'file')}, {result['bytes'] / 1e6:.1f} MB"
    verified = f"{sum(bool(file['verified_checksums']) for file in files)} match the index"
    if result["upstream_version"]:
        verified += f", {sum(file['matches_upstream'] is True for file in files)} match upstream"
    return format_summary(result["reference"], f"pulled {version}", content, verified, result=result)
