# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is between a controller and the services: a proxy, a private CA, client certificates.

All services have the names of the real ones here. These names reach the lab only through the proxy, so a request that arrives has used it.
"""

from __future__ import annotations

import dataclasses
import json
import stat
import typing as t
from pathlib import Path

import pytest

from lab.client import started
from lab.simulator import ARTIFACTORY_HOST, BLOBS_HOST
from support.forward_proxy import ForwardProxy, service_addresses
from support.lab_client import Json, LabClient
from support.playbook_runner import COLLECTIONS, PlaybookRunner, Run
from support.rotation_harness import USER_AGENT
from support.secret_scan import Scanner

PASSWORD = "the-pass word:of/the@proxy"
ENCODED = "the-pass%20word%3Aof%2Fthe%40proxy"
ARTIFACTORY = f"https://{ARTIFACTORY_HOST}"
CHAINGUARD_HOSTS = {"console-api.enforce.dev", "issuer.enforce.dev"}
OFFLINE = {"grace_period_wait", "kubernetes_image_info"}
MODULES = sorted(
    {path.stem for path in (COLLECTIONS / "ansible_collections/cgr/pull_through/plugins/modules").glob("*.py")}
    - OFFLINE
)

IMAGES = {"package_type": "docker", "url": "https://cgr.dev/", "settings": {"enableTokenAuthentication": True}}


def module_tasks(lab: LabClient) -> dict[str, tuple[Json, set[str]]]:
    """Return the options of one task for each module, in an order that works, and all hosts that it connects to.

    A new module needs an entry here.
    """
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
        "artifactory_diagnosis": (
            {
                "sources": [{"key": "images", "images": ["chainguard/wolfi-base"], **IMAGES}],
                "hosts": ["https://cgr.dev"],
            },
            {ARTIFACTORY_HOST, "cgr.dev", BLOBS_HOST, "console-api.enforce.dev"},
        ),
        "registry_pull": (
            {"repository": "images", "images": ["chainguard/wolfi-base"], "upstream_url": "https://cgr.dev"},
            {ARTIFACTORY_HOST, "cgr.dev"},
        ),
        "artifact_pull": (
            {"repository": "apk", "package_type": "alpine", "artifacts": ["lab-greeting"], "upstream_url": apk},
            {ARTIFACTORY_HOST, "virtualapk.cgr.dev", BLOBS_HOST},
        ),
        "chainguard_image_info": ({"organization": "example.com"}, {"console-api.enforce.dev"}),
        "chainguard_library_info": ({"ca_path": lab.ca_path}, {"libraries.cgr.dev"}),
        "chainguard_pull_token": ({"name": "network", "ecosystem": "oci"}, CHAINGUARD_HOSTS),
        "chainguard_pull_token_info": ({"organization": "example.com"}, {"console-api.enforce.dev"}),
    }


def connection_defaults(lab: LabClient) -> Json:
    """Return module_defaults with the real URLs. Chainguard's URLs are the defaults of the options."""
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


def is_from_collection(entry: Json) -> bool:
    """Return whether a module of the collection sent a request of the request log."""
    return str(entry["user_agent"]).startswith(USER_AGENT)


@pytest.fixture(scope="module")
def strict_lab() -> t.Iterator[LabClient]:
    """A lab whose Artifactory requires a client certificate, and whose other services request one."""
    with started("--client-certificates") as process:
        yield LabClient(process.state)


# --- each module ------------------------------------------------------------------------------------------------------
@dataclasses.dataclass(frozen=True)
class ModuleRuns:
    """Each module through the proxy, with each of VARIANTS."""

    tasks: dict[str, tuple[Json, set[str]]]
    proxy: ForwardProxy
    run: Run
    request_log: list[Json]


# Options that a variant adds to a task.
VARIANTS: dict[str, Json] = {"complete": {}, "no CA": {"ca_path": ""}, "no certificate": {"client_cert": ""}}


