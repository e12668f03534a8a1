# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the options of modules, which users of the role pull_through do not write, to its variables. No I/O."""

from __future__ import annotations

import re

_VARIABLES = {
    "client_cert": "pull_through_artifactory_client_cert",
    "client_key": "pull_through_artifactory_client_key",
    "renew_before": "pull_through_token_renew_before",
    "ttl": "pull_through_token_ttl",
    **{
        name: f"pull_through_{name}"
        for name in (
            "artifactory_url",
            "artifactory_access_token",
            "artifactory_username",
            "artifactory_password",
            "registry_url",
            "chainguard_api_url",
            "chainguard_issuer_url",
            "chainguard_api_token",
            "chainguard_identity",
            "chainguard_identity_token",
            "chainguard_identity_token_file",
            "ca_path",
            "validate_certs",
            "allow_plain_http",
            "force_rotation",
            "run_interval",
            "grace_period",
        )
    },
}
# Words of everyday English are options only where a sentence sets them.
_SET = {name: f"pull_through_{name}" for name in ("organization", "timeout", "depth", "platforms")}
_OPTION = re.compile(rf"(?<![\w./-])({'|'.join(sorted(_VARIABLES, key=len, reverse=True))})(?![\w/-]|\.\w)")
_SET_OPTION = re.compile(rf"\b([Ss]et|[Ii]ncrease|[Cc]heck|[Cc]hange) ({'|'.join(_SET)})\b(?= to\b|[.,]|$)")


def role_names(message: str) -> str:
    """Return a message of a module with the variables of the role instead of the options of the module."""
    message = _OPTION.sub(lambda match: _VARIABLES[match[1]], message)
    return _SET_OPTION.sub(lambda match: f"{match[1]} {_SET[match[2]]}", message)
