# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Chainguard's IAM: organizations, roles, identities, role bindings. Private to the collection."""

from __future__ import annotations

import re
import typing as t
from urllib.parse import quote

from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._capabilities import capability_name
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError
from ansible_collections.cgr.pull_through.plugins.module_utils._json_api import ApiSession, is_not_found

Resource = dict[str, t.Any]

_PAGE = 200
_ORGANIZATION_UID = re.compile(r"[0-9a-f]{40}")
_IDENTITY_UID = re.compile(r"[0-9a-f]{40}/[0-9a-f]{16}")


def is_identity_uid(text: str) -> bool:
    """Return whether the text has the form of an identity's UID directly under an organization."""
    return bool(_IDENTITY_UID.fullmatch(text))


class Iam:
    """The few calls that pull tokens need, over IAM v2."""

    def __init__(self, session: ApiSession) -> None:
        self._session = session

    def now(self) -> float:
        """Return the service's time, epoch seconds. True only after the first answer."""
        return self._session.server_time()

    def organization(self, name_or_uid: str) -> Resource:
        """Return the organization, or raise InputError."""
        by_uid = _ORGANIZATION_UID.fullmatch(name_or_uid)
        query = {"uidp.inRoot": "true"} if by_uid else {"uidp.inRoot": "true", "name": name_or_uid}
        field = "uid" if by_uid else "name"
        # Folders can have the name of an organization: only a root has no slash.
        found = [
            group for group in self._pages("groups", query) if group[field] == name_or_uid and "/" not in group["uid"]
        ]
        if not found:
            raise InputError(
                f"Chainguard shows this login no organization {name_or_uid!r}.",
                hint="Check the spelling (chainctl iam organizations list), and that this login belongs to it.",
            )
        return found[0]

    def folders(self, organization: str) -> list[Resource]:
        """Return the folders directly under the organization."""
        return list(self._pages("groups", {"uidp.childrenOf": organization}))

    def managed_role(self, name: str) -> Resource:
        """Return Chainguard's own role of this name: a customer's role may have the same name, under its organization."""
        found = [
            role for role in self._pages("roles", {"name": name}) if role["name"] == name and "/" not in role["uid"]
        ]
        if not found:
            raise InputError(
                f"Chainguard has no role {name!r} for this login.",
                hint="Reading roles needs the capability roles.list.",
            )
        return found[0]

    def identities(self, organization: str, *, name: str | None = None) -> list[Resource]:
        """Return the static-key identities directly under the organization, all or those with exactly this name."""
        query = {"uidp.childrenOf": organization, "relationshipType": "RELATIONSHIP_TYPE_STATIC"}
        return list(self._pages("identities", {**query, "name": name} if name else query))

    def identity(self, uid: str) -> Resource | None:
        """Return one identity; None when it is gone."""
        found: Resource | None = self._session.call("GET", _path("identities", uid), absent=is_not_found)
        return found

    def create_identity(self, organization: str, identity: Resource) -> Resource:
        """Create an identity. Never sent again: after Unanswered, look for it by its subject."""
        created: Resource = self._session.call(
            "POST", _path("identities", organization), body=identity, idempotent=False
        )
        return created

    def delete_identity(self, uid: str) -> bool:
        """Delete an identity; its role bindings end with it. Returns False when it was gone already."""
        return self._session.call("DELETE", _path("identities", uid), absent=is_not_found) is not None

    def bind(self, organization: str, identity: str, role: str) -> Resource:
        """Give an identity a role in the organization. Never sent again: after Unanswered, look at bindings()."""
        body = {"identityUid": identity, "roleUid": role}
        created: Resource = self._session.call("POST", _path("roleBindings", organization), body=body, idempotent=False)
        return created

    def bindings(self, organization: str, *, identity: str | None = None) -> list[Resource]:
        """Return the role bindings of the organization, all or those of one identity."""
        query = {"uidp.childrenOf": organization}
        return list(self._pages("roleBindings", {**query, "identity": identity} if identity else query))

    def bindings_by_identity(self, organization: str, *, identity: str | None = None) -> frozenset[tuple[str, str]]:
        """Return who is bound to what in the organization: the identity's UID and the role's name. All, or one identity's."""
        return frozenset(
            (str((binding.get("identity") or {}).get("uid")), str((binding.get("role") or {}).get("name")))
            for binding in self.bindings(organization, identity=identity)
        )

    def is_bound(self, organization: str, identity: str, role: str) -> bool:
        """Return whether an identity has the role of this name in the organization."""
        return (identity, role) in self.bindings_by_identity(organization, identity=identity)

    def granted_capabilities(self, organization: str) -> frozenset[str]:
        """Return the capabilities that this login has in the organization. Empty when Chainguard does not tell."""
        reply = self._session.call("GET", "/auth/v1/ok")
        return frozenset(
            capability_name(capability)
            for grant in reply.get("capabilities") or []
            if grant.get("group") == organization
            for capability in grant.get("capabilities") or []
        )

    def _pages(self, collection: str, query: Resource) -> t.Iterator[Resource]:
        return paginate(self._session, f"/iam/v2/{collection}", collection, query)


def _path(collection: str, uid: str) -> str:
    # The gateway routes a path that ends in a slash elsewhere, so an empty UID must not get here.
    if not uid:
        raise ValueError("an empty UID")
    return f"/iam/v2/{collection}/{quote(uid, safe='/')}"


def paginate(session: ApiSession, path: str, name: str, query: Resource) -> t.Iterator[Resource]:
    """Yield the members of a listing, page by page. name is the key of the list in the reply."""
    token = ""
    while True:
        reply = session.call("GET", path, query={**query, "pageSize": _PAGE, **({"pageToken": token} if token else {})})
        yield from reply.get(name) or []
        token = reply.get("nextPageToken") or ""
        if not token:
            return
