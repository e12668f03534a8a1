# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the entry point diagnose asks for, reports, and repairs. No I/O."""

from __future__ import annotations

import typing as t

from ansible_collections.cgr.pull_through.plugins.plugin_utils._sources import Facts, Source
from ansible_collections.cgr.pull_through.plugins.plugin_utils._token_lifetime import overdue_note

# The codes that each remedy repairs.
REMEDIES = {
    "offline": {"offline", "blacked_out"},
    "settings": {
        "url_has_path",
        "upstream_url_mismatch",
        "index_url_mismatch",
        "token_authentication_off",
        "excluded_by_pattern",
        "project_prefix_doubled",
        "credentials_forwarded",
        "redirect_settings",
        "head_length",
        "mime_blocking_off",
        "settings_differ",
    },
    "token": {
        "repository_credentials_missing",
        "username_encoded",
        "username_white_space",
        "username_email",
        "username_not_identity",
        "username_other_organization",
        "token_revoked",
        "token_type",
        "token_expired",
        "token_unbound",
        "token_role",
        "token_expires_soon",
        "upstream_credentials",
    },
    "poisoned_cache": {"html_cached", "redirect_cached", "content_mismatch", "head_length"},
    "negative_cache": {"negative_cache", "upstream_fetch_failed", "not_found"},
}
# What the remedy settings corrects besides the settings of a source, which win over these.
_SETTINGS = {
    "excluded_by_pattern": {"includesPattern": "**/*", "excludesPattern": ""},
    "project_prefix_doubled": {"dockerProjectId": ""},
}
_COLUMNS = ("severity", "certainty", "source", "code")


def sources_to_diagnose(
    sources: t.Sequence[Source], virtual_names: list[str], virtual_catalog: dict[str, Facts]
) -> list[Facts]:
    """Return what artifactory_diagnosis is asked about: the sources and the virtual repositories of them."""
    items = [_source_item(source) for source in sources]
    keys = {source.name: source.key for source in sources}
    for name in dict.fromkeys(virtual_names):
        entry = virtual_catalog[name]
        members = [keys[member] for member in entry["members"] if member in keys]
        if members:
            virtual = {field: entry[field] for field in ("key", "package_type")}
            items.append({"name": entry["key"], **virtual, "settings": entry.get("settings") or {}, "members": members})
    return items


def _source_item(source: Source) -> Facts:
    fields = ("name", "key", "package_type", "url", "settings", "pull_token", "organization", "images", "artifacts")
    item = {field: getattr(source, field) for field in (*fields, "alternative_url")}
    # An option that is not set is left out: the module has the defaults.
    return {field: value for field, value in {**item, "upstream_url": source.direct_url}.items() if value}


def report_diagnosis(result: Facts, token_ttl: str, token_renew_before: str, run_interval: str) -> dict[str, list[str]]:
    """Return the lines of a table of the findings, the worst first, and the failures. result: of artifactory_diagnosis.

    Overdue rotations follow the findings. A source that cannot be pulled is a failure, and so is what is known to prevent pulls through all sources.
    """
    findings = result["findings"]
    rows = [tuple(finding[column] or "all" for column in _COLUMNS) for finding in findings]
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = []
    for finding, row in zip(findings, rows):
        cells = "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths))
        lines += [f"{cells}  {finding['cause']}", f"    evidence: {finding['evidence']}", f"    fix: {finding['fix']}"]
    for source in result["sources"]:
        if source["token"]:
            lines += overdue_note(
                source["key"], source["token"], token_ttl, token_renew_before, run_interval, is_past=False
            )
    lines += [f"{source['name']}: {_STATES[source['can_pull']]}" for source in result["sources"]]
    lines += [f"Not known: {sentence}" for sentence in result["unknown"]]
    return {"lines": lines, "failures": list(_failures(result).values())}


_STATES = {True: "can be pulled", False: "cannot be pulled", None: "nothing is known to prevent pulls"}


def _failures(result: Facts) -> dict[str, str]:
    """Return the first finding of each source that cannot be pulled by its name, and those about all sources by their code."""
    broken = [source["name"] for source in result["sources"] if source["can_pull"] is False]
    failures: dict[str, str] = {}
    for finding in result["findings"]:
        is_of_all = not finding["source"] and (finding["severity"], finding["certainty"]) == ("error", "known")
        if finding["source"] in broken or is_of_all:
            name = finding["source"] or finding["code"]
            failures.setdefault(name, f"{name}: {finding['cause']} {finding['fix']}")
    return {**failures, **{name: f"{name} cannot be pulled." for name in sorted(set(broken) - set(failures))}}


def pull_states(result: Facts) -> dict[str, Facts]:
    """Return whether each source works by its name, and why it does not. result: of artifactory_diagnosis."""
    failures = _failures(result)
    codes = {finding["source"]: finding["code"] for finding in reversed(result["findings"])}
    return {
        source["name"]: {
            "works": source["can_pull"],
            "cause": codes.get(source["name"], "not_verified") if source["can_pull"] is False else "",
            "message": failures.get(source["name"], ""),
        }
        for source in result["sources"]
    }


def failures_of_others(result: Facts, names: t.Collection[str]) -> list[str]:
    """Return what prevents pulls and belongs to none of these sources, such as to a virtual repository."""
    return [failure for name, failure in _failures(result).items() if name not in names]


def repaired_sources(sources: list[Facts], result: Facts, remedies: list[str], name: str) -> list[Facts]:
    """Return the sources that a remedy is for, if it is chosen. result: of artifactory_diagnosis."""
    if name not in remedies:
        return []
    chosen = {finding["source"] for finding in result["findings"] if finding["code"] in REMEDIES[name]}
    needs_token = name == "token"
    return [source for source in sources if source["name"] in chosen and (source["pull_token"] or not needs_token)]


def paths_to_delete(sources: t.Sequence[Source], result: Facts) -> list[Facts]:
    """Return what artifactory_repository_cache is asked to delete: the invalid content that was found."""
    items = []
    for source in sources:
        paths = [finding["path"] for finding in result["findings"] if finding["source"] == source.name]
        if any(paths):
            items.append({"key": source.key, "state": "absent", "paths": sorted(set(filter(None, paths)))})
    return items


def repositories_to_switch_on(sources: t.Sequence[Source]) -> list[Facts]:
    """Return what artifactory_remote_repository is asked for, so that the repositories are online."""
    return [{**_repository(source), "settings": {"offline": False, "blackedOut": False}} for source in sources]


def repositories_to_correct(sources: t.Sequence[Source], result: Facts) -> list[Facts]:
    """Return what artifactory_remote_repository is asked for: the settings of the sources. result: of artifactory_diagnosis."""
    urls = {item["name"]: item["url"] for item in result["sources"]}
    specs = []
    for source in sources:
        codes = [finding["code"] for finding in result["findings"] if finding["source"] == source.name]
        settings = {name: value for code in codes for name, value in _SETTINGS.get(code, {}).items()}
        url = urls[source.name]
        # Without credentials for Chainguard, the UID of the organization is not known.
        specs.append(
            {
                **_repository(source),
                **({"url": url} if url and "{" not in url else {}),
                "settings": {**settings, **source.settings},
            }
        )
    return specs


def _repository(source: Source) -> Facts:
    return {"key": source.key, "package_type": source.package_type}
