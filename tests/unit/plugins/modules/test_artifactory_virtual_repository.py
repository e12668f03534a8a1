# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from scripted import ScriptedResponse, ScriptedTransport
from scripted_artifactory import ABSENT, BASE, FORBIDDEN, LICENSE, LOGIN, PRO_ONLY, methods

from ansible_collections.cgr.pull_through.plugins.modules import artifactory_virtual_repository as module

ONE = f"{BASE}/artifactory/api/repositories/cgr"
WANTED = {**LOGIN, "key": "cgr", "repositories": ["cgr-private", "cgr-public"]}
STORED = {
    "key": "cgr",
    "rclass": "virtual",
    "packageType": "docker",
    "description": "",
    "repositories": ["cgr-private", "cgr-public"],
    "resolveDockerTagsByTimestamp": False,
}
WRITTEN = ScriptedResponse(200, "Successfully created repository 'cgr' \n")


def stored(**changes):
    return ScriptedResponse(200, {**STORED, **changes})


def remote(key, package_type="docker", url="https://cgr.dev/", **more):
    return {"key": key, "type": "remote", "packageType": package_type, "url": url, **more}


def configurations(*remotes, **groups):
    return ScriptedResponse(200, {"LOCAL": [], "REMOTE": list(remotes), "VIRTUAL": [], **groups})


THERE = configurations(remote("cgr-private"), remote("cgr-public"), remote("npm", "npm", "https://registry.npmjs.org/"))


def test_creates_what_is_missing_after_a_look_at_the_members(run_module):
    transport = ScriptedTransport(ABSENT, LICENSE, THERE, WRITTEN, stored(description="All"))
    result = run_module(module, transport, **WANTED, description="All")
    assert (result["changed"], result["warnings"]) == (True, [])
    assert transport.calls[2:4] == [("GET", f"{BASE}/artifactory/api/repositories/configurations"), ("PUT", ONE)]
    wanted = {
        "key": "cgr",
        "rclass": "virtual",
        "packageType": "docker",
        "repositories": ["cgr-private", "cgr-public"],
        "description": "All",
    }
    assert transport.json_body(3) == wanted
    assert result["repository"] == wanted
    assert result["diff"] == {"before": {}, "after": wanted}


def test_check_mode_predicts_the_creation_and_sends_no_write(run_module):
    transport = ScriptedTransport(ABSENT, LICENSE, THERE)
    result = run_module(module, transport, check=True, **WANTED)
    real = run_module(module, ScriptedTransport(ABSENT, LICENSE, THERE, WRITTEN, stored()), **WANTED)
    assert methods(transport) == ["GET", "GET", "GET"]
    assert (result["changed"], result["diff"]) == (real["changed"], real["diff"])


def test_leaves_alone_what_fits(run_module):
    transport = ScriptedTransport(stored(), THERE)
    assert run_module(module, transport, **WANTED, settings={"resolveDockerTagsByTimestamp": False})["changed"] is False
    assert methods(transport) == ["GET", "GET"]


def test_members_that_are_not_named_are_not_looked_at(run_module):
    transport = ScriptedTransport(stored())
    assert run_module(module, transport, **LOGIN, key="cgr", description="")["changed"] is False
    assert transport.calls == [("GET", ONE)]


def test_another_order_is_a_change(run_module):
    transport = ScriptedTransport(stored(repositories=["cgr-public", "cgr-private"]), THERE, WRITTEN, stored())
    result = run_module(module, transport, **WANTED)
    assert (transport.calls[2], transport.json_body(2)) == (
        ("POST", ONE),
        {"key": "cgr", "repositories": ["cgr-private", "cgr-public"]},
    )
    assert result["diff"] == {
        "before": {"repositories": ["cgr-public", "cgr-private"]},
        "after": {"repositories": ["cgr-private", "cgr-public"]},
    }


def test_the_deployment_repository_is_sent_by_its_rest_name(run_module):
    transport = ScriptedTransport(stored(), WRITTEN, stored(defaultDeploymentRepo="here"))
    result = run_module(module, transport, **LOGIN, key="cgr", default_deployment_repository="here")
    assert transport.json_body(1) == {"key": "cgr", "defaultDeploymentRepo": "here"}
    assert result["diff"] == {"before": {"defaultDeploymentRepo": None}, "after": {"defaultDeploymentRepo": "here"}}


def test_an_order_that_was_not_stored_is_an_error(run_module):
    other = stored(repositories=["cgr-public", "cgr-private"])
    result = run_module(module, ScriptedTransport(other, THERE, WRITTEN, other), **WANTED)
    assert result["failed"] and "did not store repositories" in result["msg"]


def test_on_an_older_server_only_the_members_are_read(run_module):
    members = [ScriptedResponse(200, {**remote(key), "rclass": "remote"}) for key in WANTED["repositories"]]
    transport = ScriptedTransport(stored(), ABSENT, *members)
    assert run_module(module, transport, **WANTED)["changed"] is False
    assert [url.rpartition("/")[2] for _method, url in transport.calls] == [
        "cgr",
        "configurations",
        "cgr-private",
        "cgr-public",
    ]


def test_a_generic_repository_holds_any_package_type(run_module):
    transport = ScriptedTransport(stored(packageType="generic", repositories=["npm"]), THERE)
    options = {**LOGIN, "key": "cgr", "package_type": "generic", "repositories": ["npm"]}
    assert run_module(module, transport, **options)["changed"] is False


NESTED = {"key": "inner", "type": "virtual", "packageType": "docker", "repositories": ["cgr"]}


