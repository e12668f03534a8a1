# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the simulated Chainguard has: groups, identities, roles, bindings, images, packages; and who may do what."""

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
from .messages import blank
from .package_store import PackageStore

ISSUER = "https://issuer.enforce.dev"
API_AUDIENCE = "https://console-api.enforce.dev"
REGISTRY_AUDIENCE = "cgr.dev"
THIRD_PARTY_ISSUER = "https://oidc.workload.example.org"

PUBLIC = "chainguard"
ORGANIZATION = "example.com"
OTHER_ORGANIZATION = "other.example.org"
PEOPLE = {  # and the role of each
    "owner": "owner",
    "pull_token_creator": "registry.pull_token_creator",
    "viewer": "viewer",
    "workload": "owner",
}
OF_BOTH = ("workload",)  # who has their role in the other organization too

TEN_YEARS = 3653 * 86400
FIRST_BUILD = 1767225600.0  # images.CREATED
DAY = 86400.0

Record = dict[str, Any]


def builder_of(name: str) -> Callable[[str, str, int], images.BuiltImage]:
    """What builds an image, or a chart, from its name, its tag and a serial number."""
    return charts.build if name in charts.CATALOG else images.build


def root_uid(name: str) -> str:
    """A UIDP of 40 hex digits, the same on every run."""
    return sha256(name.encode()).hexdigest()[:40]


def child_uid(parent: str, name: str = "") -> str:
    """A UIDP below `parent`: always the same for a name, random without one."""
    return f"{parent}/{sha256(f'{parent} {name}'.encode()).hexdigest()[:16] if name else secrets.token_hex(8)}"


def uid_of(path: str) -> str:
    """The UIDP of an organization, or of a folder, an image or a chart below it: an image has the path that the registry knows it by."""
    organization, *below = path.split("/")
    return functools.reduce(child_uid, below, root_uid(organization))


def parent_of(uid: str) -> str:
    return uid.rpartition("/")[0]


def within(uid: str, group: str) -> bool:
    return uid == group or uid.startswith(f"{group}/")


class Authority:
    """Signs what Chainguard issues, and what the lab's third-party OIDC issuer does. `since`: epoch seconds."""

    def __init__(self, since: int) -> None:
        self.since = since
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def sign(self, claims: dict[str, Any]) -> str:
        return jwt.sign(self._key, claims)

    def verify(self, token: str, now: float) -> dict[str, Any]:
        """The claims of a token of ours that has not expired, else ValueError."""
        return unexpired(jwt.verify(token, [self._key.public_key()]), now)


def unexpired(claims: dict[str, Any], now: float) -> dict[str, Any]:
    """The same claims, or ValueError when their time is over (or was never set)."""
    if not isinstance(claims.get("exp"), (int, float)) or claims["exp"] <= now:
        raise ValueError("token is expired")
    return claims


def audiences(claims: dict[str, Any]) -> list[str]:
    audience = claims.get("aud", [])
    return [audience] if isinstance(audience, str) else audience


