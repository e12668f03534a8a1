# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything that Chainguard serves, behind one Artifactory. Four scenarios run once, and all tests inspect them."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import itertools
import json
import re
import subprocess
import typing as t
from pathlib import Path

import pytest
import yaml

from lab.client import started
from lab.packages.python import wheel_path
from support.developer import CLIENTS, USER, Developer, section_lines
from support.forked_ansible import open_forked_runner
from support.lab_client import Json, LabClient
from support.playbook_runner import MAX_RUN_SECONDS
from support.programs import find_program
from support.scenario import Scenario, Step
from support.secret_scan import Scanner
from support.sources import CUDA, LIBRARY, SOURCE_PULLS, SOURCES, VIRTUALS
from support.task_names import DELETE_INVALID_CONTENT, DETAILS, ENSURE_PERMISSION, ENSURE_REPOSITORIES, USER_PULLS

ROLE = Path(__file__).resolve().parents[2] / "roles" / "pull_through"

each_source = pytest.mark.parametrize("name", SOURCES)

# The only version that both Java repositories have. Its content differs between them.
JAR = "com/example/lab-greeting/1.0.0/lab-greeting-1.0.0.jar"
REMEDIATED_JAR = JAR.replace("1.0.0", "1.0.0-0.cgr.1")


@dataclasses.dataclass(frozen=True)
class Scenarios:
    all_sources: AllSources
    drift: Drift
    access: Access
    defaults: Defaults


@pytest.fixture(scope="module")
def scenarios(
    running_lab: LabClient, running_plain_lab: LabClient, tmp_path_factory: pytest.TempPathFactory
) -> t.Iterator[Scenarios]:
    """Run two scenarios at a time, each with its own lab. With so many sources, the fork server saves most of the time."""
    folders = [tmp_path_factory.mktemp("ansible") for _number in range(2)]
    with (
        concurrent.futures.ThreadPoolExecutor() as pool,
        started() as process,
        open_forked_runner(folders[0], timeout=MAX_RUN_SECONDS) as run_playbook,
        open_forked_runner(folders[1], timeout=MAX_RUN_SECONDS) as run_in_background,
    ):
        drift = pool.submit(run_drift, Scenario(LabClient(process.state), run_in_background))
        all_sources = run_all_sources(Scenario(running_lab, run_playbook), folders[0])
        access = run_access(Scenario(running_plain_lab, run_playbook))
        defaults = run_defaults(Scenario(running_lab, run_playbook))
        yield Scenarios(all_sources, drift.result(), access, defaults)


@pytest.fixture
def all_sources(scenarios: Scenarios) -> AllSources:
    return scenarios.all_sources


@pytest.fixture
def drift(scenarios: Scenarios) -> Drift:
    return scenarios.drift


@pytest.fixture
def access(scenarios: Scenarios) -> Access:
    return scenarios.access


@pytest.fixture
def defaults(scenarios: Scenarios) -> Defaults:
    return scenarios.defaults


# --- all sources ------------------------------------------------------------------------------------------------------
@dataclasses.dataclass(frozen=True)
class AllSources:
    """All sources from an empty Artifactory to their removal.

    permissions, permissions_after: before and after everything. clients: results of programs with the printed commands.
    """

    permissions: Json
    predicted: Step
    first: Step
    granted: Json
    bindings: list[Json]
    client_setup: str
    jars: dict[str, list[bytes]]
    clients: dict[str, subprocess.CompletedProcess[str]]
    second: Step
    verify: Step
    removed: Step
    permissions_after: Json
    organization_uid: str
    credentials: list[str]


