# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import re
from urllib.parse import urlsplit

import pytest
import yaml
from documented_options import validate_documented_options
from fake_registry import FakeRegistry, unknown_manifest
from scripted import ScriptedResponse, ScriptedTransport

from ansible_collections.cgr.pull_through.plugins.module_utils._credentials import basic_authorization
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import TransportError
from ansible_collections.cgr.pull_through.plugins.modules import registry_pull

HOST = "artifactory.example.com"
BASE = f"https://{HOST}"
UPSTREAM = "https://cgr.example.net"
ARTIFACTORY = {"artifactory_url": f"{BASE}/artifactory", "artifactory_access_token": "access-token"}
THROUGH = {**ARTIFACTORY, "repository": "cgr-private"}
CONFIG = {
    "key": "cgr-private",
    "rclass": "remote",
    "packageType": "docker",
    "url": "https://cgr.dev/",
    "enableTokenAuthentication": True,
    "username": "org/identity",
    "retrievalCachePeriodSecs": 7200,
}


class Servers:
    """A registry, an upstream, and Artifactory on the host of the registry, with a configuration and a cache."""

    def __init__(self):
        self.registry = FakeRegistry(BASE)
        self.upstream = FakeRegistry(UPSTREAM)
        self.config = ScriptedResponse(200, CONFIG)
        self.configs = {}
        self.configurations = ScriptedResponse(404)
        self.cached = set()
        self.transport = ScriptedTransport(respond=self.respond)

    def respond(self, request):
        parts = urlsplit(request.url)
        if request.url.startswith(UPSTREAM):
            return self.upstream(request)
        if parts.path == "/artifactory/api/repositories/configurations":
            return self.configurations
        if parts.path.startswith("/artifactory/api/repositories/"):
            return self.configs.get(parts.path.rpartition("/")[2], self.config)
        if parts.path.startswith("/artifactory/api/storage/cgr-private-cache/"):
            held = parts.path.removeprefix("/artifactory/api/storage/cgr-private-cache/") in self.cached
            return ScriptedResponse(200 if held else 404, {})
        play = self.registry(request)
        if match := re.fullmatch("/v2/cgr-private/(.*)/manifests/(.*)", parts.path):
            self.cached.add(f"{match[1]}/{match[2].replace(':', '__')}/manifest.json")
        return play

    def requested(self, part):
        return [url for _method, url in self.transport.calls if part in url]


@pytest.fixture
def servers():
    return Servers()


@pytest.fixture
def pull(servers, run_module, monkeypatch):
    for name in ("REGISTRY_URL", "ARTIFACTORY_USERNAME", "ARTIFACTORY_PASSWORD", "PULL_THROUGH_CA_PATH"):
        monkeypatch.delenv(name, raising=False)

    def run(*images, **options):
        if "pulls" not in options:
            options["images"] = list(images)
        return run_module(registry_pull, servers.transport, **options)

    return run


def test_registry_without_credentials(servers, pull):
    image = servers.registry.add_image("base/debian", "12")
    result = pull("base/debian:12", registry_url=f"{BASE}/")
    assert "failed" not in result and result["changed"] is False
    (image_result,) = result["images"]
    assert image_result["seconds"] >= 0
    assert {**image_result, "seconds": 0} == {
        "image": "base/debian:12",
        "reference": f"{HOST}/base/debian:12",
        "status": "pulled",
        "ok": True,
        "digest": image["digest"],
        "media_type": "application/vnd.oci.image.manifest.v1+json",
        "upstream_digest": None,
        "outdated": None,
        "from_upstream": None,
        "from_upstream_evidence": "",
        "login_unverified_until": None,
        "platforms": {"linux/amd64": image["digest"]},
        "artifact_type": None,
        "layers": 1,
        "foreign_layers": 0,
        "bytes": servers.registry.size(image["digest"]) + len("layer of base/debian for linux/amd64") + 40,
        "referrers": None,
        "seconds": 0,
        "error": None,
        "diagnosis": None,
    }
    assert {**result["totals"], "seconds": 0} == {
        "images": 1,
        "failed": 0,
        "skipped": 0,
        "bytes": image_result["bytes"],
        "requests": 4,
        "seconds": 0,
    }
    assert not [request for request in servers.transport.requests if "Authorization" in request.headers]


