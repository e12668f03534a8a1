# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual repositories of packages: which member serves a file, and which documents are merged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .conftest import Lab, PullToken
from .test_artifactory_alpine import ALPINE
from .test_artifactory_docker import change, count_requests
from .test_artifactory_files import JAR, MAVEN, METADATA, MISSING, get
from .test_artifactory_go import GO, MODULE
from .test_artifactory_npm import NPM, dist, integrity
from .test_artifactory_nuget import NUGET
from .test_artifactory_pypi import PYPI, index, links
from .test_artifactory_rest import PERMISSIONS, client, create, envelope
from .test_chainguard_apk import entries
from .test_chainguard_libraries import fetch

CreateRemote = Callable[..., PullToken]


@pytest.fixture
def remote(lab: Lab, pull_token: Callable[..., PullToken]) -> CreateRemote:
    """Creates a remote repository with its own pull token."""

    def create_remote(key: str, role: str, body: dict[str, Any]) -> PullToken:
        token = pull_token(role)
        create(lab, key, {**body, "username": token.username, "password": token.password})
        return token

    return create_remote


def virtual(lab: Lab, package_type: str, *members: str) -> None:
    create(lab, "all", {"rclass": "virtual", "packageType": package_type, "repositories": list(members)})


@pytest.fixture
def strict(lab: Lab) -> None:
    lab.configure(artifactory_priority_filters_documents=True)


@pytest.fixture
def java(lab: Lab, remote: CreateRemote) -> PullToken:
    """The virtual repository `all`, with the remediated libraries first. They have a plain version too, to show the order."""
    lab.control("POST", "/chainguard/packages", {"repository": "java-remediated", "version": "1.0.0"})
    token = remote("plain", "libraries.java.pull", MAVEN)
    remote("remediated", "libraries.java.pull", {**MAVEN, "url": "https://libraries.cgr.dev/java-remediated/"})
    virtual(lab, "maven", "remediated", "plain")
    return token


def test_the_first_member_serves_a_file(lab: Lab, java: PullToken) -> None:
    assert get(lab, f"all/{JAR}").content == fetch(lab, f"/java-remediated/{JAR}", java)
    assert count_requests(lab, "plain") == {} and count_requests(lab, "remediated") == {"GET": 2}
    newer = JAR.replace("1.0.0", "1.1.0")
    assert get(lab, f"all/{newer}").content == fetch(lab, f"/java/{newer}", java)
    assert lab.control("GET", "/artifactory/cache/plain") == [newer]


def test_the_order_of_members_determines_the_file(lab: Lab, java: PullToken) -> None:
    change(lab, "all", repositories=["plain", "remediated"])
    assert get(lab, f"all/{JAR}").content == fetch(lab, f"/java/{JAR}", java)


def test_caches_come_before_upstreams_except_for_a_member_with_priority(lab: Lab, java: PullToken) -> None:
    plain = get(lab, f"plain/{JAR}").content
    assert get(lab, f"all/{JAR}").content == plain
    change(lab, "remediated", priorityResolution=True)
    assert get(lab, f"all/{JAR}").content != plain


def test_a_member_without_the_file_is_skipped(lab: Lab, java: PullToken) -> None:
    change(lab, "remediated", password="wrong")
    assert get(lab, f"all/{JAR}").content == fetch(lab, f"/java/{JAR}", java)
    change(lab, "plain", blockMismatchingMimeTypes=True)
    lab.configure(artifactory_mime_mismatch_status=409)
    assert get(lab, f"all/{JAR.replace('.jar', '.pom')}").status_code == 409


def test_maven_metadata_has_the_versions_of_all_members(lab: Lab, java: PullToken) -> None:
    lab.control("POST", "/chainguard/packages", {"repository": "java-remediated", "version": "1.0.1"})
    response = get(lab, f"all/{METADATA}")
    for version in ("1.0.0", "1.0.0-0.cgr.1", "1.0.1", "1.1.0"):
        assert response.text.count(f"<version>{version}</version>") == 1
    assert "<latest>1.1.0</latest>" in response.text
    assert get(lab, f"all/{METADATA}.sha1").text == response.headers["x-checksum-sha1"]


