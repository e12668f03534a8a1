# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repository configurations: creation, merging and validation."""

from __future__ import annotations

from typing import Any

import pytest

from lab.artifactory.cache import FileStore
from lab.artifactory.cipher import Cipher
from lab.artifactory.patterns import accepts
from lab.artifactory.responses import ApiError
from lab.artifactory.settings import DEFAULTS, Settings
from lab.artifactory.store import RepositoryStore

REMOTE = {"rclass": "remote", "packageType": "docker", "url": "https://cgr.dev/"}
CONTENT_SYNC = {
    "enabled": True,
    "statistics": {"enabled": True},
    "properties": {"enabled": False},
    "source": {"originAbsenceDetection": False},
}


@pytest.fixture
def settings() -> dict[str, Any]:
    return dict(DEFAULTS)


@pytest.fixture
def store(settings: dict[str, Any]) -> RepositoryStore:
    return RepositoryStore(Settings(settings), Cipher())


def get_error(store: RepositoryStore, key: str, body: dict[str, Any]) -> tuple[int, str]:
    with pytest.raises(ApiError) as caught:
        store.create(key, body)
    return caught.value.status, caught.value.message


def fields_of(store: RepositoryStore, key: str) -> dict[str, Any]:
    return next(repository.fields for repository in store if repository.key == key)


# --- create ---


def test_unset_fields_get_the_rest_defaults_not_those_of_the_ui(store: RepositoryStore) -> None:
    fields = store.create("cgr", REMOTE).fields
    assert fields["repoLayoutRef"] == "maven-2-default"
    assert fields["enableTokenAuthentication"] is False
    assert fields["blockMismatchingMimeTypes"] is False
    assert (fields["retrievalCachePeriodSecs"], fields["missedRetrievalCachePeriodSecs"]) == (7200, 1800)
    assert (fields["assumedOfflinePeriodSecs"], fields["socketTimeoutMillis"]) == (300, 15000)
    assert fields["enableDockerSupport"] is True
    assert fields["proxy"] is None


def test_package_type_defaults_to_generic(store: RepositoryStore) -> None:
    assert store.create("any", {"rclass": "remote", "url": "http://host/"}).package_type == "generic"


def test_url_is_kept_verbatim(store: RepositoryStore) -> None:
    assert store.create("cgr", {**REMOTE, "url": "https://cgr.dev//a/../"}).fields["url"] == "https://cgr.dev//a/../"


@pytest.mark.parametrize(
    ("key", "body", "message"),
    [
        ("x", {"packageType": "docker", "url": "https://cgr.dev/"}, "Missing repository type"),
        ("x", {**REMOTE, "url": ""}, "Remote URL '' is not valid"),
        ("x", {**REMOTE, "url": "cgr.dev"}, "Remote URL 'cgr.dev' is not valid"),
        ("x", {**REMOTE, "repoLayoutRef": "X"}, "Unable to find repository layout by the name: X"),
        (
            "x",
            {**REMOTE, "storeArtifactsLocally": False},
            "Docker prerequisite - artifacts must be stored locally in cache",
        ),
        ("x", {**REMOTE, "offline": "maybe"}, "Can't convert value 'maybe' to type class java.lang.Boolean"),
        ("x", {**REMOTE, "projectKey": "proj"}, "Repository key must start with the project key 'proj-'"),
        ("r" * 59, REMOTE, "Repository key exceeds maximum length (58) chars."),
        ("v" * 65, {"rclass": "virtual"}, "Repository key exceeds maximum length (64) chars."),
        ("a:b", REMOTE, """Illegal Repository key : '/,\\,:,|,?,<,>,*,"' is not allowed"""),
        ("9lives", REMOTE, "Repository key contains illegal character"),
        ("..", REMOTE, "Invalid Repository key"),
        ("api", REMOTE, "Repository key 'api' is a reserved name"),
        ("v", {"rclass": "virtual", "repositories": ["gone"]}, "Repository 'gone' does not exist"),
    ],
)
def test_invalid_creations(store: RepositoryStore, key: str, body: dict[str, Any], message: str) -> None:
    assert get_error(store, key, body) == (400, message)
    assert list(store) == []