def test_return_values_are_documented(servers, pull):
    servers.registry.add_image("a/b", "latest")
    result = pull("a/b", "a/c", registry_url=BASE)
    documented = yaml.safe_load(registry_pull.RETURN)
    assert set(documented["images"]["contains"]) == set(result["images"][0])
    assert set(documented["images"]["contains"]["diagnosis"]["contains"]) == set(result["images"][1]["diagnosis"])
    assert set(documented["totals"]["sample"]) == set(result["totals"])
    assert set(documented) - {"pulls", "plan"} < set(result)
    several = pull(registry_url=BASE, pulls=[{"images": ["a/b"]}, {"images": ["a/c"]}])
    assert {"pulls", "totals"} < set(several)
    assert set(documented["pulls"]["contains"]) == set(several["pulls"][1])


def test_summary(servers, pull):
    old = servers.registry.add_image("cgr-private/a/b", "old", "new", layers=[b"x" * 1_500_000])
    other = servers.registry.add_image("cgr-private/a/b")
    servers.upstream.add_image("a/b", "old", layers=[b"layer of cgr-private/a/b for linux/amd64"])
    digest, newer = old["digest"], other["digest"]
    pulled = pull("a/b:old", f"a/b:old@{digest}", f"a/b:old@{newer}", depth="manifest", **THROUGH)["summary"]
    servers.cached.clear()
    compared = pull("a/b:old", from_upstream="preferred", upstream_url=UPSTREAM, **THROUGH)["summary"]
    assert pulled == [
        f"{HOST}/cgr-private/a/b:old: pulled {digest}; manifest only.",
        f"{HOST}/cgr-private/a/b:old: pulled {digest} (the pinned digest); manifest only.",
        f"{HOST}/cgr-private/a/b:old: pulled {digest} (not the pinned digest; {newer} can be pulled too); manifest only.",
    ]
    assert compared == [
        f"{HOST}/cgr-private/a/b:old: pulled {digest} (outdated; {newer} from upstream can be pulled too); "
        "linux/amd64; 1 layer, 1.5 MB; from upstream."
    ]


def test_options_are_documented():
    validate_documented_options(registry_pull)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"artifactory_access_token": "t"}, "Bearer t"),
        ({"artifactory_access_token": "t", "artifactory_username": "u"}, basic_authorization("u", "t")),
        ({"artifactory_username": "u", "artifactory_password": "p"}, basic_authorization("u", "p")),
        ({"artifactory_access_token": "t", "username": "a", "password": "b"}, basic_authorization("a", "b")),
    ],
    ids=["token", "token of a user", "password", "own"],
)
def test_credentials(servers, pull, options, expected):
    servers.registry.add_image("key/a/b", "latest")
    servers.registry.challenge = 'Basic realm="x"'
    servers.registry.tokens[expected] = ""
    result = pull("a/b", artifactory_url=BASE, repository="key", **options)
    assert result["images"][0]["ok"] is True
    assert {request.headers.get("Authorization") for request in servers.transport.requests} - {None} == {expected}


@pytest.mark.parametrize(
    ("options", "is_sent"),
    [
        ({"registry_url": "https://registry.example.org"}, False),
        ({"registry_url": "https://registry.example.org", "repository": "key"}, True),
        ({"registry_url": BASE}, True),
        ({"registry_url": f"{BASE}.evil.example"}, False),
        ({}, True),
    ],
)
def test_artifactory_credentials_are_sent_only_to_artifactory(servers, pull, options, is_sent):
    pull("a/b", **{**ARTIFACTORY, **options})
    assert all(("Authorization" in request.headers) is is_sent for request in servers.transport.requests)


def test_failure_has_a_diagnosis_and_all_results(servers, pull):
    servers.registry.add_image("cgr-private/a/good", "latest")
    servers.config = ScriptedResponse(200, {**CONFIG, "enableTokenAuthentication": False})
    result = pull("a/good", "a/bad", "a/worse", **THROUGH)
    assert result["failed"] is True
    assert [image["status"] for image in result["images"]] == ["pulled", "failed", "failed"]
    assert result["images"][1]["diagnosis"]["code"] == "token_authentication_off"
    assert result["images"][1]["error"]["status"] == 404 and result["images"][1]["error"]["code"] == "MANIFEST_UNKNOWN"
    first, second = result["msg"].splitlines()
    assert first == "2 of 3 images failed."
    assert second.startswith(
        f"{HOST}/cgr-private/a/bad, {HOST}/cgr-private/a/worse: Token authentication is off in cgr-p"
    )
    assert "access-token" not in json.dumps(result)
    assert len(servers.requested("/api/repositories/")) == 1


