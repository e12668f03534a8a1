# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the error of a pull to its diagnosis. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._circuit_breaker import SkippedError
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._pull_rules import (
    Diagnosis,
    UpstreamResponse,
    limit_diagnosis,
    skipped_diagnosis,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InternalError, PullThroughError
from ansible_collections.cgr.pull_through.plugins.module_utils._pull_engine import PullResult
from ansible_collections.cgr.pull_through.plugins.module_utils._rate_limit import LimitExceededError


def upstream_response(result: PullResult[t.Any]) -> UpstreamResponse:
    """Return the response of the upstream, for the diagnosis of a result."""
    upstream = result.job.upstream
    if upstream is None:
        return UpstreamResponse()
    return UpstreamResponse.from_query(
        upstream.host,
        anonymous=upstream.credentials.is_anonymous,
        available=result.upstream_version is not None,
        error=result.upstream_error,
    )


def diagnose_error(error: PullThroughError, diagnose: t.Callable[[PullThroughError], Diagnosis]) -> Diagnosis:
    """Return the diagnosis of an error. diagnose: for errors that are not about a limit or an earlier failure."""
    if isinstance(error, LimitExceededError):
        return limit_diagnosis(error)
    if isinstance(error, SkippedError):
        return skipped_diagnosis(error.reason, diagnose(error.cause))
    try:
        return diagnose(error)
    except PullThroughError:
        raise
    except Exception as exc:  # pylint: disable=broad-exception-caught  # the other pulls have their results
        bug = InternalError(exc)
        return Diagnosis("unknown_error", bug.message, bug.hint, "possible")
