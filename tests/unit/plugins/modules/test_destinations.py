# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where all modules send credentials of the environment to, and what they take for a plain mistake in the connection."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from scripted import ScriptedResponse, ScriptedTransport

from ansible_collections.cgr.pull_through.plugins.modules import (
    artifact_pull,
    artifactory_access_token,
    artifactory_diagnosis,
    artifactory_permission,
    artifactory_remote_repository,
    artifactory_repository_cache,
    artifactory_repository_cache_info,
    artifactory_repository_info,
    artifactory_virtual_repository,
    chainguard_image_info,
    chainguard_pull_token,
    chainguard_pull_token_info,
    registry_pull,
)

DIAGNOSIS = {"sources": [{"name": "a", "key": "a", "package_type": "docker", "url": "https://cgr.dev/"}]}
OWN, OTHER = "https://own.example.com", "https://other.example.net"
ARTIFACTORY_MODULES: dict[t.Any, dict[str, t.Any]] = {
    artifact_pull: {"repository": "a", "package_type": "pypi", "artifacts": ["b"]},
    artifactory_access_token: {"username": "a"},
    artifactory_diagnosis: DIAGNOSIS,
    artifactory_permission: {"name": "a", "repositories": ["b"]},
    artifactory_remote_repository: {"key": "a", "url": "https://cgr.dev/"},
    artifactory_repository_cache: {"key": "a", "state": "expired"},
    artifactory_repository_cache_info: {"key": "a"},
    artifactory_repository_info: {},
    artifactory_virtual_repository: {"key": "a", "repositories": ["b"]},
    registry_pull: {"repository": "a", "images": ["b/c"]},
}
CHAINGUARD_MODULES: dict[t.Any, dict[str, t.Any]] = {
    artifactory_diagnosis: DIAGNOSIS,
    chainguard_image_info: {"organization": "example.com"},
    chainguard_pull_token: {"organization": "example.com", "name": "a"},
    chainguard_pull_token_info: {"organization": "example.com"},
}
CREDENTIALS_OF_ARTIFACTORY = [
    {"ARTIFACTORY_ACCESS_TOKEN": "secret-of-environment"},
    {"ARTIFACTORY_USERNAME": "admin", "ARTIFACTORY_PASSWORD": "secret-of-environment"},
    {"ARTIFACTORY_CLIENT_CERT": "/secret.pem", "ARTIFACTORY_ACCESS_TOKEN": "secret-of-environment"},
]
CREDENTIALS_OF_CHAINGUARD: list[dict[str, str]] = [
    {"CHAINGUARD_API_TOKEN": "secret-of-environment"},
    {"CHAINGUARD_IDENTITY": "a/b", "CHAINGUARD_IDENTITY_TOKEN": "secret-of-environment"},
    {"CHAINGUARD_IDENTITY": "a/b", "CHAINGUARD_IDENTITY_TOKEN_FILE": "/secret"},
    {},
]


def test_each_module_with_credentials_is_tested():
    modules = {file.stem for file in Path(registry_pull.__file__).parent.glob("*.py")} - {"__init__"}
    tested = {module_id(module) for module in {**ARTIFACTORY_MODULES, **CHAINGUARD_MODULES}}
    assert modules - tested == {"chainguard_library_info", "grace_period_wait", "kubernetes_image_info"}


def module_id(module: t.Any) -> str:
    return str(getattr(module, "__name__", module)).rpartition(".")[2]


@pytest.fixture
def refuse(run_module, monkeypatch):
    """Return a function that runs a module in an environment, and returns the message with which it sends nothing."""

    def run(module: t.Any, environment: dict[str, str], **options: t.Any) -> str:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        transport = ScriptedTransport()
        result = run_module(module, transport, **options)
        assert result["failed"] is True
        assert transport.requests == []
        return str(result["msg"])

    return run


@pytest.mark.parametrize("credentials", CREDENTIALS_OF_ARTIFACTORY, ids=lambda item: next(iter(item)))
@pytest.mark.parametrize("module", ARTIFACTORY_MODULES, ids=module_id)
def test_credentials_of_the_environment_are_bound_to_its_artifactory(refuse, module, credentials):
    environment = {"ARTIFACTORY_URL": OWN, **credentials}
    message = refuse(module, environment, artifactory_url=OTHER, **ARTIFACTORY_MODULES[module])
    assert "artifactory_url is https://other.example.net" in message
    assert "ARTIFACTORY_URL in the environment is https://own.example.com" in message


@pytest.mark.parametrize("option", ["chainguard_api_url", "chainguard_issuer_url"])
@pytest.mark.parametrize("bound", ["CHAINGUARD_API_URL", "CHAINGUARD_ISSUER_URL"])
@pytest.mark.parametrize("credentials", CREDENTIALS_OF_CHAINGUARD, ids=lambda item: next(iter(item), "chainctl"))
@pytest.mark.parametrize("module", CHAINGUARD_MODULES, ids=module_id)
def test_credentials_of_the_environment_are_bound_to_its_chainguard(refuse, module, credentials, bound, option):
    default = f"https://{'issuer' if 'ISSUER' in bound else 'console-api'}.enforce.dev"
    options = {option: OTHER, **CHAINGUARD_MODULES[module]}
    assert f"{option} is https://other.example.net" in refuse(module, {bound: default, **credentials}, **options)


