# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report of the role pull_through: one data structure for the page, the JSON file and the metrics. No I/O.

docs/report.md documents it. A host adds its part when its run ends, and the report is built from the parts of all hosts.
"""

from __future__ import annotations

import json
import typing as t
from urllib.parse import urlsplit

from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._time import (
    DAY,
    format_timestamp,
    parse_timestamp,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._token_options import parse_lifetime
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError, PullThroughError
from ansible_collections.cgr.pull_through.plugins.plugin_utils._run_result import stop_reason
from ansible_collections.cgr.pull_through.plugins.plugin_utils._sources import Facts, Source

SCHEMA_VERSION = 1
NOT_RUN = "This host did not run, or failed before its variables were read. The output of the run shows why."
OVERDUE_FIX = "Check that the playbook cgr.pull_through.rotate runs on its schedule, and run it now."
EXPIRES_SOON = "token_expires_soon"

# The worst first.
_SEVERITIES = ("error", "warning")
_FINDING_TEXTS = ("severity", "code", "cause", "fix", "certainty")


# --- the part of a host -----------------------------------------------------------------------------------------------
def report_of_host(
    sources: t.Sequence[Source],
    virtual_repositories: list[Facts],
    failures: list[str],
    artifactory_url: str,
    entry_point: str,
    stopping_results: list[Facts],
    has_ended: bool,
    ttl: str,
    renew_before: str,
    time: str,
    diagnosis: Facts,
) -> Facts:
    """Return the part of one host.

    failures: those that belong to no single source. stopping_results: of the tasks that can stop a run. has_ended: whether the run
    reached its end. time: now. diagnosis: the result of artifactory_diagnosis, if it ran.
    """
    stopped = [] if has_ended else [stop_reason(stopping_results)]
    messages = list(dict.fromkeys([*stopped, *failures]))
    findings = diagnosis.get("findings") or []
    can_pull = {item["name"]: item["can_pull"] for item in diagnosis.get("sources") or []}
    threshold = _renew_before_seconds(ttl, renew_before)
    records = [_source_record(source, threshold, time, can_pull.get(source.name)) for source in sources]
    virtuals = [_virtual_record(repository) for repository in virtual_repositories]
    states = {record["state"] for record in (*records, *virtuals)}
    return {
        "artifactory_url": _without_credentials(artifactory_url),
        "entry_point": entry_point,
        "state": "failed" if messages or "failed" in states else "works",
        "time": time,
        "failures": messages,
        "sources": records,
        "virtual_repositories": virtuals,
        "findings": [_diagnosis_finding(finding, sources) for finding in findings],
    }


def _without_credentials(url: str) -> str:
    """Return a URL that people wrote without its user, password and query. It may be why the run stopped."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def _renew_before_seconds(ttl: str, renew_before: str) -> int:
    """Return how long before it expires a pull token is rotated; 0 if the variables are not valid, which stops the run."""
    try:
        return parse_lifetime(ttl, renew_before)[1]
    except InputError:
        return 0


def _diagnosis_finding(finding: Facts, sources: t.Sequence[Source]) -> Facts:
    """Return a finding with the repository of its source, which can be a virtual one, and its evidence as a list."""
    repository = next((source.key for source in sources if source.name == finding["source"]), finding["source"])
    texts = {name: finding[name] for name in _FINDING_TEXTS}
    return {**texts, "evidence": [finding["evidence"]] if finding["evidence"] else [], "repository": repository}


def _source_record(source: Source, renew_before: int, time: str, can_pull: bool | None) -> Facts:
    """Return what the run showed of a source. renew_before: seconds before a pull token expires. time: now.

    can_pull: whether a diagnosis showed that it can be pulled.
    """
    is_failed = bool(source.failure) or can_pull is False
    verified = (source.is_verified or can_pull is True) and not is_failed
    state = "failed" if is_failed else "works" if verified else "not_verified"
    return {
        "name": source.name,
        "title": source.title,
        "repository": source.key,
        "package_type": source.package_type,
        "organization": source.organization if source.needs_organization else "",
        "state": state,
        "changed": source.needs_write,
        "failure": source.failure,
        "code": source.failure_code,
        "verification": source.verification.get("summary", ""),
        "verified": time if verified else "",
        "pulled": source.pulled,
        "tags": [_tag_record(age) for age in source.tag_age],
        "token": _token_record(source, renew_before) if source.pull_token else None,
        "diagnoses": source.diagnoses,
    }


