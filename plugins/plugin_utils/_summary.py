# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The summary at the end of a run of the role pull_through: a line per repository, notes, then the failures. No I/O."""

from __future__ import annotations

import json
import re
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._text import MAX_MESSAGE, count
from ansible_collections.cgr.pull_through.plugins.plugin_utils._sources import (
    Facts,
    Source,
    grace_period_to_wait,
    is_left_to_later_run,
)
from ansible_collections.cgr.pull_through.plugins.plugin_utils._token_lifetime import lifetime_notes, overdue_notes
from ansible_collections.cgr.pull_through.plugins.plugin_utils._token_ownership import (
    notices_of_kept_tokens,
    notices_of_replaced_tokens,
)

_MAX_NAMED_CHANGES = 4
_MAX_VALUE_LENGTH = 120
# Settings that decide what is pulled, and from where, with Artifactory's defaults: other values are somebody's choice.
_NOTABLE_DEFAULTS: dict[str, t.Any] = {
    "excludesPattern": "",
    "proxy": "",
    "offline": False,
    "blackedOut": False,
    "storeArtifactsLocally": True,
    "retrievalCachePeriodSecs": 7200,
}


def summarize(
    sources: t.Sequence[Source],
    virtual_repositories: t.Sequence[Facts],
    failures: list[str],
    permission: Facts,
    planned: bool,
    client_setup_file: str | None,
    grace_period: str,
    token_ttl: str,
    token_renew_before: str,
    run_interval: str,
) -> dict[str, list[str]]:
    """Return the lines of the summary and notes, the details of each verification, and the failures, each once.

    failures: those that belong to no single source. permission: what artifactory_permission returned, if it ran.
    planned: whether the run was in check mode. client_setup_file: where the client setup commands go; None where there are
    none. grace_period: how long previous pull tokens stay valid. token_ttl, token_renew_before, run_interval: when pull
    tokens are rotated.
    """
    rows = [_source_row(source, planned) for source in sources]
    rows += [_virtual_row(repository) for repository in virtual_repositories]
    details = [_source_details(source) for source in sources]
    details += [_details(repository["key"], repository["verification"]) for repository in virtual_repositories]
    all_failures = _failures(sources, virtual_repositories, failures)
    # The message at the end of the run has these only in part.
    details += [all_failures] if len("\n".join(all_failures)) > MAX_MESSAGE else []
    return {
        "lines": align_columns(rows),
        "notes": [
            *(note for source in sources for note in _change_notes(source, planned)),
            *notices_of_replaced_tokens(sources, planned),
            *notices_of_kept_tokens(sources),
            *_rotation_notes(sources, grace_period, planned),
            *(note for source in sources for note in _revocation_notes(source, planned)),
            *overdue_notes(sources, token_ttl, token_renew_before, run_interval, planned),
            *lifetime_notes(sources, token_ttl),
            *(age["summary"] for source in sources for age in source.tag_age),
            *_unverified_note(sources),
            *_partial_note(sources),
            *_removal_notes(virtual_repositories, permission, planned),
            *_client_setup_note(client_setup_file, planned),
        ],
        "details": [line for lines in details for line in lines],
        "failures": all_failures,
    }


def _change_notes(source: Source, planned: bool) -> t.Iterator[str]:
    """Yield which settings of an existing repository the run overwrites, and what it keeps: somebody may have chosen them."""
    if source.is_missing or source.failure or not source.changes:
        return
    verb = "would change" if planned else "changed"
    for name, value in source.changes.items():
        before, after = (json.dumps(each)[:_MAX_VALUE_LENGTH] for each in (source.previous.get(name), value))
        yield f"{source.key}: {name} {verb} from {before} to {after}."
    if "includesPattern" in source.changes:
        yield f"{source.key}: to keep another includesPattern, set it in the settings of pull_through_source_overrides.{source.name}."
    yield _kept_note(source, planned)


def _kept_note(source: Source, planned: bool) -> str:
    chosen = {name: source.current.get(name) for name in _NOTABLE_DEFAULTS if name not in source.settings}
    kept = [
        f"{name} {json.dumps(value)[:_MAX_VALUE_LENGTH]}"
        for name, value in chosen.items()
        if value is not None and value != _NOTABLE_DEFAULTS[name]
    ]
    verb = "would keep" if planned else "keeps"
    return (
        f"{source.key} {verb} its cached content and all other settings{', such as ' if kept else ''}{', '.join(kept)}."
    )


def _rotation_notes(sources: t.Sequence[Source], grace_period: str, planned: bool) -> t.Iterator[str]:
    """Yield what follows from the grace period for the sources that got a new pull token instead of another."""
    keys = ", ".join(source.key for source in sources if source.has_new_token and source.token["replaced"])
    if keys and is_left_to_later_run(grace_period):
        verb = "would be" if planned else "are"
        yield f"The previous pull tokens of {keys} {verb} revoked by a run after the grace period of {grace_period}."
    elif keys and not grace_period_to_wait(grace_period):
        moment, verb = (
            ("of up to four minutes", "could use") if planned else ("of the last four minutes", "may have used")
        )
        yield (
            f"Without a grace period, pulls {moment} through {keys} {verb} the previous pull token: "
            "Artifactory caches what it got with it. If such pulls fail, they succeed again within four minutes."
        )


def _revocation_notes(source: Source, planned: bool) -> t.Iterator[str]:
    """Yield how many pull tokens were revoked that a source used before."""
    if count := len(source.token.get("revoked") or []):
        tokens = "the previous pull token" if count == 1 else f"{count} previous pull tokens"
        verb = "would be" if planned else "was" if count == 1 else "were"
        yield f"{source.key}: {tokens} {verb} revoked."


