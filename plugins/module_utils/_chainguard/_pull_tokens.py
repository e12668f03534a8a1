# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pull tokens: what one is, which one may stay, how one is made and taken back. Private to the collection.

A pull token is an identity with a static key, directly under the organisation, and one role binding. Its user name is
the identity's UID, its password a token that was signed with the key. The key is forgotten at once.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import re
import secrets
import time
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._iam import Iam, Resource, is_identity_uid
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._jwt import SigningKey
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._login import Sts
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import (
    InputError,
    PullThroughError,
    Refused,
    Unanswered,
)

ISSUER = "https://pulltoken.issuer.chainguard.dev"
LONGEST_TTL = 8760 * 3600

_AUDIENCE = "https://issuer.enforce.dev"
_MARK = "Managed by cgr.pull_through"
_NAME = re.compile(r"[a-z0-9 ._-]{3,63}")
_MARKER = re.compile(r"[\S ]{0,512}")
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?Z")
_DAY = 86400.0
# A token that is younger, and newer than the one in use, may belong to a run that is about to use it.
_UNFINISHED = 900.0


@dataclasses.dataclass(frozen=True)
class Kind:
    """What a token is for: the role that it is bound to, and the audience that its user asks the token service for."""

    role: str
    audience: str


KINDS = {
    "oci": Kind("registry.pull", "cgr.dev"),
    "apk": Kind("apk.pull", "apk.cgr.dev"),
    **{
        ecosystem: Kind(f"libraries.{ecosystem}.pull", "libraries.cgr.dev")
        for ecosystem in ("java", "python", "javascript", "dotnet", "go")
    },
}


