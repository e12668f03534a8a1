# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import threading
import time

import pytest
from fake_registry import LAYER, FakeRegistry, TruncatedResponse, unknown_manifest
from scripted import ScriptedResponse, ScriptedTransport

from ansible_collections.cgr.pull_through.plugins.module_utils._cache_probe import (
    CacheProbe,
    NotFetchedError,
    NotFromUpstreamError,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._circuit_breaker import SkippedError
from ansible_collections.cgr.pull_through.plugins.module_utils._credentials import Credentials
from ansible_collections.cgr.pull_through.plugins.module_utils._download_errors import DownloadError
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import (
    HTTPStatusError,
    InternalError,
    InvalidContentError,
    TransportError,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._http import Request
from ansible_collections.cgr.pull_through.plugins.module_utils._rate_limit import LimitExceededError, Limits
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._checkpoint import Checkpoint
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._client import Registry
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._manifest import OCI_MANIFEST
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._platforms import (
    PlatformNotFoundError,
    parse_platforms,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._puller import ImagePuller
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._reference import parse_reference
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._result import ImagePullJob, Settings
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._work_queue import SingleFlight

AMD64 = parse_platforms(["linux/amd64"])
NOW = 2e9
UPSTREAM = "https://upstream.example.com"
CHART_CONFIG = "application/vnd.cncf.helm.config.v1+json"


class Run:
    """A run of the engine with a fake registry, and its requests."""

    def __init__(
        self,
        fake,
        *images,
        upstream=None,
        cache=None,
        unable="",
        has_login=False,
        credentials=Credentials(),
        limits=None,
        **settings,
    ):
        self.transport = ScriptedTransport(respond=fake)
        self.upstream = ScriptedTransport(respond=upstream)
        self.delays = []
        registry = Registry(fake.base, credentials, transport=self.transport, limits=limits, sleep=self.delays.append)
        upstream_registry = upstream and Registry(
            upstream.base, Credentials(), transport=self.upstream, sleep=self.delays.append
        )
        cache_probe = cache and CacheProbe(cache, "key", unable=unable, has_login=has_login, sleep=self.delays.append)
        each = {
            name: settings.pop(name) for name in ("repository", "from_upstream", "other_references") if name in settings
        }
        job = ImagePullJob(
            client=registry,
            references=list(map(parse_reference, images)),
            upstream=upstream_registry,
            cache_probe=cache_probe,
            **each,
        )
        self.checkpoint = Checkpoint(settings.pop("resume_file", None))
        self.puller = ImagePuller(
            Settings(**{"platforms": AMD64, **settings}),
            limits=limits,
            checkpoint=self.checkpoint,
            clock=lambda: 1 + sum(self.delays),
            sleep=self.delays.append,
        )
        (self.results,) = self.puller.pull([job])
        self.checkpoint.close()
        self.registry = registry

    def requested(self, part):
        return [url.rpartition("/")[2] for _method, url in self.transport.calls if part in url]


def with_responses(fake, path, *plays):
    fake.plays[path] = list(plays)
    return fake


def test_image_is_pulled_completely():
    fake = FakeRegistry()
    image = fake.add_image("a/b", layers=[b"one", b"two" * 9])
    root = fake.add_index("a/b", "latest", entries=[image])
    run = Run(fake, "a/b")
    (result,) = run.results
    assert result.error is None and result.root.digest == root["digest"]
    assert result.platforms == {"linux/amd64": image["digest"]}
    assert (result.layers, result.foreign_layers) == (2, 0)
    assert result.bytes == run.registry.stats.bytes
    assert run.requested("/manifests/") == ["latest", image["digest"]]
    assert len(run.requested("/blobs/")) == 3
    assert result.finished >= result.started > 0


def test_largest_blob_is_downloaded_first():
    fake = FakeRegistry()
    for name, size in (("a/small", 10), ("a/large", 1000), ("a/medium", 100)):
        fake.add_image(name, "latest", layers=[b"x" * size])
    run = Run(fake, "a/small", "a/large", "a/medium", threads=1)
    # The configurations are read with the manifests, because they contain the platform.
    sizes = [fake.size(digest) for digest in run.requested("/blobs/")[3:]]
    assert sizes == [1000, 100, 10]


def test_depth_manifest_fetches_only_the_tag():
    fake = FakeRegistry()
    fake.add_index("a/b", "latest")
    run = Run(fake, "a/b", depth="manifest")
    assert run.requested("/manifests/") == ["latest"] and not run.requested("/blobs/")
    (result,) = run.results
    assert list(result.platforms) == ["linux/amd64"] and result.layers == 0
    assert result.bytes == result.root.size


def test_depth_manifest_of_an_image_without_an_index():
    fake = FakeRegistry()
    fake.add_image("a/b", "latest")
    run = Run(fake, "a/b", depth="manifest")
    assert run.results[0].error is None and not run.requested("/blobs/")


def test_repository_key_precedes_the_name():
    fake = FakeRegistry()
    fake.add_image("key/a/b", "1")
    run = Run(fake, "a/b:1", repository="key")
    assert run.results[0].error is None and run.results[0].name == "key/a/b"


def test_all_platforms_are_the_runnable_ones():
    fake = FakeRegistry()
    fake.add_index("a/b", "latest")
    (result,) = Run(fake, "a/b", platforms=None).results
    assert sorted(result.platforms) == ["linux/amd64", "linux/arm64"]


def test_arm_variants():
    fake = FakeRegistry()
    entries = [fake.add_image("a/b", platform=f"linux/arm/{variant}") for variant in ("v6", "v7")]
    fake.add_index("a/b", "latest", entries=entries)
    (result,) = Run(fake, "a/b", platforms=parse_platforms(["linux/arm/v7"])).results
    assert result.platforms == {"linux/arm/v7": entries[1]["digest"]}


def test_missing_platform_is_reported_with_the_available_ones():
    fake = FakeRegistry()
    fake.add_index("a/b", "latest")
    run = Run(fake, "a/b", platforms=parse_platforms(["linux/amd64", "linux/s390x"]))
    error = run.results[0].error
    assert isinstance(error, PlatformNotFoundError)
    assert (error.missing, error.available) == ("linux/s390x", "linux/amd64, linux/arm64")
    assert not run.requested("/blobs/")


@pytest.mark.parametrize(("platform", "works"), [("linux/amd64", True), ("linux/arm64", False)])
def test_platform_of_an_image_without_an_index_is_in_its_configuration(platform, works):
    fake = FakeRegistry()
    image = fake.add_image("a/b", "latest", platform=platform)
    run = Run(fake, "a/b")
    (result,) = run.results
    assert (result.error is None) is works
    assert result.platforms == ({platform: image["digest"]} if works else {})
    assert len(run.requested("/blobs/")) == (2 if works else 1)


def chart(fake, *tags, **more):
    """Add a Helm chart, and return its descriptor."""
    config = fake.add_blob("a/chart", b"{}", CHART_CONFIG)
    layer = fake.add_blob("a/chart", b"chart", "application/vnd.cncf.helm.chart.content.v1.tar+gzip")
    return fake.add_manifest("a/chart", {"mediaType": OCI_MANIFEST, "config": config, "layers": [layer], **more}, *tags)


@pytest.mark.parametrize("platforms", [AMD64, None])
@pytest.mark.parametrize("indexed", [False, True])
def test_artifact_has_no_platform(platforms, indexed):
    fake = FakeRegistry()
    entry = chart(fake, *([] if indexed else ["1"]))
    if indexed:
        fake.add_index("a/chart", "1", entries=[entry])
    (result,) = (run := Run(fake, "a/chart:1", platforms=platforms)).results
    assert result.error is None and result.platforms == {}
    assert (result.artifact_type, result.layers) == (CHART_CONFIG, 1)
    assert len(run.requested("/blobs/")) == 2


@pytest.mark.parametrize("indexed", [False, True])
def test_depth_manifest_of_an_artifact(indexed):
    fake = FakeRegistry()
    entry = chart(fake, *([] if indexed else ["1"]))
    if indexed:
        fake.add_index("a/chart", "1", entries=[entry])
    (result,) = (run := Run(fake, "a/chart:1", depth="manifest")).results
    assert result.error is None and not run.requested("/blobs/")
    assert result.artifact_type == ("" if indexed else CHART_CONFIG)


def test_artifact_type_in_the_manifest():
    fake = FakeRegistry()
    chart(fake, "1", artifactType="application/vnd.example+json")
    assert Run(fake, "a/chart:1").results[0].artifact_type == "application/vnd.example+json"


def test_index_of_images_without_platforms():
    fake = FakeRegistry()
    entry = {key: value for key, value in fake.add_image("a/b").items() if key != "platform"}
    fake.add_index("a/b", "latest", entries=[entry])
    assert isinstance(Run(fake, "a/b").results[0].error, PlatformNotFoundError)


def test_nested_indexes_are_read():
    fake = FakeRegistry()
    image = fake.add_image("a/b")
    inner = fake.add_index("a/b", entries=[image])
    fake.add_index("a/b", "latest", entries=[inner, inner, fake.add_image("a/b", platform="linux/arm64")])
    run = Run(fake, "a/b")
    assert run.results[0].platforms == {"linux/amd64": image["digest"]}
    assert run.requested("/manifests/") == ["latest", inner["digest"], image["digest"]]


def test_deeply_nested_indexes_are_rejected():
    fake = FakeRegistry()
    entry = fake.add_image("a/b")
    for _level in range(5):
        entry = fake.add_index("a/b", "latest", entries=[entry])
    (result,) = Run(fake, "a/b").results
    assert isinstance(result.error, InvalidContentError) and "nested" in result.error.message


def test_entries_that_are_not_runnable_are_ignored():
    fake = FakeRegistry()
    image = fake.add_image("a/b")
    artifact = {**fake.add_image("a/b", platform="linux/arm64"), "artifactType": "application/x"}
    without = {key: value for key, value in fake.add_image("a/b", platform="linux/386").items() if key != "platform"}
    fake.add_index("a/b", "latest", entries=[artifact, without, image, fake.attestation("a/b", image["digest"])])
    (result,) = Run(fake, "a/b", platforms=None).results
    assert result.platforms == {"linux/amd64": image["digest"]}


def test_foreign_layers_are_counted_and_not_pulled():
    fake = FakeRegistry()
    foreign_layer = {
        "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "digest": "sha256:" + "f" * 64,
        "size": 1 << 40,
        "urls": ["https://mcr.example.com/layer"],
    }
    fake.add_image("a/b", "latest", layers=[foreign_layer, b"ours"])
    run = Run(fake, "a/b")
    (result,) = run.results
    assert result.error is None and (result.layers, result.foreign_layers) == (2, 1)
    assert result.bytes < 1 << 20 and foreign_layer["digest"] not in run.requested("/blobs/")


def test_shared_content_of_a_repository_is_fetched_once():
    fake = FakeRegistry()
    shared = fake.add_blob("a/b", b"shared", LAYER)
    for tag in ("1", "2"):
        image = fake.add_image("a/b", layers=[shared, shared, tag.encode()])
        fake.add_index("a/b", tag, entries=[image])
    fake.add_index("a/b", "latest", entries=[image])
    run = Run(fake, "a/b:1", "a/b:2", "a/b:latest")
    assert [result.error for result in run.results] == [None] * 3
    for part in ("/manifests/", "/blobs/"):
        requested = run.requested(part)
        assert len(requested) == len(set(requested))
    assert [result.layers for result in run.results] == [3, 3, 3]


def test_repositories_do_not_share_content():
    fake = FakeRegistry()
    for name in ("a/one", "a/two"):
        fake.add_image(name, "latest", layers=[b"shared"])
    assert len(Run(fake, "a/one", "a/two").requested("/blobs/")) == 4


def test_failed_image_does_not_stop_the_others_and_the_order_is_kept():
    fake = FakeRegistry()
    fake.add_image("a/one", "latest")
    fake.add_image("a/three", "latest")
    results = Run(fake, "a/one", "a/two", "a/three").results
    assert [result.reference.name for result in results] == ["a/one", "a/two", "a/three"]
    assert [result.error is None for result in results] == [True, False, True]


def test_failed_blob_fails_each_image_that_needs_it():
    fake = FakeRegistry()
    shared = fake.add_blob("a/b", b"shared")
    for tag in ("1", "2", "3"):
        fake.add_image("a/b", tag, layers=[shared if tag != "3" else b"own", tag.encode()])
    with_responses(
        fake, f"/v2/a/b/blobs/{shared['digest']}", ScriptedResponse(404, {"errors": [{"code": "BLOB_UNKNOWN"}]})
    )
    run = Run(fake, "a/b:1", "a/b:2", "a/b:3")
    assert [result.error is None for result in run.results] == [False, False, True]
    assert {result.stage for result in run.results[:2]} == {"blob"}
    assert len(run.requested("/blobs/")) == 6  # the shared configuration and layer, one layer per tag, and one more


def test_failed_blobs_stop_the_rest():
    fake = FakeRegistry()
    layers = [fake.add_blob("a/b", bytes([number]) * (99 - number)) for number in range(6)]
    fake.add_image("a/b", "latest", layers=layers)
    for layer in layers:
        with_responses(fake, f"/v2/a/b/blobs/{layer['digest']}", TruncatedResponse(200, b"x"))
    run = Run(fake, "a/b", threads=1)
    assert len(set(run.requested("/blobs/"))) == 1 + 3
    assert not isinstance(run.results[0].error, SkippedError)


def test_digest_without_a_tag_is_not_compared():
    fake, upstream = FakeRegistry(), FakeRegistry(UPSTREAM)
    image = fake.add_image("a/b")
    run = Run(fake, f"a/b@{image['digest']}", upstream=upstream)
    assert run.results[0].error is None and run.results[0].is_outdated is None
    assert not run.upstream.requests


# Comparison with the upstream


def two_versions():
    """Return a registry with an outdated tag, its upstream, and the digests of both."""
    fake, upstream = FakeRegistry(), FakeRegistry(UPSTREAM)
    old = fake.add_image("key/a/b", "latest", layers=[b"old"])
    new = upstream.add_image("a/b", "latest", layers=[b"new"])
    return fake, upstream, old["digest"], new["digest"]


def test_equal_digests_are_not_outdated():
    fake, upstream = FakeRegistry(), FakeRegistry(UPSTREAM)
    fake.add_image("key/a/b", "latest")
    upstream.add_image("a/b", "latest", layers=[b"layer of key/a/b for linux/amd64"])
    run = Run(fake, "a/b", upstream=upstream, repository="key")
    (result,) = run.results
    assert result.error is None and result.is_outdated is False
    assert result.upstream_version == result.root.digest
    assert [url for _method, url in run.upstream.calls if "/blobs/" in url] == []


def test_outdated_tag_succeeds_if_the_newer_digest_can_be_pulled():
    fake, upstream, old, new = two_versions()
    assert fake.add_image("key/a/b", layers=[b"new"])["digest"] == new
    run = Run(fake, "a/b", upstream=upstream, repository="key")
    (result,) = run.results
    assert result.error is None and result.is_outdated is True
    assert (result.root.digest, result.upstream_version) == (old, new)
    assert len(run.requested("/blobs/")) == 4 - 1  # the configuration is the same


def test_outdated_tag_fails_if_the_newer_digest_cannot_be_pulled():
    fake, upstream, old, new = two_versions()
    run = Run(fake, "a/b", upstream=upstream, repository="key")
    (result,) = run.results
    assert result.stage == "outdated" and isinstance(result.error, DownloadError)
    assert result.root.digest == old and result.is_outdated is True
    assert run.requested("/manifests/") == ["latest", new]


def test_outdated_tag_fails_if_a_newer_layer_cannot_be_pulled():
    fake, upstream, _old, _new = two_versions()
    newer = fake.add_blob("key/a/b", b"new")
    fake.add_image("key/a/b", layers=[newer])
    with_responses(fake, f"/v2/key/a/b/blobs/{newer['digest']}", ScriptedResponse(404))
    (result,) = Run(fake, "a/b", upstream=upstream, repository="key").results
    assert result.stage == "outdated" and result.error.status == 404


@pytest.mark.parametrize("status", [401, 403, 404])
def test_failed_comparison_is_a_failure(status):
    fake, upstream = FakeRegistry(), FakeRegistry(UPSTREAM)
    fake.add_image("a/b", "latest")
    with_responses(upstream, "/v2/a/b/manifests/latest", ScriptedResponse(status, "no"))
    (result,) = Run(fake, "a/b", upstream=upstream).results
    assert result.stage == "upstream" and result.error.status == status
    assert result.root is not None and result.is_outdated is None


def test_upstream_is_queried_after_a_failed_pull():
    upstream = FakeRegistry(UPSTREAM)
    upstream.add_image("a/b", "latest")
    (result,) = Run(FakeRegistry(), "a/b", upstream=upstream).results
    assert result.stage == "manifest" and result.upstream_version is not None
    (result,) = Run(FakeRegistry(), "a/c", upstream=upstream).results
    assert result.stage == "manifest" and result.upstream_error.status == 404


def test_pinned_digest_of_a_tag_is_pulled_too():
    fake = FakeRegistry()
    fake.add_image("a/b", "1", layers=[b"new"])
    pinned = fake.add_image("a/b", layers=[b"old"])
    run = Run(fake, f"a/b:1@{pinned['digest']}")
    assert run.results[0].error is None and run.requested("/manifests/") == ["1", pinned["digest"]]
    (result,) = Run(fake, "a/b:1@sha256:" + "0" * 64).results
    assert result.stage == "pinned" and result.error.status == 404


# Verification that content is from upstream

TAG = -1
ALL = (TAG, 0, 1, 2)  # the tag, and the children of the index by number


def folder(reference):
    return f"a/b/{reference.replace(':', '__')}"


class Cache:
    """The cache of a remote repository: the manifests that were added, and those that the registry has served since."""

    def __init__(self, *, is_readable=True, keeps=True, is_masked=False, expiration=None, last_fetch=None):
        self.paths = set()
        self.is_readable = is_readable
        self.keeps = keeps
        self.is_masked = is_masked
        self.expiration = expiration
        self.last_fetch = last_fetch
        self.expired = []
        self.time = 10.0
        self.probes = []
        self.error = None

    def add(self, reference, body):
        self.paths.add(f"{folder(reference)}/{'list.' if b'manifests' in body else ''}manifest.json")

    def serve(self, fake):
        """Return the script of the fake registry, whose responses this cache stores."""

        def respond(request):
            play = fake(request)
            self.time += bool(self.expired) and not self.is_masked
            if self.keeps and "/manifests/" in request.url and play.status == 200:
                self.add(request.url.rpartition("/")[2], play.body)
            return play

        respond.base = fake.base  # type: ignore[attr-defined]  # as a FakeRegistry has it
        return respond

    def has(self, key, path):
        assert key == "key"
        if self.error:
            raise self.error
        self.probes.append(path)
        return path in self.paths if self.is_readable else None

    def expire(self, key, path):
        assert key == "key"
        if self.expiration:
            raise self.expiration
        self.expired.append(path)

    def fetch_time(self, key, path):
        assert key == "key" and path in self.expired
        return self.time

    def last_fetch_below(self, key, image):
        assert key == "key"
        return self.last_fetch.get(image) if isinstance(self.last_fetch, dict) else self.last_fetch

    def server_time(self):
        return NOW


class FromUpstreamRun(Run):
    """A run that verifies what came from upstream. children: digests of amd64, arm64 and the attestation."""

    def __init__(
        self, cached=(), *, from_upstream="required", image="a/b", index=True, missing=None, cache=None, **settings
    ):
        fake = FakeRegistry()
        if index:
            fake.add_index("key/a/b", "latest")
            entries = [
                fake.add_image("key/a/b", platform=f"linux/{architecture}") for architecture in ("amd64", "arm64")
            ]
            attestation = fake.attestation("key/a/b", entries[0]["digest"])
            self.children = [entry["digest"] for entry in (*entries, attestation)]
        else:
            self.children = []
            fake.add_image("key/a/b", "latest")
        self.cache = cache or Cache()
        for number in cached:
            reference = "latest" if number == TAG else self.children[number]
            self.cache.add(reference, b"manifests" if number == TAG and index else b"")
        if missing is not None:
            fake.plays[f"/v2/key/a/b/manifests/{self.children[missing]}"] = [unknown_manifest()]
        super().__init__(
            self.cache.serve(fake), image, cache=self.cache, repository="key", from_upstream=from_upstream, **settings
        )
        (self.result,) = self.results
        self.observation = self.result.observation


def test_uncached_tag_is_from_upstream():
    run = FromUpstreamRun()
    assert run.observation.from_upstream is True and run.result.error is None
    assert "latest was not in key-cache before" in run.result.observations[0].evidence


def test_uncached_child_is_from_upstream():
    run = FromUpstreamRun(cached=[TAG, 1, 2])
    assert run.observation.from_upstream is True and run.children[0] in run.observation.evidence
    assert run.requested("/manifests/") == ["latest", run.children[0]]


@pytest.mark.parametrize("depth", ["manifest", "image"])
@pytest.mark.parametrize(("cached", "fetched"), [((TAG, 0), 2), ((TAG, 0, 2), 1)])
def test_smallest_uncached_manifest_is_fetched_if_the_pull_was_cached(depth, cached, fetched):
    run = FromUpstreamRun(cached=cached, depth=depth)
    assert run.observation.from_upstream is True and run.result.error is None
    assert run.requested("/manifests/")[-1] == run.children[fetched]
    assert run.cache.expired == []


def test_children_are_probed_once_before_and_once_after_the_fetch():
    run = FromUpstreamRun(cached=[TAG, 0])
    child = f"{folder(run.children[2])}/manifest.json"
    assert run.observation.from_upstream is True
    assert [path for path in run.cache.probes if folder(run.children[2]) in path] == [child, child]


def test_nothing_is_from_upstream_if_all_is_cached():
    denied = HTTPStatusError(403, "no", method="POST", url="https://artifactory.example.com")
    run = FromUpstreamRun(cached=ALL, cache=Cache(expiration=denied))
    assert isinstance(run.result.error, NotFromUpstreamError) and run.result.stage == "from_upstream"
    assert run.observation.from_upstream is False and "cannot be expired" in run.observation.evidence


@pytest.mark.parametrize("index", [True, False])
def test_an_expired_tag_that_is_fetched_again_is_from_upstream(index):
    run = FromUpstreamRun(cached=ALL if index else [TAG], index=index)
    assert run.result.error is None and run.observation.from_upstream is True
    path = f"a/b/latest/{'list.' if index else ''}manifest.json"
    assert run.cache.expired == [path] and run.requested("/manifests/")[-1] == "latest"
    assert run.observation.evidence == "a/b latest was expired in key-cache, and fetched again."


def test_an_expired_tag_that_the_upstream_does_not_serve_again_is_a_failure():
    run = FromUpstreamRun(cached=ALL, cache=Cache(is_masked=True), from_upstream="preferred")
    assert isinstance(run.result.error, NotFetchedError) and run.result.stage == "from_upstream"


def test_only_a_tag_can_be_fetched_again():
    cache = Cache()
    digest = FromUpstreamRun(cache=cache, index=False).result.version
    cache.add(digest, b"")
    run = FromUpstreamRun(cache=cache, index=False, image=f"a/b@{digest}", from_upstream="preferred")
    assert "Only a tag" in run.observation.evidence and cache.expired == []


def test_a_tag_that_cannot_be_expired():
    cache = Cache(expiration=HTTPStatusError(403, "no", method="POST", url="https://artifactory.example.com"))
    run = FromUpstreamRun(cached=ALL, cache=cache, from_upstream="preferred")
    assert run.result.error is None and run.observation.from_upstream is False
    assert "cannot be expired" in run.observation.evidence


@pytest.mark.parametrize(("age", "until"), [(None, None), (239, NOW + 1), (240, None)])
def test_an_image_that_was_fetched_within_four_minutes_shows_nothing_about_the_login(age, until):
    cache = Cache(last_fetch=None if age is None else NOW - age)
    run = FromUpstreamRun(cache=cache, has_login=True)
    assert run.result.earlier_login_until == until
    assert FromUpstreamRun(cache=cache).result.earlier_login_until is None, "without a login there is no earlier one"


def test_an_image_that_shows_nothing_about_the_login_is_replaced_by_an_unused_one():
    fake = FakeRegistry()
    for image in ("a/b", "a/c", "a/d"):
        fake.add_image(f"key/{image}", "latest")
    others = list(map(parse_reference, ("a/c", "a/d")))
    options = {"repository": "key", "from_upstream": "preferred", "other_references": others, "has_login": True}
    cache = Cache(last_fetch={"a/b": NOW - 100, "a/c": NOW - 200, "a/d": NOW - 300})
    run = Run(cache.serve(fake), "a/b", cache=cache, **options)
    (result,) = run.results
    assert (result.reference.name, result.earlier_login_until, result.error) == ("a/d", None, None)
    assert not run.requested("/a/b/") and not run.requested("/a/c/")

    cache = Cache(last_fetch=NOW - 100)
    (result,) = Run(cache.serve(fake), "a/b", cache=cache, **options).results
    assert (result.reference.name, result.earlier_login_until) == ("a/b", NOW + 140)


@pytest.mark.parametrize("from_upstream", ["required", "preferred"])
def test_uncached_manifest_that_cannot_be_fetched_is_a_failure(from_upstream):
    run = FromUpstreamRun(cached=[TAG, 0], missing=2, from_upstream=from_upstream)
    assert run.result.stage == "from_upstream" and run.result.error.status == 404


def test_from_upstream_is_unknown_without_permission_to_read_the_cache():
    run = FromUpstreamRun(cache=Cache(is_readable=False))
    assert run.observation.from_upstream is None and isinstance(run.result.error, NotFromUpstreamError)
    assert "may not read key-cache" in run.result.error.message
    assert FromUpstreamRun(cache=Cache(is_readable=False), from_upstream="preferred").result.error is None


def test_from_upstream_is_unknown_if_the_cache_cannot_be_read():
    cache = Cache()
    cache.error = HTTPStatusError(401, "who?", method="GET", url="https://artifactory.example.com")
    run = FromUpstreamRun(cache=cache, from_upstream="preferred")
    assert run.observation.from_upstream is None and "could not be read" in run.observation.evidence


def test_from_upstream_is_unknown_for_a_repository_without_a_cache():
    run = FromUpstreamRun(unable="key is a virtual repository.", from_upstream="preferred")
    assert run.observation == run.result.observations[0] and run.observation.from_upstream is None


def test_from_upstream_is_unknown_if_content_does_not_appear_in_the_cache():
    # As in a cache with an unexpected layout.
    run = FromUpstreamRun(cache=Cache(keeps=False))
    assert run.observation.from_upstream is None and "does not show up" in run.observation.evidence
    assert isinstance(run.result.error, NotFromUpstreamError) and run.delays[:3] == [0, 1, 2]


# Parts of the engine


def test_single_flight_does_the_work_once_for_concurrent_calls():
    calls, single_flight, results = [], SingleFlight(), []

    def work():
        calls.append(1)
        time.sleep(0.02)
        return "value"

    threads = [threading.Thread(target=lambda: results.append(single_flight.get("key", work))) for _number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == ["value"] * 8 and len(calls) == 1


def test_single_flight_keeps_a_failure():
    single_flight = SingleFlight()
    with pytest.raises(ZeroDivisionError):
        single_flight.get("key", lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        single_flight.get("key", lambda: 1)


@pytest.mark.parametrize("heads", [True, False], ids=["HEAD", "HEAD refused"])
def test_depth_resolve_requests_only_the_digest(heads):
    fake, upstream = FakeRegistry(), FakeRegistry(UPSTREAM)
    image = fake.add_image("key/a/b", "latest")
    upstream.add_image("a/b", "latest", layers=[b"layer of key/a/b for linux/amd64"])
    fake.supports_head = heads
    run = Run(fake, "a/b", depth="resolve", repository="key", upstream=upstream)
    (result,) = run.results
    assert result.error is None and result.is_outdated is False
    assert (result.root.digest, result.root.size) == (image["digest"], image["size"])
    assert [method for method, url in run.transport.calls if "/manifests/" in url] == ["HEAD"] + ["GET"] * (not heads)
    assert [method for method, url in run.upstream.calls if "/manifests/" in url] == ["HEAD"]
    assert not run.requested("/blobs/")


def test_depth_resolve_gets_the_error_message_by_get():
    (result,) = Run(FakeRegistry(), "a/b", depth="resolve").results
    assert isinstance(result.error, DownloadError) and result.error.code == "MANIFEST_UNKNOWN"


def referring(fake, name, *tags, layer=b"signature"):
    """Add a referrer of an image, and return its descriptor."""
    config = fake.add_blob(name, b"{}", "application/vnd.oci.empty.v1+json")
    document = {"mediaType": OCI_MANIFEST, "config": config, "layers": [fake.add_blob(name, layer)]}
    return fake.add_manifest(name, document, *tags)


@pytest.mark.parametrize("api", [True, False], ids=["API", "tag"])
def test_referrers_are_pulled(api):
    fake = FakeRegistry()
    image = fake.add_image("a/b")
    root = fake.add_index("a/b", "latest", entries=[image])
    listed = [referring(fake, "a/b", layer=b"bundle"), referring(fake, "a/b", layer=b"sbom")]
    legacy = image["digest"].replace(":", "-") + ".sig"
    referring(fake, "a/b", legacy, layer=b"old")
    if api:
        fake.referrers = {("a/b", root["digest"]): listed}
    else:
        fake.add_index("a/b", root["digest"].replace(":", "-"), entries=listed)
    run = Run(fake, "a/b", referrers=True)
    (result,) = run.results
    assert result.error is None and result.referrers == 3
    assert {*(entry["digest"] for entry in listed), legacy} <= set(run.requested("/manifests/"))
    # The layer and configuration of the image, the three layers of the referrers, and their shared configuration.
    assert len(run.requested("/blobs/")) == 6


def test_image_without_referrers():
    fake = FakeRegistry()
    fake.add_image("a/b", "latest")
    (result,) = Run(fake, "a/b", referrers=True).results
    assert result.error is None and result.referrers == 0
    assert Run(fake, "a/b").results[0].referrers is None


def test_subject_is_not_its_own_referrer():
    fake = FakeRegistry()
    root = fake.add_index("a/b", "latest", entries=[fake.add_image("a/b")])
    fake.plays[f"/v2/a/b/manifests/{root['digest'].replace(':', '-')}"] = [
        fake(Request("GET", f"{fake.base}/v2/a/b/manifests/latest"))
    ]
    (result,) = Run(fake, "a/b", referrers=True).results
    assert result.error is None and result.referrers == 0


def test_pages_of_referrers_with_wrong_paths_in_their_links():
    fake = FakeRegistry()
    image = fake.add_image("a/b", "latest")
    entries = [referring(fake, "a/b", layer=layer) for layer in (b"one", b"two")]
    pages = [{"schemaVersion": 2, "manifests": [entry]} for entry in entries]
    link = {"Link": '</v2/elsewhere/referrers/x?last=1&n=1>; rel="next"'}
    path = f"/v2/a/b/referrers/{image['digest']}"
    fake.plays[path] = [ScriptedResponse(200, pages[0], link), ScriptedResponse(200, pages[1])]
    run = Run(fake, "a/b", referrers=True)
    assert run.results[0].referrers == 2
    assert run.requested("/referrers/") == [image["digest"], f"{image['digest']}?last=1&n=1"]


def test_a_signature_tag_that_is_forbidden_does_not_fail_an_image():
    fake = FakeRegistry()
    image = fake.add_image("a/b", "latest")
    tag = image["digest"].replace(":", "-")
    for suffix in ("", ".sig", ".att", ".sbom"):
        fake.plays[f"/v2/a/b/manifests/{tag}{suffix}"] = [ScriptedResponse(403, {"errors": [{"code": "DENIED"}]})]
    (result,) = Run(fake, "a/b", referrers=True).results
    assert result.error is None and result.referrers == 0


def test_missing_signature_is_a_failure():
    fake = FakeRegistry()
    image = fake.add_image("a/b", "latest")
    missing = {**referring(FakeRegistry(), "a/b"), "size": 3}
    fake.referrers = {("a/b", image["digest"]): [missing]}
    (result,) = Run(fake, "a/b", referrers=True).results
    assert isinstance(result.error, DownloadError) and result.stage == "referrer"


def test_failed_canary_skips_the_others():
    fake = FakeRegistry()
    fake.add_image("a/b", "latest")
    run = Run(fake, "a/none", "a/b", "a/b:2", canary=True)
    assert [type(result.error) for result in run.results] == [DownloadError, SkippedError, SkippedError]
    assert run.requested("/manifests/") == ["latest"]
    fake.add_image("a/b", "2", layers=[b"another"])
    run = Run(fake, "a/b", "a/b:2", canary=True)
    assert [result.error for result in run.results] == [None, None]
    first_of_second = run.requested("").index("2")
    assert len([url for url in run.requested("")[:first_of_second] if url.startswith("sha256:")]) == 2


def test_each_repository_has_its_own_canary():
    fake = FakeRegistry()
    fake.add_image("a/b", "latest")
    fake.add_image("a/b", "2", layers=[b"another"])
    registry = Registry(
        fake.base, Credentials(), transport=ScriptedTransport(respond=fake), sleep=lambda _seconds: None
    )
    jobs = [
        ImagePullJob(client=registry, references=list(map(parse_reference, images)))
        for images in (["a/none", "a/b"], ["a/b", "a/b:2"])
    ]
    failed, pulled = ImagePuller(Settings(platforms=AMD64, canary=True)).pull(jobs)
    assert [type(result.error) for result in failed] == [DownloadError, SkippedError]
    assert [result.error for result in pulled] == [None, None]


def layered(fake, name, *sizes, tag="latest"):
    return fake.add_image(
        name, tag, layers=[f"{name} {number} ".encode().ljust(size) for number, size in enumerate(sizes)]
    )


@pytest.mark.parametrize("method", ["get_manifest", "download_blob"])
def test_an_unexpected_exception_fails_only_its_image(monkeypatch, method):
    fake = FakeRegistry()
    for name in ("a/one", "a/two", "a/three"):
        layered(fake, name, 100)
    function = getattr(Registry, method)

    def fail(registry, name, *arguments, **options):
        if name == "a/two":
            raise RuntimeError("a secret")
        return function(registry, name, *arguments, **options)

    monkeypatch.setattr(Registry, method, fail)
    run = Run(fake, "a/one", "a/two", "a/three", threads=2)
    assert [type(result.error) for result in run.results] == [type(None), InternalError, type(None)]
    assert "RuntimeError" in run.results[1].error.message and "a secret" not in run.results[1].error.message


def test_an_unexpected_exception_while_a_failure_is_explained_leaves_the_failure(monkeypatch):
    fake, upstream = FakeRegistry(), FakeRegistry(UPSTREAM)
    fake.add_image("a/one", "latest")
    monkeypatch.setattr(Registry, "resolve", lambda *_arguments: 1 / 0)
    run = Run(fake, "a/missing", upstream=upstream)
    assert [type(result.error) for result in run.results] == [DownloadError]


class SlowServer:
    """A transport to a server that takes its time, on a clock of its own. respond: to a request; may raise TransportError."""

    def __init__(self, fake, seconds, respond=None):
        self.now = 0.0
        self._fake = fake
        self._seconds = seconds
        self._respond = respond or fake

    def send(self, request):
        self.now += min(self._seconds, request.max_seconds)
        if self._seconds > request.max_seconds:
            raise TransportError("the response took too long.", method="GET", url=request.url)
        return self._respond(request)

    def sleep(self, seconds):
        self.now += seconds


@pytest.mark.parametrize(
    ("seconds", "response"),
    [
        (1000, None),  # no response at all
        (3, None),  # a slow one
        (0.1, ScriptedResponse(503, {}, {"Retry-After": "50"})),
        (0.1, ScriptedResponse(500, {})),
        (0.1, ScriptedResponse(401, {})),
        (0.1, ScriptedResponse(403, {})),
    ],
)
def test_max_seconds_is_kept_whatever_a_server_does(seconds, response):
    fake = FakeRegistry()
    images = [f"a/b:{number}" for number in range(20)]
    for image in images:
        fake.add_image("a/b", image.partition(":")[2], layers=[image.encode()])
    server = SlowServer(fake, seconds, response and (lambda request: response))
    limits = Limits(max_seconds=20, clock=lambda: server.now, sleep=server.sleep)
    registry = Registry(
        fake.base,
        Credentials("u", "p"),
        transport=server,
        limits=limits,
        sleep=server.sleep,
        clock=lambda: server.now,
    )
    settings = Settings(platforms=AMD64, threads=1, propagation_timeout=20)
    puller = ImagePuller(settings, limits=limits, clock=lambda: server.now, sleep=server.sleep)
    (results,) = puller.pull([ImagePullJob(client=registry, references=list(map(parse_reference, images)))])
    assert server.now <= 25
    assert all(result.error for result in results[5:])


def test_max_bytes_ends_the_run_in_the_order_of_the_images():
    fake = FakeRegistry()
    for name in ("a/one", "a/two", "a/three"):
        layered(fake, name, 100, 1000)
    run = Run(fake, "a/one", "a/two", "a/three", limits=Limits(max_bytes=2150), threads=1)
    assert [type(result.error) for result in run.results] == [type(None), LimitExceededError, LimitExceededError]
    sizes = [fake.size(digest) for digest in run.requested("/blobs/")[3:]]
    assert sizes == [1000, 100, 1000]
    assert "max_bytes (2150)" in run.results[2].error.message


def test_max_seconds_ends_the_run():
    fake = FakeRegistry()
    for name in ("a/one", "a/two"):
        layered(fake, name, 100)
    now = iter(range(100))
    run = Run(fake, "a/one", "a/two", limits=Limits(max_seconds=4, clock=lambda: next(now)), threads=1)
    assert isinstance(run.results[1].error, LimitExceededError) and "max_seconds (4)" in run.results[1].error.message
    assert len(run.transport.requests) < 4


def test_verified_blobs_are_not_pulled_again(tmp_path):
    fake = FakeRegistry()
    layered(fake, "a/b", 10, 20)
    file = str(tmp_path / "pulled.jsonl")
    first = Run(fake, "a/b", resume_file=file)
    again = Run(fake, "a/b", resume_file=file)
    assert len(first.requested("/blobs/")) == 3
    # The configuration contains the platform.
    assert len(again.requested("/blobs/")) == 1 and again.results[0].error is None
    assert again.results[0].layers == 2
    assert "2 of 2 layers" in again.puller.progress()


def test_verified_blobs_of_another_build_are_pulled_again(tmp_path):
    fake = FakeRegistry()
    shared = b"shared"
    fake.add_image("a/b", "latest", layers=[shared])
    file = str(tmp_path / "pulled.jsonl")
    Run(fake, "a/b", resume_file=file)
    fake.add_image("a/b", "latest", layers=[shared, b"new"])
    assert len(Run(fake, "a/b", resume_file=file).requested("/blobs/")) == 3


def test_failed_blob_is_not_in_the_checkpoint(tmp_path):
    fake = FakeRegistry()
    image = layered(fake, "a/b", 10)
    layer = json.loads(fake(Request("GET", f"{fake.base}/v2/a/b/manifests/{image['digest']}")).body)["layers"][0]
    fake.plays[f"/v2/a/b/blobs/{layer['digest']}"] = [ScriptedResponse(404)]
    file = tmp_path / "pulled.jsonl"
    assert Run(fake, "a/b", resume_file=str(file)).results[0].error is not None
    assert file.read_text() == ""


def test_only_the_necessary_requests_are_sent():
    """Per image: index, manifest, configuration and layers. Per repository: a token. Per registry: a ping."""
    fake = FakeRegistry(challenge='Bearer realm="https://registry.example.com/token"')
    for name in ("a/one", "a/two", "a/three"):
        fake.add_index(
            name, "latest", entries=[fake.add_image(name, layers=[f"{name} {n}".encode() for n in range(5)])]
        )
    run = Run(fake, "a/one", "a/two", "a/three")
    counts = [len(run.requested(part)) for part in ("/v2/", "/token", "/manifests/", "/blobs/")]
    assert [result.error for result in run.results] == [None] * 3
    assert counts == [1 + 3 * (2 + 6), 3, 3 * 2, 3 * 6]
    assert len(run.transport.requests) == 1 + 3 * (1 + 2 + 6)


# Propagation of a new pull token

USER = Credentials("user", "secret")


def denying(fake, path, denials, status=403):
    """Return a script that denies the first requests for a path, and then responds as fake does."""
    remaining = [ScriptedResponse(status, {"errors": [{"code": "DENIED", "message": "not yet"}]})] * denials

    def play(request):
        return remaining.pop() if path in request.url and remaining else fake(request)

    play.base = fake.base  # type: ignore[attr-defined]  # as a FakeRegistry has it
    return play


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("part", ["/manifests/", "/blobs/", "/v2/a/two/"])
def test_only_what_was_denied_is_pulled_again(part, status):
    fake = FakeRegistry()
    for name in ("a/one", "a/two"):
        fake.add_image(name, "latest")
    run = Run(denying(fake, part, 1, status), "a/one", "a/two", credentials=USER, threads=1, propagation_timeout=5)
    assert [result.error for result in run.results] == [None, None]
    assert [result.reference.name for result in run.results] == ["a/one", "a/two"]
    assert len(run.delays) == 1 and 0 < run.delays[0] < 1
    denied_name = "a/two" if part == "/v2/a/two/" else "a/one"
    requests = [url for _method, url in run.transport.calls if f"/v2/{denied_name}/manifests/" in url]
    assert len(requests) == 2
    assert len([url for _method, url in run.transport.calls if "/manifests/" in url]) == 3


def test_a_denied_pull_fails_when_the_time_is_over():
    fake = FakeRegistry()
    run = Run(denying(fake, "/manifests/", 99), "a/b", "a/c", "a/d", "a/e", credentials=USER, propagation_timeout=10)
    assert {result.error.status for result in run.results} == {403}
    assert 5 < sum(run.delays) <= 10 and len(run.requested("/manifests/")) == 4 * (1 + len(run.delays))


def test_an_open_circuit_breaker_is_closed_before_a_retry():
    fake = FakeRegistry()
    names = ["a/one", "a/two", "a/three", "a/four", "a/five"]
    for name in names:
        fake.add_image(name, "latest")
    run = Run(denying(fake, "/manifests/", 3, 401), *names, credentials=USER, threads=1, propagation_timeout=5)
    assert [result.error for result in run.results] == [None] * 5


def test_a_denied_canary_is_retried_before_the_others():
    fake = FakeRegistry()
    for name in ("a/one", "a/two"):
        fake.add_image(name, "latest")
    run = Run(denying(fake, "/manifests/", 1), "a/one", "a/two", credentials=USER, canary=True, propagation_timeout=5)
    assert [result.error for result in run.results] == [None, None]
    names = [url.split("/")[5] for _method, url in run.transport.calls if "/manifests/" in url]
    assert names == ["one", "one", "two"]


@pytest.mark.parametrize(
    "options",
    [
        {"credentials": USER},
        {"credentials": USER, "propagation_timeout": 5, "repository": "key"},
        {"propagation_timeout": 5},
    ],
    ids=["no timeout", "through a repository", "anonymous"],
)
def test_other_denied_pulls_are_not_retried(options):
    run = Run(denying(FakeRegistry(), "/manifests/", 99), "a/b", **options)
    assert run.results[0].error.status == 403 and run.delays == []


def test_an_image_that_is_not_found_is_not_retried():
    run = Run(FakeRegistry(), "a/b", credentials=USER, propagation_timeout=5)
    assert run.results[0].error.status == 404 and run.delays == []