def test_configuration_is_not_read_without_a_failure(servers, pull):
    servers.registry.add_image("cgr-private/a/b", "latest")
    assert pull("a/b", **THROUGH)["images"][0]["ok"] is True
    assert not servers.requested("/artifactory/")


@pytest.mark.parametrize(
    ("config", "code"),
    [
        (ScriptedResponse(404, {"errors": [{"status": 404, "message": "Not Found"}]}), "repository_missing"),
        (ScriptedResponse(403, {"errors": [{"status": 403, "message": "Forbidden"}]}), "not_found"),
        (ScriptedResponse(200, CONFIG), "upstream_fetch_failed"),
    ],
    ids=["missing", "unreadable", "known"],
)
def test_diagnosis_from_the_configuration(servers, pull, config, code):
    servers.config = config
    assert pull("a/b", **THROUGH)["images"][0]["diagnosis"]["code"] == code


@pytest.mark.parametrize(
    ("tag", "play", "code"),
    [
        ("latest", None, "negative_cache"),
        ("other", None, "upstream_not_found"),
        ("other", ScriptedResponse(401, "who?"), "upstream_fetch_failed"),
        (
            "other",
            TransportError("refuses the connection.", method="GET", url=UPSTREAM, transient=False),
            "upstream_fetch_failed",
        ),
    ],
)
def test_diagnosis_from_the_upstream(servers, pull, tag, play, code):
    servers.upstream.add_image("a/b", tag)
    if play is not None:
        servers.upstream.plays["/v2/a/b/manifests/latest"] = [play]
    assert pull("a/b", upstream_url=UPSTREAM, **THROUGH)["images"][0]["diagnosis"]["code"] == code


@pytest.mark.parametrize(
    ("play", "code"),
    [
        (
            TransportError("the name of x cannot be resolved.", method="GET", url=BASE, transient=False),
            "name_resolution",
        ),
        (ScriptedResponse(200, "<html>", {"Content-Type": "text/html"}), "not_a_registry"),
        (ScriptedResponse(200, {"schemaVersion": 1, "fsLayers": []}), "schema1"),
        (ScriptedResponse(404, "<html>"), "not_a_registry"),
        (ScriptedResponse(302, "", {"Location": "http://elsewhere.example.com/"}), "redirect_rejected"),
        (unknown_manifest(), "not_found"),
    ],
)
def test_diagnosis_from_the_registry(servers, pull, play, code):
    servers.registry.plays["/v2/a/b/manifests/latest"] = [play]
    result = pull("a/b", registry_url=BASE)
    assert result["images"][0]["diagnosis"]["code"] == code
    assert result["images"][0]["error"]["message"].startswith(f"GET {BASE}")


def test_missing_platform(servers, pull):
    servers.registry.add_index("a/b", "latest")
    result = pull("a/b", registry_url=BASE, platforms=["linux/s390x"])
    assert result["images"][0]["diagnosis"]["code"] == "platform_missing"
    assert "Available: linux/amd64, linux/arm64" in result["msg"]


def test_skipped_images_have_the_cause_of_the_failures(servers, pull):
    servers.registry.challenge = "Bearer"
    result = pull(*(f"a/b:{number}" for number in range(6)), threads=1, **THROUGH)
    assert [image["status"] for image in result["images"]] == ["failed"] * 3 + ["skipped"] * 3
    assert {image["ok"] for image in result["images"]} == {False}
    assert result["totals"]["failed"] == 6 and result["totals"]["skipped"] == 3
    assert result["images"][5]["diagnosis"]["code"] == "skipped"
    assert result["images"][5]["diagnosis"]["fix"] == result["images"][0]["diagnosis"]["fix"]
    assert len(result["msg"].splitlines()) == 3 and len(servers.requested("/manifests/")) == 3


def test_outdated_tag_is_explained_and_not_a_failure(servers, pull):
    servers.registry.add_image("cgr-private/a/b", "latest", layers=[b"old"])
    newer = servers.upstream.add_image("a/b", "latest", layers=[b"new"])
    servers.registry.add_image("cgr-private/a/b", layers=[b"new"])
    (image,) = pull("a/b", upstream_url=UPSTREAM, **THROUGH)["images"]
    assert image["ok"] is True and image["outdated"] is True and image["upstream_digest"] == newer["digest"]
    assert image["diagnosis"]["code"] == "outdated" and "7200 seconds" in image["diagnosis"]["cause"]


