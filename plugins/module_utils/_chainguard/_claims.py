# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The claims of JSON Web Tokens. Without libraries, since filters import it too. Private to the collection."""

from __future__ import annotations

import base64
import json
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError


def decode_claims(token: str, source: str) -> dict[str, t.Any]:
    """Return the claims of a token. Does not verify the signature. Raises InputError, which names the source."""
    try:
        payload = token.split(".")[1]
        decoded = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError):
        decoded = None
    if not isinstance(decoded, dict):
        raise InputError(
            f"{source} is not a JSON Web Token.", hint="Check that you copied the whole token, and nothing else."
        )
    return decoded
