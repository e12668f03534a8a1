# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module, with Maven as the ecosystem."""

from __future__ import annotations

import hashlib
import json

import pytest
import yaml
from documented_options import validate_documented_options
from fake_packages import ARTIFACTORY, CREDENTIALS, DIRECT, KEY, REDIRECT, UPSTREAM, FakeServers, create_pull
from scripted import ScriptedResponse

from ansible_collections.cgr.pull_through.plugins.module_utils._credentials import basic_authorization
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import TransportError
from ansible_collections.cgr.pull_through.plugins.modules import artifact_pull

FOLDER = "org/example/lib"
JAR = b"PK\x03\x04 the classes"


def pom(packaging=""):
    inside = f"<packaging>{packaging}</packaging>" if packaging else ""
    return f'<project xmlns="http://maven.apache.org/POM/4.0.0"><artifactId>lib</artifactId>{inside}</project>'


def publish(servers, *versions, packaging="", algorithm="sha1", released=""):
    """Add versions of org.example:lib with their checksums to the repository and its upstream."""
    listed = "".join(f"<version>{version}</version>" for version in versions)
    release = f"<release>{released}</release>" if released else ""
    servers.add(
        f"{FOLDER}/maven-metadata.xml",
        f"<metadata><versioning>{release}<versions>{listed}</versions></versioning></metadata>",
    )
    for version in versions:
        for extension, body in (("pom", pom(packaging).encode()), ("jar", JAR + version.encode())):
            path = f"{FOLDER}/{version}/lib-{version}.{extension}"
            servers.add(path, body)
            servers.add(f"{path}.{algorithm}", hashlib.new(algorithm, body).hexdigest() + f"  lib.{extension}\n")


def file(version="1.1", extension="jar"):
    return f"{FOLDER}/{version}/lib-{version}.{extension}"


@pytest.fixture
def servers():
    fake_servers = FakeServers("maven", f"/artifactory/{KEY}")
    publish(fake_servers, "1.0", "1.1", "1.2-rc1", released="1.1")
    return fake_servers


@pytest.fixture
def pull(servers, run_module):
    return create_pull(servers, run_module, "maven")


def test_newest_release_with_pom_and_checksums(servers, pull):
    result = pull("org.example:lib")
    assert "failed" not in result and result["changed"] is False
    (artifact_result,) = result["artifacts"]
    jar = JAR + b"1.1"
    assert {**artifact_result, "seconds": 0, "files": artifact_result["files"][1:]} == {
        "artifact": "org.example:lib",
        "reference": "cgr: org.example:lib",
        "architecture": "",
        "version": "1.1",
        "status": "pulled",
        "ok": True,
        "files": [
            {
                "name": "lib-1.1.jar",
                "url": f"{ARTIFACTORY}/artifactory/{KEY}/{file()}",
                "size": len(jar),
                "sha256": hashlib.sha256(jar).hexdigest(),
                "verified_checksums": ["sha1"],
                "matches_upstream": None,
            }
        ],
        "upstream_version": None,
        "outdated": None,
        "withheld": [],
        "invalid_paths": [],
        "from_upstream": None,
        "from_upstream_evidence": "",
        "bytes": len(jar) + len(pom()),
        "seconds": 0,
        "error": None,
        "diagnosis": None,
    }
    assert artifact_result["files"][0]["name"] == "lib-1.1.pom"
    assert [url.rpartition("/")[2] for _method, url in servers.transport.calls] == [
        "maven-metadata.xml",
        "lib-1.1.pom",
        "lib-1.1.pom.sha256",
        "lib-1.1.pom.sha1",
        "lib-1.1.jar",
        "lib-1.1.jar.sha256",
        "lib-1.1.jar.sha1",
    ]
    assert {request.headers["Authorization"] for request in servers.transport.requests} == {"Bearer access-token"}
    assert not servers.requested_urls("/api/")
    assert result["totals"]["requests"] == 7 and result["totals"]["bytes"] > artifact_result["bytes"]
    assert result["summary"] == ["cgr: org.example:lib: pulled 1.1; 2 files, 0.0 MB; 2 match the index."]


@pytest.mark.parametrize(
    "form", ["{digest}", "{digest}  lib-1.1.jar\n", "SHA1 (lib-1.1.jar) = {digest}\n", "{upper} *x"]
)
def test_forms_of_checksum_files(servers, pull, form):
    digest = hashlib.sha1(JAR + b"1.1").hexdigest()
    servers.repository.add(f"/artifactory/{KEY}/{file()}.sha1", form.format(digest=digest, upper=digest.upper()))
    (artifact_result,) = pull("org.example:lib:1.1")["artifacts"]
    assert artifact_result["files"][1]["verified_checksums"] == ["sha1"]


