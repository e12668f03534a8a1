# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands between a company's controller and the services: a proxy, a CA of its own, client certificates.

All services go by their real names here, which lead to the lab through the proxy and nowhere else: what gets there came that way.
"""

from __future__ import annotations

import dataclasses
import stat
import typing as t
from pathlib import Path

import pytest

from lab.client import started
from lab.simulator import ARTIFACTORY_HOST, BLOBS_HOST
from support.forward_proxy import ForwardProxy, names_of
from support.lab_client import Json, LabClient
from support.playbook_runner import COLLECTIONS, PlaybookRunner, Run
from support.secret_scan import Scanner

PASSWORD = "the-pass word:of/the@proxy"
ENCODED = "the-pass%20word%3Aof%2Fthe%40proxy"
ARTIFACTORY = f"https://{ARTIFACTORY_HOST}"
CHAINGUARD_HOSTS = {"console-api.enforce.dev", "issuer.enforce.dev"}
OFFLINE = {"kubernetes_image_info"}
MODULES = sorted(
    {path.stem for path in (COLLECTIONS / "ansible_collections/cgr/pull_through/plugins/modules").glob("*.py")}
    - OFFLINE
)

IMAGES = {"package_type": "docker", "url": "https://cgr.dev/", "settings": {"enableTokenAuthentication": True}}


# One task for each module, in an order that works, and all the hosts that it talks to. A new module needs a line here.
def tasks_of(lab: LabClient) -> dict[str, tuple[Json, set[str]]]:
    apk = f"https://virtualapk.cgr.dev/{lab.organization['uid']}/chainguard"
    artifactory = {ARTIFACTORY_HOST}
    return {
        "artifactory_remote_repository": ({"key": "images", **IMAGES}, artifactory),
        "artifactory_virtual_repository": ({"key": "all-images", "repositories": ["images"]}, artifactory),
        "artifactory_repository_info": ({}, artifactory),
        "artifactory_permission": (
            {
                "name": "pull",
                "repositories": ["images"],
                "users": [{"name": "reader", "actions": ["read"]}],
            },
            artifactory,
        ),
        "artifactory_access_token": ({"username": "reader", "expires_in": 600}, artifactory),
        "artifactory_repository_cache": ({"key": "images", "state": "expired"}, artifactory),
        "artifactory_repository_cache_info": ({"key": "images"}, artifactory),
        "registry_pull": (
            {"repository": "images", "images": ["chainguard/wolfi-base"], "upstream_url": "https://cgr.dev"},
            {ARTIFACTORY_HOST, "cgr.dev"},
        ),
        "artifact_pull": (
            {"repository": "apk", "package_type": "alpine", "artifacts": ["lab-greeting"], "upstream_url": apk},
            {ARTIFACTORY_HOST, "virtualapk.cgr.dev", BLOBS_HOST},
        ),
        "chainguard_image_info": ({"organization": "example.com"}, {"console-api.enforce.dev"}),
        "chainguard_pull_token": ({"name": "network", "ecosystem": "oci"}, CHAINGUARD_HOSTS),
        "chainguard_pull_token_info": ({"organization": "example.com"}, {"console-api.enforce.dev"}),
    }


# Not talked to by default values: that a module reads Artifactory's login is told by its options.
def logins(lab: LabClient) -> Json:
    trust = {"ca_path": lab.ca_path}
    return {
        "group/cgr.pull_through.artifactory": {
            "artifactory_url": ARTIFACTORY,
            "artifactory_access_token": lab.admin_token,
            "client_cert": lab.state["client_cert_path"],
            **trust,
        },
        "group/cgr.pull_through.chainguard": {
            "organization": lab.organization["name"],
            "chainguard_api_token": lab.api_tokens["owner"],
            **trust,
        },
    }


@pytest.fixture(scope="module")
def strict_lab() -> t.Iterator[LabClient]:
    """One whose Artifactory demands a client certificate, and which all others ask for one."""
    with started("--client-certificates") as process:
        yield LabClient(process.state)


# --- each module ------------------------------------------------------------------------------------------------------
@dataclasses.dataclass(frozen=True)
class Modules:
    """Each module through the proxy: as it should be, without the CA, without the client certificate."""

    tasks: dict[str, tuple[Json, set[str]]]
    proxy: ForwardProxy
    run: Run
    request_log: list[Json]


@pytest.fixture(scope="module")
def modules(strict_lab: LabClient, run_playbook: PlaybookRunner) -> Modules:
    lab = strict_lab
    tasks = tasks_of(lab)
    lab.create_repository("apk", packageType="alpine", url=tasks["artifact_pull"][0]["upstream_url"])
    lab.artifactory("POST", "/repositories/apk", {"disableUrlNormalization": True})
    before = lab.log_position()
    with ForwardProxy(names_of(lab), password=PASSWORD).running() as proxy:
        listed = [
            {
                "name": f"{module} | {way}",
                f"cgr.pull_through.{module}": {**options, **missing},
                # Its name is the user of the proxy, who tells whose request it was.
                "environment": {"HTTPS_PROXY": proxy.url(f"{module}-{way.replace(' ', '-')}", ENCODED)},
            }
            for module, (options, hosts) in tasks.items()
            for way, missing in WAYS.items()
            if way != "no certificate" or ARTIFACTORY_HOST in hosts
        ]
        run = run_playbook.tasks(listed, logins(lab))
    return Modules(tasks, proxy, run, lab.request_log(before))


WAYS: dict[str, Json] = {"right": {}, "no CA": {"ca_path": ""}, "no certificate": {"client_cert": ""}}
TO_ARTIFACTORY = [
    module for module in MODULES if module.startswith("artifactory") or module in ("artifact_pull", "registry_pull")
]


@pytest.mark.parametrize("module", MODULES)
def test_each_module_goes_through_the_proxy(modules: Modules, module: str) -> None:
    assert modules.run.task(f"{module} | right").status == "ok", modules.run.output
    assert modules.proxy.hosts(f"{module}-right") == modules.tasks[module][1]


@pytest.mark.parametrize("module", MODULES)
def test_each_module_trusts_the_ca_of_ca_path_and_no_other(modules: Modules, module: str) -> None:
    task = modules.run.task(f"{module} | no CA")
    assert task.status == "failed"
    assert "is not trusted" in task.message and "ca_path" in task.message


@pytest.mark.parametrize("module", TO_ARTIFACTORY)
def test_each_module_says_that_artifactory_demands_a_certificate(modules: Modules, module: str) -> None:
    task = modules.run.task(f"{module} | no certificate")
    assert task.status == "failed"
    assert "No required SSL certificate was sent" in task.message and "Set client_cert" in task.message


def test_only_artifactory_is_shown_the_client_certificate(modules: Modules) -> None:
    asked = [entry for entry in modules.request_log if entry["user_agent"].startswith("cgr.pull_through")]
    services = {entry["service"] for entry in asked}
    assert {entry["service"] for entry in asked if entry["certificate"]} == {"artifactory"}
    assert all(entry["certificate"] or entry["status"] == 400 for entry in asked if entry["service"] == "artifactory")
    assert services == {"artifactory", "api", "registry", "virtualapk", "blobs"}


# --- the role ---------------------------------------------------------------------------------------------------------
@dataclasses.dataclass(frozen=True)
class Setups:
    """The setup of images and a library: with a login at the proxy, with a wrong one, and with Artifactory beside the proxy."""

    through: Run
    through_hosts: set[str]
    services: set[str]
    again: Run
    again_writes: list[Json]
    refused: Run
    refused_writes: list[Json]
    beside: Run
    beside_hosts: set[str]
    secrets: list[str]


@pytest.fixture(scope="module")
def setups(strict_lab: LabClient, run_playbook: PlaybookRunner) -> Setups:
    lab = strict_lab
    lab.reset()
    proxied = variables(lab, ARTIFACTORY)
    with ForwardProxy(names_of(lab), password=PASSWORD).running() as proxy:
        right, wrong = ({"HTTPS_PROXY": proxy.url("setup", one)} for one in (ENCODED, "a-wrong-password"))
        refused = run_playbook(SETUP, proxied, "-vvv", environment=wrong)
        refused_writes = lab.writes()
        through = run_playbook(SETUP, proxied, environment=right)
        services = {
            entry["service"] for entry in lab.request_log() if entry["user_agent"].startswith("cgr.pull_through")
        }
        through_hosts, before = proxy.hosts(), lab.log_position()
        again = run_playbook(SETUP, proxied, environment=right)
        again_writes = lab.writes(before)

        lab.reset()
        proxy.seen.clear()
        environment = {**right, "NO_PROXY": "127.0.0.1,.example.org"}
        beside = run_playbook(SETUP, variables(lab, lab.artifactory_url), environment=environment)
    return Setups(
        through,
        through_hosts,
        services,
        again,
        again_writes,
        refused,
        refused_writes,
        beside,
        proxy.hosts(),
        lab.credentials(),
    )


SETUP = "cgr.pull_through.setup"
SECRETS = {"password of the proxy": PASSWORD, "the same, encoded": ENCODED, "a wrong one": "a-wrong-password"}
UPSTREAM_HOSTS = {*CHAINGUARD_HOSTS, "cgr.dev", "libraries.cgr.dev", BLOBS_HOST}


def variables(lab: LabClient, artifactory_url: str) -> Json:
    """Return what a user writes: the real names of Chainguard's hosts are the defaults."""
    defaults = ("api_url", "issuer_url", "registry_url", "libraries_url", "apk_url", "virtualapk_url")
    return lab.variables(
        "containers",
        "java",
        artifactory_url=artifactory_url,
        artifactory_client_cert=lab.state["client_cert_path"],
        source_overrides={"containers": {"images": ["nginx"]}, "java": {"artifacts": ["com.example:lab-greeting"]}},
        **{f"chainguard_{name}": None for name in defaults},
    )


