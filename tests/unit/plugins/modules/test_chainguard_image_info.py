# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import itertools
from urllib.parse import parse_qs, urlsplit

import pytest
from scripted_chainguard import (
    CREDENTIALS,
    DAY,
    NOW,
    ORG,
    ScriptedChainguard,
    ok,
    rejected,
)

from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard import _catalog
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._time import format_timestamp
from ansible_collections.cgr.pull_through.plugins.modules import chainguard_image_info


class ScriptedImages(ScriptedChainguard):
    def respond_by_default(self, request, path):
        query = parse_qs(urlsplit(request.url).query)
        if path == "/registry/v2/repos":
            names = ["python", "nginx"]
            page = int(query.get("pageToken", ["0"])[0])
            repo = {"uid": f"{ORG}/{names[page]}", "name": names[page]}
            return ok({"repos": [repo], "nextPageToken": "" if page else "1"})
        if path == "/registry/v2/tags":
            tag = query["name"][0]
            rows = [
                {
                    "uid": f"{ORG}/{name}/1",
                    "name": tag,
                    "digest": f"sha256:{name}-{tag}",
                    "updateTime": "2031-01-01T00:00:00Z",
                }
                for name in ("nginx", "python", "hidden")
                if tag != "1.0" or name == "nginx"
            ]
            return ok({"tags": rows})
        return super().respond_by_default(request, path)


def test_images_of_the_organization(run_module):
    result = run_module(chainguard_image_info, ScriptedImages().transport, **CREDENTIALS)
    assert [image["reference"] for image in result["images"]] == [
        "example.com/nginx:latest@sha256:nginx-latest",
        "example.com/python:latest@sha256:python-latest",
    ]


def test_images_by_name(run_module):
    images = ["nginx:1.0", "example.com/python", "python:1.0", "none"]
    result = run_module(chainguard_image_info, ScriptedImages().transport, **CREDENTIALS, images=images, query="[].tag")
    assert result["references_by_name"] == {
        "nginx:1.0": "example.com/nginx:1.0@sha256:nginx-1.0",
        "example.com/python": "example.com/python:latest@sha256:python-latest",
    }
    assert result["not_found"] == ["python:1.0", "none"]
    assert result["result"] == ["1.0", "latest"]


class ScriptedCatalog(ScriptedChainguard):
    """Three images. DAYS: how many days before NOW each tag changed."""

    DAYS: dict[str, dict[str, float]] = {
        "nginx": {"latest": 1, "1.27": 3, "1.26": 90, "1.27.3-r1": 3},
        "node": {"latest": 40, "22": 2},
        "python": {"latest": 0.5},
    }

    def __init__(self):
        super().__init__()
        self.history = []

    def respond_by_default(self, request, path):
        query = {name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()}
        if path == "/registry/v2/repos":
            return ok({"repos": [{"uid": f"{ORG}/{name}", "name": name} for name in self.DAYS]})
        if path == "/registry/v2/tags":
            return ok(
                {"tags": [tag for tag in itertools.starmap(self.tag, self.tags()) if self.is_requested(tag, query)]}
            )
        if path.endswith("/architectures"):
            return ok({"architectures": ["amd64", "arm64"]})
        if path.endswith("/size"):
            sizes = {"amd64": "1000", "arm64": "200"}
            size = sizes.get(query["architecture"])
            return ok({"size": size}) if size else rejected(404)
        if path.endswith("/history"):
            return ok({"items": [{"updateTimestamp": when, "digest": digest} for when, digest in self.history]})
        return super().respond_by_default(request, path)

    def tags(self):
        return [(name, tag, days) for name, tags in self.DAYS.items() for tag, days in tags.items()]

    def tag(self, name, tag, days):
        updated = format_timestamp(NOW - days * DAY)
        return {"uid": f"{ORG}/{name}/{tag}", "name": tag, "digest": f"sha256:{name}-{tag}", "updateTime": updated}

    def is_requested(self, tag, query):
        return (
            query.get("name") in (None, tag["name"])
            and (query.get("includeEpochs") == "true" or "-r" not in tag["name"])
            and query.get("updatedSince", "") <= tag["updateTime"]
            and query.get("uidp.childrenOf", tag["uid"]).split("/")[:2] == tag["uid"].split("/")[:2]
        )

    def listings(self):
        return [url for _method, url in self.transport.calls if "/registry/v2/tags" in url]


def listed(result):
    return [f"{image['name']}:{image['tag']}" for image in result["images"]]