def test_files_match_the_redirected_upstream(servers, pull):
    servers.redirect(file())
    result = pull("org.example:lib:1.1", **DIRECT)
    (artifact_result,) = result["artifacts"]
    assert (artifact_result["ok"], artifact_result["upstream_version"], artifact_result["outdated"]) == (
        True,
        "1.1",
        False,
    )
    assert [file_result["matches_upstream"] for file_result in artifact_result["files"]] == [True, True]
    assert "2 match upstream" in result["summary"][0]
    logins = {
        url: request.headers.get("Authorization") for request in servers.transport.requests for url in [request.url]
    }
    assert {login for url, login in logins.items() if url.startswith(UPSTREAM)} == {
        basic_authorization("org/id", "pull-token")
    }
    assert {login for url, login in logins.items() if "storage.example.org" in url} == {None}
    assert "pull-token" not in json.dumps(result) and "secret" not in json.dumps(result)


def test_direct_pull_without_a_repository(servers, pull):
    servers.redirect(file())
    result = pull("org.example:lib", repository=None, **DIRECT)
    (artifact_result,) = result["artifacts"]
    assert (artifact_result["ok"], artifact_result["version"], artifact_result["upstream_version"]) == (
        True,
        "1.1",
        None,
    )
    assert artifact_result["reference"] == "libraries.example.net: org.example:lib"
    assert not servers.requested_urls(ARTIFACTORY)


def test_denied_direct_pull(servers, pull):
    refusal = ScriptedResponse(403, {"error": "no entitlement for java"})
    servers.upstream.plays[f"/base/{FOLDER}/maven-metadata.xml"] = [refusal]
    result = pull("org.example:lib", repository=None, **DIRECT)
    assert result["artifacts"][0]["diagnosis"]["code"] == "upstream_access_denied"
    assert "no entitlement for java" in result["msg"]


def test_repository_or_upstream_url_is_required(pull):
    result = pull("org.example:lib", repository=None)
    assert "repository and upstream_url are missing" in result["msg"]


def test_return_values_are_documented(servers, pull):
    result = pull("org.example:lib", "org.example:none", **DIRECT)
    documented = yaml.safe_load(artifact_pull.RETURN)
    contains = documented["artifacts"]["contains"]
    assert set(contains) == set(result["artifacts"][0])
    assert set(contains["files"]["contains"]) == set(result["artifacts"][0]["files"][0])
    assert set(contains["diagnosis"]["contains"]) == set(result["artifacts"][1]["diagnosis"])
    assert set(documented["totals"]["sample"]) == set(result["totals"])
    assert set(documented) - {"pulls"} <= set(pull("org.example:lib"))


def test_options_are_documented():
    validate_documented_options(artifact_pull)


@pytest.mark.parametrize(
    ("options", "login"),
    [
        ({"artifactory_access_token": None}, None),
        (
            {"artifactory_access_token": None, "artifactory_username": "u", "artifactory_password": "p"},
            basic_authorization("u", "p"),
        ),
        ({"artifactory_username": "u"}, "Bearer access-token"),
    ],
)
def test_credentials(servers, pull, options, login):
    servers.repository.authorization = login or ""
    assert pull("org.example:lib", **options)["artifacts"][0]["ok"] is True
    assert {request.headers.get("Authorization") for request in servers.transport.requests} == {login}


def test_outdated_version_is_explained_and_not_a_failure(servers, pull):
    metadata = "<metadata><versioning><release>2.0</release></versioning></metadata>"
    servers.upstream.add(f"/base/{FOLDER}/maven-metadata.xml", metadata)
    servers.repository.add(f"/artifactory/{KEY}/{FOLDER}/2.0/lib-2.0.pom", pom("pom"))
    result = pull("org.example:lib", **DIRECT)
    (artifact_result,) = result["artifacts"]
    assert (
        artifact_result["ok"],
        artifact_result["version"],
        artifact_result["upstream_version"],
        artifact_result["outdated"],
    ) == (True, "1.1", "2.0", True)
    assert (
        artifact_result["diagnosis"]["code"] == "outdated" and "7200 seconds" in artifact_result["diagnosis"]["cause"]
    )
    assert "pulled 1.1 (outdated; upstream has 2.0)" in result["summary"][0]
    assert servers.requested_urls(f"{KEY}/{FOLDER}/2.0/lib-2.0.pom")


def test_newer_version_that_cannot_be_pulled_is_a_failure(servers, pull):
    metadata = "<metadata><versioning><release>2.0</release></versioning></metadata>"
    servers.upstream.add(f"/base/{FOLDER}/maven-metadata.xml", metadata)
    (artifact_result,) = pull("org.example:lib", **DIRECT)["artifacts"]
    assert (artifact_result["ok"], artifact_result["outdated"], artifact_result["diagnosis"]["code"]) == (
        False,
        True,
        "masked_by_cache",
    )


