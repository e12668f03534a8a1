# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from urllib.parse import unquote, urlsplit

import pytest
from scripted import ScriptedResponse, ScriptedTransport
from scripted_artifactory import BASE, CREDENTIALS, FORBIDDEN, methods

from ansible_collections.cgr.pull_through.plugins.modules import artifactory_permission as module

VERSION = f"{BASE}/artifactory/api/system/version"
ALL = f"{BASE}/access/api/v2/permissions"
URL = f"{ALL}/pull%20it"
CLASSIC = f"{BASE}/artifactory/api/v2/security/permissions/pull%20it"
NEW = ScriptedResponse(200, {"version": "7.72.0", "revision": "77200900"})
OLD = ScriptedResponse(200, {"version": "7.71.23", "revision": "77123900"})
ABSENT = ScriptedResponse(404, {"errors": [{"code": "NOT_FOUND", "message": "Permission not found"}]})
DONE = ScriptedResponse(200, "")
CREATED = ScriptedResponse(201, {"name": "pull it"})
EXISTS = ScriptedResponse(200, {"name": "builds"})

OPTIONS = {
    **CREDENTIALS,
    "name": "pull it",
    "repositories": ["cgr-public", "cgr-private"],
    "groups": [{"name": "builds", "actions": ["write", "read"]}],
}
RESULT = {"name": "pull it", "repositories": ["cgr-private", "cgr-public"], "groups": {"builds": ["read", "write"]}}
EVERYTHING = {"include_patterns": ["**"], "exclude_patterns": []}
ARTIFACT = {
    "actions": {"users": {"ci": ["SCAN", "READ"]}, "groups": {"builds": ["WRITE", "READ"]}},
    "targets": {"cgr-public": EVERYTHING, "cgr-private": EVERYTHING},
}
REPO = {
    "include-patterns": ["**"],
    "exclude-patterns": [""],
    "repositories": ["cgr-public", "cgr-private"],
    "actions": {"users": {"ci": ["managedXrayMeta", "read"]}, "groups": {"builds": ["write", "read"]}},
}
BUILD = {"actions": {"users": {"ci": ["READ"]}, "groups": {}}, "targets": {"artifactory-build-info": EVERYTHING}}
CLASSIC_BUILD = {**REPO, "repositories": ["artifactory-build-info"]}


def stored(artifact=None, **others):
    """Return a permission as the Access API shows it."""
    resources = {"artifact": artifact or ARTIFACT, **others}
    return ScriptedResponse(200, {"name": "pull it", "created_by": "a", "modified_by": "b", "resources": resources})


def classic(**repo):
    """Return a permission, also about builds, as the classic API shows it."""
    return ScriptedResponse(200, {"name": "pull it", "repo": {**REPO, **repo}, "build": CLASSIC_BUILD})


def test_create(run_module):
    transport = ScriptedTransport(NEW, ABSENT, EXISTS, CREATED, stored())
    result = run_module(module, transport, **OPTIONS)
    group = f"{BASE}/access/api/v2/groups/builds"
    assert transport.calls == [("GET", VERSION), ("GET", URL), ("GET", group), ("POST", ALL), ("GET", URL)]
    assert transport.json_body(3) == {
        "name": "pull it",
        "resources": {
            "artifact": {
                "actions": {"users": {}, "groups": {"builds": ["READ", "WRITE"]}},
                "targets": {"cgr-private": EVERYTHING, "cgr-public": EVERYTHING},
            }
        },
    }
    assert (result["changed"], result["permission"]) == (True, RESULT)
    assert result["diff"] == {"before": {}, "after": RESULT}


@pytest.mark.parametrize("version", [NEW, OLD], ids=["access-api", "classic-api"])
@pytest.mark.parametrize("exists", [False, True], ids=["create", "update"])
def test_a_conflict_of_two_writes_is_retried(run_module, version, exists):
    message = {"status": 500, "message": "Could not update configuration"}
    show, written = (stored, CREATED) if version is NEW else (classic, ScriptedResponse(201, ""))
    parts = {"targets": {"cgr-public": EVERYTHING}} if version is NEW else {"repositories": ["cgr-public"]}
    partial = stored({**ARTIFACT, **parts}) if version is NEW else classic(**parts)
    before = [partial] if exists else [ABSENT, EXISTS]
    transport = ScriptedTransport(version, *before, ScriptedResponse(500, {"errors": [message]}), written, show())
    result = run_module(module, transport, **OPTIONS)
    writes = [call for call in transport.calls if call[0] != "GET"]
    assert result.get("changed") is True and len(writes) == 2 and writes[0] == writes[1], result


