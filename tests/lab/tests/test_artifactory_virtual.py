# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual repositories of packages: whose file comes, and which documents become one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .conftest import Lab, PullToken
from .test_artifactory_alpine import ALPINE
from .test_artifactory_docker import asked, change
from .test_artifactory_files import JAR, MAVEN, METADATA, MISSING, get
from .test_artifactory_go import GO, MODULE
from .test_artifactory_npm import NPM, dist, integrity
from .test_artifactory_nuget import NUGET
from .test_artifactory_pypi import PYPI, index, links
from .test_artifactory_rest import PERMISSIONS, client, create, envelope
from .test_chainguard_apk import entries
from .test_chainguard_libraries import fetch

MakeRemote = Callable[..., PullToken]


@pytest.fixture
def remote(lab: Lab, pull_token: Callable[..., PullToken]) -> MakeRemote:
    """Creates a remote repository with a pull token of its own."""

    def make(key: str, role: str, body: dict[str, Any]) -> PullToken:
        token = pull_token(role)
        create(lab, key, {**body, "username": token.username, "password": token.password})
        return token

    return make


def virtual(lab: Lab, package_type: str, *members: str) -> None:
    create(lab, "all", {"rclass": "virtual", "packageType": package_type, "repositories": list(members)})


@pytest.fixture
def java(lab: Lab, remote: MakeRemote) -> PullToken:
    """`all`, in which the remediated libraries come first."""
    token = remote("plain", "libraries.java.pull", MAVEN)
    remote("remediated", "libraries.java.pull", {**MAVEN, "url": "https://libraries.cgr.dev/java-remediated/"})
    virtual(lab, "maven", "remediated", "plain")
    return token


def test_the_first_member_s_file_comes(lab: Lab, java: PullToken) -> None:
    assert get(lab, f"all/{JAR}").content == fetch(lab, f"/java-remediated/{JAR}", java)
    assert asked(lab, "plain") == {} and asked(lab, "remediated") == {"GET": 2}
    newer = JAR.replace("1.0.0", "1.1.0")
    assert get(lab, f"all/{newer}").content == fetch(lab, f"/java/{newer}", java)
    assert lab.control("GET", "/artifactory/cache/plain") == [newer]


def test_another_order_brings_another_file(lab: Lab, java: PullToken) -> None:
    change(lab, "all", repositories=["plain", "remediated"])
    assert get(lab, f"all/{JAR}").content == fetch(lab, f"/java/{JAR}", java)


def test_all_caches_come_before_any_upstream_but_for_a_member_with_priority(lab: Lab, java: PullToken) -> None:
    plain = get(lab, f"plain/{JAR}").content
    assert get(lab, f"all/{JAR}").content == plain
    change(lab, "remediated", priorityResolution=True)
    assert get(lab, f"all/{JAR}").content != plain


def test_a_member_that_finds_nothing_is_stepped_over_in_silence(lab: Lab, java: PullToken) -> None:
    change(lab, "remediated", password="wrong")
    assert get(lab, f"all/{JAR}").content == fetch(lab, f"/java/{JAR}", java)
    change(lab, "plain", blockMismatchingMimeTypes=True)
    lab.configure(artifactory_mime_mismatch_status=409)
    assert get(lab, f"all/{JAR.replace('.jar', '.pom')}").status_code == 409


def test_metadata_of_maven_holds_the_versions_of_all(lab: Lab, java: PullToken) -> None:
    lab.control("POST", "/chainguard/packages", {"repository": "java-remediated", "version": "1.0.1"})
    answer = get(lab, f"all/{METADATA}")
    for version in ("1.0.0", "1.0.1", "1.1.0"):
        assert answer.text.count(f"<version>{version}</version>") == 1
    assert "<latest>1.1.0</latest>" in answer.text
    assert get(lab, f"all/{METADATA}.sha1").text == answer.headers["x-checksum-sha1"]


def test_a_web_page_cannot_be_joined(lab: Lab, java: PullToken) -> None:
    lab.fail(service="libraries", action={"status": 200, "body": "<p>Log in<p>"})
    assert get(lab, f"all/{METADATA}").status_code == 500


def test_one_member_that_may_not_be_read_makes_a_miss_a_denial(lab: Lab, java: PullToken) -> None:
    for name in ("readers", "pullers", "managers"):
        client(lab).delete(f"{PERMISSIONS}/{name}")
    actions = {"users": {"puller": ["READ", "WRITE"]}}
    granted = {"artifact": {"actions": actions, "targets": {"plain": {}}}}
    assert client(lab).post(PERMISSIONS, json={"name": "some", "resources": granted}).status_code == 201
    assert get(lab, f"all/{JAR}").content == fetch(lab, f"/java/{JAR}", java)
    assert get(lab, "all/com/example/nothing/1/nothing-1.jar").status_code == 403