def test_setup_works_with_every_request_through_the_proxy(setups: Setups) -> None:
    assert setups.through.code == 0, setups.through.output
    assert setups.through_hosts == {ARTIFACTORY_HOST, *UPSTREAM_HOSTS}
    assert setups.services == {"artifactory", "api", "registry", "libraries", "blobs"}


def test_the_second_run_through_the_proxy_writes_nothing(setups: Setups) -> None:
    assert (setups.again.code, setups.again.changed, setups.again_writes) == (0, [], [])


def test_a_login_that_the_proxy_refuses_is_told(setups: Setups) -> None:
    assert setups.refused.code != 0
    said = setups.refused.failure()
    assert "refuses the login" in said and "HTTPS_PROXY" in said
    assert setups.refused_writes == []


def test_no_proxy_takes_artifactory_out_and_leaves_chainguard_to_the_proxy(setups: Setups) -> None:
    assert setups.beside.code == 0, setups.beside.output
    assert setups.beside_hosts == UPSTREAM_HOSTS


@pytest.mark.parametrize("which", ["through", "again", "refused", "beside"])
def test_no_run_prints_a_secret(setups: Setups, which: str) -> None:
    sent = {secret[-12:]: secret for secret in setups.secrets if len(secret) >= 12}
    found = Scanner({**SECRETS, **sent}).find_all([(which, getattr(setups, which).output.encode())])
    assert found == {}


