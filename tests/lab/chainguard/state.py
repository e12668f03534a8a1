# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of the simulated Chainguard: groups, identities, roles, bindings, images, packages; and access rules."""

from __future__ import annotations

import functools
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from .. import images
from ..packages import charts
from ..simulator import Simulator
from . import jwt, roles
from .messages import make_empty
from .package_store import PackageStore

ISSUER = "https://issuer.enforce.dev"
API_AUDIENCE = "https://console-api.enforce.dev"
REGISTRY_AUDIENCE = "cgr.dev"
THIRD_PARTY_ISSUER = "https://oidc.workload.example.org"

PUBLIC = "chainguard"
ORGANIZATION = "example.com"
OTHER_ORGANIZATION = "other.example.org"
SEEDED_IDENTITIES = {  # name: role
    "owner": "owner",
    "pull_token_creator": "registry.pull_token_creator",
    "viewer": "viewer",
    "workload": "owner",
}
IN_BOTH_ORGANIZATIONS = ("workload",)  # identities with a role in the other organization too

TEN_YEARS = 3653 * 86400
FIRST_BUILD = 1767225600.0  # images.CREATED
DAY = 86400.0

Record = dict[str, Any]


def get_builder(name: str) -> Callable[[str, str, int], images.BuiltImage]:
    """The function that builds an image or a chart from name, tag, and serial number."""
    return charts.build if name in charts.CATALOG else images.build


def root_uid(name: str) -> str:
    """A UIDP of 40 hex digits, the same on every run."""
    return sha256(name.encode()).hexdigest()[:40]


def child_uid(parent: str, name: str = "") -> str:
    """A UIDP below `parent`: constant for a name, random without a name."""
    return f"{parent}/{sha256(f'{parent} {name}'.encode()).hexdigest()[:16] if name else secrets.token_hex(8)}"


def get_uid(path: str) -> str:
    """The UIDP of an organization, folder, image or chart by its path in the registry."""
    organization, *below = path.split("/")
    return functools.reduce(child_uid, below, root_uid(organization))


def get_parent(uid: str) -> str:
    return uid.rpartition("/")[0]


def is_within(uid: str, group: str) -> bool:
    return uid == group or uid.startswith(f"{group}/")


class Authority:
    """Signs tokens of Chainguard and of the lab's third-party OIDC issuer. `since`: epoch seconds."""

    def __init__(self, since: int) -> None:
        self.since = since
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def sign(self, claims: dict[str, Any]) -> str:
        return jwt.sign(self._key, claims)

    def verify(self, token: str, now: float) -> dict[str, Any]:
        """The claims of a token that this authority signed. Raises ValueError if it is another's or expired."""
        return require_unexpired(jwt.verify(token, [self._key.public_key()]), now)


def require_unexpired(claims: dict[str, Any], now: float) -> dict[str, Any]:
    """Return the claims. Raises ValueError if they have expired or have no expiry."""
    if not isinstance(claims.get("exp"), (int, float)) or claims["exp"] <= now:
        raise ValueError("token is expired")
    return claims


def audiences(claims: dict[str, Any]) -> list[str]:
    audience = claims.get("aud", [])
    return [audience] if isinstance(audience, str) else audience


@dataclass
class Repository:
    """One image: the digests of its tags, and every manifest and blob that was published."""

    name: str
    tags: dict[str, str] = field(default_factory=dict)
    updated: dict[str, float] = field(default_factory=dict)
    history: list[tuple[str, float, str]] = field(default_factory=list)
    manifests: dict[str, images.Content] = field(default_factory=dict)
    blobs: dict[str, images.Content] = field(default_factory=dict)
    referrers: dict[str, list[images.Content]] = field(default_factory=dict)  # by the digest of their subject

    def sign(self, digest: str) -> str:
        """Add a signature of a manifest and return its digest. Raises KeyError if there is no such manifest."""
        signature, blobs = images.build_signature(self.manifests[digest])
        self.referrers.setdefault(digest, []).append(signature)
        self.manifests[signature.digest] = signature
        self.blobs.update((blob.digest, blob) for blob in blobs)
        return signature.digest

    def publish(self, tag: str, build: images.BuiltImage, when: float) -> None:
        self.tags[tag] = build.digest
        self.updated[tag] = when
        self.history.append((tag, when, build.digest))
        self.manifests.update((manifest.digest, manifest) for manifest in build.manifests)
        self.blobs.update((blob.digest, blob) for blob in build.blobs)