def test_create_with_the_classic_api(run_module):
    transport = ScriptedTransport(OLD, ABSENT, EXISTS, ScriptedResponse(201, ""), classic())
    result = run_module(module, transport, **OPTIONS, exclude_patterns=[])
    group = f"{BASE}/artifactory/api/security/groups/builds"
    assert transport.calls == [
        ("GET", VERSION),
        ("GET", CLASSIC),
        ("GET", group),
        ("POST", CLASSIC),
        ("GET", CLASSIC),
    ]
    assert transport.json_body(3) == {
        "name": "pull it",
        "repo": {
            "include-patterns": ["**"],
            "exclude-patterns": [],
            "repositories": ["cgr-private", "cgr-public"],
            "actions": {"users": {}, "groups": {"builds": ["read", "write"]}},
        },
    }
    assert result["diff"] == {"before": {}, "after": {**RESULT, "exclude_patterns": []}}


@pytest.mark.parametrize(("version", "now"), [(NEW, stored()), (OLD, classic())], ids=["access", "classic"])
def test_no_change(run_module, version, now):
    transport = ScriptedTransport(version, now)
    result = run_module(module, transport, **OPTIONS)
    assert (result["changed"], result["diff"]) == (False, {"before": {}, "after": {}})
    assert methods(transport) == ["GET", "GET"]


@pytest.mark.parametrize(
    ("version", "now"), [(NEW, stored(build=BUILD)), (OLD, classic()), (NEW, ABSENT)], ids=["access", "classic", "none"]
)
def test_check_mode_sends_no_writes(run_module, version, now):
    transport = ScriptedTransport(version, now, EXISTS)
    result = run_module(module, transport, check=True, **{**OPTIONS, "users": []})
    assert result["changed"] is True
    assert result["diff"]["after"]["users"] == {}
    assert set(methods(transport)) == {"GET"}


def test_only_the_part_that_concerns_repositories_is_sent(run_module):
    after = {**ARTIFACT, "actions": {**ARTIFACT["actions"], "groups": {"builds": ["READ"]}}}
    transport = ScriptedTransport(NEW, stored(build=BUILD), DONE, stored(after, build=BUILD))
    result = run_module(module, transport, **{**OPTIONS, "groups": [{"name": "builds", "actions": ["read"]}]})
    assert transport.calls[2] == ("PUT", f"{URL}/artifact")
    assert transport.json_body(2) == {
        "actions": {"users": {"ci": ["SCAN", "READ"]}, "groups": {"builds": ["READ"]}},
        "targets": ARTIFACT["targets"],
    }
    assert result["diff"] == {
        "before": {"groups": {"builds": ["read", "write"]}},
        "after": {"groups": {"builds": ["read"]}},
    }


def test_the_classic_api_gets_the_other_parts_unchanged(run_module):
    transport = ScriptedTransport(OLD, classic(), DONE, classic(repositories=["cgr-public"]))
    run_module(module, transport, **CREDENTIALS, name="pull it", repositories=["cgr-public"])
    assert transport.calls[2] == ("PUT", CLASSIC)
    assert transport.json_body(2) == {
        "name": "pull it",
        "repo": {**REPO, "repositories": ["cgr-public"]},
        "build": CLASSIC_BUILD,
    }


def test_a_permission_that_concerns_only_builds(run_module):
    alone = ScriptedResponse(200, {"name": "pull it", "resources": {"build": BUILD}})
    transport = ScriptedTransport(NEW, alone, EXISTS, DONE, stored(build=BUILD))
    result = run_module(module, transport, **OPTIONS)
    assert transport.calls[3] == ("PUT", f"{URL}/artifact")
    assert result["diff"] == {"before": {}, "after": RESULT}


