# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The identities, role bindings, roles and capabilities of one organization, each read once. Private to the collection."""

from __future__ import annotations

import threading
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._iam import Iam, Resource

Part = t.TypeVar("Part")


class OrganizationSnapshot:
    """Reads each part of an organization on first use and keeps it. Thread-safe.

    bulk: read the role bindings of all identities at once, which takes fewer requests for many tokens.
    """

    def __init__(self, iam: Iam, organization: Resource, *, bulk: bool = False) -> None:
        self.iam = iam
        self.organization = organization
        self._bulk = bulk
        self._parts: dict[t.Hashable, t.Any] = {}
        self._lock = threading.Lock()

    @property
    def uid(self) -> str:
        """UID of the organization."""
        return str(self.organization["uid"])

    def server_time(self) -> float:
        """Return the time of the service, in epoch seconds."""
        return self.iam.server_time()

    def identities(self) -> list[Resource]:
        """Return the static-key identities directly under the organization."""
        return self._read_once("identities", lambda: self.iam.identities(self.uid))

    def is_bound(self, identity: str, role: str) -> bool:
        """Return whether an identity is bound to the role with this name."""
        if not self._bulk:
            return self._read_once((identity, role), lambda: self.iam.is_bound(self.uid, identity, role))
        return (identity, role) in self._read_once("bindings", lambda: self.iam.bindings_by_identity(self.uid))

    def managed_role(self, name: str) -> Resource:
        """Return Chainguard's managed role with this name."""
        return self._read_once(("role", name), lambda: self.iam.managed_role(name))

    def granted_capabilities(self) -> frozenset[str]:
        """Return the capabilities of the credentials. Empty if Chainguard does not report them."""
        return self._read_once("capabilities", lambda: self.iam.granted_capabilities(self.uid))

    def _read_once(self, key: t.Hashable, read: t.Callable[[], Part]) -> Part:
        with self._lock:
            if key not in self._parts:
                self._parts[key] = read()
            part: Part = self._parts[key]
            return part
