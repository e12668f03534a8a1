# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated Artifactory's REST APIs: system, credentials, repositories, permissions, tokens."""

from __future__ import annotations

import base64
import concurrent.futures
import json
import time
from typing import Any

import httpx
import pytest

from .conftest import HOUR, Lab

V1, V2 = "/artifactory/api/repositories", "/artifactory/api/v2/repositories"
REMOTE = {"rclass": "remote", "packageType": "docker", "url": "https://cgr.dev/"}
VIRTUAL = {"rclass": "virtual", "packageType": "docker"}
SECURITY = "/artifactory/api/security"
TOKENS, PERMISSIONS = "/access/api/v1/tokens", "/access/api/v2/permissions"
PRO_ONLY = "This REST API is available only in Artifactory Pro"


def secret(lab: Lab, user: str, kind: str) -> str:
    return str(lab.state["artifactory"]["users"][user][kind])


def client(lab: Lab, user: str = "admin") -> httpx.Client:
    """A client of Artifactory with the user's access token; anonymous without a name."""
    return lab.client("artifactory", secret(lab, user, "token") if user else "")


def create(lab: Lab, key: str, body: dict[str, Any]) -> None:
    response = client(lab).put(f"{V1}/{key}", json=body)
    assert response.status_code == 200, response.text


def envelope(response: httpx.Response) -> tuple[int, str]:
    """Status and message of an error. Asserts that body and status line agree."""
    (error,) = response.json()["errors"]
    assert error["status"] == response.status_code
    return response.status_code, error["message"]


# --- system ---


def test_every_response_names_version_and_node(lab: Lab) -> None:
    for path in ("/artifactory/api/system/ping", f"{V1}/missing", "/no/such/page"):
        headers = client(lab).get(path).headers
        assert headers["x-jfrog-version"] == "Artifactory/7.161.15 86115900"
        assert headers["x-artifactory-id"] and headers["x-artifactory-node-id"]


def test_system(lab: Lab) -> None:
    assert client(lab, "").get("/artifactory/api/system/ping").text == "OK"
    assert client(lab, "").get("/access/api/v1/system/ping").json() == {"status": "UP"}
    lab.configure(artifactory_access_ping="text")
    assert client(lab, "").get("/access/api/v1/system/ping").text == "OK"
    lab.configure(artifactory_version="7.12.8", artifactory_edition="jcr")
    version = client(lab, "reader").get("/artifactory/api/system/version").json()
    assert (version["version"], version["revision"]) == ("7.12.8", "71208900")
    assert client(lab).get("/artifactory/api/system/license").json()["type"] == "JCR Edition"
    assert envelope(client(lab, "reader").get("/artifactory/api/system/license")) == (403, "Forbidden")


# --- credentials ---


def test_ways_to_present_credentials(lab: Lab) -> None:
    password, token = secret(lab, "admin", "password"), secret(lab, "admin", "token")
    url, anonymous = "/artifactory/api/system/license", lab.client("artifactory")
    for secret_text in (password, token):
        assert anonymous.get(url, auth=("admin", secret_text)).status_code == 200
    for headers in ({"Authorization": f"Bearer {token}"}, {"X-JFrog-Art-Api": token}):
        assert anonymous.get(url, headers=headers).status_code == 200


def test_messages_for_rejected_credentials(lab: Lab) -> None:
    url, anonymous = "/artifactory/api/system/version", lab.client("artifactory")
    response = anonymous.get(url, auth=("admin", "wrong"))
    assert envelope(response) == (401, "Bad Credentials")
    assert response.headers["www-authenticate"] == 'Basic realm="Artifactory Realm"'
    assert response.text.startswith('{\n  "errors" : [ {\n    "status" : 401,\n    "message" : "Bad Credentials"\n')
    assert envelope(anonymous.get(url, auth=("reader", secret(lab, "admin", "token")))) == (401, "Bad Credentials")
    assert envelope(anonymous.get(url)) == (401, "Authentication is required")
    unknown = {"Authorization": "Bearer x.y.z"}
    assert envelope(anonymous.get(url, headers=unknown)) == (401, "Props Authentication Token not found")


def test_the_access_api_can_reject_passwords(lab: Lab) -> None:
    artifactory, password = client(lab, ""), ("admin", secret(lab, "admin", "password"))
    assert artifactory.get(PERMISSIONS, auth=password).status_code == 200
    lab.configure(artifactory_access_accepts_passwords=False)
    assert envelope(artifactory.get(PERMISSIONS, auth=password)) == (401, "HTTP 401 Unauthorized")
    assert artifactory.get(SECURITY.replace("api/", "api/v2/") + "/permissions", auth=password).status_code == 200
    assert client(lab).get(PERMISSIONS).status_code == 200


def test_anonymous_access_is_a_setting(lab: Lab) -> None:
    lab.configure(artifactory_anonymous=True)
    assert client(lab, "").get("/artifactory/api/system/version").status_code == 200


# --- access tokens ---


