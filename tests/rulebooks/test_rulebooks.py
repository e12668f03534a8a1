# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rulebooks of extensions/eda in ansible-rulebook: events as the documentation has them, and requests of others."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
import typing as t
from pathlib import Path

import httpx
import pytest

from lab.client import started
from rulebooks.controller import record_launches
from support.lab_client import Json, LabClient
from support.playbook_runner import COLLECTIONS, PlaybookRunner, write_private_json
from support.programs import find_program
from support.scenario import PRIVATE, PUBLIC
from support.services import find_free_port

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ROOT / ".cache" / "rulebook" / "bin"
TOKEN = "webhook-token"
SECONDS = 60.0
PUSH = json.loads(Path(__file__).with_name("push.json").read_text(encoding="utf-8"))
HOSTILE = "{{ lookup('ansible.builtin.pipe', 'touch FILE') }}"


class Rulebook:
    """A running rulebook."""

    def __init__(self, registry_url: str, webhook_url: str, log: Path) -> None:
        self._registry_url, self._webhook_url = registry_url, webhook_url
        self._log = log

    def push(self, repository: str, tag: str, kind: str = "manifest", event: str = "push") -> None:
        """Send an event as Chainguard does."""
        body = {**PUSH["body"], "body": {**PUSH["body"]["body"], "repository": repository, "tag": tag, "type": kind}}
        headers = {**PUSH["headers"], "Ce-Type": f"dev.chainguard.registry.{event}.v1"}
        httpx.post(self._registry_url, json=body, headers=headers, trust_env=False).raise_for_status()

    def request(self, token: str = TOKEN, **payload: str) -> int:
        """Send a request to the other webhook, and return its status."""
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.post(self._webhook_url, json=payload, headers=headers, trust_env=False).status_code

    def wait_for(self, is_done: t.Callable[[], bool]) -> None:
        """Return when a condition holds."""
        end = time.monotonic() + SECONDS
        while not is_done():
            assert time.monotonic() < end, self.output()
            time.sleep(0.1)

    def output(self) -> str:
        return self._log.read_text(encoding="utf-8")


@contextlib.contextmanager
def run_rulebook(name: str, folder: Path, variables: Json, *arguments: str) -> t.Iterator[Rulebook]:
    """Start a rulebook that collects events for two seconds, and yield it once it receives events."""
    find_program("java")
    text = (ROOT / "extensions/eda/rulebooks" / name).read_text(encoding="utf-8")
    assert text.count("once_after: 2 minutes") == 3
    rulebook = folder / "rulebook.yml"
    rulebook.write_text(text.replace("once_after: 2 minutes", "once_after: 2 seconds"), encoding="utf-8")
    inventory = write_private_json(folder / "hosts.json", {"all": {"hosts": {"localhost": variables}}})
    registry_port, webhook_port = find_free_port(), find_free_port()
    ports = {"registry_events_port": registry_port, "webhook_port": webhook_port}
    options = write_private_json(folder / "ports.json", ports)
    command = [str(PROGRAMS / "ansible-rulebook"), "--rulebook", str(rulebook), "--inventory", str(inventory)]
    command += ["--vars", str(options), "--env-vars", "WEBHOOK_TOKEN", "--verbose", *arguments]
    environment = {
        "PATH": os.pathsep.join([str(PROGRAMS), "/usr/local/bin", "/usr/bin", "/bin"]),
        "HOME": str(folder),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_NOCOLOR": "1",
        "EDA_JOB_TEMPLATE_REFRESH_DELAY": "0.1",
        "WEBHOOK_TOKEN": TOKEN,
    }
    log = folder / "log.txt"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT)
    urls = [f"http://127.0.0.1:{port}/" for port in (registry_port, webhook_port)]
    running = Rulebook(urls[0], urls[1], log)
    try:
        running.wait_for(lambda: process.poll() is not None or all(map(_is_up, urls)))
        assert process.poll() is None, running.output()
        yield running
    finally:
        process.terminate()
        process.wait(timeout=SECONDS)


