# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from scripted import ScriptedResponse, ScriptedTransport
from scripted_artifactory import (
    ABSENT,
    BASE,
    CREDENTIALS,
    FORBIDDEN,
    LICENSE,
    PRO_ONLY,
    Artifactory,
    methods,
    remote_config,
)

from ansible_collections.cgr.pull_through.plugins.modules import artifactory_virtual_repository as module

URL = f"{BASE}/artifactory/api/repositories/cgr"
OPTIONS = {**CREDENTIALS, "key": "cgr", "repositories": ["cgr-private", "cgr-public"]}
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


def remote(key, package_type="docker", url="https://cgr.dev/", **settings):
    return {"key": key, "type": "remote", "packageType": package_type, "url": url, **settings}


def configurations(*remotes, **groups):
    return ScriptedResponse(200, {"LOCAL": [], "REMOTE": list(remotes), "VIRTUAL": [], **groups})


MEMBERS = configurations(
    remote("cgr-private"), remote("cgr-public"), remote("npm", "npm", "https://registry.npmjs.org/")
)


def test_create_after_the_members_are_read(run_module):
    transport = ScriptedTransport(ABSENT, LICENSE, MEMBERS, WRITTEN, stored(description="All"))
    result = run_module(module, transport, **OPTIONS, description="All")
    assert (result["changed"], result["warnings"]) == (True, [])
    assert transport.calls[2:4] == [("GET", f"{BASE}/artifactory/api/repositories/configurations"), ("PUT", URL)]
    desired = {
        "key": "cgr",
        "rclass": "virtual",
        "packageType": "docker",
        "repositories": ["cgr-private", "cgr-public"],
        "description": "All",
    }
    assert transport.json_body(3) == desired
    assert result["repository"] == desired
    assert result["diff"] == {"before": {}, "after": desired}


def test_create_in_check_mode(run_module):
    transport = ScriptedTransport(ABSENT, LICENSE, MEMBERS)
    result = run_module(module, transport, check=True, **OPTIONS)
    real = run_module(module, ScriptedTransport(ABSENT, LICENSE, MEMBERS, WRITTEN, stored()), **OPTIONS)
    assert methods(transport) == ["GET", "GET", "GET"]
    assert (result["changed"], result["diff"]) == (real["changed"], real["diff"])


def test_no_change(run_module):
    transport = ScriptedTransport(stored(), MEMBERS)
    assert (
        run_module(module, transport, **OPTIONS, settings={"resolveDockerTagsByTimestamp": False})["changed"] is False
    )
    assert methods(transport) == ["GET", "GET"]


def test_members_are_read_only_if_they_are_set(run_module):
    transport = ScriptedTransport(stored())
    assert run_module(module, transport, **CREDENTIALS, key="cgr", description="")["changed"] is False
    assert transport.calls == [("GET", URL)]


def test_the_order_is_compared(run_module):
    transport = ScriptedTransport(stored(repositories=["cgr-public", "cgr-private"]), MEMBERS, WRITTEN, stored())
    result = run_module(module, transport, **OPTIONS)
    assert (transport.calls[2], transport.json_body(2)) == (
        ("POST", URL),
        {"key": "cgr", "repositories": ["cgr-private", "cgr-public"]},
    )
    assert result["diff"] == {
        "before": {"repositories": ["cgr-public", "cgr-private"]},
        "after": {"repositories": ["cgr-private", "cgr-public"]},
    }


@pytest.mark.parametrize(
    ("current", "members", "result"),
    [
        pytest.param(["x", "y"], ["a", "b"], ["x", "y", "a", "b"], id="no-member-yet"),
        pytest.param(["a", "x"], ["a", "b"], ["a", "b", "x"], id="after-the-one-before-it"),
        pytest.param(["x", "b", "y"], ["a", "b"], ["x", "a", "b", "y"], id="before-the-next-one"),
        pytest.param(["b", "x", "a"], ["a", "b"], ["a", "x", "b"], id="order"),
        pytest.param(["c", "x", "a", "y"], ["a", "b", "c"], ["a", "b", "x", "c", "y"], id="order-and-new"),
        pytest.param(["x", "a", "y", "b"], ["a", "b"], ["x", "a", "y", "b"], id="no-change"),
        pytest.param(["x", "a", "b"], ["b"], ["x", "a", "b"], id="a-part-of-them"),
    ],
)
@pytest.mark.parametrize("is_list", [False, True], ids=["single", "list"])
def test_included_members_keep_the_others_in_place(run_module, is_list, current, members, result):
    artifactory = Artifactory(*(remote_config(key) for key in "abcxy"), {**STORED, "repositories": current})
    item = {"key": "cgr", "repositories": members, "members_mode": "included"}
    options = {**CREDENTIALS, "virtual_repositories": [item]} if is_list else {**CREDENTIALS, **item}
    predicted = run_module(module, artifactory.transport, check=True, **options)
    applied = run_module(module, artifactory.transport, **options)
    assert artifactory.repositories["cgr"]["repositories"] == result
    assert (predicted["changed"], predicted["diff"]) == (applied["changed"], applied["diff"])
    assert applied["changed"] is (current != result)
    returned = applied["virtual_repositories"][0] if is_list else applied
    assert returned["repository"]["repositories"] == result
    if applied["changed"]:
        diff = applied["diff"][0] if is_list else applied["diff"]
        assert (diff["before"], diff["after"]) == ({"repositories": current}, {"repositories": result})
    assert run_module(module, artifactory.transport, **options)["changed"] is False