def new_token(lab: Lab, user: str = "admin", **fields: Any) -> dict[str, Any]:
    response = client(lab, user).post(TOKENS, json=fields)
    assert response.status_code == 200, response.text
    return dict(response.json())


def test_a_token_has_a_user_and_expires_by_the_lab_s_clock(lab: Lab) -> None:
    created = new_token(lab, username="reader", expires_in=HOUR)
    assert (created["expires_in"], created["scope"], created["token_type"]) == (
        HOUR,
        "applied-permissions/user",
        "Bearer",
    )
    claims = json.loads(base64.urlsafe_b64decode(created["access_token"].split(".")[1] + "=="))
    assert claims["sub"].startswith("jfac@") and claims["sub"].endswith("/users/reader")
    bearer = {"Authorization": f"Bearer {created['access_token']}"}
    anonymous = lab.client("artifactory")
    assert anonymous.get("/artifactory/api/system/version", headers=bearer).status_code == 200
    lab.advance(HOUR)
    response = anonymous.get("/artifactory/api/system/version", headers=bearer)
    assert envelope(response) == (401, "Token failed verification: expired")


def test_only_tokens_of_three_hours_or_more_are_stored(lab: Lab) -> None:
    short, long = new_token(lab, expires_in=3 * HOUR - 1), new_token(lab, expires_in=3 * HOUR, description="d")
    assert client(lab).get(f"{TOKENS}/{short['token_id']}").status_code == 404
    row = client(lab).get(f"{TOKENS}/{long['token_id']}").json()
    assert (row["description"], row["expiry"] - row["issued_at"]) == ("d", 3 * HOUR)
    listed = [row["token_id"] for row in client(lab).get(TOKENS).json()["tokens"]]
    assert long["token_id"] in listed and short["token_id"] not in listed


def test_a_revoked_token_is_rejected(lab: Lab) -> None:
    created = new_token(lab)
    assert client(lab).delete(f"{TOKENS}/{created['token_id']}").status_code == 200
    bearer = {"Authorization": f"Bearer {created['access_token']}"}
    response = lab.client("artifactory").get("/artifactory/api/system/version", headers=bearer)
    assert envelope(response) == (401, "Token failed verification: revoked")
    assert client(lab).delete(f"{TOKENS}/{created['token_id']}").status_code == 404


def test_a_reference_token_has_64_characters_and_works_as_a_password(lab: Lab) -> None:
    created = new_token(lab, include_reference_token=True)
    assert len(created["reference_token"]) == 64
    credentials = ("admin", created["reference_token"])
    assert lab.client("artifactory").get("/artifactory/api/system/license", auth=credentials).status_code == 200


def test_a_token_from_a_form_and_by_a_user(lab: Lab) -> None:
    form = {"username": "reader", "expires_in": "60"}
    assert client(lab, "reader").post(f"/artifactory{TOKENS}", data=form).json()["expires_in"] == 60
    assert envelope(client(lab, "reader").post(TOKENS, data={"username": "admin"})) == (403, "Forbidden")
    assert client(lab, "reader").post(TOKENS, json={"scope": "applied-permissions/admin"}).status_code == 403
    assert envelope(client(lab).post(TOKENS, json={"expires_in": "soon"})) == (400, "Invalid expires_in: soon")


def test_a_token_for_groups_has_their_permissions(lab: Lab) -> None:
    create(lab, "cgr", REMOTE)
    actions = {"users": {}, "groups": {"builds": ["READ", "WRITE"], "a, b": ["DELETE"]}}
    artifact = {"actions": actions, "targets": {"cgr": {}}}
    assert client(lab).post(PERMISSIONS, json={"name": "p", "resources": {"artifact": artifact}}).status_code == 201
    path = "/artifactory/cgr-cache/chainguard"
    for groups, status in (("other", 403), ("builds", 403), ('other,"a, b"', 404)):
        created = new_token(lab, username="puller", scope=f"applied-permissions/groups:{groups}")
        bearer = {"Authorization": f"Bearer {created['access_token']}"}
        assert lab.client("artifactory").delete(path, headers=bearer).status_code == status
    assert client(lab).post(TOKENS, json={"scope": "applied-permissions/groups:"}).status_code == 400


def test_seeded_tokens_remain_valid_after_a_reset(lab: Lab) -> None:
    lab.control("POST", "/reset")
    assert lab.control("GET", "/state")["artifactory"] == lab.state["artifactory"]


# --- repositories: fields ---

# The fields of a generic repository, in the order of a capture of 7.161.15 (facts/artifactory.md#fields-and-defaults).
SUPPORT = """signedUrlTtl enableComposerSupport enableNuGetSupport enableGemsSupport enableNpmSupport enableBowerSupport
    enableChefSupport enableCocoaPodsSupport enableConanSupport enableDebianSupport debianTrivialLayout ddebSupported
    enablePypiSupport enablePuppetSupport enableDockerSupport dockerApiVersion blockPushingSchema1
    forceNugetAuthentication enableNormalizedVersion forceP2Authentication forceConanAuthentication
    enableVagrantSupport enableGitLfsSupport enableDistRepoSupport dockerProjectId priorityResolution environments
    forceNonDuplicateChart forceMetadataNameVersion mlRepoLayout"""