def run_all_sources(scenario: Scenario, folder: Path) -> AllSources:
    lab, file = scenario.lab, folder / "lines.txt"
    variables = lab.variables(
        *SOURCES,
        source_overrides=SOURCE_PULLS,
        virtuals=list(VIRTUALS),
        users=["reader", USER],
        groups=["readers"],
        client_setup_file=str(file),
        depth="manifest",
    )
    permissions = lab.permissions()
    token = lab.create_user(USER)

    predicted = scenario.run("setup", variables, "--check")
    first = scenario.run("setup", variables)
    granted, bindings = lab.permissions(), lab.bindings()
    members = {"cgr-java": JAR, "cgr-java-remediated": REMEDIATED_JAR}
    jars = {jar: [lab.read_file(f"{key}/{jar}") for key in (member, "cgr-java-all")] for member, jar in members.items()}
    clients = Developer(lab, folder / "developer", token).run_clients(first.run.client_setup(), CLIENTS)
    second = scenario.run("setup", variables)
    verify = scenario.run("verify", variables)

    removed = scenario.run("remove", {**variables, "pull_through_remove_confirmed": True})
    return AllSources(
        permissions,
        predicted,
        first,
        granted,
        bindings,
        file.read_text(encoding="utf-8"),
        jars,
        clients,
        second,
        verify,
        removed,
        lab.permissions(),
        lab.organization["uid"],
        lab.credentials(),
    )


@pytest.mark.parametrize("which", ["all_sources", "drift", "access", "defaults"])
def test_no_run_prints_a_secret(scenarios: Scenarios, which: str) -> None:
    scenario = getattr(scenarios, which)
    # Shorter ones are wrong passwords that other tests sent to the same lab.
    scanner = Scanner({secret[-12:]: secret for secret in scenario.credentials if len(secret) >= 12})
    values = [*vars(scenario).values(), *getattr(scenario, "checks", {}).values()]
    outputs = [step.run.output for step in values if isinstance(step, Step)]
    assert len(outputs) > 2 and len(scenario.credentials) > 2
    assert [output for output in outputs if scanner.find(output.encode())] == []


def test_check_mode_writes_nothing(all_sources: AllSources) -> None:
    predicted = all_sources.predicted
    assert predicted.run.code == 0, predicted.run.output
    assert (predicted.writes, predicted.repositories, predicted.pull_tokens) == ([], {}, [])


def test_check_mode_predicts_each_task(all_sources: AllSources) -> None:
    predicted, first = all_sources.predicted.run, all_sources.first.run
    assert first.code == 0, first.output
    assert [task.summary for task in predicted.tasks] == [task.summary for task in first.tasks]


@each_source
def test_each_source_has_the_settings_of_the_guides(all_sources: AllSources, name: str) -> None:
    source = SOURCES[name]
    repository = all_sources.first.repositories[source.key]
    desired = {**source.settings, "url": source.settings["url"].format(uid=all_sources.organization_uid)}
    assert {setting: repository[setting] for setting in desired} == desired
    assert bool(repository["username"]) is source.private


def test_each_private_source_has_its_own_pull_token_with_one_role(all_sources: AllSources) -> None:
    repositories = all_sources.first.repositories
    used = sorted(repositories[source.key]["username"] for source in SOURCES.values() if source.private)
    assert used == sorted(token["uid"] for token in all_sources.first.pull_tokens)
    bound = sorted(binding["identityUid"] for binding in all_sources.bindings if binding["identityUid"] in used)
    assert bound == used


@each_source
def test_each_source_is_verified_from_upstream_and_matches_it(all_sources: AllSources, name: str) -> None:
    result = all_sources.first.pull_result(SOURCES[name].key)
    assert (result["ok"], result["from_upstream"]) == (True, True)
    if "artifact" in result:
        assert (result["upstream_version"], result["outdated"]) == (result["version"], False)
        # A Go proxy may format the details of a version as it likes.
        assert all(file["matches_upstream"] for file in result["files"] if not file["name"].endswith(".info"))
    elif name == "charts":
        assert result["upstream_digest"] == result["digest"]
    else:
        assert any(result["digest"] in line for line in all_sources.first.run.report(SOURCES[name].key))