@pytest.mark.usefixtures("strict")
def test_a_member_with_priority_hides_the_versions_of_others(lab: Lab, java: PullToken) -> None:
    """In documents; the files of the hidden versions are still served."""
    change(lab, "remediated", priorityResolution=True)
    text = get(lab, f"all/{METADATA}").text
    assert "<version>1.0.0</version>" in text and "1.1.0" not in text
    newer = JAR.replace("1.0.0", "1.1.0")
    assert get(lab, f"all/{newer}").content == fetch(lab, f"/java/{newer}", java)


def test_documents_can_be_merged_from_all_members(lab: Lab, java: PullToken) -> None:
    lab.configure(artifactory_priority_filters_documents=False)
    change(lab, "remediated", priorityResolution=True)
    assert "<version>1.1.0</version>" in get(lab, f"all/{METADATA}").text


@pytest.mark.usefixtures("strict")
def test_a_package_that_no_member_with_priority_has_comes_from_the_others(lab: Lab, java: PullToken) -> None:
    change(lab, "remediated", priorityResolution=True)
    assert "<version>2.0.17</version>" in get(lab, "all/org/slf4j/slf4j-api/maven-metadata.xml").text


def test_an_html_page_cannot_be_merged(lab: Lab, java: PullToken) -> None:
    lab.inject_fault(service="libraries", action={"status": 200, "body": "<p>Log in<p>"})
    assert get(lab, f"all/{METADATA}").status_code == 500


def test_a_member_without_read_permission_turns_a_404_into_a_403(lab: Lab, java: PullToken) -> None:
    for name in ("readers", "pullers", "managers"):
        client(lab).delete(f"{PERMISSIONS}/{name}")
    actions = {"users": {"puller": ["READ", "WRITE"]}}
    granted = {"artifact": {"actions": actions, "targets": {"plain": {}}}}
    assert client(lab).post(PERMISSIONS, json={"name": "some", "resources": granted}).status_code == 201
    assert get(lab, f"all/{JAR}").content == fetch(lab, f"/java/{JAR}", java)
    assert get(lab, "all/com/example/nothing/1/nothing-1.jar").status_code == 403


@pytest.mark.usefixtures("strict")
def test_python(lab: Lab, remote: CreateRemote) -> None:
    remote("plain", "libraries.python.pull", PYPI)
    remote("remediated", "libraries.python.pull", {**PYPI, "pyPIRepositorySuffix": "python-remediated/simple"})
    virtual(lab, "pypi", "remediated", "plain")
    merged = links(index(lab, key="all"))
    assert [name.split("-")[1] for name in merged] == ["1.0.0+cgr.1", "1.0.0", "1.1.0"]
    for target in merged.values():
        assert "/api/pypi/all/packages/" in target and client(lab, "puller").get(target).status_code == 200
    change(lab, "remediated", priorityResolution=True)
    assert [name.split("-")[1] for name in links(index(lab, key="all"))] == ["1.0.0+cgr.1"]
    assert links(index(lab, "lab-upstream", "all"))
    assert envelope(index(lab, "nothing", "all")) == MISSING


@pytest.mark.usefixtures("strict")
def test_npm(lab: Lab, remote: CreateRemote) -> None:
    remote("first", "libraries.javascript.pull", NPM)
    remote("second", "libraries.javascript.pull", NPM)
    virtual(lab, "npm", "first", "second")
    document = get(lab, "api/npm/all/lab-greeting")
    assert list(document.json()["versions"]) == ["1.0.0", "1.1.0"]
    tarball = get(lab, dist(document)["tarball"].partition("/artifactory/")[2])
    assert "/api/npm/all/" in dist(document)["tarball"] and integrity(tarball) == dist(document)["integrity"]
    assert lab.control("GET", "/artifactory/cache/second") == [".npm/lab-greeting/package.json"]
    lab.control("POST", "/chainguard/packages", {"repository": "javascript", "version": "1.2.0"})
    lab.control("DELETE", "/artifactory/cache/second")
    change(lab, "first", priorityResolution=True)
    assert "1.2.0" not in get(lab, "api/npm/all/lab-greeting").json()["versions"]
    change(lab, "first", priorityResolution=False)
    assert "1.2.0" in get(lab, "api/npm/all/lab-greeting").json()["versions"]


