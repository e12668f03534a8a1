# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find users and groups of a permission that do not exist. Private to the collection."""

from __future__ import annotations

import typing as t
from urllib.parse import quote

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import HTTPStatusError
from ansible_collections.cgr.pull_through.plugins.module_utils._json_api import ApiSession, is_not_found
from ansible_collections.cgr.pull_through.plugins.module_utils._plan import Config

# The user of requests without credentials always exists.
_ANONYMOUS = "anonymous"


def missing_grantees(session: ApiSession, path: str, before: Config, desired: Config) -> list[str]:
    """Return the users and groups that do not exist, such as "user ci". Names that were granted before are not checked.

    path: of the API that has users and groups. Empty if the user may not read them, or the server has no such API.
    """
    missing: list[str] = []
    for kind in ("users", "groups"):
        names = sorted(desired.get(kind, {}).keys() - before.get(kind, {}).keys() - {_ANONYMOUS})
        try:
            absent = [name for name in names if not _exists(session, f"{path}/{kind}/{quote(name, safe='')}")]
            # An API that the server does not have is also not found.
            if absent and _exists(session, f"{path}/{kind}", limit="1"):
                missing += [f"{kind[:-1]} {name}" for name in absent]
        except HTTPStatusError:
            continue
    return missing


def _exists(session: ApiSession, path: str, **query: t.Any) -> bool:
    return session.call("GET", path, query=query, absent=is_not_found) is not None
