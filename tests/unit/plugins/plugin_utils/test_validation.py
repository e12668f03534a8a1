# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables of the role: text and empty values of each of them, and all mistakes in one list."""

from __future__ import annotations

import base64
import json
import typing as t
from pathlib import Path

import pytest
from role_sources import CATALOG

from ansible_collections.cgr.pull_through.plugins.module_utils._text import MAX_MESSAGE
from ansible_collections.cgr.pull_through.plugins.plugin_utils._catalog import SOURCE_SPEC
from ansible_collections.cgr.pull_through.plugins.plugin_utils._validation import selection_errors, validate
from ansible_collections.cgr.pull_through.plugins.plugin_utils._variables import (
    _load_specs,
    all_options,
    read_variables,
)

VIRTUALS = {"all": {"key": "all", "package_type": "docker", "members": ["private", "public"]}}
URL = "https://artifactory.example.com"
NATIVE: dict[str, list[t.Any]] = {
    "str": ["text", "with spaces"],
    "path": ["/tmp/file"],
    "int": [0, 30],
    "float": [0.0, 2.5],
    "bool": [True, False],
    "bytes": ["50M", "0"],
    "list": [["one"], ["one", "two"]],
    "dict": [{}, {"public": {"key": "other"}}],
}


def web_token(**claims: t.Any) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"aGVhZGVy.{payload}.c2lnbmF0dXJl"


API_TOKEN = web_token(aud="https://console-api.enforce.dev")
LOGINS = {"artifactory_access_token": "token", "chainguard_api_token": API_TOKEN}


def values_of(**given: t.Any) -> dict[str, t.Any]:
    variables = {f"pull_through_{name}": value for name, value in given.items()}
    return read_variables(variables, sources=CATALOG, virtual_repositories=VIRTUALS)


def message(entry_point: str = "main", **given: t.Any) -> str:
    variables = {"sources": ["public"], "artifactory_url": URL, **LOGINS, **given}
    names = {f"pull_through_{name}": value for name, value in variables.items()}
    catalogs = {"sources": CATALOG, "virtual_repositories": VIRTUALS}
    return validate(values_of(**variables), given=names, names=names, catalogs=catalogs, entry_point=entry_point)


def text_forms(value: t.Any, kind: str) -> list[t.Any]:
    """Return how surveys, pipelines and the command line send a value."""
    if kind == "list":
        lines = [",".join(value), ", ".join(value), "\n".join(value), "\n".join(value) + "\n"]
        return [*lines, json.dumps(value), json.dumps(value, indent=1)]
    if kind == "dict":
        return [json.dumps(value), json.dumps(value, indent=1)]
    if kind == "bool":
        return [str(value), str(value).lower(), "yes" if value else "no", str(int(value)), int(value), f" {value} "]
    return [str(value), f" {value}\n"]


def native_values(option: dict[str, t.Any]) -> list[t.Any]:
    kind, choices = option.get("type", "str"), option.get("choices")
    if choices:
        return [choices[:1], list(choices)] if kind == "list" else list(choices)
    if option.get("elements") == "path":
        return [["/srv/one"], ["/srv/one", "~/two"]]
    return NATIVE[kind]


VARIABLES = [name for name, option in all_options().items() if not option.get("no_log")]


@pytest.mark.parametrize("variable", VARIABLES)
def test_text_is_read_as_the_native_value(variable):
    option = all_options()[variable]
    name = variable.removeprefix("pull_through_")
    for value in native_values(option):
        native = values_of(**{name: value})
        for text in text_forms(value, option.get("type", "str")):
            assert values_of(**{name: text}) == native, text


@pytest.mark.parametrize("empty", ["", "  ", None])
@pytest.mark.parametrize("variable", VARIABLES)
def test_empty_is_unset(variable, empty):
    name = variable.removeprefix("pull_through_")
    if (
        name.startswith("chainguard_")
        and name.endswith("_url")
        and name not in ("chainguard_api_url", "chainguard_issuer_url")
    ):
        assert values_of(**{name: empty})[name] == "", "it means that the controller cannot reach the service"
    else:
        assert values_of(**{name: empty}) == values_of()


NEEDED = {"artifactory_url": URL, "artifactory_access_token": "token", "sources": "public"}


@pytest.mark.parametrize("empty", ["", None])
def test_no_empty_variable_is_a_mistake(empty):
    given = {variable.removeprefix("pull_through_"): empty for variable in all_options()}
    for entry_point in ("main", "rotate", "verify", "remove", "warm"):
        assert message(entry_point, **{**given, **NEEDED}) == ""


