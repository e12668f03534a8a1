# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from scripted import ScriptedResponse, ScriptedTransport
from scripted_artifactory import (
    ABSENT,
    BASE,
    CREDENTIALS,
    FORBIDDEN,
    LICENSE,
    OLD,
    PRO_ONLY,
    Artifactory,
    methods,
    remote_config,
)

from ansible_collections.cgr.pull_through.plugins.modules import artifactory_remote_repository

URL = f"{BASE}/artifactory/api/repositories/cgr-private"
OPTIONS = {
    **CREDENTIALS,
    "key": "cgr-private",
    "url": "https://cgr.dev/",
    "username": "org/new",
    "password": "pull-token-password",
    "settings": {"enableTokenAuthentication": True},
}
STORED = {
    "key": "cgr-private",
    "rclass": "remote",
    "packageType": "docker",
    "url": "https://cgr.dev/",
    "username": "org/new",
    "password": "AM.cipher",
    "description": "Images (local file cache)",
    "enableTokenAuthentication": True,
    "offline": False,
    "includesPattern": "**/*",
    "contentSynchronisation": {"enabled": False, "statistics": {"enabled": True}},
}
SYMBOLS = "https://symbols.nuget.org/download/symbols"
WRITTEN = ScriptedResponse(200, "Successfully created repository 'cgr-private' \n")


def stored(**changes):
    return ScriptedResponse(200, {**STORED, **changes})


def test_create(run_module):
    transport = ScriptedTransport(ABSENT, LICENSE, WRITTEN, stored())
    result = run_module(artifactory_remote_repository, transport, **OPTIONS)
    assert result["changed"] is True
    assert transport.calls[2] == ("PUT", URL)
    assert transport.json_body(2) == {
        "key": "cgr-private",
        "rclass": "remote",
        "packageType": "docker",
        "url": "https://cgr.dev/",
        "username": "org/new",
        "password": "pull-token-password",
        "enableTokenAuthentication": True,
    }
    assert result["diff"]["before"] == {}
    assert "pull-token-password" not in str(result)


def test_create_in_check_mode(run_module):
    transport = ScriptedTransport(ABSENT, LICENSE)
    result = run_module(artifactory_remote_repository, transport, check=True, **OPTIONS)
    real = run_module(artifactory_remote_repository, ScriptedTransport(ABSENT, LICENSE, WRITTEN, stored()), **OPTIONS)
    assert methods(transport) == ["GET", "GET"]
    assert (result["changed"], result["diff"]) == (real["changed"], real["diff"])


def test_no_change(run_module):
    transport = ScriptedTransport(stored())
    result = run_module(artifactory_remote_repository, transport, **OPTIONS, description="Images")
    assert result["changed"] is False
    assert methods(transport) == ["GET"]


def test_only_differences_are_sent(run_module):
    transport = ScriptedTransport(stored(enableTokenAuthentication=False), WRITTEN, stored())
    result = run_module(artifactory_remote_repository, transport, **OPTIONS)
    assert (transport.calls[1], transport.json_body(1)) == (
        ("POST", URL),
        {"key": "cgr-private", "enableTokenAuthentication": True},
    )
    assert result["diff"] == {
        "before": {"enableTokenAuthentication": False},
        "after": {"enableTokenAuthentication": True},
    }


def test_the_password_is_sent_with_a_new_username(run_module):
    transport = ScriptedTransport(stored(username="org/old"), WRITTEN, stored())
    run_module(artifactory_remote_repository, transport, **OPTIONS)
    assert transport.json_body(1) == {"key": "cgr-private", "username": "org/new", "password": "pull-token-password"}


def test_update_password_always(run_module):
    transport = ScriptedTransport(stored(), WRITTEN, stored())
    result = run_module(artifactory_remote_repository, transport, **OPTIONS, update_password="always")
    assert result["changed"] is True
    assert transport.json_body(1) == {"key": "cgr-private", "password": "pull-token-password"}