@pytest.mark.parametrize(
    ("options", "expected", "requests"),
    [
        ({}, ["nginx:latest", "node:latest", "python:latest"], 1),
        ({"names": ["n*"]}, ["nginx:latest", "node:latest"], 1),
        ({"names": ["nginx"], "tags": ["1.27*", "latest"]}, ["nginx:1.27", "nginx:latest"], 2),
        ({"tags": ["1.27.3-r1"]}, ["nginx:1.27.3-r1"], 1),
        ({"tags": ["*"], "changed_within": "4d"}, ["nginx:1.27", "nginx:latest", "node:22", "python:latest"], 3),
        ({"tags": ["*"], "limit": 2}, ["nginx:latest", "python:latest"], 3),
        ({"names": ["none"], "tags": ["*"]}, [], 0),
    ],
)
def test_selected_images(run_module, options, expected, requests):
    catalog = ScriptedCatalog()
    assert listed(run_module(chainguard_image_info, catalog.transport, **CREDENTIALS, **options)) == expected
    assert len(catalog.listings()) == requests


def test_lists_the_tags_of_many_images_at_once(run_module, monkeypatch):
    monkeypatch.setattr(_catalog, "_PER_IMAGE_LISTING_LIMIT", 2)
    catalog = ScriptedCatalog()
    assert len(run_module(chainguard_image_info, catalog.transport, **CREDENTIALS, tags=["l*"])["images"]) == 3
    assert len(catalog.listings()) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"names": []}, "names is empty"),
        ({"tags": ["latest", ""]}, "tags is empty"),
        ({"limit": 0}, "limit is 0"),
        ({"changed_within": "soon"}, "changed_within is not a duration"),
        ({"images": ["nginx"], "tags": ["1"]}, "mutually exclusive: images|tags"),
        ({"compare_images": [{"digest": "sha256:1"}]}, "an element without image and digest"),
        ({"compare_images": [], "cache_period": -1}, "cache_period is -1"),
        ({"cache_period": 1}, "compare_images"),
        ({"size_platforms": ["amd64"]}, "size_platforms contains 'amd64'"),
        ({"size_platforms": ["all"], "kind": "chart"}, "Charts have no platforms"),
    ],
)
def test_invalid_input(run_module, options, message):
    catalog = ScriptedCatalog()
    assert message in run_module(chainguard_image_info, catalog.transport, **CREDENTIALS, **options)["msg"]
    assert catalog.transport.requests == []


@pytest.mark.parametrize(
    ("platforms", "size", "requests"),
    [(["linux/amd64"], 1000, 1), (["all"], 1200, 3), (["linux/arm64/v8", "linux/s390x"], 200, 2)],
)
def test_sizes(run_module, platforms, size, requests):
    catalog = ScriptedCatalog()
    result = run_module(
        chainguard_image_info, catalog.transport, **CREDENTIALS, names=["node"], size_platforms=platforms
    )
    assert [image["bytes"] for image in result["images"]] == [size]
    path = f"/registry/v2/repos/{ORG}/node/digests/sha256:node-latest/"
    assert sum(path in url for _method, url in catalog.transport.calls) == requests


class ScriptedCharts(ScriptedCatalog):
    """Two folders with charts, and one without. The empty chart changed last."""

    FOLDERS: tuple[str, ...] = ("charts", "iamguarded-charts", "flowcharts")
    DAYS: dict[str, dict[str, float]] = {
        "charts/old": {"0.1.0": 90},
        "iamguarded-charts/empty": {},
        "iamguarded-charts/redis": {"22.0.7": 2, "9.1.0": 40},
        "iamguarded-charts/nginx": {"1.1.0": 3, "1.2.0": 1},
    }

    def respond_by_default(self, request, path):
        query = {name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()}
        parent = query.get("uidp.childrenOf")
        if path == "/iam/v2/groups" and parent == ORG:
            return ok({"groups": [{"uid": f"{ORG}/{name}", "name": name} for name in self.FOLDERS]})
        if path == "/registry/v2/repos":
            below = {name: tags for name, tags in self.DAYS.items() if f"{ORG}/{name.partition('/')[0]}" == parent}
            changed = {
                name: format_timestamp(NOW - min(tags.values(), default=0) * DAY) for name, tags in below.items()
            }
            return ok(
                {
                    "repos": [
                        {"uid": f"{ORG}/{name}", "name": name.partition("/")[2], "updateTime": when}
                        for name, when in changed.items()
                    ]
                }
            )
        return super().respond_by_default(request, path)

    def is_requested(self, tag, query):
        where = query.get("uidp.childrenOf") or query["uidp.descendantsOf"]
        return tag["uid"].startswith(f"{where}/") and query.get("name") in (None, tag["name"])


