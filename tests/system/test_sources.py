# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything that Chainguard serves, behind one Artifactory. A few stories are played, and all tests look at them."""

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
from lab.tests.programs import program
from support.developer import CLIENTS, Developer
from support.lab_client import Json, LabClient
from support.playbook_runner import LONGEST_RUN, Run, read_record, recorded_in
from support.rotation_harness import WarmAnsible
from support.secret_scan import Scanner
from system.test_setup import PRIVATE, PUBLIC, WRITE, Scenario, Step

ROLE = Path(__file__).resolve().parents[2] / "roles" / "pull_through"
LINES = "What to type next"

LIBRARY = {
    "allowAnyHostAuth": False,
    "bypassHeadRequests": True,
    "blockMismatchingMimeTypes": False,
    "disableUrlNormalization": True,
}
JAVA = {**LIBRARY, "handleSnapshots": False}
PYTHON = {**LIBRARY, "url": "https://libraries.cgr.dev/", "pyPIRegistryUrl": "https://libraries.cgr.dev/"}
IMAGES = {
    "url": "https://cgr.dev/",
    "includesPattern": "**/*",
    "enableTokenAuthentication": True,
    "blockMismatchingMimeTypes": True,
}
APK = {"disableUrlNormalization": True}
FEED = "https://libraries.cgr.dev/dotnet/v3/index.json"
VIRTUAL_APK = "https://virtualapk.cgr.dev/{uid}"


@dataclasses.dataclass(frozen=True)
class Source:
    """A source as Chainguard's guides want it (chainguard.md §5), and what the lab has of it."""

    key: str
    package_type: str
    settings: Json
    proved: Json
    private: bool = True


SOURCES = {
    "containers_public": Source(PUBLIC, "docker", IMAGES, {}, private=False),
    "containers": Source(PRIVATE, "docker", IMAGES, {"images": ["nginx"]}),
    "charts": Source(
        "cgr-charts",
        "helmoci",
        {"url": "https://cgr.dev", "enableTokenAuthentication": True},
        {"images": ["example.com/iamguarded-charts/lab-greeting:1.1.0"]},
    ),
    "packages": Source(
        "cgr-apk",
        "alpine",
        {**APK, "url": "https://apk.cgr.dev/example.com"},
        {"artifacts": ["lab-private"]},
    ),
    "packages_chainguard": Source(
        "cgr-apk-chainguard",
        "alpine",
        {**APK, "url": f"{VIRTUAL_APK}/chainguard"},
        {"artifacts": ["lab-greeting"]},
        private=False,
    ),
    "packages_extra": Source(
        "cgr-apk-extra",
        "alpine",
        {**APK, "url": f"{VIRTUAL_APK}/extra-packages"},
        {"artifacts": ["lab-extra"]},
        private=False,
    ),
    "java": Source(
        "cgr-java",
        "maven",
        {**JAVA, "url": "https://libraries.cgr.dev/java/"},
        {"artifacts": ["com.example:lab-greeting"]},
    ),
    "java_remediated": Source(
        "cgr-java-remediated",
        "maven",
        {**JAVA, "url": "https://libraries.cgr.dev/java-remediated/", "priorityResolution": True},
        {"artifacts": ["com.example:lab-greeting"]},
    ),
    "python": Source(
        "cgr-python",
        "pypi",
        {**PYTHON, "pyPIRepositorySuffix": "python/simple"},
        {"artifacts": ["lab-greeting"]},
    ),
    "python_remediated": Source(
        "cgr-python-remediated",
        "pypi",
        {**PYTHON, "pyPIRepositorySuffix": "python-remediated/simple", "priorityResolution": True},
        {"artifacts": ["lab-greeting"]},
    ),
    "javascript": Source(
        "cgr-javascript",
        "npm",
        {**LIBRARY, "url": "https://libraries.cgr.dev/javascript/"},
        {"artifacts": ["@example/greeting"]},
    ),
    "dotnet": Source(
        "cgr-dotnet",
        "nuget",
        {**LIBRARY, "url": FEED, "v3FeedUrl": FEED},
        {"artifacts": ["Lab.Greeting"]},
    ),
    "go": Source(
        "cgr-go",
        "go",
        {**LIBRARY, "url": "https://libraries.cgr.dev/go/"},
        {"artifacts": ["example.com/lab/greeting"]},
    ),
}
PROVED = {name: source.proved for name, source in SOURCES.items()}
VIRTUALS = {
    "containers": ("cgr-containers-all", "docker", [PRIVATE, PUBLIC]),
    "charts": ("cgr-charts-all", "helmoci", ["cgr-charts"]),
    "packages": ("cgr-apk-all", "alpine", ["cgr-apk", "cgr-apk-chainguard", "cgr-apk-extra"]),
    "java": ("cgr-java-all", "maven", ["cgr-java-remediated", "cgr-java"]),
    "python": ("cgr-python-all", "pypi", ["cgr-python-remediated", "cgr-python"]),
    "javascript": ("cgr-javascript-all", "npm", ["cgr-javascript"]),
    "dotnet": ("cgr-dotnet-all", "nuget", ["cgr-dotnet"]),
    "go": ("cgr-go-all", "go", ["cgr-go"]),
}
each_source = pytest.mark.parametrize("name", SOURCES)

