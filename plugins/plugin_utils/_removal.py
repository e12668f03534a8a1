# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a removal by the role pull_through did, for people. No I/O."""

from __future__ import annotations

import typing as t

from ansible_collections.cgr.pull_through.plugins.plugin_utils._sources import Facts, Source
from ansible_collections.cgr.pull_through.plugins.plugin_utils._summary import align_columns


def report_removal(
    sources: t.Sequence[Source],
    repositories: Facts,
    tokens: Facts,
    virtual_repositories: Facts,
    permissions: Facts,
    planned: bool,
) -> list[str]:
    """Return a line for each source, and one for each virtual repository and permission that referred to it.

    repositories, tokens, virtual_repositories, permissions: results of the modules with a list form. planned: whether they ran in
    check mode.
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
    ]


def _state(is_removed: bool, planned: bool) -> str:
    if not is_removed:
        return "did not exist"
    return "would be deleted" if planned else "deleted"


def _tokens(source: Source, revoked: t.Mapping[str, int], planned: bool) -> str:
    if not source.token_spec:
        return "no pull token needed"
    count = revoked.get(source.token_spec["name"], 0)
    if not count:
        return "no pull token of this role"
    return f"{count} pull token{'' if count == 1 else 's'} {'would be revoked' if planned else 'revoked'}"


def _references(kind: str, name: str, items: list[Facts] | None, planned: bool) -> t.Iterator[str]:
    """Yield what happens to what referred to the repositories."""
    for item in items or []:
        before, after = item["diff"]["before"], item["diff"]["after"]
        lost = [key for key in before.get("repositories") or [] if key not in (after.get("repositories") or [])]
        if not after:
            yield f"The {kind} {item[name]} {'would be deleted' if planned else 'was deleted'} with its last repository."
        elif lost:
            yield f"The {kind} {item[name]}: repositories {'would be removed' if planned else 'removed'}: {', '.join(lost)}."
