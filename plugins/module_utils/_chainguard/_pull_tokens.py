# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pull tokens: what one is, which one may stay, which ones can go. Private to the collection.

A pull token is an identity with a static key, directly under the organization, and one role binding. Its user name is
the identity's UID, its password a token that was signed with the key.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
import re
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._iam import Resource, is_identity_uid
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._snapshot import OrganizationSnapshot
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError, PullThroughError

ISSUER = "https://pulltoken.issuer.chainguard.dev"
LONGEST_TTL = 8760 * 3600

_SUBJECT = "ansible-pull-token-"
_MARK = "Managed by cgr.pull_through"
_NAME = re.compile(r"[a-z0-9 ._-]{3,63}")
_MARKER = re.compile(r"[\S ]{0,512}")
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?Z")
_DAY = 86400.0
# A token that is younger, and not in use, may belong to a run that is about to use it.
_CONCURRENT_RUN_WINDOW = 900.0


@dataclasses.dataclass(frozen=True)
class TokenType:
    """What a token is for: the repository type in the words of chainctl, the role that it is bound to, and the audience
    that its user asks the token service for."""

    repository: str
    role: str
    audience: str


TOKEN_TYPES = {
    kind.repository: kind
    for kind in (
        TokenType("oci", "registry.pull", "cgr.dev"),
        TokenType("apk", "apk.pull", "apk.cgr.dev"),
        *(
            TokenType(ecosystem, f"libraries.{ecosystem}.pull", "libraries.cgr.dev")
            for ecosystem in ("java", "python", "javascript", "dotnet", "go")
        ),
    )
}