# The build of the one version that both Java repositories have, and the words by which they can be told apart.
JAR = "com/example/lab-greeting/1.0.0/lab-greeting-1.0.0.jar"


@contextlib.contextmanager
def warm_player(folder: Path) -> t.Iterator[t.Callable[..., Run]]:
    """Give what runs playbooks as Player does, but at once: with so many sources, most of the time is Pythons that start."""
    home, kept = folder / "home", folder / "kept"
    home.mkdir()
    kept.mkdir()
    record = kept / "tasks.jsonl"
    with WarmAnsible(home, kept, patience=LONGEST_RUN, **recorded_in(record)) as ansible:

        def run_playbook(playbook: str, variables: Json, *arguments: str) -> Run:
            record.write_text("", encoding="utf-8")
            ended = ansible.start(playbook.rpartition(".")[2], variables, *arguments).wait()
            assert ended.code is not None
            return Run(ended.code, ended.output, read_record(record), kept)

        yield run_playbook


@dataclasses.dataclass(frozen=True)
class Stories:
    everything: Everything
    repair: Repair
    access: Access
    untouched: Untouched


@pytest.fixture(scope="module")
def stories(
    running_lab: LabClient, running_plain_lab: LabClient, tmp_path_factory: pytest.TempPathFactory
) -> t.Iterator[Stories]:
    """Two at a time, each with a lab of its own."""
    folders = [tmp_path_factory.mktemp("warm") for _number in range(2)]
    with concurrent.futures.ThreadPoolExecutor() as pool, started() as process:
        with warm_player(folders[0]) as run_playbook, warm_player(folders[1]) as play_too:
            repair = pool.submit(tell_repair, Scenario(LabClient(process.state), play_too))
            everything = tell_everything(Scenario(running_lab, run_playbook), folders[0])
            access = tell_access(Scenario(running_plain_lab, run_playbook))
            untouched = tell_untouched(Scenario(running_lab, run_playbook))
            yield Stories(everything, repair.result(), access, untouched)


@pytest.fixture
def everything(stories: Stories) -> Everything:
    return stories.everything


@pytest.fixture
def repair(stories: Stories) -> Repair:
    return stories.repair


@pytest.fixture
def access(stories: Stories) -> Access:
    return stories.access


@pytest.fixture
def untouched(stories: Stories) -> Untouched:
    return stories.untouched


# --- all sources ------------------------------------------------------------------------------------------------------
@dataclasses.dataclass(frozen=True)
class Everything:
    """An empty Artifactory, and what became of it. clients: how programs fared with the lines that a run printed."""

    permissions: Json
    predicted: Step
    first: Step
    granted: Json
    bindings: list[Json]
    lines: str
    jars: dict[str, bytes]
    clients: dict[str, subprocess.CompletedProcess[str]]
    second: Step
    check: Step
    removed: Step
    permissions_after: Json
    uid: str
    credentials: list[str]


