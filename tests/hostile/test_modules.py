# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each module that sends requests against responses with another shape than documented, and with unsafe texts."""

from __future__ import annotations

import base64
import contextlib
import importlib
import json
import typing as t

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args

from hostile.conftest import DOMAIN, Network, check_text, within_bounds
from hostile.server import BEHAVIORS, LINKS, SECRET

MODULES = "ansible_collections.cgr.pull_through.plugins.modules"
ERRORS = ("error-unsafe", "error-list", "error-details", "error-scalars", "error-secret-json", "error-html")
COMMON = [name for name in BEHAVIORS if name.startswith(("shape", "listing"))] + list(ERRORS)
# What one module of each client is tested with, since the client handles it.
ONCE = [name for name in BEHAVIORS if name.startswith(("json", "redirect", "challenge"))]
# Each names a host, which some of them must not request.
NAMING = [name for name in BEHAVIORS if name.startswith((*LINKS, "redirect", "challenge"))]

Options = dict[str, t.Any]


def api_token() -> str:
    """Return a token for the Chainguard API, as far as the modules check it."""
    claims = json.dumps({"aud": "https://console-api.enforce.dev", "sub": SECRET}).encode()
    return f"eyJhbGciOiJub25lIn0.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.signature"


def artifactory(**options: t.Any) -> t.Callable[[str], Options]:
    return lambda url: {"artifactory_url": url, "artifactory_access_token": SECRET, **options}


def chainguard(**options: t.Any) -> t.Callable[[str], Options]:
    urls = ("chainguard_api_url", "chainguard_issuer_url")
    return lambda url: {**dict.fromkeys(urls, url), "chainguard_api_token": api_token(), "organization": "o", **options}


def packages(package_type: str, artifact: str) -> t.Callable[[str], Options]:
    credentials = {"upstream_username": "ci", "upstream_password": SECRET}
    return lambda url: {"package_type": package_type, "artifacts": [artifact], "upstream_url": url, **credentials}


def registry(**options: t.Any) -> t.Callable[[str], Options]:
    return lambda url: {"registry_url": url, "username": "ci", "password": SECRET, "images": ["a/b:1"], **options}


REMOTE = {"repository": "sources", "from_upstream": "preferred"}
# The options of each case by the URL of the server. The part of a name after a colon is a label.
CASES: dict[str, t.Callable[[str], Options]] = {
    "artifactory_access_token": artifactory(),
    "artifactory_access_token:absent": artifactory(state="absent", token_id="12-34"),
    "artifactory_permission": artifactory(
        name="p", repositories=["sources"], users=[{"name": "u", "actions": ["read"]}]
    ),
    "artifactory_remote_repository": artifactory(key="sources", url="https://cgr.dev/", username="u"),
    "artifactory_virtual_repository": artifactory(key="all", repositories=["sources"]),
    "artifactory_repository_info": artifactory(),
    "artifactory_repository_info:keys": artifactory(repository_keys=["sources"], permissions=["p"]),
    "artifactory_repository_cache": artifactory(key="sources", state="absent", entire_cache=True),
    "artifactory_diagnosis": lambda url: {
        **artifactory()(url),
        **chainguard()(url),
        "sources": [{"key": "sources", "package_type": "docker", "url": url, "images": ["a/b:1"], "pull_token": "oci"}],
        "pull": True,
        "hosts": [url],
    },
    "artifactory_repository_cache_info": artifactory(key="sources", count_files=True),
    "chainguard_image_info": chainguard(),
    "chainguard_image_info:chart": chainguard(kind="chart", limit=2),
    "chainguard_image_info:identity": lambda url: {
        **chainguard()(url),
        "chainguard_api_token": None,
        "chainguard_identity": "a/b",
        "chainguard_identity_token": SECRET,
    },
    "chainguard_library_info": lambda url: {"chainguard_libraries_url": url},
    "chainguard_pull_token": chainguard(name="token", consumer="c"),
    "chainguard_pull_token:absent": chainguard(name="token", consumer="c", state="absent"),
    "chainguard_pull_token_info": chainguard(),
    "registry_pull": registry(),
    "registry_pull:resolve": registry(depth="resolve"),
    "registry_pull:upstream": lambda url: {
        **registry(referrers=True)(url),
        **artifactory(**REMOTE)(url),
        "upstream_url": url,
    },
    "artifact_pull:alpine": packages("alpine", "lab"),
    "artifact_pull:go": packages("go", "example.com/lab"),
    "artifact_pull:maven": packages("maven", "com.example:lab"),
    "artifact_pull:npm": packages("npm", "lab"),
    "artifact_pull:nuget": packages("nuget", "lab"),
    "artifact_pull:pypi": packages("pypi", "lab"),
    "artifact_pull:artifactory": lambda url: {
        **artifactory(**REMOTE)(url),
        "package_type": "npm",
        "artifacts": ["lab"],
    },
}


CLIENTS = ("artifactory_repository_info", "chainguard_image_info", "registry_pull", "artifact_pull:npm")
NAMING_CASES = (*CLIENTS, "artifact_pull:pypi", "artifact_pull:nuget", "artifactory_diagnosis")
PAIRS = [(case, name) for case in CASES for name in COMMON + (ONCE if case in CLIENTS else [])]


def run(case: str, url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """Run a module and return all that it prints."""
    module = importlib.import_module(f"{MODULES}.{case.partition(':')[0]}")
    warnings: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _module, text: warnings.append(text))
    options = {name: value for name, value in CASES[case](url).items() if value is not None}
    with patch_module_args({**options, "timeout": 10, "allow_plain_http": True}), contextlib.suppress(SystemExit):
        module.main()
    result = json.loads(capsys.readouterr().out)
    return json.dumps([_texts(result), warnings], ensure_ascii=False)


def _texts(value: t.Any) -> t.Any:
    """Return a result without the options, which Ansible adds."""
    return {name: item for name, item in value.items() if name != "invocation"}


@pytest.mark.parametrize(("case", "name"), PAIRS)
def test_a_hostile_response_to_a_module(
    network: Network, case: str, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with within_bounds(network, name):
        output = run(case, network.url(name), monkeypatch, capsys)
    is_sent = SECRET in json.dumps(CASES[case](""))
    check_text(output.replace("\\n", " "), *([SECRET] if is_sent else []))
    assert not [escape for escape in ("\\u001b", "\\u0007") if escape in output]


@pytest.mark.parametrize(("case", "name"), [(case, name) for case in NAMING_CASES for name in NAMING])
def test_no_host_is_requested_that_a_server_must_not_name(
    network: Network, case: str, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Through a forward proxy, which resolves names, so that only names and literal addresses can be checked."""
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{network.port}")
    network.report()
    output = run(case, network.url(name), monkeypatch, capsys)
    check_text(output.replace("\\n", " "), SECRET)
    own = f"{name}.{DOMAIN}:{network.port}"
    hosts = network.report().hosts
    # A diagnosis also tries the address of a repository below the host that the user named, without credentials.
    assert hosts <= {(own, True), (own, False), (f"sources.{own}", False), (f"other.{DOMAIN}", False)}
    assert hosts