def test_checksum_mismatch_with_the_upstream_is_a_failure(servers, pull):
    servers.repository.add(f"/artifactory/{KEY}/{file()}", JAR)
    servers.repository.add(f"/artifactory/{KEY}/{file()}.sha1", hashlib.sha1(JAR).hexdigest())
    (artifact_result,) = pull("org.example:lib", **DIRECT)["artifacts"]
    assert (artifact_result["ok"], artifact_result["diagnosis"]["code"]) == (False, "upstream_checksum_mismatch")
    assert [file_result["matches_upstream"] for file_result in artifact_result["files"]] == [True, False]
    assert "The checksum of lib-1.1.jar differs from the upstream's file" in artifact_result["diagnosis"]["cause"]
    assert f"delete {file()} from cgr-cache" in artifact_result["diagnosis"]["fix"]


def test_from_upstream(servers, pull):
    (artifact_result,) = pull("org.example:lib", from_upstream="required")["artifacts"]
    assert (artifact_result["ok"], artifact_result["from_upstream"]) == (True, True)
    assert artifact_result["from_upstream_evidence"] == "lib-1.1.jar was not in cgr-cache before, and is now."


def test_uncached_fallback_file_is_from_upstream(servers, pull):
    servers.cached.update([file(extension="pom"), file(), file("1.2-rc1", "pom")])
    (artifact_result,) = pull("org.example:lib", from_upstream="preferred")["artifacts"]
    assert (artifact_result["ok"], artifact_result["from_upstream"]) == (True, True)
    assert artifact_result["from_upstream_evidence"] == "lib-1.0.pom was not in cgr-cache before, and is now."
    assert len(artifact_result["files"]) == 2
    # One probe before the fetch, and one after it.
    probes = [
        url
        for _method, url in servers.transport.calls
        if url.endswith(f"/api/storage/{KEY}-cache/{file('1.0', 'pom')}")
    ]
    assert len(probes) == 2


@pytest.mark.parametrize(("version", "is_deleted"), [("7.49.2", True), ("7.49.3", False)])
def test_a_fallback_file_is_deleted_again_where_no_index_can_be_expired(servers, pull, version, is_deleted):
    cached = {file(extension="pom"), file()}
    servers.version, servers.cached = version, set(cached)
    for _run in range(2):
        (artifact_result,) = pull("org.example:lib", from_upstream="required")["artifacts"]
        assert artifact_result["from_upstream"] is True
    deleted = [url for method, url in servers.transport.calls if method == "DELETE"]
    assert deleted == [f"{ARTIFACTORY}/artifactory/{KEY}-cache/{file('1.2-rc1', 'pom')}"] * (2 * is_deleted)
    assert cached < servers.cached


def test_fallback_file_that_cannot_be_fetched_is_a_failure(servers, pull):
    servers.cached.update([file(extension="pom"), file()])
    servers.repository.plays[f"/artifactory/{KEY}/{file('1.2-rc1', 'pom')}"] = [ScriptedResponse(404, "no")]
    (artifact_result,) = pull("org.example:lib", from_upstream="preferred")["artifacts"]
    assert (artifact_result["ok"], artifact_result["from_upstream"], artifact_result["diagnosis"]["code"]) == (
        False,
        False,
        "masked_by_cache",
    )


ALL = [file(version, extension) for version in ("1.0", "1.1", "1.2-rc1") for extension in ("pom", "jar")]


def test_a_withheld_fallback_file_shows_nothing(servers, pull):
    servers.cached.update([file(extension="pom"), file()])
    del servers.repository.files[f"/artifactory/{KEY}/{file('1.2-rc1', 'pom')}"]
    body = {"error": "blocked", "reason": "MALWARE_DETECTED", "message": "Malware."}
    servers.upstream.plays[f"/base/{file('1.2-rc1', 'pom')}"] = [ScriptedResponse(409, body)]
    (artifact_result,) = pull("org.example:lib", from_upstream="required", **DIRECT)["artifacts"]
    assert (artifact_result["ok"], artifact_result["from_upstream"]) == (True, True)
    assert artifact_result["from_upstream_evidence"] == "lib-1.0.pom was not in cgr-cache before, and is now."


def test_not_from_upstream(servers, pull):
    servers.cached.update(ALL)
    servers.expiration = ScriptedResponse(403, "no")
    result = pull("org.example:lib", from_upstream="required")
    (artifact_result,) = result["artifacts"]
    assert (artifact_result["ok"], artifact_result["from_upstream"], artifact_result["diagnosis"]["code"]) == (
        False,
        False,
        "served_from_cache",
    )
    assert "cannot be expired" in result["msg"] and "Delete or Manage on cgr" in result["msg"]
    assert pull("org.example:lib", from_upstream="preferred")["summary"][0].endswith("; from the cache.")


