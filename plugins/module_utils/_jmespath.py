# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""JMESPath queries of the info modules. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError

try:
    import jmespath
    import jmespath.exceptions

    JMESPATH_MISSING: str | None = None
except ImportError as exc:
    JMESPATH_MISSING = str(exc)


def compile_query(expression: str) -> t.Callable[[t.Any], t.Any]:
    """Return a function that applies the expression to data. Both raise InputError."""
    try:
        parsed = jmespath.compile(expression)
    except jmespath.exceptions.JMESPathError as exc:
        raise InputError(f"query is not a JMESPath expression: {exc}") from exc

    def search(data: t.Any) -> t.Any:
        try:
            return parsed.search(data)
        except jmespath.exceptions.JMESPathError as exc:
            raise InputError(f"query cannot be applied to the result: {exc}") from exc

    return search
