# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of the simulated Artifactory. A reset replaces it, except for the installation."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from typing import Any

from ..simulator import Simulator
from .auth import ANONYMOUS, Authenticator, Signer, Token, User
from .cache import FileStore
from .cipher import Cipher
from .docker_remote import DOCKER_TYPES, DockerRemote
from .files import FileRemote
from .permissions import Permissions
from .remote import Remote
from .responses import ApiError
from .settings import Settings
from .store import Repository, RepositoryStore
from .upstream import TokenCache

# The seeded users with their actions on all remote repositories.
USERS: dict[str, list[str]] = {
    "admin": [],
    "reader": ["READ"],
    "puller": ["READ", "WRITE"],
    "manager": ["READ", "WRITE", "DELETE", "MANAGE"],
    "project_admin": [],
}
PROJECT = "cgr"  # the project that project_admin administers


class Installation:
    """Keys, users and tokens of the server, which a reset keeps, because the state file contains them."""

    def __init__(self, simulator: Simulator) -> None:
        self.id = secrets.token_hex(20)
        self.node_id = f"artifactory-{secrets.token_hex(4)}"
        self.service_id = f"jfac@01{secrets.token_hex(12)}"
        self.signer = Signer()
        self.cipher = Cipher()
        self.users = {name: User(name, simulator.secret(f"artifactory.{name}"), name == "admin") for name in USERS}
        self.users["project_admin"] = replace(self.users["project_admin"], project=PROJECT)
        issuer = Authenticator(simulator.clock.now, self.signer, self.service_id)
        self.tokens: dict[str, Token] = {name: issuer.issue(name) for name in USERS}


class Artifactory:
    """Everything that requests can change."""

    def __init__(self, simulator: Simulator, installation: Installation) -> None:
        self.simulator = simulator
        self.installation = installation
        self.settings = Settings(simulator.settings)
        self.store = RepositoryStore(self.settings, installation.cipher)
        self.files = FileStore()
        self.permissions = Permissions(self.store)
        self.groups = {"readers"}
        self.authenticator = Authenticator(simulator.clock.now, installation.signer, installation.service_id)
        self.authenticator.users.update(installation.users)
        self.authenticator.tokens.update({token.id: token for token in installation.tokens.values()})
        self.upstream_tokens = TokenCache(
            simulator.clock.now, lambda: self.settings["artifactory_upstream_token_seconds"]
        )
        self._remotes: dict[str, Remote[Any, Any]] = {}
        self._saving = asyncio.Lock()
        for name, actions in USERS.items():
            if actions:
                self.permissions.grant(f"{name}s", name, actions, "ANY REMOTE")
        self.permissions.grant("Anything", ANONYMOUS, ["READ"], "ANY LOCAL")
        self.permissions.grant("Any Remote", ANONYMOUS, ["READ", "WRITE"], "ANY REMOTE")

    def remote(self, repository: Repository) -> Remote[Any, Any]:
        """Cache and upstream of a remote repository."""
        if repository.key not in self._remotes:
            kind = DockerRemote if repository.package_type in DOCKER_TYPES else FileRemote
            self._remotes[repository.key] = kind(self, repository.key)
        return self._remotes[repository.key]

    def members(self, repository: Repository) -> list[Remote[Any, Any]]:
        """The remote repository itself, or those of a virtual repository in resolution order."""
        members = self.store.members(repository.key)
        return [self.remote(member) for member in members if member.rclass == "remote"]

    async def finish_save(self, *repositories: Repository) -> None:
        """Wait for the setting `artifactory_save_seconds` and restart the saved remote repositories."""
        if seconds := self.settings["artifactory_save_seconds"]:
            async with self._saving:
                await asyncio.sleep(seconds * len(repositories))
        for repository in repositories:
            if repository.rclass == "remote":
                self.remote(repository).restart()

    def drop_remote(self, repository: Repository) -> int:
        """Drop the cache of a deleted repository, and return the number of its files."""
        remote = self._remotes.pop(repository.key, None)
        return remote.cache.remove("") if remote else 0

    def cache_owner(self, key: str) -> Repository:
        """The remote repository of `<key>-cache`. Raises ApiError 404 if there is none."""
        owner = self.store.get(key.removesuffix("-cache"))
        if not key.endswith("-cache") or owner is None or owner.rclass != "remote":
            raise ApiError(404, "Unable to find item")
        return owner