PARTS = {"include_patterns": ["example.com/**"], "exclude_patterns": ["**/secret/**"]}


@pytest.mark.parametrize(
    ("before", "options", "targets"),
    [
        pytest.param(
            {"a": PARTS},
            {"repositories": ["a", "b"]},
            {"a": PARTS, "b": PARTS},
            id="a-new-repository-gets-what-the-others-share",
        ),
        pytest.param(
            {"a": PARTS, "b": EVERYTHING},
            {"repositories": ["a", "c"]},
            {"a": PARTS, "c": EVERYTHING},
            id="each-keeps-its-own",
        ),
        pytest.param(
            {"a": PARTS, "b": EVERYTHING},
            {"include_patterns": ["x/**"]},
            {"a": {**PARTS, "include_patterns": ["x/**"]}, "b": {**EVERYTHING, "include_patterns": ["x/**"]}},
            id="one-kind-for-all",
        ),
        pytest.param({"a": PARTS}, {"exclude_patterns": []}, {"a": {**PARTS, "exclude_patterns": []}}, id="none"),
    ],
)
def test_patterns_by_repository(run_module, before, options, targets):
    plays = [NEW, stored({**ARTIFACT, "targets": before}), DONE, stored({**ARTIFACT, "targets": targets})]
    transport = ScriptedTransport(*plays)
    assert run_module(module, transport, **CREDENTIALS, name="pull it", **options)["changed"] is True
    assert transport.json_body(2)["targets"] == targets


@pytest.mark.parametrize(("version", "now"), [(NEW, stored()), (OLD, classic())], ids=["access", "classic"])
@pytest.mark.parametrize("is_list", [False, True], ids=["single", "list"])
def test_included_repositories_are_only_added(run_module, is_list, version, now):
    item = {"name": "pull it", "repositories": ["new"], "repositories_mode": "included"}
    options = {**CREDENTIALS, "permissions": [item]} if is_list else {**CREDENTIALS, **item}
    result = run_module(module, ScriptedTransport(version, now), check=True, **options)
    diff = result["diff"][0] if is_list else result["diff"]
    assert (diff["before"], diff["after"]) == (
        {"repositories": ["cgr-private", "cgr-public"]},
        {"repositories": ["cgr-private", "cgr-public", "new"]},
    )
    options = {**CREDENTIALS, **item, "repositories": ["cgr-public"]}
    result = run_module(module, ScriptedTransport(version, now), **options)
    assert (result["changed"], result["permission"]["repositories"]) == (False, ["cgr-private", "cgr-public"])


def test_included_repositories_are_sent_with_the_others(run_module):
    targets = {**ARTIFACT["targets"], "new": EVERYTHING}
    transport = ScriptedTransport(NEW, stored(), DONE, stored({**ARTIFACT, "targets": targets}))
    options = {**CREDENTIALS, "name": "pull it", "repositories": ["new"], "repositories_mode": "included"}
    assert run_module(module, transport, **options)["changed"] is True
    assert transport.json_body(2) == {
        "actions": {"users": {"ci": ["SCAN", "READ"]}, "groups": {"builds": ["WRITE", "READ"]}},
        "targets": targets,
    }


@pytest.mark.parametrize(
    ("version", "now", "part", "section"), [(NEW, stored, None, ARTIFACT), (OLD, classic, "repo", REPO)]
)
@pytest.mark.parametrize(
    ("options", "users", "groups"),
    [
        pytest.param({}, ["ci"], ["builds"], id="unset-keeps-both"),
        pytest.param({"users": []}, [], ["builds"], id="empty-withdraws"),
        pytest.param({"users": [], "groups": []}, [], [], id="both-empty"),
    ],
)
def test_unset_users_and_groups_stay_as_they_are(
    run_module, version, now, part, section, options, users, groups
):  # pylint: disable=too-many-arguments,too-many-positional-arguments
    actions = {
        "users": {name: section["actions"]["users"][name] for name in users},
        "groups": {name: section["actions"]["groups"][name] for name in groups},
    }
    after = now(actions=actions, repositories=["other"]) if part else None
    after = after or now({"actions": actions, "targets": {"other": EVERYTHING}})
    transport = ScriptedTransport(version, now(), DONE, after)
    result = run_module(module, transport, **CREDENTIALS, name="pull it", repositories=["other"], **options)
    assert result["changed"] is True
    body = transport.json_body(2)
    sent = (body[part] if part else body)["actions"]
    assert (sorted(sent["users"]), sorted(sent["groups"])) == (users, groups)