@pytest.fixture(scope="module")
def modules(strict_lab: LabClient, run_playbook: PlaybookRunner) -> ModuleRuns:
    lab = strict_lab
    tasks = module_tasks(lab)
    lab.create_repository("apk", packageType="alpine", url=tasks["artifact_pull"][0]["upstream_url"])
    lab.artifactory("POST", "/repositories/apk", {"disableUrlNormalization": True})
    before = lab.log_position()
    with ForwardProxy(service_addresses(lab), password=PASSWORD).serve() as proxy:
        listed = [
            {
                "name": f"{module} | {variant}",
                f"cgr.pull_through.{module}": {**options, **overrides},
                # The user of the proxy shows which task sent a request.
                "environment": {"HTTPS_PROXY": proxy.url(f"{module}-{variant.replace(' ', '-')}", ENCODED)},
            }
            for module, (options, hosts) in tasks.items()
            for variant, overrides in VARIANTS.items()
            if variant != "no certificate" or ARTIFACTORY_HOST in hosts
        ]
        run = run_playbook.run_tasks(listed, connection_defaults(lab))
    return ModuleRuns(tasks, proxy, run, lab.request_log(before))


TO_ARTIFACTORY = [
    module for module in MODULES if module.startswith("artifactory") or module in ("artifact_pull", "registry_pull")
]


def failure_of(modules: ModuleRuns, name: str) -> str:
    """Return the message of a task that failed. A diagnosis does not fail: what it returns is the message."""
    task = modules.run.task(name)
    if name.startswith("artifactory_diagnosis"):
        return json.dumps([task.result["findings"], task.result["unknown"]])
    assert task.status == "failed"
    return task.message


@pytest.mark.parametrize("module", MODULES)
def test_each_module_uses_the_proxy(modules: ModuleRuns, module: str) -> None:
    assert modules.run.task(f"{module} | complete").status == "ok", modules.run.output
    assert modules.proxy.connected_hosts(f"{module}-complete") == modules.tasks[module][1]


@pytest.mark.parametrize("module", MODULES)
def test_each_module_trusts_only_the_ca_of_ca_path(modules: ModuleRuns, module: str) -> None:
    message = failure_of(modules, f"{module} | no CA")
    assert "is not trusted" in message and "ca_path" in message


@pytest.mark.parametrize("module", TO_ARTIFACTORY)
def test_each_module_reports_that_artifactory_requires_a_client_certificate(modules: ModuleRuns, module: str) -> None:
    message = failure_of(modules, f"{module} | no certificate")
    assert "No required SSL certificate was sent" in message and "Set client_cert" in message


def test_only_artifactory_gets_the_client_certificate(modules: ModuleRuns) -> None:
    entries = [entry for entry in modules.request_log if is_from_collection(entry)]
    services = {entry["service"] for entry in entries}
    assert {entry["service"] for entry in entries if entry["certificate"]} == {"artifactory"}
    assert all(entry["certificate"] or entry["status"] == 400 for entry in entries if entry["service"] == "artifactory")
    assert services == {"artifactory", "api", "registry", "libraries", "virtualapk", "blobs"}


# --- the role ---------------------------------------------------------------------------------------------------------
SETUP = "cgr.pull_through.setup"
SECRETS = {"password of the proxy": PASSWORD, "the same, encoded": ENCODED, "a wrong one": "a-wrong-password"}
UPSTREAM_HOSTS = {*CHAINGUARD_HOSTS, "cgr.dev", "libraries.cgr.dev", BLOBS_HOST}


@dataclasses.dataclass(frozen=True)
class SetupRuns:
    """The setup of images and a library.

    rejected: with a wrong password for the proxy. proxied, again: with everything through the proxy.
    direct: with Artifactory excluded by NO_PROXY. secrets: the credentials that the services got.
    """

    rejected: Run
    rejected_writes: list[Json]
    proxied: Run
    proxied_hosts: set[str]
    services: set[str]
    again: Run
    again_writes: list[Json]
    direct: Run
    direct_hosts: set[str]
    secrets: list[str]