@pytest.mark.parametrize("from_upstream", ["required", "preferred"])
def test_an_expired_index_that_is_fetched_again_is_from_upstream(servers, pull, from_upstream):
    servers.cached.update(ALL)
    (artifact_result,) = pull("org.example:lib", from_upstream=from_upstream)["artifacts"]
    assert (artifact_result["ok"], artifact_result["from_upstream"]) == (True, True)
    assert artifact_result["from_upstream_evidence"] == (
        "The index of org.example:lib was expired in cgr-cache, and fetched again."
    )
    writes = [(method, url) for method, url in servers.transport.calls if method != "GET"]
    assert writes == [("POST", f"{ARTIFACTORY}/artifactory/api/zap/{KEY}-cache/{FOLDER}/maven-metadata.xml")]


@pytest.mark.parametrize(
    ("trace", "message"),
    [
        ("GET https://x: received status 302\nGET https://x: received status 401 Unauthorized", "status 401."),
        ("Received status 503 (message: ...) on remote request", "status 503."),
        ("cgr is assumed offline", "no response."),
    ],
)
def test_an_expired_index_that_the_upstream_does_not_serve_again_is_a_failure(servers, pull, trace, message):
    servers.cached.update(ALL)
    servers.is_masked, servers.trace = True, ScriptedResponse(200, trace)
    result = pull("org.example:lib", from_upstream="preferred")
    assert result["artifacts"][0]["diagnosis"]["code"] == "masked_by_cache"
    assert "still serves the old copy" in result["msg"] and message in result["msg"]


@pytest.mark.parametrize(
    "trace", [ScriptedResponse(200, "received status 404"), ScriptedResponse(404, "no"), ScriptedResponse(200, "?")]
)
def test_an_old_copy_alone_does_not_show_that_the_upstream_denied_it(servers, pull, trace):
    servers.cached.update(ALL)
    servers.is_masked, servers.trace = True, trace
    (artifact_result,) = pull("org.example:lib", from_upstream="preferred")["artifacts"]
    assert (artifact_result["ok"], artifact_result["from_upstream"]) == (True, False)
    assert pull("org.example:lib", from_upstream="required")["artifacts"][0]["ok"] is False


def test_from_upstream_is_unknown_for_other_than_remote_repositories(servers, pull):
    servers.config = ScriptedResponse(200, FakeServers.configuration("maven", rclass="virtual"))
    (artifact_result,) = pull("org.example:lib", from_upstream="preferred")["artifacts"]
    assert (artifact_result["ok"], artifact_result["from_upstream"]) == (
        True,
        None,
    ) and "is not a remote repository" in artifact_result["from_upstream_evidence"]


def test_check_mode_sends_no_requests(servers, run_module):
    options = {"repository": KEY, "package_type": "maven", "artifacts": ["a:b", "a:b", "a:c:1"], **CREDENTIALS}
    result = run_module(artifact_pull, servers.transport, check=True, **options)
    assert result["changed"] is False and not servers.transport.requests
    assert [
        (artifact["reference"], artifact["version"], artifact["status"], artifact["ok"])
        for artifact in result["artifacts"]
    ] == [
        ("cgr: a:b", None, "skipped", None),
        ("cgr: a:c:1", "1", "skipped", None),
    ]
    assert result["totals"]["skipped"] == 2 and result["totals"]["failed"] == 0
    assert result["summary"][0] == "cgr: a:b: not pulled in check mode."


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"artifacts": []}, "artifacts is empty"),
        ({"artifacts": ["a"]}, "is not valid. Write it as GROUP:ARTIFACT"),
        ({"artifacts": ["a:b:1:jar"]}, "is not valid"),
        ({"artifacts": ["a:../b"]}, "is not valid"),
        ({"artifacts": ["a:b:1-SNAPSHOT"]}, "is a snapshot"),
        ({"repository": "a/b"}, "is not valid"),
        ({"threads": 0}, "threads is 0"),
        ({"artifactory_url": None}, "artifactory_url is missing"),
        ({"artifactory_url": "artifactory"}, "artifactory_url is not a URL"),
        ({"upstream_url": "libraries.cgr.dev"}, "upstream_url is not a URL"),
        ({"upstream_url": "https://u:p@h/"}, "upstream_url must not contain credentials"),
        ({"upstream_username": "somebody", "upstream_password": "password"}, "upstream_url"),
        ({"from_upstream": "required", "artifactory_access_token": None}, "from_upstream=required needs Artifactory"),
        ({"package_type": "docker"}, "value of package_type must be one of"),
    ],
)
@pytest.mark.parametrize("check", [False, True], ids=["real", "check"])
def test_invalid_options(servers, run_module, options, message, check):
    options = {"repository": KEY, "package_type": "maven", "artifacts": ["a:b"], **CREDENTIALS, **options}
    result = run_module(artifact_pull, servers.transport, check=check, **options)
    assert result["failed"] is True and message in result["msg"] and not servers.transport.requests