@pytest.mark.parametrize("name", VIRTUALS)
def test_each_virtual_repository_has_its_members_in_order(all_sources: AllSources, name: str) -> None:
    key, package_type, members = VIRTUALS[name]
    repository = all_sources.first.repositories[key]
    assert (repository["packageType"], repository["repositories"]) == (package_type, members)


@pytest.mark.parametrize("jar", [JAR, REMEDIATED_JAR])
def test_a_virtual_repository_has_the_plain_and_the_remediated_library(all_sources: AllSources, jar: str) -> None:
    member, virtual = all_sources.jars[jar]
    assert member == virtual


def test_users_and_groups_may_read_and_deploy_to_the_remote_repositories(all_sources: AllSources) -> None:
    granted = all_sources.granted["cgr-pull"]["artifact"]
    assert set(granted["targets"]) == {source.key for source in SOURCES.values()}
    assert granted["actions"] == {
        "users": {"reader": ["READ", "WRITE"], USER: ["READ", "WRITE"]},
        "groups": {"readers": ["READ", "WRITE"]},
    }


def test_client_setup_has_a_section_for_each_client_without_secrets(all_sources: AllSources) -> None:
    printed, markdown = all_sources.first.run.client_setup(), all_sources.client_setup
    for section in ("docker", "helm", "mvn", "pip", "uv", "npm", "yarn 1", "dotnet", "go"):
        commands = section_lines(printed, section)
        assert all("-all" in line or "login" in line for line in commands), section
        assert f"## {section}\n" in markdown
        assert [line for line in commands if line not in markdown.splitlines()] == []
    assert not [secret for secret in all_sources.credentials if secret in markdown]


def test_apk_is_set_up_for_repositories_with_a_signed_index(all_sources: AllSources) -> None:
    printed = all_sources.first.run.client_setup()
    repositories = [line.split()[1].rpartition("/")[2] for line in section_lines(printed, "apk")]
    assert repositories == ["cgr-apk", "cgr-apk-chainguard", "cgr-apk-extra"]
    assert any("without primaryKeyPairRef" in line for line in printed)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_downloads_after_the_printed_setup(all_sources: AllSources, client: str) -> None:
    for name in CLIENTS[client].programs:
        find_program(name)
    process = all_sources.clients[client]
    assert process.returncode == 0, process.stdout + process.stderr
    assert CLIENTS[client].output in process.stdout


@pytest.mark.parametrize("which", ["second", "verify"])
def test_another_run_changes_and_writes_nothing(all_sources: AllSources, which: str) -> None:
    step: Step = getattr(all_sources, which)
    assert step.run.code == 0, step.run.output
    assert (step.run.changed, step.changes) == ([], [])
    assert step.repositories == all_sources.first.repositories


def test_remove_restores_the_state_before_setup(all_sources: AllSources) -> None:
    removed = all_sources.removed
    assert removed.run.code == 0, removed.run.output
    assert (removed.repositories, removed.pull_tokens) == ({}, [])
    assert all_sources.permissions_after == all_sources.permissions


# --- the catalog without overrides ------------------------------------------------------------------------------------
DEFAULT_PULLS = {
    "containers_public": "chainguard/wolfi-base:latest",
    "containers": "example.com/jdk:latest",
    "charts": "example.com/iamguarded-charts/lab-greeting:1.1.0",
    "packages": "lab-private",
    "packages_chainguard": "ca-certificates-bundle",
    "packages_extra": "lab-extra",
    "java": "junit:junit",
    "java_remediated": "org.springframework.boot:spring-boot",
    "python": "urllib3",
    "python_remediated": "werkzeug",
    **{f"python_{cuda}": "torch" for cuda in CUDA},
    "javascript": "picocolors",
    "dotnet": "Newtonsoft.Json",
    "go": "rsc.io/quote",
}


@dataclasses.dataclass(frozen=True)
class Defaults:
    """All sources without overrides, and the charts of an organization that has none.

    list_requests: the kinds of requests that list children of an organization or folder, in the second run.
    """

    first: Step
    second: Step
    list_requests: list[str]
    verify: Step
    without_charts: Step
    credentials: list[str]