def test_nested_objects_are_merged(run_module):
    transport = ScriptedTransport(
        stored(),
        WRITTEN,
        stored(
            contentSynchronisation={
                "enabled": False,
                "statistics": {"enabled": True},
                "properties": {"enabled": True},
            }
        ),
    )
    run_module(
        artifactory_remote_repository,
        transport,
        **CREDENTIALS,
        key="cgr-private",
        settings={"contentSynchronisation": {"properties": {"enabled": True}}},
    )
    assert transport.json_body(1)["contentSynchronisation"] == {
        "enabled": False,
        "statistics": {"enabled": True},
        "properties": {"enabled": True},
    }


def test_a_setting_that_is_not_stored_is_an_error(run_module):
    transport = ScriptedTransport(stored(), WRITTEN, stored())
    result = run_module(
        artifactory_remote_repository, transport, **CREDENTIALS, key="cgr-private", settings={"ofline": True}
    )
    assert result["failed"] and "did not store ofline" in result["msg"]


@pytest.mark.parametrize(
    ("read", "lost"), [("org/old", True), ("org/third", False)], ids=["not-stored", "concurrent-run"]
)
def test_a_username_that_a_concurrent_run_wrote_is_not_an_error(run_module, read, lost):
    transport = ScriptedTransport(stored(username="org/old"), WRITTEN, stored(username=read))
    result = run_module(artifactory_remote_repository, transport, **OPTIONS)
    assert result.get("failed", False) is lost


def test_a_creation_without_a_response_is_read_back_and_not_retried(run_module):
    transport = ScriptedTransport(ABSENT, LICENSE, ScriptedResponse(503, "busy"), stored(), stored())
    result = run_module(artifactory_remote_repository, transport, **OPTIONS)
    assert result["changed"] is True
    assert methods(transport) == ["GET", "GET", "PUT", "GET", "GET"]


def test_a_failed_creation(run_module):
    transport = ScriptedTransport(ABSENT, LICENSE, ScriptedResponse(500, "oops"), ABSENT)
    result = run_module(artifactory_remote_repository, transport, **OPTIONS)
    assert result["failed"] and "status 500" in result["msg"]


@pytest.mark.parametrize(
    ("changes", "play", "message"),
    [
        pytest.param({}, PRO_ONLY, "Pro edition", id="edition"),
        pytest.param(
            {},
            ScriptedResponse(401, {"errors": [{"message": "Bad Credentials"}]}),
            "artifactory_access_token",
            id="login",
        ),
        pytest.param({}, stored(packageType="npm"), "packageType 'npm', not 'docker'", id="package-type"),
        pytest.param({}, stored(rclass="local"), "rclass 'local', not 'remote'", id="class"),
        pytest.param({"state": "absent"}, stored(rclass="local"), "rclass 'local'", id="absent-of-another-class"),
        pytest.param(
            {},
            ScriptedResponse(
                200, {"key": "cgr-private", "rclass": "remote", "packageType": "docker", "url": "https://cgr.dev/"}
            ),
            "only a part of the configuration",
            id="reader",
        ),
        pytest.param(
            {}, ScriptedResponse(301, "", {"Location": "https://x/"}), "a redirect to https://x/", id="redirect"
        ),
        pytest.param({"url": None}, ABSENT, "creating one needs url", id="no-url"),
    ],
)
def test_errors_before_the_first_write(run_module, changes, play, message):
    transport = ScriptedTransport(play)
    result = run_module(artifactory_remote_repository, transport, **{**OPTIONS, **changes})
    assert result["failed"] and message in result["msg"]
    assert methods(transport) == ["GET"]
    assert "admin-token" not in str(result) and "pull-token-password" not in str(result)


