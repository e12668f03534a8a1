# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps one purpose supplied with a pull token: looks, plans, and renews. Private to the collection."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard import _capabilities
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._auth import Sts
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._issue import (
    ApiTokenIssuer,
    Chainctl,
    ChainctlTokenIssuer,
    IssuedToken,
    PropagationRetry,
    TokenIssuer,
    issue,
    revoke_unused,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._pull_tokens import (
    PullToken,
    TokenSpec,
    TokenStatus,
    TokenStore,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._snapshot import OrganizationSnapshot


@dataclasses.dataclass(frozen=True)
class RotationPolicy:
    """How tokens are kept. All times are seconds.

    ttl: how long one lives; renew_before: what is left when it is renewed; grace_period: how long one is in use before what it
    replaced is revoked; propagation_timeout: how long the platform may need to know a new one. revoke: whether this login revokes.
    """

    ttl: int
    renew_before: int
    grace_period: int
    propagation_timeout: int
    revoke: bool


@dataclasses.dataclass(frozen=True)
class RotationPlan:
    """What to do about the current token.

    due: whether a new token is needed; kept_token: the token to keep, None if a new one is issued;
    superseded: UIDs of the tokens that can be revoked once the kept or the new token is in use.
    """

    verdict: TokenStatus
    due: bool
    kept_token: PullToken | None
    reason: str
    superseded: list[str]

    def postpone(self) -> RotationPlan:
        """Return the plan to keep the current token, which is valid, because another run is rotating it."""
        reason = _with_origin("another run is rotating it", self.verdict.current)
        return dataclasses.replace(self, kept_token=self.verdict.current, reason=reason, superseded=[])


def _with_origin(reason: str, kept: PullToken | None) -> str:
    return reason if kept is None or kept.managed else f"{reason}; it is unmanaged"


class TokenRotation:
    """The upkeep of the tokens for one purpose. chainctl makes them when it is given, else the API does."""

    def __init__(
        self,
        snapshot: OrganizationSnapshot,
        sts: Sts,
        purpose: TokenSpec,
        policy: RotationPolicy,
        chainctl: Chainctl | None = None,
    ) -> None:
        self._snapshot = snapshot
        self._iam = snapshot.iam
        self._sts = sts
        self.purpose = purpose
        self._policy = policy
        self._chainctl = chainctl
        self.tokens = TokenStore(snapshot, purpose)

    def plan(self, active_identities: list[str] | None, *, renew: bool) -> RotationPlan:
        """Return what has to be done. active_identities: UIDs that are known to be in use; renew: whether a new one is asked for."""
        mine = self.tokens.managed()
        verdict = self.tokens.evaluate(mine, active_identities, self._policy.renew_before)
        kept = None if renew else verdict.keep
        superseded = self.tokens.superseded(mine, verdict, renew=kept is None, grace_period=self._policy.grace_period)
        reason = "rotation is forced" if renew else _with_origin(verdict.reason, kept)
        return RotationPlan(verdict, kept is None, kept, reason, superseded if self._policy.revoke else [])

    def maker(self) -> TokenIssuer:
        """Return who makes tokens; raise PullThroughError when the login may not do what that takes, as far as is known."""
        needed = _capabilities.LOOK | (_capabilities.REVOKE if self._policy.revoke else frozenset())
        if self._chainctl is not None:
            # It makes the token with a login of its own.
            self.require_capabilities(needed)
            return ChainctlTokenIssuer(self._iam, self.purpose, self._chainctl)
        role = self._snapshot.managed_role(self.purpose.kind.role)
        # Nobody can grant what they do not hold.
        granted = map(_capabilities.capability_name, role.get("capabilities") or [])
        self.require_capabilities({*needed, *_capabilities.MAKE, *granted})
        return ApiTokenIssuer(self._iam, self.purpose, role)

    def renew(self, need: RotationPlan, maker: TokenIssuer) -> IssuedToken | None:
        """Return a new token; None when another run is replacing the one in use right now, which works meanwhile."""
        settling = PropagationRetry(self._policy.propagation_timeout)
        minted = issue(maker, self._iam, self._sts, self.purpose, ttl=self._policy.ttl, settling=settling)
        if need.verdict.valid and self.tokens.superseded_by_concurrent_run(minted.token):
            revoke_unused(self._iam, minted.token.uid)
            return None
        return minted

    def require_capabilities(self, needed: t.Collection[str]) -> None:
        """Raise PullThroughError that names the capabilities which the login lacks, as far as Chainguard tells."""
        _capabilities.require_capabilities(self._snapshot.granted_capabilities(), needed, self._snapshot.uid)
