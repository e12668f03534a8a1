# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which credentials a login at Chainguard uses, and which are missing or not usable. No I/O. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._claims import decode_claims
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._identity_token import IdentityToken
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError

API_AUDIENCE = "https://console-api.enforce.dev"


def validate_login(params: t.Mapping[str, t.Any], *, has_chainctl: bool) -> None:
    """Raise InputError if the credentials in the options of a module are missing or not usable. Files are not read."""
    if params["chainguard_api_token"]:
        validate_api_token(params["chainguard_api_token"].strip(), "chainguard_api_token")
    elif params["chainguard_identity"]:
        if params["chainguard_identity_token"]:
            token = params["chainguard_identity_token"].strip()
            IdentityToken(token, "chainguard_identity_token", params["chainguard_identity"])
        elif not params["chainguard_identity_token_file"]:
            raise missing_identity_token()
    elif not has_chainctl:
        raise missing_login()


def validate_api_token(token: str, source: str) -> str:
    """Return a token for the API. Raises InputError, which names the source, if it is for something else."""
    audience = decode_claims(token, source).get("aud", [])
    if API_AUDIENCE not in (audience if isinstance(audience, list) else [audience]):
        raise InputError(
            f"{source} is a token for the audience {audience!r}, not {API_AUDIENCE!r}.",
            hint="The password of a pull token is not an API token. Get an API token with: chainctl auth token",
        )
    return token


def missing_identity_token() -> InputError:
    """Return the error of an identity without the token to assume it."""
    return InputError(
        "chainguard_identity needs its OIDC token.",
        hint="Set chainguard_identity_token or chainguard_identity_token_file.",
    )


def missing_login() -> InputError:
    """Return the error of a login without any credentials."""
    return InputError(
        "There are no credentials for Chainguard.",
        hint="Set chainguard_api_token (or CHAINGUARD_API_TOKEN), or chainguard_identity with its OIDC token, or install chainctl and log in with it.",
    )
