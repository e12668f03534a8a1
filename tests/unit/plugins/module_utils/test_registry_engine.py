# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import threading
import time

import pytest
from fake_registry import LAYER, CutAnswer, FakeRegistry, unknown_manifest
from scripted import ScriptedResponse, ScriptedTransport

from ansible_collections.cgr.pull_through.plugins.module_utils._cache_probe import CacheProbe, NotFromUpstreamError
from ansible_collections.cgr.pull_through.plugins.module_utils._circuit_breaker import SkippedError
from ansible_collections.cgr.pull_through.plugins.module_utils._credentials import Credentials
from ansible_collections.cgr.pull_through.plugins.module_utils._download_errors import DownloadError
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import HTTPStatusError, InvalidContentError
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
UPSTREAM = "https://upstream.example.com"
CHART_CONFIG = "application/vnd.cncf.helm.config.v1+json"


class Run:
    """One run of the engine over a fake registry, and what was asked of it."""

    def __init__(
        self, fake, *images, upstream=None, cache=None, unable="", login=Credentials(), limits=None, **settings
    ):
        self.transport = ScriptedTransport(respond=fake)
        self.upstream = ScriptedTransport(respond=upstream)
        self.pauses = []
        registry = Registry(fake.base, login, transport=self.transport, limits=limits, sleep=self.pauses.append)
        above = upstream and Registry(upstream.base, Credentials(), transport=self.upstream, sleep=self.pauses.append)
        cache_probe = cache and CacheProbe(cache, "key", unable=unable, sleep=self.pauses.append)
        each = {name: settings.pop(name) for name in ("repository", "from_upstream", "evict") if name in settings}
        job = ImagePullJob(
            client=registry,
            references=list(map(parse_reference, images)),
            upstream=above,
            cache_probe=cache_probe,
            **each,
        )
        self.checkpoint = Checkpoint(settings.pop("resume_file", None))
        self.puller = ImagePuller(
            Settings(**{"platforms": AMD64, **settings}),
            limits=limits,
            checkpoint=self.checkpoint,
            clock=lambda: 1 + sum(self.pauses),
            sleep=self.pauses.append,
        )
        (self.outcomes,) = self.puller.pull([job])
        self.checkpoint.close()
        self.registry = registry

    def asked(self, part):
        return [url.rpartition("/")[2] for _method, url in self.transport.calls if part in url]


def failing(fake, path, *plays):
    fake.plays[path] = list(plays)
    return fake


def test_an_image_is_pulled_whole():
    fake = FakeRegistry()
    image = fake.add_image("a/b", layers=[b"one", b"two" * 9])
    root = fake.add_index("a/b", "latest", entries=[image])
    run = Run(fake, "a/b")
    (outcome,) = run.outcomes
    assert outcome.error is None and outcome.root.digest == root["digest"]
    assert outcome.platforms == {"linux/amd64": image["digest"]}
    assert (outcome.layers, outcome.foreign_layers) == (2, 0)
    assert outcome.bytes == run.registry.stats.bytes
    assert run.asked("/manifests/") == ["latest", image["digest"]]
    assert len(run.asked("/blobs/")) == 3
    assert outcome.finished >= outcome.started > 0


def test_the_largest_blob_comes_first():
    fake = FakeRegistry()
    for name, size in (("a/small", 10), ("a/large", 1000), ("a/medium", 100)):
        fake.add_image(name, "latest", layers=[b"x" * size])
    run = Run(fake, "a/small", "a/large", "a/medium", threads=1)
    # The configurations come with the manifests, as they tell the platform.
    sizes = [fake.size(digest) for digest in run.asked("/blobs/")[3:]]
    assert sizes == [1000, 100, 10]


def test_the_depth_manifest_fetches_the_tag_alone():
    fake = FakeRegistry()
    fake.add_index("a/b", "latest")
    run = Run(fake, "a/b", depth="manifest")
    assert run.asked("/manifests/") == ["latest"] and not run.asked("/blobs/")
    (outcome,) = run.outcomes
    assert list(outcome.platforms) == ["linux/amd64"] and outcome.layers == 0
    assert outcome.bytes == outcome.root.size


def test_the_depth_manifest_of_an_image_without_an_index():
    fake = FakeRegistry()
    fake.add_image("a/b", "latest")
    run = Run(fake, "a/b", depth="manifest")
    assert run.outcomes[0].error is None and not run.asked("/blobs/")


def test_the_repository_key_stands_before_the_name():
    fake = FakeRegistry()
    fake.add_image("key/a/b", "1")
    run = Run(fake, "a/b:1", repository="key")
    assert run.outcomes[0].error is None and run.outcomes[0].name == "key/a/b"


def test_all_platforms_are_those_that_can_run():
    fake = FakeRegistry()
    fake.add_index("a/b", "latest")
    (outcome,) = Run(fake, "a/b", platforms=None).outcomes
    assert sorted(outcome.platforms) == ["linux/amd64", "linux/arm64"]


