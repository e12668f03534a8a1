# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The platform API: groups, roles, identities, bindings, repositories, tags (facts/chainguard.md#platform-api)."""

from __future__ import annotations

import json
import re
from typing import Any

from starlette.routing import BaseRoute

from . import jwt, roles
from .collection import Collection, by_name
from .gateway import Parameters, RequestContext, missing_capability, route
from .messages import (
    ALREADY_EXISTS,
    INVALID_ARGUMENT,
    NOT_FOUND,
    ApiError,
    invalid_argument,
    parse_message,
    timestamp,
)
from .state import Chainguard, Record, get_parent, is_within

RELATIONSHIPS = {
    "RELATIONSHIP_TYPE_UNSPECIFIED": None,
    "RELATIONSHIP_TYPE_CLAIM_MATCH": "claimMatch",
    "RELATIONSHIP_TYPE_STATIC": "staticKeys",
    "RELATIONSHIP_TYPE_AWS_IDENTITY": "awsIdentity",
    "RELATIONSHIP_TYPE_SERVICE_PRINCIPAL": "servicePrincipal",
}
MAX_BATCH = 25
HOUR = 3600
# The maximum TTL of static keys by the plan of an organization (facts/chainguard.md#pull-tokens).
MAX_TTL_HOURS = {"starter": 720, "team": 168, "enterprise": 8760}


def _validate_name(record: Record) -> None:
    if not re.fullmatch(r"[a-z0-9 ._-]{3,63}", record["name"]):
        raise invalid_argument("name", "name must match ^[a-z0-9 ._-]{1,}$ and have 3 to 63 characters")
    if not re.fullmatch(r"[\S ]{0,512}", record["description"]):
        raise invalid_argument("description", "description must match ^[\\S ]{0,512}$")


def _validate_group(_context: RequestContext, _group: str, record: Record) -> None:
    _validate_name(record)


def _validate_role(context: RequestContext, group: str, record: Record) -> None:
    _validate_name(record)
    if not record["capabilities"]:
        raise invalid_argument("capabilities", "at least one is required")
    if unknown := sorted(set(record["capabilities"]) - roles.OWNER):
        raise invalid_argument("capabilities", f"unknown: {', '.join(unknown)}")
    _require_grantable(context, group, record["capabilities"])


def _require_grantable(context: RequestContext, group: str, capabilities: list[str]) -> None:
    """Raise ApiError if the caller does not have the capabilities that it grants."""
    for capability in sorted(set(capabilities) - context.state.capabilities_at(context.caller, group)):
        raise missing_capability(capability, group)


def _validate_identity(context: RequestContext, group: str, record: Record) -> None:
    _validate_name(record)
    if "/" in group:
        raise invalid_argument("parent", "identities must be directly under an organization")
    if ("staticKeys" in record) == ("claimMatch" in record):
        raise invalid_argument("relationship", "exactly one of staticKeys and claimMatch is required")
    if "staticKeys" in record:
        _validate_static_keys(context, record)


def _validate_static_keys(context: RequestContext, record: Record) -> None:
    keys = record["staticKeys"]
    now, max_hours = context.state.simulator.clock.now(), MAX_TTL_HOURS[context.state.simulator.settings["plan"]]
    if not re.fullmatch(r"https://\S+", keys["issuer"]):
        raise invalid_argument("static_keys.issuer", "issuer must be an https URL")
    if not keys["subject"]:
        raise invalid_argument("static_keys.subject", "subject is required")
    try:
        jwt.parse_jwks(keys["issuerKeys"])
    except ValueError as error:
        raise invalid_argument("static_keys.issuer_keys", str(error)) from error
    if len(keys["audiences"]) > 1:
        raise invalid_argument("static_keys.audiences", "only one audience is supported")
    keys["expirationTime"] = keys["expirationTime"] or context.state.simulator.clock.rfc3339(now + max_hours * HOUR)
    left = timestamp("expirationTime", keys["expirationTime"]) - now
    if left <= 0:
        raise invalid_argument("static_keys.expiration_time", "expiration time must be in the future")
    if left > max_hours * HOUR:
        raise invalid_argument("static_keys.expiration_time", f"expiration time must be within {max_hours} hours")
    for other in context.state.identities.values():
        other_keys = other.get("staticKeys", {})
        is_same = (other_keys.get("issuer"), other_keys.get("subject")) == (keys["issuer"], keys["subject"])
        if is_same and other["uid"] != record["uid"]:
            raise ApiError(ALREADY_EXISTS, "an identity with this issuer and subject already exists")