@pytest.fixture(scope="module")
def setups(strict_lab: LabClient, run_playbook: PlaybookRunner) -> SetupRuns:
    lab = strict_lab
    lab.reset()
    variables = role_variables(lab, ARTIFACTORY)
    with ForwardProxy(service_addresses(lab), password=PASSWORD).serve() as proxy:
        correct, wrong = ({"HTTPS_PROXY": proxy.url("setup", password)} for password in (ENCODED, "a-wrong-password"))
        rejected = run_playbook(SETUP, variables, "-vvv", environment=wrong)
        rejected_writes = lab.writes()
        proxied = run_playbook(SETUP, variables, environment=correct)
        services = {entry["service"] for entry in lab.request_log() if is_from_collection(entry)}
        proxied_hosts, before = proxy.connected_hosts(), lab.log_position()
        again = run_playbook(SETUP, variables, environment=correct)
        again_writes = lab.changes(before)

        lab.reset()
        proxy.requests.clear()
        environment = {**correct, "NO_PROXY": "127.0.0.1,.example.org"}
        direct = run_playbook(SETUP, role_variables(lab, lab.artifactory_url), environment=environment)
    return SetupRuns(
        rejected,
        rejected_writes,
        proxied,
        proxied_hosts,
        services,
        again,
        again_writes,
        direct,
        proxy.connected_hosts(),
        lab.credentials(),
    )


def role_variables(lab: LabClient, artifactory_url: str) -> Json:
    """Return the variables of the role, with the default URLs of Chainguard."""
    defaults = ("api_url", "issuer_url", "registry_url", "libraries_url", "apk_url", "virtualapk_url")
    return lab.variables(
        "containers",
        "java",
        artifactory_url=artifactory_url,
        artifactory_client_cert=lab.state["client_cert_path"],
        source_overrides={"containers": {"images": ["nginx"]}, "java": {"artifacts": ["com.example:lab-greeting"]}},
        **{f"chainguard_{name}": None for name in defaults},
    )


def test_setup_works_with_every_request_through_the_proxy(setups: SetupRuns) -> None:
    assert setups.proxied.code == 0, setups.proxied.output
    assert setups.proxied_hosts == {ARTIFACTORY_HOST, *UPSTREAM_HOSTS}
    assert setups.services == {"artifactory", "api", "registry", "libraries", "blobs"}


def test_the_second_run_through_the_proxy_writes_nothing(setups: SetupRuns) -> None:
    assert (setups.again.code, setups.again.changed, setups.again_writes) == (0, [], [])


def test_credentials_that_the_proxy_rejects_are_reported(setups: SetupRuns) -> None:
    assert setups.rejected.code != 0
    message = setups.rejected.failure()
    assert "rejects the credentials" in message and "HTTPS_PROXY" in message
    assert setups.rejected_writes == []


def test_no_proxy_excludes_artifactory_and_not_chainguard(setups: SetupRuns) -> None:
    assert setups.direct.code == 0, setups.direct.output
    assert setups.direct_hosts == UPSTREAM_HOSTS


@pytest.mark.parametrize("which", ["proxied", "again", "rejected", "direct"])
def test_no_run_prints_a_secret(setups: SetupRuns, which: str) -> None:
    sent = {secret[-12:]: secret for secret in setups.secrets if len(secret) >= 12}
    run: Run = getattr(setups, which)
    assert Scanner({**SECRETS, **sent}).find(run.output.encode()) == set()


# --- failures of the proxy --------------------------------------------------------------------------------------------
@dataclasses.dataclass(frozen=True)
class ProxyFailure:
    """proxy: the URL of a proxy that fails, with placeholders in braces. messages: texts of the failure."""

    proxy: str
    messages: tuple[str, ...]
    scheme: str = "https"