def test_arm_variants():
    fake = FakeRegistry()
    entries = [fake.add_image("a/b", platform=f"linux/arm/{variant}") for variant in ("v6", "v7")]
    fake.add_index("a/b", "latest", entries=entries)
    (outcome,) = Run(fake, "a/b", platforms=parse_platforms(["linux/arm/v7"])).outcomes
    assert outcome.platforms == {"linux/arm/v7": entries[1]["digest"]}


def test_a_platform_that_is_missing_is_named_with_those_that_are_there():
    fake = FakeRegistry()
    fake.add_index("a/b", "latest")
    run = Run(fake, "a/b", platforms=parse_platforms(["linux/amd64", "linux/s390x"]))
    error = run.outcomes[0].error
    assert isinstance(error, PlatformNotFoundError)
    assert (error.missing, error.available) == ("linux/s390x", "linux/amd64, linux/arm64")
    assert not run.asked("/blobs/")


@pytest.mark.parametrize(("platform", "works"), [("linux/amd64", True), ("linux/arm64", False)])
def test_the_platform_of_an_image_without_an_index_is_in_its_configuration(platform, works):
    fake = FakeRegistry()
    image = fake.add_image("a/b", "latest", platform=platform)
    run = Run(fake, "a/b")
    (outcome,) = run.outcomes
    assert (outcome.error is None) is works
    assert outcome.platforms == ({platform: image["digest"]} if works else {})
    assert len(run.asked("/blobs/")) == (2 if works else 1)


def chart(fake, *tags, **more):
    """Hold a Helm chart, and return its descriptor."""
    config = fake.add_blob("a/chart", b"{}", CHART_CONFIG)
    layer = fake.add_blob("a/chart", b"chart", "application/vnd.cncf.helm.chart.content.v1.tar+gzip")
    return fake.add_manifest("a/chart", {"mediaType": OCI_MANIFEST, "config": config, "layers": [layer], **more}, *tags)


@pytest.mark.parametrize("platforms", [AMD64, None])
@pytest.mark.parametrize("indexed", [False, True])
def test_an_artifact_has_no_platform(platforms, indexed):
    fake = FakeRegistry()
    entry = chart(fake, *([] if indexed else ["1"]))
    if indexed:
        fake.add_index("a/chart", "1", entries=[entry])
    (outcome,) = (run := Run(fake, "a/chart:1", platforms=platforms)).outcomes
    assert outcome.error is None and outcome.platforms == {}
    assert (outcome.artifact_type, outcome.layers) == (CHART_CONFIG, 1)
    assert len(run.asked("/blobs/")) == 2


@pytest.mark.parametrize("indexed", [False, True])
def test_the_depth_manifest_of_an_artifact(indexed):
    fake = FakeRegistry()
    entry = chart(fake, *([] if indexed else ["1"]))
    if indexed:
        fake.add_index("a/chart", "1", entries=[entry])
    (outcome,) = (run := Run(fake, "a/chart:1", depth="manifest")).outcomes
    assert outcome.error is None and not run.asked("/blobs/")
    assert outcome.artifact_type == ("" if indexed else CHART_CONFIG)


def test_an_artifact_that_tells_its_type():
    fake = FakeRegistry()
    chart(fake, "1", artifactType="application/vnd.example+json")
    assert Run(fake, "a/chart:1").outcomes[0].artifact_type == "application/vnd.example+json"


def test_an_index_of_images_without_platforms_has_none_that_can_run():
    fake = FakeRegistry()
    entry = {key: value for key, value in fake.add_image("a/b").items() if key != "platform"}
    fake.add_index("a/b", "latest", entries=[entry])
    assert isinstance(Run(fake, "a/b").outcomes[0].error, PlatformNotFoundError)


def test_indexes_in_an_index_are_opened():
    fake = FakeRegistry()
    image = fake.add_image("a/b")
    inner = fake.add_index("a/b", entries=[image])
    fake.add_index("a/b", "latest", entries=[inner, inner, fake.add_image("a/b", platform="linux/arm64")])
    run = Run(fake, "a/b")
    assert run.outcomes[0].platforms == {"linux/amd64": image["digest"]}
    assert run.asked("/manifests/") == ["latest", inner["digest"], image["digest"]]


def test_indexes_are_not_opened_without_end():
    fake = FakeRegistry()
    entry = fake.add_image("a/b")
    for _level in range(5):
        entry = fake.add_index("a/b", "latest", entries=[entry])
    (outcome,) = Run(fake, "a/b").outcomes
    assert isinstance(outcome.error, InvalidContentError) and "nested" in outcome.error.message