def test_python(lab: Lab, remote: MakeRemote) -> None:
    remote("plain", "libraries.python.pull", PYPI)
    remote("remediated", "libraries.python.pull", {**PYPI, "pyPIRepositorySuffix": "python-remediated/simple"})
    virtual(lab, "pypi", "remediated", "plain")
    found = links(index(lab, key="all"))
    assert [name.split("-")[1] for name in found] == ["1.0.0+cgr.1", "1.0.0", "1.1.0"]
    for target in found.values():
        assert "/api/pypi/all/packages/" in target and client(lab, "puller").get(target).status_code == 200
    assert links(index(lab, "lab-upstream", "all"))
    assert envelope(index(lab, "nothing", "all")) == MISSING


def test_npm(lab: Lab, remote: MakeRemote) -> None:
    remote("first", "libraries.javascript.pull", NPM)
    remote("second", "libraries.javascript.pull", NPM)
    virtual(lab, "npm", "first", "second")
    document = get(lab, "api/npm/all/lab-greeting")
    assert list(document.json()["versions"]) == ["1.0.0", "1.1.0"]
    tarball = get(lab, dist(document)["tarball"].partition("/artifactory/")[2])
    assert "/api/npm/all/" in dist(document)["tarball"] and integrity(tarball) == dist(document)["integrity"]
    assert lab.control("GET", "/artifactory/cache/second") == [".npm/lab-greeting/package.json"]


def test_alpine(lab: Lab, remote: MakeRemote) -> None:
    remote("private", "apk.pull", {**ALPINE, "url": "https://apk.cgr.dev/example.com"})
    for repository in ("chainguard", "extra-packages"):
        create(lab, repository, {**ALPINE, "url": f"https://virtualapk.cgr.dev/{lab.org}/{repository}"})
    virtual(lab, "alpine", "private", "chainguard", "extra-packages")
    found = entries(get(lab, "all/x86_64/APKINDEX.tar.gz").content)
    names = ["ca-certificates-bundle", "lab-extra", "lab-greeting", "lab-private"]
    assert sorted(entry["P"] for entry in found) == sorted(names * 2)
    for entry in found:
        answer = get(lab, f"all/x86_64/{entry['P']}-{entry['V']}.apk")
        assert str(len(answer.content)) == entry["S"]


def test_an_index_that_is_none_cannot_be_joined(lab: Lab, remote: MakeRemote) -> None:
    for repository in ("chainguard", "extra-packages"):
        create(lab, repository, {**ALPINE, "url": f"https://virtualapk.cgr.dev/{lab.org}/{repository}"})
    virtual(lab, "alpine", "chainguard", "extra-packages")
    lab.fail(service="virtualapk", action={"status": 200, "body": "<p>Log in<p>"})
    assert get(lab, "all/x86_64/APKINDEX.tar.gz").status_code == 500


def test_go(lab: Lab, remote: MakeRemote) -> None:
    remote("first", "libraries.go.pull", GO)
    get(lab, f"first/{MODULE}/@v/list")
    lab.control("POST", "/chainguard/packages", {"repository": "go", "version": "1.2.0"})
    remote("second", "libraries.go.pull", GO)
    virtual(lab, "go", "first", "second")
    assert get(lab, f"api/go/all/{MODULE}/@v/list").text == "v1.0.0\nv1.1.0\nv1.2.0\n"
    assert get(lab, f"api/go/all/{MODULE}/@v/v1.2.0.zip").status_code == 200


def test_nuget(lab: Lab, remote: MakeRemote) -> None:
    remote("wrong", "libraries.dotnet.pull", {**NUGET, "url": "https://libraries.cgr.dev/dotnet/"})
    remote("right", "libraries.dotnet.pull", NUGET)
    virtual(lab, "nuget", "wrong", "right")
    api = "api/nuget/v3/all"
    assert "/api/nuget/v3/all/" in get(lab, f"{api}/index.json").text
    assert get(lab, f"{api}/lab.greeting/index.json").json() == {"versions": ["1.0.0", "1.1.0"]}
    assert get(lab, f"{api}/lab.greeting/1.0.0/lab.greeting.1.0.0.nupkg").status_code == 200
