# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module, with Maven for all that no ecosystem has of its own."""

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
    """Put versions of org.example:lib into the repository and its upstream, each with its checksums."""
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
    made = FakeServers("maven", f"/artifactory/{KEY}")
    publish(made, "1.0", "1.1", "1.2-rc1", released="1.1")
    return made


@pytest.fixture
def pull(servers, run_module):
    return create_pull(servers, run_module, "maven")


def test_the_newest_release_comes_with_its_pom_and_its_checksums(servers, pull):
    result = pull("org.example:lib")
    assert "failed" not in result and result["changed"] is False
    (shown,) = result["artifacts"]
    jar = JAR + b"1.1"
    assert {**shown, "seconds": 0, "files": shown["files"][1:]} == {
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
        "from_upstream": None,
        "from_upstream_evidence": "",
        "bytes": len(jar) + len(pom()),
        "seconds": 0,
        "error": None,
        "diagnosis": None,
    }
    assert shown["files"][0]["name"] == "lib-1.1.pom"
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
    assert result["totals"]["requests"] == 7 and result["totals"]["bytes"] > shown["bytes"]
    assert result["summary"] == ["cgr: org.example:lib: pulled 1.1; 2 files, 0.0 MB; 2 match the index."]


def test_it_is_what_upstream_serves_directly_from_its_storage(servers, pull):
    servers.redirect(file())
    result = pull("org.example:lib:1.1", **DIRECT)
    (shown,) = result["artifacts"]
    assert (shown["ok"], shown["upstream_version"], shown["outdated"]) == (True, "1.1", False)
    assert [one["matches_upstream"] for one in shown["files"]] == [True, True]
    assert "2 match upstream" in result["summary"][0]
    logins = {
        url: request.headers.get("Authorization") for request in servers.transport.requests for url in [request.url]
    }
    assert {login for url, login in logins.items() if url.startswith(UPSTREAM)} == {
        basic_authorization("org/id", "pull-token")
    }
    assert {login for url, login in logins.items() if "storage.example.org" in url} == {None}
    assert "pull-token" not in json.dumps(result) and "secret" not in json.dumps(result)


def test_without_a_repository_it_pulls_from_upstream_alone(servers, pull):
    servers.redirect(file())
    result = pull("org.example:lib", repository=None, **DIRECT)
    (shown,) = result["artifacts"]
    assert (shown["ok"], shown["version"], shown["upstream_version"]) == (True, "1.1", None)
    assert shown["reference"] == "libraries.example.net: org.example:lib"
    assert not servers.requested_urls(ARTIFACTORY)


def test_without_a_repository_a_refusal_is_the_token_s(servers, pull):
    refusal = ScriptedResponse(403, {"error": "no entitlement for java"})
    servers.upstream.plays[f"/root/{FOLDER}/maven-metadata.xml"] = [refusal]
    result = pull("org.example:lib", repository=None, **DIRECT)
    assert result["artifacts"][0]["diagnosis"]["code"] == "upstream_access_denied"
    assert "no entitlement for java" in result["msg"]


def test_there_has_to_be_a_place_to_pull_from(pull):
    result = pull("org.example:lib", repository=None)
    assert "repository and upstream_url are missing" in result["msg"]


def test_all_that_is_returned_is_documented(servers, pull):
    result = pull("org.example:lib", "org.example:none", **DIRECT)
    documented = yaml.safe_load(artifact_pull.RETURN)
    contains = documented["artifacts"]["contains"]
    assert set(contains) == set(result["artifacts"][0])
    assert set(contains["files"]["contains"]) == set(result["artifacts"][0]["files"][0])
    assert set(contains["diagnosis"]["contains"]) == set(result["artifacts"][1]["diagnosis"])
    assert set(documented["totals"]["sample"]) == set(result["totals"])
    assert set(documented) - {"pulls"} <= set(pull("org.example:lib"))


def test_all_options_are_documented_with_their_defaults():
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
def test_logins(servers, pull, options, login):
    servers.repository.authorization = login or ""
    assert pull("org.example:lib", **options)["artifacts"][0]["ok"] is True
    assert {request.headers.get("Authorization") for request in servers.transport.requests} == {login}


def test_a_newer_version_upstream_is_no_failure_and_explained(servers, pull):
    metadata = "<metadata><versioning><release>2.0</release></versioning></metadata>"
    servers.upstream.add(f"/root/{FOLDER}/maven-metadata.xml", metadata)
    servers.repository.add(f"/artifactory/{KEY}/{FOLDER}/2.0/lib-2.0.pom", pom("pom"))
    result = pull("org.example:lib", **DIRECT)
    (shown,) = result["artifacts"]
    assert (shown["ok"], shown["version"], shown["upstream_version"], shown["outdated"]) == (True, "1.1", "2.0", True)
    assert shown["diagnosis"]["code"] == "outdated" and "7200 seconds" in shown["diagnosis"]["cause"]
    assert "pulled 1.1 (outdated; upstream has 2.0)" in result["summary"][0]
    assert servers.requested_urls(f"{KEY}/{FOLDER}/2.0/lib-2.0.pom")


