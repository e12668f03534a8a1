# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Remove line breaks from the ends of secrets, where files and shells add them. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError

Params = dict[str, t.Any]

# Words of results that the role and playbooks compare with.
_RESULT_WORDS = (
    *("local", "remote", "virtual", "federated"),
    *("alpine", "docker", "generic", "go", "helm", "helmoci", "maven", "npm", "nuget", "oci", "pypi"),
    *("pulled", "failed", "skipped", "present", "absent"),
)
_MIN_DIGITS = 8
# They are not in results.
_LOGIN_OPTIONS = ("artifactory_username", "username", "upstream_username", "chainctl", "client_cert", "client_key")
_USERNAMES = ("artifactory_username", "username")


def clean_secrets(module: AnsibleModule) -> None:
    """Change the options of a module: user names and secrets lose line breaks at their ends, tokens all white space there.

    Raises InputError for a token that contains white space.
    """
    _clean(module, module.argument_spec, module.params)


def validate_visible_results(module: AnsibleModule) -> None:
    """Raise InputError if a secret is part of what a result names. Ansible hides it there, and a run cannot see its results.

    The message does not tell what contains the secret.
    """
    texts = [*_RESULT_WORDS, *_visible_texts(module.argument_spec, module.params)]
    for name, secret in _secret_options(module.argument_spec, module.params):
        is_number = secret.isdigit() and len(secret) < _MIN_DIGITS
        if is_number or any(secret in text for text in texts):
            raise InputError(
                f"{name} is also a part of a key, a URL, a type or a number, which Ansible would hide in all results.",
                hint="Use a longer secret, which occurs nowhere else.",
            )


def _secret_options(spec: Params, params: Params) -> t.Iterator[tuple[str, str]]:
    """Yield name and value of each secret that is set."""
    for name, option, value in _options(spec, params):
        if option.get("no_log") and isinstance(value, str) and value:
            yield name, value


def _visible_texts(spec: Params, params: Params) -> t.Iterator[str]:
    for name, option, value in _options(spec, params):
        if not option.get("no_log") and name not in _LOGIN_OPTIONS:
            values = value if isinstance(value, list) else [value]
            yield from (text for text in values if isinstance(text, str))


def _options(spec: Params, params: Params) -> t.Iterator[tuple[str, Params, t.Any]]:
    """Yield name, specification and value of each option, and of the options of its items."""
    for name, option in spec.items():
        value = params.get(name)
        yield name, option, value
        if isinstance(value, (dict, list)) and option.get("options"):
            for item in value if isinstance(value, list) else [value]:
                yield from _options(option["options"], item)


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