WRONG: list[tuple[dict[str, t.Any], str]] = [
    ({"timeout": "soon"}, "pull_through_timeout is 'soon', but must be a number."),
    ({"timeout": "1.5"}, "pull_through_timeout is '1.5', but must be a whole number."),
    ({"validate_certs": "maybe"}, "pull_through_validate_certs is 'maybe', but must be true or false."),
    ({"depth": "layers"}, "pull_through_depth is 'layers', but must be one of manifest, image."),
    (
        {"permission_actions": "read, wirte"},
        "pull_through_permission_actions is 'read, wirte', but must be some of read",
    ),
    ({"users": {"name": "ci"}}, "pull_through_users is a dictionary, but must be a list, or text with commas."),
    ({"source_overrides": "nonsense"}, "pull_through_source_overrides is 'nonsense', but must be a dictionary."),
    ({"organization": ["a"]}, "pull_through_organization is a list, but must be text."),
    ({"sorces": "a"}, "pull_through_sorces is not a variable of this role. Did you mean pull_through_sources?"),
    (
        {"source_override": {}},
        "pull_through_source_override is not a variable of this role. Did you mean pull_through_source_overrides?",
    ),
    (
        {"source_overrides": {"pubilc": {"images": []}}},
        "adds pubilc without key, package_type, url. Did you mean public?",
    ),
    (
        {"source_overrides": {"public": {"artifact": []}}},
        "sets the unknown field artifact of public. Did you mean artifacts?",
    ),
    (
        {"source_overrides": {"public": {"settings": "x"}}},
        "sets settings of public to a value that is not valid: it must be a dictionary.",
    ),
    ({"source_overrides": {"public": "x"}}, "pull_through_source_overrides has 'x' for public"),
    ({"virtual_overrides": {"all": {"member": []}}}, "sets the unknown field member of all. Did you mean members?"),
    (
        {"sources": "pubilc"},
        "pull_through_sources names pubilc, but the sources are public, private, charts, apk, open, either. Did you mean public?",
    ),
    (
        {"sources": "apk", "virtuals": "all", "organization": "o"},
        "The virtual repository all has no source. Add one of private, public",
    ),
    (
        {"virtuals": "all", "virtual_overrides": {"all": {"key": "cgr-public"}}},
        "The virtual repository all and the source public have the same key cgr-public.",
    ),
]


PATHS = [name.removeprefix("pull_through_") for name, option in all_options().items() if option.get("type") == "path"]


@pytest.mark.parametrize("name", [*PATHS, "chainctl"])
@pytest.mark.parametrize("path", ["files/a", "./files/a", "$HOME/files/a"])
def test_a_relative_path_is_a_mistake(name, path):
    entry_point = next(
        entry_point for entry_point, options in _load_specs().items() if f"pull_through_{name}" in options
    )
    assert message(entry_point, **{name: path}) == (
        f"pull_through_{name} is '{path}', but must be an absolute path, which begins with / or ~/."
    )
    assert message(entry_point, **{name: "/srv/files/a"}) == message(entry_point, **{name: "~/files/a"}) == ""


def test_a_relative_path_in_a_list_is_a_mistake():
    assert message("warm", warm_manifests="/srv/a, deploy") == (
        "pull_through_warm_manifests has 'deploy', which must be an absolute path, which begins with / or ~/."
    )


@pytest.mark.parametrize(
    "name", ["PULL_THROUGH_CA_PATH", "ARTIFACTORY_CLIENT_CERT", "CHAINGUARD_IDENTITY_TOKEN_FILE", "CHAINCTL"]
)
def test_a_relative_path_in_the_environment_is_a_mistake(monkeypatch, name):
    monkeypatch.setenv(name, "files/a")
    assert f"{name} in the environment is 'files/a', but must be an absolute path" in message()
    monkeypatch.setenv(name, "/srv/files/a")
    assert message() == ""


@pytest.mark.parametrize(("given", "text"), WRONG, ids=[next(iter(given)) for given, _text in WRONG])
def test_a_mistake_is_named_with_its_variable(given, text):
    assert text in message(**given)


def test_all_mistakes_are_in_one_list():
    lines = message(timeout="soon", depth="x", sorces="a", source_overrides={"public": {"kye": "x"}}).splitlines()
    assert len(lines) == 4