# --- what goes wrong --------------------------------------------------------------------------------------------------
@dataclasses.dataclass(frozen=True)
class Trouble:
    """Environment variables of a task, with {name: user and password} of the proxy, and the words that the failure has."""

    proxy: str
    says: tuple[str, ...]
    scheme: str = "https"


TROUBLES = {
    "login missing": Trouble("http://{place}", ("demands a login", "HTTPS_PROXY", "percent-encoded")),
    "login wrong": Trouble("http://setup:a-wrong-password@{place}", ("refuses the login", "HTTPS_PROXY")),
    "login missing, plain HTTP": Trouble("http://{place}", ("demands a login", "HTTP_PROXY"), scheme="http"),
    "login wrong, plain HTTP": Trouble("http://setup:a-wrong-password@{place}", ("refuses the login",), scheme="http"),
    "not encoded": Trouble("http://setup:a-wrong-password#2@{place}", ("URL of the proxy", "percent-encoded")),
    "not allowed": Trouble("http://setup:{password}@{closed}", ("refuses to connect", "403", "NO_PROXY")),
    "not reached": Trouble("http://setup:{password}@{blind}", ("does not reach", "502", "NO_PROXY")),
    "no such proxy": Trouble("http://setup:{password}@proxy.invalid:3128", ("proxy.invalid:3128", "be resolved")),
    "no proxy there": Trouble("http://setup:{password}@127.0.0.1:1", ("the proxy 127.0.0.1:1", "cannot be reached")),
    "SOCKS": Trouble("socks5://setup:{password}@{place}", ("URL of the proxy", "SOCKS")),
}