def test_a_user_who_is_not_an_administrator_is_detected_before_a_creation(run_module):
    transport = ScriptedTransport(ABSENT, FORBIDDEN)
    result = run_module(artifactory_remote_repository, transport, **OPTIONS)
    assert result["failed"] and "administrator" in result["msg"]
    assert "PUT" not in methods(transport)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"key": "x" * 59}, "59 characters; at most 58", id="long-key"),
        pytest.param({"key": "a/b"}, "is not valid", id="slash"),
        pytest.param({"key": "a b"}, "is not valid", id="space"),
        pytest.param({"url": "https://cgr.dev/example.com"}, "has a path", id="path"),
        pytest.param({"url": "cgr.dev"}, "is not a URL", id="no-scheme"),
        pytest.param({"url": "https://me:pw@cgr.dev/"}, "must not contain credentials", id="credentials"),
        pytest.param({"settings": {"password": "x"}}, "must not contain password", id="password-in-settings"),
        pytest.param({"settings": {"url": "x"}}, "must not contain url", id="option-in-settings"),
        pytest.param({"artifactory_url": None}, "artifactory_url is missing", id="no-server"),
        pytest.param({"artifactory_access_token": None}, "Credentials for Artifactory are missing", id="no-login"),
        pytest.param({"username": None}, "username", id="password-without-user"),
    ],
)
def test_invalid_options_send_no_requests(run_module, changes, message):
    transport = ScriptedTransport()
    result = run_module(artifactory_remote_repository, transport, **{**OPTIONS, **changes})
    assert result["failed"] and message in result["msg"]
    assert not transport.requests


def test_the_url_of_a_smart_remote_can_have_a_path(run_module):
    url = "https://other.example.com/artifactory/api/docker/there"
    transport = ScriptedTransport(stored(url=url))
    assert run_module(artifactory_remote_repository, transport, **{**OPTIONS, "url": url})["changed"] is False


def test_absent(run_module):
    options = {**CREDENTIALS, "key": "cgr-private", "state": "absent"}
    transport = ScriptedTransport(stored(), ScriptedResponse(200, "removed"))
    assert run_module(artifactory_remote_repository, transport, **options)["changed"] is True
    assert transport.calls[1] == ("DELETE", URL)
    assert run_module(artifactory_remote_repository, ScriptedTransport(ABSENT), **options)["changed"] is False
    check = ScriptedTransport(stored())
    assert run_module(artifactory_remote_repository, check, check=True, **options)["changed"] is True


def test_basic_authentication(run_module):
    transport = ScriptedTransport(stored())
    login = {"artifactory_access_token": None, "artifactory_username": "admin", "artifactory_password": "pw"}
    run_module(artifactory_remote_repository, transport, **{**OPTIONS, **login})
    assert transport.requests[0].headers["Authorization"] == "Basic YWRtaW46cHc="


def repositories(*keys, **options):
    """Return the options for a list of repositories."""
    return {**CREDENTIALS, "repositories": [{"key": key, "url": "https://cgr.dev/", **options} for key in keys]}


def test_no_change_of_a_list_takes_one_request(run_module):
    artifactory = Artifactory(remote_config("a"), remote_config("b"), remote_config("c"))
    result = run_module(artifactory_remote_repository, artifactory.transport, **repositories("a", "b", "c"))
    assert (result["changed"], [item["changed"] for item in result["repositories"]]) == (False, [False] * 3)
    assert artifactory.request_counts == {"GET /repositories/configurations": 1}


def test_a_list_is_created_in_one_batch_and_read_back_once(run_module):
    artifactory = Artifactory(remote_config("a", username="old"))
    result = run_module(
        artifactory_remote_repository,
        artifactory.transport,
        **repositories("a", "b", "c", password="secret", username="u"),
    )
    assert artifactory.writes == ["POST /repositories/a", "PUT /v2/repositories/batch"]
    assert artifactory.request_counts["GET /repositories/configurations"] == 2
    assert [item["changed"] for item in result["repositories"]] == [True, True, True]
    assert artifactory.repositories["c"]["password"] == "secret"
    assert "secret" not in str(result)
    again = run_module(
        artifactory_remote_repository, artifactory.transport, **repositories("a", "b", "c", username="u")
    )
    assert again["changed"] is False


def test_a_list_is_changed_in_one_batch_with_only_the_differences(run_module):
    artifactory = Artifactory(
        remote_config("a", offline=True), remote_config("b", offline=True), remote_config("c", offline=False)
    )
    run_module(
        artifactory_remote_repository, artifactory.transport, **repositories("a", "b", "c", settings={"offline": False})
    )
    assert artifactory.writes == ["POST /v2/repositories/batch"]
    sent = next(request for request in artifactory.transport.requests if request.url.endswith("/batch"))
    assert json.loads(sent.body or b"") == [{"key": "a", "offline": False}, {"key": "b", "offline": False}]