def test_the_diff_shows_patterns_that_differ_by_repository(run_module):
    now = stored({**ARTIFACT, "targets": {"a": PARTS, "b": EVERYTHING}})
    transport = ScriptedTransport(NEW, now)
    result = run_module(module, transport, check=True, **CREDENTIALS, name="pull it", include_patterns=["x/**"])
    assert result["diff"] == {
        "before": {"include_patterns": {"a": ["example.com/**"], "b": ["**"]}},
        "after": {"include_patterns": ["x/**"]},
    }


@pytest.mark.parametrize(
    "response", [ScriptedResponse(503, "busy"), ScriptedResponse(500, "oops")], ids=["unavailable", "error"]
)
def test_a_creation_that_may_have_failed_is_read_back_and_not_retried(run_module, response):
    transport = ScriptedTransport(NEW, ABSENT, EXISTS, response, stored(), stored())
    assert run_module(module, transport, **OPTIONS)["changed"] is True
    assert methods(transport).count("POST") == 1
    transport = ScriptedTransport(OLD, ABSENT, EXISTS, response, ABSENT)
    result = run_module(module, transport, **OPTIONS)
    assert result["failed"] and f"status {response.status}" in result["msg"]
    assert methods(transport).count("POST") == 1


def test_a_name_that_is_not_stored_is_an_error(run_module):
    without_grantees = stored({**ARTIFACT, "actions": {"users": {}, "groups": {}}})
    result = run_module(module, ScriptedTransport(NEW, ABSENT, EXISTS, CREATED, without_grantees), **OPTIONS)
    assert result["failed"] and "did not store groups as sent" in result["msg"]


@pytest.mark.parametrize(
    ("plays", "changes", "message"),
    [
        pytest.param(
            [ScriptedResponse(200, {"version": "dev"})], {}, "field version has a text that is not valid", id="version"
        ),
        pytest.param([ScriptedResponse(200, [])], {}, "it is a list instead of an object", id="no-version"),
        pytest.param([NEW, FORBIDDEN], {}, "token of an administrator", id="no-administrator"),
        pytest.param([NEW, ABSENT], {"repositories": None}, "creating one needs repositories", id="nothing-to-create"),
        pytest.param(
            [
                NEW,
                ScriptedResponse(
                    400, {"errors": [{"code": "BAD_REQUEST", "message": "Not valid", "detail": "name: long"}]}
                ),
            ],
            {},
            "status 400: Not valid: name: long.",
            id="details",
        ),
    ],
)
def test_errors_before_the_first_write(run_module, plays, changes, message):
    transport = ScriptedTransport(*plays)
    result = run_module(module, transport, **{**OPTIONS, **changes})
    assert result["failed"] and message in result["msg"]
    assert set(methods(transport)) == {"GET"}
    assert "admin-token" not in str(result)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"name": "a/b"}, "name is not valid", id="slash"),
        pytest.param({"name": "x" * 65}, "name is not valid", id="long-name"),
        pytest.param({"name": ".."}, "name is not valid", id="dots"),
        pytest.param({"repositories": []}, "repositories is empty", id="no-repositories"),
        pytest.param({"repositories": ["ANYTHING GOES"]}, "'ANYTHING GOES' is not valid", id="repository-key"),
        pytest.param({"include_patterns": [""]}, "include_patterns is empty", id="no-patterns"),
        pytest.param({"users": [{"name": "ci", "actions": []}]}, "grants 'ci' no actions", id="no-actions"),
        pytest.param({"users": [{"name": "", "actions": ["read"]}]}, "users has an empty name", id="no-name"),
        pytest.param(
            {"groups": [{"name": "g", "actions": ["read"]}] * 2}, "groups names 'g' more than once", id="twice"
        ),
        pytest.param(
            {"users": [{"name": "ci", "actions": ["deploy"]}]}, "value of actions must be", id="no-such-action"
        ),
    ],
)
def test_invalid_options_send_no_requests(run_module, changes, message):
    transport = ScriptedTransport()
    result = run_module(module, transport, **{**OPTIONS, **changes})
    assert result["failed"] and message in result["msg"]
    assert not transport.requests


