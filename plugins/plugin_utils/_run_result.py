# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The result of a run of the role pull_through for other programs, such as a workflow. No I/O.

The README of the role documents it. It stays small, since AWX keeps it with each job.
"""

from __future__ import annotations

import typing as t

from ansible_collections.cgr.pull_through.plugins.plugin_utils._diagnosis import failures_of_others, pull_states
from ansible_collections.cgr.pull_through.plugins.plugin_utils._phases import code_of, module_failures, pull_of
from ansible_collections.cgr.pull_through.plugins.plugin_utils._sources import Facts, Source

SCHEMA_VERSION = 1
STOPPED = "The run stopped before its end. The output of the run shows why."

_MAX_MESSAGE = 300
_MAX_MESSAGES = 5


def run_result(
    sources: t.Sequence[Source],
    virtual_repositories: list[Facts],
    failures: list[str],
    entry_point: str,
    site: str,
    planned: bool,
    has_ended: bool,
    stopping_results: list[Facts],
    warm_pull: Facts,
    diagnosis: Facts,
    repairs: list[Facts],
) -> Facts:
    """Return what a run showed and changed.

    failures: those that belong to no single source. planned: whether the run was in check mode. has_ended: whether it reached its
    end. stopping_results: of the tasks that can stop a run. warm_pull: the result of registry_pull that warmed the caches.
    diagnosis: the result of artifactory_diagnosis. repairs: results of the modules that repaired repositories, and their caches.
    """
    messages = [] if has_ended else [stop_reason(stopping_results)]
    messages += failures
    messages += [repository["failure"] for repository in virtual_repositories if repository["failure"]]
    messages += module_failures([warm_pull], "pulls") if warm_pull else []
    diagnosed = pull_states(diagnosis) if "sources" in diagnosis else {}
    messages += failures_of_others(diagnosis, [source.name for source in sources]) if diagnosed else []
    repaired = {item["key"] for repair in repairs for item in repair.get("repositories", []) if item.get("changed")}
    records = []
    for source in sources:
        pull_state = diagnosed.get(source.name) or _pull_state(source, warm_pull)
        is_changed = source.key in repaired or _is_changed(source, entry_point)
        records.append(_source_record(source, pull_state, is_changed))
    return {
        "schema_version": SCHEMA_VERSION,
        "entry_point": entry_point,
        "site": site,
        "check_mode": planned,
        "failed": bool(messages) or any(record["works"] is False for record in records),
        "changed": any(record["changed"] for record in records) or _changes_virtuals(virtual_repositories),
        "failures": [_shorten(message) for message in dict.fromkeys(messages)][:_MAX_MESSAGES],
        "sources": records,
    }


def stop_reason(results: list[Facts]) -> str:
    """Return the message of the first task, or item of its loop, that failed."""
    for result in results:
        for item in (*(result.get("results") or []), result):
            if item.get("failed") and item.get("msg"):
                return str(item["msg"])
    return STOPPED


def _changes_virtuals(virtual_repositories: list[Facts]) -> bool:
    return any(repository.get("state", "unchanged") != "unchanged" for repository in virtual_repositories)


def _pull_state(source: Source, warm_pull: Facts) -> Facts:
    """Return whether a source works, and why it does not."""
    warmed = pull_of(source.key, [warm_pull]) or {}
    message = source.failure or (str(warmed["msg"]) if warmed.get("failed") else "")
    return {
        "works": _works(source, warmed) if not message else False,
        "cause": source.failure_code or (code_of(warmed, "not_verified") if message else ""),
        "message": message,
    }


def _source_record(source: Source, pull_state: Facts, is_changed: bool) -> Facts:
    token = source.token or source.token_status
    return {
        "name": source.name,
        "repository": source.key,
        **pull_state,
        "message": _shorten(pull_state["message"]),
        "expires": token.get("expires") or "",
        "days_left": token.get("days_left"),
        "changed": is_changed,
    }


def _works(source: Source, warmed: Facts) -> bool | None:
    """Return whether something was pulled through the repository in this run.

    None if nothing was requested, or if the pull does not show that the upstream and the login work.
    """
    return True if source.is_verified or any(image["ok"] for image in warmed.get("images") or []) else None


def _is_changed(source: Source, entry_point: str) -> bool:
    if entry_point == "remove":
        return bool(source.current)
    return source.is_written if source.failure else source.needs_write or bool(source.token.get("revoked"))


def _shorten(message: str) -> str:
    return message if len(message) <= _MAX_MESSAGE else f"{message[: _MAX_MESSAGE - 1]}…"