def seconds(text: str, option: str) -> int:
    """Return a duration such as 720h, 30d or 1h30m in seconds, or raise InputError."""
    found = _DURATION.fullmatch(text.strip())
    if not found or not any(found.groups()):
        raise InputError(f"{option} is not a duration: {text!r}.", hint="Write it like 720h, 30d, 90m or 1d12h.")
    days, hours, minutes, rest = (int(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest


def parse_lifetime(ttl: str, renew_before: str | None) -> tuple[int, int]:
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


def validate_name(name: str) -> str:
    """Return the name of a token, or raise InputError."""
    if not _NAME.fullmatch(name):
        raise InputError(
            f"name is not valid: {name!r}.", hint="Use 3 to 63 of a-z, 0-9, space, dot, underscore and dash."
        )
    return name


def build_marker(consumer: str | None) -> str:
    """Return the description that says: this collection made it, for this place."""
    text = f"{_MARK} for {consumer}" if consumer else _MARK
    if not _MARKER.fullmatch(text):
        raise InputError("consumer is too long or holds control characters.", hint="Up to 480 characters, in one line.")
    return text


@dataclasses.dataclass(frozen=True)
class PullToken:
    """A pull token as the API shows it. created, expires: epoch seconds.

    has_key: whether it still has the key that its password was signed with, as far as that can be told.
    """

    uid: str
    name: str
    description: str
    created: float
    expires: float
    has_key: bool

    @classmethod
    def of(cls, identity: Resource | None) -> PullToken | None:
        """Return the identity as a pull token; None when it is none."""
        keys = (identity or {}).get("staticKeys") or {}
        if identity is None or keys.get("issuer") != ISSUER:
            return None
        # An identity without an expiry is not one that anybody's pull token is made of; count it as ended.
        expires = timestamp(keys.get("expirationTime"))
        created = timestamp(identity.get("createTime"))
        description = identity.get("description") or ""
        return cls(identity["uid"], identity["name"], description, created, expires, _has_key(keys))

    @property
    def managed(self) -> bool:
        return self.description.startswith(_MARK)

    @property
    def consumer(self) -> str:
        """The place that the token was made for; empty when it does not say."""
        return self.description.removeprefix(_MARK).removeprefix(" for ") if self.managed else ""

    def shown(self, now: float) -> dict[str, t.Any]:
        """Return the token as a module's result shows it."""
        return {
            "uid": self.uid,
            "name": self.name,
            "managed": self.managed,
            "consumer": self.consumer,
            "expires": rfc3339(self.expires),
            "days_left": round((self.expires - now) / _DAY, 1),
        }


def subject_for_key(modulus: str) -> str:
    """Return the subject for a key, by its modulus as a JWK has it: so an identity tells whether it still has its key."""
    return _SUBJECT + hashlib.sha256(modulus.encode()).hexdigest()[:40]


def _has_key(static_keys: Resource) -> bool:
    try:
        moduli = [str(key.get("n")) for key in json.loads(static_keys["issuerKeys"])["keys"]]
    except (KeyError, TypeError, ValueError, AttributeError):
        return True  # not shown
    subject = str(static_keys.get("subject"))
    # Of other subjects it is not known what they are made of.
    return (
        any(subject_for_key(modulus) == subject for modulus in moduli) if subject.startswith(_SUBJECT) else bool(moduli)
    )


def timestamp(text: str | None) -> float:
    """Return an RFC 3339 time as epoch seconds; 0 for none."""
    if not text:
        return 0.0
    found = _TIME.fullmatch(text)
    if not found:
        raise PullThroughError(f"Chainguard gave a time that cannot be read: {text!r}.")
    # The fraction has up to nine digits, more than Python's parser takes.
    return datetime.datetime.fromisoformat(f"{found[1]}+00:00").timestamp() + float(found[2] or 0)


def days(seconds_left: float) -> str:
    """Say how much is left of a token's life."""
    return f"{seconds_left / _DAY:.1f} days are left"


def rfc3339(epoch: float) -> str:
    """Return epoch seconds as an RFC 3339 time in UTC."""
    return datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclasses.dataclass(frozen=True)
class TokenStatus:
    """What to think of the present token, None when there is none.

    valid: whether it works now. fits: whether it also lives long enough to stay. reason: why, or why not.
    """

    current: PullToken | None
    valid: bool
    matches: bool
    reason: str

    @property
    def keep(self) -> PullToken | None:
        """The token that may stay."""
        return self.current if self.matches else None


def _why_none(active_identities: list[str] | None) -> str:
    if active_identities is None:
        return "there is none"
    if any(map(is_identity_uid, active_identities)):
        return "the one in use is gone: it was revoked, or is of another organization"
    return "none is in use"


@dataclasses.dataclass(frozen=True)
class TokenSpec:
    """What a token is for. organization is a UID; description is the marker with the consumer."""

    organization: str
    kind: TokenType
    name: str
    consumer: str

    @property
    def description(self) -> str:
        return build_marker(self.consumer)

    def matches(self, token: PullToken) -> bool:
        """Return whether a token was made for this. chainctl puts the repository type behind the name: `NAME - registry`."""
        named = token.name == self.name or token.name.startswith(f"{self.name} - ")
        return named and token.description == self.description


class TokenStore:
    """The pull tokens that were made for one purpose."""

    def __init__(self, snapshot: OrganizationSnapshot, purpose: TokenSpec) -> None:
        self._snapshot = snapshot
        self._purpose = purpose

    def managed(self) -> list[PullToken]:
        """Return the tokens that carry our name and marker, the longest living first."""
        return self._ours(self._snapshot.identities())

    def _ours(self, identities: list[Resource]) -> list[PullToken]:
        found = map(PullToken.of, identities)
        mine = [token for token in found if token is not None and self._purpose.matches(token)]
        return sorted(mine, key=lambda token: -token.expires)

    def evaluate(self, mine: list[PullToken], active_identities: list[str] | None, renew_before: float) -> TokenStatus:
        """Return the token that may stay: live, bound to its role, and with more than renew_before seconds left.

        mine: what ours() returned. active_identities: UIDs that are known to be in use. A password that nobody stored is lost, so
        with active_identities no other token counts; a token in use may also be one that somebody else made.
        """
        candidates = mine if active_identities is None else self._in_use(active_identities)
        if not candidates:
            return TokenStatus(None, False, False, _why_none(active_identities))
        best = candidates[0]
        left = best.expires - self._snapshot.now()
        if left <= 0:
            return TokenStatus(best, False, False, f"the last one expired on {rfc3339(best.expires)}")
        if not best.has_key:
            return TokenStatus(best, False, False, f"the key of {best.uid} is gone")
        role = self._purpose.kind.role
        if not self._snapshot.is_bound(best.uid, role):
            return TokenStatus(best, False, False, f"{best.uid} is not bound to the role {role}")
        if left <= renew_before:
            return TokenStatus(best, True, False, f"{days(left)}, and it is renewed at {renew_before / _DAY:.1f}")
        return TokenStatus(best, True, True, days(left))

    def _in_use(self, uids: list[str]) -> list[PullToken]:
        return sorted(self._named(uids), key=lambda token: -token.expires)

    def _named(self, uids: t.Collection[str]) -> list[PullToken]:
        """Return those of these tokens that are there, in the order of the UIDs."""
        known = {str(one["uid"]): one for one in self._snapshot.identities()}
        found = (PullToken.of(known.get(uid)) for uid in dict.fromkeys(uids))
        return [token for token in found if token is not None]

    def superseded(self, mine: list[PullToken], verdict: TokenStatus, *, renew: bool, grace_period: float) -> list[str]:
        """Return the UIDs of those of mine that can be revoked once the present token, or with renew a new one, is in use.

        The token that is replaced; and those that nobody came back for, as a young one may be that of another run,
        which is about to use it. grace_period: seconds that a token has to be in use before others are revoked for it.
        """
        now = self._snapshot.now()
        current = verdict.current
        # The service's time comes in whole seconds, so a token can seem to be made in the future.
        age = 0.0 if renew or current is None else max(now - current.created, 0.0)
        return [
            token.uid
            for token in mine
            if (renew or token != current)
            and (
                token.expires <= now
                or (age >= grace_period and (token == current or now - token.created > _CONCURRENT_RUN_WINDOW))
            )
        ]

    def superseded_by_concurrent_run(self, token: PullToken) -> bool:
        """Return whether another run made a token after this one. Looks anew."""
        now_there = self._ours(self._snapshot.iam.identities(self._snapshot.uid))
        return any(other.created > token.created for other in now_there)

    def select_revocable(
        self, identities: list[str] | None, keep: t.Collection[str], *, unmanaged: bool = False
    ) -> list[PullToken]:
        """Return our tokens, all or those with these UIDs, except those to keep. One that is gone is left out.

        Raises InputError for one that is not ours to revoke; with unmanaged, those that are named count as ours.
        """
        if identities is None:
            return [token for token in self.managed() if token.uid not in keep]
        found = self._named([uid for uid in identities if uid not in keep])
        for token in found:
            if token.description != self._purpose.description and not unmanaged:
                raise InputError(
                    f"The identity {token.uid} does not carry the marker {self._purpose.description!r}, so it is not revoked.",
                    hint="Only tokens that this collection made for this place are. Set unmanaged to revoke another one by its UID.",
                )
        return found
