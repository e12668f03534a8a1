# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role warms through which repository, and what it tells people of it."""

from __future__ import annotations

import pytest

from ansible_collections.cgr.pull_through.plugins.filter.warmed import warmed
from ansible_collections.cgr.pull_through.plugins.filter.warming import warming


def warm_sources(*names):
    return [{"key": f"cgr-{name}", **({"pull_token": "oci"} if name != "public" else {})} for name in names]


def catalog(organization, *images):
    found = [{"reference": f"{organization}/{image}", "bytes": 1000} for image in images]
    return {"organization": {"name": organization}, "images": found}


def images_by_key(found):
    return {one["source"]["key"]: one["images"] for one in found["repositories"]}


def test_the_whole_catalogue_is_warmed_where_no_image_is_named():
    sources = warm_sources("public", "one", "two")
    found = warming(sources, [catalog("one.example.com", "a", "b"), catalog("two.example.com")])
    assert images_by_key(found) == {"cgr-one": ["one.example.com/a", "one.example.com/b"]}
    assert [one["sized"][0]["bytes"] for one in found["repositories"]] == [1000]


def test_images_by_name_go_through_their_organization_and_others_through_the_public_repository():
    named = ["chainguard/go", "two.example.com/a", "one.example.com.evil/a"]
    catalogs = [catalog("one.example.com"), catalog("two.example.com")]
    found = warming(warm_sources("one", "public", "two"), catalogs, named=named)
    assert images_by_key(found) == {
        "cgr-two": ["two.example.com/a"],
        "cgr-public": ["chainguard/go", "one.example.com.evil/a"],
    }
    assert found["homeless"] == []
    without = warming(warm_sources("one", "two"), catalogs, named=named)
    assert without["homeless"] == ["chainguard/go", "one.example.com.evil/a"]


WARMING = {
    "source": {"key": "cgr-one", "pull_token": "oci"},
    "images": ["o/a:1", "o/b:1@sha256:2", "o/c:1"],
    "sized": [],
}
WARM_PULL = {
    "images": [
        {"image": "o/a:1", "ok": True},
        {"image": "o/b:1@sha256:2", "ok": True},
        {"image": "o/c:1", "ok": False},
    ],
    "totals": {"bytes": 2048, "seconds": 1.26, "skipped": 0, "failed": 1},
}


def test_what_was_warmed_in_words():
    markers = [{"image": "o/b", "reference": "o/b:1"}, {"image": "o/z", "reference": "o/z:1"}]
    tags = [{"builds_behind": 0}, {"builds_behind": 2, "overdue": True}, {}]
    found = warmed(WARMING, WARM_PULL, markers=markers, freshness=tags)
    assert found["came"] == ["o/a:1", "o/b:1@sha256:2"]
    assert found["promised"] == markers[:1]
    assert found["lines"] == [
        "cgr-one: 2 of 3 images came, 2.00 KB in 1.3 seconds; 0 were skipped, 1 failed.",
        "cgr-one: 1 layers of them are not there yet, and 1 of other images and builds.",
        "cgr-one: 1 of 3 tags are the present build, 1 are too old.",
    ]


def test_what_was_not_warmed_in_words():
    stopped = {"images": [], "limit": "max_bytes", "totals": {"skipped": 3}}
    assert warmed(WARMING, stopped)["lines"] == [
        "cgr-one: 0 of 3 images came, 0.00 Bytes in 0.0 seconds; 3 were skipped because of max_bytes, 0 failed."
    ]
    assert warmed(WARMING, {"msg": "no login"})["came"] == []


@pytest.mark.parametrize(
    ("sized", "plan", "words"),
    [
        ([1000, 24], None, "1.00 KB at most and 1 of unknown size."),
        ([1000, 24, 0], {}, "1.00 KB at most."),
        ([], {"bytes": 4096}, "4.00 KB at most."),
    ],
)
def test_what_would_be_warmed_in_words(sized, plan, words):
    repository = {**WARMING, "sized": [{"bytes": size} for size in sized]}
    pull = {"images": [{"image": "o/a:1", "ok": None}], "plan": plan}
    assert warmed(repository, pull, planned=True)["lines"] == [f"cgr-one: 3 images would be pulled, {words}"]
