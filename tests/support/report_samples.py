# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reports for tests of what is made of them, and the page as Ansible's template module writes it."""

from __future__ import annotations

import datetime
import typing as t
from pathlib import Path

import jinja2

from ansible_collections.cgr.pull_through.plugins.plugin_utils._report import report_of_all_hosts, report_of_host
from ansible_collections.cgr.pull_through.plugins.plugin_utils._sources import Source

TEMPLATES = Path(__file__).resolve().parents[2] / "roles" / "pull_through" / "templates"
NOW = "2026-03-02T06:30:00Z"
DAY = 86400

Json = dict[str, t.Any]

# A name, its package type, its title, the ecosystem of its pull token, and what a verification pulls.
_SOURCES = (
    ("public", "docker", "Free container images", "", "chainguard/wolfi-base:latest"),
    ("private", "docker", "Container images of the organization", "oci", "example.com/nginx:latest"),
    ("charts", "helmoci", "Helm charts of the organization", "oci", "example.com/charts/nginx:1.2.3"),
    ("apk", "alpine", "APK packages of the organization", "apk", "busybox"),
    ("java", "maven", "Java libraries", "java", "org.slf4j:slf4j-api"),
    ("python", "pypi", "Python libraries", "python", "six"),
    ("javascript", "npm", "JavaScript libraries", "javascript", "ms"),
    ("go", "go", "Go modules", "go", "github.com/google/uuid"),
)
_DIAGNOSIS = {
    "code": "token_authentication_off",
    "cause": "Token authentication is off in cgr-private, so Artifactory cannot log in upstream.",
    "fix": "Set enableTokenAuthentication to true: the playbook cgr.pull_through.setup does that. Then expire the cache of "
    "cgr-private, or wait 1800 seconds.",
}


def token(days: float) -> Json:
    """Return the pull token of a source, as a verification reads it."""
    now = datetime.datetime.fromisoformat(NOW.replace("Z", "+00:00"))
    expires = now + datetime.timedelta(days=days)
    return {"expires": f"{expires:%Y-%m-%dT%H:%M:%SZ}", "days_left": round(days, 1), "seconds_left": int(days * DAY)}


def source(name: str, /, *, days: float = 21, **fields: t.Any) -> Source:
    """Return a source whose verification succeeded. days: that are left of its pull token."""
    _name, package_type, title, ecosystem, item = next(row for row in _SOURCES if row[0] == name)
    pulled = {"name": item, "version": "", "digest": f"sha256:{name.encode().hex():0<64}", "from_upstream": True}
    values: Json = {
        "title": title,
        "pull_token": ecosystem,
        "organization": "example.com",
        "token_status": token(days) if ecosystem else {},
        "verification": {"summary": f"verified: {item}, from upstream", "details": []},
        "pulled": [pulled],
    }
    return Source(name, f"cgr-{name}", package_type, "https://cgr.dev/", **{**values, **fields})


def part(*sources: Source, **options: t.Any) -> Json:
    """Return the part of a host."""
    defaults: Json = {
        "virtual_repositories": [],
        "failures": [],
        "artifactory_url": "https://artifactory.example.com",
        "entry_point": "verify",
        "stopping_results": [],
        "has_ended": True,
        "ttl": "720h",
        "renew_before": "",
        "time": NOW,
        "diagnosis": {},
    }
    return report_of_host(sources, **{**defaults, **options})


def report(previous: str = "", /, **parts: Json | None) -> Json:
    """Return the report of these hosts."""
    return report_of_all_hosts(parts, previous=previous, time=NOW)


def healthy_part(location: str = "amsterdam", shift: float = 0) -> Json:
    """Return the part of a host on which everything works. shift: by how many days its pull tokens expire later."""
    sources = [source(row[0], days=17 + number + shift) for number, row in enumerate(_SOURCES)]
    tag = {"image": "example.com/nginx:latest", "digest": "sha256:1", "upstream_digest": "sha256:2"}
    private = source(
        "private", days=18 + shift, tag_age=[{**tag, "hours_behind": 2.5, "overdue": False, "summary": ""}]
    )
    return part(
        *[private if each.name == "private" else each for each in sources],
        artifactory_url=f"https://{location}.example.com",
    )


def mixed_report() -> Json:
    """Return the report of three hosts: with failures, without, and one that did not run."""
    summary = {"verification": {"summary": "not verified: nothing to pull; name something in artifacts", "details": []}}
    broken = part(
        source("public"),
        source("private", days=6, failure="The pull failed.", diagnoses=[_DIAGNOSIS], pulled=[]),
        source("charts", days=6, failure="The pull failed.", diagnoses=[_DIAGNOSIS], pulled=[]),
        source("apk", days=19),
        source("java", days=3.5),
        source("python", days=12, pulled=[], **summary),
        artifactory_url="https://berlin.example.com",
        virtual_repositories=[
            {
                "key": "cgr-java-all",
                "package_type": "maven",
                "repositories": ["cgr-java"],
                "failure": "",
                "verification": {"summary": "verified: org.slf4j:slf4j-api 2.0.17", "details": []},
            }
        ],
    )
    return report(amsterdam=healthy_part(), berlin=broken, chicago=None)


def page(data: Json) -> str:
    """Return the page, as Ansible's template module writes it."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), trim_blocks=True, undefined=jinja2.StrictUndefined, autoescape=False
    )
    return environment.get_template("report.html.j2").render(__pull_through_report=data)
