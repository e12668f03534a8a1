# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Authentication with the Chainguard API. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._identity_token import IdentityToken
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._login import (
    API_AUDIENCE,
    missing_identity_token,
    missing_login,
    validate_api_token,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError, PullThroughError
from ansible_collections.cgr.pull_through.plugins.module_utils._http import Transport
from ansible_collections.cgr.pull_through.plugins.module_utils._json_api import ApiSession, EncodedBody, Response
from ansible_collections.cgr.pull_through.plugins.module_utils._shape import WORD, has_shape
from ansible_collections.cgr.pull_through.plugins.module_utils._text import remember_secret

_ERROR = {"message?": str, "details?": [{"fieldViolations?": [{"field?": str, "description?": str}]}]}
_ROLE_HELP = (
    "Ask an owner of the organization to bind a role with this capability, or to create one: "
    "chainctl iam roles create NAME --parent ORGANIZATION --capabilities CAPABILITY,…"
)


class ChainguardService:
    """Reads the error responses of the Chainguard API."""

    name = "Chainguard"
    url_option = "chainguard_api_url"

    def response_message(self, response: Response) -> str:
        decoded = response.json()
        if not has_shape(decoded, _ERROR):
            return response.text
        violations = [
            f"{violation.get('field')}: {violation.get('description')}"
            for detail in decoded.get("details") or []
            for violation in detail.get("fieldViolations") or []
        ]
        return "; ".join([str(decoded.get("message", "")), *violations])

    def hint(self, response: Response) -> str:
        if response.status == 401:
            return "Chainguard does not accept these credentials. The token may be expired, or issued for another audience."
        if response.status == 403:
            return f"These credentials lack a capability for this request. {_ROLE_HELP}"
        return ""

    def is_retryable(self, response: Response) -> bool:
        return False


class IdentityService(ChainguardService):
    """Reads the error responses to the token for an identity."""

    name = "Chainguard's token service"
    url_option = "chainguard_issuer_url"

    def __init__(self, token: IdentityToken) -> None:
        self._token = token

    def hint(self, response: Response) -> str:
        return self._token.rejection_hint() if response.status in (400, 401, 403, 404) else ""


class Sts:
    """Client of Chainguard's token service, which exchanges a trusted token for a short-lived one."""

    def __init__(self, issuer_url: str, transport: Transport) -> None:
        self._issuer_url = issuer_url
        self._transport = transport

    def exchange(self, token: str, *, audience: str, identity: str, service: ChainguardService | None = None) -> str:
        """Return a token for the audience and the identity, valid for at most an hour. Raises RequestError.

        service: reads the error responses.
        """
        session = ApiSession(
            self._issuer_url,
            service or ChainguardService(),
            transport=self._transport,
            authorization=lambda: f"Bearer {token}",
        )
        # The API gateway ignores parameters in a JSON body.
        form = EncodedBody.form({"aud": audience, "identity": identity})
        response = session.call("POST", "/sts/exchange", body=form, idempotent=True, shape={"token": WORD})
        remember_secret(response["token"])
        return str(response["token"])


class ApiAuthenticator:
    """Gets the token for the API: the given one, one exchanged for the token of an identity, or one from chainctl."""

    def __init__(
        self,
        sts: Sts,
        *,
        api_token: str | None = None,
        identity: str | None = None,
        identity_token: str | None = None,
        identity_token_file: str | None = None,
        chainctl: str | None = None,
        run: t.Callable[[list[str]], tuple[int, str, str]],
    ) -> None:
        self._sts = sts
        self._identity = identity
        self._chainctl = chainctl
        self._run = run
        self._token: str | None = None
        if api_token:
            self._token = validate_api_token(api_token.strip(), "chainguard_api_token")
        elif identity:
            source = f"chainguard_identity_token{'' if identity_token else '_file'}"
            token = _read_identity_token(identity_token, identity_token_file)
            self._identity_token = IdentityToken(token, source, identity)
        elif not chainctl:
            raise missing_login()

    def authorization(self) -> str:
        """Return the value of the Authorization header for the API. The first call gets the token."""
        if self._token is None:
            self._token = self._exchange_token() if self._identity else self._get_token_from_chainctl()
        return f"Bearer {self._token}"

    def _exchange_token(self) -> str:
        token = self._identity_token
        service = IdentityService(token)
        return self._sts.exchange(token.token, audience=API_AUDIENCE, identity=token.identity, service=service)

    def _get_token_from_chainctl(self) -> str:
        code, out, err = self._run([str(self._chainctl), "auth", "token", "--audience", API_AUDIENCE])
        if code != 0:
            raise PullThroughError(
                f"chainctl returned no token: {err.strip()[:300]}", hint="Log in with: chainctl auth login"
            )
        return validate_api_token(out.strip(), "The output of chainctl")


def _read_identity_token(token: str | None, path: str | None) -> str:
    if token:
        return token.strip()
    if not path:
        raise missing_identity_token()
    try:
        with open(path, encoding="utf-8") as file:
            content = file.read().strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise InputError(f"chainguard_identity_token_file cannot be read: {exc}.") from exc
    if not content:
        raise InputError(f"chainguard_identity_token_file is empty: {path}.")
    return content