def tell_everything(scenario: Scenario, folder: Path) -> Everything:
    lab, file = scenario.lab, folder / "lines.txt"
    wanted = {"source_overrides": PROVED, "virtuals": list(VIRTUALS), "users": ["reader"], "groups": ["readers"]}
    variables = lab.variables(*SOURCES, **wanted, client_setup_file=str(file), depth="manifest")
    permissions = lab.permissions()

    predicted = scenario.run("setup", variables, "--check")
    first = scenario.run("setup", variables)
    granted, bindings = lab.permissions(), lab.bindings()
    jars = {key: lab.file(f"{key}/{JAR}") for key in ("cgr-java", "cgr-java-remediated", "cgr-java-all")}
    clients = Developer(lab, folder / "developer").run_all(first.run.task(LINES).result["msg"])
    second = scenario.run("setup", variables)
    check = scenario.run("verify", variables)

    removed = scenario.run("remove", {**variables, "pull_through_remove_confirmed": True})
    return Everything(
        permissions,
        predicted,
        first,
        granted,
        bindings,
        file.read_text(encoding="utf-8"),
        jars,
        clients,
        second,
        check,
        removed,
        lab.permissions(),
        lab.organization["uid"],
        lab.credentials(),
    )


@pytest.mark.parametrize("which", ["everything", "repair", "access", "untouched"])
def test_no_run_prints_a_secret(stories: Stories, which: str) -> None:
    scenario = getattr(stories, which)
    # Short ones are wrong passwords that other tests tried at the same lab.
    scanner = Scanner({secret[-12:]: secret for secret in scenario.credentials if len(secret) >= 12})
    found = [*vars(scenario).values(), *getattr(scenario, "checks", {}).values()]
    outputs = [step.run.output for step in found if isinstance(step, Step)]
    assert len(outputs) > 2 and len(scenario.credentials) > 2
    assert [output for output in outputs if scanner.find(output.encode())] == []


def proved(step: Step, name: str) -> Json:
    """Return the result of the one image or artifact that a run proved a source with."""
    (found,) = step.run.proofs(SOURCES[name].key)
    return found


def test_check_mode_writes_nothing(everything: Everything) -> None:
    predicted = everything.predicted
    assert predicted.run.code == 0, predicted.run.output
    assert (predicted.writes, predicted.repositories, predicted.pull_tokens) == ([], {}, [])


def test_check_mode_predicts_the_run_task_by_task(everything: Everything) -> None:
    predicted, real = everything.predicted.run, everything.first.run
    assert real.code == 0, real.output
    assert [task.outcome for task in predicted.tasks] == [task.outcome for task in real.tasks]


@each_source
def test_each_source_is_set_as_the_guides_ask_for(everything: Everything, name: str) -> None:
    source = SOURCES[name]
    stored = everything.first.repositories[source.key]
    wanted = {**source.settings, "url": source.settings["url"].format(uid=everything.uid)}
    assert {setting: stored[setting] for setting in wanted} == wanted
    assert bool(stored["username"]) is source.private


def test_each_private_source_has_a_pull_token_with_one_role_of_its_own(everything: Everything) -> None:
    stored = everything.first.repositories
    in_use = sorted(stored[source.key]["username"] for source in SOURCES.values() if source.private)
    assert in_use == sorted(token["uid"] for token in everything.first.pull_tokens)
    bound = sorted(binding["identityUid"] for binding in everything.bindings if binding["identityUid"] in in_use)
    assert bound == in_use


@each_source
def test_each_source_is_proved_fresh_and_is_what_upstream_has(everything: Everything, name: str) -> None:
    found = proved(everything.first, name)
    assert (found["ok"], found["from_upstream"]) == (True, True)
    if "artifact" in found:
        assert (found["upstream_version"], found["stale"]) == (found["version"], False)
        # A Go proxy may word what it tells about a version as it likes.
        assert all(file["matches_upstream"] for file in found["files"] if not file["name"].endswith(".info"))
    elif name == "charts":
        assert found["upstream_digest"] == found["digest"]
    else:
        assert any(found["digest"] in line for line in everything.first.run.told(SOURCES[name].key))


@pytest.mark.parametrize("name", VIRTUALS)
def test_each_virtual_repository_has_its_members_in_order(everything: Everything, name: str) -> None:
    key, package_type, members = VIRTUALS[name]
    stored = everything.first.repositories[key]
    assert (stored["packageType"], stored["repositories"]) == (package_type, members)


