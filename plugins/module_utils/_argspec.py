# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Option groups that modules share. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import env_fallback

Spec = t.Dict[str, t.Dict[str, t.Any]]


def _from_env(name: str, **option: t.Any) -> dict[str, t.Any]:
    return {"fallback": (env_fallback, [name]), **option}


HTTP_SPEC: Spec = {
    "ca_path": _from_env("PULL_THROUGH_CA_PATH", type="path"),
    "validate_certs": {"type": "bool", "default": True},
    "timeout": {"type": "int", "default": 30},
}

ARTIFACTORY_SPEC: Spec = {
    "artifactory_url": _from_env("ARTIFACTORY_URL", type="str"),
    "artifactory_access_token": _from_env("ARTIFACTORY_ACCESS_TOKEN", type="str", no_log=True),
    "artifactory_username": _from_env("ARTIFACTORY_USERNAME", type="str"),
    "artifactory_password": _from_env("ARTIFACTORY_PASSWORD", type="str", no_log=True),
    "client_cert": _from_env("ARTIFACTORY_CLIENT_CERT", type="path"),
    "client_key": _from_env("ARTIFACTORY_CLIENT_KEY", type="path", no_log=False),
}

CHAINGUARD_SPEC: Spec = {
    "chainguard_api_url": _from_env("CHAINGUARD_API_URL", type="str", default="https://console-api.enforce.dev"),
    "chainguard_issuer_url": _from_env("CHAINGUARD_ISSUER_URL", type="str", default="https://issuer.enforce.dev"),
    "chainguard_api_token": _from_env("CHAINGUARD_API_TOKEN", type="str", no_log=True),
    "chainguard_identity": _from_env("CHAINGUARD_IDENTITY", type="str"),
    "chainguard_identity_token": _from_env("CHAINGUARD_IDENTITY_TOKEN", type="str", no_log=True),
    "chainguard_identity_token_file": _from_env("CHAINGUARD_IDENTITY_TOKEN_FILE", type="path", no_log=False),
    "chainctl": _from_env("CHAINCTL", type="str", default="chainctl"),
}


def bulk_argument_spec(
    spec: Spec, name: str, required: str, *, common: Spec | None = None, **rules: t.Any
) -> dict[str, t.Any]:
    """Return what AnsibleModule needs to take a single thing by the options of spec, or several by a list with that name.

    required: the option that a thing cannot do without. common: options that several share; with one of them, a thing
    of several can have its own. rules: AnsibleModule's own, for each.
    """
    common = common or {}
    each = {**spec, required: {**spec[required], "required": True}}
    return {
        "argument_spec": {**spec, **common, name: {"type": "list", "elements": "dict", "options": each, **rules}},
        "required_one_of": [(required, name)],
        "mutually_exclusive": [
            (option, name) for option in spec if option not in common and spec[option].get("default") is None
        ],
        **rules,
    }