def test_upstream_credentials(servers, pull):
    servers.registry.add_image("a/b", "latest")
    servers.upstream.add_image("a/b", "latest")
    servers.upstream.challenge = f'Bearer realm="{UPSTREAM}/token"'
    pull("a/b", registry_url=BASE, upstream_url=UPSTREAM, upstream_username="u", upstream_password="p")
    (token,) = [request for request in servers.transport.requests if "/token" in request.url]
    assert token.headers["Authorization"] == basic_authorization("u", "p")
    assert servers.requested(f"{UPSTREAM}/v2/a/b/manifests/latest")


def test_from_upstream(servers, pull):
    servers.registry.add_image("cgr-private/a/b", "latest")
    (image,) = pull("a/b", from_upstream="required", **THROUGH)["images"]
    assert image["from_upstream"] is True and "was not in cgr-private-cache before" in image["from_upstream_evidence"]


def test_not_from_upstream(servers, pull):
    servers.registry.add_image("cgr-private/a/b", "latest")
    servers.cached.add("a/b/latest/manifest.json")
    result = pull("a/b", from_upstream="required", **THROUGH)
    (image,) = result["images"]
    assert (image["ok"], image["from_upstream"], image["diagnosis"]["code"]) == (False, False, "served_from_cache")
    assert "cannot be expired" in result["msg"]


@pytest.mark.parametrize(
    "config", [ScriptedResponse(200, {**CONFIG, "rclass": "virtual"}), ScriptedResponse(403, "no")]
)
def test_from_upstream_is_unknown_for_other_than_remote_repositories(servers, pull, config):
    servers.registry.add_image("cgr-private/a/b", "latest")
    servers.config = config
    (image,) = pull("a/b", from_upstream="preferred", **THROUGH)["images"]
    assert (
        image["ok"] is True
        and image["from_upstream"] is None
        and "is not a remote repository" in image["from_upstream_evidence"]
    )
    assert not servers.requested("/api/storage/")


def test_from_upstream_is_unknown_without_artifactory(servers, pull):
    servers.registry.add_image("a/b", "latest")
    assert pull("a/b", from_upstream="preferred", registry_url=BASE)["images"][0]["from_upstream"] is None


def test_check_mode_sends_no_requests(servers, run_module):
    result = run_module(registry_pull, servers.transport, check=True, images=["a/b", "a/b", "a/c:1"], **THROUGH)
    assert result["changed"] is False and not servers.transport.requests
    assert [(image["reference"], image["status"], image["ok"]) for image in result["images"]] == [
        (f"{HOST}/cgr-private/a/b", "skipped", None),
        (f"{HOST}/cgr-private/a/c:1", "skipped", None),
    ]
    assert result["totals"]["skipped"] == 2 and result["totals"]["failed"] == 0
    assert result["summary"][0] == f"{HOST}/cgr-private/a/b: not pulled in check mode."


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"images": []}, "images is empty"),
        ({"images": ["UPPER/case"]}, "no valid name"),
        ({"images": [f"{HOST}/a/b"]}, f"begins with the host {HOST}"),
        ({"images": ["cgr.example.net/a/b"], "upstream_url": UPSTREAM}, "begins with the host cgr.example.net"),
        ({"platforms": ["amd64"]}, "is not a platform"),
        ({"threads": 0}, "threads is 0"),
        ({"threads": 33}, "from 1 to 32"),
        ({"repository": "Cgr_"}, "The repository key has no valid name"),
        ({"registry_url": "cgr.dev"}, "registry_url is not a URL"),
        ({"registry_url": f"{BASE}/v2"}, "registry_url has a path"),
        ({"registry_url": "https://u:p@h"}, "registry_url must not contain credentials"),
        ({"upstream_url": "https://cgr.dev/chainguard"}, "upstream_url has a path"),
        ({"upstream_url": "cgr.dev"}, "upstream_url is not a URL"),
        ({"artifactory_url": None}, "registry_url is missing"),
        ({"from_upstream": "required"}, "from_upstream=required needs Artifactory"),
        ({"username": "u"}, "password"),
        ({"upstream_username": "somebody", "upstream_password": "password"}, "upstream_url"),
        ({"depth": "layers"}, "value of depth must be one of"),
        ({"depth": "resolve", "from_upstream": "preferred", "repository": "a"}, "cannot be used with depth=resolve"),
        ({"depth": "manifest", "referrers": True}, "referrers cannot be used with depth=manifest"),
        ({"max_bytes": "0"}, "max_bytes is 0"),
        ({"bytes_per_second": "0"}, "bytes_per_second is 0"),
        ({"requests_per_second": 0}, "requests_per_second is 0"),
        ({"max_seconds": 0}, "max_seconds is 0"),
    ],
)
@pytest.mark.parametrize("check", [False, True], ids=["real", "check"])
def test_invalid_options(servers, run_module, monkeypatch, options, message, check):
    monkeypatch.delenv("REGISTRY_URL", raising=False)
    options = {"images": ["a/b"], **ARTIFACTORY, **options}
    result = run_module(registry_pull, servers.transport, check=check, **options)
    assert result["failed"] is True and message in result["msg"] and not servers.transport.requests