REMOTE_FIELDS = f"""key packageType description notes includesPattern excludesPattern repoLayoutRef {SUPPORT} url username
    password disableProxy handleReleases handleSnapshots suppressPomConsistencyChecks remoteRepoChecksumPolicyType
    hardFail offline blackedOut storeArtifactsLocally socketTimeoutMillis localAddress retrievalCachePeriodSecs
    assumedOfflinePeriodSecs missedRetrievalCachePeriodSecs metadataRetrievalTimeoutSecs
    unusedArtifactsCleanupPeriodHours fetchJarsEagerly fetchSourcesEagerly shareConfiguration synchronizeProperties
    maxUniqueSnapshots maxUniqueTags propertySets archiveBrowsingEnabled listRemoteFolderItems rejectInvalidJars
    allowAnyHostAuth enableCookieManagement enableTokenAuthentication propagateQueryParams blockMismatchingMimeTypes
    bypassHeadRequests disableUrlNormalization contentSynchronisation externalDependenciesEnabled sendContext
    passThrough curated retrieveSha256FromServer customHttpHeaders cargoInternalIndex downloadRedirect cdnRedirect
    xrayIndex hexPublicKey bowerRegistryUrl authUrl vcsType gitRegistryUrl cargoAnonymousAccess terraformRegistryUrl
    terraformProvidersUrl composerRegistryUrl gitLabResolveSubgroups pyPIRegistryUrl xrayDataTtl podsCdnUrl
    podsSpecsRepoUrl podsForceModifyIndex pyPIRepositorySuffix vcsGitProvider rclass"""
VIRTUAL_FIELDS = f"""key packageType description notes includesPattern excludesPattern {SUPPORT} repositories
    hideUnauthorizedResources artifactoryRequestsCanRetrieveRemoteArtifacts resolveDockerTagsByTimestamp keyPair
    pomRepositoryReferencesCleanupPolicy cachingLocalForeignLayersEnabled externalDependenciesEnabled
    virtualRetrievalCachePeriodSecs forceMavenAuthentication useNamespaces cargoInternalIndex cargoAnonymousAccess
    rclass"""


@pytest.mark.parametrize(("rclass", "fields"), [("remote", REMOTE_FIELDS), ("virtual", VIRTUAL_FIELDS)])
def test_the_fields_of_a_new_repository(lab: Lab, rclass: str, fields: str) -> None:
    create(lab, "new", {"rclass": rclass, "url": "https://cgr.dev/"})
    assert list(client(lab).get(f"{V1}/new").json()) == fields.split()


HEADERS = [{"name": "X-A", "value": "a", "sensitive": False}]
REMOTE_ONLY: dict[str, Any] = {"rclass": "remote", "url": "https://cgr.dev/"}


@pytest.mark.parametrize(
    ("package_type", "written"),
    [
        ("docker", {"dockerProjectId": "example.com", "maxUniqueTags": 5, "curated": True, "passThrough": True}),
        ("docker", {"externalDependenciesEnabled": True, "externalDependenciesPatterns": ["a/**"]}),
        ("docker", {"customHttpHeaders": HEADERS}),
        ("alpine", {"primaryKeyPairRef": "first", "propertySets": ["artifactory"]}),
        ("maven", {"remoteRepoChecksumPolicyType": "ignore-and-generate", "rejectInvalidJars": True}),
        ("pypi", {"pyPIRegistryUrl": "https://libraries.cgr.dev/", "pyPIRepositorySuffix": "python/simple"}),
        (
            "nuget",
            {"v3FeedUrl": "https://libraries.cgr.dev/v3", "symbolServerUrl": "https://libraries.cgr.dev/symbols"},
        ),
        (
            "nuget",
            {"feedContextPath": "api/v2", "downloadContextPath": "api/v2/package", "enableNormalizedVersion": True},
        ),
        ("helm", {"chartsBaseUrl": "https://charts.example.com"}),
        ("go", {"vcsGitProvider": "ARTIFACTORY"}),
        ("generic", {"proxy": "squid", "queryParams": "a=b", "clientTlsCertificate": "c", "remoteRepoLayoutRef": "r"}),
        ("generic", {"mismatchingMimeTypesOverrideList": "text/html", "localAddress": "10.0.0.1"}),
        ("generic", {"description": "d", "notes": "n", "excludesPattern": "x/**", "propagateQueryParams": True}),
        ("vcs", {"vcsType": "GIT", "vcsGitProvider": "CUSTOM", "vcsGitDownloadUrl": "{0}/{1}"}),
    ],
)
def test_the_fields_of_a_remote_repository_come_back(lab: Lab, package_type: str, written: dict[str, Any]) -> None:
    create(lab, "new", {**REMOTE_ONLY, "packageType": package_type, **written})
    assert written.items() <= client(lab).get(f"{V1}/new").json().items()