def _tag_record(age: Facts) -> Facts:
    return {name: age[name] for name in ("image", "digest", "upstream_digest", "hours_behind", "overdue")}


def _token_record(source: Source, renew_before: int) -> Facts:
    """Return the state of the pull token: none, unread, valid, due (to be rotated) or expired."""
    token = source.token or source.token_status
    if not token.get("expires"):
        # A planned token has no expiry yet, and a token is not read when the run stopped before.
        times: Facts = {"expires": "", "rotation": "", "days_left": None, "rotation_days_left": None}
        return {"state": "none" if token else "unread", "new": source.has_new_token, **times}
    seconds = token.get("seconds_left")
    seconds = token["days_left"] * DAY if seconds is None else seconds
    state = "expired" if seconds <= 0 else "due" if seconds < renew_before else "valid"
    return {
        "state": state,
        "new": source.has_new_token,
        "expires": token["expires"],
        "rotation": format_timestamp(parse_timestamp(token["expires"]) - renew_before),
        "days_left": round(seconds / DAY, 1),
        "rotation_days_left": round((seconds - renew_before) / DAY, 1),
    }


def _virtual_record(repository: Facts) -> Facts:
    failure, verification = repository["failure"], repository["verification"] or {}
    verified = bool(verification) and not verification.get("is_unverified")
    return {
        "repository": repository["key"],
        "package_type": repository["package_type"],
        "members": repository["repositories"],
        "state": "failed" if failure else "works" if verified else "not_verified",
        "failure": failure,
        "verification": verification.get("summary", ""),
    }


# --- all hosts --------------------------------------------------------------------------------------------------------
def report_of_all_hosts(parts: t.Mapping[str, Facts | None], previous: str, time: str) -> Facts:
    """Return the report. parts: by host; None for a host that did not run. previous: the JSON text that this
    report replaces.

    time: now. A source that was not verified in this run keeps the time of its last verification.
    """
    verified = _verification_times(previous)
    hosts = [_host(name, part, verified) for name, part in parts.items()]
    findings = _group(finding for host in hosts for finding in _findings(host))
    return {
        "schema_version": SCHEMA_VERSION,
        "time": time,
        "summary": _summarize(hosts, findings),
        "findings": findings,
        "hosts": [{name: value for name, value in host.items() if name != "findings"} for host in hosts],
    }


def _host(name: str, part: Facts | None, verified: t.Mapping[tuple[str, str], str]) -> Facts:
    """Return the entry of a host. verified: when its sources were verified before, by host and repository."""
    if not part:
        texts = dict.fromkeys(("artifactory_url", "entry_point", "time"), "")
        lists: Facts = {name: [] for name in ("sources", "virtual_repositories", "findings")}
        return {"name": name, **texts, **lists, "state": "not_run", "failures": [NOT_RUN]}
    sources = [
        {**source, "verified": source["verified"] or verified.get((name, source["repository"]), "")}
        for source in part["sources"]
    ]
    return {"name": name, **part, "sources": sources}


def _verification_times(text: str) -> dict[tuple[str, str], str]:
    """Return when each source was verified last, by host and repository, from a file that people can have changed."""
    try:
        report = json.loads(text)
    except ValueError:
        return {}
    return {
        (str(host.get("name")), str(source.get("repository"))): source["verified"]
        for host in _dicts(report, "hosts")
        for source in _dicts(host, "sources")
        if _is_time(source.get("verified"))
    }


def _is_time(value: t.Any) -> bool:
    try:
        return isinstance(value, str) and parse_timestamp(value) > 0
    except PullThroughError:
        return False