def test_registry_url_from_the_environment(servers, pull, monkeypatch):
    monkeypatch.setenv("REGISTRY_URL", BASE)
    servers.registry.add_image("a/b", "latest")
    assert pull("a/b")["images"][0]["ok"] is True


def test_helm_chart(servers, pull):
    kind = "application/vnd.cncf.helm.config.v1+json"
    config = servers.registry.add_blob("cgr-private/charts/redis", b"{}", kind)
    layer = servers.registry.add_blob("cgr-private/charts/redis", b"chart", "application/x")
    document = {"schemaVersion": 2, "config": config, "layers": [layer]}
    servers.registry.add_manifest("cgr-private/charts/redis", document, "1.0.0")
    result = pull("charts/redis:1.0.0", from_upstream="required", **THROUGH)
    (image,) = result["images"]
    assert (image["ok"], image["from_upstream"], image["platforms"], image["artifact_type"]) == (True, True, {}, kind)
    assert f"; {kind}; 1 layer, 0.0 MB; from upstream." in result["summary"][0]


def test_list_of_repositories(servers, pull):
    for key in ("cgr-private", "cgr-other", "cgr-third"):
        servers.registry.add_image(f"{key}/a/b", "latest")
    remotes = [{**CONFIG, "key": key} for key in ("cgr-private", "cgr-other")]
    servers.configurations = ScriptedResponse(200, {"REMOTE": remotes, "VIRTUAL": [{"key": "cgr-third"}]})
    result = pull(
        pulls=[
            {"repository": "cgr-private", "images": ["a/b"], "from_upstream": "required"},
            {"repository": "cgr-other", "images": ["a/b", "a/bad"]},
            {"repository": "cgr-third", "images": ["a/b"], "from_upstream": "preferred"},
        ],
        **ARTIFACTORY,
    )
    verified, bad, virtual = result["pulls"]
    assert [item["repository"] for item in result["pulls"]] == ["cgr-private", "cgr-other", "cgr-third"]
    assert [item["failed"] for item in result["pulls"]] == [False, True, False]
    assert verified["images"][0]["from_upstream"] is True and "from upstream" in verified["summary"][0]
    assert [image["status"] for image in bad["images"]] == ["pulled", "failed"] and len(bad["summary"]) == 1
    assert "is not a remote repository" in virtual["images"][0]["from_upstream_evidence"]
    assert result["failed"] is True and result["msg"] == bad["msg"]
    assert bad["msg"].startswith("1 of 2 images failed.")
    assert servers.requested("/api/repositories/") == [
        f"{BASE}/artifactory/api/repositories/configurations?repoType=remote%2Cvirtual"
    ]
    for name in ("images", "failed", "skipped", "bytes", "requests"):
        assert result["totals"][name] == sum(item["totals"][name] for item in result["pulls"])
    assert result["totals"]["images"] == 4 and verified["totals"]["images"] == 1


def test_each_configuration_is_read_once_if_they_cannot_be_listed(servers, pull):
    servers.registry.add_image("cgr-private/a/b", "latest")
    servers.configurations = ScriptedResponse(403, {"errors": [{"status": 403, "message": "Forbidden"}]})
    item = {"repository": "cgr-private", "from_upstream": "required"}
    result = pull(pulls=[{**item, "images": ["a/b"]}, {**item, "images": ["a/none"]}], **ARTIFACTORY)
    assert [part["failed"] for part in result["pulls"]] == [False, True]
    assert [url.rpartition("/")[2].partition("?")[0] for url in servers.requested("/api/repositories/")] == [
        "configurations",
        "cgr-private",
    ]