@pytest.mark.parametrize(
    ("package_type", "written"),
    [
        ("alpine", {"primaryKeyPairRef": "first", "secondaryKeyPairRef": "second"}),
        ("alpine", {"virtualRetrievalCachePeriodSecs": 0}),
        ("docker", {"resolveDockerTagsByTimestamp": True, "hideUnauthorizedResources": True}),
        ("maven", {"keyPair": "k", "forceMavenAuthentication": True, "repoLayoutRef": "maven-2-default"}),
        ("npm", {"externalDependenciesEnabled": True, "externalDependenciesRemoteRepo": "npm-remote"}),
    ],
)
def test_the_fields_of_a_virtual_repository_come_back(lab: Lab, package_type: str, written: dict[str, Any]) -> None:
    create(lab, "new", {"rclass": "virtual", "packageType": package_type, **written})
    assert written.items() <= client(lab).get(f"{V1}/new").json().items()


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ({"packageType": "yum"}, {"packageType": "rpm"}),
        ({"offline": 1, "hardFail": "0", "curated": "1"}, {"offline": True, "hardFail": False, "curated": True}),
        ({"environments": ["DEV"]}, {"environments": []}),
        ({"customHttpHeaders": [{"name": "X-A", "value": "a"}]}, {"customHttpHeaders": HEADERS}),
        ({"downloadRedirect": True, "xrayIndex": True}, {"downloadRedirect": False, "xrayIndex": False}),
        ({"socketTimeoutMillis": "20000"}, {"socketTimeoutMillis": 20000}),
        ({"no such field": 1}, {}),
    ],
)
def test_values_that_are_not_stored_as_they_were_written(
    lab: Lab, written: dict[str, Any], stored: dict[str, Any]
) -> None:
    create(lab, "new", {**REMOTE_ONLY, **written})
    assert stored.items() <= client(lab).get(f"{V1}/new").json().items()


@pytest.mark.parametrize(
    ("settings", "written"),
    [
        (
            {"artifactory_edition": "enterprise_plus"},
            {"downloadRedirect": True, "cdnRedirect": True, "xrayIndex": True},
        ),
        ({"artifactory_environments_without_project": True}, {"environments": ["DEV"]}),
    ],
)
def test_values_that_are_stored_with_a_setting(lab: Lab, settings: dict[str, Any], written: dict[str, Any]) -> None:
    lab.configure(**settings)
    create(lab, "new", {**REMOTE_ONLY, **written})
    assert written.items() <= client(lab).get(f"{V1}/new").json().items()


def test_the_repository_for_deployments_is_cleared_by_an_unknown_key(lab: Lab) -> None:
    create(lab, "files", {"rclass": "local"})
    create(lab, "all", {"rclass": "virtual", "repositories": ["files"], "defaultDeploymentRepo": "files"})
    for key, stored in (("", "files"), (None, "files"), ("no-such-key", None)):
        assert client(lab).post(f"{V1}/all", json={"defaultDeploymentRepo": key}).status_code == 200
        assert client(lab).get(f"{V1}/all").json().get("defaultDeploymentRepo") == stored


# --- repositories: reading ---


def test_a_get_has_all_fields_in_order_without_null(lab: Lab) -> None:
    create(lab, "cgr", {**REMOTE, "enableTokenAuthentication": True, "username": "u"})
    response = client(lab).get(f"{V1}/cgr")
    vendor = "application/vnd.org.jfrog.artifactory.repositories.RemoteRepositoryConfiguration+json"
    assert (response.headers["content-type"], response.headers["cache-control"]) == (vendor, "no-store")
    fields = response.json()
    assert list(fields)[:2] == ["key", "packageType"] and list(fields)[-1] == "rclass"
    assert {**REMOTE, "key": "cgr", "enableTokenAuthentication": True, "password": "", "username": "u"}.items() <= (
        fields.items()
    )
    assert fields["pyPIRegistryUrl"] == "https://pypi.org"
    assert None not in fields.values() and "proxy" not in fields and "projectKey" not in fields


def test_v2_has_the_relevant_fields_and_calls_the_class_type(lab: Lab) -> None:
    create(lab, "cgr", REMOTE)
    create(lab, "all", {**VIRTUAL, "repositories": ["cgr"]})
    fields = client(lab).get(f"{V2}/cgr").json()
    assert (fields["type"], fields["enableTokenAuthentication"]) == ("remote", False)
    assert not {"rclass", "pyPIRegistryUrl", "handleReleases", "enableDockerSupport"} & fields.keys()
    virtual = client(lab).get(f"{V2}/all").json()
    assert virtual["repositories"] == ["cgr"] and len(virtual) < 20
    assert envelope(client(lab).get(f"{V2}/no")) == (404, "The repository no was not found")


def test_an_unknown_key_is_a_bad_request(lab: Lab) -> None:
    create(lab, "cgr", REMOTE)
    for key in ("missing", "cgr-cache", "CGR"):
        assert envelope(client(lab).get(f"{V1}/{key}")) == (400, "Bad Request")
        assert client(lab).head(f"{V1}/{key}").status_code == 400
    assert client(lab).head(f"{V1}/cgr").status_code == 200