def test_empty_patterns_are_ignored(run_module):
    transport = ScriptedTransport(NEW, stored())
    options = {"include_patterns": ["**", ""], "exclude_patterns": [""]}
    assert run_module(module, transport, **OPTIONS, **options)["changed"] is False


def test_all_remote_repositories(run_module):
    now = stored({**ARTIFACT, "targets": {"ANY REMOTE": EVERYTHING}})
    result = run_module(module, ScriptedTransport(NEW, now), **{**OPTIONS, "repositories": ["ANY REMOTE"]})
    assert result["changed"] is False


ABSENT_OPTIONS = {**CREDENTIALS, "name": "pull it", "state": "absent"}


@pytest.mark.parametrize(
    ("version", "now", "call", "body"),
    [
        pytest.param(NEW, stored(), ("DELETE", URL), None, id="access"),
        pytest.param(NEW, stored(build=BUILD), ("DELETE", f"{URL}/artifact"), None, id="access-with-builds"),
        pytest.param(
            OLD, ScriptedResponse(200, {"name": "pull it", "repo": REPO}), ("DELETE", CLASSIC), None, id="classic"
        ),
        pytest.param(
            OLD, classic(), ("PUT", CLASSIC), {"name": "pull it", "build": CLASSIC_BUILD}, id="classic-with-builds"
        ),
    ],
)
def test_absent_deletes_the_part_that_concerns_repositories(run_module, version, now, call, body):
    transport = ScriptedTransport(version, now, DONE)
    result = run_module(module, transport, **ABSENT_OPTIONS)
    assert (transport.calls[2], transport.json_body(2)) == (call, body)
    assert (result["changed"], result["permission"]) == (True, {})
    assert result["diff"]["before"]["repositories"] == ["cgr-private", "cgr-public"]
    assert result["diff"]["after"] == {}
    check = run_module(module, ScriptedTransport(version, now), check=True, **ABSENT_OPTIONS)
    assert (check["changed"], check["diff"]) == (True, result["diff"])


@pytest.mark.parametrize(
    ("version", "now"),
    [
        (NEW, ABSENT),
        (OLD, ABSENT),
        (NEW, ScriptedResponse(200, {"name": "pull it", "resources": {"build": BUILD}})),
        (OLD, ScriptedResponse(200, {"name": "pull it", "build": CLASSIC_BUILD})),
    ],
)
def test_already_absent(run_module, version, now):
    transport = ScriptedTransport(version, now)
    assert run_module(module, transport, **ABSENT_OPTIONS)["changed"] is False
    assert methods(transport) == ["GET", "GET"]


class Permissions:
    """Permissions in memory, over the Access API. rejected_names: names that may not be written."""

    def __init__(self, *names, rejected_names=()):
        self.stored = {name: {"artifact": ARTIFACT} for name in names}
        self.rejected_names = rejected_names
        self.transport = ScriptedTransport(respond=self.respond)

    def respond(self, request):
        if request.url == VERSION:
            return NEW
        name = request.url.removeprefix(f"{ALL}/").partition("/")[0]
        if request.method == "GET" and not name:
            return ScriptedResponse(
                200, {"permissions": [{"name": each, "uri": f"{ALL}/{each}"} for each in self.stored]}
            )
        if request.method == "GET":
            resources = self.stored.get(name)
            return ScriptedResponse(200, {"name": name, "resources": resources}) if resources else ABSENT
        if request.method == "DELETE":
            del self.stored[name]
            return DONE
        body = json.loads(request.body)
        name = body.get("name", name)
        if name in self.rejected_names:
            return FORBIDDEN
        self.stored[name] = body.get("resources") or {"artifact": body}
        return CREATED

    @property
    def writes(self):
        return [method for method, _url in self.transport.calls if method != "GET"]


