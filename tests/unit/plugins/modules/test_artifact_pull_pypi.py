# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib

import pytest
from fake_packages import ARTIFACTORY, DIRECT, KEY, REDIRECT, UPSTREAM, FakeServers, create_pull

REPOSITORY_PATH = f"/artifactory/api/pypi/{KEY}"
PAGE = f"{REPOSITORY_PATH}/simple/lab-greeting/"
WHEEL = "lab_greeting-1.1.0-py3-none-any.whl"
FROM_UPSTREAM = {**DIRECT, "upstream_url": f"{UPSTREAM}/base/simple"}


def link(name, *, hashed=True, folder="../../packages/packages/ab/cd", more=""):
    fragment = f"#sha256={hashlib.sha256(name.encode()).hexdigest()}" if hashed else ""
    return f'<a href="{folder}/{name}{fragment}" {more}>{name}</a><br/>'


def page(*links):
    return f"<!DOCTYPE html><html><head><title>Links</title></head><body>{''.join(links)}</body></html>"


@pytest.fixture
def servers():
    servers = FakeServers("pypi", REPOSITORY_PATH)
    # Artifactory caches a file without the first folder of its URL.
    servers.cache_path = lambda path: path.removeprefix(f"{REPOSITORY_PATH}/packages/packages/")
    names = [WHEEL, "lab_greeting-1.0.0-py3-none-any.whl", "lab-greeting-2.0.0rc1.tar.gz"]
    servers.add("simple/lab-greeting/", page(*map(link, names)), Content_Type="text/html")
    for name in names:
        servers.add(f"packages/packages/ab/cd/{name}", name)
    return servers


@pytest.fixture
def pull(servers, run_module):
    return create_pull(servers, run_module, "pypi")


def test_newest_release_matches_the_index_and_the_upstream(servers, pull):
    result = pull("Lab_Greeting", from_upstream="required", **FROM_UPSTREAM)
    (artifact,) = result["artifacts"]
    assert (artifact["ok"], artifact["version"], artifact["outdated"], artifact["from_upstream"]) == (
        True,
        "1.1.0",
        False,
        True,
    )
    (file,) = artifact["files"]
    assert (file["name"], file["verified_checksums"], file["matches_upstream"]) == (WHEEL, ["sha256"], True)
    assert servers.requested_urls(PAGE) == [f"{ARTIFACTORY}{PAGE}"]


def test_a_pinned_version(servers, pull):
    assert pull("lab-greeting==2.0.0rc1")["artifacts"][0]["files"][0]["name"] == "lab-greeting-2.0.0rc1.tar.gz"


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["a-1-cp312-cp312-linux_x86_64.whl", "a-1.tar.gz", "a-1-py3-none-any.whl"], "a-1-py3-none-any.whl"),
        (["a-1-cp312-cp312-linux_x86_64.whl", "a-1.tar.gz"], "a-1.tar.gz"),
        (["b-2-py3-none-any.whl", "a-1-cp312-cp312-linux_x86_64.whl"], "a-1-cp312-cp312-linux_x86_64.whl"),
    ],
)
def test_the_preferred_file(servers, pull, names, chosen):
    servers.add("simple/a/", page(*(link(name) for name in names), '<a href="/">up</a>'))
    servers.add(f"packages/packages/ab/cd/{chosen}", chosen)
    assert pull("a==1")["artifacts"][0]["files"][0]["name"] == chosen


def test_a_yanked_release_is_only_used_if_it_is_requested(servers, pull):
    names = ["a-1.tar.gz", "a-2.tar.gz"]
    servers.add("simple/a/", page(link(names[0]), link(names[1], more='data-yanked="broken"')))
    for name in names:
        servers.add(f"packages/packages/ab/cd/{name}", name)
    results = pull("a", "a==2")["artifacts"]
    assert [(artifact["version"], artifact["ok"]) for artifact in results] == [("1", True), ("2", True)]


def test_a_version_that_does_not_exist(servers, pull):
    (artifact,) = pull("lab-greeting==9")["artifacts"]
    assert (artifact["ok"], artifact["diagnosis"]["code"]) == (False, "version_missing")
    assert "Available: 2.0.0rc1, 1.1.0, 1.0.0" in artifact["diagnosis"]["cause"]


def test_an_outdated_index(servers, pull):
    name = "lab_greeting-3.0.0-py3-none-any.whl"
    servers.upstream.add("/base/simple/lab-greeting/", page(link(name)))
    servers.upstream.add(f"/base/packages/packages/ab/cd/{name}", name)
    pinned, newest = pull("lab-greeting==3.0.0", "lab-greeting", **FROM_UPSTREAM)["artifacts"]
    assert (pinned["ok"], pinned["diagnosis"]["code"]) == (False, "outdated_index")
    # A version that the upstream no longer lists is not compared.
    assert (newest["ok"], newest["outdated"], newest["files"][0]["matches_upstream"]) == (True, True, None)


def test_content_that_differs_from_the_index(servers, pull):
    servers.repository.add(f"{REPOSITORY_PATH}/packages/packages/ab/cd/{WHEEL}", "other")
    (artifact,) = pull("lab-greeting")["artifacts"]
    assert (artifact["ok"], artifact["diagnosis"]["code"]) == (False, "content_mismatch")
    assert "does not have the sha256 that the index declares" in artifact["error"]["message"]


def test_an_index_without_hashes(servers, pull):
    servers.repository.add(PAGE, page(link(WHEEL, hashed=False)))
    assert pull("lab-greeting")["artifacts"][0]["files"][0]["verified_checksums"] == []


def test_the_page_of_a_redirect_is_not_an_index(servers, pull):
    servers.repository.add(PAGE, REDIRECT, Content_Type="text/html")
    (artifact,) = pull("lab-greeting")["artifacts"]
    assert (artifact["ok"], artifact["diagnosis"]["code"]) == (False, "html_response")


def test_a_link_that_is_not_valid(servers, pull):
    servers.repository.add(PAGE, page(link(WHEEL, folder="https://[")))
    (artifact,) = pull("lab-greeting")["artifacts"]
    assert (
        artifact["diagnosis"]["code"] == "content_mismatch"
        and "a link that is not valid" in artifact["diagnosis"]["cause"]
    )


def test_an_empty_index(servers, pull):
    servers.repository.add(PAGE, page())
    (artifact,) = pull("lab-greeting")["artifacts"]
    assert artifact["diagnosis"]["code"] == "version_missing" and "Available: nothing" in artifact["diagnosis"]["cause"]


def test_links_that_bypass_artifactory(servers, pull):
    servers.repository.add(PAGE, page(link(WHEEL, folder="https://files.example.org/packages")))
    (artifact,) = pull("lab-greeting")["artifacts"]
    assert (artifact["ok"], artifact["diagnosis"]["code"]) == (False, "bypasses_artifactory")
    assert "https://files.example.org/packages" in artifact["diagnosis"]["cause"] and not servers.requested_urls(
        "files.example.org"
    )


def test_links_to_another_name_of_artifactory_are_rewritten(servers, pull):
    folder = f"https://artifactory.example.org:8443/artifactory/api/pypi/{KEY}/packages/packages/ab/cd"
    servers.repository.add(PAGE, page(link(WHEEL, folder=folder)))
    assert pull("lab-greeting")["artifacts"][0]["ok"] is True and not servers.requested_urls("8443")


@pytest.mark.parametrize("text", ["", "a b", "a>=1", "a==", "-a", "a/b"])
def test_artifacts_that_are_not_valid(servers, pull, text):
    assert "is not valid" in pull(text)["msg"] and not servers.transport.requests
