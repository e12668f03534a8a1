# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Chainguard's IAM API: organizations, roles, identities, role bindings. Private to the collection."""

from __future__ import annotations

import difflib
import re
import typing as t
from urllib.parse import quote

from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._capabilities import capability_name
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._time import TIMESTAMP
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError
from ansible_collections.cgr.pull_through.plugins.module_utils._json_api import ApiSession, is_not_found
from ansible_collections.cgr.pull_through.plugins.module_utils._shape import WORD, Listing

Resource = dict[str, t.Any]

_PAGE_SIZE = 200
_NAMED = {"uid": WORD, "name": str}
_SHAPES = {
    "groups": _NAMED,
    "roles": {**_NAMED, "capabilities?": [str]},
    "identities": {
        **_NAMED,
        "description?": str,
        "createTime?": TIMESTAMP,
        "staticKeys?": {"issuer?": str, "subject?": str, "issuerKeys?": str, "expirationTime?": TIMESTAMP},
    },
    "roleBindings": {"identity?": {"uid?": str}, "role?": {"name?": str}},
}
_CAPABILITIES = {"capabilities?": [{"group?": str, "capabilities?": [str]}]}
_ORGANIZATION_UID = re.compile(r"[0-9a-f]{40}")
_IDENTITY_UID = re.compile(r"[0-9a-f]{40}/[0-9a-f]{16}")


def is_organization_uid(text: str) -> bool:
    """Return whether a text is the UID of an organization."""
    return _ORGANIZATION_UID.fullmatch(text) is not None


def is_identity_uid(text: str) -> bool:
    """Return whether the text has the form of the UID of an identity directly under an organization."""
    return bool(_IDENTITY_UID.fullmatch(text))