def run_defaults(scenario: Scenario) -> Defaults:
    lab = scenario.lab
    variables = lab.variables(*SOURCES)
    first = scenario.run("setup", variables)
    lab.advance(days=0.004)  # Until then, a verification of the login chooses an image that was not requested before.
    before = lab.log_position()
    second = scenario.run("setup", variables)
    kinds = [entry["kind"] for entry in lab.request_log(before) if "uidp.childrenOf" in entry["query"]]
    list_requests = [kind for kind in kinds if kind in ("iam.group.list", "platform.repo.list", "platform.tag.list")]
    lab.advance(days=0.004)
    verify = scenario.run("verify", variables)
    lab.reset()
    without_charts = scenario.run(
        "setup", lab.variables("charts", **lab.workload_variables(), organization=OTHER_ORGANIZATION)
    )
    return Defaults(first, second, list_requests, verify, without_charts, lab.credentials())


@pytest.mark.parametrize("which", ["first", "second", "verify"])
@each_source
def test_each_source_is_verified_with_its_default(defaults: Defaults, which: str, name: str) -> None:
    step: Step = getattr(defaults, which)
    assert step.run.code == 0, step.run.output
    result = step.pull_result(SOURCES[name].key)
    reference = result["artifact"] if "artifact" in result else result["image"].partition("@")[0]
    assert (result["ok"], reference) == (True, DEFAULT_PULLS[name])
    assert result["bytes"] > 0
    assert result["from_upstream"] is True or which != "first"


def test_the_versions_of_remediated_libraries_are_remediated(defaults: Defaults) -> None:
    versions = [
        defaults.first.pull_result(SOURCES[name].key)["version"] for name in ("java_remediated", "python_remediated")
    ]
    assert versions == ["3.2.12-0.cgr.1", "3.0.3+cgr.1"]


def test_a_second_run_without_overrides_changes_nothing(defaults: Defaults) -> None:
    assert (defaults.second.run.changed, defaults.second.changes) == ([], [])


def test_a_chart_needs_three_list_requests(defaults: Defaults) -> None:
    images, charts = ["platform.repo.list"], ["iam.group.list", "platform.repo.list", "platform.tag.list"]
    assert defaults.list_requests == images + charts


def test_an_organization_without_charts_is_reported(defaults: Defaults) -> None:
    run = defaults.without_charts.run
    assert run.code == 0, run.output
    assert "no chart was found in the organization" in run.report("cgr-charts")[0]


# --- wrong settings ---------------------------------------------------------------------------------------------------
WRONG_VALUES: Json = {
    "url": "https://libraries.cgr.dev/nothing/",
    "includesPattern": "something/else/**",
    "enableTokenAuthentication": False,
    "allowAnyHostAuth": True,
    "bypassHeadRequests": False,
    "disableUrlNormalization": False,
    "blockMismatchingMimeTypes": True,
    "v3FeedUrl": "https://libraries.cgr.dev/dotnet/index.json",
    "pyPIRegistryUrl": "https://libraries.cgr.dev/python/",
    "pyPIRepositorySuffix": "simple",
}
# A wrong value of these does not affect the downloads here. Each has its own test.
TESTED_SEPARATELY = {"handleSnapshots", "priorityResolution"}
NEGATIVE_CACHE_PERIOD = "missedRetrievalCachePeriodSecs"
CACHES_HTML = "bypassHeadRequests"
# Each setting of each source with a wrong value. Artifactory uses the feed of .NET, and shows its URL only in the UI.
WRONG_SETTINGS = [
    (name, setting)
    for name, source in SOURCES.items()
    for setting, value in source.settings.items()
    if setting in WRONG_VALUES and value != WRONG_VALUES[setting] and (name, setting) != ("dotnet", "url")
]
each_wrong_setting = pytest.mark.parametrize(
    ("name", "setting"), WRONG_SETTINGS, ids=[f"{name}-{setting}" for name, setting in WRONG_SETTINGS]
)


