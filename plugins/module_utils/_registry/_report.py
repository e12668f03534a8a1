# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the outcomes of a run to what a module returns. Private to the collection."""

from __future__ import annotations

import dataclasses
import typing as t
from urllib.parse import urlsplit

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import (
    PullThroughError,
    Refused,
    RequestError,
    Unanswered,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._client import Registry, Skipped
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._diagnose import (
    STALE,
    Diagnosis,
    Evidence,
    diagnose,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._exchange import RegistryRefused
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._manifest import Unusable
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._platforms import PlatformMissing
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._pull import NotFresh, Outcome

Result = t.Dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Configuration:
    """What could be read of the repository's configuration: unasked, unreadable, missing or known."""

    state: t.Literal["unasked", "unreadable", "missing", "known"] = "unasked"
    settings: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)


class Reporter:
    """Words the outcomes of one run.

    configuration is called only when there is something to explain.
    """

    def __init__(
        self,
        registry: Registry,
        upstream: Registry | None,
        repository: str,
        configuration: t.Callable[[], Configuration],
    ) -> None:
        self._registry = registry
        self._upstream = upstream
        self._repository = repository
        self._configuration = configuration

    def result(self, outcome: Outcome) -> Result:
        """Return one image's part of the module's result."""
        root, diagnosis = outcome.root, self._diagnosis(outcome)
        status = "pulled" if outcome.error is None else "skipped" if isinstance(outcome.error, Skipped) else "failed"
        return {
            **untried(outcome.reference.text, self._registry.host, self._repository),
            "status": status,
            "ok": outcome.error is None,
            "digest": root.digest if root else None,
            "media_type": root.media_type if root else None,
            "upstream_digest": outcome.upstream_digest,
            "stale": outcome.stale,
            "fresh": outcome.sighting.fresh,
            "fresh_evidence": outcome.sighting.evidence,
            "platforms": outcome.platforms,
            "layers": outcome.layers,
            "foreign_layers": outcome.foreign_layers,
            "bytes": outcome.bytes,
            "seconds": round(outcome.finished - outcome.started, 3),
            "error": outcome.error.details() if outcome.error else None,
            "diagnosis": dataclasses.asdict(diagnosis) if diagnosis else None,
        }

    def _diagnosis(self, outcome: Outcome) -> Diagnosis | None:
        if isinstance(outcome.error, Skipped):
            first = diagnose(self._evidence(outcome, outcome.error.cause))
            return Diagnosis(
                "skipped", f"Not tried, as others failed in a row with one cause. {first.cause}", first.fix
            )
        if outcome.error is not None:
            return diagnose(self._evidence(outcome, outcome.error))
        return STALE.diagnosis(self._evidence(outcome, None)) if outcome.stale else None

    def _evidence(self, outcome: Outcome, error: PullThroughError | None) -> Evidence:
        configuration = self._configuration()
        evidence = Evidence(
            stage=outcome.stage,
            problem="other",
            image=outcome.reference.name,
            asked=outcome.reference.text,
            host=self._registry.host,
            repository=self._repository,
            anonymous=self._registry.login.is_anonymous,
            config_state=configuration.state,
            config=configuration.settings,
        )
        if self._upstream is not None:
            evidence = dataclasses.replace(evidence, **_of_upstream(self._upstream, outcome))
        return evidence if error is None else dataclasses.replace(evidence, **_of_error(error))


def _of_upstream(upstream: Registry, outcome: Outcome) -> dict[str, t.Any]:
    found: dict[str, t.Any] = {"upstream_host": upstream.host, "upstream_anonymous": upstream.login.is_anonymous}
    error = outcome.upstream_error
    if outcome.upstream_digest is not None:
        found["upstream"] = "found"
    elif isinstance(error, Refused):
        found.update(upstream="refused", upstream_status=error.status, upstream_said=error.said)
    elif error is not None:
        found["upstream"] = "unreachable"
    return found


def _of_error(error: PullThroughError) -> dict[str, t.Any]:
    found: dict[str, t.Any] = {"message": error.message, "hint": error.hint}
    if isinstance(error, RequestError):
        # The sentences name hosts and images by themselves; the URL is in the error's details.
        message = error.message.removeprefix(f"{error.method} {error.url}: ")
        found.update(message=message, method=error.method, error_host=urlsplit(error.url).netloc)
    if isinstance(error, Refused):
        found.update(problem="refused", status=error.status, said=error.said)
    if isinstance(error, RegistryRefused):
        found.update(html=error.html, by_token_service=error.by_token_service)
    elif isinstance(error, Unusable):
        found["problem"] = error.reason
    elif isinstance(error, Unanswered):
        found["problem"] = "unanswered"
    elif isinstance(error, PlatformMissing):
        found.update(problem="platform", missing=error.missing, found=error.found)
    elif isinstance(error, NotFresh):
        found["problem"] = "not_fresh"
    return found


def untried(text: str, host: str, repository: str) -> Result:
    """Return the result of an image for which nothing was sent. text: the image as the user wrote it."""
    unknown = dict.fromkeys(("ok", "digest", "media_type", "upstream_digest", "stale", "fresh", "error", "diagnosis"))
    nothing = {"fresh_evidence": "", "platforms": {}, "layers": 0, "foreign_layers": 0, "bytes": 0, "seconds": 0.0}
    reference = "/".join(filter(None, (host, repository, text)))
    return {"image": text, "reference": reference, "status": "skipped", **unknown, **nothing}


def summary(result: Result, depth: str) -> str:
    """Return what one image's result proves, in a line for people."""
    name, _at, pinned = result["reference"].partition("@")
    if result["status"] == "skipped":
        return f"{name}: not pulled in check mode."
    digest, wanted = result["digest"], result["upstream_digest"] or pinned
    if not wanted:
        known = digest
    elif wanted == digest:
        known = f"{digest}, {'as upstream' if result['upstream_digest'] else 'the digest asked for'}"
    else:
        known = f"{digest}, {'older than' if result['stale'] else 'and not'} {wanted}, which can be pulled too"
    checked = f"{result['layers']} layers, {result['bytes'] / 1e6:.1f} MB" if depth == "image" else "manifest only"
    origin = {True: "fresh from upstream", False: "all from the cache", None: "cached or not is not known"}
    platforms = ", ".join(result["platforms"]) or "one platform"
    return f"{name}: pulled {known}; {platforms}, {checked}; {origin[result['fresh']]}."


def failure_message(results: t.Sequence[Result]) -> str:
    """Return what to tell the user: each failed image with cause and fix, those with one cause together."""
    failed = [result for result in results if not result["ok"]]
    by_cause: dict[str, list[str]] = {}
    for result in failed:
        diagnosis = result["diagnosis"]
        by_cause.setdefault(f"{diagnosis['cause']} {diagnosis['fix']}".strip(), []).append(result["reference"])
    lines = [f"{', '.join(references)}: {cause}" for cause, references in by_cause.items()]
    return "\n".join([f"{len(failed)} of {len(results)} images could not be pulled as asked.", *lines])