def test_mistakes_of_all_kinds_are_in_one_list(monkeypatch):
    monkeypatch.setenv("ARTIFACTORY_URL", "https://own.example.com")
    monkeypatch.setenv("ARTIFACTORY_ACCESS_TOKEN", "secret")
    text = message(
        sources="public, private, nonsense, mine, charts",
        only="apk",
        virtuals="all, everything",
        organization="",
        grace_period="soon",
        token_ttl="a month",
        run_interval="weekly",
        site="team a",
        timeout="soon",
        sorces="a",
        source_overrides={
            "mine": {"key": "mine"},
            "public": {"key": "cgr/public"},
            "private": {"url": "https://cgr.dev/example.com"},
        },
        virtual_overrides={"all": {"key": "cgr all"}},
    )
    assert [
        part
        for part in (
            "pull_through_sorces is not a variable",
            "pull_through_timeout is 'soon'",
            "pull_through_source_overrides adds mine without package_type, url",
            "pull_through_grace_period is not a duration",
            "pull_through_site is not valid",
            "pull_through_only names apk",
            "pull_through_sources names nonsense",
            "pull_through_virtuals names everything",
        )
        if part not in text
    ] == []
    assert "more mistakes are not shown" in text and len(text) <= MAX_MESSAGE
    errors = errors_of(
        ["public", "private"],
        {
            **CATALOG,
            "public": {**CATALOG["public"], "key": "cgr/public"},
            "private": {**CATALOG["private"], "url": "https://cgr.dev/example.com"},
        },
        ["all"],
        virtual_catalog={"all": {**VIRTUALS["all"], "key": "cgr all"}},
        organization="",
    )
    assert [error[:60] for error in errors] == [
        "pull_through_source_overrides of public: The repository key ",
        "pull_through_source_overrides of private: url has a path, '/",
        "The sources private need pull_through_organization, the name",
        "pull_through_virtual_overrides of all: The repository key 'c",
    ]


@pytest.mark.parametrize(
    ("entry_point", "expires", "given", "is_named"),
    [
        pytest.param("main", 1, {}, True, id="expired"),
        pytest.param("main", 9e9, {}, False, id="valid"),
        pytest.param("main", 1, {"chainguard_api_token": API_TOKEN}, False, id="another-login"),
        pytest.param("main", 1, {"sources": "public"}, False, id="not-needed"),
        pytest.param("warm", 1, {}, False, id="not-used"),
        pytest.param("diagnose", 1, {}, False, id="not-required"),
    ],
)
def test_an_identity_token_that_has_expired_is_named_before_any_request(entry_point, expires, given, is_named):
    token = {"chainguard_identity": "a/b", "chainguard_identity_token": web_token(exp=expires)}
    source = {"sources": "private", "organization": "example.com"}
    text = message(entry_point=entry_point, **{**source, **token, "chainguard_api_token": "", **given})
    assert ("pull_through_chainguard_identity_token expired at 1970" in text) is is_named
    assert "c2lnbmF0dXJl" not in text


def test_a_missing_url_and_an_api_key_are_named():
    text = message(artifactory_url="", artifactory_access_token="AKCp" + "x" * 69)
    assert "pull_through_artifactory_url is missing. Set it to the base URL" in text
    assert "pull_through_artifactory_access_token is an API key" in text


NO_LOGINS = {**dict.fromkeys(LOGINS, ""), "sources": "private", "organization": "example.com"}


@pytest.mark.parametrize("entry_point", ["main", "rotate", "verify", "remove"])
def test_missing_credentials_are_in_the_list_of_all_mistakes(monkeypatch, tmp_path, entry_point):
    monkeypatch.setenv("PATH", str(tmp_path))
    lines = message(entry_point, **NO_LOGINS, timeout="soon").splitlines()
    assert [line.partition(".")[0] for line in lines] == [
        "pull_through_timeout is 'soon', but must be a number",
        "Credentials for Artifactory are missing",
        "There are no credentials for Chainguard",
    ]
    assert "pull_through_artifactory_username" in lines[1] and "pull_through_chainguard_identity" in lines[2]


def test_a_login_with_chainctl_may_be_only_where_the_modules_run(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert message(**{**NO_LOGINS, "artifactory_access_token": "token"}) == ""
    (tmp_path / "chainctl").touch(mode=0o755)
    assert "There are no credentials" not in message(**{**NO_LOGINS, "timeout": "soon"})


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"chainguard_api_token": "word"}, "pull_through_chainguard_api_token is not a JSON Web Token."),
        (
            {"chainguard_api_token": web_token(aud="other")},
            "pull_through_chainguard_api_token is a token for the audience",
        ),
        ({"chainguard_identity": "a/b"}, "pull_through_chainguard_identity needs its OIDC token."),
        ({"chainguard_identity": "a/b", "chainguard_identity_token_file": "/nonexistent"}, ""),
    ],
)
def test_a_login_at_chainguard_that_cannot_work_is_named_before_any_request(given, text):
    login = {**NO_LOGINS, "artifactory_access_token": "token", **given}
    assert message(**login).startswith(text) and bool(message(**login)) is bool(text)
    assert message(**{**login, "sources": "public"}) == "", "only where a source needs it"