def test_rejected_credentials_skip_the_rest_of_all_items(servers, pull):
    servers.registry.challenge = "Bearer"
    pulls = [{"repository": f"key-{number}", "images": ["a/b"]} for number in range(5)]
    result = pull(pulls=pulls, threads=1, **ARTIFACTORY)
    assert [item["totals"]["skipped"] for item in result["pulls"]] == [0, 0, 0, 1, 1]
    assert len(servers.requested("/manifests/")) == 3


def token_requests(servers):
    return [request.headers.get("Authorization") for request in servers.transport.requests if "/token" in request.url]


@pytest.fixture
def private_upstream(servers):
    """An upstream that requires a token for the image a/b."""
    servers.upstream.challenge = f'Bearer realm="{UPSTREAM}/token"'
    servers.upstream.add_image("a/b", "latest")
    return servers.upstream


def test_each_item_pulls_directly_with_its_own_credentials(servers, pull, private_upstream):
    items = [
        {"name": f"token {user}", "registry_url": UPSTREAM, "username": user, "password": f"secret-{user}"}
        for user in ("one", "two", "three")
    ]
    result = pull(pulls=[{**item, "images": ["a/b"]} for item in items], depth="manifest", **ARTIFACTORY)
    assert [(item["name"], item["repository"]) for item in result["pulls"]] == [
        ("token one", None),
        ("token two", None),
        ("token three", None),
    ]
    assert [item["images"][0]["reference"] for item in result["pulls"]] == ["cgr.example.net/a/b"] * 3
    assert sorted(token_requests(servers)) == sorted(
        basic_authorization(item["username"], item["password"]) for item in items
    )
    assert len(servers.requested("/manifests/")) == 3, "each item is verified with its own credentials"
    assert not servers.requested(HOST) and "secret-" not in json.dumps(result["pulls"])


def test_an_item_without_credentials_takes_those_of_the_module(servers, pull, private_upstream):
    items = [{"images": ["a/b"]}, {"images": ["a/b"], "username": "own", "password": "secret"}]
    result = pull(pulls=items, registry_url=UPSTREAM, username="common", password="hidden")
    assert [item["failed"] for item in result["pulls"]] == [False, False]
    assert sorted(token_requests(servers)) == sorted(
        [basic_authorization("common", "hidden"), basic_authorization("own", "secret")]
    )


def test_credentials_of_the_module_are_not_sent_to_the_registry_of_an_item(servers, pull, private_upstream):
    pull(pulls=[{"images": ["a/b"], "registry_url": UPSTREAM}], registry_url=BASE, username="u", password="p")
    assert token_requests(servers) == [None]


def test_a_denied_item_is_retried_until_its_token_has_propagated(servers, pull, private_upstream):
    denials = {basic_authorization("new", "secret"): 2}

    def registry(request):
        authorization = request.headers.get("Authorization", "")
        if "/token" in request.url and denials.get(authorization, 0):
            denials[authorization] -= 1
            return ScriptedResponse(403, {"errors": [{"code": "DENIED", "message": "not allowed"}]})
        return private_upstream(request)

    servers.upstream = registry
    items = [
        {"name": user, "registry_url": UPSTREAM, "username": user, "password": "secret", "images": ["a/b"]}
        for user in ("old", "new")
    ]
    result = pull(pulls=items, propagation_timeout=30)
    assert [item["images"][0]["ok"] for item in result["pulls"]] == [True, True]
    assert sorted(token_requests(servers)) == sorted(
        [basic_authorization("old", "secret")] + [basic_authorization("new", "secret")] * 3
    )
    assert result["totals"]["requests"] == len(servers.transport.requests)


def test_a_pull_through_a_repository_is_not_retried(servers, pull):
    servers.registry.plays["/v2/cgr-private/a/b/manifests/latest"] = [ScriptedResponse(403)]
    assert pull("a/b", propagation_timeout=30, **THROUGH)["failed"] is True
    assert len(servers.requested("/manifests/")) == 1