class Iam:
    """The calls of IAM v2 that pull tokens need. All methods raise RequestError."""

    def __init__(self, session: ApiSession) -> None:
        self._session = session

    def server_time(self) -> float:
        """Return the time of the service, in epoch seconds. Before the first response, that of this host."""
        return self._session.server_time()

    def organization(self, name_or_uid: str) -> Resource:
        """Return the organization. Raises InputError if the credentials have no access to it."""
        by_uid = is_organization_uid(name_or_uid)
        query = {"uidp.inRoot": "true"} if by_uid else {"uidp.inRoot": "true", "name": name_or_uid}
        field = "uid" if by_uid else "name"
        for group in self._list("groups", query):
            # A folder can have the name of an organization, but its UID contains a slash.
            if group[field] == name_or_uid and "/" not in group["uid"]:
                return group
        similar = "" if by_uid else self._similar_organization(name_or_uid)
        raise InputError(
            f"These Chainguard credentials have no access to an organization {name_or_uid!r}."
            + (f" Did you mean {similar}?" if similar else ""),
            hint="Check the spelling (chainctl iam organizations list), and that the credentials belong to the organization.",
        )

    def _similar_organization(self, name: str) -> str:
        """Return the organization with the most similar name, which may differ in upper and lower case only; empty if none is."""
        groups = self._list("groups", {"uidp.inRoot": "true"})
        names = {group["name"].lower(): group["name"] for group in groups if "/" not in group["uid"]}
        return next((names[match] for match in difflib.get_close_matches(name.lower(), names, 1)), "")

    def folders(self, organization: str) -> list[Resource]:
        """Return the folders directly under the organization."""
        return list(self._list("groups", {"uidp.childrenOf": organization}))

    def managed_role(self, name: str) -> Resource:
        """Return Chainguard's managed role with this name. Raises InputError."""
        for role in self._list("roles", {"name": name}):
            # A custom role can have the same name, but its UID contains that of its organization.
            if role["name"] == name and "/" not in role["uid"]:
                return role
        raise InputError(
            f"Chainguard returned no managed role {name!r} for these credentials.",
            hint="Reading roles needs the capability roles.list.",
        )

    def identities(self, organization: str, *, name: str | None = None) -> list[Resource]:
        """Return the static-key identities directly under the organization: all, or those with exactly this name."""
        query = {"uidp.childrenOf": organization, "relationshipType": "RELATIONSHIP_TYPE_STATIC"}
        return list(self._list("identities", {**query, "name": name} if name else query))

    def identity(self, uid: str) -> Resource | None:
        """Return an identity; None if it does not exist."""
        identity: Resource | None = self._session.call(
            "GET", _path("identities", uid), absent=is_not_found, shape=_SHAPES["identities"]
        )
        return identity

    def create_identity(self, organization: str, identity: Resource) -> Resource:
        """Create an identity and return it. Not retried: after an error with unknown effect, find it by its subject."""
        created: Resource = self._session.call(
            "POST", _path("identities", organization), body=identity, idempotent=False, shape=_SHAPES["identities"]
        )
        return created

    def delete_identity(self, uid: str) -> bool:
        """Delete an identity and its role bindings. Return False if it did not exist."""
        return self._session.call("DELETE", _path("identities", uid), absent=is_not_found) is not None

    def bind(self, organization: str, identity: str, role: Resource) -> None:
        """Bind an identity to a role in the organization."""
        self._session.create(
            "POST",
            _path("roleBindings", organization),
            {"identityUid": identity, "roleUid": role["uid"]},
            exists=lambda: self.is_bound(organization, identity, role["name"]),
        )

    def bindings(self, organization: str, *, identity: str | None = None) -> list[Resource]:
        """Return the role bindings of the organization: all, or those of one identity."""
        query = {"uidp.childrenOf": organization}
        return list(self._list("roleBindings", {**query, "identity": identity} if identity else query))

    def bindings_by_identity(self, organization: str, *, identity: str | None = None) -> frozenset[tuple[str, str]]:
        """Return pairs of an identity's UID and a role's name: all role bindings, or those of one identity."""
        return frozenset(
            (str((binding.get("identity") or {}).get("uid")), str((binding.get("role") or {}).get("name")))
            for binding in self.bindings(organization, identity=identity)
        )

    def is_bound(self, organization: str, identity: str, role: str) -> bool:
        """Return whether an identity is bound to the role with this name in the organization."""
        return (identity, role) in self.bindings_by_identity(organization, identity=identity)

    def granted_capabilities(self, organization: str) -> frozenset[str]:
        """Return the capabilities of the credentials in the organization. Empty if Chainguard does not report them."""
        response = self._session.call("GET", "/auth/v1/ok", shape=_CAPABILITIES)
        return frozenset(
            capability_name(capability)
            for grant in response.get("capabilities") or []
            if grant.get("group") == organization
            for capability in grant.get("capabilities") or []
        )

    def _list(self, collection: str, query: Resource) -> t.Iterator[Resource]:
        return paginate(self._session, f"/iam/v2/{collection}", collection, query, _SHAPES[collection])


def _path(collection: str, uid: str) -> str:
    # Without a UID, the path would end in a slash, which the API gateway routes elsewhere.
    if not uid:
        raise ValueError("empty UID")
    return f"/iam/v2/{collection}/{quote(uid, safe='/')}"


def paginate(session: ApiSession, path: str, key: str, query: Resource, shape: t.Any) -> t.Iterator[Resource]:
    """Yield the items of a listing, page by page. key: where the response has the list. shape: of an item."""
    listing = Listing(key, session.base_url + path)
    token = ""
    while True:
        page = {"pageSize": _PAGE_SIZE, **({"pageToken": token} if token else {})}
        page_shape = {f"{key}?": [shape], "nextPageToken?": str}
        response = session.call("GET", path, query={**query, **page}, shape=page_shape)
        items = response.get(key) or []
        token = response.get("nextPageToken") or ""
        listing.add(len(items), token)
        yield from items
        if not token:
            return