def test_a_newer_version_that_cannot_be_had_through_the_repository_is_a_failure(servers, pull):
    metadata = "<metadata><versioning><release>2.0</release></versioning></metadata>"
    servers.upstream.add(f"/root/{FOLDER}/maven-metadata.xml", metadata)
    (shown,) = pull("org.example:lib", **DIRECT)["artifacts"]
    assert (shown["ok"], shown["outdated"], shown["diagnosis"]["code"]) == (False, True, "masked_by_cache")


def test_another_build_than_upstreams_is_a_failure(servers, pull):
    servers.repository.add(f"/artifactory/{KEY}/{file()}", JAR)
    servers.repository.add(f"/artifactory/{KEY}/{file()}.sha1", hashlib.sha1(JAR).hexdigest())
    (shown,) = pull("org.example:lib", **DIRECT)["artifacts"]
    assert (shown["ok"], shown["diagnosis"]["code"]) == (False, "upstream_checksum_mismatch")
    assert [one["matches_upstream"] for one in shown["files"]] == [True, False]
    assert "The checksum of lib-1.1.jar differs from the upstream's file" in shown["diagnosis"]["cause"]
    assert f"delete {file()} from cgr-cache" in shown["diagnosis"]["fix"]


def test_something_fresh(servers, pull):
    (shown,) = pull("org.example:lib", from_upstream="required")["artifacts"]
    assert (shown["ok"], shown["from_upstream"]) == (True, True)
    assert shown["from_upstream_evidence"] == "lib-1.1.jar was not in cgr-cache before, and is now."


def test_a_file_nearby_shows_that_the_way_is_open(servers, pull):
    servers.cached.update([file(extension="pom"), file(), file("1.2-rc1", "pom")])
    (shown,) = pull("org.example:lib", from_upstream="preferred")["artifacts"]
    assert (shown["ok"], shown["from_upstream"]) == (True, True)
    assert shown["from_upstream_evidence"] == "lib-1.0.pom was not in cgr-cache before, and is now."
    assert len(shown["files"]) == 2
    # Once before it was fetched, and once after that.
    looks = [
        url
        for _method, url in servers.transport.calls
        if url.endswith(f"/api/storage/{KEY}-cache/{file('1.0', 'pom')}")
    ]
    assert len(looks) == 2


def test_a_file_nearby_that_does_not_come_is_a_failure(servers, pull):
    servers.cached.update([file(extension="pom"), file()])
    servers.repository.plays[f"/artifactory/{KEY}/{file('1.2-rc1', 'pom')}"] = [ScriptedResponse(404, "no")]
    (shown,) = pull("org.example:lib", from_upstream="preferred")["artifacts"]
    assert (shown["ok"], shown["from_upstream"], shown["diagnosis"]["code"]) == (False, False, "masked_by_cache")


ALL = [file(version, extension) for version in ("1.0", "1.1", "1.2-rc1") for extension in ("pom", "jar")]


def test_nothing_fresh(servers, pull):
    servers.cached.update(ALL)
    result = pull("org.example:lib", from_upstream="required")
    (shown,) = result["artifacts"]
    assert (shown["ok"], shown["from_upstream"], shown["diagnosis"]["code"]) == (False, False, "served_from_cache")
    assert "was in cgr-cache already" in result["msg"]
    assert pull("org.example:lib", from_upstream="preferred")["summary"][0].endswith("; from the cache.")


def test_the_smallest_file_is_deleted_from_the_cache_and_pulled_again(servers, pull):
    servers.cached.update(ALL)
    (shown,) = pull("org.example:lib", from_upstream="required", evict=True)["artifacts"]
    assert (shown["ok"], shown["from_upstream"]) == (True, True)
    deleted = [url for method, url in servers.transport.calls if method == "DELETE"]
    assert deleted == [f"{ARTIFACTORY}/artifactory/{KEY}-cache/{file(extension='pom')}"]


def test_freshness_of_what_is_no_remote_is_not_known(servers, pull):
    servers.config = ScriptedResponse(200, FakeServers.configuration("maven", rclass="virtual"))
    (shown,) = pull("org.example:lib", from_upstream="preferred")["artifacts"]
    assert (shown["ok"], shown["from_upstream"]) == (True, None) and "is not a remote repository" in shown[
        "from_upstream_evidence"
    ]


