# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Collects the configurations of repositories. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repositories import (
    RepositoriesApi,
    RepositoryConfig,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import PullThroughError


def read_configs(api: RepositoriesApi, keys: t.Iterable[str]) -> dict[str, RepositoryConfig]:
    """Return the configuration of each repository by key, with one request for an administrator."""
    try:
        all_settings = api.list_proxied() or {}
    except PullThroughError:
        all_settings = {}  # other users may read single configurations only
    return {key: _read(api, key, all_settings.get(key)) for key in dict.fromkeys(keys)}


def _read(api: RepositoriesApi, key: str, settings: t.Mapping[str, t.Any] | None) -> RepositoryConfig:
    try:
        settings = settings or api.get(key)
    except PullThroughError:
        return RepositoryConfig("unreadable")
    return RepositoryConfig("missing") if settings is None else RepositoryConfig("read", settings)
