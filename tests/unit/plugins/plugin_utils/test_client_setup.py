# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands that set up developers' clients. The system tests run them with real programs."""

from __future__ import annotations

import pytest

from ansible_collections.cgr.pull_through.plugins.plugin_utils._client_setup import client_setup
from ansible_collections.cgr.pull_through.plugins.plugin_utils._sources import Source

BASE = "https://artifactory.example.com/artifactory"
LOGIN = "https://USER:TOKEN@artifactory.example.com/artifactory"


def source(key, package_type, **fields):
    return Source(name=key, key=key, package_type=package_type, url="https://cgr.dev/", **fields)


def virtual(key, package_type, *members, **fields):
    repository = {
        "key": key,
        "package_type": package_type,
        "repositories": list(members),
        "settings": {},
        "failure": "",
    }
    return {**repository, **fields}


def lines_of(sources, virtuals=(), url="https://artifactory.example.com"):
    return client_setup(sources, virtuals, url, url)["lines"]


def commands_of(sources, virtuals=()):
    return [line for line in lines_of(sources, virtuals) if not line.startswith("#")]


PYTHON = [source("a", "pypi"), source("b", "pypi")]


def test_two_python_sources_are_one_line_for_each_client():
    pip, uv = commands_of(PYTHON)
    assert pip == (
        f"pip config set global.index-url {LOGIN}/api/pypi/a/simple"
        f" && pip config set global.extra-index-url '{LOGIN}/api/pypi/b/simple'"
    )
    assert uv == (
        f"export UV_DEFAULT_INDEX={LOGIN}/api/pypi/a/simple UV_INDEX='{LOGIN}/api/pypi/b/simple'"
        " UV_INDEX_STRATEGY=unsafe-best-match"
    )


def test_members_are_addressed_through_their_virtual_repository_once():
    pip, uv = commands_of(PYTHON, [virtual("all", "pypi", "a", "b")])
    assert pip == f"pip config set global.index-url {LOGIN}/api/pypi/all/simple"
    assert uv == f"export UV_DEFAULT_INDEX={LOGIN}/api/pypi/all/simple"


def test_members_of_a_virtual_repository_that_failed_are_addressed_themselves():
    pip, _uv = commands_of(PYTHON, [virtual("all", "pypi", "a", "b", failure="no such type")])
    assert "/pypi/a/simple" in pip and "/pypi/all/" not in pip


def test_a_source_that_failed_is_left_out_and_the_others_are_not():
    commands = commands_of([source("a", "pypi", failure="no token"), source("go", "go")])
    assert commands == [f"go env -w GOPROXY={LOGIN}/api/go/go 'GONOSUMDB=*'"]


def test_two_java_sources_are_one_settings_file():
    (settings,) = commands_of([source("remediated", "maven"), source("plain", "maven")])
    assert settings == (
        "<settings><servers><server><id>remediated</id><username>USER</username><password>TOKEN</password></server>"
        "<server><id>plain</id><username>USER</username><password>TOKEN</password></server></servers>"
        f"<mirrors><mirror><id>remediated</id><url>{BASE}/remediated</url><mirrorOf>central</mirrorOf></mirror></mirrors>"
        f"<profiles><profile><id>chainguard</id><repositories><repository><id>plain</id><url>{BASE}/plain</url></repository>"
        "</repositories></profile></profiles><activeProfiles><activeProfile>chainguard</activeProfile></activeProfiles>"
        "</settings>"
    )


def test_npm_uses_one_registry():
    lines = lines_of([source("a", "npm"), source("b", "npm")])
    assert "# npm uses one registry. A virtual repository can combine it with b." in lines
    assert not any("/npm/b/" in line for line in lines)


@pytest.mark.parametrize(
    ("settings", "keys", "note"),
    [
        ({}, ["a", "b"], "without primaryKeyPairRef"),
        ({"primaryKeyPairRef": "alpine"}, ["all"], "key pair alpine in /etc/apk/keys"),
    ],
)
def test_apk_uses_a_virtual_repository_only_if_its_index_is_signed(settings, keys, note):
    sources = [source("a", "alpine"), source("b", "alpine")]
    lines = lines_of(sources, [virtual("all", "alpine", "a", "b", settings=settings)])
    assert [line for line in lines if not line.startswith("#")] == [
        f"echo {LOGIN}/{key} >> /etc/apk/repositories" for key in keys
    ]
    assert any(note in line for line in lines)


def test_images_are_pulled_by_tag():
    images = ["example.com/nginx:1.27@sha256:0", "example.com/jdk:latest"]
    assert commands_of([source("a", "docker", verify_images=images)]) == [
        "docker login artifactory.example.com",
        "docker pull artifactory.example.com/a/example.com/nginx:1.27",
        "docker pull artifactory.example.com/a/example.com/jdk:latest",
    ]
    assert commands_of([source("a", "helmoci", verify_images=["example.com/charts/redis:1.0.0"])])[1] == (
        "helm pull oci://artifactory.example.com/a/example.com/charts/redis --version 1.0.0"
    )


@pytest.mark.parametrize("suffix", ["", "/", "/artifactory", "/artifactory/"])
def test_the_url_can_end_in_artifactory(suffix):
    lines = lines_of([source("a", "go")], url=f"https://artifactory.example.com{suffix}")
    assert f"go env -w GOPROXY={LOGIN}/api/go/a 'GONOSUMDB=*'" in lines


def test_markdown_has_a_section_for_each_client():
    markdown = client_setup([source("a", "npm"), source("m", "maven")], [], BASE, BASE)["markdown"]
    assert [line for line in markdown.splitlines() if line.startswith("#")] == [
        "# Client setup",
        "## mvn",
        "## npm",
        "## yarn 1",
    ]
    assert "```xml\n<settings>" in markdown
    assert "```shell\nnpm config set registry=" in markdown
    assert "USER: @ becomes %40" in markdown
    assert markdown.count("```") == 6


def test_without_sources_there_is_nothing_to_set_up():
    assert lines_of([]) == []
