# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sources of the role, as the unit tests of plugin_utils need them."""

from __future__ import annotations

import typing as t

from ansible_collections.cgr.pull_through.plugins.plugin_utils._catalog import merge
from ansible_collections.cgr.pull_through.plugins.plugin_utils._sources import Source, resolve_sources

URL = "https://artifactory.example.com/artifactory/"
OLD, NEW = "org/0000000000000001", "org/0000000000000002"
ORGANIZATION = {"name": "example.com", "uid": "0123"}
DOCKER = {"package_type": "docker", "url": "https://cgr.dev/", "settings": {"a": True}}
APK_URL = "https://apk.cgr.dev/{organization_name}"
OPEN_URL = "https://virtualapk.cgr.dev/{organization_uid}/chainguard"
PUBLIC_URL = "https://apk.cgr.dev/chainguard"

CATALOG: dict[str, dict[str, t.Any]] = {
    "public": {**DOCKER, "key": "cgr-public", "images": ["chainguard/go"], "upstream_url": "https://cgr.dev"},
    "private": {**DOCKER, "key": "CGR_private", "pull_token": "oci", "images": []},
    "charts": {"key": "cgr-charts", "package_type": "helmoci", "url": "https://cgr.dev", "pull_token": "oci"},
    "apk": {
        "key": "cgr-apk",
        "package_type": "alpine",
        "url": APK_URL,
        "pull_token": "apk",
        "artifacts": ["busybox"],
        "upstream_url": APK_URL,
    },
    "open": {"key": "cgr-open", "package_type": "alpine", "url": OPEN_URL, "upstream_url": "/{organization_uid}"},
    "either": {
        "key": "cgr-either",
        "package_type": "alpine",
        "url": OPEN_URL,
        "upstream_url": OPEN_URL,
        "url_without_organization": PUBLIC_URL,
        "upstream_url_without_organization": PUBLIC_URL,
    },
}


def resolved(*names: str, organization: str = "example.com", **changes: dict[str, t.Any]) -> list[Source]:
    """Return sources of the catalog. changes: fields that the user overrides, by the name of the source."""
    catalog = merge(CATALOG, changes)
    options = {"organization": organization, "artifactory_url": URL, "registry_url": "https://cgr.dev"}
    return resolve_sources(list(names), catalog=catalog, overrides=changes, only_pull_tokens=False, **options)


def token_result(source: Source, **fields: t.Any) -> dict[str, t.Any]:
    """Return the result of chainguard_pull_token for a token that is kept, unless the fields say otherwise."""
    kept = {"changed": False, "failed": False, "due": False, "username": OLD, "reason": "20 days are left"}
    token = managed_token(source)
    identity = {"consumer": source.token_spec["consumer"], "organization": ORGANIZATION}
    return {**identity, **kept, "superseded": [], "replaces": {}, "token": token, **fields}


def issued_result(source: Source, **fields: t.Any) -> dict[str, t.Any]:
    """Return the result for a token that was issued."""
    issued = {"changed": True, "due": True, "username": NEW, "password": "secret", "superseded": [OLD]}
    return token_result(source, **{**issued, "replaces": managed_token(source), **fields})


def managed_token(source: Source, **fields: t.Any) -> dict[str, t.Any]:
    """Return a pull token as the modules describe it, issued for the source unless the fields say otherwise."""
    marker = {"managed": True, "consumer": source.token_spec["consumer"], "site": ""}
    return {
        "uid": OLD,
        **marker,
        "expires": "2031-01-21T00:00:00Z",
        "days_left": 20.0,
        "seconds_left": 20 * 86400,
        **fields,
    }
