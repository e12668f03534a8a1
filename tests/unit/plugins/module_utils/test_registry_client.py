# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import gzip
import hashlib
import http.server
import json
import threading

import pytest
from fake_registry import FakeRegistry, TruncatedResponse, sha256, unknown_manifest
from scripted import ScriptedResponse, ScriptedTransport

from ansible_collections.cgr.pull_through.plugins.module_utils._circuit_breaker import SkippedError
from ansible_collections.cgr.pull_through.plugins.module_utils._credentials import Credentials
from ansible_collections.cgr.pull_through.plugins.module_utils._download_errors import DownloadError
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InvalidContentError, TransportError
from ansible_collections.cgr.pull_through.plugins.module_utils._http import Request, RequestsTransport
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._client import Registry
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._manifest import (
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    parse_manifest,
)

BASE = "https://registry.example.com"
STORAGE = "https://blobs.example.net"
BLOB = b"the content of a layer" * 100
ENCODED = gzip.compress(BLOB, mtime=0)


def open_registry(fake, credentials=Credentials()):
    delays, transport = [], ScriptedTransport(respond=fake)
    registry = Registry(fake.base, credentials, transport=transport, sleep=delays.append)
    return registry, transport, delays


def descriptor(body, digest=""):
    return Descriptor("application/octet-stream", digest or sha256(body), len(body))


def registry_with_blob(*plays, body=BLOB):
    """Return a registry, its transport, and a blob for which it returns plays first."""
    fake = FakeRegistry()
    blob = descriptor(body)
    fake.add_blob("a/b", body)
    path = f"/v2/a/b/blobs/{blob.digest}"
    fake.plays[path] = [*plays, ScriptedResponse(200, body)]
    return fake, blob, path


def registry_with_manifest(*plays):
    fake = FakeRegistry()
    fake.plays["/v2/a/b/manifests/1"] = list(plays)
    return fake


def cut():
    return TransportError("registry.example.com cut the connection.", method="GET", url=BASE)


def manifest_requests(transport):
    return sum("/manifests/" in url for _method, url in transport.calls)


# Manifests


def test_accept_header_has_the_four_types_and_no_wildcard():
    fake = FakeRegistry()
    fake.add_image("a/b", "1")
    registry, transport, _pauses = open_registry(fake)
    registry.get_manifest("a/b", "1")
    accept = transport.requests[-1].headers["Accept"]
    assert set(accept.split(", ")) == {OCI_INDEX, DOCKER_INDEX, OCI_MANIFEST, DOCKER_MANIFEST} and "*" not in accept
    assert not [request for request in transport.requests if "Range" in request.headers]


@pytest.mark.parametrize(
    ("document", "content_type", "media_type"),
    [
        ({"mediaType": DOCKER_INDEX, "manifests": []}, "application/json", DOCKER_INDEX),
        ({"mediaType": OCI_INDEX, "manifests": []}, DOCKER_MANIFEST, OCI_INDEX),
        ({"manifests": []}, f"{DOCKER_INDEX}; charset=utf-8", DOCKER_INDEX),
        ({"manifests": []}, "application/json", OCI_INDEX),
        ({"manifests": []}, "", OCI_INDEX),
    ],
)
def test_media_type_is_from_the_body_then_the_header_then_the_fields(document, content_type, media_type):
    media_types = parse_manifest(json.dumps(document).encode(), content_type, digest="sha256:x", url=BASE)
    assert media_types.media_type == media_type and media_types.is_index


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "content"),
        (b"[]", "content"),
        (b'{"schemaVersion": 2', "content"),
        (b'{"schemaVersion": 2}', "content"),
        (b'{"mediaType": "application/vnd.cyclonedx+json", "bomFormat": "x"}', "content"),
        (b'{"schemaVersion": 1, "fsLayers": []}', "schema1"),
        (b'{"manifests": [{"digest": "sha256:x", "size": 1}]}', "content"),
        (b'{"manifests": [{"size": 1}]}', "content"),
        (b'{"manifests": ["x"]}', "content"),
        (b'{"manifests": [{"digest": "md5:x", "size": 1}]}', "content"),
        (json.dumps({"manifests": [{"digest": sha256(b""), "size": -1}]}).encode(), "content"),
        (json.dumps({"manifests": [{"digest": sha256(b""), "size": True}]}).encode(), "content"),
        (json.dumps({"manifests": [{"digest": sha256(b""), "size": 2, "data": "e30="}]}).encode(), "content"),
        (json.dumps({"manifests": [{"digest": sha256(b"{}"), "size": 2, "data": "no"}]}).encode(), "content"),
    ],
)
def test_invalid_manifests(body, reason):
    with pytest.raises(InvalidContentError) as caught:
        parse_manifest(body, "application/json", digest="sha256:x", url=BASE)
    assert caught.value.reason == reason