def test_list_of_repositories_in_check_mode(servers, run_module):
    pulls = [{"repository": "one", "images": ["a/b"]}, {"repository": "two", "images": ["a/c"]}]
    result = run_module(registry_pull, servers.transport, check=True, pulls=pulls, **ARTIFACTORY)
    assert not servers.transport.requests and result["totals"]["skipped"] == 2
    assert [item["summary"] for item in result["pulls"]] == [
        [f"{HOST}/one/a/b: not pulled in check mode."],
        [f"{HOST}/two/a/c: not pulled in check mode."],
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pulls": []}, "pulls is empty"),
        ({"pulls": [{"images": ["a/b"]}, {"repository": "two", "images": []}]}, "pulls[1] (two): images is empty"),
        ({"pulls": [{"repository": "one"}]}, "missing required arguments: images"),
        (
            {"pulls": [{"images": ["a/b"], "from_upstream": "required"}]},
            "pulls[0]: from_upstream=required needs Artifactory",
        ),
        ({"pulls": [{"images": ["a/b"], "upstream_username": "u"}]}, "upstream_password"),
        ({"pulls": [{"images": ["a/b"], "username": "u"}]}, "parameters are required together: username, password"),
        ({"pulls": [{"name": "x", "images": []}]}, "pulls[0] (x): images is empty"),
        ({"pulls": [{"images": ["a/b"]}], "propagation_timeout": -1}, "propagation_timeout is -1"),
        ({"pulls": [{"images": ["a/b"]}], "images": ["a/b"]}, "mutually exclusive: images|pulls"),
        ({"pulls": [{"images": ["a/b"]}], "from_upstream": "ignored"}, "mutually exclusive: from_upstream|pulls"),
        ({}, "one of the following is required: images, pulls"),
    ],
)
def test_invalid_list(servers, run_module, options, message):
    result = run_module(registry_pull, servers.transport, **ARTIFACTORY, **options)
    assert result["failed"] is True and message in result["msg"] and not servers.transport.requests


def test_plan_from_upstream_manifests(servers, run_module):
    image = servers.upstream.add_image("a/b", layers=[b"one", b"two2"])
    root = servers.upstream.add_index("a/b", "latest", entries=[image])
    servers.upstream.add_index("a/b", "again", entries=[image])
    options = {"images": ["a/b", "a/b:again"], "upstream_url": UPSTREAM, **THROUGH}
    result = run_module(registry_pull, servers.transport, check=True, **options)
    assert not servers.requested(BASE) and not servers.requested("/blobs/")
    (requested,) = [request for request in servers.transport.requests if request.url.endswith(image["digest"])]
    config = json.loads(servers.upstream(requested).body)["config"]["size"]
    assert result["plan"] == {"images": 2, "layers": 2, "bytes": 7 + config}
    image = result["images"][0]
    assert (image["status"], image["ok"], image["digest"]) == ("skipped", None, None)
    assert (image["upstream_digest"], image["layers"]) == (root["digest"], 2)
    assert result["summary"][0] == f"{HOST}/cgr-private/a/b: would pull {root['digest']}; 2 layers, 0.0 MB."


def test_plan_fails_for_an_image_that_is_missing_upstream(servers, run_module):
    options = {"images": ["a/b"], "upstream_url": UPSTREAM, **THROUGH}
    result = run_module(registry_pull, servers.transport, check=True, **options)
    assert result["failed"] is True and result["images"][0]["diagnosis"]["code"] == "upstream_gone"
    assert not servers.requested(BASE)


def test_unusable_resume_file(servers, pull, tmp_path):
    result = pull("a/b", registry_url=BASE, resume_file=str(tmp_path))
    assert "resume_file cannot be used" in result["msg"] and not servers.transport.requests


def test_plan_without_upstream_counts_images_only(servers, run_module):
    result = run_module(registry_pull, servers.transport, check=True, images=["a/b", "a/c"], **THROUGH)
    assert result["plan"] == {"images": 2, "layers": None, "bytes": None}


def test_pulled_layers_are_not_planned(servers, pull, run_module, tmp_path):
    file = str(tmp_path / "pulled.jsonl")
    for registry, name in ((servers.registry, "cgr-private/a/b"), (servers.upstream, "a/b")):
        registry.add_index(name, "latest", entries=[registry.add_image(name, layers=[b"one"])])
    pull("a/b", resume_file=file, **THROUGH)
    before = (tmp_path / "pulled.jsonl").read_text()
    options = {"images": ["a/b"], "upstream_url": UPSTREAM, "resume_file": file, **THROUGH}
    result = run_module(registry_pull, servers.transport, check=True, **options)
    assert result["plan"] == {"images": 1, "layers": 0, "bytes": 0}
    assert before and "access-token" not in before and (tmp_path / "pulled.jsonl").read_text() == before


