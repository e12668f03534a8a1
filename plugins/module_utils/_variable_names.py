# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the options that messages of modules name to the variables of the role pull_through, whose users write no options.

No I/O. Private to the collection.
"""

from __future__ import annotations

import re
import typing as t

# These are options wherever they occur. The variables of the others have the same name with a prefix.
_RENAMED = {
    "client_cert": "pull_through_artifactory_client_cert",
    "client_key": "pull_through_artifactory_client_key",
    "renew_before": "pull_through_token_renew_before",
    "ttl": "pull_through_token_ttl",
    "size_platforms": "pull_through_warm_platforms",
    **{
        name: f"pull_through_warm_{name}"
        for name in (
            "bytes_per_second",
            "changed_within",
            "max_bytes",
            "max_seconds",
            "progress_file",
            "requests_per_second",
            "resume_file",
        )
    },
}
_SAME = (
    "artifactory_url",
    "artifactory_access_token",
    "artifactory_username",
    "artifactory_password",
    "registry_url",
    "token_service_hosts",
    "chainguard_api_url",
    "chainguard_issuer_url",
    "chainguard_libraries_url",
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
_OPTIONS = {**{name: f"pull_through_{name}" for name in _SAME}, **_RENAMED}

# Words of everyday English and of Artifactory are options only in a sentence that sets them, or that they begin.
_WORDS = {
    **{
        name: f"pull_through_{name}" for name in ("organization", "timeout", "depth", "platforms", "chainctl", "revoke")
    },
    "method": "pull_through_token_method",
    "name": "pull_through_permission_name",
    "prefixes": "pull_through_warm_manifest_prefixes",
    "threads": "pull_through_warm_threads",
    **{
        name: f"{name} in {{overrides}}"
        for name in ("url", "settings", "images", "artifacts", "key", "package_type", "upstream_url")
    },
}
# What the role sets itself.
_PHRASES = {
    "the options username and password": "a source with a pull token",
    "Set username and password, or ": "Set ",
    "Choose another key": "Set another key in {overrides}",
    ": this module does not recreate repositories": "",
    "use the method ": "set pull_through_token_method to ",
    "the other method (": "the other pull_through_token_method (",
    "Increase propagation_timeout if Chainguard is slow": "Run this again if Chainguard is slow",
    "Check name, consumer and site": "Check pull_through_site",
    "by its UID, set unmanaged to true": "set pull_through_revoke_unmanaged to true",
    "while upstream_url is ": "while Chainguard serves it at ",
    ", and upstream_url for a more": " for a more",
    "omit upstream_url": "clear the variable pull_through_chainguard_…_url of that host",
    "upstream_username and upstream_password": "the user name and password of the pull token",
    "upstream_username": "the user name of the pull token",
}

_OPTION = re.compile(rf"(?<![\w./-])({'|'.join(sorted(_OPTIONS, key=len, reverse=True))})(?![\w/-]|\.\w)")
_PHRASE = re.compile("|".join(map(re.escape, _PHRASES)))
_WORD = "|".join(sorted(_WORDS, key=len, reverse=True))
_SET_WORD = re.compile(
    rf"\b((?:set|increase|lower|raise|check|change|omit|correct) (?:the option )?)({_WORD})\b(?= to\b|[.,;:]| for\b|$)",
    re.IGNORECASE,
)
_FIRST_WORD = re.compile(rf"((?:^|[.:\n] ?))({_WORD})(?= (?:is|are|has|have|must|contains)\b)")
# Also of lists of results.
_MESSAGES = ("msg", "message", "hint", "cause", "fix", "unknown")


def name_variables(value: t.Any, overrides: str, *, is_message: bool = False) -> t.Any:
    """Return a result of a module whose messages name the variables of the role. overrides: the variable for single fields."""
    if isinstance(value, str):
        return _name_variables(value, overrides) if is_message else value
    if isinstance(value, dict):
        return {name: name_variables(item, overrides, is_message=name in _MESSAGES) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [name_variables(item, overrides, is_message=is_message) for item in value]
    return value


def variables_in(message: str) -> str:
    """Return a message that names options, with the variables of the role instead."""
    return _name_variables(message, "pull_through_source_overrides")


def _name_variables(message: str, overrides: str) -> str:
    message = _PHRASE.sub(lambda match: _PHRASES[match[0]].format(overrides=overrides), message)
    message = _OPTION.sub(lambda match: _OPTIONS[match[1]], message)
    for pattern in (_SET_WORD, _FIRST_WORD):
        message = pattern.sub(
            lambda match: match[1].replace("the option ", "") + _WORDS[match[2]].format(overrides=overrides), message
        )
    return message
