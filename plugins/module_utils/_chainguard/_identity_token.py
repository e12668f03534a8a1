# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The OIDC token for assuming an identity: what it says, and why Chainguard rejects it. Private to the collection."""

from __future__ import annotations

import contextlib
import time
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._claims import decode_claims
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._time import format_timestamp
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError

_MAX_CLAIM = 120
_CLOCK_SKEW = 60
_GITHUB_ISSUER = "https://token.actions.githubusercontent.com"
_GITHUB_SUBJECTS = (
    "For repositories created after July 15, 2026, GitHub puts ids into the subject (repo:OWNER@ID/NAME@ID:…), "
    "so an identity for repo:OWNER/NAME:… does not match."
)


class IdentityToken:
    """A token and its claims, without which it is sent all the same. Raises InputError if it has expired."""

    def __init__(self, token: str, source: str, identity: str) -> None:
        self.token = token
        self.identity = identity
        self._claims: dict[str, t.Any] = {}
        with contextlib.suppress(InputError):
            self._claims = decode_claims(token, source)
        expiry = self._expiry()
        if expiry is not None and expiry < time.time() - _CLOCK_SKEW:
            raise InputError(
                f"{source} expired at {format_timestamp(expiry)}.",
                hint=(
                    "Get a new token right before the run. If it is kept in a file, name that in chainguard_identity_token_file, which is read again."
                    if source == "chainguard_identity_token"
                    else "Check whether what writes this file still does."
                ),
            )

    def _expiry(self) -> float | None:
        expiry = self._claims.get("exp")
        is_time = isinstance(expiry, (int, float)) and not isinstance(expiry, bool) and 0 <= expiry < 1 << 34
        return float(t.cast("float", expiry)) if is_time else None

    def rejection_hint(self) -> str:
        """Return what the identity has to expect so that Chainguard accepts the token. Never contains the signature."""
        audience = self._claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        expiry = self._expiry()
        texts = {
            "issuer": self._claims.get("iss"),
            "subject": self._claims.get("sub"),
            "audience": ", ".join(map(str, audiences)) if audience else None,
            "expiry": None if expiry is None else format_timestamp(expiry),
        }
        claims = ", ".join(f"{name} {str(value)[:_MAX_CLAIM]}" for name, value in texts.items() if value)
        hint = (
            f"The token has {claims or 'no claims that can be read'}. Compare this with what the identity {self.identity} "
            "expects, whose audience is issuer.enforce.dev by default. A person reads it with: chainctl iam identities list "
            f"--parent {self.identity.partition('/')[0]} --output json."
        )
        return f"{hint} {_GITHUB_SUBJECTS}" if self._claims.get("iss") == _GITHUB_ISSUER else hint
