# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of the simulated Artifactory.

Those that choose between two answers are there because it is not established which one the real product gives.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DEFAULTS: dict[str, Any] = {
    "artifactory_version": "7.161.15",
    "artifactory_edition": "pro",  # pro, jcr or oss
    "artifactory_anonymous": False,
    "artifactory_encrypt_passwords": True,  # off: a GET by an admin shows them in clear text
    "artifactory_description_suffix": False,  # on: a remote's description ends with " (local file cache)"
    "artifactory_empty_list_clears": False,  # what [] does to a list on update: off keeps it, on clears it
    "artifactory_save_seconds": 0.0,  # what each saved configuration takes, one after the other
    "artifactory_save_clears_negative_cache": False,
    "artifactory_deploy_denied_status": 403,  # 403 or 404 for a caller who may read but not fill the cache
    "artifactory_bad_upstream_credentials": "manifest_unknown",  # or "invalid_credentials": 500 with a text of its own
    "artifactory_oci_token_authentication": "setting",  # or "always": whether oci and helmoci need the setting
    "artifactory_redirected_head": "page",  # or "refused": what a HEAD finds that is redirected to the object store
    "artifactory_mime_mismatch_status": 404,  # 404 or 409 for a web page that is blocked
    "artifactory_proxies_referrers": True,  # whether remotes ask the upstream for referrers, from 7.90.1
}


class Settings:
    """Reads the world's settings, so that a change by the control API counts at once."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    @property
    def version(self) -> tuple[int, ...]:
        return tuple(int(part) for part in self["artifactory_version"].split("."))

    @property
    def server_header(self) -> str:
        """The product, its version and the number that real releases derive from it: 7.12.8 is 71208900."""
        major, minor, patch = self.version[:3]
        return f"Artifactory/{self['artifactory_version']} {major * 10**7 + minor * 10**5 + patch * 10**3 + 900}"