def _validate_binding(context: RequestContext, group: str, record: Record) -> None:
    state = context.state
    if record["identityUid"] not in state.identities:
        raise ApiError(NOT_FOUND, f"Identity {record['identityUid']} not found")
    role = state.roles.get(record["roleUid"])
    if not role or not ("/" not in role["uid"] or is_within(group, get_parent(role["uid"]))):
        raise ApiError(NOT_FOUND, f"Role {record['roleUid']} not found")
    _require_grantable(context, group, role["capabilities"])
    binding = (group, record["identityUid"], record["roleUid"])
    for uid, other in state.bindings.items():
        if uid != record["uid"] and (get_parent(uid), other["identityUid"], other["roleUid"]) == binding:
            raise ApiError(ALREADY_EXISTS, "this role is bound to this identity already")


def _show_binding(state: Chainguard, binding: Record) -> Record:
    """A binding as in a response: with identity, group and role as objects, and the UIDs of the request empty."""
    identity, role = state.identities[binding["identityUid"]], state.roles[binding["roleUid"]]
    group = state.groups[get_parent(binding["uid"])]
    match = identity.get("claimMatch") or identity["staticKeys"]
    subject = {"subject": match.get("subject", ""), "issuer": match.get("issuer", ""), "email": ""}
    objects = {"identity": _reference(identity) | subject, "group": _reference(group), "role": _reference(role)}
    return {**binding, **objects, "identityUid": "", "roleUid": ""}


def _reference(record: Record) -> Record:
    return {name: record[name] for name in ("uid", "name", "description")}


def _of_relationship(record: Record, value: str) -> bool:
    name = list(RELATIONSHIPS)[int(value)] if value in ("0", "1", "2", "3", "4") else value
    if name not in RELATIONSHIPS:
        raise ApiError(INVALID_ARGUMENT, f'parsing field "relationship_type": {value} is not valid')
    return RELATIONSHIPS[name] is None or RELATIONSHIPS[name] in record


def _select_tag(tag: Record, parameters: Parameters) -> bool:
    """Whether a list contains a tag: referrers, dates and epochs only on request."""
    name, since = tag["name"], parameters.text("updatedSince")
    return (
        (parameters.flag("includeReferrers") or not name.startswith("sha256-"))
        and (parameters.flag("includeDates") or not re.search(r"-20\d{6}$", name))
        and (parameters.flag("includeEpochs") or not re.search(r"-r\d+$", name))
        and (not since or timestamp("updatedTime", tag["updateTime"]) > timestamp("updatedSince", since))
    )


GROUPS = Collection(
    path="/iam/v2/groups",
    plural="groups",
    kind="iam.group",
    capability="CAP_IAM_GROUPS",
    message="Group",
    table=lambda state: state.groups,
    filters={"name": by_name},
    validate=_validate_group,
    writable=frozenset({"name", "description"}),
)
ROLES = Collection(
    path="/iam/v2/roles",
    plural="roles",
    kind="iam.role",
    capability="CAP_IAM_ROLES",
    message="Role",
    table=lambda state: state.roles,
    filters={"name": by_name},
    validate=_validate_role,
    writable=frozenset({"name", "description", "capabilities"}),
)
IDENTITIES = Collection(
    path="/iam/v2/identities",
    plural="identities",
    kind="iam.identity",
    capability="CAP_IAM_IDENTITY",
    message="Identity",
    table=lambda state: state.identities,
    filters={"name": by_name, "relationshipType": _of_relationship},
    validate=_validate_identity,
    writable=frozenset({"name", "description", "company", "staticKeys", "claimMatch"}),
    has_total_count=True,
)
BINDINGS = Collection(
    path="/iam/v2/roleBindings",
    plural="roleBindings",
    kind="iam.role_binding",
    capability="CAP_IAM_ROLE_BINDINGS",
    message="RoleBinding",
    table=lambda state: state.bindings,
    filters={
        "identity": lambda binding, uid: bool(binding["identityUid"] == uid),
        "role": lambda binding, uid: bool(binding["roleUid"] == uid),
        "group": lambda binding, uid: get_parent(binding["uid"]) == uid,
    },
    validate=_validate_binding,
    writable=frozenset({"identityUid", "roleUid"}),
    show=_show_binding,
)
REPOS = Collection(
    path="/registry/v2/repos",
    plural="repos",
    kind="platform.repo",
    capability="CAP_REPO",
    message="Repo",
    table=lambda state: state.repos,
    filters={"name": by_name},
)
TAGS = Collection(
    path="/registry/v2/tags",
    plural="tags",
    kind="platform.tag",
    capability="CAP_TAG",
    message="Tag",
    table=lambda state: state.tags,
    filters={"name": by_name, "digest": lambda tag, digest: bool(tag["digest"] == digest)},
    select=_select_tag,
)


