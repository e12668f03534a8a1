# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What there is in one organization, read once for all that is done in it. Private to the collection."""

from __future__ import annotations

import threading
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._iam import Iam, Resource

Read = t.TypeVar("Read")


class OrganizationSnapshot:
    """Each part is read when it is first asked for, and kept. Safe to use from several threads.

    whole: read the role bindings of all identities at once, which is fewer requests when several are asked for.
    """

    def __init__(self, iam: Iam, organization: Resource, *, whole: bool = False) -> None:
        self.iam = iam
        self.organization = organization
        self._whole = whole
        self._kept: dict[t.Hashable, t.Any] = {}
        self._lock = threading.Lock()

    @property
    def uid(self) -> str:
        """UID of the organization."""
        return str(self.organization["uid"])

    def now(self) -> float:
        """Return the service's time, epoch seconds."""
        return self.iam.now()

    def identities(self) -> list[Resource]:
        """Return the static-key identities directly under the organization."""
        return self._once("identities", lambda: self.iam.identities(self.uid))

    def is_bound(self, identity: str, role: str) -> bool:
        """Return whether an identity has the role of this name."""
        if not self._whole:
            return self._once((identity, role), lambda: self.iam.is_bound(self.uid, identity, role))
        return (identity, role) in self._once("bindings", lambda: self.iam.bindings_by_identity(self.uid))

    def managed_role(self, name: str) -> Resource:
        """Return Chainguard's own role of this name."""
        return self._once(("role", name), lambda: self.iam.managed_role(name))

    def granted_capabilities(self) -> frozenset[str]:
        """Return the capabilities that the login has. Empty when Chainguard does not tell."""
        return self._once("held", lambda: self.iam.granted_capabilities(self.uid))

    def _once(self, part: t.Hashable, read: t.Callable[[], Read]) -> Read:
        with self._lock:
            if part not in self._kept:
                self._kept[part] = read()
            kept: Read = self._kept[part]
            return kept
