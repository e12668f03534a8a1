# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The examples of the documentation run against the lab as they are written: only addresses, paths and content are the lab's.

What runs no module or playbook is checked for its syntax. A new kind of block has to be added to one of the tables.
"""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import typing as t
from pathlib import Path

import jinja2
import pytest
import yaml

from ansible_collections.cgr.pull_through.plugins.filter.pull_through import FilterModule
from support.examples import Block, Json, read_blocks, read_filter_examples, read_module_examples
from support.forked_ansible import open_forked_runner
from support.lab_client import LabClient
from support.playbook_runner import MAX_RUN_SECONDS, Run
from support.sources import SOURCE_PULLS

BLOCKS = read_blocks()
MODULES = read_module_examples()
FILTERS = read_filter_examples()

# --- how each block is treated ------------------------------------------------------------------------------------------
# YAML blocks that contain no task and no variable, by their first key, with the reason why they do not run as a whole.
# A call of ansible-playbook in them runs.
OTHER_YAML = {
    "additional_build_files": "a part of an execution environment, which tests/artifact creates",
    "all": "an inventory of ansible-rulebook, which the suite `rulebooks` runs",
    "apiVersion": "an object of Kubernetes",
    "cgr_pull_through": "output, which test_results.py compares with the role",
    "collections": "requirements of ansible-galaxy, which make galaxy installs",
    True: "a workflow of GitHub, whose key `on` is true in YAML",
    "groups": "alert rules, which the suite `report` evaluates",
    "rotate": "a job of GitLab",
}
OTHER_LANGUAGES = {"ini": "an inventory or a unit of systemd", "text": "a picture, or output"}
# The playbooks in the order in which their examples run.
PLAYBOOKS = ["setup", "verify", "diagnose", "warm", "rotate", "remove"]

# --- what the lab has instead of the content in the examples --------------------------------------------------------------
CONTENT = {
    "ci": "admin",
    "example.com/iamguarded-charts/redis:22.0.7": "example.com/iamguarded-charts/lab-greeting:1.1.0",
    "nginx=1.29.1-r0": "lab-private=1.1.0-r0",
    "requests": "urllib3",
    "wolfi-baselayout": "lab-private",
}
ARTIFACTORIES = (
    "https://myproject.jfrog.io",
    "https://artifactory.example.com",
    "https://europe.example.com",
    "https://america.example.com",
)
FILES = ("/etc/", "/srv/", "/var/")
SETTINGS_FILE = re.compile(r"@/etc/(?:pull-through/)?(pull-through\.yml)")
# Options whose value the controller requests itself. The URL of a repository is that of the real service also in the lab.
DIRECT = ("chainguard_libraries_url", "hosts", "registry_url", "upstream_url")

PLAY = {"hosts": "localhost", "gather_facts": False}

RunPlaybook = t.Callable[..., Run]


class Translator:
    """Replaces the addresses, files and content of the examples by those of the lab. folder: where the runs work."""

    def __init__(self, lab: LabClient, folder: Path) -> None:
        self._lab = lab
        self.folder = folder

    def translate(self, value: t.Any, option: str = "") -> t.Any:
        """Return a value with its texts translated."""
        if isinstance(value, dict):
            return {key: self.translate(child, key) for key, child in value.items()}
        if isinstance(value, list):
            return [self.translate(child, option) for child in value]
        return self.translate_text(value, option) if isinstance(value, str) else value

    def translate_text(self, text: str, option: str = "") -> str:
        """Return a text, or a word of a command, translated."""
        chainguard = self._lab.state["chainguard"]
        for url in ARTIFACTORIES:
            text = text.replace(url, self._lab.artifactory_url)
            text = text.replace(url.partition("//")[2], self._lab.host)
        if option in DIRECT:
            text = text.replace("https://cgr.dev", self._lab.registry_url)
            text = text.replace("https://libraries.cgr.dev", chainguard["libraries_url"])
        for path in FILES:
            if path in text and "://" not in text:
                text = text.replace(path, f"{self.folder}{path}", 1)
        text = text.replace("$PWD", str(self.folder))
        return CONTENT.get(text, text)


@pytest.fixture(scope="module")
def examples(
    running_plain_lab: LabClient, tmp_path_factory: pytest.TempPathFactory
) -> t.Iterator[tuple[RunPlaybook, Translator]]:
    """A runner with the credentials in the environment, as the quick start says, and the files that the examples name."""
    running_plain_lab.reset()
    folder = tmp_path_factory.mktemp("examples")
    chainguard = running_plain_lab.state["chainguard"]
    environment = {
        "ARTIFACTORY_URL": running_plain_lab.artifactory_url,
        "ARTIFACTORY_ACCESS_TOKEN": running_plain_lab.admin_token,
        "CHAINGUARD_IDENTITY": running_plain_lab.workload["identity"],
        "CHAINGUARD_IDENTITY_TOKEN": running_plain_lab.workload["oidc_token"],
        "CHAINGUARD_API_URL": chainguard["api_url"],
        "CHAINGUARD_ISSUER_URL": chainguard["issuer_url"],
        "CHAINGUARD_HOSTS": ",".join(
            chainguard[f"{name}_url"].partition("//")[2] for name in ("registry", "libraries", "apk", "virtualapk")
        ),
        "LAB_CONTROL_URL": running_plain_lab.state["control_url"],
        "ANSIBLE_PIPELINING": "true",  # the fork server takes modules from standard input
    }
    with open_forked_runner(folder, timeout=MAX_RUN_SECONDS, **environment) as run_playbook:
        translator = Translator(running_plain_lab, folder / "home")
        write_files(translator, running_plain_lab)
        yield run_playbook, translator


def role_variables(lab: LabClient, *sources: str) -> Json:
    """Return the settings of a site with the addresses of the lab. The credentials have access to both organizations."""
    credentials = {**lab.workload_variables(), "artifactory_access_token": None, "grace_period": None}
    sources = sources or ("containers",)
    return lab.variables(*sources, source_overrides={name: SOURCE_PULLS[name] for name in sources}, **credentials)


def write_files(translator: Translator, lab: LabClient) -> None:
    """Write the files that the examples name, with the content that the documentation shows for them."""
    settings = next(
        block for block in BLOCKS if block.name.startswith("README.md") and "pull-through.yml" in block.text
    )
    content = json.dumps({**role_variables(lab), **translator.translate(settings.documents[0])})
    inventory = next(block for block in BLOCKS if block.text.startswith("[artifactory]"))
    deployment = {
        "kind": "Deployment",
        "spec": {"containers": [{"image": f"{lab.host}/cgr-private/example.com/nginx"}]},
    }
    files = {
        "pull-through.yml": content,
        "inventory.ini": "\n".join(map(translator.translate_text, inventory.text.splitlines())),
        "deploy/deployment.json": json.dumps({"apiVersion": "apps/v1", **deployment}),
    }
    for folder in ("srv/reports", "var/lib/awx", "var/lib/cache-warming", "var/log"):
        (translator.folder / folder).mkdir(parents=True)
    for name, text in files.items():
        file = translator.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def validate_success(run: Run) -> None:
    """Raise AssertionError with the messages of the failed tasks if a run failed."""
    failures = [f"{task.name}: {task.message}" for task in run.tasks if task.status == "failed"]
    assert run.code == 0 and not failures, "\n".join(failures) or run.output[-3000:]


def commands() -> list[tuple[str, ...]]:
    """Return each different call of a playbook of the collection, in an order in which all of them work."""
    written = [command for block in BLOCKS for command in block.playbook_commands]
    # The files with the settings have the same content.
    unique = {tuple(SETTINGS_FILE.sub(r"@\1", word) for word in command): None for command in written}
    unique.pop(("load.yml",))  # test_awx.py checks what it loads
    return sorted(unique, key=lambda command: PLAYBOOKS.index(command[0].removeprefix("cgr.pull_through.")))


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_a_command(examples: tuple[RunPlaybook, Translator], command: tuple[str, ...]) -> None:
    run_playbook, translator = examples
    run = run_playbook(command[0], {}, *map(translator.translate_text, command[1:]))
    validate_success(run)


def yaml_blocks(is_chosen: t.Callable[[t.Any], bool]) -> pytest.MarkDecorator:
    """Return a decorator that runs a test with each YAML block whose first document is chosen."""
    chosen = {block.text: block for block in BLOCKS if block.language == "yaml" and is_chosen(block.documents[0])}
    return pytest.mark.parametrize("block", chosen.values(), ids=lambda block: block.name)


def has_variables(document: t.Any) -> bool:
    return isinstance(document, dict) and all(str(name).startswith("pull_through_") for name in document)


@yaml_blocks(has_variables)
def test_variables(examples: tuple[RunPlaybook, Translator], running_plain_lab: LabClient, block: Block) -> None:
    run_playbook, translator = examples
    # The examples before this one verified these sources, which takes most of the time of a run.
    base = {**role_variables(running_plain_lab), "pull_through_verify_unchanged": False}
    variables = {**base, **translator.translate(block.documents[0])}
    run = run_playbook("setup", variables)
    validate_success(run)


@yaml_blocks(lambda document: isinstance(document, list))
def test_tasks_and_plays(examples: tuple[RunPlaybook, Translator], running_plain_lab: LabClient, block: Block) -> None:
    run_playbook, translator = examples
    content = translator.translate(block.documents[0])
    playbook = translator.folder / "example.json"
    play = {**PLAY, "tasks": content}
    playbook.write_text(json.dumps(content if "hosts" in content[0] else [play]), encoding="utf-8")
    variables = role_variables(running_plain_lab)
    validate_success(run_playbook("setup", {**variables, "pull_through_verify_unchanged": False}))
    run = run_playbook(str(playbook), variables)
    validate_success(run)


@yaml_blocks(lambda document: not isinstance(document, list) and not has_variables(document))
def test_other_yaml(block: Block) -> None:
    assert next(iter(block.documents[0])) in OTHER_YAML, "a new kind of block: run it, or add the reason to the table"


@pytest.mark.parametrize(
    "block", [block for block in BLOCKS if block.language != "yaml"], ids=lambda block: str(block.name)
)
def test_syntax(block: Block) -> None:
    if block.language in OTHER_LANGUAGES:
        return
    assert block.language == "sh", "a block needs a language: sh, yaml, ini or text"
    check = subprocess.run(["bash", "-n"], input=block.text, text=True, capture_output=True, check=False)
    assert check.returncode == 0 and not check.stderr, check.stderr


# --- EXAMPLES of modules and filters ------------------------------------------------------------------------------------
# The order in which the modules run: those that set up come first.
MODULE_ORDER = [
    "chainguard_pull_token",
    "artifactory_remote_repository",
    "artifactory_virtual_repository",
    "artifactory_permission",
    "registry_pull",
    "artifact_pull",
]
# Arguments that the lab cannot take as they are, by the name of the task.
ARGUMENTS: dict[str, Json] = {
    "Pull from another registry": {
        "registry_url": "https://myproject.jfrog.io",
        "images": ["cgr-public/chainguard/wolfi-base"],
    },
    "List the remediated libraries": {"chainguard_libraries_url": "https://libraries.cgr.dev"},
}


def prepare_tasks(lab: LabClient) -> list[Json]:
    """Return the tasks that register what the examples use and do not show."""
    tokens = {"image_token": "oci", "chart_token": "oci", "java_token": "java", "python_token": "python"}
    issue: list[Json] = [
        {
            "cgr.pull_through.chainguard_pull_token": {
                "organization": lab.organization["name"],
                "name": f"example {name}",
                "ecosystem": ecosystem,
                "consumer": f"{lab.artifactory_url}/{name}",
            },
            "register": name,
        }
        for name, ecosystem in tokens.items()
    ]
    create = {"cgr.pull_through.artifactory_access_token": {"username": "ci", "expires_in": 86400}}
    return [*issue, {**create, "register": "daily_token"}]


def replace_arguments(task: Json) -> Json:
    """Return a task of the examples with the arguments that the lab can take."""
    arguments = ARGUMENTS.get(task["name"], {})
    return {key: {**(value or {}), **arguments} if key.startswith("cgr.") else value for key, value in task.items()}


def test_examples_of_modules(examples: tuple[RunPlaybook, Translator], plain_lab: LabClient) -> None:
    lab = plain_lab
    run_playbook, translator = examples
    setup = run_playbook("setup", role_variables(lab, *SOURCE_PULLS))
    validate_success(setup)
    order = [*MODULE_ORDER, *(name for name in MODULES if name not in MODULE_ORDER)]
    tasks = [translator.translate(replace_arguments(task)) for name in order for task in MODULES[name]]
    variables = {
        "artifactory_token": lab.admin_token,
        "artifactory_access_token": lab.admin_token,
        "registry_password": lab.admin_token,
        "images_to_cache": ["example.com/nginx", "example.com/python:3.12"],
        "repository": lab.repositories()["cgr-private"],
        "java": lab.repositories()["cgr-java"],
        "python": lab.repositories()["cgr-python"],
    }
    playbook = translator.folder / "modules.json"
    play: Json = {**PLAY, "ignore_errors": True, "tasks": [*prepare_tasks(lab), *tasks]}
    playbook.write_text(json.dumps([play]), encoding="utf-8")
    run = run_playbook(str(playbook), variables)
    validate_success(run)
    assert len(run.tasks) == len(play["tasks"])


@pytest.mark.parametrize("name", FILTERS)
def test_an_example_of_a_filter(name: str) -> None:
    """The filters of the role take what only the role has. The examples must pass what the functions take."""
    environment = jinja2.Environment()
    environment.filters = {f"cgr.pull_through.{key}": function for key, function in FilterModule().filters().items()}
    calls = [
        call
        for expression in _expressions(FILTERS[name])
        for call in environment.parse(expression).find_all(jinja2.nodes.Filter)
        if call.name == f"cgr.pull_through.{name}"
    ]
    assert calls
    for call in calls:
        function = environment.filters[call.name]
        # jinja2.pass_context: such a filter gets the context before its input.
        context = [None] if hasattr(function, "jinja_pass_arg") else []
        arguments = {str(argument.key): None for argument in call.kwargs}
        inspect.signature(function).bind(*context, None, *call.args, **arguments)


def _expressions(examples: str) -> list[str]:
    return [task["ansible.builtin.set_fact"]["output"] for task in yaml.safe_load(examples)]