def test_failure_has_a_diagnosis_and_all_results(servers, pull):
    result = pull("org.example:lib", "org.example:bad", "org.example:worse")
    assert [artifact["status"] for artifact in result["artifacts"]] == ["pulled", "failed", "failed"]
    assert result["artifacts"][1]["error"]["status"] == 404
    first, second = result["msg"].splitlines()
    assert first == "2 of 3 artifacts failed." and "cgr: org.example:bad" in second
    assert "access-token" not in json.dumps(result)
    assert len(servers.requested_urls("/api/repositories/")) == 1


@pytest.mark.parametrize("path", [f"{FOLDER}/maven-metadata.xml", file(extension="pom"), file(), f"{file()}.sha1"])
@pytest.mark.parametrize("of_artifactory", [True, False])
def test_cached_redirect_page_is_diagnosed(servers, pull, path, of_artifactory):
    headers = {"X-Artifactory-Id": "1"} if of_artifactory else {}
    servers.repository.add(f"/artifactory/{KEY}/{path}", REDIRECT, **headers)
    servers.config = ScriptedResponse(200, FakeServers.configuration("maven", bypassHeadRequests=False))
    (artifact_result,) = pull("org.example:lib")["artifacts"]
    assert (artifact_result["ok"], artifact_result["diagnosis"]["code"]) == (False, "redirect_cached")
    assert (
        "set bypassHeadRequests to true" in artifact_result["diagnosis"]["fix"]
        and "from cgr-cache" in artifact_result["diagnosis"]["fix"]
    )
    servers.config = ScriptedResponse(403, "no")
    code = pull("org.example:lib")["artifacts"][0]["diagnosis"]["code"]
    assert code == ("html_cached" if of_artifactory else "html_response")


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        (f"{FOLDER}/maven-metadata.xml", "{}", "not valid XML"),
        (f"{FOLDER}/maven-metadata.xml", "<project/>", "is not metadata"),
        (file(extension="pom"), "<metadata/>", "is not project"),
        (file(extension="pom"), '<!DOCTYPE a [<!ENTITY b "c">]><project/>', "entities"),
        (f"{file()}.sha1", "not a checksum", "without a sha1 checksum"),
        (f"{file()}.sha1", "", "without a sha1 checksum"),
        (file(), b"other bytes", "does not have the sha1"),
    ],
)
def test_invalid_content(servers, pull, path, body, message):
    servers.repository.add(f"/artifactory/{KEY}/{path}", body)
    if path == file(extension="pom"):
        servers.repository.files.pop(f"/artifactory/{KEY}/{path}.sha1")
    (artifact_result,) = pull("org.example:lib")["artifacts"]
    assert (artifact_result["ok"], artifact_result["diagnosis"]["code"]) == (False, "content_mismatch")
    assert message in artifact_result["diagnosis"]["cause"]


def test_content_changed_by_a_proxy(servers, pull):
    headers = {"X-Checksum-Sha256": "0" * 64, "Content-Encoding": "br"}
    servers.repository.add(f"/artifactory/{KEY}/{file()}", JAR + b"1.1", **headers)
    (artifact_result,) = pull("org.example:lib")["artifacts"]
    assert "sha256 that Artifactory sent with it" in artifact_result["diagnosis"]["cause"]
    assert "A proxy encodes the content (br)" in artifact_result["diagnosis"]["fix"]


@pytest.mark.parametrize(
    ("packaging", "extension"), [("war", "war"), ("bundle", "jar"), ("pom", None), ("maven-plugin", "jar")]
)
def test_file_that_the_pom_describes(servers, pull, packaging, extension):
    publish(servers, "1.1", packaging=packaging)
    servers.add(file(extension="war"), b"war")
    (artifact_result,) = pull("org.example:lib")["artifacts"]
    names = [file_result["name"].rpartition(".")[2] for file_result in artifact_result["files"]]
    assert names == ["pom", *([extension] if extension else [])]


def test_stronger_checksum_is_sufficient(servers, pull):
    publish(servers, "1.1", algorithm="sha256")
    (artifact_result,) = pull("org.example:lib:1.1")["artifacts"]
    assert [file_result["verified_checksums"] for file_result in artifact_result["files"]] == [
        ["sha256"],
        ["sha256"],
    ] and not servers.requested_urls(".sha1")


def test_file_without_a_checksum(servers, pull):
    for index in (servers.repository, servers.upstream):
        index.files = {path: content for path, content in index.files.items() if not path.endswith(".sha1")}
    result = pull("org.example:lib")
    assert [file_result["verified_checksums"] for file_result in result["artifacts"][0]["files"]] == [[], []]
    assert "0 match the index" in result["summary"][0]


def test_pinned_version_needs_no_metadata(servers, pull):
    del servers.repository.files[f"/artifactory/{KEY}/{FOLDER}/maven-metadata.xml"]
    assert pull("org.example:lib:1.1")["artifacts"][0]["ok"] is True


def test_metadata_without_versions(servers, pull):
    servers.repository.add(f"/artifactory/{KEY}/{FOLDER}/maven-metadata.xml", "<metadata/>")
    (artifact_result,) = pull("org.example:lib")["artifacts"]
    assert artifact_result["diagnosis"]["code"] == "version_missing"