def test_embedded_content_is_verified():
    entry = {"digest": sha256(b"{}"), "size": 2, "data": base64.b64encode(b"{}").decode()}
    manifest = parse_manifest(json.dumps({"manifests": [entry]}).encode(), "", digest="sha256:x", url=BASE)
    assert manifest.entries[0].digest == sha256(b"{}")


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_manifest_matches_the_requested_digest(algorithm):
    fake = FakeRegistry()
    body = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}).encode()
    digest = f"{algorithm}:{hashlib.new(algorithm, body).hexdigest()}"
    fake.plays[f"/v2/a/b/manifests/{digest}"] = [ScriptedResponse(200, body)]
    registry, _transport, _pauses = open_registry(fake)
    assert registry.get_manifest("a/b", digest).digest == digest


def test_digest_of_a_tag_is_computed_without_a_header():
    body = json.dumps({"manifests": []}).encode()
    registry, _transport, _pauses = open_registry(registry_with_manifest(ScriptedResponse(200, body)))
    assert registry.get_manifest("a/b", "1").digest == sha256(body)


def test_manifest_with_a_wrong_digest_is_requested_again():
    fake = FakeRegistry()
    good = fake.add_image("a/b", "1")
    path = f"/v2/a/b/manifests/{good['digest']}"
    fake.plays[path] = [ScriptedResponse(200, {"manifests": []}), fake(Request("GET", BASE + path))]
    registry, transport, delays = open_registry(fake)
    assert registry.get_manifest("a/b", good["digest"]).digest == good["digest"]
    assert manifest_requests(transport) == 2 and len(delays) == 1

    fake.plays[path] = [ScriptedResponse(200, {"manifests": []})]
    registry, transport, _pauses = open_registry(fake)
    with pytest.raises(InvalidContentError) as caught:
        registry.get_manifest("a/b", good["digest"])
    assert caught.value.reason == "digest" and manifest_requests(transport) == 2


def test_manifest_that_does_not_match_its_header():
    play = ScriptedResponse(200, {"manifests": []}, {"Docker-Content-Digest": sha256(b"other")})
    registry, _transport, _pauses = open_registry(registry_with_manifest(play))
    with pytest.raises(InvalidContentError) as caught:
        registry.get_manifest("a/b", "1")
    assert caught.value.reason == "digest"


def test_manifest_with_another_size_than_its_descriptor():
    fake = FakeRegistry()
    entry = fake.add_image("a/b", "1")
    registry, _transport, _pauses = open_registry(fake)
    with pytest.raises(InvalidContentError) as caught:
        registry.get_manifest("a/b", entry["digest"], Descriptor(OCI_MANIFEST, entry["digest"], entry["size"] + 1))
    assert caught.value.reason == "size"


def test_huge_manifest_is_not_read_completely():
    registry, _transport, _pauses = open_registry(registry_with_manifest(ScriptedResponse(200, b" " * (5 << 20))))
    with pytest.raises(InvalidContentError, match="more than 4 MiB"):
        registry.get_manifest("a/b", "1")


@pytest.mark.parametrize(
    "play",
    [
        ScriptedResponse(200, "<!doctype html><title>Log in</title>"),
        ScriptedResponse(200, "welcome", {"Content-Type": "text/html; charset=utf-8"}),
    ],
)
def test_html_page_instead_of_a_manifest_is_not_requested_again(play):
    registry, transport, _pauses = open_registry(registry_with_manifest(play))
    with pytest.raises(InvalidContentError) as caught:
        registry.get_manifest("a/b", "1")
    assert caught.value.reason == "html" and manifest_requests(transport) == 1


