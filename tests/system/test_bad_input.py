# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What users get wrong. Each mistake ends in words that tell it, without a traceback, and before anything was written.

All mistakes are made in one run, each by a host of its own.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from urllib.parse import unquote

import pytest
import trustme

from support.lab_client import Json, LabClient
from support.playbook_runner import PlaybookRunner, Run
from support.services import redirecting_to

BOTH = ("containers_public", "containers")


@dataclasses.dataclass(frozen=True)
class Mistake:
    """What a host does wrong: variables of the role (see Lab.variables), and what the failure has to say.

    public and private: fields of the two sources. The mistake is in the second where it can be, since nothing may be
    written for the first either.
    """

    says: tuple[str, ...]
    sources: tuple[str, ...] = BOTH
    variables: Json = dataclasses.field(default_factory=dict)
    public: Json = dataclasses.field(default_factory=dict)
    private: Json = dataclasses.field(default_factory=dict)


LONG_KEY = "cgr-" + 55 * "x"
MISTAKES = {
    "long-key": Mistake((LONG_KEY, "59 characters", "at most 58"), private={"key": LONG_KEY}),
    "illegal-key": Mistake(("'cgr/private'", "letters, digits"), private={"key": "cgr/private"}),
    "url-with-path": Mistake(
        ("url has a path", "/example.com", "https://cgr.dev/"),
        private={"url": "https://cgr.dev/example.com"},
    ),
    "unknown-source": Mistake(("nonsense", "containers_public, containers"), sources=(*BOTH, "nonsense")),
    "unknown-organization": Mistake(
        ("no organization 'nobody.example.net'",), variables={"organization": "nobody.example.net"}
    ),
    "no-organization": Mistake(("pull_through_organization",), variables={"organization": ""}),
    "unknown-private-image": Mistake(("example.com has no nonsense",), private={"images": ["nonsense"]}),
    "unknown-public-image": Mistake(("chainguard/nonsense",), public={"images": ["chainguard/nonsense:latest"]}),
    "long-ttl": Mistake(("ttl", "at most 8760h", "'9000h'"), variables={"token_ttl": "9000h"}),
    "unreadable-ttl": Mistake(("ttl is not a duration", "'a month'", "720h"), variables={"token_ttl": "a month"}),
    "early-renewal": Mistake(("renew_before (30d)", "less than ttl (720h)"), variables={"token_renew_before": "30d"}),
    "other-class": Mistake(
        ("taken-local", "rclass 'local', not 'remote'", "cannot be changed"),
        private={"key": "taken-local"},
    ),
    "other-package-type": Mistake(
        ("taken-npm", "packageType 'npm', not 'docker'", "cannot be changed"),
        private={"key": "taken-npm"},
    ),
    "wrong-token": Mistake(("status 401", "artifactory_access_token"), variables={"artifactory_access_token": "wrong"}),
    "readers-token": Mistake(("status 403", "administrator")),
    "no-token": Mistake(
        ("no login for Artifactory", "artifactory_access_token"), variables={"artifactory_access_token": None}
    ),
    "wrong-audience": Mistake(("audience", "chainctl auth token")),
    "untrusted-certificate": Mistake(("TLS certificate", "not trusted", "ca_path"), variables={"ca_path": None}),
    "redirect-to-https": Mistake(("redirect", "https://", "Set the URL of Artifactory")),
    "free-edition": Mistake(("Pro edition",)),
}


@dataclasses.dataclass(frozen=True)
class Bad:
    """The run with all mistakes, and what it wrote."""

    run: Run
    writes: list[Json]


@pytest.fixture(scope="module")
def bad(running_lab: LabClient, running_plain_lab: LabClient, run_playbook: PlaybookRunner) -> Bad:
    lab, other = running_lab, running_plain_lab
    lab.reset()
    other.reset()
    other.configure(artifactory_edition="jcr")
    lab.create_repository("taken-npm", packageType="npm", url="https://registry.npmjs.org")
    lab.create_repository("taken-local", rclass="local")
    before = lab.log_position()
    with redirecting_to(lab.artifactory_url) as http_url:
        inventory = {name: variables_of(name, lab, other, http_url) for name in MISTAKES}
        run = run_playbook("cgr.pull_through.setup", {"pull_through_hosts": "all"}, "-vvv", inventory=inventory)
    return Bad(run, lab.writes(before) + other.writes())