BUILDS = [{"name": "builds", "actions": ["read", "write"]}]
LIST_OPTIONS = {
    **CREDENTIALS,
    "permissions": [
        {"name": "new", "repositories": ["cgr-public"], "groups": BUILDS},
        {"name": "same", "groups": BUILDS},
        {"name": "removed", "state": "absent"},
    ],
}


def test_a_list(run_module):
    predicted = run_module(module, Permissions("same", "removed").transport, check=True, **LIST_OPTIONS)
    artifactory = Permissions("same", "removed")
    result = run_module(module, artifactory.transport, **LIST_OPTIONS)
    assert [item["changed"] for item in result["permissions"]] == [True, False, True]
    assert result["permissions"][0]["permission"] == {
        "name": "new",
        "repositories": ["cgr-public"],
        "groups": {"builds": ["read", "write"]},
    }
    assert set(artifactory.stored) == {"new", "same"}
    assert sorted(artifactory.writes) == ["DELETE", "POST"]
    assert (predicted["permissions"], predicted["diff"]) == (result["permissions"], result["diff"])
    assert [diff["after_header"] for diff in result["diff"]] == ["new", "removed"]
    again = Permissions("same")
    again.stored = artifactory.stored
    assert run_module(module, again.transport, **LIST_OPTIONS)["changed"] is False
    assert again.writes == []


def test_a_failed_item_does_not_stop_the_others(run_module):
    artifactory = Permissions("removed", rejected_names=["new"])
    result = run_module(module, artifactory.transport, **LIST_OPTIONS)
    assert [item["failed"] for item in result["permissions"]] == [True, True, False]
    assert result["permissions"][0]["error"]["status"] == 403
    assert "new: POST" in result["msg"] and "same: There is no permission 'same' on repositories" in result["msg"]
    assert artifactory.stored == {}


@pytest.mark.parametrize(
    ("permissions", "message"),
    [
        ([{"name": "a", "repositories": ["b"]}, {"name": "a", "state": "absent"}], "a is in the list more than once"),
        ([{"name": "a", "repositories": ["b"]}, {"name": "c/d"}], "name is not valid"),
    ],
)
def test_an_invalid_item_sends_no_requests(run_module, permissions, message):
    transport = ScriptedTransport()
    assert message in run_module(module, transport, **CREDENTIALS, permissions=permissions)["msg"]
    assert transport.calls == []


CI = {"users": [{"name": "ci", "actions": ["read"]}, {"name": "missing user", "actions": ["read"]}]}


class Grantees:
    """Users, groups and one permission that does not exist. status: of requests for users and groups, if they may not be read."""

    def __init__(self, version, *names, status=None):
        self.version, self.names, self.status = version, names, status
        self.transport = ScriptedTransport(respond=self.respond)

    def respond(self, request):
        path = urlsplit(request.url).path
        if request.url == VERSION:
            return self.version
        if path.startswith(("/access/api/v2/users", "/access/api/v2/groups", "/artifactory/api/security/")):
            if self.status:
                return ScriptedResponse(self.status, {"errors": [{"status": self.status, "message": "x"}]})
            is_list = path.endswith(("/users", "/groups"))
            return EXISTS if is_list or unquote(path.rpartition("/")[2]) in self.names else ABSENT
        return ABSENT if request.method == "GET" else CREATED


def test_the_classic_api_does_not_get_users_that_do_not_exist(run_module):
    artifactory = Grantees(OLD, "ci")
    options = {**OPTIONS, **CI}
    result = run_module(module, artifactory.transport, **options)
    assert result["failed"] and "Artifactory has no user missing user, no group builds" in result["msg"]
    assert set(methods(artifactory.transport)) == {"GET"}
    predicted = run_module(module, Grantees(OLD, "ci").transport, check=True, **options)
    assert predicted["changed"] is True and "no user missing user, no group builds" in predicted["warnings"][0]
    assert predicted["rejected_grantees"] == ["user missing user", "group builds"]


def test_a_user_who_does_not_exist_is_a_warning_with_the_access_api(run_module):
    artifactory = Grantees(NEW, "ci", "builds")
    result = run_module(module, artifactory.transport, **OPTIONS, **CI)
    assert "POST" in methods(artifactory.transport)
    assert len(result["warnings"]) == 1 and "Artifactory has no user missing user" in result["warnings"][0]
    predicted = run_module(module, Grantees(NEW, "ci", "builds").transport, check=True, **OPTIONS, **CI)
    assert predicted["rejected_grantees"] == []


