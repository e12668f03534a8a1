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
    is_ok,
    limit_diagnosis,
    skipped_diagnosis,
    status_of,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import PullThroughError
from ansible_collections.cgr.pull_through.plugins.module_utils._rate_limit import LimitExceededError
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._platforms import PlatformNotFoundError
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._pull import PullJob, PullResult
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._rules import OUTDATED, ImageEvidence, diagnose


class ResultBuilder:
    """Words the outcomes of one batch.

    configuration is called only when there is something to explain.
    """

    def __init__(self, batch: PullJob, configuration: t.Callable[[], RepositoryConfig]) -> None:
        self._registry = batch.registry
        self._upstream = batch.upstream
        self._repository = batch.repository
        self._configuration = configuration

    def result(self, outcome: PullResult) -> Result:
        """Return one image's part of the module's result."""
        root, diagnosis = outcome.root, self._diagnosis(outcome)
        return {
            **skipped_result(outcome.reference.text, self._registry.host, self._repository),
            "status": status_of(outcome.error, "pulled"),
            "ok": is_ok(outcome.error),
            "digest": root.digest if root else None,
            "media_type": root.media_type if root else None,
            "upstream_digest": outcome.upstream_digest,
            "outdated": outcome.is_outdated,
            "from_upstream": outcome.observation.from_upstream,
            "from_upstream_evidence": outcome.observation.evidence,
            "platforms": outcome.platforms,
            "artifact_type": outcome.artifact_type or None,
            "layers": outcome.layers,
            "foreign_layers": outcome.foreign_layers,
            "bytes": outcome.bytes,
            "referrers": outcome.referrers,
            "seconds": round(outcome.finished - outcome.started, 3),
            "error": outcome.error.details() if outcome.error else None,
            "diagnosis": dataclasses.asdict(diagnosis) if diagnosis else None,
        }

    def planned_result(self, outcome: PullResult) -> Result:
        """Return one image's part of the module's result in check mode, when upstream was asked for its manifests."""
        result = self.result(outcome)
        if outcome.error is not None:
            return result
        return {**result, "status": "skipped", "ok": None, "digest": None, "upstream_digest": result["digest"]}

    def _diagnosis(self, outcome: PullResult) -> Diagnosis | None:
        if isinstance(outcome.error, LimitExceededError):
            return limit_diagnosis(outcome.error)
        if isinstance(outcome.error, SkippedError):
            return skipped_diagnosis(outcome.error.reason, diagnose(self._evidence(outcome, outcome.error.cause)))
        if outcome.error is not None:
            return diagnose(self._evidence(outcome, outcome.error))
        return OUTDATED.diagnose(self._evidence(outcome, None)) if outcome.is_outdated else None

    def _evidence(self, outcome: PullResult, error: PullThroughError | None) -> ImageEvidence:
        evidence = ImageEvidence(
            stage=outcome.stage,
            image=outcome.reference.name,
            requested_reference=outcome.reference.text,
            host=self._registry.host,
            repository=self._repository,
            anonymous=self._registry.login.is_anonymous,
            config=self._configuration(),
        )
        if self._upstream is not None:
            upstream = UpstreamResponse.from_query(
                self._upstream.host,
                anonymous=self._upstream.login.is_anonymous,
                available=outcome.upstream_digest is not None,
                error=outcome.upstream_error,
            )
            evidence = dataclasses.replace(evidence, upstream=upstream)
        if isinstance(error, PlatformNotFoundError):
            return dataclasses.replace(
                evidence,
                failure=Failure.from_error(error, "platform_missing"),
                missing_platforms=error.missing,
                available_platforms=error.found,
            )
        return evidence if error is None else dataclasses.replace(evidence, failure=Failure.from_error(error))


def skipped_result(text: str, host: str, repository: str) -> Result:
    """Return the result of an image for which nothing was sent. text: the image as the user wrote it."""
    unknown = dict.fromkeys(
        (
            "ok",
            "digest",
            "media_type",
            "artifact_type",
            "upstream_digest",
            "outdated",
            "from_upstream",
            "referrers",
            "error",
            "diagnosis",
        )
    )
    nothing = {
        "from_upstream_evidence": "",
        "platforms": {},
        "layers": 0,
        "foreign_layers": 0,
        "bytes": 0,
        "seconds": 0.0,
    }
    reference = "/".join(filter(None, (host, repository, text)))
    return {"image": text, "reference": reference, "status": "skipped", **unknown, **nothing}


def summary(result: Result, depth: str) -> str:
    """Return what one image's result proves, in a line for people."""
    name, _at, pinned = result["reference"].partition("@")
    if result["status"] == "skipped":
        return f"{name}: {_why_skipped(result)}"
    digest, wanted = result["digest"], result["upstream_digest"] or pinned
    if not wanted:
        known = digest
    elif wanted == digest:
        known = f"{digest}, {'as upstream' if result['upstream_digest'] else 'the digest asked for'}"
    else:
        known = f"{digest}, {'older than' if result['outdated'] else 'and not'} {wanted}, which can be pulled too"
    whole = f"{result['layers']} layers, {result['bytes'] / 1e6:.1f} MB"
    if result["referrers"] is not None:
        whole += f", {result['referrers']} signatures and the like"
    checked = {"image": whole, "manifest": "manifest only", "resolve": "digest only"}[depth]
    origin = {True: "from upstream", False: "all from the cache", None: "cached or not is not known"}
    platforms = ", ".join(result["platforms"]) or result["artifact_type"] or "one platform"
    return f"{name}: pulled {known}; {platforms}, {checked}; {origin[result['from_upstream']]}."


def _why_skipped(result: Result) -> str:
    if result["diagnosis"]:
        return str(result["diagnosis"]["cause"])
    if not result["upstream_digest"]:
        return "not pulled in check mode."
    return f"would pull {result['upstream_digest']}, {result['layers']} layers, {result['bytes'] / 1e6:.1f} MB."