def _unverified_note(sources: t.Sequence[Source]) -> t.Iterator[str]:
    """Yield the sources that did not fail, but whose login and upstream no verification showed to work."""
    keys = [source.key for source in sources if source.verification.get("is_unverified") and not source.failure]
    if keys:
        total = "1 repository" if len(sources) == 1 else f"{len(sources)} repositories"
        yield f"Not verified: {len(keys)} of {total} ({', '.join(keys)})."


def _partial_note(sources: t.Sequence[Source]) -> t.Iterator[str]:
    """Yield of which repositories the login of Artifactory reads too little to compare settings and pull tokens."""
    keys = [source.key for source in sources if source.is_partial]
    if keys:
        yield (
            f"The pull tokens and the settings of {', '.join(keys)} were not compared: only an administrator reads them in Artifactory."
        )


def _removal_notes(virtual_repositories: t.Sequence[Facts], permission: Facts, planned: bool) -> t.Iterator[str]:
    """Yield what the run takes away from virtual repositories and from the permission."""
    verb = "would be removed" if planned else "removed"
    for repository in virtual_repositories:
        if removed := repository.get("removed"):
            yield f"{repository['key']}: members {verb}: {', '.join(removed)}."
    before, after = ((permission.get("diff") or {}).get(side) or {} for side in ("before", "after"))
    for kind in ("repositories", "users", "groups"):
        removed = [name for name in before.get(kind) or () if name not in (after.get(kind) or ())]
        if removed:
            yield f"The permission {permission['permission']['name']}: {kind} {verb}: {', '.join(removed)}."


def _client_setup_note(file: str | None, planned: bool) -> list[str]:
    if file is None:
        return []
    if file:
        return [f"Client setup commands {'would be' if planned else 'are'} in {file}."]
    return ["For client setup commands, run with -v or set pull_through_client_setup_file."]


def align_columns(rows: t.Sequence[t.Sequence[str]]) -> list[str]:
    """Return rows as lines with columns of one width; the last column is not padded."""
    if not rows:
        return []
    widths = [max(map(len, column)) for column in list(zip(*rows))[:-1]]
    return ["  ".join([*(f"{cell:{width}}" for cell, width in zip(row, widths)), row[-1]]).rstrip() for row in rows]


def _source_row(source: Source, planned: bool) -> tuple[str, str, str, str]:
    return source.key, _state(source, planned), _token(source, planned), _verified(source)


def _state(source: Source, planned: bool) -> str:
    if source.failure:
        return "FAILED"
    if not source.needs_write:
        return "unchanged"
    changes = [*(name for name in source.changes), *(["pull token"] if source.has_new_token else [])]
    more = f" and {len(changes) - _MAX_NAMED_CHANGES} more" if len(changes) > _MAX_NAMED_CHANGES else ""
    verb = "created" if source.is_missing else f"changed ({', '.join(changes[:_MAX_NAMED_CHANGES])}{more})"
    return f"would be {verb}" if planned else verb


def _token(source: Source, planned: bool) -> str:
    if not source.pull_token:
        return "no pull token needed"
    token = source.token or source.token_status
    if source.is_partial:
        return "unknown pull token"
    if source.failure and source.is_missing and not token:
        return "no repository"
    if source.failure and not source.is_written and (token.get("due") or not token):
        previous = token.get("previous") or {}
        return f"previous pull token {_until(previous)}" if previous.get("expires") else "no new pull token"
    if source.has_new_token and not token.get("expires"):
        return "would get a new pull token" if planned else "new pull token"
    if not token.get("expires"):
        return "no valid pull token"
    new = "new pull token" if source.has_new_token else "pull token"
    return f"{new} {_until(token)}"


def _until(token: Facts) -> str:
    return f"until {token['expires'][:10]} ({count(round(token['days_left']), 'day')})"


def _verified(source: Source) -> str:
    if source.failure:
        return "see below"
    if not source.verification:
        return "not verified in this run"
    user = f"; also as {source.user_verification['user']}" if source.user_verification else ""
    return f"{source.verification['summary']}{user}"


def _virtual_row(repository: Facts) -> tuple[str, str, str, str]:
    verification = repository["verification"]
    verified = verification["summary"] if verification else "not verified in this run"
    state = "FAILED" if repository["failure"] else repository.get("state", "unchanged")
    return repository["key"], state, f"virtual: {', '.join(repository['repositories'])}", verified


def _source_details(source: Source) -> list[str]:
    kept = source.token and not source.has_new_token and source.token.get("reason")
    lines = [f"{source.key}: The pull token is kept: {source.token['reason']}."] if kept else []
    return lines + _details(source.key, source.verification) + _details(source.key, source.user_verification)


def _details(key: str, verification: Facts) -> list[str]:
    return [line if _find(key, line) == 0 else f"{key}: {line}" for line in verification.get("details", [])]


def _failures(sources: t.Sequence[Source], virtual_repositories: t.Sequence[Facts], failures: list[str]) -> list[str]:
    """Return the failures, each once: what hit many sources in one request is one failure."""
    keys: dict[str, list[str]] = {message: [] for message in failures}
    failed = [(source.key, source.failure) for source in sources]
    failed += [(repository["key"], repository["failure"]) for repository in virtual_repositories]
    for key, message in failed:
        if message:
            keys.setdefault(message, []).append(key)
    return [_name_keys(message, [key for key in keys[message] if _find(key, message) < 0]) for message in keys]


def _find(key: str, text: str) -> int:
    """Return where a text names a repository key; -1 if it does not. A key can be a part of another one."""
    match = re.search(rf"(?<![\w.-]){re.escape(key)}(?![\w-]|[.]\w)", text)
    return match.start() if match else -1


def _name_keys(message: str, keys: t.Sequence[str]) -> str:
    return f"{', '.join(keys)}: {message}" if keys else message