@pytest.mark.parametrize(
    ("plays", "repositories", "words"),
    [
        pytest.param(
            [stored(), THERE],
            ["cgr-public", "gone", "lost"],
            "no repository gone, lost, which is a member of cgr",
            id="gone",
        ),
        pytest.param(
            [stored(), THERE], ["cgr-public", "npm"], "npm has packageType 'npm', and cgr has 'docker'", id="type"
        ),
        pytest.param(
            [stored(), configurations(VIRTUAL=[NESTED, {**STORED, "type": "virtual"}])],
            ["inner"],
            "cgr would contain itself, because its member inner contains it",
            id="circle",
        ),
        pytest.param([stored(), FORBIDDEN], ["cgr-public"], "administrator", id="no-administrator"),
        pytest.param([PRO_ONLY], ["cgr-public"], "Pro edition", id="edition"),
        pytest.param([stored(rclass="remote")], ["cgr-public"], "rclass 'remote', not 'virtual'", id="class"),
        pytest.param([stored(packageType="npm")], ["cgr-public"], "packageType 'npm', not 'docker'", id="package-type"),
        pytest.param([ABSENT], None, "creating one needs repositories", id="nothing-to-create"),
    ],
)
def test_what_is_there_can_end_it_before_any_write(run_module, plays, repositories, words):
    transport = ScriptedTransport(*plays)
    result = run_module(module, transport, **{**WANTED, "repositories": repositories})
    assert result["failed"] and words in result["msg"]
    assert set(methods(transport)) == {"GET"}
    assert "admin-token" not in str(result)


def test_in_check_mode_a_missing_member_may_be_about_to_come(run_module):
    options = {**WANTED, "repositories": ["cgr-public", "gone"]}
    result = run_module(module, ScriptedTransport(stored(), THERE), check=True, **options)
    assert result["changed"] is True
    assert "no repository gone" in result["warnings"][0]


LIBRARIES = remote("cgr-java", "maven", "https://libraries.cgr.dev/java/")
REMEDIATED = remote("cgr-java-remediated", "maven", "https://libraries.cgr.dev/java-remediated/")
CENTRAL = remote("central", "maven", "https://repo.example.com/libraries.cgr.dev/")
INNER = {"key": "inner", "type": "virtual", "packageType": "maven", "repositories": ["central"]}
OWN = {"key": "own", "type": "local", "packageType": "maven"}
SHORT = remote("cgr-short", dockerProjectId="example.com")


@pytest.mark.parametrize(
    ("package_type", "repositories", "answer", "words"),
    [
        pytest.param(
            "maven",
            ["cgr-java", "central"],
            configurations(LIBRARIES, CENTRAL),
            ["other upstreams (central) are next to Chainguard's libraries (cgr-java)"],
            id="direct-upstream",
        ),
        pytest.param(
            "maven",
            ["cgr-java", "inner"],
            configurations(LIBRARIES, CENTRAL, VIRTUAL=[INNER]),
            ["other upstreams (central)"],
            id="direct-upstream-in-a-virtual-member",
        ),
        pytest.param(
            "maven",
            ["cgr-java-remediated", "cgr-java", "own"],
            configurations(LIBRARIES, REMEDIATED, LOCAL=[OWN]),
            [],
            id="libraries-and-own",
        ),
        pytest.param("maven", ["central"], configurations(CENTRAL), [], id="no-libraries"),
        pytest.param(
            "docker",
            ["cgr-public", "cgr-short"],
            configurations(remote("cgr-public", dockerProjectId=""), SHORT),
            ["cgr-short has dockerProjectId 'example.com'"],
            id="short-names",
        ),
        pytest.param("docker", ["cgr-short"], configurations(SHORT), [], id="short-names-alone"),
    ],
)
def test_warns_of_members_that_spoil_each_other(run_module, package_type, repositories, answer, words):
    options = {**LOGIN, "key": "cgr", "package_type": package_type, "repositories": repositories}
    transport = ScriptedTransport(stored(packageType=package_type, repositories=repositories), answer)
    result = run_module(module, transport, **options)
    assert result["changed"] is False
    assert len(result["warnings"]) == len(words)
    assert all(word in warning for word, warning in zip(words, result["warnings"]))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"key": "x" * 65}, "65 characters; at most 64", id="long-key"),
        pytest.param({"repositories": []}, "repositories is empty", id="no-members"),
        pytest.param({"repositories": ["a", "b", "a"]}, "contains a more than once", id="twice"),
        pytest.param({"repositories": ["a", "cgr"]}, "a member of itself", id="itself"),
        pytest.param({"repositories": ["a b"]}, "'a b' is not valid", id="member-key"),
        pytest.param({"settings": {"repositories": []}}, "must not contain repositories", id="option-in-settings"),
        pytest.param(
            {"settings": {"defaultDeploymentRepo": "x"}}, "must not contain defaultDeploymentRepo", id="renamed"
        ),
    ],
)
def test_bad_input_ends_it_before_any_request(run_module, changes, words):
    transport = ScriptedTransport()
    result = run_module(module, transport, **{**WANTED, **changes})
    assert result["failed"] and words in result["msg"]
    assert not transport.requests


def test_absent(run_module):
    options = {**LOGIN, "key": "cgr", "state": "absent"}
    transport = ScriptedTransport(stored(), ScriptedResponse(200, "removed"))
    result = run_module(module, transport, **options)
    assert transport.calls[1] == ("DELETE", ONE)
    assert result["diff"] == {
        "before": {name: STORED[name] for name in ("key", "rclass", "packageType", "repositories")},
        "after": {},
    }
    assert run_module(module, ScriptedTransport(ABSENT), **options)["changed"] is False
    check = run_module(module, ScriptedTransport(stored()), check=True, **options)
    assert (check["changed"], check["diff"]) == (result["changed"], result["diff"])