@pytest.fixture(scope="module")
def troubled(running_plain_lab: LabClient, strict_lab: LabClient, run_playbook: PlaybookRunner) -> Run:
    running_plain_lab.reset()
    plain, names = names_of(running_plain_lab), names_of(strict_lab)
    with (
        ForwardProxy({**plain, **names}, PASSWORD).running() as proxy,
        ForwardProxy(names, PASSWORD, frozenset({ARTIFACTORY_HOST})).running() as closed,
        ForwardProxy({}, PASSWORD).running() as blind,
    ):
        known = {"place": proxy.place, "closed": closed.place, "blind": blind.place, "password": ENCODED}
        tasks = [
            {
                "name": name,
                "cgr.pull_through.artifactory_repository_info": {
                    "artifactory_url": f"{one.scheme}://{ARTIFACTORY_HOST}"
                },
                "environment": {f"{one.scheme.upper()}_PROXY": one.proxy.format(**known)},
            }
            for name, one in TROUBLES.items()
        ]
        return run_playbook.tasks(tasks, logins(strict_lab))


@pytest.mark.parametrize("name", TROUBLES)
def test_each_trouble_with_the_proxy_has_words_of_its_own(troubled: Run, name: str) -> None:
    task = troubled.task(name)
    assert task.status == "failed"
    assert [words for words in TROUBLES[name].says if words not in task.message] == [], task.message


def test_no_trouble_shows_a_password(troubled: Run) -> None:
    assert Scanner(SECRETS).find_all([("output", troubled.output.encode())]) == {}


# --- chainctl ---------------------------------------------------------------------------------------------------------
def test_chainctl_is_run_with_the_same_proxy(
    strict_lab: LabClient, run_playbook: PlaybookRunner, tmp_path: Path
) -> None:
    program = tmp_path / "chainctl"
    program.write_text(f'#!/bin/sh\necho "$HTTPS_PROXY" > {tmp_path}/proxy\necho {strict_lab.api_tokens["owner"]}\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    with ForwardProxy(names_of(strict_lab)).running() as proxy:
        defaults = logins(strict_lab)
        del defaults["group/cgr.pull_through.chainguard"]["chainguard_api_token"]
        task = {"name": "Look", "cgr.pull_through.chainguard_image_info": {"chainctl": str(program)}}
        run = run_playbook.tasks([task], defaults, HTTPS_PROXY=proxy.url())
        assert run.task("Look").status == "ok", run.output
        assert (tmp_path / "proxy").read_text(encoding="utf-8").strip() == proxy.url()