def test_what_the_plain_source_has_cached_does_not_hide_what_is_remediated(everything: Everything) -> None:
    jars = everything.jars
    assert jars["cgr-java"] != jars["cgr-java-remediated"]
    assert jars["cgr-java-all"] == jars["cgr-java-remediated"]


def test_who_may_pull_gets_read_and_deploy_on_the_remotes(everything: Everything) -> None:
    granted = everything.granted["cgr-pull"]["artifact"]
    assert set(granted["targets"]) == {source.key for source in SOURCES.values()}
    assert granted["actions"] == {"users": {"reader": ["READ", "WRITE"]}, "groups": {"readers": ["READ", "WRITE"]}}


def test_the_lines_for_developers_are_printed_and_written_down_without_a_secret(everything: Everything) -> None:
    printed = everything.first.run.task(LINES).result["msg"]
    assert everything.lines.splitlines() == printed[:-1]
    beginnings = (
        "docker pull",
        "helm pull",
        "echo https",
        "<settings>",
        "pip config",
        "npm config",
        "dotnet",
        "go env",
    )
    for beginning in beginnings:
        assert any(line.startswith(beginning) and "-all" in line for line in printed), beginning
    assert not [secret for secret in everything.credentials if secret in everything.lines]


@pytest.mark.parametrize("client", CLIENTS)
def test_a_program_fetches_with_the_lines_that_were_printed(everything: Everything, client: str) -> None:
    for name in CLIENTS[client].programs:
        program(name)
    ended = everything.clients[client]
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert CLIENTS[client].says in ended.stdout


@pytest.mark.parametrize("which", ["second", "check"])
def test_a_further_run_changes_and_writes_nothing(everything: Everything, which: str) -> None:
    step: Step = getattr(everything, which)
    assert step.run.code == 0, step.run.output
    assert (step.run.changed, step.writes) == ([], [])
    assert step.repositories == everything.first.repositories


def test_remove_leaves_both_services_as_they_were(everything: Everything) -> None:
    removed = everything.removed
    assert removed.run.code == 0, removed.run.output
    assert (removed.repositories, removed.pull_tokens) == ({}, [])
    assert everything.permissions_after == everything.permissions


# --- the catalog as it is -------------------------------------------------------------------------------------------
PROVED_BY_DEFAULT = {
    "containers_public": "chainguard/wolfi-base:latest",
    "containers": "example.com/jdk:latest",
    "charts": "example.com/iamguarded-charts/lab-greeting:1.1.0",
    "packages": "lab-private",
    "packages_chainguard": "ca-certificates-bundle",
    "packages_extra": "lab-extra",
    "java": "org.slf4j:slf4j-api",
    "java_remediated": "org.springframework.boot:spring-boot",
    "python": "six",
    "python_remediated": "werkzeug",
    "javascript": "ms",
    "dotnet": "Newtonsoft.Json",
    "go": "github.com/google/uuid",
}


@dataclasses.dataclass(frozen=True)
class Untouched:
    """All sources, of which the user changed nothing, and charts of an organization that has none.

    listed: what the second run listed below an organization or a folder of images and charts.
    """

    first: Step
    second: Step
    listed: list[str]
    check: Step
    without_charts: Step
    credentials: list[str]


def tell_untouched(scenario: Scenario) -> Untouched:
    lab = scenario.lab
    variables = lab.variables(*SOURCES)
    first = scenario.run("setup", variables)
    before = lab.log_position()
    second = scenario.run("setup", variables)
    kinds = [entry["kind"] for entry in lab.request_log(before) if "uidp.childrenOf" in entry["query"]]
    listed = [kind for kind in kinds if kind in ("iam.group.list", "platform.repo.list", "platform.tag.list")]
    check = scenario.run("verify", variables)
    lab.reset()
    without_charts = scenario.run("setup", lab.variables("charts", **workload(lab), organization=OTHER))
    return Untouched(first, second, listed, check, without_charts, lab.credentials())


