# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the results of artifact pulls to the result of the module. Private to the collection."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repository_config import RepositoryConfig
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InvalidContentError
from ansible_collections.cgr.pull_through.plugins.module_utils._http import redact_url
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._model import (
    ArtifactSpec,
    DownloadedFile,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._result import (
    ArtifactPullJob,
    ArtifactPullResult,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._pull_result import (
    Result,
    common_fields,
    format_summary,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._text import count
from ansible_collections.cgr.pull_through.plugins.module_utils._trace import Trace

if t.TYPE_CHECKING:
    from ansible_collections.cgr.pull_through.plugins.module_utils._packages._diagnoser import ArtifactDiagnoser

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
        self._diagnoser: ArtifactDiagnoser | None = None

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

    def _diagnose(self, result: ArtifactPullResult) -> Result | None:
        if result.error is None and not result.is_outdated:
            return None
        # Imported here because most pulls need no rules, and imports delay the start of a module.
        from ansible_collections.cgr.pull_through.plugins.module_utils._packages._diagnoser import ArtifactDiagnoser

        if self._diagnoser is None:
            self._diagnoser = ArtifactDiagnoser(self._job, self._read_config, self._read_trace)
        return dataclasses.asdict(self._diagnoser.diagnose(result))


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
