# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A scenario of the system tests: playbooks that run one after another against a lab, and the state after each of them."""

from __future__ import annotations

import dataclasses
import typing as t

from lab.client import EXPIRATION
from support.lab_client import Json, LabClient
from support.playbook_runner import Run

PUBLIC, PRIVATE = "cgr-public", "cgr-private"


@dataclasses.dataclass(frozen=True)
class Step:
    """One run of a scenario: what it wrote, and the state of the lab after it."""

    run: Run
    writes: list[Json]
    repositories: dict[str, Json]
    pull_tokens: list[Json]

    @property
    def only_token(self) -> str:
        """The UID of the only pull token."""
        assert len(self.pull_tokens) == 1, self.pull_tokens
        return str(self.pull_tokens[0]["uid"])

    @property
    def credentials(self) -> tuple[str, str]:
        """The user name and password that the private repository has stored."""
        repository = self.repositories[PRIVATE]
        return repository["username"], repository["password"]

    @property
    def changes(self) -> list[Json]:
        """The writes but for expirations, which a verification needs."""
        return [entry for entry in self.writes if entry["kind"] != EXPIRATION]

    def write_kinds(self) -> list[str]:
        """Return the kinds of the writes in order."""
        return [entry["kind"] for entry in self.writes]

    def pull_result(self, key: str) -> Json:
        """Return the result of the only image or artifact that verified a repository."""
        (result,) = self.run.pull_results(key)
        return dict(result)


class Scenario:
    """Runs playbooks against a lab, which it resets first."""

    def __init__(self, lab: LabClient, run_playbook: t.Callable[..., Run]) -> None:
        lab.reset()
        self.lab = lab
        self._run_playbook = run_playbook

    def run(self, playbook: str, variables: Json, *arguments: str) -> Step:
        """Run a playbook of the collection."""
        before = self.lab.log_position()
        run = self._run_playbook(f"cgr.pull_through.{playbook}", variables, *arguments)
        return Step(run, self.lab.writes(before), self.lab.repositories(), self.lab.pull_tokens())
