# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mistakes of users. Each ends with a message that names it, without a traceback, and before anything is written.

One run contains all mistakes, each on its own host.
"""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from urllib.parse import unquote

import pytest
import trustme

from support import task_names
from support.lab_client import Json, LabClient
from support.playbook_runner import PlaybookRunner, Run
from support.services import record_requests, serve_redirects

BOTH = ("containers_public", "containers")


@dataclasses.dataclass(frozen=True)
class Mistake:
    """The wrong variables of a host. messages: texts that the failure has to contain. variables: see LabClient.variables().

    public, private: overrides of the two sources. The mistake is in the second one if possible, since nothing may be
    written for the first one either. fails: the source (or "virtual") that fails alone, because the mistake is found by reading a
    service; the other one is set up. Empty if the whole run stops before it writes anything.
    """

    messages: tuple[str, ...]
    fails: str = ""
    sources: tuple[str, ...] = BOTH
    variables: Json = dataclasses.field(default_factory=dict)
    public: Json = dataclasses.field(default_factory=dict)
    private: Json = dataclasses.field(default_factory=dict)


LONG_KEY = "cgr-" + 55 * "x"
MISTAKES = {
    "long-key": Mistake(
        (LONG_KEY, "59 characters", "at most 58", "pull_through_source_overrides of containers"),
        private={"key": LONG_KEY},
    ),
    "illegal-key": Mistake(("'cgr/private'", "letters, digits"), private={"key": "cgr/private"}),
    "url-with-path": Mistake(
        ("pull_through_source_overrides of containers: url has a path", "/example.com", "https://cgr.dev/"),
        private={"url": "https://cgr.dev/example.com"},
    ),
    "unknown-source": Mistake(("nonsense", "containers_public, containers"), sources=(*BOTH, "nonsense")),
    "unknown-organization": Mistake(
        ("no access to an organization 'missing.example.net'",),
        "private",
        variables={"organization": "missing.example.net"},
    ),
    "other-letter-case": Mistake(
        ("'Example.COM'. Did you mean example.com?",), "private", variables={"organization": "Example.COM"}
    ),
    "no-organization": Mistake(("pull_through_organization",), variables={"organization": ""}),
    "unknown-private-image": Mistake(("example.com has no nonsense",), "private", private={"images": ["nonsense"]}),
    "unknown-public-image": Mistake(
        ("chainguard/nonsense",), "public", public={"images": ["chainguard/nonsense:latest"]}
    ),
    "long-ttl": Mistake(("ttl", "at most 8760h", "'9000h'"), variables={"token_ttl": "9000h"}),
    "unreadable-ttl": Mistake(("ttl is not a duration", "'a month'", "720h"), variables={"token_ttl": "a month"}),
    "early-rotation": Mistake(
        ("renew_before (30d)", "less than pull_through_token_ttl (720h)"), variables={"token_renew_before": "30d"}
    ),
    "other-class": Mistake(
        ("taken-local", "rclass 'local', not 'remote'", "cannot be changed"),
        "private",
        private={"key": "taken-local"},
    ),
    "other-package-type": Mistake(
        ("taken-npm", "packageType 'npm', not 'docker'", "cannot be changed"),
        "private",
        private={"key": "taken-npm"},
    ),
    "virtual-of-other-class": Mistake(
        ("taken-local", "rclass 'local', not 'virtual'", "Set another key in pull_through_virtual_overrides"),
        "virtual",
        variables={"virtuals": "containers", "virtual_overrides": {"containers": {"key": "taken-local"}}},
    ),
    "wrong-token": Mistake(
        ("status 401", "artifactory_access_token"), variables={"artifactory_access_token": "no-such-secret"}
    ),
    "readers-token": Mistake(("may not create", "administrator of the platform")),
    "no-token": Mistake(
        ("Credentials for Artifactory are missing", "artifactory_access_token"),
        variables={"artifactory_access_token": None},
    ),
    "wrong-audience": Mistake(("audience", "chainctl auth token")),
    "no-credentials": Mistake(
        ("pull_through_timeout is 'soon'", "Credentials for Artifactory are missing", "no credentials for Chainguard"),
        variables={"timeout": "soon", "artifactory_access_token": None, "chainguard_api_token": None},
    ),
    "untrusted-certificate": Mistake(
        ("TLS certificate", "not trusted", "set pull_through_ca_path"), variables={"ca_path": None}
    ),
    "redirect-to-https": Mistake(("redirect", "Set pull_through_artifactory_url to https://")),
    "free-edition": Mistake(("Pro edition",)),
    "misspelt-variable": Mistake(
        ("pull_through_sorces is not a variable", "Did you mean pull_through_sources?"), variables={"sorces": "python"}
    ),
    "misspelt-override": Mistake(
        ("adds pyhton without", "Did you mean python?", "pull_through_timeout is 'soon'"),
        variables={"source_overrides": {"pyhton": {"artifacts": ["six"]}}, "timeout": "soon"},
    ),
    "wrong-types": Mistake(
        (
            "pull_through_validate_certs is 'maybe'",
            "pull_through_users is a dictionary",
            "pull_through_depth is 'layers'",
        ),
        variables={"validate_certs": "maybe", "users": {"name": "ci"}, "depth": "layers"},
    ),
    "undefined-variable": Mistake(
        ("pull_through_groups cannot be evaluated: 'builders' is undefined.",), variables={"groups": ["{{ builders }}"]}
    ),
    "virtual-without-source": Mistake(("The virtual repository go has no source",), variables={"virtuals": "go"}),
    "plain-http": Mistake(
        ("pull_through_artifactory_url uses plain http", "pull_through_allow_plain_http"),
        variables={"artifactory_url": "http://192.0.2.1:8081"},
    ),
    **{
        f"hidden-{password}": Mistake(
            ("pull_through_artifactory_password is also a part of a key", "Use a longer secret"),
            variables={
                "artifactory_access_token": None,
                "artifactory_username": "ci",
                "artifactory_password": password,
            },
        )
        for password in ("cgr", "1")
    },
}


@dataclasses.dataclass(frozen=True)
class FailedRun:
    """A run with mistakes, what it wrote, and what there was afterward."""

    run: Run
    writes: list[Json]
    repositories: dict[str, Json] = dataclasses.field(default_factory=dict)
    pull_tokens: list[Json] = dataclasses.field(default_factory=list)


@pytest.fixture(scope="module")
def failed(running_lab: LabClient, running_plain_lab: LabClient, run_playbook: PlaybookRunner) -> FailedRun:
    """A run with all mistakes."""
    lab, free_edition = running_lab, running_plain_lab
    lab.reset()
    free_edition.reset()
    free_edition.configure(artifactory_edition="jcr")
    lab.create_repository("taken-npm", packageType="npm", url="https://registry.npmjs.org")
    lab.create_repository("taken-local", rclass="local")
    before = lab.log_position()
    with serve_redirects(lab.artifactory_url) as http_url:
        inventory = {name: host_variables(name, lab, free_edition, http_url) for name in MISTAKES}
        run = run_playbook("cgr.pull_through.setup", {"pull_through_hosts": "all"}, "-vvv", inventory=inventory)
    return FailedRun(run, lab.writes(before) + free_edition.writes(), lab.repositories(), lab.pull_tokens())


def host_variables(name: str, lab: LabClient, free_edition: LabClient, http_url: str) -> Json:
    """Return the variables of the host with a mistake. The values of some mistakes come from the running lab."""
    lab_values: dict[str, Json] = {
        "readers-token": {"artifactory_access_token": lab.users["reader"]["token"]},
        "wrong-audience": {"chainguard_api_token": lab.workload["oidc_token"]},
        "redirect-to-https": {"artifactory_url": http_url},
    }
    mistake = MISTAKES[name]
    overrides = {
        "containers_public": {"key": f"public-{name}", **mistake.public},
        "containers": {"key": f"private-{name}", "images": ["nginx"], **mistake.private},
    }
    values: Json = {"source_overrides": overrides, "depth": "manifest", **mistake.variables, **lab_values.get(name, {})}
    return (free_edition if name == "free-edition" else lab).variables(*mistake.sources, **values)


@pytest.mark.parametrize("name", MISTAKES)
def test_the_message_names_the_mistake(failed: FailedRun, name: str) -> None:
    message = failed.run.failure(name)
    missing = [text for text in MISTAKES[name].messages if text not in message]
    assert not missing, message


def validate_failures(run: Run) -> None:
    """Raise AssertionError if the message of a failed task is long, or if it shows a condition, a template or a specification."""
    failures = [task for task in run.tasks if task.status == "failed"]
    assert [task.message for task in failures if len(task.message) > 1000] == []
    results = [json.dumps(task.result) for task in failures]
    assert [text for text in ("argument_spec", "{{", '"assertion"') if any(text in result for result in results)] == []


def test_no_message_is_long_or_prints_a_specification(failed: FailedRun) -> None:
    validate_failures(failed.run)


def test_no_message_of_an_entry_point_is_long_or_prints_a_specification(entry_point: EntryPointRun) -> None:
    validate_failures(entry_point.run)


def test_no_mistake_ends_with_a_traceback(failed: FailedRun) -> None:
    assert failed.run.code == 2
    assert re.findall(".*Traceback.*", failed.run.output) == []


def keys_of(name: str) -> dict[str, str]:
    """Return the repository keys of the two sources of a host, and of a virtual repository that is taken."""
    private = MISTAKES[name].private.get("key", f"private-{name}")
    return {"public": f"public-{name}", "private": private, "virtual": "taken-local"}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_writes_nothing_for_its_source(failed: FailedRun, name: str) -> None:
    keys, fails = keys_of(name), MISTAKES[name].fails
    failing = {keys[fails]} if fails else {keys["public"], keys["private"]}
    writes = [entry for entry in failed.writes if failing & set(unquote(entry["path"]).split("/"))]
    assert [(entry["method"], entry["path"]) for entry in writes] == []


@pytest.mark.parametrize("name", [name for name in MISTAKES if MISTAKES[name].fails])
def test_a_source_that_fails_alone_does_not_stop_the_other(failed: FailedRun, name: str) -> None:
    others = [key for source, key in keys_of(name).items() if source not in (MISTAKES[name].fails, "virtual")]
    assert set(others) <= set(failed.repositories)


def test_a_pull_token_is_issued_only_for_a_source_without_a_mistake(failed: FailedRun) -> None:
    consumers = [token["description"].rpartition("/")[2] for token in failed.pull_tokens]
    succeeding = [name for name in MISTAKES if MISTAKES[name].fails in ("public", "virtual")]
    assert sorted(consumers) == sorted(keys_of(name)["private"] for name in succeeding)


def test_the_client_lines_are_those_of_the_sources_that_work(failed: FailedRun) -> None:
    for name in ("unknown-private-image", "unknown-public-image"):
        keys = {source: key for source, key in keys_of(name).items() if source != "virtual"}
        lines = "\n".join(failed.run.task(task_names.CLIENT_SETUP, name).result["msg"])
        assert keys.pop(MISTAKES[name].fails) not in lines
        assert all(key in lines for key in keys.values())


def test_ca_path_fixes_an_untrusted_certificate(lab: LabClient, run_playbook: PlaybookRunner, tmp_path: Path) -> None:
    """Also if the environment names another bundle, which `requests` prefers to the setting of a session."""
    connection = dict(lab.module_defaults()["group/cgr.pull_through.artifactory"])
    ca_path = connection.pop("ca_path")
    other_ca = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other_ca))
    tasks = [
        {"name": "Without it", "cgr.pull_through.artifactory_repository_info": connection},
        {"name": "With it", "cgr.pull_through.artifactory_repository_info": {**connection, "ca_path": ca_path}},
    ]
    run = run_playbook.run_tasks(tasks, {}, REQUESTS_CA_BUNDLE=str(other_ca))
    assert run.task("Without it").status == "failed"
    assert "set ca_path" in run.failure()
    assert run.task("With it").status == "ok", run.output


# --- all entry points -------------------------------------------------------------------------------------------------
ENTRY_POINTS = ("setup", "rotate", "verify", "diagnose", "warm", "remove")
URLS = ("artifactory_url", "registry_url", "chainguard_api_url", "chainguard_issuer_url")


@dataclasses.dataclass(frozen=True)
class EntryPointRun:
    """A run of an entry point. A host per URL has another address there, and credentials from the environment.

    For the others, a request fails. other_url: that address. received: the requests that it got. paths: those that the lab got
    for the hosts with another address.
    """

    run: Run
    other_url: str
    received: list[str]
    paths: list[str]


def failing_hosts(lab: LabClient, playbook: str) -> dict[str, Json]:
    """Return the variables of hosts for which a module fails."""
    failing: dict[str, Json] = {
        "wrong-token": {"artifactory_access_token": "no-such-secret"},
        "no-token": {"artifactory_access_token": None},
        "wrong-chainguard-token": {"chainguard_api_token": "no-such-secret"},
        "other-organization": {"organization": "missing.example.net"},
        **({"no-manifests": {"warm_manifests": ["/nonexistent"]}} if playbook == "warm" else {}),
    }
    return {
        name: lab.variables("containers", **{"remove_confirmed": True, "revoke": False, **variables})
        for name, variables in failing.items()
    }


@pytest.fixture(scope="module", params=ENTRY_POINTS)
def entry_point(
    request: pytest.FixtureRequest, running_lab: LabClient, running_plain_lab: LabClient, run_playbook: PlaybookRunner
) -> EntryPointRun:
    lab = running_lab
    own = lab.variables(*BOTH, artifactory_access_token=None, chainguard_api_token=None, remove_confirmed=True)
    environment = {
        "ARTIFACTORY_URL": lab.artifactory_url,
        "ARTIFACTORY_ACCESS_TOKEN": lab.admin_token,
        "CHAINGUARD_API_URL": own["pull_through_chainguard_api_url"],
        "CHAINGUARD_ISSUER_URL": own["pull_through_chainguard_issuer_url"],
        "CHAINGUARD_API_TOKEN": lab.api_tokens["owner"],
    }
    position = lab.log_position()
    running_plain_lab.reset()
    with record_requests() as (other, received):
        inventory = {name: {**own, f"pull_through_{name}": other} for name in URLS}
        run = run_playbook(
            f"cgr.pull_through.{request.param}",
            {"pull_through_hosts": "all"},
            inventory={**inventory, **failing_hosts(running_plain_lab, request.param)},
            environment=environment,
        )
    return EntryPointRun(run, other, received, [entry["path"] for entry in lab.request_log() if entry["n"] > position])


def test_credentials_of_the_environment_are_sent_to_no_other_address(entry_point: EntryPointRun) -> None:
    assert entry_point.received == []
    assert entry_point.paths == []
    for name in URLS:
        assert f"pull_through_{name} is {entry_point.other_url}, but " in entry_point.run.failure(name)
        assert " in the environment is " in entry_point.run.failure(name)


def test_messages_name_variables_and_no_options(entry_point: EntryPointRun) -> None:
    failed = [task.message for task in entry_point.run.tasks if task.status == "failed"]
    assert len(failed) > len(URLS)
    messages = [re.sub(r"^\w+: ", "", line) for message in failed for line in message.splitlines()]  # sources and codes
    name = r"(?<![\w./'-])(?!pull_through_)[a-z]+_[a-z_]+"
    options = {option for message in messages for option in re.findall(name, message)}
    assert options == set(), messages
    assert [
        message for message in messages if re.search(r"\b[Ss]et (?!pull_through_|[A-Z]|it\b|the\b)\w+", message)
    ] == []


@pytest.mark.parametrize("playbook", ["setup", "rotate"])
def test_a_new_pull_token_is_sent_to_no_address_of_the_variables(
    running_lab: LabClient, run_playbook: PlaybookRunner, playbook: str
) -> None:
    lab = running_lab
    overrides = {"containers": {"url": "https://registry.example.net/"}}
    variables = lab.variables("containers", chainguard_api_token=None, source_overrides=overrides)
    run = run_playbook(
        f"cgr.pull_through.{playbook}", variables, environment={"CHAINGUARD_API_TOKEN": lab.api_tokens["owner"]}
    )
    assert "would send its pull token to registry.example.net" in run.failure()


@pytest.mark.parametrize("playbook", ENTRY_POINTS)
def test_variables_of_the_role_itself_cannot_be_set(run_playbook: PlaybookRunner, playbook: str) -> None:
    run = run_playbook(f"cgr.pull_through.{playbook}", {"__pull_through_message": ""})
    assert "__pull_through_message cannot be set" in run.failure()


def test_a_verification_before_the_setup_fails_with_one_sentence(lab: LabClient, run_playbook: PlaybookRunner) -> None:
    run = run_playbook("cgr.pull_through.verify", lab.variables(*BOTH, virtuals=["containers"]))
    sentence = "Not found in Artifactory. The playbook cgr.pull_through.setup creates what is missing."
    assert run.failure() == f"cgr-public, cgr-private: {sentence}"
    assert [task.name for task in run.tasks if sentence in str(task.result.get("msg"))] == [task_names.FAILURES]


def test_an_empty_report_is_no_report(lab: LabClient, run_playbook: PlaybookRunner) -> None:
    run = run_playbook("cgr.pull_through.diagnose", {**lab.variables("containers_public"), "pull_through_report": None})
    assert "Artifactory has no repository" in run.failure(), "the last failure"


# --- text and empty values --------------------------------------------------------------------------------------------
def test_text_and_empty_values_give_the_same_plan(lab: LabClient, run_playbook: PlaybookRunner) -> None:
    """As surveys send them. The unit tests do that for each variable."""
    native = lab.variables(
        *BOTH, virtuals=["containers"], users=["reader"], platforms=["linux/amd64"], verify_unchanged=False
    )
    text = {
        **lab.variables(virtuals="containers", users='["reader"]', platforms="linux/amd64\n", verify_unchanged="no"),
        "pull_through_sources": ", ".join(BOTH),
        "pull_through_timeout": "30",
        **dict.fromkeys(EMPTY, ""),
        **dict.fromkeys(NULL),
    }
    runs = [run_playbook("cgr.pull_through.setup", variables, "--check", "--diff") for variables in (native, text)]
    plans = [[(task.summary, task.result.get("diff")) for task in run.tasks if task.changed] for run in runs]
    assert [run.code for run in runs] == [0, 0], runs[1].output
    assert plans[0] and plans[0] == plans[1]


EMPTY = [
    f"pull_through_{name}"
    for name in (
        "groups",
        "only",
        "catalog",
        "site",
        "token_ttl",
        "depth",
        "revoke",
        "validate_certs",
        "no_log",
        "chainctl",
    )
]
NULL = [
    f"pull_through_{name}"
    for name in (
        "source_overrides",
        "virtual_catalog",
        "permission_name",
        "grace_period",
        "registry_url",
        "prune",
        "client_setup_file",
    )
]


# --- a Python without the required libraries --------------------------------------------------------------------------
LIBRARIES: dict[str, Json] = {
    "requests": {"cgr.pull_through.artifactory_repository_info": {}},
    "cryptography": {"cgr.pull_through.chainguard_pull_token": {"name": "pull cgr-private"}},
}


@pytest.fixture(scope="module")
def without_libraries(
    running_lab: LabClient, run_playbook: PlaybookRunner, tmp_path_factory: pytest.TempPathFactory
) -> FailedRun:
    """A run in which each task has a Python that cannot import one library."""
    running_lab.reset()
    folder = tmp_path_factory.mktemp("without")
    tasks = [
        {"name": library, **task, "environment": {"PYTHONPATH": str(hide_library(library, folder / library))}}
        for library, task in LIBRARIES.items()
    ]
    run = run_playbook.run_tasks(tasks, running_lab.module_defaults(), "-vvv")
    return FailedRun(run, running_lab.writes())


def hide_library(library: str, folder: Path) -> Path:
    """Return a folder for PYTHONPATH whose module raises ImportError instead of the library."""
    folder.mkdir()
    (folder / f"{library}.py").write_text(f"raise ImportError(\"No module named '{library}'\")\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_message_names_the_missing_library_and_the_python(without_libraries: FailedRun, library: str) -> None:
    task = without_libraries.run.task(library)
    assert task.status == "failed"
    assert f"({library})" in task.result["msg"]
    assert re.search(r"on .*'s Python \S*/python", task.result["msg"])


def test_a_missing_library_causes_no_traceback_and_no_write(without_libraries: FailedRun) -> None:
    assert re.findall(".*Traceback.*", without_libraries.run.output) == []
    assert without_libraries.writes == []


@pytest.mark.parametrize("check", [(), ("--check",)], ids=["run", "check mode"])
def test_users_that_the_classic_api_rejects_stop_the_run_before_its_first_write(
    running_plain_lab: LabClient, run_playbook: PlaybookRunner, check: tuple[str, ...]
) -> None:
    lab = running_plain_lab
    lab.reset()
    lab.configure(artifactory_version="7.38.4")
    before = lab.log_position()
    variables = lab.variables("containers_public", users=["missing"], groups=["builders"])
    run = run_playbook("cgr.pull_through.setup", variables, *check)
    assert "no user missing, no group builders" in run.failure()
    assert "pull_through_users and pull_through_groups" in run.failure()
    assert lab.writes(before) == []
    lab.reset()