def test_text_for_an_integer_is_an_internal_error(store: RepositoryStore) -> None:
    status, message = get_error(store, "cgr", {**REMOTE, "retrievalCachePeriodSecs": "seven"})
    assert (status, message) == (500, "Error converting from 'String' to 'Integer' For input string: \"seven\"")


def test_an_existing_key_is_never_replaced(store: RepositoryStore) -> None:
    store.create("cgr", REMOTE)
    prefix = "error when validating repository name: "
    assert get_error(store, "cgr", {"rclass": "virtual"})[1] == f"{prefix}cgr : Repository key already exists"
    assert get_error(store, "CGR", REMOTE)[1] == f"{prefix}CGR : Case insensitive repository key already exists"
    assert fields_of(store, "cgr")["url"] == "https://cgr.dev/"


def test_members_have_the_virtual_repository_s_package_type(store: RepositoryStore) -> None:
    store.create("cgr", REMOTE)
    body = {"rclass": "virtual", "packageType": "npm", "repositories": ["cgr"]}
    assert "has a mismatching package type docker" in get_error(store, "v", body)[1]
    assert store.create("v", {**body, "packageType": "generic"}).fields["repositories"] == ["cgr"]


def test_position_of_a_new_repository(store: RepositoryStore) -> None:
    for key in ("a", "b"):
        store.create(key, REMOTE)
    store.create("c", REMOTE, position=1)
    assert [repository.key for repository in store] == ["a", "c", "b"]


# --- update ---


@pytest.mark.parametrize(
    ("name", "sent", "stored"),
    [
        ("username", None, ""),
        ("username", "", ""),
        ("password", None, ""),
        ("password", "", ""),
        ("proxy", "", None),
        ("proxy", None, None),
        ("description", 7, "7"),
        ("offline", "yes", True),
        ("offline", "TRUE", True),
        ("storeArtifactsLocally", "on", True),
        ("bypassHeadRequests", False, False),
        ("retrievalCachePeriodSecs", 0, 0),
        ("retrievalCachePeriodSecs", "7", 7),
        ("retrievalCachePeriodSecs", None, 7200),
        ("propertySets", [], ["kept"]),
        ("propertySets", None, ["kept"]),
        ("propertySets", ["new"], ["new"]),
        ("contentSynchronisation", None, CONTENT_SYNC),
        ("contentSynchronisation", {"enabled": True}, {**CONTENT_SYNC, "statistics": {"enabled": False}}),
        ("contentSynchronisation", {}, {**CONTENT_SYNC, "enabled": False, "statistics": {"enabled": False}}),
        ("downloadRedirect", True, False),
        ("xrayIndex", True, False),
    ],
)
def test_merge_of_one_field(store: RepositoryStore, name: str, sent: Any, stored: Any) -> None:
    before = {
        "username": "u",
        "password": "p",
        "proxy": "squid",
        "bypassHeadRequests": True,
        "propertySets": ["kept"],
        "contentSynchronisation": CONTENT_SYNC,
        "retrievalCachePeriodSecs": 60,
    }
    created = dict(store.create("cgr", {**REMOTE, **before}).fields)
    updated = store.update("cgr", {name: sent}).fields
    assert updated == {**created, name: stored}


def test_the_effect_of_an_empty_list_is_a_setting(store: RepositoryStore, settings: dict[str, Any]) -> None:
    store.create("cgr", {**REMOTE, "propertySets": ["kept"]})
    settings["artifactory_empty_list_clears"] = True
    assert store.update("cgr", {"propertySets": []}).fields["propertySets"] == []


def test_an_update_of_the_credentials_keeps_the_rest(store: RepositoryStore) -> None:
    created = dict(store.create("cgr", {**REMOTE, "username": "a", "password": "b", "notes": "n"}).fields)
    updated = store.update("cgr", {"key": "cgr", "username": "c", "password": "d"}).fields
    assert updated == {**created, "username": "c", "password": "d"}


def test_unknown_names_are_ignored(store: RepositoryStore) -> None:
    created = dict(store.create("cgr", {**REMOTE, "socketTimeoutMs": 1}).fields)
    assert store.update("cgr", {"calculateYumMetadata": True}).fields == created


@pytest.mark.parametrize("change", [{"packageType": "npm"}, {"rclass": "virtual"}, {"key": "other"}])
def test_identity_cannot_be_changed(store: RepositoryStore, change: dict[str, str]) -> None:
    store.create("cgr", REMOTE)
    with pytest.raises(ApiError, match="cannot be changed") as caught:
        store.update("cgr", change)
    assert caught.value.status == 400