@pytest.mark.parametrize("version", [NEW, OLD], ids=["access", "classic"])
@pytest.mark.parametrize("status", [401, 403, 404])
def test_users_that_may_not_be_read_are_not_checked(run_module, version, status):
    artifactory = Grantees(version, status=status)
    result = run_module(module, artifactory.transport, **OPTIONS, **CI)
    assert "POST" in methods(artifactory.transport) and result["warnings"] == []


def test_only_names_that_are_added_are_checked(run_module):
    after = {**ARTIFACT, "actions": {"users": {"ci": ["READ"]}, "groups": {"builds": ["WRITE", "READ"]}}}
    transport = ScriptedTransport(NEW, stored(), DONE, stored(after))
    options = {**OPTIONS, "users": [{"name": "ci", "actions": ["read"]}]}
    assert run_module(module, transport, **options)["changed"] is True
    options = {**CREDENTIALS, "name": "pull it", "users": [{"name": "anonymous", "actions": ["read"]}]}
    after["actions"]["users"] = {"anonymous": ["READ"]}
    assert run_module(module, ScriptedTransport(NEW, stored(), DONE, stored(after)), **options)["changed"] is True


REJECTED = ScriptedResponse(401, {"errors": [{"code": "UNAUTHORIZED", "message": "HTTP 401 Unauthorized"}]})
LOGIN = {"artifactory_access_token": None, "artifactory_username": "a", "artifactory_password": "pass-phrase"}


def test_the_classic_api_is_used_if_the_access_api_rejects_the_login(run_module):
    transport = ScriptedTransport(NEW, REJECTED, ABSENT, EXISTS, ScriptedResponse(201, ""), classic())
    result = run_module(module, transport, **{**OPTIONS, **LOGIN})
    group = f"{BASE}/artifactory/api/security/groups/builds"
    expected = [("GET", VERSION), ("GET", URL), ("GET", CLASSIC), ("GET", group), ("POST", CLASSIC), ("GET", CLASSIC)]
    assert transport.calls == expected and result["changed"] is True


def test_a_login_that_both_apis_reject(run_module):
    result = run_module(module, ScriptedTransport(NEW, REJECTED, REJECTED), **{**OPTIONS, **LOGIN})
    assert result["error"]["status"] == 401 and result["error"]["url"] == URL
    assert "The Access API, which manages permissions, can reject a login that Artifactory accepts" in result["msg"]


def targets(*keys):
    return {
        "artifact": {**ARTIFACT, "targets": {key: {"include_patterns": ["**"], "exclude_patterns": []} for key in keys}}
    }


def test_repositories_are_removed_from_all_permissions(run_module):
    options = {**CREDENTIALS, "removed_repositories": ["gone", "gone-too"]}
    before = {
        "former": targets("gone"),
        "shared": targets("gone", "kept", "gone-too"),
        "other": targets("kept"),
        "builds": {"build": {"targets": {}}},
    }

    def run(check):
        artifactory = Permissions()
        artifactory.stored = json.loads(json.dumps(before))
        return artifactory, run_module(module, artifactory.transport, check=check, **options)

    planning, predicted = run(True)
    artifactory, result = run(False)
    assert planning.writes == [] and sorted(artifactory.writes) == ["DELETE", "PUT"]
    assert (predicted["permissions"], predicted["diff"]) == (result["permissions"], result["diff"])
    assert [item["name"] for item in result["permissions"]] == ["former", "shared"]
    assert {
        name: sorted(parts.get("artifact", {}).get("targets", {})) for name, parts in artifactory.stored.items()
    } == {
        "shared": ["kept"],
        "other": ["kept"],
        "builds": [],
    }
    assert run_module(module, artifactory.transport, **options)["changed"] is False


def test_removed_repositories_stand_alone(run_module):
    transport = ScriptedTransport()
    result = run_module(module, transport, **CREDENTIALS, removed_repositories=["a"], name="b")
    assert "mutually exclusive" in result["msg"] and transport.requests == []