def test_check_mode_sends_nothing(servers, run_module):
    options = {"repository": KEY, "package_type": "maven", "artifacts": ["a:b", "a:b", "a:c:1"], **CREDENTIALS}
    result = run_module(artifact_pull, servers.transport, check=True, **options)
    assert result["changed"] is False and not servers.transport.requests
    assert [(one["reference"], one["version"], one["status"], one["ok"]) for one in result["artifacts"]] == [
        ("cgr: a:b", None, "skipped", None),
        ("cgr: a:c:1", "1", "skipped", None),
    ]
    assert result["totals"]["skipped"] == 2 and result["totals"]["failed"] == 0
    assert result["summary"][0] == "cgr: a:b: not pulled in check mode."


@pytest.mark.parametrize(
    ("options", "words"),
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
def test_bad_input_is_told_before_anything_is_sent(servers, run_module, options, words, check):
    options = {"repository": KEY, "package_type": "maven", "artifacts": ["a:b"], **CREDENTIALS, **options}
    result = run_module(artifact_pull, servers.transport, check=check, **options)
    assert result["failed"] is True and words in result["msg"] and not servers.transport.requests


def test_a_failure_is_told_with_cause_fix_and_all_results(servers, pull):
    result = pull("org.example:lib", "org.example:bad", "org.example:worse")
    assert [one["status"] for one in result["artifacts"]] == ["pulled", "failed", "failed"]
    assert result["artifacts"][1]["error"]["status"] == 404
    first, second = result["msg"].splitlines()
    assert first == "2 of 3 artifacts failed." and "cgr: org.example:bad" in second
    assert "access-token" not in json.dumps(result)
    assert len(servers.requested_urls("/api/repositories/")) == 1


@pytest.mark.parametrize("path", [f"{FOLDER}/maven-metadata.xml", file(extension="pom"), file(), f"{file()}.sha1"])
@pytest.mark.parametrize("of_artifactory", [True, False])
def test_a_redirect_page_in_the_cache_is_named(servers, pull, path, of_artifactory):
    headers = {"X-Artifactory-Id": "1"} if of_artifactory else {}
    servers.repository.add(f"/artifactory/{KEY}/{path}", REDIRECT, **headers)
    servers.config = ScriptedResponse(200, FakeServers.configuration("maven", bypassHeadRequests=False))
    (shown,) = pull("org.example:lib")["artifacts"]
    assert (shown["ok"], shown["diagnosis"]["code"]) == (False, "redirect_cached")
    assert (
        "set bypassHeadRequests to true" in shown["diagnosis"]["fix"] and "from cgr-cache" in shown["diagnosis"]["fix"]
    )
    servers.config = ScriptedResponse(403, "no")
    code = pull("org.example:lib")["artifacts"][0]["diagnosis"]["code"]
    assert code == ("html_cached" if of_artifactory else "html_response")


@pytest.mark.parametrize(
    ("path", "body", "words"),
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
def test_contents_that_are_not_what_they_should_be(servers, pull, path, body, words):
    servers.repository.add(f"/artifactory/{KEY}/{path}", body)
    if path == file(extension="pom"):
        servers.repository.files.pop(f"/artifactory/{KEY}/{path}.sha1")
    (shown,) = pull("org.example:lib")["artifacts"]
    assert (shown["ok"], shown["diagnosis"]["code"]) == (False, "content_mismatch")
    assert words in shown["diagnosis"]["cause"]


def test_a_content_that_a_proxy_changed(servers, pull):
    headers = {"X-Checksum-Sha256": "0" * 64, "Content-Encoding": "br"}
    servers.repository.add(f"/artifactory/{KEY}/{file()}", JAR + b"1.1", **headers)
    (shown,) = pull("org.example:lib")["artifacts"]
    assert "sha256 that Artifactory sent with it" in shown["diagnosis"]["cause"]
    assert "A proxy encodes the content (br)" in shown["diagnosis"]["fix"]


@pytest.mark.parametrize(
    ("packaging", "extension"), [("war", "war"), ("bundle", "jar"), ("pom", None), ("maven-plugin", "jar")]
)
def test_what_a_pom_describes(servers, pull, packaging, extension):
    publish(servers, "1.1", packaging=packaging)
    servers.add(file(extension="war"), b"war")
    (shown,) = pull("org.example:lib")["artifacts"]
    names = [one["name"].rpartition(".")[2] for one in shown["files"]]
    assert names == ["pom", *([extension] if extension else [])]


def test_the_stronger_checksum_is_enough(servers, pull):
    publish(servers, "1.1", algorithm="sha256")
    (shown,) = pull("org.example:lib:1.1")["artifacts"]
    assert [one["verified_checksums"] for one in shown["files"]] == [
        ["sha256"],
        ["sha256"],
    ] and not servers.requested_urls(".sha1")


def test_without_a_checksum_nothing_is_promised(servers, pull):
    for place in (servers.repository, servers.upstream):
        place.files = {path: held for path, held in place.files.items() if not path.endswith(".sha1")}
    result = pull("org.example:lib")
    assert [one["verified_checksums"] for one in result["artifacts"][0]["files"]] == [[], []]
    assert "0 match the index" in result["summary"][0]


def test_a_version_that_is_known_needs_no_metadata(servers, pull):
    del servers.repository.files[f"/artifactory/{KEY}/{FOLDER}/maven-metadata.xml"]
    assert pull("org.example:lib:1.1")["artifacts"][0]["ok"] is True


def test_metadata_without_versions(servers, pull):
    servers.repository.add(f"/artifactory/{KEY}/{FOLDER}/maven-metadata.xml", "<metadata/>")
    (shown,) = pull("org.example:lib")["artifacts"]
    assert shown["diagnosis"]["code"] == "version_missing"


def test_without_a_release_mark_the_newest_that_is_no_prerelease(servers, pull):
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
def test_what_upstream_tells_of_a_failure(servers, pull, play, code):
    path = f"{FOLDER}/maven-metadata.xml"
    del servers.repository.files[f"/artifactory/{KEY}/{path}"]
    if play:
        servers.upstream.plays[f"/root/{path}"] = [play]
    (shown,) = pull("org.example:lib", **DIRECT)["artifacts"]
    assert (shown["status"], shown["diagnosis"]["code"]) == ("failed", code)


@pytest.mark.parametrize("extension", ["pom", "jar"])
def test_a_file_that_upstream_blocks(servers, pull, extension):
    del servers.repository.files[f"/artifactory/{KEY}/{file(extension=extension)}"]
    servers.upstream.plays[f"/root/{file(extension=extension)}"] = [ScriptedResponse(409, {"error": "POLICY_BLOCKED"})]
    (shown,) = pull("org.example:lib", **DIRECT)["artifacts"]
    assert shown["diagnosis"]["code"] == "blocked" and "POLICY_BLOCKED" in shown["diagnosis"]["cause"]


def test_a_file_that_does_not_come_though_upstream_has_it(servers, pull):
    del servers.repository.files[f"/artifactory/{KEY}/{file()}"]
    servers.config = ScriptedResponse(200, FakeServers.configuration("maven", allowAnyHostAuth=True))
    (shown,) = pull("org.example:lib", **DIRECT)["artifacts"]
    assert shown["diagnosis"]["code"] == "credentials_forwarded"
    assert [one["name"] for one in shown["files"]] == ["lib-1.1.pom"]


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
def test_what_comes_through_but_cannot_be_compared(servers, pull, play, code):
    servers.upstream.plays[f"/root/{FOLDER}/maven-metadata.xml"] = [play]
    (shown,) = pull("org.example:lib", **DIRECT)["artifacts"]
    assert (shown["ok"], shown["version"], shown["diagnosis"]["code"]) == (False, "1.1", code)


def test_what_would_fail_with_one_cause_is_not_tried(servers, pull):
    servers.repository.authorization = "Bearer another"
    result = pull(*(f"org.example:lib{number}" for number in range(6)), threads=1)
    statuses = [one["status"] for one in result["artifacts"]]
    assert statuses == ["failed"] * 3 + ["skipped"] * 3 and result["totals"]["skipped"] == 3
    assert result["artifacts"][0]["diagnosis"]["code"] == "credentials_rejected"
    assert result["artifacts"][5]["diagnosis"]["code"] == "skipped"


def test_storage_that_cannot_be_reached(servers, pull):
    servers.repository.files.pop(f"/artifactory/{KEY}/{file()}")
    target = {"Location": "https://elsewhere.example.org/x"}
    servers.repository.plays[f"/artifactory/{KEY}/{file()}"] = [ScriptedResponse(302, "", target)]
    respond = servers.respond

    def play(request):
        if "elsewhere" in request.url:
            return TransportError("refuses the connection.", method="GET", url=request.url, transient=False)
        return respond(request)

    servers.transport._respond = play
    (shown,) = pull("org.example:lib")["artifacts"]
    assert shown["diagnosis"]["code"] == "storage_unreachable"


def test_several_repositories_in_one_task(servers, run_module):
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
            "upstream_url": f"{UPSTREAM}/root/",
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
    ("options", "words"),
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
def test_bad_input_of_several_repositories(servers, run_module, options, words):
    result = run_module(artifact_pull, servers.transport, **CREDENTIALS, **options)
    assert result["failed"] is True and words in result["msg"] and not servers.transport.requests