def test_limit_is_reported_and_not_a_failure(servers, pull):
    for tag in ("1", "2"):
        servers.registry.add_image("a/b", tag, layers=[b"x" * 100 + tag.encode()])
    result = pull("a/b:1", "a/b:2", registry_url=BASE, max_bytes="150", threads=1)
    assert "failed" not in result and result["limit"] == "max_bytes (150)"
    assert [image["status"] for image in result["images"]] == ["pulled", "skipped"]
    assert (result["images"][1]["ok"], result["images"][1]["diagnosis"]["code"]) == (None, "limit")
    assert result["totals"]["skipped"] == 1 and result["totals"]["failed"] == 0
    assert result["summary"][1] == f"{HOST}/a/b:2: Not pulled because max_bytes (150) was reached."
    assert result["warnings"] == ["The run ended because max_bytes (150) was reached. Images that were not pulled: 1."]


def test_canary(servers, pull):
    servers.registry.add_image("a/b", "latest")
    result = pull("a/none", "a/b", registry_url=BASE, canary=True)
    assert [image["status"] for image in result["images"]] == ["failed", "skipped"]
    assert result["images"][1]["diagnosis"]["code"] == "skipped" and "canary" in result["msg"]


def test_referrers_and_progress(servers, pull, tmp_path):
    servers.registry.add_image("a/b", "latest")
    result = pull("a/b", registry_url=BASE, referrers=True, progress_file=str(tmp_path / "progress"))
    assert result["images"][0]["referrers"] == 0 and "0 referrers" in result["summary"][0]
    first, last = (tmp_path / "progress").read_text().splitlines()
    assert first.endswith("Z started")
    assert last.endswith("manifests of 1 of 1 images; 1 of 1 layers and configurations, 0.0 MB")


def test_depth_resolve(servers, pull):
    image = servers.registry.add_image("a/b", "latest")
    result = pull("a/b", registry_url=BASE, depth="resolve")
    assert result["images"][0]["digest"] == image["digest"] and "digest only" in result["summary"][0]
    assert "resolved sha256:" in result["summary"][0] and "pulled" not in result["summary"][0]


def test_a_sub_domain_for_each_repository(servers, pull):
    servers.registry.add_image("a/b", "1")
    host = BASE.partition("://")[2].partition(".")
    result = pull("a/b:1", registry_url=f"https://{{key}}.{host[2]}", repository=host[0])
    assert result["images"][0]["ok"] is True
    assert result["images"][0]["reference"] == f"{host[0]}.{host[2]}/a/b:1"
    result = pull("a/b:1", registry_url="https://{key}.example.com")
    assert result["failed"] and "repository is missing" in result["msg"]


def test_the_host_of_a_token_service_must_be_a_host(pull):
    result = pull("a/b", registry_url=BASE, token_service_hosts=["https://auth.example.com/"])
    assert result["failed"] and "token_service_hosts has" in result["msg"]


def test_a_token_service_on_another_host_is_named(servers, pull, monkeypatch):
    servers.registry.challenge = 'Bearer realm="https://auth.example.com/token",service="s"'
    servers.registry.plays["/token"] = [ScriptedResponse(200, {"token": "anonymous"})]
    monkeypatch.setattr(servers.transport, "_respond", servers.registry)
    result = pull("a/b", registry_url=BASE, username="u", password="pass-phrase")
    assert result["images"][0]["diagnosis"]["code"] == "credentials_withheld"
    assert "auth.example.com" in result["msg"] and "token_service_hosts" in result["msg"]


def test_a_failure_of_a_virtual_repository_names_its_member(servers, pull):
    virtual = {"key": "all", "rclass": "virtual", "packageType": "docker", "repositories": ["cgr-private"]}
    servers.configs["all"] = ScriptedResponse(200, virtual)
    servers.configs["cgr-private"] = ScriptedResponse(200, {**CONFIG, "offline": True})
    result = pull("example.com/nginx", **{**ARTIFACTORY, "repository": "all"})
    diagnosis = result["images"][0]["diagnosis"]
    assert diagnosis["code"] == "offline" and "its member cgr-private fails" in diagnosis["cause"]
