# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Remove line breaks from the ends of secrets, where files and shells add them. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError

Params = dict[str, t.Any]

_USERNAMES = ("artifactory_username", "username")


def clean_secrets(module: AnsibleModule) -> None:
    """Change the options of a module: user names and secrets lose line breaks at their ends, tokens all white space there.

    Raises InputError for a token that contains white space.
    """
    _clean(module, module.argument_spec, module.params)


def _clean(module: AnsibleModule, spec: Params, params: Params) -> None:
    for name, option in spec.items():
        value = params.get(name)
        if isinstance(value, str) and (option.get("no_log") or name in _USERNAMES):
            params[name] = _clean_value(module, name, value)
        elif isinstance(value, (dict, list)) and option.get("options"):
            for item in value if isinstance(value, list) else [value]:
                _clean(module, option["options"], item)


def _clean_value(module: AnsibleModule, name: str, value: str) -> str:
    is_token = name.endswith("token")
    cleaned = value.strip() if is_token else value.strip("\r\n")
    if is_token and len(cleaned.split()) > 1:
        raise InputError(
            f"{name} contains white space.", hint="Check whether it was copied completely, and nothing else."
        )
    if cleaned != value:
        if name not in _USERNAMES:
            module.no_log_values.add(cleaned)
        module.warn(f"{name} begins or ends with {'white space' if is_token else 'a line break'}, which is not sent.")
    return cleaned
