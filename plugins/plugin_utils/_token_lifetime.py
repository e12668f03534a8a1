# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the pull tokens in use follow the lifetime that the variables of the role pull_through set. No I/O."""

from __future__ import annotations

import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._time import (
    DAY,
    format_timestamp,
    parse_duration,
    parse_timestamp,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._token_options import parse_lifetime
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError
from ansible_collections.cgr.pull_through.plugins.module_utils._text import count
from ansible_collections.cgr.pull_through.plugins.module_utils._variable_names import variables_in
from ansible_collections.cgr.pull_through.plugins.plugin_utils._phases import fail
from ansible_collections.cgr.pull_through.plugins.plugin_utils._sources import Facts, Source

# Without a run interval, a rotation is overdue when it is late by this part of the lifetime.
_DEFAULT_INTERVALS = 10


def lifetime_errors(ttl: str, renew_before: str, run_interval: str) -> list[str]:
    """Return what is wrong with the variables about the lifetime, a sentence each."""
    errors = []
    for check, arguments in (
        (parse_lifetime, (ttl, renew_before)),
        (parse_duration, (run_interval or "0s", "run_interval")),
    ):
        try:
            check(*arguments)
        except InputError as exc:
            errors.append(variables_in(str(exc)))
    return errors


def add_rotation_status(source: Source, ttl: str, renew_before: str, run_interval: str) -> Source:
    """Add a failure if the pull token in use should have been rotated by more than a run interval ago."""
    status = source.token_status
    if source.failure or not status:
        return source
    due = _overdue_since(status, ttl, renew_before, run_interval)
    if not due:
        return source
    return fail(
        source,
        f"The rotation of the pull token of {source.key} is overdue since {due}, and the token expires on "
        f"{status['expires'][:10]}. Does the playbook cgr.pull_through.rotate run? It would have rotated the token.",
        "rotation_overdue",
    )


def overdue_notes(
    sources: t.Sequence[Source], ttl: str, renew_before: str, run_interval: str, planned: bool
) -> t.Iterator[str]:
    """Yield a sentence for each managed pull token whose rotation by this run was overdue: scheduled runs are missing."""
    for source in sources:
        previous = source.token.get("previous") or {}
        if previous.get("managed"):
            was_rotated = not (planned or source.failure)
            yield from overdue_note(source.key, previous, ttl, renew_before, run_interval, is_past=was_rotated)


def overdue_note(
    key: str, token: Facts, ttl: str, renew_before: str, run_interval: str, is_past: bool
) -> t.Iterator[str]:
    """Yield a sentence if the rotation of the pull token of a repository is overdue. is_past: whether this run ended that."""
    due = _overdue_since(token, ttl, renew_before, run_interval)
    if due:
        yield (
            f"The rotation of the pull token of {key} {'was' if is_past else 'is'} overdue since {due}. "
            "Does the playbook cgr.pull_through.rotate run on schedule?"
        )


def _overdue_since(token: Facts, ttl: str, renew_before: str, run_interval: str) -> str:
    """Return the date since when the rotation of a token is overdue; empty if it is not, by more than a run interval."""
    lifetime, threshold = parse_lifetime(ttl, renew_before)
    interval = parse_duration(run_interval, "run_interval") if run_interval else lifetime // _DEFAULT_INTERVALS
    if token["seconds_left"] >= threshold - interval:
        return ""
    return format_timestamp(parse_timestamp(token["expires"]) - threshold)[:10]


def lifetime_notes(sources: t.Sequence[Source], ttl: str) -> t.Iterator[str]:
    """Yield a sentence for each pull token in use that is valid for longer than a new one would be."""
    lifetime = parse_duration(ttl, "ttl")
    for source in sources:
        left = (source.token or source.token_status).get("seconds_left") or 0
        if left > lifetime:
            yield (
                f"The pull token of {source.key} is valid for {count(round(left / DAY), 'more day')}, longer than "
                f"pull_through_token_ttl ({ttl}). Set pull_through_force_rotation to true to replace it now."
            )
