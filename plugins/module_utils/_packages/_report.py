# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the outcomes of a run to what a module returns. Private to the collection."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis import (
    Configuration,
    Diagnosis,
    Result,
    of_error,
    of_skipped,
    of_upstream,
    status_of,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import PullThroughError
from ansible_collections.cgr.pull_through.plugins.module_utils._http import shown_url
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._artifact import Artifact, VersionMissing
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._diagnose import STALE, Evidence, diagnose
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._prove import Batch, Differs, Outcome
from ansible_collections.cgr.pull_through.plugins.module_utils._patience import Skipped


class Reporter:
    """Words the outcomes of one batch.

    configuration is called only when there is something to explain.
    """

    def __init__(self, batch: Batch, configuration: t.Callable[[], Configuration]) -> None:
        self._package_type = batch.package_type
        self._site = batch.site
        self._upstream = batch.upstream
        self._repository = batch.repository
        self._configuration = configuration

    def result(self, outcome: Outcome) -> Result:
        """Return one artifact's part of the module's result."""
        diagnosis = self._diagnosis(outcome)
        return {
            **untried(outcome.artifact, self._repository or self._site.host),
            "status": status_of(outcome.error, "pulled"),
            "ok": outcome.error is None,
            "version": outcome.release.version if outcome.release else outcome.artifact.version,
            "files": [
                {
                    "name": fetched.file.name,
                    "url": shown_url(fetched.file.url),
                    "size": fetched.size,
                    "sha256": fetched.digests["sha256"],
                    "promised": list(fetched.promised),
                    "as_upstream": outcome.compared.get(fetched.file.name),
                }
                for fetched in outcome.files
            ],
            "upstream_version": outcome.upstream_version,
            "stale": outcome.stale,
            "fresh": outcome.sighting.fresh,
            "fresh_evidence": outcome.sighting.evidence,
            "bytes": sum(fetched.size for fetched in outcome.files),
            "seconds": round(outcome.finished - outcome.started, 3),
            "error": outcome.error.details() if outcome.error else None,
            "diagnosis": dataclasses.asdict(diagnosis) if diagnosis else None,
        }

    def _diagnosis(self, outcome: Outcome) -> Diagnosis | None:
        if isinstance(outcome.error, Skipped):
            return of_skipped(outcome.error.why, diagnose(self._evidence(outcome, outcome.error.cause)))
        if outcome.error is not None:
            return diagnose(self._evidence(outcome, outcome.error))
        return STALE.diagnosis(self._evidence(outcome, None)) if outcome.stale else None

    def _evidence(self, outcome: Outcome, error: PullThroughError | None) -> Evidence:
        configuration = self._configuration()
        evidence = Evidence(
            stage=outcome.stage,
            problem="other",
            asked=outcome.artifact.label,
            host=self._site.host,
            repository=self._repository,
            anonymous=self._site.login.is_anonymous,
            config_state=configuration.state,
            config=configuration.settings,
            wanted=self._package_type,
        )
        if outcome.at is not None:
            evidence = dataclasses.replace(evidence, path=outcome.at.paths[0])
        if self._upstream is not None:
            known = of_upstream(
                self._upstream.host,
                anonymous=self._upstream.login.is_anonymous,
                found=outcome.upstream_version is not None,
                error=outcome.upstream_error,
            )
            evidence = dataclasses.replace(evidence, upstream_url=self._upstream.root, **known)
        if isinstance(error, VersionMissing):
            evidence = dataclasses.replace(evidence, problem="version", missing=error.wanted, found=error.found)
        elif isinstance(error, Differs):
            evidence = dataclasses.replace(evidence, problem="differs")
        return evidence if error is None else dataclasses.replace(evidence, **of_error(error))


def untried(artifact: Artifact, place: str) -> Result:
    """Return the result of an artifact for which nothing was sent. place: the repository's key, or another host."""
    unknown = dict.fromkeys(("ok", "upstream_version", "stale", "fresh", "error", "diagnosis"))
    return {
        "artifact": artifact.text,
        "reference": f"{place}: {artifact.label}",
        "architecture": artifact.architecture,
        "version": artifact.version,
        "status": "skipped",
        "files": [],
        "fresh_evidence": "",
        "bytes": 0,
        "seconds": 0.0,
        **unknown,
    }


def summary(result: Result) -> str:
    """Return what one artifact's result proves, in a line for people."""
    files, known = result["files"], result["version"]
    if result["stale"]:
        known += f", older than upstream's {result['upstream_version']}"
    compared = sum(file["as_upstream"] is True for file in files)
    promised = sum(bool(file["promised"]) for file in files)
    same = f", {compared} as upstream's" if result["upstream_version"] else ""
    checked = f"{len(files)} files, {promised} with the checksum promised{same}, {result['bytes'] / 1e6:.1f} MB"
    origin = {True: "fresh from upstream", False: "all from the cache", None: "cached or not is not known"}
    return f"{result['reference']}: pulled {known}; {checked}; {origin[result['fresh']]}."