@dataclasses.dataclass(frozen=True)
class Drift:
    """All sources, verify with one wrong setting of each source at a time, and setup after the last of these runs.

    lab: the lab as the scenario left it. checks: the runs of verify by source and setting.
    """

    lab: LabClient
    first: Step
    checks: dict[tuple[str, str], Step]
    fixed: Step
    credentials: list[str]


def run_drift(scenario: Scenario) -> Drift:
    """Verify with empty caches and without negative caches, so that only the wrong setting can cause a failure.

    The details, which a run shows with -v, have the whole message of each source.
    """
    lab = scenario.lab
    variables = lab.variables(*SOURCES, source_overrides=SOURCE_PULLS, depth="manifest")
    first = scenario.run("setup", variables)
    checks: dict[tuple[str, str], Step] = {}
    for group in group_wrong_settings():
        for source in SOURCES.values():
            repository = first.repositories[source.key]
            settings = {setting: repository[setting] for setting in source.settings}
            lab.set_config(source.key, **settings, **{NEGATIVE_CACHE_PERIOD: 0})
            lab.clear_cache(source.key)
        for name, setting in group:
            lab.set_config(SOURCES[name].key, **{setting: WRONG_VALUES[setting]})
        checks.update(dict.fromkeys(group, scenario.run("verify", variables, "-v")))
    for source in SOURCES.values():
        period = first.repositories[source.key][NEGATIVE_CACHE_PERIOD]
        lab.set_config(source.key, **{NEGATIVE_CACHE_PERIOD: period})
    return Drift(lab, first, checks, scenario.run("setup", variables), lab.credentials())


def group_wrong_settings() -> list[list[tuple[str, str]]]:
    """Return groups with at most one setting of each source. The last group leaves HTML pages in all caches that can have them."""
    ordered = sorted(WRONG_SETTINGS, key=lambda wrong: wrong[1] != CACHES_HTML)
    by_source = [[wrong for wrong in ordered if wrong[0] == name] for name in SOURCES]
    return [[wrong for wrong in group if wrong] for group in itertools.zip_longest(*by_source)][::-1]


@each_wrong_setting
def test_verify_names_a_wrong_setting(drift: Drift, name: str, setting: str) -> None:
    source = SOURCES[name]
    value = drift.first.repositories[source.key][setting]
    run = drift.checks[name, setting].run
    lines = [*run.failure().splitlines(), *run.task(DETAILS).result["msg"]]
    expected = f"{source.key} is not set as this role sets it: {setting} should be {json.dumps(value)}."
    assert [line for line in lines if expected in line], lines


def test_a_failed_verification_writes_nothing(drift: Drift) -> None:
    assert all(check.run.code != 0 for check in drift.checks.values())
    assert [check.changes for check in drift.checks.values() if check.changes] == []


@each_source
def test_the_next_setup_fixes_a_wrong_setting_and_verifies_it(drift: Drift, name: str) -> None:
    source, fixed = SOURCES[name], drift.fixed
    assert fixed.run.code == 0, fixed.run.output
    assert fixed.run.repository_results(ENSURE_REPOSITORIES)[source.key]["changed"]
    assert fixed.repositories[source.key] == drift.first.repositories[source.key]
    assert fixed.pull_result(source.key)["from_upstream"] is True


def test_only_the_html_pages_that_the_verification_found_are_deleted(drift: Drift) -> None:
    results = drift.fixed.run.repository_results(DELETE_INVALID_CONTENT)
    with_html = {SOURCES[name].key for name, setting in WRONG_SETTINGS if setting == CACHES_HTML}
    assert {key for key, result in results.items() if result["changed"]} == with_html
    deleted = [entry["path"] for entry in drift.fixed.writes if entry["kind"] == "cache.delete"]
    assert deleted and all(re.search(r"\.(pom|jar|mod|info|zip|whl|tgz|nupkg|apk|tar\.gz)$", path) for path in deleted)