def test_text_in_overrides_is_read_as_the_native_value():
    text = values_of(
        source_overrides={"public": {"images": "a,b", "settings": '{"a": 1}', "title": None, "pull_token": ""}}
    )
    native = values_of(source_overrides={"public": {"images": ["a", "b"], "settings": {"a": 1}, "pull_token": ""}})
    assert text == native
    assert text["catalog"]["public"]["pull_token"] == ""


def test_variables_of_other_entry_points_are_known():
    assert message("verify", force_rotation=True, warm_images=[], hosts="all") == ""


def test_a_secret_is_never_shown():
    assert "hunter2" not in message(artifactory_password=["hunter2"])
    assert "pull_through_artifactory_password must be text." in message(artifactory_password=["hunter2"])


@pytest.mark.parametrize("entry_point", ["main", "rotate", "verify", "remove", "warm"])
def test_credentials_of_the_environment_are_bound_to_its_url(monkeypatch, entry_point):
    monkeypatch.setenv("ARTIFACTORY_URL", "https://own.example.com")
    monkeypatch.setenv("ARTIFACTORY_ACCESS_TOKEN", "secret")
    monkeypatch.setenv("CHAINGUARD_API_URL", "https://console-api.enforce.dev")
    monkeypatch.setenv("CHAINGUARD_API_TOKEN", API_TOKEN)
    text = message(
        entry_point, artifactory_url="https://other.example.net", artifactory_access_token="", chainguard_api_token=""
    )
    assert "pull_through_artifactory_url is https://other.example.net, but ARTIFACTORY_URL" in text
    text = message(
        entry_point, artifactory_url="", chainguard_api_token="", chainguard_issuer_url="https://other.example.net"
    )
    assert "pull_through_chainguard_issuer_url is https://other.example.net" in text
    text = message(
        entry_point,
        artifactory_url="",
        artifactory_access_token="",
        chainguard_api_token="",
        registry_url="https://other.example.net",
    )
    assert "pull_through_registry_url is https://other.example.net" in text


def test_a_host_of_a_token_service():
    assert message(token_service_hosts="auth.example.com,auth.example.com:8443") == ""
    text = message(token_service_hosts=["https://auth.example.com/"])
    assert "pull_through_token_service_hosts has 'https://auth.example.com/', which is not a host." in text


def test_all_pulls_of_images_through_artifactory_know_the_hosts_of_token_services():
    tasks = Path(__file__).parents[4] / "roles" / "pull_through" / "tasks"
    texts = [file.read_text(encoding="utf-8") for file in tasks.rglob("*.yml")]
    options = [line.strip() for text in texts for line in text.splitlines()]
    urls = [line for line in options if line.startswith("registry_url:")]
    assert len(urls) == len([line for line in options if line.startswith("token_service_hosts:")]) >= 5


@pytest.mark.parametrize(
    "given",
    [
        {"source_overrides": {"private": {"url": "https://other.example.net/"}}},
        {"source_overrides": {"private": {"settings": {"v3FeedUrl": "https://other.example.net/"}}}},
        {"source_overrides": {"apk": {"upstream_url": "https://other.example.net/"}}},
        {"chainguard_registry_url": "https://other.example.net"},
    ],
    ids=["url", "setting", "upstream", "registry"],
)
@pytest.mark.parametrize("entry_point", ["main", "rotate"])
def test_a_pull_token_goes_only_to_chainguard_or_where_its_issuer_says(monkeypatch, entry_point, given):
    given = {"sources": "private,apk", "organization": "example.com", **given}
    assert message(entry_point, **given) == "", "the credentials are from the variables as well"
    monkeypatch.setenv("CHAINGUARD_API_TOKEN", API_TOKEN)
    text = message(entry_point, chainguard_api_token="", **given)
    assert "would send its pull token to other.example.net, which is not a host of Chainguard" in text
    monkeypatch.setenv("CHAINGUARD_HOSTS", "other.example.net")
    assert message(entry_point, chainguard_api_token="", **given) == ""