def test_only_an_administrator_reads_a_password_as_cipher_text(lab: Lab) -> None:
    create(lab, "cgr", {**REMOTE, "username": "u", "password": "s3cret"})
    assert client(lab).get(f"{V1}/cgr").json()["password"].startswith("AM.")
    assert lab.control("GET", "/artifactory/repositories")["cgr"]["password"] == "s3cret"
    lab.configure(artifactory_encrypt_passwords=False)
    assert client(lab).get(f"{V1}/cgr").json()["password"] == "s3cret"


def test_other_users_read_some_fields(lab: Lab) -> None:
    create(lab, "cgr", {**REMOTE, "username": "u", "password": "p"})
    create(lab, "all", {**VIRTUAL, "repositories": ["cgr"]})
    common = {"packageType": "docker", "description": ""}
    remote, virtual = (client(lab, "reader").get(f"{V1}/{key}").json() for key in ("cgr", "all"))
    assert remote == {"key": "cgr", **common, "url": "https://cgr.dev/", "rclass": "remote"}
    assert virtual == {"key": "all", **common, "repositories": ["cgr"], "rclass": "virtual"}


def test_the_suffix_of_the_description(lab: Lab) -> None:
    create(lab, "cgr", {**REMOTE, "description": "mine"})
    lab.configure(artifactory_description_suffix=True)
    assert client(lab).get(f"{V1}/cgr").json()["description"] == "mine (local file cache)"


def test_a_disabled_proxy_is_left_out(lab: Lab) -> None:
    create(lab, "cgr", {**REMOTE, "proxy": "squid"})
    assert client(lab).get(f"{V1}/cgr").json()["proxy"] == "squid"
    client(lab).post(f"{V1}/cgr", json={"disableProxy": True})
    assert "proxy" not in client(lab).get(f"{V1}/cgr").json()


def test_the_list_and_its_filters(lab: Lab) -> None:
    create(lab, "cgr", REMOTE)
    create(lab, "npm", {"rclass": "remote", "packageType": "npm", "url": "https://libraries.cgr.dev/javascript/"})
    create(lab, "files", {"rclass": "local"})
    create(lab, "all", {**VIRTUAL, "repositories": ["cgr"]})
    base = lab.state["artifactory"]["url"]
    rows = client(lab).get(V1).json()
    assert rows[0] == {
        "key": "cgr",
        "description": "",
        "type": "REMOTE",
        "url": "https://cgr.dev/",
        "packageType": "Docker",
    }
    assert rows[3] == {**rows[0], "key": "all", "type": "VIRTUAL", "url": f"{base}/artifactory/all"}

    def keys(user: str = "admin", **query: str) -> list[str]:
        return [row["key"] for row in client(lab, user).get(V1, params=query).json()]

    assert keys(type="remote") == ["cgr", "npm"]
    assert keys(packageType="docker") == ["cgr", "all"]
    assert keys(type="nonsense") == keys(packageType="nonsense") == []
    assert keys("reader") == ["cgr", "npm", "all"]


def test_configurations(lab: Lab) -> None:
    create(lab, "cgr", REMOTE)
    create(lab, "all", {**VIRTUAL, "repositories": ["cgr"]})
    url = f"{V1}/configurations"
    configurations = client(lab).get(url, params={"repoType": "remote,virtual", "packageType": "docker"}).json()
    assert list(configurations) == ["LOCAL", "REMOTE", "VIRTUAL", "FEDERATED", "RELEASE_BUNDLE"]
    assert [row["key"] for row in configurations["REMOTE"]] == ["cgr"] and configurations["VIRTUAL"][0][
        "type"
    ] == "virtual"
    assert client(lab).get(url, params={"repoType": "local"}).json()["REMOTE"] == []
    assert envelope(client(lab, "reader").get(url)) == (403, "Forbidden")


# --- repositories: writing ---


def test_success_messages(lab: Lab) -> None:
    created = client(lab).put(f"{V1}/cgr", json=REMOTE)
    assert (created.status_code, created.text) == (200, "Successfully created repository 'cgr' \n")
    assert created.headers["content-type"].startswith("text/plain")
    changed = client(lab).post(f"{V1}/cgr", json={"notes": "n"})
    assert (changed.status_code, changed.text) == (200, "Repository cgr update successfully.")
    create(lab, "all", {**VIRTUAL, "repositories": ["cgr"]})
    assert client(lab).delete(f"{V1}/all").json()["statusMsg"] == "Repository 'all' has been removed successfully."
    removed = client(lab).delete(f"{V1}/cgr").json()
    message = "Repository 'cgr' and all its content have been removed successfully."
    assert removed == {"repoKey": "cgr", "statusMsg": message, "deletedArtifactsCount": 0, "success": True}


def test_an_older_version_confirms_a_deletion_in_plain_text(lab: Lab) -> None:
    lab.configure(artifactory_version="7.77.3")
    create(lab, "all", VIRTUAL)
    assert client(lab).delete(f"{V1}/all").text == "Repository 'all' has been removed successfully."