def _dicts(value: t.Any, name: str) -> list[Facts]:
    items = value.get(name) if isinstance(value, dict) else None
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _findings(host: Facts) -> t.Iterator[Facts]:
    """Yield what is wrong on a host."""
    severity = "warning" if host["state"] == "not_run" else "error"
    for message in host["failures"]:
        yield _finding(host, severity, message)
    for finding in host["findings"]:
        yield {**_finding(host, "", ""), **finding}
    for source in host["sources"]:
        yield from _source_findings(host, source)
    for repository in host["virtual_repositories"]:
        if repository["failure"]:
            yield _finding(host, "error", repository["failure"], repository["repository"])


def _source_findings(host: Facts, source: Facts) -> t.Iterator[Facts]:
    key, token = source["repository"], source["token"] or {}
    if source["diagnoses"]:
        for diagnosis in source["diagnoses"]:
            yield {**_finding(host, "error", "", key), **diagnosis}
    elif source["failure"]:
        yield {**_finding(host, "error", source["failure"], key), "code": source["code"]}
    elif token.get("state") == "expired":
        yield _finding(host, "error", f"The pull token expired on {token['expires'][:10]}.", key, OVERDUE_FIX)
    elif source["state"] == "not_verified" and source["verification"]:
        yield _finding(host, "warning", f"{source['verification'][:1].upper()}{source['verification'][1:]}.", key)
    is_diagnosed = (key, EXPIRES_SOON) in [(finding["repository"], finding["code"]) for finding in host["findings"]]
    if token.get("state") == "due" and token["days_left"] < -token["rotation_days_left"] and not is_diagnosed:
        yield _expires_soon(host, key, token)


def _expires_soon(host: Facts, key: str, token: Facts) -> Facts:
    """Return the finding about a pull token that was not rotated in the first half of its rotation window."""
    cause = "The pull token was not rotated when that was due, and expires soon."
    times = f"{key} on {host['name']}: rotation due since {token['rotation'][:10]}, expires on {token['expires'][:10]}"
    return {**_finding(host, "warning", cause, key, OVERDUE_FIX), "code": EXPIRES_SOON, "evidence": [times]}


def _finding(host: Facts, severity: str, cause: str, repository: str = "", fix: str = "") -> Facts:
    finding = {"severity": severity, "code": "", "cause": cause, "fix": fix, "certainty": "", "evidence": []}
    return {**finding, "host": host["name"], "repository": repository}


def _group(findings: t.Iterable[Facts]) -> list[Facts]:
    """Return the findings, the worst first, and what several hosts or repositories share once, with all of these."""
    groups: dict[tuple[str, ...], Facts] = {}
    for finding in findings:
        texts = {name: str(finding.get(name) or "") for name in _FINDING_TEXTS}
        group = groups.setdefault(tuple(texts.values()), {**texts, "evidence": [], "affected": []})
        group["evidence"] += [line for line in finding["evidence"] if line not in group["evidence"]]
        group["affected"].append({name: finding[name] for name in ("host", "repository")})
    return sorted(groups.values(), key=lambda group: (_rank(group["severity"]), -len(group["affected"])))


def _rank(severity: str) -> int:
    return _SEVERITIES.index(severity) if severity in _SEVERITIES else len(_SEVERITIES)


def _summarize(hosts: list[Facts], findings: list[Facts]) -> Facts:
    """Return the numbers at the top, and the pull token that expires first."""
    sources = [{"host": host["name"], **source} for host in hosts for source in host["sources"]]
    with_token = [source for source in sources if source["token"] and source["token"]["expires"]]
    first = min(with_token, key=lambda source: str(source["token"]["expires"]), default=None)
    expiry = {"host": first["host"], "repository": first["repository"], **first["token"]} if first else None
    states = [source["state"] for source in sources]
    severities = {finding["severity"] for finding in findings}
    return {
        "state": next((severity for severity in _SEVERITIES if severity in severities), "ok"),
        "hosts": len(hosts),
        "hosts_not_run": sum(host["state"] == "not_run" for host in hosts),
        "sources": len(sources),
        **{state: states.count(state) for state in ("works", "failed", "not_verified")},
        "first_expiry": expiry,
    }
