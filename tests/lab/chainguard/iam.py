# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The platform API: groups, roles, identities, role bindings, repositories and tags (chainguard.md §2.2)."""

from __future__ import annotations

import json
import re
from typing import Any

from starlette.routing import BaseRoute

from . import jwt, roles
from .collection import Collection, by_name
from .gateway import Parameters, RequestContext, missing, route
from .messages import (
    ALREADY_EXISTS,
    INVALID_ARGUMENT,
    NOT_FOUND,
    ApiError,
    invalid,
    read,
    timestamp,
)
from .state import Chainguard, Record, parent_of, within

RELATIONSHIPS = {
    "RELATIONSHIP_TYPE_UNSPECIFIED": None,
    "RELATIONSHIP_TYPE_CLAIM_MATCH": "claimMatch",
    "RELATIONSHIP_TYPE_STATIC": "staticKeys",
    "RELATIONSHIP_TYPE_AWS_IDENTITY": "awsIdentity",
    "RELATIONSHIP_TYPE_SERVICE_PRINCIPAL": "servicePrincipal",
}
BATCH_MAX = 25
HOUR = 3600


def _check_name(record: Record) -> None:
    if not re.fullmatch(r"[a-z0-9 ._-]{3,63}", record["name"]):
        raise invalid("name", "name must match ^[a-z0-9 ._-]{1,}$ and have 3 to 63 characters")
    if not re.fullmatch(r"[\S ]{0,512}", record["description"]):
        raise invalid("description", "description must match ^[\\S ]{0,512}$")


def _check_group(_call: RequestContext, _group: str, record: Record) -> None:
    _check_name(record)


def _check_role(call: RequestContext, group: str, record: Record) -> None:
    _check_name(record)
    if not record["capabilities"]:
        raise invalid("capabilities", "at least one is required")
    if unknown := sorted(set(record["capabilities"]) - roles.OWNER):
        raise invalid("capabilities", f"unknown: {', '.join(unknown)}")
    _check_grantable(call, group, record["capabilities"])


def _check_grantable(call: RequestContext, group: str, capabilities: list[str]) -> None:
    """Nobody can grant more than they hold."""
    for capability in sorted(set(capabilities) - call.state.holds(call.caller, group)):
        raise missing(capability, group)


def _check_identity(call: RequestContext, group: str, record: Record) -> None:
    _check_name(record)
    if "/" in group:
        raise invalid("parent", "identities live directly under an organization")
    if ("staticKeys" in record) == ("claimMatch" in record):
        raise invalid("relationship", "exactly one of staticKeys and claimMatch is required")
    if "staticKeys" in record:
        _check_static_keys(call, record)


def _check_static_keys(call: RequestContext, record: Record) -> None:
    keys = record["staticKeys"]
    now, longest = call.state.simulator.clock.now(), call.state.simulator.settings["max_ttl_hours"]
    if not re.fullmatch(r"https://\S+", keys["issuer"]):
        raise invalid("static_keys.issuer", "issuer must be an https URL")
    if not keys["subject"]:
        raise invalid("static_keys.subject", "subject is required")
    try:
        jwt.keys_of(keys["issuerKeys"])
    except ValueError as error:
        raise invalid("static_keys.issuer_keys", str(error)) from error
    if len(keys["audiences"]) > 1:
        raise invalid("static_keys.audiences", "only one audience is supported")
    keys["expirationTime"] = keys["expirationTime"] or call.state.simulator.clock.rfc3339(now + longest * HOUR)
    left = timestamp("expirationTime", keys["expirationTime"]) - now
    if left <= 0:
        raise invalid("static_keys.expiration_time", "expiration time must be in the future")
    if left > longest * HOUR:
        raise invalid("static_keys.expiration_time", f"expiration time must be within {longest} hours")
    for other in call.state.identities.values():
        theirs = other.get("staticKeys", {})
        same = (theirs.get("issuer"), theirs.get("subject")) == (keys["issuer"], keys["subject"])
        if same and other["uid"] != record["uid"]:
            raise ApiError(ALREADY_EXISTS, "an identity with this issuer and subject already exists")


def _check_binding(call: RequestContext, group: str, record: Record) -> None:
    state = call.state
    if record["identityUid"] not in state.identities:
        raise ApiError(NOT_FOUND, f"Identity {record['identityUid']} not found")
    role = state.roles.get(record["roleUid"])
    if not role or not ("/" not in role["uid"] or within(group, parent_of(role["uid"]))):
        raise ApiError(NOT_FOUND, f"Role {record['roleUid']} not found")
    _check_grantable(call, group, role["capabilities"])
    wanted = (group, record["identityUid"], record["roleUid"])
    for uid, other in state.bindings.items():
        if uid != record["uid"] and (parent_of(uid), other["identityUid"], other["roleUid"]) == wanted:
            raise ApiError(ALREADY_EXISTS, "this role is bound to this identity already")


def _show_binding(state: Chainguard, binding: Record) -> Record:
    """A binding as replies have it: what it binds in words, the two UIDs of the request empty."""
    identity, role = state.identities[binding["identityUid"]], state.roles[binding["roleUid"]]
    group = state.groups[parent_of(binding["uid"])]
    match = identity.get("claimMatch") or identity["staticKeys"]
    who = {"subject": match.get("subject", ""), "issuer": match.get("issuer", ""), "email": ""}
    named = {name: _named(record) for name, record in {"identity": identity, "group": group, "role": role}.items()}
    named["identity"] |= who
    return {**binding, **named, "identityUid": "", "roleUid": ""}