def test_entries_that_cannot_run_are_left_out():
    fake = FakeRegistry()
    image = fake.add_image("a/b")
    artifact = {**fake.add_image("a/b", platform="linux/arm64"), "artifactType": "application/x"}
    without = {key: value for key, value in fake.add_image("a/b", platform="linux/386").items() if key != "platform"}
    fake.add_index("a/b", "latest", entries=[artifact, without, image, fake.attestation("a/b", image["digest"])])
    (outcome,) = Run(fake, "a/b", platforms=None).outcomes
    assert outcome.platforms == {"linux/amd64": image["digest"]}


def test_foreign_layers_are_counted_and_not_fetched():
    fake = FakeRegistry()
    foreign = {
        "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "digest": "sha256:" + "f" * 64,
        "size": 1 << 40,
        "urls": ["https://mcr.example.com/layer"],
    }
    fake.add_image("a/b", "latest", layers=[foreign, b"ours"])
    run = Run(fake, "a/b")
    (outcome,) = run.outcomes
    assert outcome.error is None and (outcome.layers, outcome.foreign_layers) == (2, 1)
    assert outcome.bytes < 1 << 20 and foreign["digest"] not in run.asked("/blobs/")


def test_nothing_is_fetched_twice_in_a_repository():
    fake = FakeRegistry()
    shared = fake.add_blob("a/b", b"shared", LAYER)
    for tag in ("1", "2"):
        image = fake.add_image("a/b", layers=[shared, shared, tag.encode()])
        fake.add_index("a/b", tag, entries=[image])
    fake.add_index("a/b", "latest", entries=[image])
    run = Run(fake, "a/b:1", "a/b:2", "a/b:latest")
    assert [outcome.error for outcome in run.outcomes] == [None] * 3
    for part in ("/manifests/", "/blobs/"):
        asked = run.asked(part)
        assert len(asked) == len(set(asked))
    assert [outcome.layers for outcome in run.outcomes] == [3, 3, 3]


def test_another_repository_shares_nothing():
    fake = FakeRegistry()
    for name in ("a/one", "a/two"):
        fake.add_image(name, "latest", layers=[b"shared"])
    assert len(Run(fake, "a/one", "a/two").asked("/blobs/")) == 4


def test_what_fails_does_not_stop_the_others_and_the_order_stays():
    fake = FakeRegistry()
    fake.add_image("a/one", "latest")
    fake.add_image("a/three", "latest")
    outcomes = Run(fake, "a/one", "a/two", "a/three").outcomes
    assert [outcome.reference.name for outcome in outcomes] == ["a/one", "a/two", "a/three"]
    assert [outcome.error is None for outcome in outcomes] == [True, False, True]


def test_a_blob_that_fails_fails_each_image_that_needs_it():
    fake = FakeRegistry()
    shared = fake.add_blob("a/b", b"shared")
    for tag in ("1", "2", "3"):
        fake.add_image("a/b", tag, layers=[shared if tag != "3" else b"own", tag.encode()])
    failing(fake, f"/v2/a/b/blobs/{shared['digest']}", ScriptedResponse(404, {"errors": [{"code": "BLOB_UNKNOWN"}]}))
    run = Run(fake, "a/b:1", "a/b:2", "a/b:3")
    assert [outcome.error is None for outcome in run.outcomes] == [False, False, True]
    assert {outcome.stage for outcome in run.outcomes[:2]} == {"blob"}
    assert len(run.asked("/blobs/")) == 6  # the shared configuration and layer, one by tag each, own


def test_blobs_that_do_not_come_stop_the_rest():
    fake = FakeRegistry()
    layers = [fake.add_blob("a/b", bytes([number]) * (99 - number)) for number in range(6)]
    fake.add_image("a/b", "latest", layers=layers)
    for layer in layers:
        failing(fake, f"/v2/a/b/blobs/{layer['digest']}", CutAnswer(200, b"x"))
    run = Run(fake, "a/b", threads=1)
    assert len(set(run.asked("/blobs/"))) == 1 + 3
    assert not isinstance(run.outcomes[0].error, SkippedError)


def test_a_digest_is_pulled_without_a_tag_and_not_compared():
    fake, upstream = FakeRegistry(), FakeRegistry(UPSTREAM)
    image = fake.add_image("a/b")
    run = Run(fake, f"a/b@{image['digest']}", upstream=upstream)
    assert run.outcomes[0].error is None and run.outcomes[0].is_outdated is None
    assert not run.upstream.requests


# Compared with upstream


def two_versions():
    """Return a repository whose tag is older than upstream's, upstream, and the digest of the newer one."""
    fake, upstream = FakeRegistry(), FakeRegistry(UPSTREAM)
    old = fake.add_image("key/a/b", "latest", layers=[b"old"])
    new = upstream.add_image("a/b", "latest", layers=[b"new"])
    return fake, upstream, old["digest"], new["digest"]