# Error responses


@pytest.mark.parametrize(
    ("play", "response_message", "code", "html"),
    [
        (unknown_manifest(), "The named manifest is not known to the registry.", "MANIFEST_UNKNOWN", False),
        (ScriptedResponse(403, {"errors": [{"status": 403, "message": "No."}]}), "No.", "", False),
        (ScriptedResponse(404, {"errors": [{"code": "NAME_UNKNOWN"}]}), "NAME_UNKNOWN", "NAME_UNKNOWN", False),
        (ScriptedResponse(400, {"errors": []}), '{"errors": []}', "", False),
        (ScriptedResponse(400, {"errors": "many"}), '{"errors": "many"}', "", False),
        (ScriptedResponse(404, "<html><title>404\nNot Found</title>"), "an HTML page titled", "", True),
        (ScriptedResponse(404, "", {"Content-Type": "text/html"}), "an HTML page", "", True),
        (
            ScriptedResponse(403, "<?xml version='1.0'?><Code>X</Code>"),
            "<?xml version='1.0'?><Code>X</Code>",
            "",
            False,
        ),
        (ScriptedResponse(404, "plain"), "plain", "", False),
        (ScriptedResponse(404), "", "", False),
    ],
)
def test_error_responses_are_parsed_and_not_retried(play, response_message, code, html):
    registry, transport, delays = open_registry(registry_with_manifest(play))
    with pytest.raises(DownloadError) as caught:
        registry.get_manifest("a/b", "1")
    error = caught.value
    assert error.response_message.startswith(response_message) and (error.code, error.html) == (code, html)
    assert error.details()["status"] == play.status and error.details()["code"] == code
    assert manifest_requests(transport) == 1 and not delays


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_retryable_status_is_tried_three_times(status):
    registry, transport, delays = open_registry(registry_with_manifest(ScriptedResponse(status, "busy")))
    with pytest.raises(DownloadError):
        registry.get_manifest("a/b", "1")
    assert manifest_requests(transport) == 3 and len(delays) == 2


def test_retry_succeeds():
    fake = FakeRegistry()
    fake.add_image("a/b", "2")
    good = fake(Request("GET", f"{BASE}/v2/a/b/manifests/2"))
    fake.plays["/v2/a/b/manifests/1"] = [cut(), ScriptedResponse(429, "", {"Retry-After": "7"}), good]
    registry, _transport, delays = open_registry(fake)
    assert registry.get_manifest("a/b", "1").layers
    assert delays[1] == 7.0


def test_long_retry_after_ends_the_downloads_from_the_server():
    registry, transport, delays = open_registry(
        registry_with_manifest(ScriptedResponse(429, "", {"Retry-After": "3600"}))
    )
    for _number in range(3):
        with pytest.raises(DownloadError, match="asks to wait for 3600 seconds"):
            registry.get_manifest("a/b", "1")
    with pytest.raises(SkippedError):
        registry.get_manifest("a/b", "1")
    assert delays == [] and manifest_requests(transport) == 3


@pytest.mark.parametrize(
    ("link", "message"),
    [
        pytest.param('</v2/x?n=1>; rel="next"', "repeats a page", id="repeated"),
        pytest.param(None, "more than 20 pages", id="endless"),
    ],
)
def test_endless_list_of_referrers_is_an_error(link, message):
    numbers = iter(range(100))

    def respond(request):
        if "/referrers/" not in request.url:
            return ScriptedResponse(200, {})
        return ScriptedResponse(200, {"manifests": []}, {"Link": link or f"<?page={next(numbers)}>; rel=next"})

    registry = Registry(BASE, Credentials(), transport=ScriptedTransport(respond=respond))
    with pytest.raises(InvalidContentError, match=message):
        registry.list_referrers("a/b", sha256(b""))


def test_permanent_connection_failure_is_not_retried():
    error = TransportError("not trusted.", method="GET", url=BASE, transient=False)
    registry, transport, _pauses = open_registry(registry_with_manifest(error))
    with pytest.raises(TransportError):
        registry.get_manifest("a/b", "1")
    assert manifest_requests(transport) == 1


# Blobs


