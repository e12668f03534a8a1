# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role warms through which repository, and how it reports that."""

from __future__ import annotations

import dataclasses

import pytest
from role_sources import resolved

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError
from ansible_collections.cgr.pull_through.plugins.plugin_utils._cache_warming import (
    cache_warming_report,
    missing_layers,
    plan_cache_warming,
    warm_pulls,
    warmed_tags,
)
from ansible_collections.cgr.pull_through.plugins.plugin_utils._shard import Shard


def image_sources():
    private, public = resolved("private", "public")
    other = dataclasses.replace(private, name="other", key="cgr-other", organization="other.example.org")
    return private, public, other


def catalog(organization, *images):
    listed = [{"reference": f"{organization}/{image}", "bytes": 1000} for image in images]
    return {"organization": {"name": organization, "uid": f"uid of {organization}"}, "images": listed}


def images_by_key(plan):
    return {repository["repository"]: repository["images"] for repository in plan["repositories"]}


def test_whole_catalogs_are_warmed_where_no_image_is_named():
    catalogs = [catalog("other.example.org"), catalog("example.com", "a", "b")]
    plan = plan_cache_warming(image_sources(), catalogs, None)
    assert images_by_key(plan) == {"CGR_private": ["example.com/a", "example.com/b"]}
    assert [image["bytes"] for image in plan["repositories"][0]["catalog"]] == [1000, 1000]


def test_images_by_name_go_through_their_organization_and_others_through_the_public_repository():
    private, public, other = image_sources()
    named = ["chainguard/go", "other.example.org/a", "example.com.evil/a"]
    catalogs = [catalog("example.com"), catalog("other.example.org")]
    plan = plan_cache_warming([private, public, other], catalogs, named)
    assert images_by_key(plan) == {
        "cgr-other": ["other.example.org/a"],
        "cgr-public": ["chainguard/go", "example.com.evil/a"],
    }
    assert plan["unassigned"] == []
    without = plan_cache_warming([private, other], catalogs, named)
    assert without["unassigned"] == ["chainguard/go", "example.com.evil/a"]


def test_shards_share_the_images_and_each_image_is_in_one():
    images = [f"image-{number}:{tag}" for number in range(1000) for tag in ("latest", "1.0")]
    public = [f"chainguard/{image}" for image in images]
    catalogs = [catalog("example.com", *images), catalog("other.example.org")]
    for named in (None, [*public, *(f"example.com/{image}" for image in images)]):
        plans = [plan_cache_warming(image_sources(), catalogs, named, shard=f"{number}/4") for number in (1, 2, 3, 4)]
        pulled = [image for plan in plans for images in images_by_key(plan).values() for image in images]
        whole = plan_cache_warming(image_sources(), catalogs, named)
        assert sorted(pulled) == sorted(image for images in images_by_key(whole).values() for image in images)
        for plan in plans:
            (private,) = [item for item in plan["repositories"] if item["repository"] == "CGR_private"]
            assert 400 < len(private["images"]) < 600
            if named is None:
                assert [image["reference"] for image in private["catalog"]] == private["images"]
            # All tags of an image are in one shard.
            assert len({image.partition(":")[0] for image in private["images"]}) * 2 == len(private["images"])


def test_an_image_stays_in_its_shard_when_the_catalog_changes():
    shards = [Shard(number, 3) for number in (1, 2, 3)]
    images = ["example.com/nginx:latest", "example.com/nginx@sha256:00", "example.com/python", "chainguard/static"]
    assert [[shard.number for shard in shards if shard.has(image)] for image in images] == [[3], [3], [2], [3]]


@pytest.mark.parametrize("text", ["0/4", "5/4", "2", "2/0", "/", "2/4/4", "-1/4", "a/b", "1/1001", "٢/4", "{{ x }}"])
def test_a_shard_that_is_none(text):
    with pytest.raises(InputError, match="pull_through_warm_shard .* must be the number of a shard"):
        Shard.from_text(text, "pull_through_warm_shard")


def test_only_a_prediction_of_public_images_reads_upstream():
    plan = plan_cache_warming(
        image_sources(), [catalog("example.com"), catalog("other.example.org")], ["x/a", "example.com/b"]
    )
    assert warm_pulls(image_sources(), plan, "https://cgr.dev") == [
        {"repository": "CGR_private", "images": ["example.com/b"]},
        {"repository": "cgr-public", "images": ["x/a"], "upstream_url": "https://cgr.dev"},
    ]
    assert not [pull for pull in warm_pulls(image_sources(), plan, "") if "upstream_url" in pull]