def test_newest_version_without_prereleases(servers, pull):
    publish(servers, "1.9", "1.10", "1.11-rc1")
    assert pull("org.example:lib")["artifacts"][0]["version"] == "1.10"


@pytest.mark.parametrize(
    ("play", "code"),
    [
        (ScriptedResponse(401, {"error": "token expired"}), "upstream_credentials_rejected"),
        (ScriptedResponse(403, {"error": "not entitled"}), "upstream_access_denied"),
        (ScriptedResponse(409, {"error": "MALWARE_DETECTED"}), "blocked"),
        (ScriptedResponse(404, {"error": "not found"}), "upstream_not_found"),
        (None, "negative_cache"),
        (
            TransportError("refuses the connection.", method="GET", url=UPSTREAM, transient=False),
            "upstream_fetch_failed",
        ),
    ],
)
def test_diagnosis_from_the_upstream(servers, pull, play, code):
    path = f"{FOLDER}/maven-metadata.xml"
    del servers.repository.files[f"/artifactory/{KEY}/{path}"]
    if play:
        servers.upstream.plays[f"/base/{path}"] = [play]
    (artifact_result,) = pull("org.example:lib", **DIRECT)["artifacts"]
    assert (artifact_result["status"], artifact_result["diagnosis"]["code"]) == ("failed", code)


@pytest.mark.parametrize("extension", ["pom", "jar"])
def test_blocked_file(servers, pull, extension):
    del servers.repository.files[f"/artifactory/{KEY}/{file(extension=extension)}"]
    servers.upstream.plays[f"/base/{file(extension=extension)}"] = [ScriptedResponse(409, {"error": "POLICY_BLOCKED"})]
    (artifact_result,) = pull("org.example:lib:1.1", **DIRECT)["artifacts"]
    assert (
        artifact_result["diagnosis"]["code"] == "blocked" and "POLICY_BLOCKED" in artifact_result["diagnosis"]["cause"]
    )
    assert artifact_result["withheld"] == []


def withhold(servers, *versions, status=409, reason="POLICY_COOLDOWN"):
    """Let the upstream hide versions in its index and block their files, while the index of the repository lists them."""
    body = {"error": "blocked", "reason": reason, "message": "Wait for it."} if reason else {"error": "blocked"}
    metadata = f"/base/{FOLDER}/maven-metadata.xml"
    listed = servers.upstream.files[metadata][0].decode().replace("<release>1.1</release>", "<release>1.0</release>")
    for version in versions:
        listed = listed.replace(f"<version>{version}</version>", "")
        for extension in ("pom", "jar"):
            del servers.repository.files[f"/artifactory/{KEY}/{file(version, extension)}"]
            servers.upstream.plays[f"/base/{file(version, extension)}"] = [ScriptedResponse(status, body)]
    servers.upstream.add(metadata, listed)


@pytest.mark.parametrize(
    ("status", "reason", "text"),
    [
        (409, "POLICY_ORG_BLOCKLIST", "POLICY_ORG_BLOCKLIST"),
        (403, "POLICY_COOLDOWN", "POLICY_COOLDOWN"),
        (409, "", "BLOCKED"),
    ],
)
def test_an_older_version_instead_of_a_withheld_one(servers, pull, status, reason, text):
    withhold(servers, "1.1", status=status, reason=reason)
    result = pull("org.example:lib", **DIRECT, from_upstream="required")
    (artifact_result,) = result["artifacts"]
    assert (artifact_result["ok"], artifact_result["version"], artifact_result["from_upstream"]) == (True, "1.0", True)
    assert (artifact_result["upstream_version"], artifact_result["outdated"]) == ("1.0", False)
    assert artifact_result["withheld"] == [{"version": "1.1", "reason": text}]
    assert [file_result["name"] for file_result in artifact_result["files"]] == ["lib-1.0.pom", "lib-1.0.jar"]
    assert f"pulled 1.0 instead of 1.1, which the upstream withholds ({text})" in result["summary"][0]


def test_a_version_that_the_upstream_does_not_list_any_more(servers, pull):
    withhold(servers, "1.1")
    for extension in ("pom", "jar"):
        del servers.upstream.plays[f"/base/{file(extension=extension)}"]
        del servers.upstream.files[f"/base/{file(extension=extension)}"]
    servers.upstream.files[f"/base/{FOLDER}/maven-metadata.xml"]
    (artifact_result,) = pull("org.example:lib", **DIRECT)["artifacts"]
    # A Maven repository can serve a version that it does not list, so this is not evidence.
    assert (artifact_result["ok"], artifact_result["withheld"]) == (False, [])