def test_blob_is_verified_and_counted():
    fake, blob, _path = registry_with_blob()
    registry, _transport, _pauses = open_registry(fake)
    registry.download_blob("a/b", blob)
    assert registry.stats.bytes == len(BLOB) and registry.stats.requests == 2


@pytest.mark.parametrize("body", [b"", b"{}"], ids=["nothing", "empty object"])
def test_empty_blob(body):
    fake, blob, _path = registry_with_blob(body=body)
    registry, _transport, _pauses = open_registry(fake)
    registry.download_blob("a/b", blob)
    assert registry.stats.bytes == len(body)


def test_blob_with_a_sha512_digest():
    fake = FakeRegistry()
    blob = descriptor(BLOB, f"sha512:{hashlib.sha512(BLOB).hexdigest()}")
    fake.add_blob("a/b", BLOB, digest=blob.digest)
    registry, _transport, _pauses = open_registry(fake)
    registry.download_blob("a/b", blob)
    assert registry.stats.bytes == len(BLOB)


@pytest.mark.parametrize(
    ("body", "reason"),
    [(BLOB[:-1], "size"), (BLOB + b"x", "size"), (BLOB[:-1] + b"?", "digest"), (b"", "size")],
    ids=["truncated", "oversize", "changed", "empty"],
)
def test_blob_that_does_not_match_its_descriptor_is_downloaded_again(body, reason):
    fake, blob, path = registry_with_blob(ScriptedResponse(200, body))
    registry, transport, delays = open_registry(fake)
    registry.download_blob("a/b", blob)
    assert len(delays) == 1

    fake.plays[path] = [ScriptedResponse(200, body)]
    with pytest.raises(InvalidContentError) as caught:
        registry.download_blob("a/b", blob)
    assert caught.value.reason == reason and len(delays) == 2
    assert transport.calls[-1] == ("GET", f"{BASE}{path}")


def test_oversized_blob_is_not_read_completely():
    endless = ScriptedResponse(200, b"x" * (40 << 20))
    fake, blob, path = registry_with_blob(endless)
    fake.plays[path] = [endless]
    registry, _transport, _pauses = open_registry(fake)
    with pytest.raises(InvalidContentError):
        registry.download_blob("a/b", blob)
    assert registry.stats.bytes == 2 << 20 and endless.closed


def test_interrupted_blob_is_downloaded_twice_more():
    fake, blob, path = registry_with_blob(TruncatedResponse(200, BLOB), TruncatedResponse(200, BLOB))
    registry, transport, delays = open_registry(fake)
    registry.download_blob("a/b", blob)
    assert len(delays) == 2
    assert not [request for request in transport.requests if "Range" in request.headers]

    fake.plays[path] = [TruncatedResponse(200, BLOB)]
    with pytest.raises(TransportError):
        registry.download_blob("a/b", blob)


def test_html_page_instead_of_a_blob():
    page = ScriptedResponse(200, "<html>", {"Content-Type": "text/html"})
    fake, blob, path = registry_with_blob(page)
    fake.plays[path] = [page]
    registry, _transport, delays = open_registry(fake)
    with pytest.raises(InvalidContentError) as caught:
        registry.download_blob("a/b", blob)
    assert caught.value.reason == "html" and not delays


def test_proxy_that_encodes_content_is_reported():
    encoded = ScriptedResponse(200, ENCODED, {"Content-Encoding": "gzip"})
    fake, blob, path = registry_with_blob(encoded)
    fake.plays[path] = [encoded]
    registry, _transport, _pauses = open_registry(fake)
    with pytest.raises(InvalidContentError) as caught:
        registry.download_blob("a/b", blob)
    assert "A proxy encodes the content (gzip)" in caught.value.hint


def test_configuration_is_verified():
    fake, blob, _path = registry_with_blob(body=b'{"os": "linux"}')
    registry, _transport, _pauses = open_registry(fake)
    assert registry.get_config("a/b", blob) == {"os": "linux"}


@pytest.mark.parametrize("body", [b"[]", b"\x1f\x8b"])
def test_invalid_configuration_is_empty(body):
    fake, blob, _path = registry_with_blob(body=body)
    registry, _transport, _pauses = open_registry(fake)
    assert registry.get_config("a/b", blob) == {}