def test_an_earlier_version_gets_one_request_per_repository(run_module):
    artifactory = Artifactory(version=OLD)
    result = run_module(artifactory_remote_repository, artifactory.transport, **repositories("a", "b"))
    assert artifactory.writes == ["PUT /repositories/a", "PUT /repositories/b"]
    assert result["changed"] is True


def test_a_rejected_repository_does_not_stop_the_others(run_module):
    artifactory = Artifactory(rejected_keys=["b"])
    result = run_module(artifactory_remote_repository, artifactory.transport, **repositories("a", "b", "c"))
    assert result["failed"] is True
    assert [item["failed"] for item in result["repositories"]] == [False, True, False]
    assert result["msg"].startswith("b: ") and "It is in use" in result["msg"]
    assert sorted(artifactory.repositories) == ["a", "c"]


def test_a_repository_of_another_type_is_not_written_and_does_not_stop_the_others(run_module):
    artifactory = Artifactory(remote_config("a", packageType="npm"))
    result = run_module(artifactory_remote_repository, artifactory.transport, **repositories("a", "b"))
    assert [(item["key"], item["failed"]) for item in result["repositories"]] == [("a", True), ("b", False)]
    assert artifactory.writes == ["PUT /repositories/b"]


def test_a_list_in_check_mode(run_module):
    configs = [remote_config("a", offline=True), remote_config("removed")]
    options = repositories("a", "b", settings={"offline": False})
    options["repositories"].append({"key": "removed", "state": "absent"})
    artifactory = Artifactory(*configs)
    predicted = run_module(artifactory_remote_repository, artifactory.transport, check=True, **options)
    result = run_module(artifactory_remote_repository, Artifactory(*configs).transport, **options)
    assert artifactory.writes == []
    assert (predicted["repositories"], predicted["diff"]) == (result["repositories"], result["diff"])
    assert [diff["after_header"] for diff in predicted["diff"]] == ["a", "b", "removed"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(repositories("a", "a"), "a is in the list more than once", id="twice"),
        pytest.param({**repositories("a"), "key": "b"}, "mutually exclusive", id="both-forms"),
        pytest.param(CREDENTIALS, "one of the following is required: key, repositories", id="neither"),
        pytest.param(repositories("a", url="https://cgr.dev/example.com"), "has a path", id="url-with-a-path"),
        pytest.param(repositories("a", password="p"), "username", id="password-alone"),
    ],
)
def test_an_invalid_item_sends_no_requests(run_module, options, message):
    artifactory = Artifactory()
    result = run_module(artifactory_remote_repository, artifactory.transport, **options)
    assert result["failed"] is True and message in result["msg"]
    assert artifactory.request_counts == {}


def test_an_absent_repository_that_is_absent_already_has_no_settings(run_module):
    artifactory = Artifactory()
    items = [{"key": "a", "state": "absent"}]
    result = run_module(artifactory_remote_repository, artifactory.transport, **CREDENTIALS, repositories=items)
    assert result["repositories"] == [
        {"key": "a", "failed": False, "changed": False, "repository": {}, "diff": {"before": {}, "after": {}}}
    ]


TYPED = {
    "retrievalCachePeriodSecs": 7200,
    "maxUniqueTags": 3,
    "bypassHeadRequests": True,
    "contentSynchronisation": {"enabled": False, "statistics": {"enabled": False}},
    "dockerProjectId": "30",
}
TEXTS = {
    "retrievalCachePeriodSecs": "7200",
    "maxUniqueTags": "3",
    "bypassHeadRequests": "True",
    "contentSynchronisation": {"statistics": {"enabled": "false"}},
    "dockerProjectId": 30,
}


def test_texts_of_numbers_and_booleans_are_no_change(run_module):
    options = {**CREDENTIALS, "key": "cgr-private", "settings": TEXTS}
    assert run_module(artifactory_remote_repository, ScriptedTransport(stored(**TYPED)), **options)["changed"] is False


