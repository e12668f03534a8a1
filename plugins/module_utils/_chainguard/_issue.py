# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Issues pull tokens with the API or with chainctl. Private to the collection."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._iam import Iam, Resource
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._jwt import SigningKey
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._pull_tokens import (
    ISSUER,
    PullToken,
    TokenSpec,
    subject_for_key,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._time import format_timestamp
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._token_options import PLAN_LIMITS
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import (
    HTTPStatusError,
    PullThroughError,
    RequestError,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._retry import retry_until, status_in

_AUDIENCE = "https://issuer.enforce.dev"


@dataclasses.dataclass(frozen=True)
class IssuedToken:
    """A new token. The password is stored nowhere else."""

    token: PullToken
    password: str = dataclasses.field(repr=False)


class TokenIssuer(t.Protocol):
    """One method to create a token. Both steps raise PullThroughError."""

    def create(self, ttl: int) -> IssuedToken:
        """Create a token that is valid for ttl seconds. Deletes its identity if it cannot be used."""

    def bind_role(self, token: PullToken) -> None:
        """Ensure that the token is bound to its role."""


def revoke_unused(iam: Iam, uid: str) -> None:
    """Revoke a token that is not in use. If that fails, a later run revokes it, because it carries the marker."""
    with contextlib.suppress(PullThroughError):
        iam.delete_identity(uid)


@contextlib.contextmanager
def revoke_on_error(iam: Iam, uid: str) -> t.Iterator[None]:
    """Revoke a new token if the block raises PullThroughError."""
    try:
        yield
    except PullThroughError:
        revoke_unused(iam, uid)
        raise


class ApiTokenIssuer:
    """Generates the key, and creates the identity and its role binding with the API. Keeps no copy of the key."""

    def __init__(self, iam: Iam, spec: TokenSpec, role: Resource, *, propagation_timeout: float) -> None:
        self._iam = iam
        self._spec = spec
        self._role = role
        self._propagation_timeout = propagation_timeout

    def create(self, ttl: int) -> IssuedToken:
        key = SigningKey()
        now = int(self._iam.server_time())
        subject = subject_for_key(key.modulus)
        password = key.sign({"iss": ISSUER, "sub": subject, "aud": _AUDIENCE, "iat": now, "exp": now + ttl})
        static_keys = {
            "issuer": ISSUER,
            "subject": subject,
            "issuerKeys": key.jwks(),
            "expirationTime": format_timestamp(now + ttl),
        }
        token = PullToken.from_identity(self._create_identity(static_keys))
        if token is None:
            raise PullThroughError("Chainguard created an identity that differs from the request.")
        return IssuedToken(token, password)

    def _create_identity(self, static_keys: Resource) -> Resource:
        spec = self._spec
        identity = {"name": spec.name, "description": spec.description, "staticKeys": static_keys}
        try:
            return self._iam.create_identity(spec.organization, identity)
        except RequestError as exc:
            if isinstance(exc, HTTPStatusError) and exc.status == 400 and "expir" in exc.response_message.lower():
                raise PullThroughError(exc.message, hint=PLAN_LIMITS) from exc
            if not exc.has_unknown_effect:
                raise
            # The subject is unique, so it shows whether the identity was created.
            for existing in self._iam.identities(spec.organization, name=spec.name):
                if (existing.get("staticKeys") or {}).get("subject") == static_keys["subject"]:
                    return existing
            raise

    def bind_role(self, token: PullToken) -> None:
        # The credentials have the capability, so 403 can only mean that the identity is not known everywhere yet.
        retry_until(
            lambda: self._iam.bind(self._spec.organization, token.uid, self._role),
            status_in(403, 404),
            timeout=self._propagation_timeout,
        )


class Chainctl(t.NamedTuple):
    """Chainguard's command line client. options: select the platform. run: returns exit code, output, and errors."""

    program: str
    options: tuple[str, ...]
    run: t.Callable[[list[str]], tuple[int, str, str]]


class ChainctlTokenIssuer:
    """Runs chainctl, which uses its own credentials, and creates the identity and its role binding."""

    def __init__(self, iam: Iam, spec: TokenSpec, chainctl: Chainctl, *, propagation_timeout: float) -> None:
        self._iam = iam
        self._spec = spec
        self._chainctl = chainctl
        self._propagation_timeout = propagation_timeout

    def create(self, ttl: int) -> IssuedToken:
        uid, password = self._run_chainctl(ttl)
        with revoke_on_error(self._iam, uid):
            token = retry_until(lambda: self._read(uid), status_in(404), timeout=self._propagation_timeout)
            if not self._spec.matches(token):
                raise PullThroughError(
                    f"chainctl created the pull token {uid} without the requested name and description, so it was revoked.",
                    hint="The next run could not recognize such a token. Update chainctl, or use the method api.",
                )
        return IssuedToken(token, password)

    def bind_role(self, token: PullToken) -> None:
        """Do nothing: chainctl has bound the role."""

    def _run_chainctl(self, ttl: int) -> tuple[str, str]:
        """Return the UID and the password of a new token."""
        spec = self._spec
        options = {
            "parent": spec.organization,
            "name": spec.name,
            "description": spec.description,
            "ttl": f"{ttl}s",
            "repository": spec.token_type.ecosystem,
            "output": "json",
        }
        arguments = [*(f"--{name}={value}" for name, value in options.items()), *self._chainctl.options]
        code, out, err = self._chainctl.run([self._chainctl.program, "auth", "pull-token", "create", *arguments])
        try:
            response = json.loads(out)
            return str(response["identity_id"]), str(response["token"])
        except (ValueError, KeyError, TypeError):
            # The output may contain a password, so the message does not quote it.
            hint = "Log in with: chainctl auth login. Update chainctl if auth pull-token create does not support --description."
            raise PullThroughError(
                f"chainctl created no pull token (exit code {code}): {err.strip()[:300] or 'its output is not JSON with a token'}",
                hint=PLAN_LIMITS if "ttl" in err.lower() or "expir" in err.lower() else hint,
            ) from None

    def _read(self, uid: str) -> PullToken:
        token = PullToken.from_identity(self._iam.identity(uid))
        if token is None:
            raise HTTPStatusError(
                404,
                "no pull token with this UID",
                method="GET",
                url=f"/iam/v2/identities/{uid}",
                hint="chainctl returned this UID. Check that it uses the same Chainguard platform as these credentials.",
            )
        return token