def test_huge_configuration_is_not_downloaded():
    registry, transport, _pauses = open_registry(FakeRegistry())
    with pytest.raises(InvalidContentError):
        registry.get_config("a/b", Descriptor("", sha256(b""), 5 << 20))
    assert not transport.requests


# Redirects


def redirect(target, status=307):
    return ScriptedResponse(status, "moved", {"Location": target})


def registry_with_redirect(*targets, needs_credentials=False):
    fake = FakeRegistry(challenge='Basic realm="x"' if needs_credentials else "")
    blob = descriptor(BLOB)
    path = f"/v2/a/b/blobs/{blob.digest}"
    fake.plays[path] = [redirect(targets[0])]
    for number, target in enumerate(targets[1:]):
        fake.plays[f"/hop{number}"] = [redirect(target)]
    fake.plays["/content"] = [ScriptedResponse(200, BLOB)]
    return fake, blob


@pytest.mark.parametrize(
    ("target", "sent_to"),
    [
        (f"{STORAGE}/content?signature=s", False),
        ("https://registry.example.com:8443/content", False),
        ("//other.example.com/content", False),
        ("/content", True),
        ("https://registry.example.com/content", True),
        ("https://registry.example.com:443/content", True),
        ("https://REGISTRY.example.com/content", True),
    ],
)
def test_credentials_are_sent_only_to_the_registry(target, sent_to):
    fake, blob = registry_with_redirect(target, needs_credentials=True)
    registry, transport, _pauses = open_registry(fake, Credentials("user", "secret"))
    fake.tokens[Credentials("user", "secret").basic] = ""
    registry.download_blob("a/b", blob)
    at_content = [request for request in transport.requests if "/content" in request.url]
    assert len(at_content) == 1 and ("Authorization" in at_content[0].headers) is sent_to


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_statuses(status):
    fake, blob = registry_with_redirect("/content")
    fake.plays[f"/v2/a/b/blobs/{blob.digest}"] = [redirect("/content", status)]
    registry, _transport, _pauses = open_registry(fake)
    registry.download_blob("a/b", blob)
    assert registry.stats.bytes == len(BLOB)


def test_at_most_five_redirects_are_followed():
    hops = [f"{STORAGE}/hop{number}" for number in range(5)]
    fake, blob = registry_with_redirect(*hops[:4], f"{STORAGE}/content")
    registry, _transport, _pauses = open_registry(fake)
    registry.download_blob("a/b", blob)
    fake, blob = registry_with_redirect(*hops, f"{STORAGE}/content")
    registry, _transport, _pauses = open_registry(fake)
    with pytest.raises(DownloadError, match="more than 5 redirects"):
        registry.download_blob("a/b", blob)


@pytest.mark.parametrize(
    ("targets", "why"),
    [
        (["http://registry.example.com/content"], "not encrypted"),
        ([f"{STORAGE}/hop0", "http://blobs.example.net/content"], "not encrypted"),
        (["https://10.0.0.7/content"], "private address"),
        (["https://169.254.169.254/content"], "private address"),
        (["https://localhost/content"], "private address"),
        (["ftp://blobs.example.net/content"], "not an http or https URL"),
        (["https://blobs.example.net:port/content"], "not an http or https URL"),
    ],
)
def test_unsafe_redirects_are_rejected(targets, why):
    fake, blob = registry_with_redirect(*targets)
    registry, transport, _pauses = open_registry(fake)
    with pytest.raises(DownloadError, match=why):
        registry.download_blob("a/b", blob)
    assert not [url for _method, url in transport.calls if url.endswith("/content")]


def test_private_registry_may_redirect_to_private_storage():
    fake, blob = registry_with_redirect("http://127.0.0.2:9000/content")
    fake.base = "http://127.0.0.1:5000"
    registry, _transport, _pauses = open_registry(fake)
    registry.download_blob("a/b", blob)
    assert registry.stats.bytes == len(BLOB)


def test_signatures_in_urls_are_redacted():
    fake, blob = registry_with_redirect(f"{STORAGE}/content?X-Amz-Signature=abc")
    fake.plays["/content"] = [ScriptedResponse(403, "expired")]
    registry, _transport, _pauses = open_registry(fake)
    with pytest.raises(DownloadError) as caught:
        registry.download_blob("a/b", blob)
    assert caught.value.url == f"{STORAGE}/content" and "abc" not in str(caught.value)


