# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib

import pytest
from fake_packages import ARTIFACTORY, DIRECT, KEY, REDIRECT, UPSTREAM, World, puller

HOME = f"/artifactory/api/pypi/{KEY}"
PAGE = f"{HOME}/simple/lab-greeting/"
WHEEL = "lab_greeting-1.1.0-py3-none-any.whl"
DIRECTLY = {**DIRECT, "upstream_url": f"{UPSTREAM}/root/simple"}


def link(name, *, hashed=True, folder="../../packages/packages/ab/cd", more=""):
    fragment = f"#sha256={hashlib.sha256(name.encode()).hexdigest()}" if hashed else ""
    return f'<a href="{folder}/{name}{fragment}" {more}>{name}</a><br/>'


def page(*links):
    return f"<!DOCTYPE html><html><head><title>Links</title></head><body>{''.join(links)}</body></html>"


@pytest.fixture
def world():
    made = World("pypi", HOME)
    # Artifactory keeps a file without the first folder of its URL.
    made.cache_path = lambda path: path.removeprefix(f"{HOME}/packages/packages/")
    names = [WHEEL, "lab_greeting-1.0.0-py3-none-any.whl", "lab-greeting-2.0.0rc1.tar.gz"]
    made.add("simple/lab-greeting/", page(*map(link, names)), Content_Type="text/html")
    for name in names:
        made.add(f"packages/packages/ab/cd/{name}", name)
    return made


@pytest.fixture
def pull(world, run_module):
    return puller(world, run_module, "pypi")


def test_the_newest_release_has_the_hash_of_the_index_and_of_upstream(world, pull):
    result = pull("Lab_Greeting", from_upstream="required", **DIRECTLY)
    (shown,) = result["artifacts"]
    assert (shown["ok"], shown["version"], shown["outdated"], shown["from_upstream"]) == (True, "1.1.0", False, True)
    (file,) = shown["files"]
    assert (file["name"], file["verified_checksums"], file["matches_upstream"]) == (WHEEL, ["sha256"], True)
    assert world.asked(PAGE) == [f"{ARTIFACTORY}{PAGE}"]


def test_a_version_that_is_pinned(world, pull):
    assert pull("lab-greeting==2.0.0rc1")["artifacts"][0]["files"][0]["name"] == "lab-greeting-2.0.0rc1.tar.gz"


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["a-1-cp312-cp312-linux_x86_64.whl", "a-1.tar.gz", "a-1-py3-none-any.whl"], "a-1-py3-none-any.whl"),
        (["a-1-cp312-cp312-linux_x86_64.whl", "a-1.tar.gz"], "a-1.tar.gz"),
        (["b-2-py3-none-any.whl", "a-1-cp312-cp312-linux_x86_64.whl"], "a-1-cp312-cp312-linux_x86_64.whl"),
    ],
)
def test_the_file_that_most_can_use(world, pull, names, chosen):
    world.add("simple/a/", page(*(link(name) for name in names), '<a href="/">up</a>'))
    world.add(f"packages/packages/ab/cd/{chosen}", chosen)
    assert pull("a==1")["artifacts"][0]["files"][0]["name"] == chosen


def test_a_yanked_release_is_only_taken_when_it_is_asked_for(world, pull):
    names = ["a-1.tar.gz", "a-2.tar.gz"]
    world.add("simple/a/", page(link(names[0]), link(names[1], more='data-yanked="broken"')))
    for name in names:
        world.add(f"packages/packages/ab/cd/{name}", name)
    results = pull("a", "a==2")["artifacts"]
    assert [(one["version"], one["ok"]) for one in results] == [("1", True), ("2", True)]


def test_a_version_that_the_index_does_not_have(world, pull):
    (shown,) = pull("lab-greeting==9")["artifacts"]
    assert (shown["ok"], shown["diagnosis"]["code"]) == (False, "version_missing")
    assert "it has: 2.0.0rc1, 1.1.0, 1.0.0" in shown["diagnosis"]["cause"]


def test_an_index_that_is_older_than_upstreams(world, pull):
    name = "lab_greeting-3.0.0-py3-none-any.whl"
    world.upstream.add("/root/simple/lab-greeting/", page(link(name)))
    world.upstream.add(f"/root/packages/packages/ab/cd/{name}", name)
    pinned, newest = pull("lab-greeting==3.0.0", "lab-greeting", **DIRECTLY)["artifacts"]
    assert (pinned["ok"], pinned["diagnosis"]["code"]) == (False, "outdated_index")
    # What upstream lists no more is not compared.
    assert (newest["ok"], newest["outdated"], newest["files"][0]["matches_upstream"]) == (True, True, None)


def test_another_content_than_the_index_promises(world, pull):
    world.through.add(f"{HOME}/packages/packages/ab/cd/{WHEEL}", "other")
    (shown,) = pull("lab-greeting")["artifacts"]
    assert (shown["ok"], shown["diagnosis"]["code"]) == (False, "content_mismatch")
    assert "does not have the sha256 that the index promises" in shown["error"]["message"]


def test_without_a_hash_nothing_is_promised(world, pull):
    world.through.add(PAGE, page(link(WHEEL, hashed=False)))
    assert pull("lab-greeting")["artifacts"][0]["files"][0]["verified_checksums"] == []


def test_the_page_of_a_redirect_is_no_index(world, pull):
    world.through.add(PAGE, REDIRECT, Content_Type="text/html")
    (shown,) = pull("lab-greeting")["artifacts"]
    assert (shown["ok"], shown["diagnosis"]["code"]) == (False, "html_response")


def test_a_link_that_is_none(world, pull):
    world.through.add(PAGE, page(link(WHEEL, folder="https://[")))
    (shown,) = pull("lab-greeting")["artifacts"]
    assert shown["diagnosis"]["code"] == "content_mismatch" and "a link that is none" in shown["diagnosis"]["cause"]


def test_an_index_of_nothing(world, pull):
    world.through.add(PAGE, page())
    (shown,) = pull("lab-greeting")["artifacts"]
    assert shown["diagnosis"]["code"] == "version_missing" and "it has: nothing" in shown["diagnosis"]["cause"]


def test_links_that_lead_past_artifactory_are_found(world, pull):
    world.through.add(PAGE, page(link(WHEEL, folder="https://files.example.org/packages")))
    (shown,) = pull("lab-greeting")["artifacts"]
    assert (shown["ok"], shown["diagnosis"]["code"]) == (False, "bypasses_artifactory")
    assert "https://files.example.org/packages" in shown["diagnosis"]["cause"] and not world.asked("files.example.org")


def test_links_to_another_name_of_artifactory_are_followed_here(world, pull):
    folder = f"https://artifactory.example.org:8443/artifactory/api/pypi/{KEY}/packages/packages/ab/cd"
    world.through.add(PAGE, page(link(WHEEL, folder=folder)))
    assert pull("lab-greeting")["artifacts"][0]["ok"] is True and not world.asked("8443")


@pytest.mark.parametrize("text", ["", "a b", "a>=1", "a==", "-a", "a/b"])
def test_what_is_no_artifact(world, pull, text):
    assert "cannot be read" in pull(text)["msg"] and not world.transport.requests
