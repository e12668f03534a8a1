# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Making pull tokens, with the API or with chainctl. Private to the collection.

A new token logs in once before anyone gets it. What does not work is taken back.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._auth import Sts
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._iam import Iam, Resource
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._jwt import SigningKey
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._pull_tokens import (
    ISSUER,
    PullToken,
    TokenSpec,
    rfc3339,
    subject_for_key,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import (
    HTTPStatusError,
    PullThroughError,
    TransportError,
)

_AUDIENCE = "https://issuer.enforce.dev"
_MAX_BACKOFF = 4.0

Result = t.TypeVar("Result")


@dataclasses.dataclass(frozen=True)
class IssuedToken:
    """A token that was just made. The password exists nowhere else."""

    token: PullToken
    password: str = dataclasses.field(repr=False)


class PropagationRetry:
    """Gives what was just made some seconds: other parts of the platform may not know it at once."""

    def __init__(self, seconds: float, sleep: t.Callable[[float], None] = time.sleep) -> None:
        self.seconds = seconds
        self._sleep = sleep

    def until(self, statuses: t.Collection[int], request: t.Callable[[], Result]) -> Result:
        """Return what the request returns, tried again while it is refused with one of these statuses."""
        end = time.monotonic() + self.seconds
        pause = 0.5
        while True:
            try:
                return request()
            except HTTPStatusError as exc:
                if exc.status not in statuses or time.monotonic() + pause > end:
                    raise
            self._sleep(pause)
            pause = min(pause * 2, _MAX_BACKOFF)


class TokenIssuer(t.Protocol):
    """One way to make a token."""

    def issue_token(self, ttl: int, settling: PropagationRetry) -> IssuedToken:
        """Return a token that is bound to its role, and lives for ttl seconds. Takes back what it cannot finish."""


def issue(
    maker: TokenIssuer, iam: Iam, sts: Sts, purpose: TokenSpec, *, ttl: int, settling: PropagationRetry
) -> IssuedToken:
    """Make a token and log in with it, as the registry does. Raises PullThroughError, and leaves none behind then."""
    made = maker.issue_token(ttl, settling)

    def log_in() -> str:
        return sts.exchange(made.password, audience=purpose.kind.audience, identity=made.token.uid)

    with _revoke_on_error(iam, made.token.uid):
        try:
            # Which status says "not known yet" is not documented.
            settling.until((400, 401, 403, 404), log_in)
        except HTTPStatusError as exc:
            raise PullThroughError(
                f"The new pull token could not log in within {settling.seconds:.0f} seconds, so it was taken back. {exc.message}",
                hint="Raise propagation_timeout if Chainguard is slow. Else its platform refuses such a token, and the other method (api or chainctl) may do.",
            ) from exc
    return made


def revoke_unused(iam: Iam, uid: str) -> None:
    """Revoke a token that nobody got. A failure is left to the next run, which finds the token by its marker."""
    with contextlib.suppress(PullThroughError):
        iam.delete_identity(uid)


@contextlib.contextmanager
def _revoke_on_error(iam: Iam, uid: str) -> t.Iterator[None]:
    try:
        yield
    except PullThroughError:
        revoke_unused(iam, uid)
        raise


class ApiTokenIssuer:
    """Makes the key here, and the identity and its role binding over the API. The key is forgotten at once."""

    def __init__(self, iam: Iam, purpose: TokenSpec, role: Resource) -> None:
        self._iam = iam
        self._purpose = purpose
        self._role = role

    def issue_token(self, ttl: int, settling: PropagationRetry) -> IssuedToken:
        key = SigningKey()
        issued = int(self._iam.now())
        subject = subject_for_key(key.modulus)
        password = key.sign({"iss": ISSUER, "sub": subject, "aud": _AUDIENCE, "iat": issued, "exp": issued + ttl})
        keys = {"issuer": ISSUER, "subject": subject, "issuerKeys": key.jwks(), "expirationTime": rfc3339(issued + ttl)}
        token = self._create(keys)
        with _revoke_on_error(self._iam, token.uid):
            # The identity may not be known everywhere yet. That the login may bind was looked at before.
            settling.until((403, 404), lambda: self._bind(token.uid))
        return IssuedToken(token, password)

    def _create(self, keys: Resource) -> PullToken:
        purpose = self._purpose
        identity = {"name": purpose.name, "description": purpose.description, "staticKeys": keys}
        try:
            created: Resource | None = self._iam.create_identity(purpose.organization, identity)
        except (HTTPStatusError, TransportError) as exc:
            if isinstance(exc, HTTPStatusError) and exc.status < 500:
                raise
            # It may have been made all the same. Its subject is ours alone, so it can be found, and used.
            made = self._iam.identities(purpose.organization, name=purpose.name)
            created = next((one for one in made if _subject(one) == keys["subject"]), None)
            if created is None:
                raise
        token = PullToken.of(created)
        if token is None:
            raise PullThroughError("Chainguard created an identity that is not what was sent.")
        return token

    def _bind(self, uid: str) -> None:
        organization = self._purpose.organization
        try:
            self._iam.bind(organization, uid, self._role["uid"])
        except (HTTPStatusError, TransportError) as exc:
            unsure = isinstance(exc, TransportError) or exc.status >= 500
            if not unsure or not self._iam.is_bound(organization, uid, self._role["name"]):
                raise


def _subject(identity: Resource) -> str:
    return str((identity.get("staticKeys") or {}).get("subject"))


@dataclasses.dataclass(frozen=True)
class Chainctl:
    """The vendor's own program: its path, the options that say which platform, and how it is run: exit code, output, errors."""

    program: str
    options: tuple[str, ...]
    run: t.Callable[[list[str]], tuple[int, str, str]]


class ChainctlTokenIssuer:
    """Has chainctl make the token. It logs in by itself, and prints the token on its standard output."""

    def __init__(self, iam: Iam, purpose: TokenSpec, chainctl: Chainctl) -> None:
        self._iam = iam
        self._purpose = purpose
        self._chainctl = chainctl

    def issue_token(self, ttl: int, settling: PropagationRetry) -> IssuedToken:
        uid, password = self._create(ttl)
        with _revoke_on_error(self._iam, uid):
            token = settling.until((404,), lambda: self._look(uid))
            if not self._purpose.matches(token):
                raise PullThroughError(
                    f"chainctl made the pull token {uid} without the name and the description that it was given, so it was taken back.",
                    hint="Without them, the next run could not know it as its own. Update chainctl, or use the method api.",
                )
        return IssuedToken(token, password)

    def _create(self, ttl: int) -> tuple[str, str]:
        purpose = self._purpose
        wanted = {
            "parent": purpose.organization,
            "name": purpose.name,
            "description": purpose.description,
            "ttl": f"{ttl}s",
            "repository": purpose.kind.repository,
            "output": "json",
        }
        options = [f"--{name}={value}" for name, value in wanted.items()]
        command = [self._chainctl.program, "auth", "pull-token", "create", *options, *self._chainctl.options]
        code, out, err = self._chainctl.run(command)
        try:
            made = json.loads(out)
            return str(made["identity_id"]), str(made["token"])
        except (ValueError, KeyError, TypeError):
            # What it printed can be a token, so it is not shown.
            raise PullThroughError(
                f"chainctl made no pull token (exit code {code}): {err.strip()[:300] or 'it printed no JSON with a token'}",
                hint="It has to be logged in (chainctl auth login), and so new that auth pull-token create knows --description.",
            ) from None

    def _look(self, uid: str) -> PullToken:
        token = PullToken.of(self._iam.identity(uid))
        if token is None:
            raise HTTPStatusError(
                404,
                "no pull token with this UID",
                method="GET",
                url=f"/iam/v2/identities/{uid}",
                hint="chainctl told this UID. Does it work with the same platform as this login?",
            )
        return token