def _is_up(url: str) -> bool:
    try:
        return bool(httpx.get(url, trust_env=False).status_code)
    except httpx.TransportError:
        return False


def send_events(rulebook: Rulebook) -> None:
    """Send what the rules take, three times, and much that they must ignore."""
    for _attempt in range(3):
        rulebook.push("example.com/nginx", "latest")
        rulebook.push("example.com/python", "3.13")
        assert rulebook.request(image="example.com/jdk:openjdk-21") == 200
        assert rulebook.request(source="containers_public") == 200
    for repository, tag, kind, event in (
        ("example.com/nginx", "1.27", "manifest", "pull"),
        ("example.com/nginx", "1.27", "blob", "push"),
        ("example.com/nginx", f"sha256-{'0' * 64}.sig", "manifest", "push"),
        (HOSTILE, "latest", "manifest", "push"),
        ("example.com/nginx", HOSTILE, "manifest", "push"),
    ):
        rulebook.push(repository, tag, kind, event)
    assert rulebook.request(image=HOSTILE) == rulebook.request(source=HOSTILE) == 200
    assert rulebook.request(token="other", image="example.com/nginx:1.27") == 401


@pytest.fixture(scope="module")
def lab() -> t.Iterator[LabClient]:
    with started() as process:
        yield LabClient(process.state)


def test_playbooks_warm_and_verify_what_events_name(lab: LabClient, tmp_path: Path) -> None:
    (tmp_path / "setup").mkdir()
    variables = lab.variables("containers_public", "containers", depth="manifest")
    run = PlaybookRunner(lambda: tmp_path / "setup")("cgr.pull_through.setup", variables)
    assert run.code == 0, run.output
    for key in (PUBLIC, PRIVATE):
        lab.clear_cache(key)
    position = lab.log_position()

    (tmp_path / "rulebook").mkdir()
    with run_rulebook("events.yml", tmp_path / "rulebook", variables) as rulebook:
        send_events(rulebook)
        expected = {"example.com/nginx:latest", "example.com/python:3.13", "example.com/jdk:openjdk-21"}
        rulebook.wait_for(lambda: _cached_images(lab, PRIVATE) >= expected and bool(_cached_images(lab, PUBLIC)))
        assert _cached_images(lab, PRIVATE) == expected
    pulls = [entry["path"] for entry in lab.request_log(position) if entry["kind"] == "docker.blob"]
    assert pulls and len(pulls) == len(set(pulls))


def test_job_templates_start_with_what_events_name(tmp_path: Path) -> None:
    with record_launches() as (url, launches):
        controller = ("--controller-url", url, "--controller-token", "token")
        with run_rulebook("events_awx.yml", tmp_path, {}, *controller) as rulebook:
            send_events(rulebook)
            rulebook.wait_for(lambda: len(launches) == 3)
    for _name, extra_vars in launches:
        extra_vars.pop("ansible_eda", None)
    by_size = sorted(launches, key=lambda launch: (launch[0], len(str(launch[1]))))
    assert [name.rpartition(" ")[2] for name, _extra_vars in by_size] == ["verify", "warm", "warm"]
    assert by_size[0][1] == {"pull_through_only": ["containers_public"]}
    assert by_size[1][1]["warm_images"].strip(" ,") == "example.com/jdk:openjdk-21"
    images = [image.strip() for image in by_size[2][1]["warm_images"].split(",") if image.strip()]
    assert sorted(images) == ["example.com/nginx:latest", "example.com/python:3.13"]


def _cached_images(lab: LabClient, key: str) -> set[str]:
    paths = lab.control("GET", f"/artifactory/cache/{key}")
    tags = [path.rpartition("/")[0].rpartition("/") for path in paths if path.endswith("manifest.json")]
    return {f"{image}:{tag}" for image, _slash, tag in tags if "__" not in tag}
