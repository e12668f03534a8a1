# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the results of image pulls to the result of the module. Private to the collection."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repository_config import RepositoryConfig
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._time import format_timestamp
from ansible_collections.cgr.pull_through.plugins.module_utils._pull_result import (
    Result,
    common_fields,
    format_summary,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._result import ImagePullJob, ImagePullResult
from ansible_collections.cgr.pull_through.plugins.module_utils._text import count
from ansible_collections.cgr.pull_through.plugins.module_utils._trace import Trace

if t.TYPE_CHECKING:
    from ansible_collections.cgr.pull_through.plugins.module_utils._registry._diagnoser import ImageDiagnoser

_UNKNOWN_FIELDS = (
    "ok",
    "digest",
    "media_type",
    "artifact_type",
    "upstream_digest",
    "outdated",
    "from_upstream",
    "login_unverified_until",
    "referrers",
    "error",
    "diagnosis",
)


class ImageResultBuilder:
    """Builds the results of one job.

    read_config: is called only if there is something to explain. read_trace: returns the trace of a path; is called at
    most once.
    """

    def __init__(
        self,
        job: ImagePullJob,
        read_config: t.Callable[[], RepositoryConfig],
        read_trace: t.Callable[[str], Trace] = lambda path: Trace(),
    ) -> None:
        self._job = job
        self._read_config = read_config
        self._read_trace = read_trace
        self._diagnoser: ImageDiagnoser | None = None

    def build(self, result: ImagePullResult) -> Result:
        """Return the result for one image."""
        root, until = result.root, result.earlier_login_until
        return {
            **skipped_result(result.reference.text, self._job),
            **common_fields(result, self._diagnose(result)),
            "digest": root.digest if root else None,
            "media_type": root.media_type if root else None,
            "upstream_digest": result.upstream_version,
            "platforms": result.platforms,
            "artifact_type": result.artifact_type or None,
            "layers": result.layers,
            "foreign_layers": result.foreign_layers,
            "bytes": result.bytes,
            "referrers": result.referrers,
            "login_unverified_until": format_timestamp(until) if until else None,
        }

    def build_predicted(self, result: ImagePullResult) -> Result:
        """Return the result for one image in check mode, whose manifests were read from upstream."""
        fields = self.build(result)
        if result.error is not None:
            return fields
        return {**fields, "status": "skipped", "ok": None, "digest": None, "upstream_digest": fields["digest"]}

    def _diagnose(self, result: ImagePullResult) -> Result | None:
        if result.error is None and not result.is_outdated:
            return None
        # Imported here because most pulls need no rules, and imports delay the start of a module.
        from ansible_collections.cgr.pull_through.plugins.module_utils._registry._diagnoser import ImageDiagnoser

        if self._diagnoser is None:
            self._diagnoser = ImageDiagnoser(self._job, self._read_config, self._read_trace)
        return dataclasses.asdict(self._diagnoser.diagnose(result))


def skipped_result(image: str, job: ImagePullJob) -> Result:
    """Return the result for an image for which no request was sent. image: as the user wrote it."""
    return {
        "image": image,
        "reference": "/".join(filter(None, (job.client.host, job.path_prefix, image))),
        "status": "skipped",
        **dict.fromkeys(_UNKNOWN_FIELDS),
        "from_upstream_evidence": "",
        "platforms": {},
        "layers": 0,
        "foreign_layers": 0,
        "bytes": 0,
        "seconds": 0.0,
    }


def summary(result: Result, depth: str) -> str:
    """Return a line of text about one image that was pulled or skipped."""
    name, _at, pinned = result["reference"].partition("@")
    if result["status"] == "skipped":
        return f"{name}: {_describe_skipped(result)}"
    content = {"image": _describe_content(result), "manifest": "manifest only", "resolve": "digest only"}[depth]
    platforms = ", ".join(result["platforms"]) or result["artifact_type"] or ""
    verb = "resolved" if depth == "resolve" else "pulled"
    return format_summary(name, f"{verb} {_describe_digest(result, pinned)}", platforms, content, result=result)


def _describe_digest(result: Result, pinned: str) -> str:
    digest, upstream = result["digest"], result["upstream_digest"]
    if upstream == digest:
        return f"{digest} (same as upstream)"
    if upstream:
        return f"{digest} (outdated; {upstream} from upstream can be pulled too)"
    if pinned == digest:
        return f"{digest} (the pinned digest)"
    if pinned:
        return f"{digest} (not the pinned digest; {pinned} can be pulled too)"
    return str(digest)


def _describe_content(result: Result) -> str:
    content = f"{count(result['layers'], 'layer')}, {result['bytes'] / 1e6:.1f} MB"
    return content if result["referrers"] is None else f"{content}, {count(result['referrers'], 'referrer')}"


def _describe_skipped(result: Result) -> str:
    if result["diagnosis"]:
        return str(result["diagnosis"]["cause"])
    if not result["upstream_digest"]:
        return "not pulled in check mode."
    return f"would pull {result['upstream_digest']}; {_describe_content(result)}."