# --- the purpose of each setting --------------------------------------------------------------------------------------
MANIFEST = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"

# What a user downloads from each source, below /artifactory/: a file, and a document if the upstream does not redirect it.
DOWNLOADS = {
    "containers_public": ["api/docker/cgr-public/v2/chainguard/wolfi-base/manifests/latest"],
    "containers": ["api/docker/cgr-private/v2/example.com/nginx/manifests/latest"],
    "charts": ["api/docker/cgr-charts/v2/example.com/iamguarded-charts/lab-greeting/manifests/1.1.0"],
    "packages": ["cgr-apk/x86_64/lab-private-1.1.0-r0.apk"],
    "packages_chainguard": ["cgr-apk-chainguard/x86_64/lab-greeting-1.1.0-r0.apk"],
    "packages_extra": ["cgr-apk-extra/x86_64/lab-extra-1.1.0-r0.apk"],
    "java": [f"cgr-java/{JAR}"],
    "java_remediated": [f"cgr-java-remediated/{REMEDIATED_JAR}"],
    "python": [
        "api/pypi/cgr-python/simple/lab-greeting/",
        f"api/pypi/cgr-python/packages{wheel_path('lab-greeting', '1.0.0')}",
    ],
    "python_remediated": [
        "api/pypi/cgr-python-remediated/simple/lab-greeting/",
        f"api/pypi/cgr-python-remediated/packages{wheel_path('lab-greeting', '1.0.0+cgr.1')}",
    ],
    **{
        f"python_{cuda}": [
            f"api/pypi/cgr-python-{cuda}/simple/torch/",
            f"api/pypi/cgr-python-{cuda}/packages{wheel_path('torch', f'2.8.0+{cuda}')}",
        ]
        for cuda in CUDA
    },
    "javascript": ["api/npm/cgr-javascript/lab-greeting/-/lab-greeting-1.0.0.tgz"],
    "dotnet": [
        "api/nuget/v3/cgr-dotnet/lab.greeting/index.json",
        "api/nuget/v3/cgr-dotnet/lab.greeting/1.0.0/lab.greeting.1.0.0.nupkg",
    ],
    "go": ["cgr-go/example.com/lab/greeting/@v/v1.0.0.zip"],
}
PORTAL_PAGE = b"<html>Log in</html>"
PORTAL = {"status": 200, "body": PORTAL_PAGE.decode(), "headers": {"Content-Type": "text/html"}}


def download_all(lab: LabClient, name: str) -> list[bytes]:
    """Return what a user gets from a source with an empty cache, without error responses."""
    lab.clear_cache(SOURCES[name].key)
    responses = [lab.download(path, MANIFEST) for path in DOWNLOADS[name]]
    return [response.content for response in responses if response.status_code == 200]


@contextlib.contextmanager
def change_settings(drift: Drift, name: str, **settings: t.Any) -> t.Iterator[LabClient]:
    """Change settings of a source until the context is left, and disable its negative cache."""
    key = SOURCES[name].key
    original = {setting: drift.fixed.repositories[key][setting] for setting in settings}
    drift.lab.set_config(key, **settings, **{NEGATIVE_CACHE_PERIOD: 0})
    try:
        yield drift.lab
    finally:
        drift.lab.set_config(key, **original)
        drift.lab.clear_cache(key)


def find_catalog_settings() -> set[str]:
    """Return the names of all settings in the catalog, and in the variables that its templates use."""
    catalog = yaml.safe_load((ROLE / "defaults" / "main" / "catalog.yml").read_text(encoding="utf-8"))
    variables = yaml.safe_load((ROLE / "vars" / "main.yml").read_text(encoding="utf-8"))
    names: set[str] = set()
    parts = [source["settings"] for source in catalog["__pull_through_default_catalog"].values()]
    while parts:
        part = parts.pop()
        if isinstance(part, dict):
            names |= part.keys()
        else:
            names |= set(re.findall(r"'(\w+)':", part))
            parts += [variables[name] for name in re.findall(r"__pull_through_\w+", part)]
    return names