def test_equal_digests_are_not_stale():
    fake, upstream = FakeRegistry(), FakeRegistry(UPSTREAM)
    fake.add_image("key/a/b", "latest")
    upstream.add_image("a/b", "latest", layers=[b"layer of key/a/b for linux/amd64"])
    run = Run(fake, "a/b", upstream=upstream, repository="key")
    (outcome,) = run.outcomes
    assert outcome.error is None and outcome.is_outdated is False
    assert outcome.upstream_version == outcome.root.digest
    assert [url for _method, url in run.upstream.calls if "/blobs/" in url] == []


def test_an_older_tag_is_fine_when_the_newer_digest_can_be_had():
    fake, upstream, old, new = two_versions()
    assert fake.add_image("key/a/b", layers=[b"new"])["digest"] == new
    run = Run(fake, "a/b", upstream=upstream, repository="key")
    (outcome,) = run.outcomes
    assert outcome.error is None and outcome.is_outdated is True
    assert (outcome.root.digest, outcome.upstream_version) == (old, new)
    assert len(run.asked("/blobs/")) == 4 - 1  # the configuration is the same


def test_an_older_tag_is_a_failure_when_the_newer_digest_cannot_be_had():
    fake, upstream, old, new = two_versions()
    run = Run(fake, "a/b", upstream=upstream, repository="key")
    (outcome,) = run.outcomes
    assert outcome.stage == "outdated" and isinstance(outcome.error, DownloadError)
    assert outcome.root.digest == old and outcome.is_outdated is True
    assert run.asked("/manifests/") == ["latest", new]


def test_an_older_tag_is_a_failure_when_a_newer_layer_cannot_be_had():
    fake, upstream, _old, _new = two_versions()
    newer = fake.add_blob("key/a/b", b"new")
    fake.add_image("key/a/b", layers=[newer])
    failing(fake, f"/v2/key/a/b/blobs/{newer['digest']}", ScriptedResponse(404))
    (outcome,) = Run(fake, "a/b", upstream=upstream, repository="key").outcomes
    assert outcome.stage == "outdated" and outcome.error.status == 404


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_digest_that_cannot_be_compared_is_a_failure(status):
    fake, upstream = FakeRegistry(), FakeRegistry(UPSTREAM)
    fake.add_image("a/b", "latest")
    failing(upstream, "/v2/a/b/manifests/latest", ScriptedResponse(status, "no"))
    (outcome,) = Run(fake, "a/b", upstream=upstream).outcomes
    assert outcome.stage == "upstream" and outcome.error.status == status
    assert outcome.root is not None and outcome.is_outdated is None


def test_when_the_pull_is_refused_upstream_is_asked_for_the_reason():
    upstream = FakeRegistry(UPSTREAM)
    upstream.add_image("a/b", "latest")
    (outcome,) = Run(FakeRegistry(), "a/b", upstream=upstream).outcomes
    assert outcome.stage == "manifest" and outcome.upstream_version is not None
    (outcome,) = Run(FakeRegistry(), "a/c", upstream=upstream).outcomes
    assert outcome.stage == "manifest" and outcome.upstream_error.status == 404


def test_a_pinned_digest_beside_the_tag_must_be_there():
    fake = FakeRegistry()
    fake.add_image("a/b", "1", layers=[b"new"])
    pinned = fake.add_image("a/b", layers=[b"old"])
    run = Run(fake, f"a/b:1@{pinned['digest']}")
    assert run.outcomes[0].error is None and run.asked("/manifests/") == ["1", pinned["digest"]]
    (outcome,) = Run(fake, "a/b:1@sha256:" + "0" * 64).outcomes
    assert outcome.stage == "pinned" and outcome.error.status == 404


# Fresh from upstream

TAG = -1
ALL = (TAG, 0, 1, 2)  # and the children of the index, by their number


def folder(reference):
    return f"a/b/{reference.replace(':', '__')}"


class Cache:
    """The cache of a remote: the manifests that were in it, and those that the registry has served since."""

    def __init__(self, *, normalize_config=True, keeps=True):
        self.paths = set()
        self.normalize_config = normalize_config
        self.keeps = keeps
        self.evicted = []
        self.looks = []
        self.error = None

    def hold(self, reference, body):
        self.paths.add(f"{folder(reference)}/{'list.' if b'manifests' in body else ''}manifest.json")

    def serve(self, fake):
        """Return the fake registry in front of this cache."""

        def answer(request):
            play = fake(request)
            if self.keeps and "/manifests/" in request.url and play.status == 200:
                self.hold(request.url.rpartition("/")[2], play.body)
            return play

        answer.base = fake.base  # type: ignore[attr-defined]
        return answer

    def has(self, key, path):
        assert key == "key"
        if self.error:
            raise self.error
        self.looks.append(path)
        return path in self.paths if self.normalize_config else None

    def evict(self, key, path):
        assert key == "key"
        if self.error:
            raise self.error
        self.evicted.append(path)
        self.paths.discard(path)


