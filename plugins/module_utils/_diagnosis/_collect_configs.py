# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Collects the configurations of repositories. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repositories import RepositoriesApi
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repository_config import RepositoryConfig
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import PullThroughError


def read_configs(api: RepositoriesApi, keys: t.Iterable[str]) -> dict[str, RepositoryConfig]:
    """Return the configuration of each repository by key, with one request for an administrator."""
    try:
        all_settings = api.list_proxied() or {}
    except PullThroughError:
        all_settings = {}  # other users may read single configurations only
    return {
        key: RepositoryConfig("read", all_settings[key]) if key in all_settings else api.read(key)
        for key in dict.fromkeys(keys)
    }