# --- what is selected -------------------------------------------------------------------------------------------------
def errors_of(names, catalog=None, virtuals=(), **more):
    values = {"organization": "example.com", "virtual_catalog": VIRTUALS, "grace_period": "5m", "only": [], "site": ""}
    values |= {
        "warm_shard": "",
        "sources": names,
        "catalog": catalog or CATALOG,
        "artifactory_previous_urls": [],
        **more,
    }
    return selection_errors(values, list(virtuals))


def test_a_grace_period_that_is_no_duration():
    (error,) = errors_of(["public"], grace_period="five minutes")
    assert "pull_through_grace_period is not a duration: 'five minutes'" in error


@pytest.mark.parametrize("site", ["team a", "ä", "a" * 41, "a\n", "{{ x }}"])
def test_a_site_that_a_marker_cannot_hold(site):
    (error,) = errors_of(["public"], site=site)
    assert error.startswith("pull_through_site is not valid") and "letters, digits" in error


def test_a_shard_that_is_none():
    (error,) = errors_of(["public"], warm_shard="5/4")
    assert error.startswith("pull_through_warm_shard is '5/4', but must be") and "Write it like 2/4" in error


@pytest.mark.parametrize("url", ["artifactory.example.com", "https://", 5])
def test_a_previous_url_that_is_no_url(url):
    (error,) = errors_of(["public"], artifactory_previous_urls=[url])
    assert error.startswith(f"pull_through_artifactory_previous_urls has {url!r}")


def test_variables_without_errors():
    assert (
        errors_of(["public"], site="Team-1.a_b", artifactory_previous_urls=["http://old.example.com/artifactory"]) == []
    )
    assert errors_of(["public", "private"], virtuals=["all"]) == []


@pytest.mark.parametrize(
    ("options", "texts"),
    [
        ({"names": ["public", "conatiners"]}, ["pull_through_sources names conatiners", "public, private"]),
        ({"names": [], "virtuals": ["everything"]}, ["pull_through_virtuals names everything", "repositories are all"]),
        (
            {"names": ["public"], "only": ["private"]},
            ["pull_through_only names private", "pull_through_sources are public"],
        ),
        ({"names": ["private"], "organization": ""}, ["The sources private need pull_through_organization"]),
        ({"names": ["open"], "organization": ""}, ["The sources open need pull_through_organization"]),
    ],
)
def test_names_that_do_not_exist(options, texts):
    (error,) = errors_of(**options)
    assert all(text in error for text in texts)


def test_an_organization_of_its_own_is_enough():
    catalog = {**CATALOG, "private": {**CATALOG["private"], "organization": "other.example.org"}}
    assert errors_of(["private"], catalog, organization="") == []


def test_two_sources_with_one_key():
    catalog = {**CATALOG, "private": {**CATALOG["private"], "key": "cgr-public"}}
    (error,) = errors_of(["public", "private", "apk"], catalog)
    assert error.startswith("The sources public, private have the same key cgr-public.")
    assert errors_of(["public", "public"]) == [], "a name that is repeated is one source"


def test_a_catalog_of_its_own_is_checked_as_overrides_are():
    text = message(catalog={"apk": {**CATALOG["apk"], "artifact": ["x"]}, "public": {"key": "x", "nonsense": 1}})
    assert text.splitlines() == [
        "pull_through_catalog sets the unknown field artifact of apk. Did you mean artifacts?",
        f"pull_through_catalog sets the unknown field nonsense of public. The fields are {', '.join(SOURCE_SPEC)}.",
        "pull_through_catalog adds public without package_type, url.",
    ]


@pytest.mark.parametrize(
    ("given", "environment", "expected"),
    [
        ({}, {}, "Credentials for Artifactory are missing."),
        ({"artifactory_username": "admin"}, {}, "Credentials for Artifactory are missing."),
        ({"artifactory_username": "admin", "artifactory_password": "secret"}, {}, ""),
        ({"artifactory_username": "admin"}, {"ARTIFACTORY_PASSWORD": "secret"}, ""),
        ({}, {"ARTIFACTORY_USERNAME": "admin", "ARTIFACTORY_PASSWORD": "secret"}, ""),
        ({}, {"ARTIFACTORY_ACCESS_TOKEN": "token"}, ""),
    ],
)
def test_missing_credentials_are_in_the_list(monkeypatch, given, environment, expected):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    unset = {"artifactory_access_token": "", **given}
    assert (expected in message(**unset)) if expected else message(**unset) == ""


def test_a_run_that_leaves_sources_out_removes_nothing():
    given = {"sources": "public,private", "organization": "example.com", "only": "public", "prune": "true"}
    assert message("main", **given).startswith("pull_through_prune removes what this run does not set up")
    assert message("verify", **given) == message("main", **{**given, "prune": "false"}) == ""
