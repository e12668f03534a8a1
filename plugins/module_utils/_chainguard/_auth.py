# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ways to log in to the Chainguard API. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._jwt import decode_claims
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError, PullThroughError
from ansible_collections.cgr.pull_through.plugins.module_utils._http import Transport
from ansible_collections.cgr.pull_through.plugins.module_utils._json_api import ApiSession, EncodedBody, Response

API_AUDIENCE = "https://console-api.enforce.dev"
_ROLE_HELP = (
    "Let someone who owns the organization bind a role that holds it, or make one: "
    "chainctl iam roles create NAME --parent ORGANIZATION --capabilities CAPABILITY,…"
)


class ChainguardService:
    """How the Chainguard API words its errors, and what they usually mean."""

    name = "Chainguard"

    def response_message(self, reply: Response) -> str:
        decoded = reply.json()
        if not isinstance(decoded, dict):
            return reply.text
        violations = [
            f"{violation.get('field')}: {violation.get('description')}"
            for detail in decoded.get("details") or []
            for violation in detail.get("fieldViolations") or []
        ]
        return "; ".join([str(decoded.get("message", "")), *violations])

    def hint(self, reply: Response) -> str:
        if reply.status == 401:
            return "Chainguard does not accept this login: the token may be expired, or made for another audience."
        if reply.status == 403:
            return f"This login lacks a capability for that. {_ROLE_HELP}"
        return ""

    def is_retryable(self, reply: Response) -> bool:
        return False


class Sts:
    """Chainguard's token service: it takes a token that it trusts and gives a short-lived one for an audience."""

    def __init__(self, issuer_url: str, transport: Transport) -> None:
        self._issuer_url = issuer_url
        self._transport = transport

    def exchange(self, token: str, *, audience: str, identity: str) -> str:
        """Return a token (valid for at most an hour) for the audience, as the identity. Raises Refused, Unanswered."""
        session = ApiSession(
            self._issuer_url, ChainguardService(), transport=self._transport, authorization=lambda: f"Bearer {token}"
        )
        # As a form: the gateway ignores parameters in a JSON body. Nothing is created, so it can be sent twice.
        reply = session.call(
            "POST", "/sts/exchange", body=EncodedBody.form({"aud": audience, "identity": identity}), idempotent=True
        )
        return str(reply["token"])


class ApiAuthenticator:
    """Where the token for the API comes from: given, exchanged for an identity's token, or from chainctl."""

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
            self._token = _checked_api_token(api_token.strip(), "chainguard_api_token")
        elif identity:
            self._identity_token = _identity_token(identity_token, identity_token_file)
        elif not chainctl:
            raise InputError(
                "There is no login for Chainguard.",
                hint="Set chainguard_api_token (or CHAINGUARD_API_TOKEN), or chainguard_identity with its OIDC token, or install chainctl and log in with it.",
            )

    def authorization(self) -> str:
        """Return the value of the Authorization header for the API. Logs in on the first call."""
        if self._token is None:
            self._token = self._exchanged() if self._identity else self._from_chainctl()
        return f"Bearer {self._token}"

    def _exchanged(self) -> str:
        return self._sts.exchange(self._identity_token, audience=API_AUDIENCE, identity=str(self._identity))

    def _from_chainctl(self) -> str:
        code, out, err = self._run([str(self._chainctl), "auth", "token", "--audience", API_AUDIENCE])
        if code != 0:
            raise PullThroughError(
                f"chainctl gave no token: {err.strip()[:300]}", hint="Log in with: chainctl auth login"
            )
        return _checked_api_token(out.strip(), "What chainctl printed")


def _checked_api_token(token: str, what: str) -> str:
    audience = decode_claims(token, what).get("aud", [])
    if API_AUDIENCE not in (audience if isinstance(audience, list) else [audience]):
        raise InputError(
            f"{what} is made for the audience {audience!r}, not {API_AUDIENCE!r}.",
            hint="A pull token's password is no API token. Get one with: chainctl auth token",
        )
    return token


def _identity_token(given: str | None, path: str | None) -> str:
    if given:
        return given.strip()
    if not path:
        raise InputError(
            "chainguard_identity needs its OIDC token.",
            hint="Set chainguard_identity_token or chainguard_identity_token_file.",
        )
    try:
        with open(path, encoding="utf-8") as file:
            found = file.read().strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise InputError(f"chainguard_identity_token_file cannot be read: {exc}.") from exc
    if not found:
        raise InputError(f"chainguard_identity_token_file is empty: {path}.")
    return found
