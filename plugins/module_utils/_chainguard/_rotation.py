# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rotates the pull token of one consumer: plan, create, bind, test, finish. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard import _capabilities
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._auth import Sts
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._issue import (
    ApiTokenIssuer,
    Chainctl,
    ChainctlTokenIssuer,
    IssuedToken,
    TokenIssuer,
    revoke_on_error,
    revoke_unused,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._pull_tokens import (
    PullToken,
    TokenSpec,
    TokenStatus,
    TokenStore,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._snapshot import OrganizationSnapshot
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import HTTPStatusError, PullThroughError
from ansible_collections.cgr.pull_through.plugins.module_utils._retry import retry_until, status_in


class RotationPolicy(t.NamedTuple):
    """The rules that all tokens of a task share. All times are in seconds.

    renew_before: remaining lifetime at which a token is replaced. grace_period: how long a token must be in use before the
    tokens that it replaced are revoked. propagation_timeout: how long a new identity may take to be known everywhere.
    revoke: whether these credentials revoke replaced tokens.
    """

    ttl: int
    renew_before: int
    grace_period: int
    propagation_timeout: int
    revoke: bool


class RotationPlan(t.NamedTuple):
    """What to do about the current token.

    due: whether a new token is needed. kept_token: the token to keep, None if a new one is to be issued.
    A postponed plan has both: the token is due, and kept.
    superseded: UIDs of the tokens that can be revoked once the kept or the new token is in use.
    """

    status: TokenStatus
    due: bool
    kept_token: PullToken | None
    reason: str
    superseded: list[str]

    def postpone(self) -> RotationPlan:
        """Return the plan to keep the current token, which is valid, because another run is rotating it."""
        reason = _mention_unmanaged("another run is rotating it", self.status.current)
        return self._replace(kept_token=self.status.current, reason=reason, superseded=[])


def _mention_unmanaged(reason: str, kept_token: PullToken | None) -> str:
    return reason if kept_token is None or kept_token.managed else f"{reason}; it is unmanaged"


class TokenRotation:
    """Rotates the tokens of one spec. Issues them with chainctl if it is given, else with the API."""

    def __init__(
        self,
        snapshot: OrganizationSnapshot,
        sts: Sts,
        spec: TokenSpec,
        policy: RotationPolicy,
        chainctl: Chainctl | None = None,
    ) -> None:
        self._snapshot = snapshot
        self._iam = snapshot.iam
        self._sts = sts
        self.spec = spec
        self._policy = policy
        self._chainctl = chainctl
        self.store = TokenStore(snapshot, spec)

    def plan(self, active_identities: list[str] | None, *, force: bool) -> RotationPlan:
        """Return what to do. active_identities: UIDs of the identities in use, None if unknown. force: issue a new token."""
        managed = self.store.list_managed()
        status = self.store.evaluate(managed, active_identities, self._policy.renew_before)
        kept = None if force else status.keep
        reason = "rotation is forced" if force else _mention_unmanaged(status.reason, kept)
        if status.valid and not force and self.spec.belongs_to_other_site(status.current):
            kept, reason = status.current, f"{status.reason}; only its site rotates it"
        superseded: list[str] = []
        if self._policy.revoke:
            superseded = self.store.list_superseded(
                managed, status, rotate=kept is None, grace_period=self._policy.grace_period
            )
        return RotationPlan(status, kept is None, kept, reason, superseded)

    def create_issuer(self) -> TokenIssuer:
        """Return the issuer of new tokens. Raises PullThroughError if the credentials lack a capability."""
        needed = _capabilities.READ | (_capabilities.REVOKE if self._policy.revoke else frozenset())
        timeout = self._policy.propagation_timeout
        if self._chainctl is not None:
            # chainctl creates the token with its own credentials.
            self.require_capabilities(needed)
            return ChainctlTokenIssuer(self._iam, self.spec, self._chainctl, propagation_timeout=timeout)
        role = self._snapshot.managed_role(self.spec.token_type.role)
        # Binding a role requires all capabilities of the role.
        role_capabilities = map(_capabilities.capability_name, role.get("capabilities") or [])
        self.require_capabilities({*needed, *_capabilities.ISSUE, *role_capabilities})
        return ApiTokenIssuer(self._iam, self.spec, role, propagation_timeout=timeout)

    def rotate(self, plan: RotationPlan, issuer: TokenIssuer) -> IssuedToken | None:
        """Issue a new token. Return None if another run is rotating the current token, which is valid meanwhile.

        Raises PullThroughError. The new token is then revoked.
        """
        issued = issuer.create(self._policy.ttl)
        with revoke_on_error(self._iam, issued.token.uid):
            issuer.bind_role(issued.token)
            self._test(issued)
            return self._finish(issued, plan)

    def _test(self, issued: IssuedToken) -> None:
        """Exchange the new token as the registry does."""
        try:
            # Chainguard does not document the status for an identity that is not known everywhere yet.
            retry_until(
                lambda: self._sts.exchange(
                    issued.password, audience=self.spec.token_type.audience, identity=issued.token.uid
                ),
                status_in(400, 401, 403, 404),
                timeout=self._policy.propagation_timeout,
            )
        except HTTPStatusError as exc:
            raise PullThroughError(
                f"Chainguard rejected the new pull token for {self._policy.propagation_timeout} seconds, so it was revoked. {exc.message}",
                hint="Increase propagation_timeout if Chainguard is slow. If it rejects all such tokens, try the other method (api or chainctl).",
            ) from exc

    def _finish(self, issued: IssuedToken, plan: RotationPlan) -> IssuedToken | None:
        """Return the new token. If a concurrent run issued a newer one and the current one is valid, revoke the new one."""
        if plan.status.valid and self.store.is_superseded_by_concurrent_run(issued.token):
            revoke_unused(self._iam, issued.token.uid)
            return None
        return issued

    def require_capabilities(self, needed: t.Collection[str]) -> None:
        """Raise PullThroughError if the credentials lack one of these capabilities, as reported by Chainguard."""
        _capabilities.require_capabilities(self._snapshot.granted_capabilities(), needed, self._snapshot.uid)