@dataclass
class Repository:
    """One image: what its tags point to, and every manifest and blob that was ever published."""

    name: str
    tags: dict[str, str] = field(default_factory=dict)
    updated: dict[str, float] = field(default_factory=dict)
    history: list[tuple[str, float, str]] = field(default_factory=list)
    manifests: dict[str, images.Content] = field(default_factory=dict)
    blobs: dict[str, images.Content] = field(default_factory=dict)
    referrers: dict[str, list[images.Content]] = field(default_factory=dict)  # by the digest that they refer to

    def sign(self, digest: str) -> str:
        """Add a signature of a manifest, and return its digest; KeyError when there is no such manifest."""
        signature, blobs = images.signature_of(self.manifests[digest])
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
    """The state, as API messages by UID. `settles_at` tells from when (epoch seconds) a new record counts."""

    def __init__(self, simulator: Simulator, authority: Authority) -> None:
        self.simulator = simulator
        self.authority = authority
        self.groups: dict[str, Record] = {}
        self.identities: dict[str, Record] = {}
        self.roles: dict[str, Record] = {}
        self.bindings: dict[str, Record] = {}
        self.repositories: dict[str, Repository] = {}
        self.packages = PackageStore()
        self.settles_at: dict[str, float] = {}
        self._seed_iam()
        for name, recipe in images.CATALOG.items():
            self._load(name, dict.fromkeys(recipe.tags, FIRST_BUILD))
        for name, versions in charts.CATALOG.items():
            folder = name.rpartition("/")[0]
            self.put(self.groups, "Group", uid_of(folder), {"name": folder.rpartition("/")[2]})
            self._load(name, {version: FIRST_BUILD + number * DAY for number, version in enumerate(versions)})

    def _load(self, name: str, times: dict[str, float]) -> None:
        """The repository of an image or a chart. times: when each of its tags was published."""
        self.repositories[name] = repository = Repository(name)
        for tag, when in times.items():
            repository.publish(tag, builder_of(name)(name, tag, 0), when)

    def _seed_iam(self) -> None:
        for name in (PUBLIC, ORGANIZATION, OTHER_ORGANIZATION):
            ready = {"verified": True, "kind": "ORG_KIND_CUSTOMER", "status": "ORG_STATUS_READY"}
            self.put(self.groups, "Group", root_uid(name), {"name": name, **ready})
        organization = root_uid(ORGANIZATION)
        # A folder with the organization's own name, which a look-up by name alone finds too.
        self.put(self.groups, "Group", child_uid(organization, "folder"), {"name": ORGANIZATION})
        for name, capabilities in roles.MANAGED.items():
            role = {"name": name, "capabilities": sorted(capabilities)}
            self.put(self.roles, "Role", root_uid(f"role {name}"), role)
        for person, bound in PEOPLE.items():
            uid = child_uid(organization, person)
            match = blank("ClaimMatch") | {"issuer": THIRD_PARTY_ISSUER, "subject": person}
            self.put(self.identities, "Identity", uid, {"name": person.replace("_", "-"), "claimMatch": match})
            binding = {"identityUid": uid, "roleUid": root_uid(f"role {bound}")}
            for group in [organization, root_uid(OTHER_ORGANIZATION)] if person in OF_BOTH else [organization]:
                self.put(self.bindings, "RoleBinding", child_uid(group, f"{person} binding"), binding)

    def put(self, table: dict[str, Record], message: str, uid: str, fields: Record) -> Record:
        """A new record, which counts from now."""
        created = {"uid": uid, "createTime": self.simulator.clock.rfc3339()}
        table[uid] = blank(message) | fields | created
        return table[uid]

    def remove(self, table: dict[str, Record], uid: str) -> bool:
        """Whether it was there. Bindings that need the record go with it."""
        gone = [key for key, binding in self.bindings.items() if uid in (binding["identityUid"], binding["roleUid"])]
        for key in gone:
            del self.bindings[key]
        return table.pop(uid, None) is not None

    def is_parent(self, group: str) -> bool:
        tables = (self.groups, self.identities, self.roles, self.bindings)
        return any(parent_of(uid) == group for table in tables for uid in table)

    def settled(self, uid: str) -> bool:
        return self.simulator.clock.now() >= self.settles_at.get(uid, 0)

    def settle_later(self, uid: str) -> None:
        """The record counts once the setting `propagation` (seconds) has passed."""
        self.settles_at[uid] = self.simulator.clock.now() + self.simulator.settings["propagation"]

    def grants(self, identity: str) -> dict[str, set[str]]:
        """What an identity may do: group UID → capabilities, which hold in all that is below the group too."""
        grants: dict[str, set[str]] = {}
        for uid, binding in self.bindings.items():
            if binding["identityUid"] == identity and self.settled(uid):
                capabilities = self.roles[binding["roleUid"]]["capabilities"]
                grants.setdefault(parent_of(uid), set()).update(capabilities)
        return grants

    def holds(self, identity: str, at: str) -> set[str]:
        """The capabilities of an identity at a UID."""
        return {name for group, names in self.grants(identity).items() if within(at, group) for name in names}

    def may_pull(self, identity: str, repository: str) -> bool:
        """Whether an identity ("" for anonymous) may pull an image of an organization that exists."""
        organization = repository.partition("/")[0]
        if organization == PUBLIC:
            return repository in self.repositories
        return {"CAP_MANIFEST_LIST", "CAP_REPO_BLOBS_GET"} <= self.holds(identity, root_uid(organization))

    @property
    def organizations(self) -> set[str]:
        return {group["name"] for uid, group in self.groups.items() if "/" not in uid}

    def repository_at(self, uid: str) -> Repository:
        """The repository with a UID; KeyError when there is none."""
        return {uid_of(name): repository for name, repository in self.repositories.items()}[uid]

    @property
    def repos(self) -> dict[str, Record]:
        """The repositories as the API has them: images below their organization, charts below a folder of it."""
        rows = {}
        for name, repository in self.repositories.items():
            uid = uid_of(name)
            times = {"createTime": images.CREATED, "updateTime": _latest(self.simulator, repository)}
            facts = {"name": name.rpartition("/")[2], "catalogTier": "CATALOG_TIER_BASE", **times}
            rows[uid] = blank("Repo") | {"uid": uid, **facts}
        return rows

    @property
    def tags(self) -> dict[str, Record]:
        """The tags of all repositories as the API has them."""
        rows = {}
        for name, repository in self.repositories.items():
            for tag, digest in repository.tags.items():
                uid = child_uid(uid_of(name), tag)
                updated = self.simulator.clock.rfc3339(repository.updated[tag])
                rows[uid] = blank("Tag") | {"uid": uid, "name": tag, "digest": digest, "updateTime": updated}
        return rows


def _latest(simulator: Simulator, repository: Repository) -> str:
    return simulator.clock.rfc3339(max(repository.updated.values()))