def test_included_members_are_those_of_a_new_repository(run_module):
    artifactory = Artifactory(remote_config("b"), remote_config("a"))
    options = {**CREDENTIALS, "key": "cgr", "repositories": ["b", "a"], "members_mode": "included"}
    assert run_module(module, artifactory.transport, **options)["changed"] is True
    assert artifactory.repositories["cgr"]["repositories"] == ["b", "a"]


def test_a_user_who_may_not_read_all_repositories_reads_the_members_one_by_one(run_module):
    members = [ScriptedResponse(200, remote_config(key)) for key in OPTIONS["repositories"]]
    transport = ScriptedTransport(stored(), FORBIDDEN, *members)
    assert run_module(module, transport, **OPTIONS)["changed"] is False
    assert [url.rpartition("/")[2] for _method, url in transport.calls[2:]] == ["cgr-private", "cgr-public"]


def test_an_administrator_of_a_project_can_create_its_repositories(run_module):
    members = [ScriptedResponse(200, remote_config(key)) for key in OPTIONS["repositories"]]
    transport = ScriptedTransport(ABSENT, FORBIDDEN, *members, WRITTEN, stored(projectKey="team"))
    result = run_module(module, transport, **OPTIONS, settings={"projectKey": "team"})
    assert result["changed"] is True
    assert not any(url.endswith("/system/license") for _method, url in transport.calls)


def test_the_deployment_repository_has_its_rest_name(run_module):
    transport = ScriptedTransport(stored(), WRITTEN, stored(defaultDeploymentRepo="here"))
    result = run_module(module, transport, **CREDENTIALS, key="cgr", default_deployment_repository="here")
    assert transport.json_body(1) == {"key": "cgr", "defaultDeploymentRepo": "here"}
    assert result["diff"] == {"before": {"defaultDeploymentRepo": None}, "after": {"defaultDeploymentRepo": "here"}}


def test_an_order_that_is_not_stored_is_an_error(run_module):
    other = stored(repositories=["cgr-public", "cgr-private"])
    result = run_module(module, ScriptedTransport(other, MEMBERS, WRITTEN, other), **OPTIONS)
    assert result["failed"] and "did not store repositories" in result["msg"]


def test_an_earlier_version_gets_one_request_per_member(run_module):
    members = [ScriptedResponse(200, {**remote(key), "rclass": "remote"}) for key in OPTIONS["repositories"]]
    transport = ScriptedTransport(stored(), ABSENT, *members)
    assert run_module(module, transport, **OPTIONS)["changed"] is False
    assert [url.rpartition("/")[2] for _method, url in transport.calls] == [
        "cgr",
        "configurations",
        "cgr-private",
        "cgr-public",
    ]


def test_a_generic_repository_can_have_members_of_any_type(run_module):
    transport = ScriptedTransport(stored(packageType="generic", repositories=["npm"]), MEMBERS)
    options = {**CREDENTIALS, "key": "cgr", "package_type": "generic", "repositories": ["npm"]}
    assert run_module(module, transport, **options)["changed"] is False


NESTED = {"key": "inner", "type": "virtual", "packageType": "docker", "repositories": ["cgr"]}


@pytest.mark.parametrize(
    ("plays", "repositories", "message"),
    [
        pytest.param(
            [stored(), MEMBERS],
            ["cgr-public", "missing", "lost"],
            "no repository missing, lost, which is a member of cgr",
            id="missing",
        ),
        pytest.param(
            [stored(), MEMBERS], ["cgr-public", "npm"], "npm has packageType 'npm', and cgr has 'docker'", id="type"
        ),
        pytest.param(
            [stored(), configurations(VIRTUAL=[NESTED, {**STORED, "type": "virtual"}])],
            ["inner"],
            "cgr would contain itself, because its member inner contains it",
            id="circle",
        ),
        pytest.param([PRO_ONLY], ["cgr-public"], "Pro edition", id="edition"),
        pytest.param([stored(rclass="remote")], ["cgr-public"], "rclass 'remote', not 'virtual'", id="class"),
        pytest.param([stored(packageType="npm")], ["cgr-public"], "packageType 'npm', not 'docker'", id="package-type"),
        pytest.param([ABSENT], None, "creating one needs repositories", id="nothing-to-create"),
    ],
)
def test_errors_before_the_first_write(run_module, plays, repositories, message):
    transport = ScriptedTransport(*plays)
    result = run_module(module, transport, **{**OPTIONS, "repositories": repositories})
    assert result["failed"] and message in result["msg"]
    assert set(methods(transport)) == {"GET"}
    assert "admin-token" not in str(result)