@pytest.mark.parametrize("which", ["first", "second", "check"])
@each_source
def test_each_source_is_proved_by_its_default(untouched: Untouched, which: str, name: str) -> None:
    step: Step = getattr(untouched, which)
    assert step.run.code == 0, step.run.output
    found = proved(step, name)
    reference = found["artifact"] if "artifact" in found else found["image"].partition("@")[0]
    assert (found["ok"], reference) == (True, PROVED_BY_DEFAULT[name])
    assert found["bytes"] > 0
    assert found["from_upstream"] is True or which != "first"


def test_remediated_libraries_are_those_that_chainguard_mended(untouched: Untouched) -> None:
    versions = [proved(untouched.first, name)["version"] for name in ("java_remediated", "python_remediated")]
    assert versions == ["3.2.12-0.cgr.1", "3.0.3+cgr.1"]


def test_a_second_run_of_the_untouched_catalogue_changes_nothing(untouched: Untouched) -> None:
    assert (untouched.second.run.changed, untouched.second.writes) == ([], [])


def test_a_chart_is_found_in_three_listings(untouched: Untouched) -> None:
    of_images, of_charts = ["platform.repo.list"], ["iam.group.list", "platform.repo.list", "platform.tag.list"]
    assert untouched.listed == of_images + of_charts


def test_an_organization_without_charts_is_told(untouched: Untouched) -> None:
    run = untouched.without_charts.run
    assert run.code == 0, run.output
    assert "no chart was found in the organization" in run.told("cgr-charts")[0]