def test_each_setting_of_the_catalog_has_a_test() -> None:
    assert find_catalog_settings() == set(WRONG_VALUES) - {"url"} | TESTED_SEPARATELY


@each_wrong_setting
def test_a_wrong_setting_changes_what_users_get(drift: Drift, name: str, setting: str) -> None:
    expected = download_all(drift.lab, name)
    assert len(expected) == len(DOWNLOADS[name])
    with change_settings(drift, name, **{setting: WRONG_VALUES[setting]}) as lab:
        assert download_all(lab, name) != expected
    assert download_all(drift.lab, name) == expected


def test_artifactory_does_not_request_snapshots_from_upstream(drift: Drift) -> None:
    path = "cgr-java/com/example/lab-greeting/2.0.0-SNAPSHOT/maven-metadata.xml"

    def count_upstream_requests(lab: LabClient) -> int:
        before = lab.control("GET", "/artifactory/upstream").get("cgr-java", {})
        assert lab.download(path).status_code == 404
        after = lab.control("GET", "/artifactory/upstream").get("cgr-java", {})
        return int(sum(after.values()) - sum(before.values()))

    assert count_upstream_requests(drift.lab) == 0
    with change_settings(drift, "java", handleSnapshots=True) as lab:
        assert count_upstream_requests(lab) > 0


@pytest.mark.parametrize("name", ["containers_public", "containers"])
def test_the_html_page_of_a_captive_portal_is_not_cached_as_an_image(drift: Drift, name: str) -> None:
    """Artifactory caches the page only if it does not block mismatching MIME types."""
    key, (path,) = SOURCES[name].key, DOWNLOADS[name]

    def download_behind_portal(lab: LabClient) -> tuple[bytes | None, bytes]:
        """Return the content while the portal intercepts requests (None for an error response), and afterward."""
        lab.clear_cache(key)
        lab.inject_fault(PORTAL, service="registry", kind="registry.manifest", user_agent="^Artifactory")
        response = lab.download(path, MANIFEST)
        lab.clear_faults()
        return response.content if response.status_code == 200 else None, lab.download(path, MANIFEST).content

    (expected,) = download_all(drift.lab, name)
    with change_settings(drift, name) as lab:
        assert download_behind_portal(lab) == (None, expected)
    with change_settings(drift, name, blockMismatchingMimeTypes=False) as lab:
        assert download_behind_portal(lab) == (PORTAL_PAGE, PORTAL_PAGE)


# --- permissions, and tokens of several owners ------------------------------------------------------------------------
@dataclasses.dataclass(frozen=True)
class Access:
    """A user with too few permissions; two organizations behind one Artifactory; one organization behind two instances.

    organizations: the UIDs by the name in the lab's state. tokens: the pull tokens after each step with two instances.
    """

    read_only: Step
    allowed: Step
    both: Step
    one_removed: Step
    organizations: dict[str, str]
    credentials: list[str]
    tokens: TwoInstances


@dataclasses.dataclass(frozen=True)
class TwoInstances:
    """The UIDs of all pull tokens after setup of the first and the second instance, a rotation in the first, and removal of the second."""

    first: set[str]
    both: set[str]
    rotated: set[str]
    removed: set[str]


OTHER_ORGANIZATION = "other.example.org"
OTHER_PYTHON = {
    "key": "other-python",
    "package_type": "pypi",
    "url": "https://libraries.cgr.dev/",
    "settings": {**LIBRARY, "pyPIRegistryUrl": "https://libraries.cgr.dev/", "pyPIRepositorySuffix": "python/simple"},
    "pull_token": "python",
    "organization": OTHER_ORGANIZATION,
    "artifacts": ["lab-greeting"],
}