def _named(record: Record) -> Record:
    return {name: record[name] for name in ("uid", "name", "description")}


def _of_relationship(record: Record, value: str) -> bool:
    name = list(RELATIONSHIPS)[int(value)] if value in ("0", "1", "2", "3", "4") else value
    if name not in RELATIONSHIPS:
        raise ApiError(INVALID_ARGUMENT, f'parsing field "relationship_type": {value} is not valid')
    return RELATIONSHIPS[name] is None or RELATIONSHIPS[name] in record


def _select_tag(tag: Record, parameters: Parameters) -> bool:
    """Referrers, dated tags and epochs are left out unless asked for."""
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
    check=_check_group,
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
    check=_check_role,
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
    check=_check_identity,
    writable=frozenset({"name", "description", "company", "staticKeys", "claimMatch"}),
    counted=True,
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
        "group": lambda binding, uid: parent_of(binding["uid"]) == uid,
    },
    check=_check_binding,
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


def _tag_history(call: RequestContext) -> dict[str, Any]:
    """Every digest that a tag has had, the first one in front. Of v1, as v2 has none."""
    tag = call.state.tags.get(call.uid)
    call.require("CAP_TAG_LIST", call.uid)
    if tag is None:
        raise ApiError(NOT_FOUND, f"Tag {call.uid} not found")
    since, until = (call.parameters.text(name) for name in ("start", "end"))
    records = [
        {"updateTimestamp": call.state.simulator.clock.rfc3339(when), "digest": digest}
        for name, when, digest in call.state.repository_at(parent_of(call.uid)).history
        if name == tag["name"]
        and (not since or when >= timestamp("start", since))
        and (not until or when <= timestamp("end", until))
    ]
    return {"items": records}


def _platforms(call: RequestContext) -> dict[str, int]:
    """The architectures of an index and their bytes: layers and configuration. The UID of the call is REPO/digests/DIGEST."""
    repo, _ignored, digest = call.uid.partition("/digests/")
    for capability in ("CAP_REPO_LIST", "CAP_MANIFEST_METADATA_LIST"):
        call.require(capability, repo)
    repository = call.state.repository_at(repo)
    if digest not in repository.manifests:
        raise ApiError(NOT_FOUND, f"Digest {digest} not found")
    sizes = {}
    for entry in json.loads(repository.manifests[digest].body)["manifests"]:
        if entry["platform"]["os"] != "unknown":
            image = json.loads(repository.manifests[entry["digest"]].body)
            sizes[entry["platform"]["architecture"]] = sum(part["size"] for part in (image["config"], *image["layers"]))
    return sizes


def _image_architectures(call: RequestContext) -> dict[str, Any]:
    return {"architectures": sorted(_platforms(call))}


def _image_size(call: RequestContext) -> dict[str, Any]:
    architecture = call.parameters.text("architecture") or "amd64"
    sizes = _platforms(call)
    if architecture not in sizes:
        raise ApiError(NOT_FOUND, f"Architecture {architecture} not found")
    return {"architecture": architecture, "size": str(sizes[architecture])}


def _batch_create(call: RequestContext) -> dict[str, Any]:
    """Bindings, all or none."""
    batch = read("BatchCreate", call.body)
    parent, requests = batch.get("parent", ""), [read("CreateRoleBinding", item) for item in batch.get("requests", [])]
    if len(requests) > BATCH_MAX:
        raise invalid("requests", f"at most {BATCH_MAX} are allowed")
    if not parent:
        raise invalid("parent", "must not be empty")
    call.require("CAP_IAM_ROLE_BINDINGS_CREATE", parent)
    made: list[Record] = []
    try:
        for request in requests:
            given, default = request.get("roleBinding", {}), batch.get("roleUid", "")
            if request.get("parent", parent) != parent:
                raise invalid("requests.parent", "must be that of the batch")
            if default and given.get("roleUid", default) != default:
                raise invalid("requests.role_binding.role_uid", "contradicts that of the batch")
            made.append(BINDINGS.add(call, parent, {"roleUid": default, **given}))
    except ApiError:
        for record in made:
            call.state.remove(call.state.bindings, record["uid"])
        raise
    return {"roleBindings": [_show_binding(call.state, record) for record in made]}


def _who_am_i(call: RequestContext) -> dict[str, Any]:
    clock, claims = call.state.simulator.clock, call.claims
    bound = [binding for binding in call.state.bindings.values() if binding["identityUid"] == call.caller]
    capabilities = [
        {
            "group": parent_of(binding["uid"]),
            "role": binding["roleUid"],
            "capabilities": [roles.dotted(name) for name in call.state.roles[binding["roleUid"]]["capabilities"]],
        }
        for binding in bound
        if call.state.settled(binding["uid"])
    ]
    return {
        "issuer": claims["iss"],
        "subject": call.caller,
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
        # In front of the collections, whose UIDs have slashes too.
        route(
            "/registry/v2/repos/{uid:path}/architectures", "GET", "platform.image.architectures", _image_architectures
        ),
        route("/registry/v2/repos/{uid:path}/size", "GET", "platform.image.size", _image_size),
        *(route for collection in collections for route in collection.routes()),
        route("/registry/v1/tags/{uid:path}/history", "GET", "platform.tag.history", _tag_history),
        route("/iam/v2/roleBindings:batchCreate", "POST", "iam.role_binding.batch_create", _batch_create),
        route("/auth/v1/ok", "GET", "auth.ok", _who_am_i),
        route("/ping/v2/ping", "GET", "ping", lambda _call: {"response": "pong"}, public=True),
    ]