class FreshRun(Run):
    """A run that asks whether what came was fresh. children: digests of amd64, arm64 and the attestation."""

    def __init__(
        self, cached=(), *, from_upstream="required", image="a/b", index=True, spoil=None, cache=None, **settings
    ):
        fake = FakeRegistry()
        if index:
            fake.add_index("key/a/b", "latest")
            entries = [fake.add_image("key/a/b", platform=f"linux/{one}") for one in ("amd64", "arm64")]
            self.children = [one["digest"] for one in (*entries, fake.attestation("key/a/b", entries[0]["digest"]))]
        else:
            self.children = []
            fake.add_image("key/a/b", "latest")
        self.cache = cache or Cache()
        for number in cached:
            reference = "latest" if number == TAG else self.children[number]
            self.cache.hold(reference, b"manifests" if number == TAG and index else b"")
        if spoil is not None:
            fake.plays[f"/v2/key/a/b/manifests/{self.children[spoil]}"] = [unknown_manifest()]
        super().__init__(
            self.cache.serve(fake), image, cache=self.cache, repository="key", from_upstream=from_upstream, **settings
        )
        (self.outcome,) = self.outcomes
        self.observation = self.outcome.observation


def test_a_tag_that_was_not_cached_is_fresh():
    run = FreshRun()
    assert run.observation.from_upstream is True and run.outcome.error is None
    assert "latest was not in key-cache before" in run.outcome.observations[0].evidence


def test_a_child_that_was_not_cached_is_fresh():
    run = FreshRun(cached=[TAG, 1, 2])
    assert run.observation.from_upstream is True and run.children[0] in run.observation.evidence
    assert run.asked("/manifests/") == ["latest", run.children[0]]


@pytest.mark.parametrize("depth", ["manifest", "image"])
@pytest.mark.parametrize(("cached", "fetched"), [((TAG, 0), 2), ((TAG, 0, 2), 1)])
def test_if_all_that_is_pulled_is_cached_the_smallest_that_is_not_is_fetched(depth, cached, fetched):
    run = FreshRun(cached=cached, depth=depth)
    assert run.observation.from_upstream is True and run.outcome.error is None
    assert run.asked("/manifests/")[-1] == run.children[fetched]
    assert run.cache.evicted == []


def test_what_an_index_names_is_looked_for_once_before_it_comes_and_once_after():
    run = FreshRun(cached=[TAG, 0])
    child = f"{folder(run.children[2])}/manifest.json"
    assert run.observation.from_upstream is True
    assert [path for path in run.cache.looks if folder(run.children[2]) in path] == [child, child]


def test_if_all_is_cached_nothing_is_shown():
    run = FreshRun(cached=ALL)
    assert isinstance(run.outcome.error, NotFromUpstreamError) and run.outcome.stage == "from_upstream"
    assert run.observation.from_upstream is False and "was in key-cache already" in run.observation.evidence
    preferred = FreshRun(cached=ALL, from_upstream="preferred", evict=True)
    assert preferred.outcome.error is None and preferred.observation.from_upstream is False
    assert preferred.cache.evicted == []


def test_evict_deletes_the_smallest_that_is_not_pulled_and_fetches_it_again():
    run = FreshRun(cached=ALL, evict=True)
    assert run.outcome.error is None and run.observation.from_upstream is True
    assert run.cache.evicted == [f"{folder(run.children[2])}/manifest.json"]
    assert run.asked("/manifests/")[-1] == run.children[2]


def test_evict_deletes_the_tag_of_an_image_without_an_index():
    run = FreshRun(cached=[TAG], index=False, evict=True)
    assert run.outcome.error is None and run.observation.from_upstream is True
    assert run.cache.evicted == ["a/b/latest/manifest.json"] and run.asked("/manifests/") == ["latest", "latest"]


def test_what_was_evicted_and_does_not_come_back_is_a_failure():
    run = FreshRun(cached=ALL, evict=True, spoil=2)
    assert run.outcome.stage == "from_upstream" and run.outcome.error.status == 404


@pytest.mark.parametrize("from_upstream", ["required", "preferred"])
def test_what_is_not_cached_and_does_not_come_is_a_failure(from_upstream):
    run = FreshRun(cached=[TAG, 0], spoil=2, from_upstream=from_upstream)
    assert run.outcome.stage == "from_upstream" and run.outcome.error.status == 404


def test_a_cache_that_may_not_be_read_leaves_it_open():
    run = FreshRun(cache=Cache(normalize_config=False))
    assert run.observation.from_upstream is None and isinstance(run.outcome.error, NotFromUpstreamError)
    assert "may not read key-cache" in run.outcome.error.message
    assert FreshRun(cache=Cache(normalize_config=False), from_upstream="preferred").outcome.error is None