IMAGES = ["example.com/a:1", "example.com/b:1@sha256:2", "example.com/c:1"]
PLAN = {"repositories": [{"repository": "CGR_private", "images": IMAGES, "catalog": []}], "unassigned": []}
RESULTS = [{"image": image, "ok": image != IMAGES[2]} for image in IMAGES]
TOTALS = {"bytes": 2048, "seconds": 1.26, "skipped": 0, "failed": 1}
PULL = {"pulls": [{"repository": "CGR_private", "images": RESULTS, "totals": TOTALS}], "msg": "example.com/c:1: denied"}
MARKERS = [
    {"image": "example.com/b", "reference": "example.com/b:1"},
    {"image": "example.com/z", "reference": "example.com/z:1"},
]
CACHES = {"repositories": [{"key": "cgr-other", "markers": MARKERS}, {"key": "CGR_private", "markers": MARKERS}]}


def test_layers_that_are_not_cached_are_fetched_for_the_images_that_were_pulled():
    assert missing_layers([], PULL, CACHES) == [{"repository": "CGR_private", "images": ["example.com/b:1"]}]
    assert missing_layers([], PULL, {"repositories": []}) == []


def test_tags_of_organizations_are_resolved_again():
    public = {"repository": "cgr-public", "images": [{"image": "x/a", "ok": True}]}
    pull = {"pulls": [*PULL["pulls"], public]}
    assert warmed_tags(image_sources(), pull) == [
        {"repository": "CGR_private", "images": ["example.com/a:1", "example.com/b:1"]}
    ]


def report(pull, *, plan=None, caches=None, planned=False, **fields):
    private, public, _other = image_sources()
    images = [dataclasses.replace(private, **fields), public]
    return cache_warming_report(images, plan or PLAN, pull, caches or CACHES, planned)


def test_what_was_warmed():
    tags = [{"builds_behind": 0}, {"builds_behind": 2, "overdue": True}, {}]
    result = report(PULL, tag_age=tags, failure="jdk is overdue")
    assert result["lines"] == [
        "CGR_private: 2 of 3 images pulled, 2.00 KB in 1.3 seconds; 0 skipped, 1 failed.",
        "CGR_private: layers of theirs that are not cached: 1; layers of other images and builds: 1.",
        "CGR_private: tags: 3, of which 1 current and 1 overdue.",
    ]
    assert result["failures"] == ["example.com/c:1: denied", "jdk is overdue"]


def test_what_was_not_warmed():
    stopped = {"pulls": [{"repository": "CGR_private", "images": [], "totals": {"skipped": 3}}], "limit": "max_bytes"}
    assert report(stopped)["lines"] == [
        "CGR_private: 0 of 3 images pulled, 0.00 Bytes in 0.0 seconds; 3 skipped because of max_bytes, 0 failed."
    ]
    assert report({"msg": "no credentials"})["failures"] == ["no credentials"]


@pytest.mark.parametrize(
    ("sizes", "results", "text"),
    [
        ([1000, 24], [], "at most 1.00 KB and 1 of unknown size."),
        ([1000, 24, 0], [], "at most 1.00 KB."),
        ([], [{"ok": None, "bytes": 4096}], "at most 4.00 KB."),
    ],
)
def test_what_would_be_warmed(sizes, results, text):
    repository = {**PLAN["repositories"][0], "catalog": [{"bytes": size} for size in sizes]}
    pull = {"pulls": [{"repository": "CGR_private", "images": results}]}
    planned = report(pull, plan={**PLAN, "repositories": [repository]}, planned=True)
    assert planned["lines"] == [f"CGR_private: 3 images would be pulled, {text}"]


def test_one_image_would_be_warmed():
    repository = {**PLAN["repositories"][0], "images": ["example.com/nginx:latest"], "catalog": [{"bytes": 1024}]}
    planned = report({}, plan={**PLAN, "repositories": [repository]}, planned=True)
    assert planned["lines"] == ["CGR_private: 1 image would be pulled, at most 1.00 KB."]