def test_check_mode_only_warns_about_a_missing_member(run_module):
    options = {**OPTIONS, "repositories": ["cgr-public", "missing"]}
    result = run_module(module, ScriptedTransport(stored(), MEMBERS), check=True, **options)
    assert result["changed"] is True
    assert "no repository missing" in result["warnings"][0]


LIBRARIES = remote("cgr-java", "maven", "https://libraries.cgr.dev/java/")
REMEDIATED = remote("cgr-java-remediated", "maven", "https://libraries.cgr.dev/java-remediated/")
CENTRAL = remote("central", "maven", "https://repo.example.com/libraries.cgr.dev/")
INNER = {"key": "inner", "type": "virtual", "packageType": "maven", "repositories": ["central"]}
OWN = {"key": "own", "type": "local", "packageType": "maven"}
SHORT = remote("cgr-short", dockerProjectId="example.com")


@pytest.mark.parametrize(
    ("package_type", "repositories", "response", "message"),
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
def test_warnings_about_unsafe_members(run_module, package_type, repositories, response, message):
    options = {**CREDENTIALS, "key": "cgr", "package_type": package_type, "repositories": repositories}
    transport = ScriptedTransport(stored(packageType=package_type, repositories=repositories), response)
    result = run_module(module, transport, **options)
    assert result["changed"] is False
    assert len(result["warnings"]) == len(message)
    assert all(message in warning for message, warning in zip(message, result["warnings"]))


@pytest.mark.parametrize(
    ("changes", "message"),
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
def test_invalid_options_send_no_requests(run_module, changes, message):
    transport = ScriptedTransport()
    result = run_module(module, transport, **{**OPTIONS, **changes})
    assert result["failed"] and message in result["msg"]
    assert not transport.requests


def test_absent(run_module):
    options = {**CREDENTIALS, "key": "cgr", "state": "absent"}
    transport = ScriptedTransport(stored(), ScriptedResponse(200, "removed"))
    result = run_module(module, transport, **options)
    assert transport.calls[1] == ("DELETE", URL)
    assert result["diff"] == {
        "before": {name: STORED[name] for name in ("key", "rclass", "packageType", "repositories")},
        "after": {},
    }
    assert run_module(module, ScriptedTransport(ABSENT), **options)["changed"] is False
    check = run_module(module, ScriptedTransport(stored()), check=True, **options)
    assert (check["changed"], check["diff"]) == (result["changed"], result["diff"])


def test_a_list_can_create_a_member_before_its_virtual_repository(run_module):
    artifactory = Artifactory(remote_config("a"))
    virtuals = [{"key": "inner", "repositories": ["a"]}, {"key": "outer", "repositories": ["inner"]}]
    result = run_module(module, artifactory.transport, **CREDENTIALS, virtual_repositories=virtuals)
    assert [item["changed"] for item in result["virtual_repositories"]] == [True, True]
    assert artifactory.writes == ["PUT /repositories/inner", "PUT /repositories/outer"]
    again = run_module(module, artifactory.transport, **CREDENTIALS, virtual_repositories=virtuals)
    assert again["changed"] is False


def test_a_virtual_repository_without_its_member_does_not_stop_the_others(run_module):
    artifactory = Artifactory(remote_config("a"))
    virtuals = [{"key": "good", "repositories": ["a"]}, {"key": "bad", "repositories": ["nowhere"]}]
    result = run_module(module, artifactory.transport, **CREDENTIALS, virtual_repositories=virtuals)
    assert [item["failed"] for item in result["virtual_repositories"]] == [False, True]
    assert "There is no repository nowhere" in result["msg"]


def test_a_virtual_repository_cannot_have_a_member_whose_plan_failed(run_module):
    artifactory = Artifactory(remote_config("a"))
    virtuals = [{"key": "inner", "repositories": ["nowhere"]}, {"key": "outer", "repositories": ["inner"]}]
    result = run_module(module, artifactory.transport, **CREDENTIALS, virtual_repositories=virtuals)
    assert [item["failed"] for item in result["virtual_repositories"]] == [True, True]
    assert artifactory.writes == []