def variables_of(name: str, lab: LabClient, other: LabClient, http_url: str) -> Json:
    """Return the variables of one host. Some mistakes need what is known only now."""
    known_now: dict[str, Json] = {
        "readers-token": {"artifactory_access_token": lab.users["reader"]["token"]},
        "wrong-audience": {"chainguard_api_token": lab.workload["oidc_token"]},
        "redirect-to-https": {"artifactory_url": http_url},
    }
    mistake = MISTAKES[name]
    overrides = {
        "containers_public": {"key": f"public-{name}", **mistake.public},
        "containers": {"key": f"private-{name}", "images": ["nginx"], **mistake.private},
    }
    more: Json = {"source_overrides": overrides, "depth": "manifest", **mistake.variables, **known_now.get(name, {})}
    return (other if name == "free-edition" else lab).variables(*mistake.sources, **more)


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_in_words(bad: Bad, name: str) -> None:
    message = bad.run.failure(name)
    missing = [words for words in MISTAKES[name].says if words not in message]
    assert not missing, message


def test_no_mistake_ends_in_a_traceback(bad: Bad) -> None:
    assert bad.run.code == 2
    assert re.findall(".*Traceback.*", bad.run.output) == []


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_writes_nothing_to_artifactory(bad: Bad, name: str) -> None:
    keys = {f"public-{name}", MISTAKES[name].private.get("key", f"private-{name}")}
    named = [entry for entry in bad.writes if keys & set(unquote(entry["path"]).split("/"))]
    assert [(entry["method"], entry["path"]) for entry in named] == []


def test_no_mistake_writes_anything_to_chainguard(bad: Bad) -> None:
    assert [(entry["method"], entry["path"]) for entry in bad.writes if entry["service"] == "api"] == []


def test_the_ca_option_mends_an_untrusted_certificate(
    lab: LabClient, run_playbook: PlaybookRunner, tmp_path: Path
) -> None:
    """Also where the environment names a bundle, which for requests wins over a session's own setting."""
    login = dict(lab.defaults()["group/cgr.pull_through.artifactory"])
    trusted = login.pop("ca_path")
    look = {"cgr.pull_through.artifactory_repository_info": login}
    mended = {"cgr.pull_through.artifactory_repository_info": {**login, "ca_path": trusted}}
    another = tmp_path / "another.pem"
    trustme.CA().cert_pem.write_to_path(str(another))
    tasks = [{"name": "Without it", **look}, {"name": "With it", **mended}]
    run = run_playbook.tasks(tasks, {}, REQUESTS_CA_BUNDLE=str(another))
    assert run.task("Without it").status == "failed"
    assert "set ca_path" in run.failure()
    assert run.task("With it").status == "ok", run.output


# --- a module's Python without its libraries --------------------------------------------------------------------------
LIBRARIES: dict[str, Json] = {
    "requests": {"cgr.pull_through.artifactory_repository_info": {}},
    "cryptography": {"cgr.pull_through.chainguard_pull_token": {"name": "pull cgr-private"}},
}


@pytest.fixture(scope="module")
def bare_python(running_lab: LabClient, run_playbook: PlaybookRunner, tmp_path_factory: pytest.TempPathFactory) -> Bad:
    """A run in which each task has a Python that cannot import one library."""
    running_lab.reset()
    folder = tmp_path_factory.mktemp("without")
    tasks = [
        {"name": library, **task, "environment": {"PYTHONPATH": str(without(library, folder / library))}}
        for library, task in LIBRARIES.items()
    ]
    run = run_playbook.tasks(tasks, running_lab.defaults(), "-vvv")
    return Bad(run, running_lab.writes())


def without(library: str, folder: Path) -> Path:
    """Return a folder that stands before the library's on Python's path, and hides it."""
    folder.mkdir()
    (folder / f"{library}.py").write_text(f"raise ImportError(\"No module named '{library}'\")\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_missing_library_is_named_with_the_python_that_lacks_it(bare_python: Bad, library: str) -> None:
    task = bare_python.run.task(library)
    assert task.status == "failed"
    assert f"({library})" in task.result["msg"]
    assert re.search(r"on .*'s Python \S*/python", task.result["msg"])


def test_a_missing_library_ends_in_no_traceback_and_no_write(bare_python: Bad) -> None:
    assert re.findall(".*Traceback.*", bare_python.run.output) == []
    assert bare_python.writes == []