def test_writes_to_unknown_keys(lab: Lab) -> None:
    assert envelope(client(lab).post(f"{V1}/no", json={})) == (400, "Bad Request")
    assert client(lab).delete(f"{V1}/no").status_code == 404


def test_only_administrators_write(lab: Lab) -> None:
    create(lab, "cgr", REMOTE)
    manager = client(lab, "manager")
    for response in (
        manager.put(f"{V1}/new", json=REMOTE),
        manager.post(f"{V1}/cgr", json={"notes": "n"}),
        manager.delete(f"{V1}/cgr"),
    ):
        assert envelope(response) == (403, "Forbidden")
    text = "Only platform/project admins are allowed to update repositories"
    assert envelope(manager.post(f"{V2}/batch", json=[])) == (403, text)


def test_an_administrator_of_a_project_manages_its_repositories(lab: Lab) -> None:
    create(lab, "cgr-other", REMOTE)
    owner, managed = client(lab, "project_admin"), {**REMOTE, "projectKey": "cgr"}
    assert owner.put(f"{V1}/cgr-a", json=managed).status_code == 200
    assert owner.put(f"{V2}/batch", json=[{**managed, "key": "cgr-b"}]).status_code == 201
    assert owner.post(f"{V1}/cgr-a", json={"notes": "n"}).status_code == 200
    assert owner.post(f"{V2}/batch", json=[{"key": "cgr-b", "notes": "n"}]).status_code == 200
    assert owner.get(f"{V1}/cgr-a").json()["notes"] == "n"
    assert owner.delete(f"{V1}/cgr-b").status_code == 200
    for response in (
        owner.put(f"{V1}/cgr-c", json=REMOTE),
        owner.put(f"{V2}/batch", json=[{**managed, "key": "cgr-c"}, {**REMOTE, "key": "cgr-d"}]),
        owner.post(f"{V1}/cgr-other", json={"projectKey": "cgr"}),
        owner.post(f"{V1}/cgr-a", json={"projectKey": "other"}),
        owner.delete(f"{V1}/cgr-other"),
        owner.get(f"{V1}/configurations"),
        owner.get(PERMISSIONS),
        owner.post(TOKENS, json={"username": "reader"}),
    ):
        assert envelope(response) == (403, "Forbidden")
    assert "notes" not in owner.get(f"{V1}/cgr-other").json()


def test_what_an_administrator_of_a_project_reads_is_a_setting(lab: Lab) -> None:
    create(lab, "cgr-a", {**REMOTE, "projectKey": "cgr"})
    owner = client(lab, "project_admin")
    assert owner.get(f"{V1}/cgr-a").json()["projectKey"] == "cgr"
    lab.configure(artifactory_project_administrators_read_settings=False)
    assert "projectKey" not in owner.get(f"{V1}/cgr-a").json()


@pytest.mark.parametrize("body", [b"{", b"[]", b'"text"'])
def test_a_body_that_is_not_an_object(lab: Lab, body: bytes) -> None:
    assert client(lab).put(f"{V1}/cgr", content=body).status_code == 400


def test_batches(lab: Lab) -> None:
    bodies = [{"key": key, **REMOTE} for key in ("a", "b")]
    created = client(lab).put(f"{V2}/batch", json=bodies)
    lines = "Successfully created repository 'a' \nSuccessfully created repository 'b' \n\n"
    assert (created.status_code, created.text) == (201, lines)
    assert client(lab).put(f"{V2}/batch", json=[]).text == ""
    changed = client(lab).post(f"{V2}/batch", json=[{"key": "a", "notes": "n"}])
    assert (changed.status_code, changed.text) == (200, "Repositories updated successfully.")
    assert client(lab).get(f"{V1}/a").json()["notes"] == "n"
    unknown = client(lab).post(f"{V2}/batch", json=[{"key": "a", "notes": "m"}, {"key": "no"}])
    assert (unknown.status_code, unknown.text) == (404, "No repositories found for the following keys: no")
    assert_error = client(lab).post(f"{V2}/batch", json=[{"key": "a", "notes": "m"}, {"key": "b", "url": ""}])
    assert envelope(assert_error) == (400, "Remote URL '' is not valid")
    assert client(lab).get(f"{V1}/a").json()["notes"] == "n"


def test_saves_can_take_time_and_do_not_overlap(lab: Lab) -> None:
    lab.configure(artifactory_save_seconds=0.2)
    begun = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        single = pool.submit(create, lab, "a", REMOTE)
        several = pool.submit(client(lab).put, f"{V2}/batch", json=[{"key": key, **REMOTE} for key in ("b", "c")])
        single.result()
        assert several.result().status_code == 201
    assert time.monotonic() - begun >= 0.6