def test_all_versions_are_withheld(servers, pull):
    withhold(servers, "1.0", "1.1", "1.2-rc1")
    (artifact_result,) = pull("org.example:lib", **DIRECT)["artifacts"]
    assert (artifact_result["ok"], artifact_result["diagnosis"]["code"]) == (False, "blocked")
    assert (
        "the cooldown for new versions (POLICY_COOLDOWN) blocks it: Wait for it."
        in artifact_result["diagnosis"]["cause"]
    )


def test_without_the_upstream_only_a_reason_passes_over_a_version(servers, pull):
    withhold(servers, "1.1")
    assert pull("org.example:lib")["artifacts"][0]["ok"] is False
    body = {"error": "blocked", "reason": "MALWARE_DETECTED", "message": "Malware."}
    servers.repository.plays[f"/artifactory/{KEY}/{file(extension='pom')}"] = [ScriptedResponse(409, body)]
    (artifact_result,) = pull("org.example:lib")["artifacts"]
    assert (artifact_result["version"], artifact_result["withheld"]) == (
        "1.0",
        [{"version": "1.1", "reason": "MALWARE_DETECTED"}],
    )


@pytest.mark.parametrize(("is_masked", "from_upstream"), [(False, "required"), (True, "required"), (False, "ignored")])
def test_without_the_upstream_the_index_is_fetched_again_for_a_version_that_cannot_be_pulled(
    servers, pull, is_masked, from_upstream
):
    withhold(servers, "1.1")
    servers.is_masked = is_masked
    index = f"{FOLDER}/maven-metadata.xml"
    old = servers.repository.files[f"/artifactory/{KEY}/{index}"][0]
    new = servers.upstream.files[f"/base/{index}"][0]
    bodies = [old] if is_masked else [old, new]
    servers.repository.plays[f"/artifactory/{KEY}/{index}"] = [ScriptedResponse(200, body) for body in bodies]
    servers.cached.add(index)
    (artifact_result,) = pull("org.example:lib", from_upstream=from_upstream)["artifacts"]
    is_fetched_again = not is_masked and from_upstream == "required"
    assert artifact_result["ok"] is is_fetched_again
    assert artifact_result["withheld"] == ([{"version": "1.1", "reason": "NOT_LISTED"}] if is_fetched_again else [])
    if is_fetched_again:
        assert (artifact_result["version"], artifact_result["from_upstream"]) == ("1.0", True)


@pytest.mark.parametrize("status", [401, 404, 410])
def test_another_failure_does_not_pass_over_a_version(servers, pull, status):
    withhold(servers, "1.1", status=status)
    (artifact_result,) = pull("org.example:lib", **DIRECT)["artifacts"]
    assert (artifact_result["ok"], artifact_result["withheld"]) == (False, [])


def test_a_blocked_direct_pull_is_not_repeated(servers, pull):
    withhold(servers, "1.0", "1.1", "1.2-rc1", status=403)
    result = pull("org.example:lib:1.1", repository=None, propagation_timeout=600, **DIRECT)
    assert result["artifacts"][0]["diagnosis"]["code"] == "blocked"
    assert len(servers.requested_urls(file(extension="pom"))) == 1


def test_a_cached_version_that_the_upstream_withholds_now_is_not_outdated(servers, pull):
    metadata = "<metadata><versioning><release>1.0</release><versions><version>1.0</version></versions></versioning></metadata>"
    servers.upstream.add(f"/base/{FOLDER}/maven-metadata.xml", metadata)
    (artifact_result,) = pull("org.example:lib", **DIRECT)["artifacts"]
    assert (artifact_result["ok"], artifact_result["version"], artifact_result["upstream_version"]) == (
        True,
        "1.1",
        "1.0",
    )
    assert artifact_result["outdated"] is False and artifact_result["diagnosis"] is None


def test_file_that_is_only_available_upstream(servers, pull):
    del servers.repository.files[f"/artifactory/{KEY}/{file()}"]
    servers.config = ScriptedResponse(200, FakeServers.configuration("maven", allowAnyHostAuth=True))
    (artifact_result,) = pull("org.example:lib", **DIRECT)["artifacts"]
    assert artifact_result["diagnosis"]["code"] == "credentials_forwarded"
    assert [file_result["name"] for file_result in artifact_result["files"]] == ["lib-1.1.pom"]


@pytest.mark.parametrize(
    ("play", "code"),
    [
        (ScriptedResponse(401, {"error": "expired"}), "upstream_credentials_rejected"),
        (ScriptedResponse(404, {"error": "gone"}), "upstream_gone"),
        (
            TransportError("refuses the connection.", method="GET", url=UPSTREAM, transient=False),
            "upstream_unreachable",
        ),
    ],
)
def test_failed_comparison(servers, pull, play, code):
    servers.upstream.plays[f"/base/{FOLDER}/maven-metadata.xml"] = [play]
    (artifact_result,) = pull("org.example:lib", **DIRECT)["artifacts"]
    assert (artifact_result["ok"], artifact_result["version"], artifact_result["diagnosis"]["code"]) == (
        False,
        "1.1",
        code,
    )


