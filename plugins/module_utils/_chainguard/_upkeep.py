# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps one purpose supplied with a pull token: looks, plans, and renews. Private to the collection."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard import _capabilities
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._login import Sts
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._mint import (
    ApiMaker,
    Chainctl,
    ChainctlMaker,
    Maker,
    Minted,
    Settling,
    mint,
    take_back,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._pull_tokens import (
    PullToken,
    PullTokens,
    Purpose,
    Verdict,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._survey import Survey


@dataclasses.dataclass(frozen=True)
class Policy:
    """How tokens are kept. All times are seconds.

    ttl: how long one lives; renew_before: what is left when it is renewed; grace: how long one is in use before what it
    replaced is revoked; settle: how long the platform may need to know a new one. revoke: whether this login revokes.
    """

    ttl: int
    renew_before: int
    grace: int
    settle: int
    revoke: bool


@dataclasses.dataclass(frozen=True)
class Need:
    """What has to be done. superseded: UIDs of what can be revoked once the present or the new token is in use."""

    verdict: Verdict
    due: bool
    reason: str
    superseded: list[str]

    @property
    def stays(self) -> PullToken | None:
        """The token that stays; None when one has to be made."""
        return None if self.due else self.verdict.keep


class Upkeep:
    """The upkeep of the tokens for one purpose. chainctl makes them when it is given, else the API does."""

    def __init__(
        self, survey: Survey, sts: Sts, purpose: Purpose, policy: Policy, chainctl: Chainctl | None = None
    ) -> None:
        self._survey = survey
        self._iam = survey.iam
        self._sts = sts
        self.purpose = purpose
        self._policy = policy
        self._chainctl = chainctl
        self.tokens = PullTokens(survey, purpose)

    def look(self, in_use: list[str] | None, *, renew: bool) -> Need:
        """Return what has to be done. in_use: UIDs that are known to be in use; renew: whether a new one is asked for."""
        mine = self.tokens.ours()
        verdict = self.tokens.judge(mine, in_use, self._policy.renew_before)
        due = renew or verdict.keep is None
        superseded = self.tokens.superseded(mine, verdict, renew=due, grace=self._policy.grace)
        reason = "a new one was asked for" if renew else verdict.reason
        return Need(verdict, due, reason, superseded if self._policy.revoke else [])

    def maker(self) -> Maker:
        """Return who makes tokens; raise PullThroughError when the login may not do what that takes, as far as is known."""
        needed = _capabilities.LOOK | (_capabilities.REVOKE if self._policy.revoke else frozenset())
        if self._chainctl is not None:
            # It makes the token with a login of its own.
            self.refuse_too_few(needed)
            return ChainctlMaker(self._iam, self.purpose, self._chainctl)
        role = self._survey.managed_role(self.purpose.kind.role)
        # Nobody can grant what they do not hold.
        granted = map(_capabilities.dotted, role.get("capabilities") or [])
        self.refuse_too_few({*needed, *_capabilities.MAKE, *granted})
        return ApiMaker(self._iam, self.purpose, role)

    def renew(self, need: Need, maker: Maker) -> Minted | None:
        """Return a new token; None when another run is replacing the one in use right now, which works meanwhile."""
        settling = Settling(self._policy.settle)
        minted = mint(maker, self._iam, self._sts, self.purpose, ttl=self._policy.ttl, settling=settling)
        if need.verdict.live and self.tokens.overtaken(minted.token):
            take_back(self._iam, minted.token.uid)
            return None
        return minted

    def refuse_too_few(self, needed: t.Collection[str]) -> None:
        """Raise PullThroughError that names the capabilities which the login lacks, as far as Chainguard tells."""
        _capabilities.refuse_too_few(self._survey.held(), needed, self._survey.uid)