@pytest.mark.parametrize("edition", ["jcr", "oss"])
def test_other_editions_reject_repository_rest_but_not_the_list(lab: Lab, edition: str) -> None:
    create(lab, "cgr", REMOTE)
    lab.configure(artifactory_edition=edition)
    for method, url in (
        ("GET", f"{V1}/cgr"),
        ("PUT", f"{V1}/new"),
        ("POST", f"{V1}/cgr"),
        ("DELETE", f"{V1}/cgr"),
        ("GET", f"{V1}/configurations"),
        ("GET", f"{V2}/cgr"),
        ("PUT", f"{V2}/batch"),
    ):
        status, message = envelope(client(lab).request(method, url))
        assert status == 400 and message.startswith(PRO_ONLY)
    assert [row["key"] for row in client(lab).get(V1).json()] == ["cgr"]


@pytest.mark.parametrize(
    ("version", "method", "url", "status"),
    [
        ("7.61.2", "GET", f"{V1}/configurations", 404),
        ("7.61.3", "GET", f"{V1}/configurations", 200),
        ("7.84.2", "PUT", f"{V2}/batch", 404),
        ("7.84.3", "PUT", f"{V2}/batch", 201),
        ("7.104.1", "POST", f"{V2}/batch", 404),
        ("7.104.2", "POST", f"{V2}/batch", 200),
        ("7.71.9", "GET", PERMISSIONS, 404),
        ("7.72.0", "GET", PERMISSIONS, 200),
    ],
)
def test_endpoints_by_version(lab: Lab, version: str, method: str, url: str, status: int) -> None:
    lab.configure(artifactory_version=version)
    assert client(lab).request(method, url, json=[]).status_code == status


def test_the_control_api_changes_fields_without_validation(lab: Lab) -> None:
    create(lab, "cgr", REMOTE)
    lab.control("POST", "/artifactory/repositories/cgr", {"password": "x", "url": "nonsense"})
    assert client(lab).get(f"{V1}/cgr").json()["url"] == "nonsense"
    assert lab.control("GET", "/artifactory/repositories")["cgr"]["password"] == "x"
    response = lab.client("control").post("/artifactory/repositories/cgr", json={"typo": 1})
    assert (response.status_code, response.json()) == (400, {"error": "unknown: typo"})


# --- permissions ---


def test_access_permissions(lab: Lab) -> None:
    create(lab, "cgr", REMOTE)
    artifact = {"actions": {"users": {"u": ["READ"]}}, "targets": {"cgr": {"include_patterns": ["**"]}}}
    assert client(lab).post(PERMISSIONS, json={"name": "p", "resources": {"artifact": artifact}}).status_code == 201
    assert client(lab).post(PERMISSIONS, json={"name": "p", "resources": {"artifact": artifact}}).status_code == 409
    fields = client(lab).get(f"{PERMISSIONS}/p").json()
    assert fields == {
        "name": "p",
        "created_by": "admin",
        "modified_by": "admin",
        "resources": {
            "artifact": {
                "actions": {"users": {"u": ["READ"]}, "groups": {}},
                "targets": {"cgr": {"include_patterns": ["**"], "exclude_patterns": []}},
            }
        },
    }
    assert "p" in [row["name"] for row in client(lab).get(f"{PERMISSIONS}/").json()["permissions"]]
    artifact["actions"] = {"groups": {"g": ["READ", "WRITE"]}}
    assert client(lab).put(f"{PERMISSIONS}/p/artifact", json=artifact).status_code == 200
    fields = client(lab).get(f"{PERMISSIONS}/p").json()["resources"]["artifact"]
    assert fields["actions"] == {"users": {}, "groups": {"g": ["READ", "WRITE"]}}
    build = {"actions": {"users": {"u": ["READ"]}}, "targets": {"artifactory-build-info": {}}}
    assert client(lab).put(f"{PERMISSIONS}/p/build", json=build).status_code == 200
    assert client(lab).put(f"{PERMISSIONS}/p/nonsense", json=build).status_code == 400
    assert client(lab).delete(f"{PERMISSIONS}/p/artifact").status_code == 204
    assert list(lab.control("GET", "/artifactory/permissions")["p"]) == ["build"]
    assert client(lab).delete(f"{PERMISSIONS}/p").status_code == 204
    assert client(lab).get(f"{PERMISSIONS}/p").status_code == 404


@pytest.mark.parametrize(
    ("artifact", "message"),
    [
        ({"targets": {}}, "Targets must not be empty"),
        ({"targets": {"no": {}}}, "Repository 'no' does not exist"),
        ({"targets": {"ANY": {}}, "actions": {"users": {"u": ["LOOK"]}}}, "Unknown actions: LOOK"),
    ],
)
def test_invalid_permissions(lab: Lab, artifact: dict[str, Any], message: str) -> None:
    body = {"name": "p", "resources": {"artifact": artifact}}
    assert envelope(client(lab).post(PERMISSIONS, json=body)) == (400, message)
    assert client(lab, "manager").post(PERMISSIONS, json=body).status_code == 403