@pytest.mark.usefixtures("strict")
def test_alpine(lab: Lab, remote: CreateRemote) -> None:
    remote("private", "apk.pull", {**ALPINE, "url": "https://apk.cgr.dev/example.com"})
    for repository in ("chainguard", "extra-packages"):
        create(lab, repository, {**ALPINE, "url": f"https://virtualapk.cgr.dev/{lab.org}/{repository}"})
    virtual(lab, "alpine", "private", "chainguard", "extra-packages")
    merged = entries(get(lab, "all/x86_64/APKINDEX.tar.gz").content)
    names = ["ca-certificates-bundle", "lab-extra", "lab-greeting", "lab-private"]
    assert sorted(entry["P"] for entry in merged) == sorted(names * 2)
    change(lab, "private", priorityResolution=True)
    assert {entry["P"] for entry in entries(get(lab, "all/x86_64/APKINDEX.tar.gz").content)} == {"lab-private"}
    for entry in merged:
        response = get(lab, f"all/x86_64/{entry['P']}-{entry['V']}.apk")
        assert str(len(response.content)) == entry["S"]


def test_an_invalid_index_cannot_be_merged(lab: Lab, remote: CreateRemote) -> None:
    for repository in ("chainguard", "extra-packages"):
        create(lab, repository, {**ALPINE, "url": f"https://virtualapk.cgr.dev/{lab.org}/{repository}"})
    virtual(lab, "alpine", "chainguard", "extra-packages")
    lab.inject_fault(service="virtualapk", action={"status": 200, "body": "<p>Log in<p>"})
    assert get(lab, "all/x86_64/APKINDEX.tar.gz").status_code == 500


@pytest.mark.usefixtures("strict")
def test_go(lab: Lab, remote: CreateRemote) -> None:
    remote("first", "libraries.go.pull", GO)
    get(lab, f"first/{MODULE}/@v/list")
    lab.control("POST", "/chainguard/packages", {"repository": "go", "version": "1.2.0"})
    remote("second", "libraries.go.pull", GO)
    virtual(lab, "go", "first", "second")
    assert get(lab, f"api/go/all/{MODULE}/@v/list").text == "v1.0.0\nv1.1.0\nv1.2.0\n"
    change(lab, "first", priorityResolution=True)
    assert get(lab, f"api/go/all/{MODULE}/@v/list").text == "v1.0.0\nv1.1.0\n"
    assert get(lab, f"api/go/all/{MODULE}/@v/v1.2.0.zip").status_code == 200


def test_nuget(lab: Lab, remote: CreateRemote) -> None:
    remote("wrong", "libraries.dotnet.pull", {**NUGET, "v3FeedUrl": "https://libraries.cgr.dev/dotnet/"})
    remote("right", "libraries.dotnet.pull", NUGET)
    virtual(lab, "nuget", "wrong", "right")
    api = "api/nuget/v3/all"
    assert "/api/nuget/v3/all/" in get(lab, f"{api}/index.json").text
    assert get(lab, f"{api}/lab.greeting/index.json").json() == {"versions": ["1.0.0", "1.1.0"]}
    assert get(lab, f"{api}/lab.greeting/1.0.0/lab.greeting.1.0.0.nupkg").status_code == 200


@pytest.mark.usefixtures("strict")
def test_nuget_documents_are_merged(lab: Lab, remote: CreateRemote) -> None:
    remote("first", "libraries.dotnet.pull", NUGET)
    for document in ("lab.greeting/index.json", "registration-semver2/lab.greeting/index.json"):
        get(lab, f"api/nuget/v3/first/{document}")
    lab.control("POST", "/chainguard/packages", {"repository": "dotnet", "version": "1.2.0"})
    remote("second", "libraries.dotnet.pull", NUGET)
    virtual(lab, "nuget", "first", "second")

    def versions() -> tuple[list[str], list[str]]:
        pages = get(lab, "api/nuget/v3/all/registration-semver2/lab.greeting/index.json").json()["items"]
        leaves = [leaf["catalogEntry"]["version"] for page in pages for leaf in page["items"]]
        return get(lab, "api/nuget/v3/all/lab.greeting/index.json").json()["versions"], leaves

    assert versions() == (["1.0.0", "1.1.0", "1.2.0"],) * 2
    change(lab, "first", priorityResolution=True)
    assert versions() == (["1.0.0", "1.1.0"],) * 2