def test_artifacts_with_the_same_cause_are_skipped(servers, pull):
    servers.repository.authorization = "Bearer another"
    result = pull(*(f"org.example:lib{number}" for number in range(6)), threads=1)
    statuses = [artifact["status"] for artifact in result["artifacts"]]
    assert statuses == ["failed"] * 3 + ["skipped"] * 3 and result["totals"]["skipped"] == 3
    assert result["artifacts"][0]["diagnosis"]["code"] == "credentials_rejected"
    assert result["artifacts"][5]["diagnosis"]["code"] == "skipped"


def test_unreachable_storage(servers, pull):
    servers.repository.files.pop(f"/artifactory/{KEY}/{file()}")
    target = {"Location": "https://elsewhere.example.org/x"}
    servers.repository.plays[f"/artifactory/{KEY}/{file()}"] = [ScriptedResponse(302, "", target)]
    respond = servers.respond

    def play(request):
        if "elsewhere" in request.url:
            return TransportError("refuses the connection.", method="GET", url=request.url, transient=False)
        return respond(request)

    servers.transport._respond = play
    (artifact_result,) = pull("org.example:lib")["artifacts"]
    assert artifact_result["diagnosis"]["code"] == "storage_unreachable"


def test_list_of_repositories(servers, run_module):
    pulls = [
        {"repository": KEY, "package_type": "maven", "artifacts": ["org.example:lib"], "from_upstream": "required"},
        {"repository": "other", "package_type": "npm", "artifacts": ["left-pad"]},
    ]
    result = run_module(artifact_pull, servers.transport, pulls=pulls, **CREDENTIALS)
    good, bad = result["pulls"]
    assert (good["repository"], good["failed"], good["artifacts"][0]["from_upstream"]) == (KEY, False, True)
    assert (bad["repository"], bad["failed"], bad["summary"]) == ("other", True, [])
    assert result["failed"] is True and result["msg"] == bad["msg"]
    assert result["totals"]["artifacts"] == 2 and result["totals"]["failed"] == 1
    assert set(yaml.safe_load(artifact_pull.RETURN)["pulls"]["contains"]) == set(bad)


def direct_items(*users):
    return [
        {
            "name": f"token {user}",
            "package_type": "maven",
            "artifacts": ["org.example:lib"],
            "upstream_url": f"{UPSTREAM}/base/",
            "upstream_username": user,
            "upstream_password": f"secret-{user}",
        }
        for user in users
    ]


def test_each_item_without_a_repository_pulls_from_upstream_with_its_own_credentials(servers, run_module):
    servers.upstream.authorization = basic_authorization("two", "secret-two")
    result = run_module(artifact_pull, servers.transport, pulls=direct_items("one", "two"), **CREDENTIALS)
    assert [(item["name"], item["repository"], item["failed"]) for item in result["pulls"]] == [
        ("token one", None, True),
        ("token two", None, False),
    ]
    assert not servers.requested_urls(ARTIFACTORY) and "secret-" not in json.dumps(result["pulls"])


def test_a_denied_item_is_retried_until_its_token_has_propagated(servers, run_module):
    denied = [basic_authorization("new", "secret-new")] * 2
    upstream = servers.upstream

    def deny_first(request):
        if request.headers["Authorization"] in denied:
            denied.remove(request.headers["Authorization"])
            return ScriptedResponse(401, {"error": "unknown identity"})
        return upstream(request)

    servers.upstream = deny_first
    result = run_module(artifact_pull, servers.transport, pulls=direct_items("old", "new"), propagation_timeout=30)
    assert [item["artifacts"][0]["ok"] for item in result["pulls"]] == [True, True]
    requests = [request.headers["Authorization"] for request in servers.transport.requests]
    assert (
        requests.count(basic_authorization("new", "secret-new"))
        == requests.count(basic_authorization("old", "secret-old")) + 2
    )


def test_a_pull_through_a_repository_is_not_retried(servers, pull):
    servers.repository.plays[f"/artifactory/{KEY}/{FOLDER}/maven-metadata.xml"] = [ScriptedResponse(403)]
    assert pull("org.example:lib", propagation_timeout=30)["failed"] is True
    assert len(servers.requested_urls("maven-metadata.xml")) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"artifacts": ["org.example:lib"]}, "missing parameter(s) required by 'artifacts': package_type"),
        (
            {"pulls": [{"repository": KEY, "package_type": "maven", "artifacts": ["lib"]}]},
            f"pulls[0] ({KEY}): The artifact 'lib' is not valid.",
        ),
        (
            {"pulls": [{"package_type": "maven", "artifacts": ["a:b"]}]},
            "pulls[0]: repository and upstream_url are missing",
        ),
    ],
)
def test_invalid_list(servers, run_module, options, message):
    result = run_module(artifact_pull, servers.transport, **CREDENTIALS, **options)
    assert result["failed"] is True and message in result["msg"] and not servers.transport.requests