@pytest.mark.parametrize(
    ("options", "expected", "requests"),
    [
        ({}, ["charts/old:0.1.0", "iamguarded-charts/nginx:1.2.0", "iamguarded-charts/redis:22.0.7"], 4),
        ({"limit": 1}, ["iamguarded-charts/nginx:1.2.0"], 2),
        ({"names": ["*/redis"], "limit": 1}, ["iamguarded-charts/redis:22.0.7"], 1),
        ({"changed_within": "30d"}, ["iamguarded-charts/nginx:1.2.0", "iamguarded-charts/redis:22.0.7"], 4),
        (
            {"tags": ["9.*", "1.*"]},
            ["iamguarded-charts/nginx:1.1.0", "iamguarded-charts/nginx:1.2.0", "iamguarded-charts/redis:9.1.0"],
            4,
        ),
        ({"images": ["example.com/iamguarded-charts/redis:9.1.0"]}, ["iamguarded-charts/redis:9.1.0"], 1),
    ],
)
def test_selected_charts(run_module, options, expected, requests):
    catalog = ScriptedCharts()
    result = run_module(chainguard_image_info, catalog.transport, **CREDENTIALS, kind="chart", **options)
    assert listed(result) == expected
    assert len(catalog.listings()) == requests
    name, tag = expected[0].split(":")
    assert result["images"][0]["reference"] == f"example.com/{name}:{tag}@sha256:{name}-{tag}"


def test_an_organization_without_a_folder_for_charts(run_module):
    catalog = ScriptedCharts()
    catalog.FOLDERS = ("flowcharts",)
    result = run_module(chainguard_image_info, catalog.transport, **CREDENTIALS, kind="chart", limit=1)
    assert (result["images"], catalog.listings()) == ([], [])


def pulled_image(image, digest):
    return {"image": image, "digest": digest, "status": "pulled"}


def test_tag_age(run_module):
    catalog = ScriptedCatalog()
    # Out of order, with a rebuild that changed nothing, and without the newest record.
    catalog.history = [
        (format_timestamp(NOW - days * DAY), digest)
        for days, digest in ((3, "sha256:b"), (9, "sha256:a"), (8, "sha256:a"), (2, "sha256:c"))
    ]
    pulled = [
        pulled_image("example.com/nginx:latest@sha256:pinned", "sha256:b"),
        pulled_image("example.com/python", "sha256:python-latest"),
        pulled_image("example.com/nginx:1.27", "sha256:gone"),
        pulled_image("example.com/nginx@sha256:digest", "sha256:digest"),
        pulled_image("example.com/none", "sha256:none"),
        pulled_image("example.com/failed", None),
    ]
    result = run_module(
        chainguard_image_info, catalog.transport, **CREDENTIALS, compare_images=pulled, cache_period=30 * 3600
    )
    assert [
        (item["image"], item["builds_behind"], item["hours_behind"], item["overdue"]) for item in result["tag_age"]
    ] == [
        ("example.com/nginx:latest@sha256:pinned", 2, 48.0, True),
        ("example.com/python", 0, 0.0, False),
        ("example.com/nginx:1.27", None, None, True),
    ]
    assert result["not_found"] == ["example.com/none"]
    assert sum("/history" in url for _method, url in catalog.transport.calls) == 2
    assert "serves an old copy" in result["tag_age"][0]["summary"]


@pytest.mark.parametrize(("period", "overdue"), [(3600, True), ("864000", False), (None, True)])
def test_an_image_can_have_a_cache_period_of_its_own(run_module, period, overdue):
    catalog = ScriptedCatalog()
    catalog.history = [
        (format_timestamp(NOW - days * DAY), digest) for days, digest in ((3, "sha256:b"), (2, "sha256:c"))
    ]
    image = {**pulled_image("example.com/nginx", "sha256:b"), "cache_period": period}
    result = run_module(
        chainguard_image_info, catalog.transport, **CREDENTIALS, compare_images=[image], cache_period=3600
    )
    assert [age["overdue"] for age in result["tag_age"]] == [overdue]


def test_a_cache_period_that_is_no_number_is_rejected(run_module):
    image = {**pulled_image("example.com/nginx", "sha256:b"), "cache_period": "soon"}
    result = run_module(chainguard_image_info, ScriptedCatalog().transport, **CREDENTIALS, compare_images=[image])
    assert result["failed"] is True and "cache_period of example.com/nginx is 'soon'" in result["msg"]


def test_tag_age_without_a_history(run_module):
    catalog = ScriptedCatalog()
    catalog.override("GET", "/history$", rejected(404))
    pulled = [pulled_image("example.com/node", "sha256:a")]
    (age,) = run_module(
        chainguard_image_info, catalog.transport, **CREDENTIALS, compare_images=pulled, cache_period=60
    )["tag_age"]
    assert (age["builds_behind"], age["hours_behind"], age["overdue"]) == (None, None, None)
