# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a rotation test needs: a lab, an Ansible that runs the playbooks against it, and a client that pulls."""

from __future__ import annotations

import contextlib
import threading
import typing as t
from pathlib import Path

import httpx

from lab.client import started
from support import fork_server
from support.forked_ansible import ForkedAnsible, PlaybookProcess, RunResult
from support.lab_client import LabClient, basic_auth

KEY = "cgr-private"
USER_AGENT = "cgr.pull_through"  # the beginning of the User-Agent of the collection's modules


class PullClient:
    """Pulls images through Artifactory that are in no cache, as docker would, and records the failures."""

    image, tag = "example.com/python", "3.12"

    def __init__(self, lab: LabClient, session: httpx.Client) -> None:
        self._lab = lab
        self._session = session
        self.pulls = 0
        self.failures: list[str] = []

    def pull(self, when: str) -> None:
        """Publish a new build and pull it: the index, and manifest, configuration and last layer of its first platform."""
        build = self._lab.control("POST", "/chainguard/images", {"name": self.image, "tag": self.tag})
        self.pulls += 1
        try:
            index = self._get(f"manifests/{build['digest']}").json()
            manifest = self._get(f"manifests/{index['manifests'][0]['digest']}").json()
            for blob in (manifest["config"], manifest["layers"][-1]):
                self._get(f"blobs/{blob['digest']}")
        except httpx.HTTPError as error:
            self.failures.append(f"{when}: {error}")

    def _get(self, path: str) -> httpx.Response:
        accept = {"Accept": "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"}
        response = self._session.get(f"/v2/{KEY}/{self.image}/{path}", headers=accept, follow_redirects=True)
        return response.raise_for_status()

    @contextlib.contextmanager
    def pull_continuously(self, when: str, *, workers: int = 1, interval: float = 0.8) -> t.Iterator[None]:
        """Pull in the background until the context is left. interval: seconds between two pulls of a worker."""
        stopped = threading.Event()

        def work() -> None:
            while True:
                self.pull(when)
                if stopped.wait(interval):
                    return

        threads = [threading.Thread(target=work) for _number in range(workers)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stopped.set()
            for thread in threads:
                thread.join()


class RotationHarness:
    """A lab with an Ansible and pull clients. Scenarios return what went wrong as a list of messages."""

    def __init__(self, lab: LabClient, ansible: ForkedAnsible, session: httpx.Client) -> None:
        self.lab = lab
        self._ansible = ansible
        self._session = session
        self._series = ""
        self.outputs: list[str] = []

    def reset(self, **variables: t.Any) -> PullClient:
        """Reset the lab, set up a repository with a pull token, and return a client of it."""
        self._series = ""
        self.lab.reset()
        assert self.run("setup", **variables).code == 0, self.outputs[-1]
        return self.new_client()

    def resume(self, series: str) -> PullClient:
        """Return a client of the state that the previous case of a series left. Reset if there is none, or more than one token."""
        if self._series != series or self.token_errors(series):
            self.reset()
        self._series = series
        return self.new_client()

    def new_client(self) -> PullClient:
        return PullClient(self.lab, self._session)

    def start(self, playbook: str, *arguments: str, **variables: t.Any) -> PlaybookProcess:
        """Start a playbook. variables: as LabClient.variables() takes them."""
        # Without a grace period of its own, a run has the default of the role.
        defaults = {
            "depth": "manifest",
            "source_overrides": {"containers": {"images": ["nginx"]}},
            "grace_period": None,
        }
        return self._ansible.start(playbook, self.lab.variables("containers", **{**defaults, **variables}), *arguments)

    def wait(self, process: PlaybookProcess) -> RunResult:
        """Wait for a run, and keep its output for the search for secrets."""
        result = process.wait()
        self.outputs.append(result.output)
        return result

    def run(self, playbook: str, *arguments: str, **variables: t.Any) -> RunResult:
        """Run a playbook to its end. variables: as LabClient.variables() takes them."""
        return self.wait(self.start(playbook, *arguments, **variables))

    @property
    def username(self) -> str:
        """The user name with which Artifactory logs in to Chainguard."""
        return str(self.lab.repositories()[KEY]["username"])

    def token_errors(self, when: str) -> list[str]:
        """Return an error message unless each repository has one pull token, and there are no others."""
        tokens = sorted(token["uid"] for token in self.lab.pull_tokens())
        used = sorted(filter(None, (repository.get("username") for repository in self.lab.repositories().values())))
        return [] if tokens == used else [f"{when}: Artifactory uses {used}, Chainguard has {tokens}"]

    def max_token_count(self, since: int, initial: int) -> int:
        """Return the largest number of pull tokens at any time since a position in the request log, from an initial number."""
        largest = count = initial
        for entry in self.lab.request_log(since):
            if entry["status"] in (200, None):
                count += (entry["kind"] == "iam.identity.create") - (entry["kind"] == "iam.identity.delete")
                largest = max(largest, count)
        return largest


@contextlib.contextmanager
def open_harness(folder: Path, log_folder: Path) -> t.Iterator[RotationHarness]:
    """Start a lab and an Ansible, and create their folders."""
    folder.mkdir(parents=True)
    log_folder.mkdir(parents=True)
    with contextlib.ExitStack() as stack:
        process = stack.enter_context(started("--http"))
        lab = LabClient(process.state)
        environment = {
            fork_server.CONTROL_URL: process.state["control_url"],
            # chainctl's credentials are those of the environment, so new pull tokens go only to hosts that it names.
            "CHAINGUARD_HOSTS": lab.registry_url.partition("://")[2],
        }
        ansible = stack.enter_context(ForkedAnsible(folder, log_folder, **environment))
        headers = {"Authorization": basic_auth("puller", lab.users["puller"]["token"])}
        # The lab serves plain HTTP here: loading the CA certificates would take longer than a pull.
        with httpx.Client(base_url=lab.artifactory_url, headers=headers, trust_env=False, verify=False) as session:
            yield RotationHarness(lab, ansible, session)