# {open}, {denying}, {isolated}: host and port of three proxies; {password}: their password.
FAILURES = {
    "no password": ProxyFailure("http://{open}", ("requires credentials", "HTTPS_PROXY", "percent-encoded")),
    "wrong password": ProxyFailure("http://setup:a-wrong-password@{open}", ("rejects the credentials", "HTTPS_PROXY")),
    "no password, plain HTTP": ProxyFailure("http://{open}", ("requires credentials", "HTTP_PROXY"), scheme="http"),
    "wrong password, plain HTTP": ProxyFailure(
        "http://setup:a-wrong-password@{open}", ("rejects the credentials",), scheme="http"
    ),
    "not encoded": ProxyFailure("http://setup:a-wrong-password#2@{open}", ("URL of the proxy", "percent-encoded")),
    "not allowed": ProxyFailure(
        "http://setup:{password}@{denying}", ("does not allow a connection", "403", "NO_PROXY")
    ),
    "not reached": ProxyFailure("http://setup:{password}@{isolated}", ("cannot reach", "502", "NO_PROXY")),
    "unknown name": ProxyFailure("http://setup:{password}@proxy.invalid:3128", ("proxy.invalid:3128", "be resolved")),
    "closed port": ProxyFailure("http://setup:{password}@127.0.0.1:1", ("the proxy 127.0.0.1:1", "cannot be reached")),
    "SOCKS": ProxyFailure("socks5://setup:{password}@{open}", ("URL of the proxy", "SOCKS")),
}


@pytest.fixture(scope="module")
def failures(running_plain_lab: LabClient, strict_lab: LabClient, run_playbook: PlaybookRunner) -> Run:
    """A run with a task for each failure."""
    running_plain_lab.reset()
    plain, tls = service_addresses(running_plain_lab), service_addresses(strict_lab)
    with (
        ForwardProxy({**plain, **tls}, PASSWORD).serve() as proxy,
        ForwardProxy(tls, PASSWORD, frozenset({ARTIFACTORY_HOST})).serve() as denying,
        ForwardProxy({}, PASSWORD).serve() as isolated,
    ):
        values = {
            "open": proxy.netloc,
            "denying": denying.netloc,
            "isolated": isolated.netloc,
            "password": ENCODED,
        }
        tasks = [
            {
                "name": name,
                "cgr.pull_through.artifactory_repository_info": {
                    "artifactory_url": f"{failure.scheme}://{ARTIFACTORY_HOST}",
                    "allow_plain_http": failure.scheme == "http",
                },
                "environment": {f"{failure.scheme.upper()}_PROXY": failure.proxy.format(**values)},
            }
            for name, failure in FAILURES.items()
        ]
        return run_playbook.run_tasks(tasks, connection_defaults(strict_lab))


@pytest.mark.parametrize("name", FAILURES)
def test_each_failure_of_the_proxy_has_its_own_message(failures: Run, name: str) -> None:
    task = failures.task(name)
    assert task.status == "failed"
    assert [text for text in FAILURES[name].messages if text not in task.message] == [], task.message


def test_no_failure_shows_a_password(failures: Run) -> None:
    assert Scanner(SECRETS).find(failures.output.encode()) == set()


# --- chainctl ---------------------------------------------------------------------------------------------------------
def test_chainctl_runs_with_the_same_proxy(strict_lab: LabClient, run_playbook: PlaybookRunner, tmp_path: Path) -> None:
    program = tmp_path / "chainctl"
    program.write_text(f'#!/bin/sh\necho "$HTTPS_PROXY" > {tmp_path}/proxy\necho {strict_lab.api_tokens["owner"]}\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    with ForwardProxy(service_addresses(strict_lab)).serve() as proxy:
        defaults = connection_defaults(strict_lab)
        del defaults["group/cgr.pull_through.chainguard"]["chainguard_api_token"]
        task = {"name": "List images", "cgr.pull_through.chainguard_image_info": {"chainctl": str(program)}}
        run = run_playbook.run_tasks([task], defaults, HTTPS_PROXY=proxy.url())
        assert run.task("List images").status == "ok", run.output
        assert (tmp_path / "proxy").read_text(encoding="utf-8").strip() == proxy.url()