def test_a_rejected_update_changes_nothing(store: RepositoryStore) -> None:
    created = dict(store.create("cgr", REMOTE).fields)
    with pytest.raises(ApiError, match="not valid"):
        store.update("cgr", {"notes": "new", "url": ""})
    assert fields_of(store, "cgr") == created


def test_external_dependencies_get_a_pattern_when_they_have_none(store: RepositoryStore) -> None:
    assert store.create("cgr", REMOTE).fields["externalDependenciesPatterns"] is None
    assert store.update("cgr", {"externalDependenciesEnabled": True}).fields["externalDependenciesPatterns"] == ["**"]


@pytest.mark.parametrize(("version", "several"), [("7.53.0", True), ("7.77.3", False), ("7.161.15", True)])
def test_environments_by_version(store: RepositoryStore, settings: dict[str, Any], version: str, several: bool) -> None:
    settings["artifactory_version"] = version
    body = {**REMOTE, "projectKey": "proj", "environments": ["DEV", "PROD"]}
    if several:
        assert store.create("proj-cgr", body).fields["environments"] == ["DEV", "PROD"]
    else:
        assert get_error(store, "proj-cgr", body) == (400, "A repository can be assigned to one environment only")
    assert store.create("cgr", {**REMOTE, "environments": ["DEV", "PROD"]}).fields["environments"] == []


def test_a_batch_is_all_or_nothing(store: RepositoryStore) -> None:
    with pytest.raises(ApiError), store.all_or_nothing():
        store.create("a", REMOTE)
        store.create("b", {**REMOTE, "url": ""})
    assert list(store) == []


# --- members ---


def test_members_of_nested_repositories_in_order_with_priority_first(store: RepositoryStore) -> None:
    for key in ("a", "b", "c"):
        store.create(key, {**REMOTE, "priorityResolution": key == "c"})
    store.create("inner", {"rclass": "virtual", "packageType": "docker", "repositories": ["b", "a"]})
    store.create("outer", {"rclass": "virtual", "packageType": "docker", "repositories": ["inner", "c", "a"]})
    assert [member.key for member in store.members("outer")] == ["c", "b", "a"]


def test_deleting_a_member_removes_it_from_virtual_repositories(store: RepositoryStore) -> None:
    store.create("a", REMOTE)
    store.create("b", REMOTE)
    store.create("v", {"rclass": "virtual", "packageType": "docker", "repositories": ["a", "b"]})
    store.delete("a")
    assert fields_of(store, "v")["repositories"] == ["b"]


# --- passwords ---


def test_the_cipher_text_of_a_password_can_be_sent_back(store: RepositoryStore) -> None:
    created = store.create("cgr", {**REMOTE, "password": "s3cret"})
    first = created.password_cipher
    assert first.startswith("AM.") and ".AES128." in first and "s3cret" not in first
    returned = store.update("cgr", {"password": first})
    assert (returned.fields["password"], returned.password_cipher) == ("s3cret", first)
    repeated = store.update("cgr", {"password": "s3cret"})
    assert repeated.fields["password"] == "s3cret"
    assert repeated.password_cipher != first
    assert store.update("cgr", {"password": ""}).password_cipher == ""


def test_cipher_text_of_another_key_is_clear_text() -> None:
    other_cipher_text = Cipher().encrypt("s3cret")
    cipher = Cipher()
    assert cipher.decrypt(other_cipher_text) is None
    assert cipher.decrypt(cipher.encrypt("\0 é")) == "\0 é"


# --- patterns ---


@pytest.mark.parametrize(
    ("includes", "excludes", "path", "accepted"),
    [
        (["**/*"], [""], "chainguard/go/latest/manifest.json", True),
        ([""], [""], "anything", True),
        (["chainguard/**"], [""], "chainguard/go/latest", True),
        (["chainguard/**"], [""], "chainguard", True),
        (["chainguard/**"], [""], "example.com/nginx", False),
        (["chainguard/"], [""], "chainguard/go/latest", True),
        (["chainguard/*"], [""], "chainguard/go/latest", False),
        (["**"], ["example.com/**"], "example.com/nginx/latest", False),
        (["a?c/*.json"], [""], "abc/x.json", True),
    ],
)
def test_patterns(includes: list[str], excludes: list[str], path: str, accepted: bool) -> None:
    assert accepts(includes, excludes, path) is accepted


