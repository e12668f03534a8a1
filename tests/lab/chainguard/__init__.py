# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated Chainguard: platform API, token service, registry, packages, and object store."""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from ..simulator import Simulator
from . import apk, blobs, gateway, iam, libraries, registry, roles, sts
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
    get_builder,
    root_uid,
)

DEFAULTS: dict[str, Any] = {
    "omit_unpopulated": False,  # leave unset fields out of the API's responses
    "delete_missing": 200,  # status of a DELETE of a missing object: 200 or 404
    "max_ttl_hours": 8760,  # maximum TTL of static keys
    "propagation": 0.0,  # seconds until a new identity or binding takes effect
    "library_entitlements": list(roles.LIBRARIES),  # the ecosystems that organizations are entitled to
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


def routes(simulator: Simulator) -> list[BaseRoute]:
    async def identities(_request: Request) -> JSONResponse:
        return JSONResponse(list(simulator.chainguard.identities.values()))

    async def bindings(_request: Request) -> JSONResponse:
        return JSONResponse(list(simulator.chainguard.bindings.values()))

    async def revoke(request: Request) -> JSONResponse:
        """Delete an identity past the API. Raises KeyError if there is none."""
        uid = (await request.json())["uid"]
        if not simulator.chainguard.remove(simulator.chainguard.identities, uid):
            raise KeyError(uid)
        return JSONResponse({})

    async def publish(request: Request) -> JSONResponse:
        """Publish a new build of an image or a chart: {"name", "tag"} → its digest, which no cache has."""
        body = await request.json()
        name, tag = body["name"], body["tag"]
        repository = simulator.chainguard.repositories[name]
        serial = sum(1 for published, _when, _digest in repository.history if published == tag)
        repository.publish(tag, get_builder(name)(name, tag, serial + 1), simulator.clock.now())
        return JSONResponse({"name": name, "tag": tag, "digest": repository.tags[tag]})

    async def sign(request: Request) -> JSONResponse:
        """Sign the current build of an image: {"name", "tag"} → the digest of the signature."""
        body = await request.json()
        repository = simulator.chainguard.repositories[body["name"]]
        return JSONResponse({"digest": repository.sign(repository.tags[body["tag"]])})

    async def publish_package(request: Request) -> JSONResponse:
        """Publish a new version of a repository's packages: {"repository", "version"} → the new paths."""
        body = await request.json()
        paths = simulator.chainguard.packages.publish(body["repository"], body["version"])
        return JSONResponse({"paths": paths})

    return [
        Route("/chainguard/identities", identities),
        Route("/chainguard/identities/revoke", revoke, methods=["POST"]),
        Route("/chainguard/bindings", bindings),
        Route("/chainguard/images", publish, methods=["POST"]),
        Route("/chainguard/signatures", sign, methods=["POST"]),
        Route("/chainguard/packages", publish_package, methods=["POST"]),
    ]
