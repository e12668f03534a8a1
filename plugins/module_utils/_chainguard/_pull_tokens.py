# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pull tokens: how to recognize them, which one to keep, which ones to revoke. Private to the collection.

A pull token is an identity with a static key, directly under the organization, and one role binding. Its username is the
UID of the identity. Its password is a token that was signed with the key.
"""

from __future__ import annotations

import hashlib
import json
import re
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._iam import Resource, is_identity_uid
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._snapshot import OrganizationSnapshot
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._time import (
    DAY,
    format_days_left,
    format_timestamp,
    parse_timestamp,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._token_options import SITE_PATTERN
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError

ISSUER = "https://pulltoken.issuer.chainguard.dev"

_SUBJECT_PREFIX = "ansible-pull-token-"
_MARKER = "Managed by cgr.pull_through"
_MARKED = re.compile(
    rf"{re.escape(_MARKER)}(?: \(site (?P<site>{SITE_PATTERN})\))?(?: for (?P<consumer>.*))?", re.DOTALL
)
_NAME = re.compile(r"[a-z0-9 ._-]{3,63}")
_DESCRIPTION = re.compile(r"[\S ]{0,512}")
# What a description has room for, besides the longest marker.
_MAX_CONSUMER = 430
# A younger token that is not in use may belong to a run that is about to use it.
_CONCURRENT_RUN_WINDOW = 900.0


class TokenType(t.NamedTuple):
    """What a token gives access to. ecosystem: as chainctl names it. role: bound to the identity.
    audience: what clients request from the token service."""

    ecosystem: str
    role: str
    audience: str


TOKEN_TYPES = {
    token_type.ecosystem: token_type
    for token_type in (
        TokenType("oci", "registry.pull", "cgr.dev"),
        TokenType("apk", "apk.pull", "apk.cgr.dev"),
        *(
            TokenType(ecosystem, f"libraries.{ecosystem}.pull", "libraries.cgr.dev")
            for ecosystem in ("java", "python", "javascript", "dotnet", "go")
        ),
    )
}


def validate_name(name: str) -> None:
    """Raise InputError if a token cannot have this name."""
    if not _NAME.fullmatch(name):
        raise InputError(
            f"name is not valid: {name!r}.", hint="Use 3 to 63 of a-z, 0-9, space, dot, underscore and dash."
        )


def validate_consumer(consumer: str) -> None:
    """Raise InputError if the description of an identity cannot contain this consumer."""
    if len(consumer) > _MAX_CONSUMER or not _DESCRIPTION.fullmatch(consumer):
        raise InputError(
            "consumer is too long or contains control characters.",
            hint=f"Use up to {_MAX_CONSUMER} characters, in one line.",
        )


def build_marker(consumer: str, site: str = "") -> str:
    """Return the description of identities that this collection creates for a consumer of a site."""
    marker = f"{_MARKER} (site {site})" if site else _MARKER
    return f"{marker} for {consumer}" if consumer else marker


class PullToken(t.NamedTuple):
    """A pull token as the API reports it. created, expires: epoch seconds.

    has_key: whether the identity has the key that signed the password. True if this is unknown.
    """

    uid: str
    name: str
    description: str
    created: float
    expires: float
    has_key: bool

    @classmethod
    def from_identity(cls, identity: Resource | None) -> PullToken | None:
        """Return the identity as a pull token; None if it is not a pull token."""
        keys = (identity or {}).get("staticKeys") or {}
        if identity is None or keys.get("issuer") != ISSUER:
            return None
        # An identity without an expiration time counts as expired.
        expires = parse_timestamp(keys.get("expirationTime"))
        created = parse_timestamp(identity.get("createTime"))
        description = identity.get("description") or ""
        return cls(identity["uid"], identity["name"], description, created, expires, _has_key(keys))

    @property
    def managed(self) -> bool:
        """Whether this collection created the token, for any consumer and site. TokenStore.list_managed is narrower."""
        return self.description.startswith(_MARKER)

    @property
    def consumer(self) -> str:
        """The consumer of a managed token. Empty if the marker names none."""
        return self._marker_part("consumer")

    @property
    def site(self) -> str:
        """The site of a managed token. Empty if the marker names none."""
        return self._marker_part("site")

    def _marker_part(self, name: str) -> str:
        marker = _MARKED.fullmatch(self.description)
        return (marker and marker[name]) or ""

    def to_result(self, now: float) -> dict[str, t.Any]:
        """Return the token for the result of a module. now: epoch seconds."""
        seconds_left = self.expires - now
        return {**self.to_diff(), "days_left": round(seconds_left / DAY, 1), "seconds_left": round(seconds_left)}

    def to_diff(self) -> dict[str, t.Any]:
        """Return the token without its remaining lifetime, which differs between check mode and the run."""
        return {
            "uid": self.uid,
            "name": self.name,
            "managed": self.managed,
            "consumer": self.consumer,
            "site": self.site,
            "expires": format_timestamp(self.expires),
        }


def subject_for_key(modulus: str) -> str:
    """Return the subject for a key. Made from the modulus of its JWK, so that a replaced key can be detected."""
    return _SUBJECT_PREFIX + hashlib.sha256(modulus.encode()).hexdigest()[:40]


def _has_key(static_keys: Resource) -> bool:
    try:
        moduli = [str(key.get("n")) for key in json.loads(static_keys["issuerKeys"])["keys"]]
    except (KeyError, TypeError, ValueError, AttributeError):
        return True
    subject = str(static_keys.get("subject"))
    if not subject.startswith(_SUBJECT_PREFIX):
        # Only subjects of this collection depend on the key.
        return bool(moduli)
    return any(subject_for_key(modulus) == subject for modulus in moduli)


class TokenStatus(t.NamedTuple):
    """The state of the current token, which is None if there is no token.

    valid: whether it can be used now. reason: why it is kept or not.
    is_kept: whether it also remains valid for longer than renew_before.
    """

    current: PullToken | None
    valid: bool
    is_kept: bool
    reason: str

    @property
    def keep(self) -> PullToken | None:
        """The token to keep."""
        return self.current if self.is_kept else None


class TokenSpec(t.NamedTuple):
    """The desired token. organization: UID. previous_consumers: earlier names of the consumer, whose tokens are also its own."""

    organization: str
    token_type: TokenType
    name: str
    consumer: str
    site: str = ""
    previous_consumers: tuple[str, ...] = ()

    @property
    def description(self) -> str:
        """Description of the identity: the marker with the site and the consumer."""
        return build_marker(self.consumer, self.site)

    def has_marker(self, token: PullToken) -> bool:
        """Return whether a token carries the marker of this spec, or that of a previous consumer."""
        consumers = (self.consumer, *self.previous_consumers)
        return token.description in [build_marker(consumer, self.site) for consumer in consumers]

    def matches(self, token: PullToken) -> bool:
        """Return whether a token was issued for this spec. chainctl names the identity `NAME - registry`."""
        has_name = token.name == self.name or token.name.startswith(f"{self.name} - ")
        return has_name and self.has_marker(token)

    def belongs_to_other_site(self, token: PullToken | None) -> bool:
        """Return whether another site issued a token, so that only that site replaces it."""
        return token is not None and token.site not in ("", self.site)


class TokenStore:
    """The pull tokens of one organization, from the point of view of one spec."""

    def __init__(self, snapshot: OrganizationSnapshot, spec: TokenSpec) -> None:
        self._snapshot = snapshot
        self._spec = spec

    def list_managed(self) -> list[PullToken]:
        """Return the tokens with the name and the marker, those that expire last first."""
        return self._select_managed(self._snapshot.identities())

    def _select_managed(self, identities: list[Resource]) -> list[PullToken]:
        tokens = map(PullToken.from_identity, identities)
        return _sort_by_expiry(token for token in tokens if token is not None and self._spec.matches(token))

    def evaluate(
        self, managed: list[PullToken], active_identities: list[str] | None, renew_before: float
    ) -> TokenStatus:
        """Return the status of the current token: the one in use, or the managed one that expires last.

        managed: from list_managed(). active_identities: UIDs of the identities in use, None if unknown. If set, only
        these count, even unmanaged ones, because the password of any other token is lost. renew_before: seconds.
        """
        candidates = managed if active_identities is None else _sort_by_expiry(self._find(active_identities))
        if not candidates:
            return TokenStatus(None, False, False, _explain_no_token(active_identities))
        current = candidates[0]
        time_left = current.expires - self._snapshot.server_time()
        defect = self._find_defect(current, time_left)
        if defect:
            return TokenStatus(current, False, False, defect)
        reason = format_days_left(time_left)
        if time_left <= renew_before:
            return TokenStatus(current, True, False, f"{reason}, and rotation is due at {renew_before / DAY:.1f}")
        return TokenStatus(current, True, True, reason)

    def _find_defect(self, token: PullToken, time_left: float) -> str:
        """Return why a token is not valid; empty if it is valid."""
        role = self._spec.token_type.role
        if time_left <= 0:
            return f"the current token expired on {format_timestamp(token.expires)}"
        if not token.has_key:
            return f"the key of {token.uid} was deleted or replaced"
        if not self._snapshot.is_bound(token.uid, role):
            return f"{token.uid} is not bound to the role {role}"
        return ""

    def _find(self, uids: t.Collection[str]) -> list[PullToken]:
        """Return the existing tokens with these UIDs, in the order of the UIDs."""
        identities = {str(identity["uid"]): identity for identity in self._snapshot.identities()}
        tokens = (PullToken.from_identity(identities.get(uid)) for uid in dict.fromkeys(uids))
        return [token for token in tokens if token is not None]

    def list_superseded(
        self, managed: list[PullToken], status: TokenStatus, *, rotate: bool, grace_period: float
    ) -> list[str]:
        """Return the UIDs of the managed tokens that can be revoked once the kept token, or with rotate a new one, is in use.

        grace_period: seconds that a token must be in use before others are revoked. Expired tokens need none.
        """
        now = self._snapshot.server_time()
        current = status.current
        # The service rounds times to seconds, so a new token can seem to be created in the future.
        age = 0.0 if rotate or current is None else max(now - current.created, 0.0)
        return [
            token.uid
            for token in managed
            if (rotate or token != current)
            and (
                token.expires <= now
                or (age >= grace_period and (token == current or now - token.created > _CONCURRENT_RUN_WINDOW))
            )
        ]

    def is_superseded_by_concurrent_run(self, token: PullToken) -> bool:
        """Return whether another run issued a token after this one. Reads the identities again."""
        managed = self._select_managed(self._snapshot.iam.identities(self._snapshot.uid))
        return any(other.created > token.created for other in managed)

    def select_revocable(
        self, identities: list[str] | None, keep: t.Collection[str], *, unmanaged: bool = False
    ) -> list[PullToken]:
        """Return the managed tokens, or the existing ones of `identities`, without those to keep.

        Raises InputError if one of `identities` does not carry the marker, unless unmanaged is true and it carries none.
        """
        if identities is None:
            return [token for token in self.list_managed() if token.uid not in keep]
        tokens = self._find([uid for uid in identities if uid not in keep])
        for token in tokens:
            if not self._spec.has_marker(token) and (token.managed or not unmanaged):
                raise InputError(
                    f"The identity {token.uid} does not carry the marker {self._spec.description!r}, so it is not revoked.",
                    hint="Check name, consumer and site. To revoke a token without any marker by its UID, set unmanaged to true.",
                )
        return tokens


def list_unlisted(snapshot: OrganizationSnapshot, specs: t.Sequence[TokenSpec]) -> list[PullToken]:
    """Return the managed tokens of an organization that are for the consumer of none of these specs.

    Of other sites, these are only those whose consumer is beside one of the specs: an organization can have many sites.
    """
    sites = {spec.site for spec in specs}
    consumers = {name for spec in specs for name in (spec.consumer, *spec.previous_consumers)}
    folders = {name.rpartition("/")[0] for name in consumers}
    tokens = [token for token in map(PullToken.from_identity, snapshot.identities()) if token is not None]
    return [
        token
        for token in tokens
        if token.consumer
        and token.consumer not in consumers
        and (token.site in sites or token.consumer.rpartition("/")[0] in folders)
    ]


def _sort_by_expiry(tokens: t.Iterable[PullToken]) -> list[PullToken]:
    """Return the tokens, those that expire last first."""
    return sorted(tokens, key=lambda token: -token.expires)


def _explain_no_token(active_identities: list[str] | None) -> str:
    if active_identities is None:
        return "no token exists"
    if any(map(is_identity_uid, active_identities)):
        return "the token in use was deleted, or belongs to another organization"
    return "no token is in use"
