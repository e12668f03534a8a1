# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a removal by the role pull_through did, for people. No I/O."""

from __future__ import annotations

import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._text import count
from ansible_collections.cgr.pull_through.plugins.plugin_utils._sources import Facts, Source
from ansible_collections.cgr.pull_through.plugins.plugin_utils._summary import align_columns
from ansible_collections.cgr.pull_through.plugins.plugin_utils._token_lifetime import overdue_note


def report_removal(
    sources: t.Sequence[Source],
    repositories: Facts,
    tokens: Facts,
    virtual_repositories: Facts,
    permissions: Facts,
    listed_tokens: list[Facts],
    token_ttl: str,
    token_renew_before: str,
    run_interval: str,
    planned: bool,
) -> list[str]:
    """Return a line for each source, one for each virtual repository and permission that referred to it, and overdue rotations.

    repositories, tokens, virtual_repositories, permissions: results of the modules with a list form. listed_tokens: those of the
    organizations before the removal. planned: whether the modules ran in check mode.
    """
    removed = {item["key"] for item in repositories.get("repositories") or [] if item.get("changed")}
    revoked = {item["name"]: len(item.get("revoked") or []) for item in tokens.get("tokens") or []}
    rows = [
        (source.key, _state(source.key in removed, planned), _tokens(source, revoked, planned)) for source in sources
    ]
    return [
        *align_columns(rows),
        *_references("virtual repository", "key", virtual_repositories.get("virtual_repositories"), planned),
        *_references("permission", "name", permissions.get("permissions"), planned),
        *(
            note
            for source in sources
            for token in listed_tokens
            if source.token_spec and token["uid"] == source.current.get("username")
            for note in overdue_note(
                source.key, token, token_ttl, token_renew_before, run_interval, is_past=not planned
            )
        ),
    ]


def _state(is_removed: bool, planned: bool) -> str:
    if not is_removed:
        return "did not exist"
    return "would be deleted" if planned else "deleted"


def _tokens(source: Source, revoked: t.Mapping[str, int], planned: bool) -> str:
    if not source.token_spec:
        return "no pull token needed"
    number = revoked.get(source.token_spec["name"], 0)
    if not number:
        return "no pull token of this role"
    return f"{count(number, 'pull token')} {'would be revoked' if planned else 'revoked'}"


def _references(kind: str, name: str, items: list[Facts] | None, planned: bool) -> t.Iterator[str]:
    """Yield what happens to what referred to the repositories."""
    for item in items or []:
        before, after = item["diff"]["before"], item["diff"]["after"]
        lost = [key for key in before.get("repositories") or [] if key not in (after.get("repositories") or [])]
        if not after:
            yield f"The {kind} {item[name]} {'would be deleted' if planned else 'was deleted'} with its last repository."
        elif lost:
            yield f"The {kind} {item[name]}: repositories {'would be removed' if planned else 'removed'}: {', '.join(lost)}."