def test_content_is_written_once() -> None:
    files = FileStore()
    path = files.path(files.add(b"index"))
    path.write_bytes(b"on its way to somebody")
    assert files.path(files.add(b"index")).read_bytes() == b"on its way to somebody"


def test_licensed_settings_depend_on_the_edition(store: RepositoryStore, settings: dict[str, Any]) -> None:
    settings["artifactory_edition"] = "enterprise_plus"
    body = {"xrayIndex": True, "downloadRedirect": "1", "cdnRedirect": 1}
    fields = store.create("cgr", {**REMOTE, **body}).fields
    assert [fields[name] for name in body] == [True, True, True]


@pytest.mark.parametrize(
    ("package_type", "stored"), [("terraform", True), ("aieditorextensions", True), ("ansible", False)]
)
def test_some_package_types_always_bypass_head(store: RepositoryStore, package_type: str, stored: bool) -> None:
    remote = {**REMOTE, "packageType": package_type}
    assert store.create("default", remote).fields["bypassHeadRequests"] is True
    assert store.create("off", {**remote, "bypassHeadRequests": False}).fields["bypassHeadRequests"] is stored
    assert store.update("off", {"bypassHeadRequests": "0"}).fields["bypassHeadRequests"] is stored


def test_yum_is_stored_as_rpm(store: RepositoryStore) -> None:
    remote = {**REMOTE, "packageType": "yum"}
    assert store.create("cgr", remote).package_type == store.update("cgr", remote).package_type == "rpm"


def test_environments_without_a_project_can_be_stored(store: RepositoryStore, settings: dict[str, Any]) -> None:
    settings["artifactory_environments_without_project"] = True
    assert store.create("cgr", {**REMOTE, "environments": ["DEV"]}).fields["environments"] == ["DEV"]


def test_headers_are_returned_with_all_keys_and_encrypted_if_sensitive(store: RepositoryStore) -> None:
    headers = [{"name": "X-A", "value": "a"}, {"name": "X-B", "value": "secret", "sensitive": "true"}]
    first, second = store.create("cgr", {**REMOTE, "customHttpHeaders": headers}).fields["customHttpHeaders"]
    assert first == {"name": "X-A", "value": "a", "sensitive": False}
    assert second["sensitive"] is True and second["value"].startswith("AM.")
    assert store.update("cgr", {"customHttpHeaders": [first, second]}).fields["customHttpHeaders"] == [first, second]
    with pytest.raises(ApiError):
        store.update("cgr", {"customHttpHeaders": ["X-A: a"]})


@pytest.mark.parametrize("empty", ["", None])
def test_only_an_unknown_key_clears_the_deployment_repository(store: RepositoryStore, empty: str | None) -> None:
    store.create("local", {"rclass": "local", "packageType": "docker"})
    body = {"rclass": "virtual", "packageType": "docker", "defaultDeploymentRepo": "local"}
    assert store.create("all", body).fields["defaultDeploymentRepo"] == "local"
    assert store.update("all", {"defaultDeploymentRepo": empty}).fields["defaultDeploymentRepo"] == "local"
    assert store.update("all", {"defaultDeploymentRepo": "missing"}).fields["defaultDeploymentRepo"] is None


@pytest.mark.parametrize(("rule", "stored"), [("stored", 29), ("raised", 30)])
def test_a_small_cache_period(store: RepositoryStore, settings: dict[str, Any], rule: str, stored: int) -> None:
    settings["artifactory_small_cache_period"] = rule
    body = {**REMOTE, "retrievalCachePeriodSecs": 29}
    assert store.create("cgr", body).fields["retrievalCachePeriodSecs"] == stored


def test_a_small_cache_period_can_be_rejected(store: RepositoryStore, settings: dict[str, Any]) -> None:
    settings["artifactory_small_cache_period"] = "rejected"
    with pytest.raises(ApiError):
        store.create("cgr", {**REMOTE, "retrievalCachePeriodSecs": 29})
    assert store.create("cgr", {**REMOTE, "retrievalCachePeriodSecs": 30}).fields["retrievalCachePeriodSecs"] == 30
