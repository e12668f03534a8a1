# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The metrics of the report, as OpenMetrics text. No I/O.

All are gauges: a node exporter's textfile collector, which reads an older form of the text, reads these too.
"""

from __future__ import annotations

import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._time import parse_timestamp
from ansible_collections.cgr.pull_through.plugins.plugin_utils._sources import Facts

_PREFIX = "pull_through_"
_HOUR = 3600

Labels = tuple[tuple[str, str], ...]
Sample = tuple[str, Labels, float]

HELP = {
    "report_timestamp_seconds": "When the report was written.",
    "host_works": "Whether the run ended on the host, and found no failure.",
    "source_works": "Whether pulls of the source work. Missing if the run did not verify it.",
    "source_verified_timestamp_seconds": "When the source was last verified with a pull.",
    "virtual_repository_works": "Whether pulls of the virtual repository work. Missing if the run did not verify it.",
    "token_valid": "Whether Artifactory has a pull token that has not expired.",
    "token_days_left": "Days until the pull token expires, when the report was written.",
    "token_expiry_timestamp_seconds": "When the pull token expires.",
    "token_rotation_timestamp_seconds": "When the pull token is due for rotation.",
    "cache_age_seconds": "How long ago the cached tag was replaced at Chainguard. 0 for the current build.",
}


def report_metrics(report: Facts) -> str:
    """Return the text."""
    samples = list(_samples(report))
    lines = []
    for name, text in HELP.items():
        values = dict.fromkeys(_format(sample) for sample in samples if sample[0] == name)
        if values:
            lines += [f"# HELP {_PREFIX}{name} {text}", f"# TYPE {_PREFIX}{name} gauge", *_unit(name), *values]
    return "\n".join([*lines, "# EOF", ""])


def _unit(name: str) -> list[str]:
    return [f"# UNIT {_PREFIX}{name} seconds"] if name.endswith("_seconds") else []


def _format(sample: Sample) -> str:
    name, labels, value = sample
    text = ",".join(f'{label}="{_escape(content)}"' for label, content in labels)
    return f"{_PREFIX}{name}{'{' + text + '}' if text else ''} {value:.15g}"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", " ")


def _samples(report: Facts) -> t.Iterator[Sample]:
    yield "report_timestamp_seconds", (), parse_timestamp(report["time"])
    for host in report["hosts"]:
        labels: Labels = (("host", host["name"]),)
        yield "host_works", labels, host["state"] == "works"
        for source in host["sources"]:
            yield from _source_samples(
                source, (*labels, ("source", source["name"]), ("repository", source["repository"]))
            )
        for repository in host["virtual_repositories"]:
            if repository["state"] != "not_verified":
                key = (*labels, ("repository", repository["repository"]))
                yield "virtual_repository_works", key, repository["state"] == "works"


def _source_samples(source: Facts, labels: Labels) -> t.Iterator[Sample]:
    if source["state"] != "not_verified":
        yield "source_works", labels, source["state"] == "works"
    if source["verified"]:
        yield "source_verified_timestamp_seconds", labels, parse_timestamp(source["verified"])
    token = source["token"]
    if token and token["state"] != "unread":
        yield "token_valid", labels, token["state"] in ("valid", "due")
    if token and token["expires"]:
        yield "token_days_left", labels, token["days_left"]
        yield "token_expiry_timestamp_seconds", labels, parse_timestamp(token["expires"])
        yield "token_rotation_timestamp_seconds", labels, parse_timestamp(token["rotation"])
    for tag in source["tags"]:
        if tag["hours_behind"] is not None:
            yield "cache_age_seconds", (*labels, ("image", tag["image"])), tag["hours_behind"] * _HOUR
