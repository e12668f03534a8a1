# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the results of a pull engine to the result of a module. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._circuit_breaker import SkippedError
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import PullThroughError
from ansible_collections.cgr.pull_through.plugins.module_utils._pull_engine import PullResult
from ansible_collections.cgr.pull_through.plugins.module_utils._rate_limit import LimitExceededError
from ansible_collections.cgr.pull_through.plugins.module_utils._text import join_messages, join_names

Result = dict[str, t.Any]
AnyResult = PullResult[t.Any]


def status_of(error: PullThroughError | None) -> str:
    """Return the status of a pull."""
    if error is None:
        return "pulled"
    return "skipped" if isinstance(error, (SkippedError, LimitExceededError)) else "failed"


def is_ok(error: PullThroughError | None) -> bool | None:
    """Return whether a pull succeeded; None if a limit prevented it, which is neither success nor failure."""
    return None if isinstance(error, LimitExceededError) else error is None


def common_fields(result: AnyResult, diagnosis: Result | None) -> Result:
    """Return the fields that the results of images and of artifacts share."""
    return {
        "status": status_of(result.error),
        "ok": is_ok(result.error),
        "outdated": result.is_outdated,
        "from_upstream": result.observation.from_upstream,
        "from_upstream_evidence": result.observation.evidence,
        "seconds": round(result.finished - result.started, 3),
        "error": result.error.details() if result.error else None,
        "diagnosis": diagnosis,
    }


def format_summary(name: str, *parts: str, result: Result) -> str:
    """Return a line of text about one pull. Empty parts are left out."""
    origin = {True: "from upstream", False: "from the cache", None: ""}[result["from_upstream"]]
    return f"{name}: {'; '.join(filter(None, (*parts, origin)))}."


def failure_message(results: t.Sequence[Result], what: str, name: str) -> str:
    """Return the message for failed results: their number, and each diagnosis once, after the results that it applies to.

    what: plural noun for the results. name: the key of a result that identifies it.
    """
    failed = [result for result in results if result["ok"] is False]
    names_by_text: dict[str, list[str]] = {}
    for result in failed:
        diagnosis = result["diagnosis"]
        names_by_text.setdefault(f"{diagnosis['cause']} {diagnosis['fix']}".strip(), []).append(result[name])
    lines = [f"{join_names(names)}: {text}" for text, names in names_by_text.items()]
    count = [f"{len(failed)} of {len(results)} {what} failed."] if len(results) > 1 else []
    return join_messages([*count, *lines])
