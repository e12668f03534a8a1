# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that modules share, and the options of modules with a list form. Private to the collection."""

from __future__ import annotations

import os
import typing as t

from ansible.module_utils.common.parameters import AnsibleFallbackNotFound

Spec = dict[str, dict[str, t.Any]]

DEFAULT_API_URL = "https://console-api.enforce.dev"
DEFAULT_ISSUER_URL = "https://issuer.enforce.dev"
_TYPES_WITH_EMPTY = ("str", "path", "list", "dict", "raw", "json", "jsonarg")


def env_fallback(name: str) -> str:
    """Return an environment variable. One that is empty is not set. Raises AnsibleFallbackNotFound."""
    if not os.environ.get(name, "").strip():
        raise AnsibleFallbackNotFound
    return os.environ[name]


def from_env(name: str, **option: t.Any) -> dict[str, t.Any]:
    """Return an option that falls back to an environment variable."""
    return {"fallback": (env_fallback, [name]), **option}


def drop_empty_options(spec: Spec, params: dict[str, t.Any]) -> None:
    """Remove the options that are empty text or null where this cannot mean anything else than that they are not set.

    These are the connection, choices, numbers and booleans. A question of a survey without an answer arrives like this.
    """
    connection = {**HTTP_SPEC, **ARTIFACTORY_SPEC, **CHAINGUARD_SPEC}
    for name, option in spec.items():
        value = params.get(name)
        is_unset_when_empty = name in connection or "fallback" in option or "choices" in option
        if name in params and (value is None or (isinstance(value, str) and not value.strip())):
            if is_unset_when_empty or option.get("type", "str") not in _TYPES_WITH_EMPTY:
                del params[name]
        elif option.get("options") and isinstance(value, (list, dict)):
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, dict):
                    drop_empty_options(option["options"], item)


HTTP_SPEC: Spec = {
    "ca_path": from_env("PULL_THROUGH_CA_PATH", type="path"),
    "validate_certs": {"type": "bool", "default": True},
    "timeout": {"type": "int", "default": 30},
    "allow_plain_http": {"type": "bool", "default": False},
}

ARTIFACTORY_SPEC: Spec = {
    "artifactory_url": from_env("ARTIFACTORY_URL", type="str"),
    "artifactory_access_token": from_env("ARTIFACTORY_ACCESS_TOKEN", type="str", no_log=True),
    "artifactory_username": from_env("ARTIFACTORY_USERNAME", type="str"),
    "artifactory_password": from_env("ARTIFACTORY_PASSWORD", type="str", no_log=True),
    "client_cert": from_env("ARTIFACTORY_CLIENT_CERT", type="path"),
    "client_key": from_env("ARTIFACTORY_CLIENT_KEY", type="path", no_log=False),
}

CHAINGUARD_SPEC: Spec = {
    "chainguard_api_url": from_env("CHAINGUARD_API_URL", type="str", default=DEFAULT_API_URL),
    "chainguard_issuer_url": from_env("CHAINGUARD_ISSUER_URL", type="str", default=DEFAULT_ISSUER_URL),
    "chainguard_api_token": from_env("CHAINGUARD_API_TOKEN", type="str", no_log=True),
    "chainguard_identity": from_env("CHAINGUARD_IDENTITY", type="str"),
    "chainguard_identity_token": from_env("CHAINGUARD_IDENTITY_TOKEN", type="str", no_log=True),
    "chainguard_identity_token_file": from_env("CHAINGUARD_IDENTITY_TOKEN_FILE", type="path", no_log=False),
    "chainctl": from_env("CHAINCTL", type="str", default="chainctl"),
}


def bulk_argument_spec(
    spec: Spec, list_option: str, id_option: str, *, common: Spec | None = None, **rules: t.Any
) -> dict[str, t.Any]:
    """Return the arguments of AnsibleModule for a module that takes one item by the options of spec, or many as a list.

    id_option: the option that identifies an item. common: options that all items of the list share; an option that is in
    spec too is the default of the items. rules: AnsibleModule's own, for the single form and for each item.
    An option of the single form beside the list is an error, even if it has a default: Ansible checks mutually_exclusive
    before it sets the defaults.
    """
    common = common or {}
    item_spec = {**spec, id_option: {**spec[id_option], "required": True}}
    list_spec = {"type": "list", "elements": "dict", "options": item_spec, **rules}
    required = [name for name, option in spec.items() if option.get("required") and name != id_option]
    required_by = {**rules.get("required_by", {}), **({id_option: required} if required else {})}
    exclusive = [(name, list_option) for name in spec if name not in common]
    return {
        **rules,
        **({"required_by": required_by} if required_by else {}),
        "argument_spec": {**_without_required(spec), **common, list_option: list_spec},
        "required_one_of": [(id_option, list_option)],
        "mutually_exclusive": [*rules.get("mutually_exclusive", ()), *exclusive],
    }


def _without_required(spec: Spec) -> Spec:
    return {
        name: {rule: value for rule, value in option.items() if rule != "required"} for name, option in spec.items()
    }