def run_access(scenario: Scenario) -> Access:
    lab = scenario.lab
    as_reader = {"source_overrides": SOURCE_PULLS, "verify_username": "reader"}
    read_only = scenario.run("setup", lab.variables("java", **as_reader))
    # Publish a version that is not cached, and that the role's own pull does not cache.
    lab.control("POST", "/chainguard/packages", {"repository": "java", "version": "1.2.0"})
    lab.advance(days=0.1)
    allowed = scenario.run("setup", lab.variables("python", "java_remediated", "java", **as_reader, users=["reader"]))

    lab.reset()
    overrides = {"python": SOURCES["python"].pulls, "other": OTHER_PYTHON}
    as_workload = {**lab.workload_variables(), "source_overrides": overrides}
    both = scenario.run("setup", lab.variables("python", "other", **as_workload))
    one_removed = scenario.run("remove", lab.variables("other", **as_workload, remove_confirmed=True))
    organizations = {which: lab.state["chainguard"][which]["uid"] for which in ("organization", "other_organization")}

    lab.reset()
    with started("--http") as process:
        tokens = run_two_instances(scenario, LabClient(process.state))
    return Access(read_only, allowed, both, one_removed, organizations, lab.credentials(), tokens)


def run_two_instances(scenario: Scenario, other: LabClient) -> TwoInstances:
    """Set up the same source in the Artifactory of two labs, with the Chainguard of the scenario's lab."""
    # The other lab's Chainguard rejects the tokens of this one, so nothing is pulled.
    variables = scenario.lab.variables("go", source_overrides={"go": {"artifacts": []}})
    other_variables = {
        **variables,
        "pull_through_artifactory_url": other.artifactory_url,
        "pull_through_artifactory_access_token": other.admin_token,
    }
    steps = [
        scenario.run("setup", variables),
        scenario.run("setup", other_variables),
        scenario.run("rotate", {**variables, "pull_through_force_rotation": True}),
        scenario.run("remove", {**other_variables, "pull_through_remove_confirmed": True}),
    ]
    for step in steps:
        assert step.run.code == 0, step.run.output
    return TwoInstances(*({token["uid"] for token in step.pull_tokens} for step in steps))


def test_the_missing_permission_of_a_user_is_reported(access: Access) -> None:
    assert access.read_only.run.code != 0
    assert "Deploy/Cache" in access.read_only.run.failure()
    assert access.read_only.pull_result("cgr-java")["ok"] is True


def test_a_user_with_the_permission_pulls(access: Access) -> None:
    allowed = access.allowed
    assert allowed.run.code == 0, allowed.run.output
    (result,) = allowed.run.pull_results("cgr-java", names=USER_PULLS)
    assert (result["ok"], result["from_upstream"]) == (True, True)
    assert ENSURE_PERMISSION in allowed.run.changed


def test_each_source_has_a_token_of_its_own_organization(access: Access) -> None:
    both = access.both
    assert both.run.code == 0, both.run.output
    owners = {key: repository["username"].partition("/")[0] for key, repository in both.repositories.items()}
    assert owners == {
        "cgr-python": access.organizations["organization"],
        "other-python": access.organizations["other_organization"],
    }


def test_removing_a_source_does_not_affect_the_other_organization(access: Access) -> None:
    removed = access.one_removed
    assert removed.run.code == 0, removed.run.output
    assert set(removed.repositories) == {"cgr-python"}
    assert removed.only_token == access.both.repositories["cgr-python"]["username"]


def test_two_instances_with_the_same_key_do_not_affect_each_other_s_tokens(access: Access) -> None:
    tokens = access.tokens
    (other,) = tokens.both - tokens.first
    assert tokens.first < tokens.both
    assert other in tokens.rotated and not tokens.first & tokens.rotated and len(tokens.rotated) == 2
    assert tokens.removed == tokens.rotated - {other}