def seconds(text: str, option: str) -> int:
    """Return a duration such as 720h, 30d or 1h30m in seconds, or raise InputError."""
    found = _DURATION.fullmatch(text.strip())
    if not found or not any(found.groups()):
        raise InputError(f"{option} is not a duration: {text!r}.", hint="Write it like 720h, 30d, 90m or 1d12h.")
    days, hours, minutes, rest = (int(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest


def token_life(ttl: str, renew_before: str | None) -> tuple[int, int]:
    """Return how long a token lives, and what is left of that when it is renewed, in seconds; or raise InputError."""
    life = seconds(ttl, "ttl")
    if not 0 < life <= LONGEST_TTL:
        raise InputError(f"ttl must be more than 0 and at most {LONGEST_TTL // 3600}h, not {ttl!r}.")
    early = seconds(renew_before, "renew_before") if renew_before else life // 2
    if early >= life:
        raise InputError(
            f"renew_before ({renew_before}) must be less than ttl ({ttl}): else each run makes a new token."
        )
    return life, early


def checked_name(name: str) -> str:
    """Return the name of a token, or raise InputError."""
    if not _NAME.fullmatch(name):
        raise InputError(
            f"name is not valid: {name!r}.", hint="Use 3 to 63 of a-z, 0-9, space, dot, underscore and dash."
        )
    return name


def marker(used_by: str | None) -> str:
    """Return the description that says: this collection made it, for this place."""
    text = f"{_MARK} for {used_by}" if used_by else _MARK
    if not _MARKER.fullmatch(text):
        raise InputError("used_by is too long or holds control characters.", hint="Up to 480 characters, in one line.")
    return text


@dataclasses.dataclass(frozen=True)
class PullToken:
    """A pull token as the API shows it. created, expires: epoch seconds."""

    uid: str
    name: str
    description: str
    created: float
    expires: float

    @classmethod
    def of(cls, identity: Resource | None) -> PullToken | None:
        """Return the identity as a pull token; None when it is none."""
        keys = (identity or {}).get("staticKeys") or {}
        if identity is None or keys.get("issuer") != ISSUER:
            return None
        # An identity without an expiry is not one that anybody's pull token is made of; count it as ended.
        expires = timestamp(keys.get("expirationTime"))
        created = timestamp(identity.get("createTime"))
        return cls(identity["uid"], identity["name"], identity.get("description") or "", created, expires)

    @property
    def ours(self) -> bool:
        return self.description.startswith(_MARK)

    @property
    def used_by(self) -> str:
        """The place that the token was made for; empty when it does not say."""
        return self.description.removeprefix(_MARK).removeprefix(" for ") if self.ours else ""

    def shown(self, now: float) -> dict[str, t.Any]:
        """Return the token as a module's result shows it."""
        return {
            "uid": self.uid,
            "name": self.name,
            "ours": self.ours,
            "used_by": self.used_by,
            "expires": rfc3339(self.expires),
            "days_left": round((self.expires - now) / _DAY, 1),
        }


def timestamp(text: str | None) -> float:
    """Return an RFC 3339 time as epoch seconds; 0 for none."""
    if not text:
        return 0.0
    found = _TIME.fullmatch(text)
    if not found:
        raise PullThroughError(f"Chainguard gave a time that cannot be read: {text!r}.")
    # The fraction has up to nine digits, more than Python's parser takes.
    return datetime.datetime.fromisoformat(f"{found[1]}+00:00").timestamp() + float(found[2] or 0)


def rfc3339(epoch: float) -> str:
    """Return epoch seconds as an RFC 3339 time in UTC."""
    return datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What to think of the present token, None when there is none.

    live: whether it works now. fits: whether it also lives long enough to stay. reason: why, or why not.
    """

    current: PullToken | None
    live: bool
    fits: bool
    reason: str

    @property
    def keep(self) -> PullToken | None:
        """The token that may stay."""
        return self.current if self.fits else None


def _why_none(in_use: list[str] | None) -> str:
    if in_use is None:
        return "there is none"
    if any(map(is_identity_uid, in_use)):
        return "the one in use is gone: it was revoked, or is of another organisation"
    return "none is in use"


@dataclasses.dataclass(frozen=True)
class Minted:
    """A token that was just made. The password exists nowhere else."""

    token: PullToken
    password: str = dataclasses.field(repr=False)


class PullTokens:
    """The pull tokens of one organisation, of one kind, with one name and marker."""

    def __init__(
        self,
        iam: Iam,
        sts: Sts,
        *,
        organization: str,
        kind: str,
        name: str,
        description: str,
        sleep: t.Callable[[float], None] = time.sleep,
    ) -> None:
        self._iam = iam
        self._sts = sts
        self._organization = organization
        self._kind = KINDS[kind]
        self._name = name
        self._description = description
        self._sleep = sleep

    def ours(self) -> list[PullToken]:
        """Return the tokens that carry our name and marker, the longest living first."""
        found = (PullToken.of(one) for one in self._iam.identities(self._organization, name=self._name))
        mine = [token for token in found if token is not None and token.description == self._description]
        return sorted(mine, key=lambda token: -token.expires)

    def judge(self, mine: list[PullToken], in_use: list[str] | None, renew_before: float) -> Verdict:
        """Return the token that may stay: live, bound to its role, and with more than renew_before seconds left.

        mine: what ours() returned. in_use: UIDs that are known to be in use. A password that nobody stored is lost, so
        with in_use no other token counts; a token in use may also be one that somebody else made.
        """
        candidates = mine if in_use is None else self._in_use(mine, in_use)
        if not candidates:
            return Verdict(None, False, False, _why_none(in_use))
        best = candidates[0]
        left = best.expires - self._iam.now()
        if left <= 0:
            return Verdict(best, False, False, f"the last one expired on {rfc3339(best.expires)}")
        if not self._bound(best):
            return Verdict(best, False, False, f"{best.uid} is not bound to the role {self._kind.role}")
        days = f"{left / _DAY:.1f} days are left"
        if left <= renew_before:
            return Verdict(best, True, False, f"{days}, and it is renewed at {renew_before / _DAY:.1f}")
        return Verdict(best, True, True, days)

    def _in_use(self, mine: list[PullToken], uids: list[str]) -> list[PullToken]:
        known = {token.uid: token for token in mine}
        here = [uid for uid in uids if is_identity_uid(uid) and uid.startswith(f"{self._organization}/")]
        found = (known.get(uid) or PullToken.of(self._iam.identity(uid)) for uid in here)
        return sorted((token for token in found if token is not None), key=lambda token: -token.expires)

    def _bound(self, token: PullToken) -> bool:
        bindings = self._iam.bindings(self._organization, identity=token.uid)
        return any(
            (binding.get("identity") or {}).get("uid") == token.uid
            and (binding.get("role") or {}).get("name") == self._kind.role
            for binding in bindings
        )

    def mint(self, ttl: int, settle: float) -> Minted:
        """Make a token, bind its role and log in with it; take it back when one of these fails.

        ttl: seconds. settle: seconds that a new identity may need until the token service knows it.
        """
        role = self._iam.managed_role(self._kind.role)
        key = SigningKey()
        issued = int(self._iam.now())
        subject = f"pull-token-{secrets.token_hex(20)}"
        password = key.sign({"iss": ISSUER, "sub": subject, "aud": _AUDIENCE, "iat": issued, "exp": issued + ttl})
        keys = {"issuer": ISSUER, "subject": subject, "issuerKeys": key.jwks(), "expirationTime": rfc3339(issued + ttl)}
        token = self._create({"name": self._name, "description": self._description, "staticKeys": keys}, subject)
        try:
            self._bind(token, role["uid"])
            self._prove(token, password, settle)
        except PullThroughError:
            self.take_back(token)
            raise
        return Minted(token, password)

    def _create(self, identity: Resource, subject: str) -> PullToken:
        try:
            created: Resource | None = self._iam.create_identity(self._organization, identity)
        except (Refused, Unanswered) as exc:
            if isinstance(exc, Refused) and exc.status < 500:
                raise
            # It may have been made all the same. Its subject is ours alone, so it can be found, and used.
            made = self._iam.identities(self._organization, name=self._name)
            created = next((one for one in made if (one.get("staticKeys") or {}).get("subject") == subject), None)
            if created is None:
                raise
        token = PullToken.of(created)
        if token is None:
            raise PullThroughError("Chainguard created an identity that is not what was sent.")
        return token

    def _bind(self, token: PullToken, role: str) -> None:
        try:
            self._iam.bind(self._organization, token.uid, role)
        except (Refused, Unanswered) as exc:
            if (isinstance(exc, Refused) and exc.status < 500) or not self._bound(token):
                raise

    def _prove(self, token: PullToken, password: str, settle: float) -> None:
        """Log in as the registry does. The token service may not know a new identity for some seconds."""
        end = time.monotonic() + settle
        pause = 0.5
        while True:
            try:
                self._sts.exchange(password, audience=self._kind.audience, identity=token.uid)
                return
            except Refused as exc:
                if time.monotonic() + pause > end:
                    raise PullThroughError(
                        f"The new pull token could not log in within {settle:.0f} seconds, so it was taken back. {exc.message}",
                        hint="Raise settle if Chainguard is slow; else its platform refuses this kind of token.",
                    ) from exc
            self._sleep(pause)
            pause = min(pause * 2, 4.0)

    def superseded(self, mine: list[PullToken], current: PullToken | None) -> list[str]:
        """Return the UIDs of those of mine that current replaces; None stands for a token that is about to be made.

        Older ones, and newer ones that nobody came back for. A newer one may be another run's, which is about to use it.
        """
        now = self._iam.now()
        return [
            token.uid
            for token in mine
            if current is None
            or (token.uid != current.uid and (token.created < current.created or now - token.created > _UNFINISHED))
        ]

    def overtaken(self, token: PullToken) -> bool:
        """Return whether another run made a token after this one."""
        return any(other.created > token.created for other in self.ours())

    def take_back(self, token: PullToken) -> None:
        """Revoke a token that nobody got. A failure is left to the next run, which finds the token by its marker."""
        with contextlib.suppress(PullThroughError):
            self._iam.delete_identity(token.uid)

    def to_revoke(self, identities: list[str] | None, keep: t.Collection[str]) -> list[PullToken]:
        """Return our tokens, all or those with these UIDs, except those to keep.

        Raises InputError for one that is not ours to revoke. One that is gone is left out.
        """
        if identities is None:
            return [token for token in self.ours() if token.uid not in keep]
        found = (self._one_of_ours(uid) for uid in dict.fromkeys(identities) if uid not in keep)
        return [token for token in found if token is not None]

    def _one_of_ours(self, uid: str) -> PullToken | None:
        token = PullToken.of(self._iam.identity(uid)) if is_identity_uid(uid) else None
        if token is not None and token.description != self._description:
            raise InputError(
                f"The identity {uid} does not carry the marker {self._description!r}, so it is not revoked.",
                hint="Only tokens that this collection made for this place are; remove others with chainctl iam identities delete.",
            )
        return token
