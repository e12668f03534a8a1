# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated Chainguard: platform API, token service, registry, packages, and object store."""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette

from ..simulator import Simulator
from . import apk, blobs, gateway, iam, libraries, registry, roles, sts
from .control import routes
from .state import (
    API_AUDIENCE,
    ISSUER,
    ORGANIZATION,
    OTHER_ORGANIZATION,
    SEEDED_IDENTITIES,
    TEN_YEARS,
    THIRD_PARTY_ISSUER,
    Authority,
    Chainguard,
    child_uid,
    root_uid,
)

__all__ = ["DEFAULTS", "build", "describe", "routes", "seed"]

DEFAULTS: dict[str, Any] = {
    "omit_unpopulated": False,  # leave unset fields out of the API's responses
    "delete_missing": 200,  # status of a DELETE of a missing object: 200 or 404
    "plan": "enterprise",  # of the organizations; a key of iam.MAX_TTL_HOURS
    "propagation": 0.0,  # seconds until a new identity or binding takes effect
    "library_entitlements": list(roles.LIBRARIES),  # the ecosystems that organizations are entitled to
    "library_cooldown_days": 7,  # until a new version of upstream is served
    "registry_blob_head": "redirected",  # or "served"
    "registry_checks_identity": False,  # reject the bearer tokens of an identity that was deleted
}


def build(simulator: Simulator) -> dict[str, Starlette]:
    return {
        "api": gateway.application(simulator, [*iam.routes(), *sts.routes()]),
        "registry": registry.build(simulator),
        "libraries": libraries.build(simulator),
        **apk.build(simulator),
        "blobs": blobs.build(simulator),
    }


def seed(simulator: Simulator) -> None:
    """Replace the state, but keep the signing key, so that tokens issued before remain valid."""
    authority = simulator.chainguard.authority if simulator.chainguard else Authority(int(simulator.clock.now()))
    simulator.chainguard = Chainguard(simulator, authority)


def describe(simulator: Simulator) -> dict[str, Any]:
    state: Chainguard = simulator.chainguard
    # Counted from the start of the lab, so that every call returns the same tokens.
    times = {"iat": state.authority.since, "exp": state.authority.since + TEN_YEARS}
    organization = root_uid(ORGANIZATION)
    api = {"iss": ISSUER, "aud": [API_AUDIENCE], **times}
    tokens = {
        name: state.authority.sign({**api, "sub": child_uid(organization, name)})
        for name in SEEDED_IDENTITIES
        if name != "workload"
    }
    oidc_token = state.authority.sign({"iss": THIRD_PARTY_ISSUER, "sub": "workload", "aud": ISSUER, **times})
    return {
        "api_url": simulator.addresses["api"],
        "issuer_url": simulator.addresses["api"],
        "registry_url": simulator.addresses["registry"],
        "libraries_url": simulator.addresses["libraries"],
        "apk_url": simulator.addresses["apk"],
        "virtualapk_url": simulator.addresses["virtualapk"],
        "blobs_url": simulator.addresses["blobs"],
        "organization": {"name": ORGANIZATION, "uid": organization},
        "other_organization": {"name": OTHER_ORGANIZATION, "uid": root_uid(OTHER_ORGANIZATION)},
        "api_tokens": tokens,
        "workload": {"identity": child_uid(organization, "workload"), "oidc_token": oidc_token},
    }
