# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the outcomes of a run to what a module returns. Private to the collection."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._circuit_breaker import SkippedError
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis import (
    Diagnosis,
    Failure,
    RepositoryConfig,
    Result,
    UpstreamResponse,
    skipped_diagnosis,
    status_of,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import PullThroughError
from ansible_collections.cgr.pull_through.plugins.module_utils._http import redact_url
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._model import (
    ArtifactSpec,
    VersionNotFoundError,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._puller import (
    ChecksumMismatchError,
    PullJob,
    PullResult,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._rules import (
    OUTDATED,
    ArtifactEvidence,
    diagnose,
)


class ResultBuilder:
    """Words the outcomes of one batch.

    configuration is called only when there is something to explain.
    """

    def __init__(self, batch: PullJob, configuration: t.Callable[[], RepositoryConfig]) -> None:
        self._package_type = batch.package_type
        self._site = batch.site
        self._upstream = batch.upstream
        self._repository = batch.repository
        self._configuration = configuration

    def result(self, outcome: PullResult) -> Result:
        """Return one artifact's part of the module's result."""
        diagnosis = self._diagnosis(outcome)
        return {
            **skipped_result(outcome.artifact, self._repository or self._site.host),
            "status": status_of(outcome.error, "pulled"),
            "ok": outcome.error is None,
            "version": outcome.release.version if outcome.release else outcome.artifact.version,
            "files": [
                {
                    "name": fetched.file.name,
                    "url": redact_url(fetched.file.url),
                    "size": fetched.size,
                    "sha256": fetched.digests["sha256"],
                    "verified_checksums": list(fetched.verified_checksums),
                    "matches_upstream": outcome.compared.get(fetched.file.name),
                }
                for fetched in outcome.files
            ],
            "upstream_version": outcome.upstream_version,
            "outdated": outcome.is_outdated,
            "from_upstream": outcome.observation.from_upstream,
            "from_upstream_evidence": outcome.observation.evidence,
            "bytes": sum(fetched.size for fetched in outcome.files),
            "seconds": round(outcome.finished - outcome.started, 3),
            "error": outcome.error.details() if outcome.error else None,
            "diagnosis": dataclasses.asdict(diagnosis) if diagnosis else None,
        }

    def _diagnosis(self, outcome: PullResult) -> Diagnosis | None:
        if isinstance(outcome.error, SkippedError):
            return skipped_diagnosis(outcome.error.reason, diagnose(self._evidence(outcome, outcome.error.cause)))
        if outcome.error is not None:
            return diagnose(self._evidence(outcome, outcome.error))
        return OUTDATED.diagnose(self._evidence(outcome, None)) if outcome.is_outdated else None

    def _evidence(self, outcome: PullResult, error: PullThroughError | None) -> ArtifactEvidence:
        evidence = ArtifactEvidence(
            stage=outcome.stage,
            requested_reference=outcome.artifact.label,
            host=self._site.host,
            repository=self._repository,
            anonymous=self._site.credentials.is_anonymous,
            config=self._configuration(),
            package_type=self._package_type,
        )
        if outcome.at is not None:
            evidence = dataclasses.replace(evidence, path=outcome.at.paths[0])
        if self._upstream is not None:
            upstream = UpstreamResponse.from_query(
                self._upstream.host,
                anonymous=self._upstream.credentials.is_anonymous,
                available=outcome.upstream_version is not None,
                error=outcome.upstream_error,
            )
            evidence = dataclasses.replace(evidence, upstream_url=self._upstream.base_url, upstream=upstream)
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


def skipped_result(artifact: ArtifactSpec, place: str) -> Result:
    """Return the result of an artifact for which nothing was sent. place: the repository's key, or another host."""
    unknown = dict.fromkeys(("ok", "upstream_version", "outdated", "from_upstream", "error", "diagnosis"))
    return {
        "artifact": artifact.text,
        "reference": f"{place}: {artifact.label}",
        "architecture": artifact.architecture,
        "version": artifact.version,
        "status": "skipped",
        "files": [],
        "from_upstream_evidence": "",
        "bytes": 0,
        "seconds": 0.0,
        **unknown,
    }


def summary(result: Result) -> str:
    """Return what one artifact's result proves, in a line for people."""
    files, known = result["files"], result["version"]
    if result["outdated"]:
        known += f", older than upstream's {result['upstream_version']}"
    compared = sum(file["matches_upstream"] is True for file in files)
    expected_checksums = sum(bool(file["verified_checksums"]) for file in files)
    same = f", {compared} as upstream's" if result["upstream_version"] else ""
    checked = (
        f"{len(files)} files, {expected_checksums} with the checksum promised{same}, {result['bytes'] / 1e6:.1f} MB"
    )
    origin = {True: "from upstream", False: "all from the cache", None: "cached or not is not known"}
    return f"{result['reference']}: pulled {known}; {checked}; {origin[result['from_upstream']]}."
