# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The configuration of a repository, as Artifactory returns it. No I/O. Private to the collection."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import PullThroughError

if t.TYPE_CHECKING:
    from ansible_collections.cgr.pull_through.plugins.module_utils._plan import Config

SECRETS = ("password",)
# The settings that every user can read.
PARTIAL = frozenset({"key", "packageType", "description", "rclass", "url", "repositories"})
_CACHE_SUFFIX = " (local file cache)"

ConfigState = t.Literal["not_read", "unreadable", "missing", "read"]


@dataclasses.dataclass(frozen=True)
class RepositoryConfig:
    """The configuration of a repository, if it could be read.

    settings: by Artifactory's names. members: the configurations of those of a virtual repository, by key.
    """

    state: ConfigState = "not_read"
    settings: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)
    members: t.Mapping[str, RepositoryConfig] = dataclasses.field(default_factory=dict)


def is_partial(config: t.Mapping[str, t.Any]) -> bool:
    """Return whether the configuration is only the part that users who are not administrators can read."""
    return set(config) <= PARTIAL


def require_complete(config: Config) -> None:
    """Raise PullThroughError for a partial configuration."""
    if is_partial(config):
        raise PullThroughError(
            f"Artifactory returned only a part of the configuration of {config['key']}, so it cannot be compared.",
            hint="Use the token of an administrator, or for repositories of a project of an administrator of this project.",
        )


def normalize_config(config: Config) -> Config:
    """Return a configuration in the form that is compared and returned.

    Removes the password, which the server returns encrypted, and the suffix that the server appends to the description of a
    remote repository. Renames type, which some APIs return, to rclass.
    """
    normalized = {name: value for name, value in config.items() if name not in SECRETS}
    if "rclass" not in normalized and "type" in normalized:
        normalized["rclass"] = str(normalized["type"]).lower()
    normalized.pop("type", None)
    if str(normalized.get("description") or "").endswith(_CACHE_SUFFIX):
        normalized["description"] = normalized["description"][: -len(_CACHE_SUFFIX)]
    if normalized.get("projectKey") == "default":
        del normalized["projectKey"]
    return normalized