def test_retry_requests_the_redirect_again():
    fake, blob = registry_with_redirect(f"{STORAGE}/content?signature=old")
    fake.plays["/content"] = [TruncatedResponse(200, BLOB), ScriptedResponse(200, BLOB)]
    registry, transport, _pauses = open_registry(fake)
    registry.download_blob("a/b", blob)
    assert [url.partition("?")[0].rpartition("/")[2] for _method, url in transport.calls[1:]] == [
        blob.digest,
        "content",
        blob.digest,
        "content",
    ]


# The circuit breaker


def fail_times(registry, count):
    errors = []
    for number in range(count):
        with pytest.raises((DownloadError, TransportError, SkippedError)) as caught:
            registry.get_manifest("a/b", str(number))
        errors.append(caught.value)
    return errors


def rejecting(play):
    fake = FakeRegistry()
    fake.plays.update({f"/v2/a/b/manifests/{number}": [play] for number in range(9)})
    return fake


def test_three_rejected_credentials_skip_the_rest():
    registry, transport, _pauses = open_registry(rejecting(ScriptedResponse(401, "bad")), Credentials("user", "wrong"))
    errors = fail_times(registry, 5)
    assert [isinstance(error, SkippedError) for error in errors] == [False, False, False, True, True]
    assert errors[4].cause is errors[2] and manifest_requests(transport) == 3


def test_three_connection_failures_skip_the_rest():
    registry, _transport, _pauses = open_registry(rejecting(cut()))
    assert [isinstance(error, SkippedError) for error in fail_times(registry, 4)] == [False, False, False, True]


@pytest.mark.parametrize("status", [403, 404, 503])
def test_errors_of_single_images_do_not_stop_the_others(status):
    registry, _transport, _pauses = open_registry(
        rejecting(ScriptedResponse(status, "no")), Credentials("user", "right")
    )
    assert not [error for error in fail_times(registry, 5) if isinstance(error, SkippedError)]


def test_anonymous_401_does_not_stop_the_others():
    registry, _transport, _pauses = open_registry(rejecting(ScriptedResponse(401, "private")))
    assert not [error for error in fail_times(registry, 5) if isinstance(error, SkippedError)]


def test_success_resets_the_circuit_breaker():
    fake = rejecting(cut())
    fake.add_image("a/b", "good")
    registry, _transport, _pauses = open_registry(fake)
    errors = []
    for _round in range(2):
        errors += fail_times(registry, 2)
        assert registry.get_manifest("a/b", "good").layers
    assert not [error for error in errors if isinstance(error, SkippedError)]


# Over a real connection


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    connections = 0

    def setup(self):
        super().setup()
        type(self).connections += 1

    def log_message(self, *_args):
        pass

    def do_GET(self):
        kind = self.path.split("/")[2]
        body = ENCODED if kind == "gzip" else BLOB if kind else b"{}"
        self.send_response(200)
        if kind == "gzip":
            self.send_header("Content-Encoding", "gzip")
        if kind == "chunked":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:100], body[100:], b"")))
            return
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:50] if kind == "short" else body)
        self.close_connection = kind == "short"


@pytest.fixture(scope="module")
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()
        thread.join()


def real_registry(server):
    return Registry(server, Credentials(), transport=RequestsTransport(timeout=5), sleep=lambda _seconds: None)


def test_connection_is_reused(server):
    registry = real_registry(server)
    before = Handler.connections
    for kind in ("plain", "chunked", "plain", "plain"):
        registry.download_blob(f"{kind}/x", descriptor(BLOB))
    assert Handler.connections - before == 1 and registry.stats.bytes == 4 * len(BLOB)


def test_body_is_hashed_before_decoding(server):
    registry = real_registry(server)
    with pytest.raises(InvalidContentError, match="encodes the content"):
        registry.download_blob("gzip/x", descriptor(BLOB))
    registry.download_blob("gzip/x", descriptor(ENCODED))


def test_truncated_body_is_an_error(server):
    with pytest.raises((TransportError, InvalidContentError)):
        real_registry(server).download_blob("short/x", descriptor(BLOB))