def test_texts_are_sent_with_the_type_of_the_stored_value(run_module):
    before = {**TYPED, "retrievalCachePeriodSecs": 60, "bypassHeadRequests": False, "hardFail": True}
    transport = ScriptedTransport(stored(**before), WRITTEN, stored(**TYPED, hardFail=False))
    options = {**CREDENTIALS, "key": "cgr-private", "settings": {**TEXTS, "hardFail": "false"}}
    assert run_module(artifactory_remote_repository, transport, **options)["changed"] is True
    assert transport.json_body(1) == {
        "key": "cgr-private",
        "retrievalCachePeriodSecs": 7200,
        "bypassHeadRequests": True,
        "hardFail": False,
    }


def test_texts_are_typed_for_a_new_repository(run_module):
    transport = ScriptedTransport(ABSENT, LICENSE, WRITTEN, stored(**TYPED))
    options = {**OPTIONS, "settings": {**TEXTS, "includesPattern": "**/*"}, "description": "Images"}
    assert run_module(artifactory_remote_repository, transport, **options)["changed"] is True
    sent = transport.json_body(2)
    assert (sent["retrievalCachePeriodSecs"], sent["bypassHeadRequests"], sent["maxUniqueTags"]) == (7200, True, 3)
    assert sent["contentSynchronisation"] == {"statistics": {"enabled": False}}


HEADERS = [{"name": "X-Key", "value": "clear", "sensitive": True}]


@pytest.mark.parametrize(
    ("package_type", "settings", "read"),
    [
        pytest.param("yum", {}, {"packageType": "rpm"}, id="package-type"),
        pytest.param("terraform", {"bypassHeadRequests": False}, {"bypassHeadRequests": True}, id="forced"),
        pytest.param("docker", {"environments": ["DEV"]}, {"environments": []}, id="environments-without-a-project"),
        pytest.param(
            "generic",
            {"customHttpHeaders": HEADERS},
            {"customHttpHeaders": [{**HEADERS[0], "value": "AM.cipher"}]},
            id="encrypted-header",
        ),
        pytest.param(
            "generic",
            {"customHttpHeaders": [{"name": "X-Plain", "value": "a"}]},
            {"customHttpHeaders": [{"name": "X-Plain", "value": "a", "sensitive": False}]},
            id="added-keys-in-a-list",
        ),
        pytest.param(
            "docker",
            {"contentSynchronisation": {"enabled": True, "properties": {"enabled": True}}},
            {
                "contentSynchronisation": {
                    "enabled": False,
                    "properties": {"enabled": True},
                    "statistics": {"enabled": False},
                }
            },
            id="added-keys-in-an-object",
        ),
        pytest.param("nuget", {"v3FeedUrl": "https://cgr.dev/v3/index.json"}, {}, id="feed-that-is-not-shown"),
        pytest.param("nuget", {"symbolServerUrl": "https://cgr.dev/s"}, {"symbolServerUrl": ""}, id="symbols"),
        pytest.param("nuget", {"symbolServerUrl": ""}, {"symbolServerUrl": SYMBOLS}, id="empty-restores-the-default"),
    ],
)
def test_a_value_that_the_server_rewrites_is_stored_and_no_change(run_module, package_type, settings, read):
    config = remote_config("cgr-private", **{"packageType": package_type, **read})
    options = {**CREDENTIALS, "key": "cgr-private", "url": "https://cgr.dev/"}
    options.update(package_type=package_type, settings=settings)
    created = ScriptedTransport(ABSENT, LICENSE, WRITTEN, ScriptedResponse(200, config))
    result = run_module(artifactory_remote_repository, created, **options)
    assert (result.get("msg"), result["changed"]) == (None, True)
    assert created.json_body(2).items() >= settings.items()
    again = ScriptedTransport(ScriptedResponse(200, config))
    assert run_module(artifactory_remote_repository, again, **options)["changed"] is False