class Chainguard:
    """The state, as API messages by UID. `effective_at`: from when (epoch seconds) a new record takes effect."""

    def __init__(self, simulator: Simulator, authority: Authority) -> None:
        self.simulator = simulator
        self.authority = authority
        self.groups: dict[str, Record] = {}
        self.identities: dict[str, Record] = {}
        self.roles: dict[str, Record] = {}
        self.bindings: dict[str, Record] = {}
        self.repositories: dict[str, Repository] = {}
        self.packages = PackageStore(simulator)
        self.effective_at: dict[str, float] = {}
        self._seed_iam()
        for name, recipe in images.CATALOG.items():
            self._load(name, dict.fromkeys(recipe.tags, FIRST_BUILD))
        for name, versions in charts.CATALOG.items():
            folder = name.rpartition("/")[0]
            self.put(self.groups, "Group", get_uid(folder), {"name": folder.rpartition("/")[2]})
            self._load(name, {version: FIRST_BUILD + number * DAY for number, version in enumerate(versions)})

    def _load(self, name: str, times: dict[str, float]) -> None:
        """Add the repository of an image or a chart. `times`: the publication time of each tag."""
        self.repositories[name] = repository = Repository(name)
        for tag, when in times.items():
            repository.publish(tag, get_builder(name)(name, tag, 0), when)

    def _seed_iam(self) -> None:
        for name in (PUBLIC, ORGANIZATION, OTHER_ORGANIZATION):
            ready = {"verified": True, "kind": "ORG_KIND_CUSTOMER", "status": "ORG_STATUS_READY"}
            self.put(self.groups, "Group", root_uid(name), {"name": name, **ready})
        organization = root_uid(ORGANIZATION)
        # A folder with the organization's name: a filter by name alone finds both.
        self.put(self.groups, "Group", child_uid(organization, "folder"), {"name": ORGANIZATION})
        for name, capabilities in roles.MANAGED.items():
            role = {"name": name, "capabilities": sorted(capabilities)}
            self.put(self.roles, "Role", root_uid(f"role {name}"), role)
        for name, role_name in SEEDED_IDENTITIES.items():
            self._seed_identity(organization, name, role_name)

    def _seed_identity(self, organization: str, name: str, role_name: str) -> None:
        uid = child_uid(organization, name)
        match = make_empty("ClaimMatch") | {"issuer": THIRD_PARTY_ISSUER, "subject": name}
        self.put(self.identities, "Identity", uid, {"name": name.replace("_", "-"), "claimMatch": match})
        binding = {"identityUid": uid, "roleUid": root_uid(f"role {role_name}")}
        groups = [organization, root_uid(OTHER_ORGANIZATION)] if name in IN_BOTH_ORGANIZATIONS else [organization]
        for group in groups:
            self.put(self.bindings, "RoleBinding", child_uid(group, f"{name} binding"), binding)

    def put(self, table: dict[str, Record], message: str, uid: str, fields: Record) -> Record:
        """Store a new record, which takes effect at once."""
        created = {"uid": uid, "createTime": self.simulator.clock.rfc3339()}
        table[uid] = make_empty(message) | fields | created
        return table[uid]

    def remove(self, table: dict[str, Record], uid: str) -> bool:
        """Delete a record and the bindings that use it. Returns whether it existed."""
        uses = [key for key, binding in self.bindings.items() if uid in (binding["identityUid"], binding["roleUid"])]
        for key in uses:
            del self.bindings[key]
        return table.pop(uid, None) is not None

    def is_parent(self, group: str) -> bool:
        tables = (self.groups, self.identities, self.roles, self.bindings)
        return any(get_parent(uid) == group for table in tables for uid in table)

    def is_effective(self, uid: str) -> bool:
        return self.simulator.clock.now() >= self.effective_at.get(uid, 0)

    def delay_effect(self, uid: str) -> None:
        """Let a record take effect only after the seconds of the setting `propagation`."""
        self.effective_at[uid] = self.simulator.clock.now() + self.simulator.settings["propagation"]

    def grants(self, identity: str) -> dict[str, set[str]]:
        """The capabilities of an identity by group UID. They also apply to everything below the group."""
        grants: dict[str, set[str]] = {}
        for uid, binding in self.bindings.items():
            if binding["identityUid"] == identity and self.is_effective(uid):
                capabilities = self.roles[binding["roleUid"]]["capabilities"]
                grants.setdefault(get_parent(uid), set()).update(capabilities)
        return grants

    def capabilities_at(self, identity: str, at: str) -> set[str]:
        """The capabilities of an identity at a UID."""
        return {name for group, names in self.grants(identity).items() if is_within(at, group) for name in names}

    def may_pull(self, identity: str, repository: str) -> bool:
        """Whether an identity ("" for anonymous) may pull an image of an organization that exists."""
        organization = repository.partition("/")[0]
        if organization == PUBLIC:
            return repository in self.repositories
        return {"CAP_MANIFEST_LIST", "CAP_REPO_BLOBS_GET"} <= self.capabilities_at(identity, root_uid(organization))

    @property
    def organizations(self) -> set[str]:
        return {group["name"] for uid, group in self.groups.items() if "/" not in uid}

    def repository_at(self, uid: str) -> Repository:
        """The repository with a UID. Raises KeyError if there is none."""
        return {get_uid(name): repository for name, repository in self.repositories.items()}[uid]

    @property
    def repos(self) -> dict[str, Record]:
        """The repositories as API messages: images below their organization, charts below a folder of it."""
        rows = {}
        for name, repository in self.repositories.items():
            uid = get_uid(name)
            times = {"createTime": images.CREATED, "updateTime": _latest(self.simulator, repository)}
            fields = {"name": name.rpartition("/")[2], "catalogTier": "CATALOG_TIER_BASE", **times}
            rows[uid] = make_empty("Repo") | {"uid": uid, **fields}
        return rows

    @property
    def tags(self) -> dict[str, Record]:
        """The tags of all repositories as API messages."""
        rows = {}
        for name, repository in self.repositories.items():
            for tag, digest in repository.tags.items():
                uid = child_uid(get_uid(name), tag)
                updated = self.simulator.clock.rfc3339(repository.updated[tag])
                rows[uid] = make_empty("Tag") | {"uid": uid, "name": tag, "digest": digest, "updateTime": updated}
        return rows


def _latest(simulator: Simulator, repository: Repository) -> str:
    return simulator.clock.rfc3339(max(repository.updated.values()))
