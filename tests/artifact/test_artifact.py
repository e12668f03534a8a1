# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A release of a copy of the sources, and the execution environment with the collection."""

from __future__ import annotations

import json
import subprocess
import tarfile
from pathlib import Path

import pytest
import yaml

from environments import ROOT, make_environment
from release import find_mistake, make_release
from source_tree import copy_tree
from support import awx
from support.ansible_yaml import load_yaml
from support.examples import read_blocks

VERSION = "9.0.0"
FRAGMENT = """\
release_summary: A summary.
bugfixes:
  - registry_pull - the option ``threads`` works.
"""


@pytest.fixture(scope="module")
def programs() -> Path:
    return make_environment("release", "release")


@pytest.fixture(scope="module")
def tree() -> Path:
    """A copy of the sources in a repository of its own."""
    tree = copy_tree("release")
    folder = tree / "changelogs/fragments"
    folder.mkdir(exist_ok=True)
    for file in folder.glob("*.yml"):
        # A release has one summary.
        if "release_summary:" in file.read_text(encoding="utf-8"):
            file.unlink()
    (folder / f"{VERSION}.yml").write_text(FRAGMENT, encoding="utf-8")
    git(tree, "config", "user.name", "Test")
    git(tree, "config", "user.email", "test@example.com")
    # As the ignored files of the checkout, the environments are outside of the copy.
    git(tree, "add", "--all")
    git(tree, "commit", "--quiet", "--message", "Start")
    return tree


def git(tree: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=tree, check=True, stdout=subprocess.PIPE, text=True).stdout


def test_a_release_is_one_command(tree: Path, programs: Path, tmp_path: Path) -> None:
    assert find_mistake(tree, "1.0") == "Usage: make release VERSION=1.2.3"
    (tree / "new").touch()
    assert "Commit or remove the changed files" in find_mistake(tree, VERSION)
    (tree / "new").unlink()
    assert find_mistake(tree, VERSION) == ""

    artifact = make_release(tree, VERSION, programs, tmp_path)
    assert git(tree, "tag", "--points-at", "HEAD").split() == [VERSION] and not git(tree, "status", "--porcelain")
    assert not list((tree / "changelogs/fragments").glob("*.yml"))
    changelog = (tree / "CHANGELOG.md").read_text(encoding="utf-8")
    notes = changelog.partition("## v9\\.0\\.0")[2].partition("\n## v")[0]
    assert "### Release Summary" in notes and "### Bugfixes" in notes and "unreleased" not in changelog
    assert "``" not in notes and "registry\\_pull" in notes
    with tarfile.open(artifact) as archive:
        names = archive.getnames()
        manifest = json.load(archive.extractfile("MANIFEST.json") or pytest.fail("no manifest"))
    assert manifest["collection_info"]["version"] == VERSION
    assert {"README.md", "CHANGELOG.md", "docs/rotation.md", "extensions/awx/load.yml", "meta/runtime.yml"} <= set(
        names
    )
    assert [name for name in names if name.startswith("tests/")] == ["tests/config.yml"]
    assert [name for name in names if name.startswith(".")] == [".ansible-lint"]
    assert not [name for name in names if name.startswith("changelogs/fragments/")]
    assert find_mistake(tree, VERSION) == f"The tag {VERSION} exists already. Choose another version."


def create_context(programs: Path, definition: Path, context: Path) -> str:
    """Return the instructions that ansible-builder writes for an execution environment."""
    # Without podman on the machine, the default is the file of docker.
    options: list[str | Path] = ["--file", definition, "--context", context, "--output-filename", "Containerfile"]
    subprocess.run([programs / "ansible-builder", "create", *options], check=True, capture_output=True)
    return (context / "Containerfile").read_text(encoding="utf-8")


def test_the_execution_environment_has_exactly_what_the_collection_needs(programs: Path, tmp_path: Path) -> None:
    create_context(programs, awx.FOLDER / "execution-environment.yml", tmp_path / "context")
    collections = ROOT / ".cache" / "collections"
    introspect: list[str | Path] = [programs / "ansible-builder", "introspect", "--sanitize", collections]
    output = subprocess.run(introspect, check=True, capture_output=True).stdout
    dependencies = yaml.safe_load(output)
    lines = (ROOT / "meta/ee-requirements.txt").read_text(encoding="utf-8").splitlines()
    needed = [line for line in lines if line and not line.startswith("#")]
    assert [package.partition("  #")[0] for package in dependencies["python"]] == needed and dependencies[
        "system"
    ] == []


def test_the_execution_environment_takes_a_company_ca_as_documented(programs: Path, tmp_path: Path) -> None:
    blocks = [block.text for block in read_blocks() if "additional_build_files" in block.text]
    definition = tmp_path / "execution-environment.yml"
    text = (awx.FOLDER / definition.name).read_text(encoding="utf-8")
    definition.write_text("\n".join([text, *blocks]), encoding="utf-8")
    (tmp_path / "company-ca.pem").write_text("certificate", encoding="utf-8")
    instructions = create_context(programs, definition, tmp_path / "context")
    assert (tmp_path / "context/_build/certificates/company-ca.pem").is_file()
    assert "RUN update-ca-trust" in instructions


def test_the_versions_agree() -> None:
    version = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["version"]
    heading = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").partition("\n## v")[2].partition("\n")[0]
    assert heading.replace("\\", "").removesuffix(" (unreleased)") == version
    environment = load_yaml(awx.FOLDER / "execution-environment.yml")
    project = load_yaml(awx.FOLDER / "project/collections/requirements.yml")
    for collections in (environment["dependencies"]["galaxy"]["collections"], project["collections"]):
        assert [entry["version"] for entry in collections] == [f">={version},<1.0.0"]