@pytest.mark.parametrize("path", ["/run/./token", "/run//token", "/run/other/../token"])
def test_a_file_of_the_environment_is_known_by_any_path(refuse, path):
    environment = {
        "CHAINGUARD_ISSUER_URL": "https://issuer.enforce.dev",
        "CHAINGUARD_IDENTITY_TOKEN_FILE": "/run/token",
    }
    options = {"chainguard_issuer_url": OTHER, "chainguard_identity": "a/b", "chainguard_identity_token_file": path}
    message = refuse(chainguard_pull_token_info, environment, **options, organization="example.com")
    assert "chainguard_issuer_url is https://other.example.net" in message


def test_a_certificate_of_the_environment_is_known_by_any_path(refuse):
    environment = {"ARTIFACTORY_URL": OWN, "ARTIFACTORY_CLIENT_CERT": "/run/cert.pem"}
    options = {"artifactory_url": OTHER, "artifactory_access_token": "of-variables", "client_cert": "/run/./cert.pem"}
    assert "artifactory_url is https://other.example.net" in refuse(artifactory_repository_info, environment, **options)


@pytest.mark.parametrize("form", ["module", "item"])
def test_the_registry_is_bound_to_artifactory_of_the_environment(refuse, form):
    environment = {"ARTIFACTORY_URL": OWN, "ARTIFACTORY_ACCESS_TOKEN": "secret-of-environment"}
    pull = {"repository": "a", "images": ["b/c"]}
    options = {"registry_url": OTHER, **pull} if form == "module" else {"pulls": [{"registry_url": OTHER, **pull}]}
    message = refuse(registry_pull, environment, **options)
    assert "registry_url is https://other.example.net" in message and "REGISTRY_URL" in message


@pytest.mark.parametrize(
    ("environment", "options"),
    [
        pytest.param({}, {"artifactory_url": OTHER}, id="no URL in the environment"),
        pytest.param({"ARTIFACTORY_URL": ""}, {"artifactory_url": OTHER}, id="an empty URL in the environment"),
        pytest.param(
            {"ARTIFACTORY_URL": OWN}, {"artifactory_url": f"{OWN}:443/artifactory/"}, id="the same URL in another form"
        ),
        pytest.param(
            {"ARTIFACTORY_URL": OWN},
            {"artifactory_url": OTHER, "artifactory_access_token": "of-variables"},
            id="credentials from variables",
        ),
        pytest.param({"ARTIFACTORY_URL": OWN}, {"artifactory_url": ""}, id="an empty option"),
        pytest.param({"ARTIFACTORY_URL": OWN}, {"artifactory_url": None}, id="null"),
    ],
)
def test_other_credentials_and_urls_are_sent(run_module, monkeypatch, environment, options):
    for name, value in {"ARTIFACTORY_ACCESS_TOKEN": "of-environment", **environment}.items():
        monkeypatch.setenv(name, value)
    transport = ScriptedTransport(respond=lambda _request: ScriptedResponse(200, {"REMOTE": []}))
    result = run_module(artifactory_repository_info, transport, **options)
    assert not result.get("failed"), result
    host = (options["artifactory_url"] or OWN).removesuffix(":443/artifactory/")
    assert transport.requests[0].url.startswith(f"{host.removesuffix(':443')}") and len(transport.requests) == 1


PLAIN_HTTP: list[tuple[t.Any, str]] = [
    *((module, "artifactory_url") for module in ARTIFACTORY_MODULES),
    *((module, "chainguard_api_url") for module in CHAINGUARD_MODULES),
    *((module, "chainguard_issuer_url") for module in CHAINGUARD_MODULES),
    *((module, "upstream_url") for module in (artifact_pull, registry_pull)),
    (registry_pull, "registry_url"),
]


@pytest.mark.parametrize(("module", "option"), PLAIN_HTTP, ids=module_id)
def test_plain_http_is_refused(refuse, module, option):
    options = {**ARTIFACTORY_MODULES, **CHAINGUARD_MODULES}[module]
    message = refuse(module, {}, **{option: "http://10.1.2.3:8081", **options})
    assert f"{option} uses plain http: http://10.1.2.3:8081" in message and "allow_plain_http" in message


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("http://10.1.2.3:8081", True),
        ("http://localhost:8081", False),
        ("http://127.0.0.2", False),
        ("http://[::1]", ""),
    ],
)
def test_plain_http_is_sent_to_this_computer_or_where_it_is_allowed(run_module, url, allowed):
    transport = ScriptedTransport(ScriptedResponse(200, {"REMOTE": []}))
    options = {"artifactory_url": url, "artifactory_access_token": "token", "allow_plain_http": allowed}
    assert not run_module(artifactory_repository_info, transport, **options).get("failed")


EMPTY_OPTIONS = [
    "timeout",
    "validate_certs",
    "ca_path",
    "client_cert",
    "package_type",
    "rclass",
    "artifactory_username",
]


@pytest.mark.parametrize("value", ["", None], ids=["empty", "null"])
@pytest.mark.parametrize("option", EMPTY_OPTIONS)
def test_empty_options_of_the_connection_and_with_choices_are_not_set(run_module, option, value):
    transport = ScriptedTransport(ScriptedResponse(200, {"REMOTE": []}))
    options = {"artifactory_url": OWN, "artifactory_access_token": "token", option: value}
    assert not run_module(artifactory_repository_info, transport, **options).get("failed")