def test_the_values_of_sensitive_headers_are_not_returned(run_module):
    headers = [*HEADERS, {"name": "X-Plain", "value": "seen"}]
    read = stored(customHttpHeaders=[{**HEADERS[0], "value": "AM.cipher"}, headers[1]])
    transport = ScriptedTransport(stored(customHttpHeaders=[]), WRITTEN, read)
    options = {**CREDENTIALS, "key": "cgr-private", "settings": {"customHttpHeaders": headers}}
    result = run_module(artifactory_remote_repository, transport, **options)
    assert transport.json_body(1)["customHttpHeaders"] == headers
    returned = str({**result, "invocation": ""})
    assert result["changed"] is True and "clear" not in returned and "seen" in returned


@pytest.mark.parametrize(
    ("settings", "read"),
    [
        pytest.param({"environments": ["DEV"], "projectKey": "team"}, {}, id="environments-of-a-project"),
        pytest.param({"bypassHeadRequests": False}, {"bypassHeadRequests": True}, id="head-requests-of-docker"),
        pytest.param(
            {"customHttpHeaders": [{"name": "X-Key", "value": "b"}]},
            {"customHttpHeaders": [{"name": "X-Key", "value": "a"}]},
            id="header",
        ),
        pytest.param({"v3FeedUrl": "https://cgr.dev/v3"}, {"v3FeedUrl": "https://api.nuget.org/v3"}, id="feed"),
    ],
)
def test_a_value_that_differs_is_still_a_change(run_module, settings, read):
    transport = ScriptedTransport(stored(**read))
    options = {**CREDENTIALS, "key": "cgr-private", "settings": settings}
    result = run_module(artifactory_remote_repository, transport, check=True, **options)
    assert result["diff"]["after"] == settings


CHAINGUARD_FEED = "https://libraries.cgr.dev/dotnet/v3/index.json"
GALLERY_FEED = "https://api.nuget.org/v3/index.json"


@pytest.mark.parametrize(
    ("url", "settings", "read", "warning"),
    [
        pytest.param(CHAINGUARD_FEED, {"v3FeedUrl": CHAINGUARD_FEED}, None, "", id="set"),
        pytest.param(CHAINGUARD_FEED, {}, None, f"gets NuGet packages from {GALLERY_FEED}", id="created-without"),
        pytest.param(CHAINGUARD_FEED, {"v3FeedUrl": ""}, {"v3FeedUrl": GALLERY_FEED}, GALLERY_FEED, id="empty"),
        pytest.param(CHAINGUARD_FEED, {}, {"v3FeedUrl": GALLERY_FEED}, "because v3FeedUrl leads there", id="default"),
        pytest.param(CHAINGUARD_FEED, {}, {}, "", id="not-shown"),
        pytest.param("https://www.nuget.org/", {}, None, "", id="gallery"),
        pytest.param("http://127.0.0.1:1/", {"v3FeedUrl": "http://127.0.0.1:2/"}, None, "127.0.0.1:2", id="ports"),
    ],
)
def test_a_nuget_feed_elsewhere_than_the_url_is_a_warning(run_module, url, settings, read, warning):
    current = ABSENT if read is None else ScriptedResponse(200, remote_config("n", packageType="nuget", **read))
    transport = ScriptedTransport(*([current, LICENSE] if read is None else [current]))
    options = {**CREDENTIALS, "key": "n", "package_type": "nuget", "url": url, "settings": settings}
    result = run_module(artifactory_remote_repository, transport, check=True, **options)
    assert len(result["warnings"]) == bool(warning)
    assert warning in "".join(result["warnings"])


@pytest.mark.parametrize(("period", "has_warning"), [(0, False), (1, True), ("29", True), (30, False), ("soon", False)])
def test_a_cache_period_below_the_minimum_of_the_cloud_is_a_warning(run_module, period, has_warning):
    transport = ScriptedTransport(ABSENT, LICENSE)
    settings = {"retrievalCachePeriodSecs": period}
    options = {**CREDENTIALS, "key": "n", "package_type": "docker", "url": "https://cgr.dev/", "settings": settings}
    warnings = run_module(artifactory_remote_repository, transport, check=True, **options)["warnings"]
    assert [warning for warning in warnings if "30 or more" in warning] == warnings
    assert bool(warnings) is has_warning
