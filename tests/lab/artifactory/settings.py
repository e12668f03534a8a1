# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of the simulated Artifactory.

A setting that chooses between two responses exists because it is not established which one the real product sends.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# False: credentials are no part of the key of a cached upstream token, as in the real service.
UPSTREAM_TOKENS_BY_CREDENTIALS = False

DEFAULTS: dict[str, Any] = {
    "artifactory_version": "7.161.15",
    "artifactory_edition": "pro",  # pro, enterprise_plus, jcr or oss
    "artifactory_anonymous": False,
    "artifactory_encrypt_passwords": True,  # off: an administrator reads passwords in clear text
    "artifactory_description_suffix": False,  # on: a remote's description ends with " (local file cache)"
    "artifactory_empty_list_clears": False,  # effect of [] on a list in an update: off keeps it, on clears it
    "artifactory_environments_without_project": False,  # on: stored although the repository is in no project
    "artifactory_project_administrators_read_settings": True,  # off: they read as little as any other user
    "artifactory_returns_nuget_urls": True,  # off: v3FeedUrl and symbolServerUrl are never in a response
    "artifactory_access_api_rejects_unknown_grantees": False,  # as the classic API always does
    "artifactory_access_accepts_passwords": True,  # off: the Access API accepts tokens only
    "artifactory_access_ping": "json",  # or "text": OK
    "artifactory_blob_head_fills_cache": False,  # whether HEAD of a blob of which there is a marker downloads it
    "artifactory_small_cache_period": "stored",  # below 30 s: stored, rejected, or raised to 30
    "artifactory_save_seconds": 0.0,  # duration of each save of a configuration; saves do not overlap
    "artifactory_save_clears_negative_cache": False,
    "artifactory_deploy_denied_status": 403,  # 403 or 404 for a caller who may read but not cache
    "artifactory_bad_upstream_credentials": "manifest_unknown",  # or "invalid_credentials": 500 with its own message
    "artifactory_oci_token_authentication": "field",  # or "always": whether oci and helmoci need the field
    "artifactory_redirected_head": "html",  # or "rejected" or "length": the result of a HEAD that the upstream redirects
    "artifactory_drops_authorization": False,  # on: its proxy removes the header, so that each caller is anonymous
    "artifactory_path_method": True,  # off: its proxy maps only sub-domains, and /v2/ of the host is 400
    "artifactory_traces_images": False,  # whether ?trace works on the path of a manifest
    "artifactory_mime_mismatch_status": 404,  # 404 or 409 for a blocked HTML page
    "artifactory_npm_outside_tarballs": "rewritten",  # or "unchanged": links of a document that leave the remote's URL
    "artifactory_upstream_token_seconds": 240,  # how long a bearer token of an upstream is cached; 0 turns it off
    "artifactory_upstream_token_by_credentials": UPSTREAM_TOKENS_BY_CREDENTIALS,
    "artifactory_priority_filters_documents": True,  # or merged from all members
    "artifactory_offline_after_failures": 2,  # failures in a row until a remote is assumed offline
    "artifactory_proxies_referrers": True,  # whether remotes request referrers from the upstream, since 7.90.1
}


class Settings:
    """Reads the simulator's settings, so that a change by the control API takes effect at once."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    @property
    def version(self) -> tuple[int, ...]:
        return tuple(int(part) for part in self["artifactory_version"].split("."))

    @property
    def server_header(self) -> str:
        """Product, version, and the revision that real releases derive from it: 7.12.8 is 71208900."""
        major, minor, patch = self.version[:3]
        return f"Artifactory/{self['artifactory_version']} {major * 10**7 + minor * 10**5 + patch * 10**3 + 900}"