def test_a_cache_that_cannot_be_read_leaves_it_open():
    cache = Cache()
    cache.error = HTTPStatusError(401, "who?", method="GET", url="https://artifactory.example.com")
    run = FreshRun(cache=cache, from_upstream="preferred")
    assert run.observation.from_upstream is None and "could not be read" in run.observation.evidence


def test_a_repository_without_a_cache_leaves_it_open():
    run = FreshRun(unable="key is a virtual repository.", from_upstream="preferred")
    assert run.observation == run.outcome.observations[0] and run.observation.from_upstream is None


def test_what_does_not_show_up_in_the_cache_proves_nothing():
    # A layout that is not the expected one: everything seems to be absent, before as after.
    run = FreshRun(cache=Cache(keeps=False))
    assert run.observation.from_upstream is None and "does not show up" in run.observation.evidence
    assert isinstance(run.outcome.error, NotFromUpstreamError) and run.pauses[:3] == [0, 1, 2]


# The parts


def test_once_works_out_a_value_once_however_many_ask():
    calls, once, results = [], SingleFlight(), []

    def work():
        calls.append(1)
        time.sleep(0.02)
        return "value"

    threads = [threading.Thread(target=lambda: results.append(once.get("key", work))) for _number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == ["value"] * 8 and len(calls) == 1


def test_once_keeps_a_failure():
    once = SingleFlight()
    with pytest.raises(ZeroDivisionError):
        once.get("key", lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        once.get("key", lambda: 1)


@pytest.mark.parametrize("heads", [True, False], ids=["HEAD", "HEAD refused"])
def test_the_depth_resolve_asks_for_the_digest_alone(heads):
    fake, upstream = FakeRegistry(), FakeRegistry(UPSTREAM)
    image = fake.add_image("key/a/b", "latest")
    upstream.add_image("a/b", "latest", layers=[b"layer of key/a/b for linux/amd64"])
    fake.heads = heads
    run = Run(fake, "a/b", depth="resolve", repository="key", upstream=upstream)
    (outcome,) = run.outcomes
    assert outcome.error is None and outcome.is_outdated is False
    assert (outcome.root.digest, outcome.root.size) == (image["digest"], image["size"])
    assert [method for method, url in run.transport.calls if "/manifests/" in url] == ["HEAD"] + ["GET"] * (not heads)
    assert [method for method, url in run.upstream.calls if "/manifests/" in url] == ["HEAD"]
    assert not run.asked("/blobs/")


def test_the_depth_resolve_explains_what_is_missing_by_the_words_of_a_get():
    (outcome,) = Run(FakeRegistry(), "a/b", depth="resolve").outcomes
    assert isinstance(outcome.error, DownloadError) and outcome.error.code == "MANIFEST_UNKNOWN"


def referring(fake, name, *tags, layer=b"signature"):
    """Hold something that refers to an image, and return its descriptor."""
    config = fake.add_blob(name, b"{}", "application/vnd.oci.empty.v1+json")
    document = {"mediaType": OCI_MANIFEST, "config": config, "layers": [fake.add_blob(name, layer)]}
    return fake.add_manifest(name, document, *tags)


@pytest.mark.parametrize("api", [True, False], ids=["API", "tag"])
def test_what_refers_to_an_image_is_pulled_with_it(api):
    fake = FakeRegistry()
    image = fake.add_image("a/b")
    root = fake.add_index("a/b", "latest", entries=[image])
    listed = [referring(fake, "a/b", layer=b"bundle"), referring(fake, "a/b", layer=b"sbom")]
    legacy = image["digest"].replace(":", "-") + ".sig"
    referring(fake, "a/b", legacy, layer=b"old")
    if api:
        fake.listed = {("a/b", root["digest"]): listed}
    else:
        fake.add_index("a/b", root["digest"].replace(":", "-"), entries=listed)
    run = Run(fake, "a/b", referrers=True)
    (outcome,) = run.outcomes
    assert outcome.error is None and outcome.referrers == 3
    assert {*(one["digest"] for one in listed), legacy} <= set(run.asked("/manifests/"))
    # The image's own layer and configuration, three layers, and the one configuration that they share.
    assert len(run.asked("/blobs/")) == 6


def test_an_image_to_which_nothing_refers():
    fake = FakeRegistry()
    fake.add_image("a/b", "latest")
    (outcome,) = Run(fake, "a/b", referrers=True).outcomes
    assert outcome.error is None and outcome.referrers == 0
    assert Run(fake, "a/b").outcomes[0].referrers is None


def test_the_subject_in_the_place_of_its_referrers_is_none():
    fake = FakeRegistry()
    root = fake.add_index("a/b", "latest", entries=[fake.add_image("a/b")])
    fake.plays[f"/v2/a/b/manifests/{root['digest'].replace(':', '-')}"] = [
        fake(Request("GET", f"{fake.base}/v2/a/b/manifests/latest"))
    ]
    (outcome,) = Run(fake, "a/b", referrers=True).outcomes
    assert outcome.error is None and outcome.referrers == 0


def test_the_referrers_come_in_pages_whose_links_may_have_a_wrong_path():
    fake = FakeRegistry()
    image = fake.add_image("a/b", "latest")
    entries = [referring(fake, "a/b", layer=layer) for layer in (b"one", b"two")]
    pages = [{"schemaVersion": 2, "manifests": [entry]} for entry in entries]
    link = {"Link": '</v2/elsewhere/referrers/x?last=1&n=1>; rel="next"'}
    path = f"/v2/a/b/referrers/{image['digest']}"
    fake.plays[path] = [ScriptedResponse(200, pages[0], link), ScriptedResponse(200, pages[1])]
    run = Run(fake, "a/b", referrers=True)
    assert run.outcomes[0].referrers == 2
    assert run.asked("/referrers/") == [image["digest"], f"{image['digest']}?last=1&n=1"]


def test_a_signature_that_cannot_be_had_is_a_failure():
    fake = FakeRegistry()
    image = fake.add_image("a/b", "latest")
    missing = {**referring(FakeRegistry(), "a/b"), "size": 3}
    fake.listed = {("a/b", image["digest"]): [missing]}
    (outcome,) = Run(fake, "a/b", referrers=True).outcomes
    assert isinstance(outcome.error, DownloadError) and outcome.stage == "referrer"


def test_the_canary_keeps_the_others_from_being_tried():
    fake = FakeRegistry()
    fake.add_image("a/b", "latest")
    run = Run(fake, "a/none", "a/b", "a/b:2", canary=True)
    assert [type(one.error) for one in run.outcomes] == [DownloadError, SkippedError, SkippedError]
    assert run.asked("/manifests/") == ["latest"]
    fake.add_image("a/b", "2", layers=[b"another"])
    run = Run(fake, "a/b", "a/b:2", canary=True)
    assert [one.error for one in run.outcomes] == [None, None]
    first_of_second = run.asked("").index("2")
    assert len([url for url in run.asked("")[:first_of_second] if url.startswith("sha256:")]) == 2


def test_each_repository_has_its_own_canary():
    fake = FakeRegistry()
    fake.add_image("a/b", "latest")
    fake.add_image("a/b", "2", layers=[b"another"])
    registry = Registry(fake.base, Credentials(), transport=ScriptedTransport(respond=fake), sleep=lambda _seconds: None)
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


def test_a_limit_of_bytes_ends_the_run_in_the_order_of_the_images():
    fake = FakeRegistry()
    for name in ("a/one", "a/two", "a/three"):
        layered(fake, name, 100, 1000)
    run = Run(fake, "a/one", "a/two", "a/three", limits=Limits(max_bytes=2150), threads=1)
    assert [type(one.error) for one in run.outcomes] == [type(None), LimitExceededError, LimitExceededError]
    sizes = [fake.size(digest) for digest in run.asked("/blobs/")[3:]]
    assert sizes == [1000, 100, 1000]
    assert "max_bytes (2150)" in run.outcomes[2].error.message


def test_a_limit_of_time_ends_the_run():
    fake = FakeRegistry()
    for name in ("a/one", "a/two"):
        layered(fake, name, 100)
    now = iter(range(100))
    run = Run(fake, "a/one", "a/two", limits=Limits(max_seconds=4, clock=lambda: next(now)), threads=1)
    assert isinstance(run.outcomes[1].error, LimitExceededError) and "max_seconds (4)" in run.outcomes[1].error.message
    assert len(run.transport.requests) < 4


def test_what_was_proved_is_not_pulled_again(tmp_path):
    fake = FakeRegistry()
    layered(fake, "a/b", 10, 20)
    file = str(tmp_path / "proved.jsonl")
    first = Run(fake, "a/b", resume_file=file)
    again = Run(fake, "a/b", resume_file=file)
    assert len(first.asked("/blobs/")) == 3
    # The configuration tells the platform.
    assert len(again.asked("/blobs/")) == 1 and again.outcomes[0].error is None
    assert again.outcomes[0].layers == 2
    assert "2 of 2 layers" in again.puller.progress()


def test_what_another_build_proved_does_not_count(tmp_path):
    fake = FakeRegistry()
    shared = b"shared"
    fake.add_image("a/b", "latest", layers=[shared])
    file = str(tmp_path / "proved.jsonl")
    Run(fake, "a/b", resume_file=file)
    fake.add_image("a/b", "latest", layers=[shared, b"new"])
    assert len(Run(fake, "a/b", resume_file=file).asked("/blobs/")) == 3


def test_what_failed_is_not_remembered(tmp_path):
    fake = FakeRegistry()
    image = layered(fake, "a/b", 10)
    layer = json.loads(fake(Request("GET", f"{fake.base}/v2/a/b/manifests/{image['digest']}")).body)["layers"][0]
    fake.plays[f"/v2/a/b/blobs/{layer['digest']}"] = [ScriptedResponse(404)]
    file = tmp_path / "proved.jsonl"
    assert Run(fake, "a/b", resume_file=str(file)).outcomes[0].error is not None
    assert file.read_text() == ""


def test_what_the_protocol_needs_is_all_that_is_sent():
    """An image costs its index, manifest, configuration and layers; a repository a token, and a registry a ping."""
    fake = FakeRegistry(challenge='Bearer realm="https://registry.example.com/token"')
    for name in ("a/one", "a/two", "a/three"):
        fake.add_index(
            name, "latest", entries=[fake.add_image(name, layers=[f"{name} {n}".encode() for n in range(5)])]
        )
    run = Run(fake, "a/one", "a/two", "a/three")
    counts = [len(run.asked(part)) for part in ("/v2/", "/token", "/manifests/", "/blobs/")]
    assert [one.error for one in run.outcomes] == [None] * 3
    assert counts == [1 + 3 * (2 + 6), 3, 3 * 2, 3 * 6]
    assert len(run.transport.requests) == 1 + 3 * (1 + 2 + 6)


# Denied until a new pull token has propagated

USER = Credentials("user", "secret")


def denying(fake, path, denials, status=403):
    """Return a script that denies the first requests for a path, and then does as fake does."""
    remaining = [ScriptedResponse(status, {"errors": [{"code": "DENIED", "message": "not yet"}]})] * denials

    def play(request):
        return remaining.pop() if path in request.url and remaining else fake(request)

    play.base = fake.base  # type: ignore[attr-defined]
    return play


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("part", ["/manifests/", "/blobs/", "/v2/a/two/"])
def test_only_what_was_denied_is_pulled_again(part, status):
    fake = FakeRegistry()
    for name in ("a/one", "a/two"):
        fake.add_image(name, "latest")
    run = Run(denying(fake, part, 1, status), "a/one", "a/two", login=USER, threads=1, propagation_timeout=5)
    assert [result.error for result in run.outcomes] == [None, None]
    assert [result.reference.name for result in run.outcomes] == ["a/one", "a/two"]
    assert len(run.pauses) == 1 and 0 < run.pauses[0] < 1
    denied_name = "a/two" if part == "/v2/a/two/" else "a/one"
    requests = [url for _method, url in run.transport.calls if f"/v2/{denied_name}/manifests/" in url]
    assert len(requests) == 2
    assert len([url for _method, url in run.transport.calls if "/manifests/" in url]) == 3


def test_a_denied_pull_fails_when_the_time_is_over():
    fake = FakeRegistry()
    run = Run(denying(fake, "/manifests/", 99), "a/b", "a/c", "a/d", "a/e", login=USER, propagation_timeout=10)
    assert {result.error.status for result in run.outcomes} == {403}
    assert 5 < sum(run.pauses) <= 10 and len(run.asked("/manifests/")) == 4 * (1 + len(run.pauses))


def test_an_open_circuit_breaker_is_closed_before_a_retry():
    fake = FakeRegistry()
    names = ["a/one", "a/two", "a/three", "a/four", "a/five"]
    for name in names:
        fake.add_image(name, "latest")
    run = Run(denying(fake, "/manifests/", 3, 401), *names, login=USER, threads=1, propagation_timeout=5)
    assert [result.error for result in run.outcomes] == [None] * 5


def test_a_denied_canary_is_retried_before_the_others():
    fake = FakeRegistry()
    for name in ("a/one", "a/two"):
        fake.add_image(name, "latest")
    run = Run(denying(fake, "/manifests/", 1), "a/one", "a/two", login=USER, canary=True, propagation_timeout=5)
    assert [result.error for result in run.outcomes] == [None, None]
    names = [url.split("/")[5] for _method, url in run.transport.calls if "/manifests/" in url]
    assert names == ["one", "one", "two"]


@pytest.mark.parametrize(
    "options",
    [
        {"login": USER},
        {"login": USER, "propagation_timeout": 5, "repository": "key"},
        {"propagation_timeout": 5},
    ],
    ids=["no timeout", "through a repository", "anonymous"],
)
def test_other_denied_pulls_are_not_retried(options):
    run = Run(denying(FakeRegistry(), "/manifests/", 99), "a/b", **options)
    assert run.outcomes[0].error.status == 403 and run.pauses == []


def test_an_image_that_is_not_found_is_not_retried():
    run = Run(FakeRegistry(), "a/b", login=USER, propagation_timeout=5)
    assert run.outcomes[0].error.status == 404 and run.pauses == []