def _tag_history(context: RequestContext) -> dict[str, Any]:
    """Every digest of a tag, oldest first. Part of v1, because v2 has no history."""
    tag = context.state.tags.get(context.uid)
    context.require("CAP_TAG_LIST", context.uid)
    if tag is None:
        raise ApiError(NOT_FOUND, f"Tag {context.uid} not found")
    since, until = (context.parameters.text(name) for name in ("start", "end"))
    records = [
        {"updateTimestamp": context.state.simulator.clock.rfc3339(when), "digest": digest}
        for name, when, digest in context.state.repository_at(get_parent(context.uid)).history
        if name == tag["name"]
        and (not since or when >= timestamp("start", since))
        and (not until or when <= timestamp("end", until))
    ]
    return {"items": records}


def _platforms(context: RequestContext) -> dict[str, int]:
    """Bytes of layers and configuration by architecture. The UID of the request is REPO/digests/DIGEST."""
    repo, _ignored, digest = context.uid.partition("/digests/")
    for capability in ("CAP_REPO_LIST", "CAP_MANIFEST_METADATA_LIST"):
        context.require(capability, repo)
    repository = context.state.repository_at(repo)
    if digest not in repository.manifests:
        raise ApiError(NOT_FOUND, f"Digest {digest} not found")
    sizes = {}
    for entry in json.loads(repository.manifests[digest].body)["manifests"]:
        if entry["platform"]["os"] != "unknown":
            image = json.loads(repository.manifests[entry["digest"]].body)
            sizes[entry["platform"]["architecture"]] = sum(part["size"] for part in (image["config"], *image["layers"]))
    return sizes


def _image_architectures(context: RequestContext) -> dict[str, Any]:
    return {"architectures": sorted(_platforms(context))}


def _image_size(context: RequestContext) -> dict[str, Any]:
    architecture = context.parameters.text("architecture") or "amd64"
    sizes = _platforms(context)
    if architecture not in sizes:
        raise ApiError(NOT_FOUND, f"Architecture {architecture} not found")
    return {"architecture": architecture, "size": str(sizes[architecture])}


def _batch_create(context: RequestContext) -> dict[str, Any]:
    """Create all bindings or none."""
    body = parse_message("BatchCreate", context.body)
    parent, requests = body.get("parent", ""), [
        parse_message("CreateRoleBinding", item) for item in body.get("requests", [])
    ]
    if len(requests) > MAX_BATCH:
        raise invalid_argument("requests", f"at most {MAX_BATCH} are allowed")
    if not parent:
        raise invalid_argument("parent", "must not be empty")
    context.require("CAP_IAM_ROLE_BINDINGS_CREATE", parent)
    created: list[Record] = []
    try:
        for request in requests:
            given, default = request.get("roleBinding", {}), body.get("roleUid", "")
            if request.get("parent", parent) != parent:
                raise invalid_argument("requests.parent", "must be that of the batch")
            if default and given.get("roleUid", default) != default:
                raise invalid_argument("requests.role_binding.role_uid", "contradicts that of the batch")
            created.append(BINDINGS.add(context, parent, {"roleUid": default, **given}))
    except ApiError:
        for record in created:
            context.state.remove(context.state.bindings, record["uid"])
        raise
    return {"roleBindings": [_show_binding(context.state, record) for record in created]}


def _who_am_i(context: RequestContext) -> dict[str, Any]:
    clock, claims = context.state.simulator.clock, context.claims
    bindings = [binding for binding in context.state.bindings.values() if binding["identityUid"] == context.caller]
    capabilities = [
        {
            "group": get_parent(binding["uid"]),
            "role": binding["roleUid"],
            "capabilities": [roles.dotted(name) for name in context.state.roles[binding["roleUid"]]["capabilities"]],
        }
        for binding in bindings
        if context.state.is_effective(binding["uid"])
    ]
    return {
        "issuer": claims["iss"],
        "subject": context.caller,
        "audience": claims["aud"],
        "expiry": clock.rfc3339(claims["exp"]),
        "issuedAt": clock.rfc3339(claims["iat"]),
        "capabilities": capabilities,
        "email": "",
        "profile": None,
    }


def routes() -> list[BaseRoute]:
    collections = (GROUPS, ROLES, IDENTITIES, BINDINGS, REPOS, TAGS)
    return [
        # Before the collections, because their UIDs contain slashes too.
        route(
            "/registry/v2/repos/{uid:path}/architectures", "GET", "platform.image.architectures", _image_architectures
        ),
        route("/registry/v2/repos/{uid:path}/size", "GET", "platform.image.size", _image_size),
        *(route for collection in collections for route in collection.routes()),
        route("/registry/v1/tags/{uid:path}/history", "GET", "platform.tag.history", _tag_history),
        route("/iam/v2/roleBindings:batchCreate", "POST", "iam.role_binding.batch_create", _batch_create),
        route("/auth/v1/ok", "GET", "auth.ok", _who_am_i),
        route("/ping/v2/ping", "GET", "ping", lambda _context: {"response": "pong"}, public=True),
    ]