# --- wrong settings -----------------------------------------------------------------------------------------------------
WRONG: Json = {
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
# They do no harm to what is fetched here, and have a test of their own.
OTHERS = {"handleSnapshots", "priorityResolution"}
MISSED = "missedRetrievalCachePeriodSecs"
LEAVES_PAGES = "bypassHeadRequests"
# Each setting of each source that can be wrong. Of .NET's, the feed counts, and the URL is for people.
WRONG_SETTINGS = [
    (name, setting)
    for name, source in SOURCES.items()
    for setting, right in source.settings.items()
    if setting in WRONG and right != WRONG[setting] and (name, setting) != ("dotnet", "url")
]
each_wrong_setting = pytest.mark.parametrize(
    ("name", "setting"), WRONG_SETTINGS, ids=[f"{name}-{setting}" for name, setting in WRONG_SETTINGS]
)


@dataclasses.dataclass(frozen=True)
class Repair:
    """All sources, checks with one setting of each changed by hand, and a setup after the last of these. lab: as it was left.

    checks: by the name of the source and the setting.
    """

    lab: LabClient
    first: Step
    checks: dict[tuple[str, str], Step]
    mended: Step
    credentials: list[str]


def tell_repair(scenario: Scenario) -> Repair:
    """In the checks only the setting can be why something does not come: nothing is cached, and no failure is remembered."""
    lab = scenario.lab
    variables = lab.variables(*SOURCES, source_overrides=PROVED, depth="manifest")
    first = scenario.run("setup", variables)
    checks: dict[tuple[str, str], Step] = {}
    for wrongs in in_rounds(WRONG_SETTINGS):
        for source in SOURCES.values():
            stored = first.repositories[source.key]
            lab.set_config(source.key, **{setting: stored[setting] for setting in source.settings}, **{MISSED: 0})
            lab.control("DELETE", f"/artifactory/cache/{source.key}")
        for name, setting in wrongs:
            lab.set_config(SOURCES[name].key, **{setting: WRONG[setting]})
        checks.update(dict.fromkeys(wrongs, scenario.run("verify", variables)))
    for source in SOURCES.values():
        lab.set_config(source.key, **{MISSED: first.repositories[source.key][MISSED]})
    return Repair(lab, first, checks, scenario.run("setup", variables), lab.credentials())


def in_rounds(wrongs: t.Sequence[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """Return them in groups that have one of each source at most. The last has one of each: what leaves web pages, if it can."""
    ordered = sorted(wrongs, key=lambda wrong: wrong[1] != LEAVES_PAGES)
    of_source = [[wrong for wrong in ordered if wrong[0] == name] for name in SOURCES]
    return [[wrong for wrong in group if wrong] for group in itertools.zip_longest(*of_source)][::-1]


@each_wrong_setting
def test_a_wrong_setting_fails_the_check_with_its_name(repair: Repair, name: str, setting: str) -> None:
    source = SOURCES[name]
    right = repair.first.repositories[source.key][setting]
    failure = repair.checks[name, setting].run.failure()
    (said,) = (line for line in failure.splitlines() if f"{source.key} is not set" in line)
    assert f"{source.key} is not set as this role does it: {setting} should be {json.dumps(right)}." in said


def test_a_check_that_fails_writes_nothing(repair: Repair) -> None:
    assert all(check.run.code != 0 for check in repair.checks.values())
    assert [check.writes for check in repair.checks.values() if check.writes] == []


@each_source
def test_the_next_setup_mends_a_wrong_setting_and_proves_it(repair: Repair, name: str) -> None:
    source, mended = SOURCES[name], repair.mended
    assert mended.run.code == 0, mended.run.output
    assert f"{WRITE} | {source.key}" in mended.run.changed
    assert mended.repositories[source.key] == repair.first.repositories[source.key]
    assert proved(mended, name)["from_upstream"] is True


def test_a_cache_that_holds_web_pages_is_emptied(repair: Repair) -> None:
    emptied = {task for task in repair.mended.run.changed if task.startswith("Delete what wrong settings spoiled")}
    with_pages = {SOURCES[name].key for name, setting in WRONG_SETTINGS if setting == LEAVES_PAGES}
    assert {task.rpartition(" ")[2] for task in emptied} == with_pages


# --- what each setting is for -----------------------------------------------------------------------------------------
MANIFEST = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"
WHEEL = "lab-greeting/1.0.0/lab_greeting-1.0.0-py3-none-any.whl"

# What a user fetches of each source, below /artifactory/: a document and a file, where documents are not redirected.
FETCHED = {
    "containers_public": ["api/docker/cgr-public/v2/chainguard/wolfi-base/manifests/latest"],
    "containers": ["api/docker/cgr-private/v2/example.com/nginx/manifests/latest"],
    "charts": ["api/docker/cgr-charts/v2/example.com/iamguarded-charts/lab-greeting/manifests/1.1.0"],
    "packages": ["cgr-apk/x86_64/lab-private-1.1.0-r0.apk"],
    "packages_chainguard": ["cgr-apk-chainguard/x86_64/lab-greeting-1.1.0-r0.apk"],
    "packages_extra": ["cgr-apk-extra/x86_64/lab-extra-1.1.0-r0.apk"],
    "java": [f"cgr-java/{JAR}"],
    "java_remediated": [f"cgr-java-remediated/{JAR}"],
    "python": [
        "api/pypi/cgr-python/simple/lab-greeting/",
        f"api/pypi/cgr-python/packages/python/simple/{WHEEL}",
    ],
    "python_remediated": [
        "api/pypi/cgr-python-remediated/simple/lab-greeting/",
        f"api/pypi/cgr-python-remediated/packages/python-remediated/simple/{WHEEL.replace('1.0.0', '1.0.0+cgr.1')}",
    ],
    "javascript": ["api/npm/cgr-javascript/lab-greeting/-/lab-greeting-1.0.0.tgz"],
    "dotnet": [
        "api/nuget/v3/cgr-dotnet/lab.greeting/index.json",
        "api/nuget/v3/cgr-dotnet/lab.greeting/1.0.0/lab.greeting.1.0.0.nupkg",
    ],
    "go": ["cgr-go/example.com/lab/greeting/@v/v1.0.0.zip"],
}
PORTAL = {"status": 200, "body": "<html>Log in</html>", "headers": {"Content-Type": "text/html"}}


def fetched(lab: LabClient, name: str) -> list[bytes]:
    """Return what a user gets of a source whose cache is empty, without what is refused."""
    lab.control("DELETE", f"/artifactory/cache/{SOURCES[name].key}")
    answers = [lab.download(path, MANIFEST) for path in FETCHED[name]]
    return [answer.content for answer in answers if answer.status_code == 200]


@contextlib.contextmanager
def spoiled(repair: Repair, name: str, **settings: t.Any) -> t.Iterator[LabClient]:
    """Set something wrong by hand, and put it right in the end. No negative cache is in the way, then and after that."""
    key = SOURCES[name].key
    right = {setting: repair.mended.repositories[key][setting] for setting in settings}
    repair.lab.set_config(key, **settings, **{MISSED: 0})
    try:
        yield repair.lab
    finally:
        repair.lab.set_config(key, **right)
        repair.lab.control("DELETE", f"/artifactory/cache/{key}")


def test_each_setting_of_the_catalogue_has_its_test() -> None:
    catalog = (ROLE / "defaults" / "main" / "catalog.yml").read_text(encoding="utf-8")
    known = set(WRONG) - {"url"} | OTHERS
    parts = [part for name, part in yaml.safe_load(catalog).items() if name.startswith("__")]
    parts += [source["settings"] for source in yaml.safe_load(catalog)["pull_through_catalog"].values()]
    found = {name for part in parts if isinstance(part, dict) for name in part}
    found |= {name for part in parts if isinstance(part, str) for name in re.findall(r"'(\w+)':", part)}
    assert found == known


@each_wrong_setting
def test_each_setting_keeps_users_from_harm(repair: Repair, name: str, setting: str) -> None:
    right = fetched(repair.lab, name)
    assert len(right) == len(FETCHED[name])
    with spoiled(repair, name, **{setting: WRONG[setting]}) as lab:
        assert fetched(lab, name) != right
    assert fetched(repair.lab, name) == right


def test_snapshots_that_there_are_none_of_are_not_asked_for(repair: Repair) -> None:
    path = "cgr-java/com/example/lab-greeting/2.0.0-SNAPSHOT/maven-metadata.xml"

    def asked(lab: LabClient) -> int:
        before = lab.control("GET", "/artifactory/upstream").get("cgr-java", {})
        assert lab.download(path).status_code == 404
        after = lab.control("GET", "/artifactory/upstream").get("cgr-java", {})
        return sum(after.values()) - sum(before.values())

    assert asked(repair.lab) == 0
    with spoiled(repair, "java", handleSnapshots=True) as lab:
        assert asked(lab) > 0


def test_a_remediated_member_needs_priority(repair: Repair) -> None:
    members = ["cgr-java-remediated", "cgr-java"]
    body = {"rclass": "virtual", "packageType": "maven", "repositories": members}
    assert repair.lab.artifactory("PUT", "/repositories/java-of-both", body).status_code == 200
    remediated, path = repair.lab.file(f"cgr-java-remediated/{JAR}"), f"java-of-both/{JAR}"
    plain = repair.lab.file(f"cgr-java/{JAR}")
    with spoiled(repair, "java_remediated", priorityResolution=False) as lab:
        lab.control("DELETE", "/artifactory/cache/cgr-java-remediated")
        assert lab.file(path) == plain != remediated
    assert repair.lab.file(path) == remediated


@pytest.mark.parametrize("name", ["containers_public", "containers"])
def test_the_page_of_a_captive_portal_is_not_kept_as_an_image(repair: Repair, name: str) -> None:
    """What the portal said is gone with it, unless it passed for an image."""
    key, (path,) = SOURCES[name].key, FETCHED[name]

    def behind_a_portal(lab: LabClient) -> tuple[bytes | None, bytes]:
        lab.control("DELETE", f"/artifactory/cache/{key}")
        lab.inject_fault(PORTAL, service="registry", kind="registry.manifest", user_agent="^Artifactory")
        with_portal = lab.download(path, MANIFEST)
        lab.clear_faults()
        return with_portal.content if with_portal.status_code == 200 else None, lab.download(path, MANIFEST).content

    (right,) = fetched(repair.lab, name)
    with spoiled(repair, name) as lab:
        assert behind_a_portal(lab) == (None, right)
    with spoiled(repair, name, blockMismatchingMimeTypes=False) as lab:
        assert behind_a_portal(lab) == (b"<html>Log in</html>", b"<html>Log in</html>")


# --- who pulls, and whose tokens there are ----------------------------------------------------------------------------
@dataclasses.dataclass(frozen=True)
class Access:
    """A user who may only read; two organizations behind one Artifactory; one organization behind two of them."""

    read_only: Step
    allowed: Step
    both: Step
    one_left: Step
    organizations: dict[str, str]
    credentials: list[str]
    one_place: list[Json]
    two_places: list[Json]
    renewed_in_one: list[Json]
    removed_from_other: list[Json]


OTHER = "other.example.org"
OTHER_PYTHON = {
    "key": "other-python",
    "package_type": "pypi",
    "url": "https://libraries.cgr.dev/",
    "settings": {**LIBRARY, "pyPIRegistryUrl": "https://libraries.cgr.dev/", "pyPIRepositorySuffix": "python/simple"},
    "pull_token": "python",
    "organization": OTHER,
    "artifacts": ["lab-greeting"],
}


def workload(lab: LabClient) -> Json:
    """Return the variables that log in as somebody of both organizations."""
    return {
        "chainguard_api_token": None,
        "chainguard_identity": lab.workload["identity"],
        "chainguard_identity_token": lab.workload["oidc_token"],
    }


def tell_access(scenario: Scenario) -> Access:
    lab = scenario.lab
    reading = {"source_overrides": PROVED, "verify_username": "reader"}
    read_only = scenario.run("setup", lab.variables("java", **reading))
    # Something that the cache does not have, nor gets from the role's own pull.
    lab.control("POST", "/chainguard/packages", {"repository": "java", "version": "1.2.0"})
    lab.advance(days=0.1)
    allowed = scenario.run("setup", lab.variables("python", "java_remediated", "java", **reading, users=["reader"]))

    lab.reset()
    of_both = {**workload(lab), "source_overrides": {"python": SOURCES["python"].proved, "other": OTHER_PYTHON}}
    both = scenario.run("setup", lab.variables("python", "other", **of_both))
    one_left = scenario.run("remove", lab.variables("other", **of_both, remove_confirmed=True))
    organizations = {which: lab.state["chainguard"][which]["uid"] for which in ("organization", "other_organization")}

    lab.reset()
    with started("--http") as process:
        # Its upstreams know nothing of this lab's tokens, so nothing is pulled.
        unproved = {"source_overrides": {"go": {"artifacts": []}}}
        here = lab.variables("go", **unproved)
        there = {**here, "pull_through_artifactory_url": LabClient(process.state).artifactory_url}
        there["pull_through_artifactory_access_token"] = LabClient(process.state).admin_token
        steps = [
            scenario.run("setup", here),
            scenario.run("setup", there),
            scenario.run("rotate", {**here, "pull_through_force_rotation": True}),
            scenario.run("remove", {**there, "pull_through_remove_confirmed": True}),
        ]
    for step in steps:
        assert step.run.code == 0, step.run.output
    tokens = (step.pull_tokens for step in steps)
    return Access(read_only, allowed, both, one_left, organizations, lab.credentials(), *tokens)


def test_a_user_who_may_only_read_is_found_and_told_what_is_missing(access: Access) -> None:
    assert access.read_only.run.code != 0
    assert "Deploy/Cache" in access.read_only.run.failure()
    assert proved(access.read_only, "java")["ok"] is True


def test_with_the_permission_the_user_pulls(access: Access) -> None:
    allowed = access.allowed
    assert allowed.run.code == 0, allowed.run.output
    (found,) = allowed.run.proofs("cgr-java", user="reader")
    assert (found["ok"], found["from_upstream"]) == (True, True)
    assert "Let users and groups pull" in allowed.run.changed


def test_each_source_has_a_token_of_its_own_organization(access: Access) -> None:
    both = access.both
    assert both.run.code == 0, both.run.output
    owners = {key: stored["username"].partition("/")[0] for key, stored in both.repositories.items()}
    assert owners == {
        "cgr-python": access.organizations["organization"],
        "other-python": access.organizations["other_organization"],
    }


def test_removing_a_source_leaves_the_other_organization_alone(access: Access) -> None:
    one_left = access.one_left
    assert one_left.run.code == 0, one_left.run.output
    assert set(one_left.repositories) == {"cgr-python"}
    assert one_left.only_token == access.both.repositories["cgr-python"]["username"]


def test_two_artifactories_with_the_same_key_do_not_touch_each_other_s_tokens(access: Access) -> None:
    first, two, renewed, left = (
        {token["uid"] for token in tokens}
        for tokens in (access.one_place, access.two_places, access.renewed_in_one, access.removed_from_other)
    )
    (other,) = two - first
    assert first < two
    assert other in renewed and not first & renewed and len(renewed) == 2
    assert left == renewed - {other}