def test_the_classic_api_has_the_same_permissions(lab: Lab) -> None:
    url = "/artifactory/api/v2/security/permissions/p"
    section = {
        "include-patterns": ["a/**"],
        "exclude-patterns": [""],
        "repositories": ["ANY REMOTE"],
        "actions": {"users": {"u": ["read", "write"]}, "groups": {}},
    }
    body = {"name": "p", "repo": section}
    assert client(lab).put(f"{SECURITY}/users/u", json={"password": "password"}).status_code == 201
    assert client(lab).post(url, json=body).status_code == 201
    assert client(lab).post(url, json=body).status_code == 409
    assert client(lab).head(url).status_code == 200
    stored = {
        "include-patterns": ["a/**"],
        "repositories": ["ANY REMOTE"],
        "actions": {"users": {"u": ["read", "write"]}},
    }
    assert client(lab).get(url).json() == {"name": "p", "repo": stored}
    resource = client(lab).get(f"{PERMISSIONS}/p").json()["resources"]["artifact"]
    assert resource["actions"]["users"] == {"u": ["READ", "WRITE"]}
    build = {**stored, "repositories": ["artifactory-build-info"]}
    assert client(lab).put(url, json={"name": "p", "build": build}).status_code == 200
    assert client(lab).get(url).json() == {"name": "p", "build": build}
    assert list(lab.control("GET", "/artifactory/permissions")["p"]) == ["build"]
    assert client(lab).delete(url).status_code == 200
    assert client(lab).head(url).status_code == 404


def test_a_classic_permission_without_actions(lab: Lab) -> None:
    url = "/artifactory/api/v2/security/permissions/p"
    body = {"repo": {"repositories": ["ANY"], "actions": None}}
    assert client(lab).post(url, json=body).status_code == 201
    assert client(lab).get(url).json() == {"name": "p", "repo": {"include-patterns": ["**"], "repositories": ["ANY"]}}
    resource = client(lab).get(f"{PERMISSIONS}/p").json()["resources"]["artifact"]
    assert resource["actions"] == {"users": {}, "groups": {}}


@pytest.mark.parametrize("actions", [{"users": {"missing": ["read"]}}, {"groups": {"missing": ["read"]}}])
def test_the_classic_api_rejects_users_and_groups_that_do_not_exist(lab: Lab, actions: dict[str, Any]) -> None:
    url = "/artifactory/api/v2/security/permissions/p"
    status, message = envelope(client(lab).put(url, json={"repo": {"repositories": ["ANY"], "actions": actions}}))
    assert status == 400 and "'missing'" in message
    assert client(lab).head(url).status_code == 404


@pytest.mark.parametrize(("rejects", "status"), [(False, 201), (True, 400)])
def test_the_access_api_can_accept_users_that_do_not_exist(lab: Lab, rejects: bool, status: int) -> None:
    lab.configure(artifactory_access_api_rejects_unknown_grantees=rejects)
    artifact = {"actions": {"users": {"missing": ["READ"]}}, "targets": {"ANY REMOTE": {}}}
    body = {"name": "p", "resources": {"artifact": artifact}}
    assert client(lab).post(PERMISSIONS, json=body).status_code == status
    if not rejects:
        assert client(lab).put(f"{PERMISSIONS}/p/artifact", json=artifact).status_code == 200


@pytest.mark.parametrize("kind", ["users", "groups"])
def test_users_and_groups(lab: Lab, kind: str) -> None:
    http, name = client(lab), "username" if kind == "users" else "group_name"
    assert http.put(f"{SECURITY}/{kind}/first", json={}).status_code == 201
    body = {"username": "second", "password": "password"} if kind == "users" else {"name": "second"}
    assert http.post(f"/access/api/v2/{kind}", json=body).status_code == 201
    assert http.post(f"/access/api/v2/{kind}", json=body).status_code == 409
    for item in ("first", "second"):
        assert http.get(f"{SECURITY}/{kind}/{item}").json()["name"] == item
        assert http.get(f"/access/api/v2/{kind}/{item}").json()[name] == item
        assert item in [row["name"] for row in http.get(f"{SECURITY}/{kind}").json()]
        assert item in [row[name] for row in http.get(f"/access/api/v2/{kind}").json()[kind]]
    assert http.get(f"{SECURITY}/{kind}/missing").status_code == 404
    assert client(lab, "manager").get(f"{SECURITY}/{kind}/first").status_code == 403
    assert http.delete(f"{SECURITY}/{kind}/first").status_code == 200
    assert http.delete(f"/access/api/v2/{kind}/second").status_code == 204
    assert http.get(f"{SECURITY}/{kind}/first").status_code == 404


def test_the_list_of_repositories_with_a_slash(lab: Lab) -> None:
    create(lab, "cgr", REMOTE)
    assert [row["key"] for row in client(lab).get(f"{V1}/").json()] == ["cgr"]


def test_content_sync_is_never_returned_as_enabled(lab: Lab) -> None:
    create(lab, "cgr", {**REMOTE, "contentSynchronisation": {"enabled": True, "statistics": {"enabled": True}}})
    stored = client(lab).get(f"{V1}/cgr").json()["contentSynchronisation"]
    assert stored["enabled"] is False and stored["statistics"]["enabled"] is True
