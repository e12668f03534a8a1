# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The security token service, which exchanges a third-party token (facts/chainguard.md#token-exchange)."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from . import jwt
from .gateway import Parameters, bearer, respond
from .messages import INVALID_ARGUMENT, PERMISSION_DENIED, UNAUTHENTICATED, ApiError, timestamp
from .state import ISSUER, Chainguard, Record, audiences, require_unexpired

TOKEN_SECONDS = 3600
UIDP = re.compile(r"[0-9a-f]{40}(/[0-9a-f]{16})+")


def authenticate(state: Chainguard, uid: str, token: str) -> dict[str, Any]:
    """Verify that a third-party token belongs to an identity, and return its claims.

    Raises ApiError with code 3 if the identity's keys have expired, 16 for an invalid token, 7 if it does not match.
    """
    identity, now = state.identities.get(uid), state.simulator.clock.now()
    if not identity or not state.is_effective(uid):
        raise ApiError(PERMISSION_DENIED, f"identity {uid} cannot be assumed")
    static = identity.get("staticKeys")
    if static and timestamp("expirationTime", static["expirationTime"]) <= now:
        raise ApiError(INVALID_ARGUMENT, "this identity's keys have expired")
    try:
        if static:
            claims = require_unexpired(jwt.verify(token, jwt.parse_jwks(static["issuerKeys"])), now)
        else:
            claims = state.authority.verify(token, now)
    except ValueError as error:
        raise ApiError(UNAUTHENTICATED, f"unable to verify token: {error}") from error
    if not _matches(state, identity, claims):
        raise ApiError(PERMISSION_DENIED, f"token does not match identity {uid}")
    identity["lastSeenTime"] = state.simulator.clock.rfc3339()
    return claims


def _matches(state: Chainguard, identity: Record, claims: dict[str, Any]) -> bool:
    default_audiences = [ISSUER, ISSUER.removeprefix("https://"), state.simulator.addresses["api"]]
    if static := identity.get("staticKeys"):
        accepted = static["audiences"] or default_audiences
        is_subject = (static["issuer"], static["subject"]) == (claims.get("iss"), claims.get("sub"))
        return is_subject and any(audience in accepted for audience in audiences(claims))
    match = identity["claimMatch"]
    for name, claim in (("issuer", "iss"), ("subject", "sub")):
        if not _is_match(match, name, claims.get(claim, "")):
            return False
    if "audience" in match or "audiencePattern" in match:
        return any(_is_match(match, "audience", audience) for audience in audiences(claims))
    return any(audience in default_audiences for audience in audiences(claims))


def _is_match(match: Record, name: str, value: str) -> bool:
    if name in match:
        return bool(match[name] == value)
    return f"{name}Pattern" in match and re.fullmatch(match[f"{name}Pattern"], value) is not None


async def exchange(request: Request) -> Response:
    """Parameters are in the query or a form; a JSON body is ignored."""
    state: Chainguard = request.app.state.simulator.chainguard
    items = request.query_params.multi_items()
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        items += parse_qsl((await request.body()).decode())
    parameters = Parameters(items)
    audience, uid, token = parameters.all("aud"), parameters.text("identity"), bearer(request)
    request.state.user = uid
    if not audience:
        raise ApiError(INVALID_ARGUMENT, "Audience must be specified")
    if not token:
        raise ApiError(UNAUTHENTICATED, "missing bearer token")
    if not UIDP.fullmatch(uid):
        raise ApiError(INVALID_ARGUMENT, f"identity {uid!r} is not a UIDP")
    claims = authenticate(state, uid, token)
    now = int(state.simulator.clock.now())
    actor = {name: claims.get(name) for name in ("iss", "sub", "aud")}
    times = {"iat": now, "exp": now + TOKEN_SECONDS}
    issued = state.authority.sign({"iss": ISSUER, "sub": uid, "aud": audience, **times, "act": actor})
    expiry = state.simulator.clock.rfc3339(times["exp"])
    return respond(request, {"token": issued, "refreshToken": "", "expiry": expiry})


def routes() -> list[BaseRoute]:
    return [Route("/sts/exchange", exchange, methods=["GET", "POST"], name="sts.exchange")]
