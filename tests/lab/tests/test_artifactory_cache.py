# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cache of a remote repository: layout, storage info, delete, zap and searches."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import httpx
import pytest

from .conftest import Lab
from .test_artifactory_docker import PUBLIC, blob, count_requests, layers, manifest, publish
from .test_artifactory_rest import REMOTE, V1, client, create, envelope

STORAGE, ZAP, AQL = "/artifactory/api/storage/cgr-cache", "/artifactory/api/zap", "/artifactory/api/search/aql"
# The files are cached after the import of this file.
STARTED = int(time.time())
LATEST = f"{PUBLIC}/latest/list.manifest.json"


@pytest.fixture
def public(lab: Lab) -> str:
    create(lab, "cgr", {**REMOTE, "enableTokenAuthentication": True})
    return "cgr"


@pytest.fixture
def cached(lab: Lab, public: str) -> str:
    """The folder of the first platform's manifest. Its config is cached, and a layer is not."""
    digests = layers(lab, public)
    blob(lab, public, digests[0])
    child = manifest(lab, public).json()["manifests"][0]["digest"]
    return f"{PUBLIC}/{child.replace(':', '__')}"


def paths(lab: Lab) -> list[str]:
    return list(lab.control("GET", "/artifactory/cache/cgr"))


def epoch(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def info(lab: Lab, path: str, user: str = "reader", **query: str) -> dict[str, Any]:
    response = client(lab, user).get(f"{STORAGE}/{path}", params=query)
    assert response.status_code == 200, response.text
    return dict(response.json())


def search(lab: Lab, query: str, user: str = "admin") -> httpx.Response:
    return client(lab, user).post(AQL, content=query, headers={"Content-Type": "text/plain"})


# --- layout and storage info ---


def test_layout(lab: Lab, cached: str) -> None:
    files = paths(lab)
    assert LATEST in files and f"{cached}/manifest.json" in files
    blobs = [path.rpartition("/")[2] for path in files if path.startswith(f"{cached}/sha256__")]
    assert sorted(name.endswith(".marker") for name in blobs) == [False, True, True]


def test_blobs_are_next_to_a_single_manifest(lab: Lab, public: str) -> None:
    child = manifest(lab, public).json()["manifests"][0]["digest"]
    body = manifest(lab, public, ref=child)
    response = {"status": 200, "body": body.text, "headers": dict(body.headers)}
    lab.inject_fault(service="registry", kind="registry.manifest", action=response)
    assert manifest(lab, public, ref="single").headers["x-artifactory-filename"] == "manifest.json"
    here = [path for path in paths(lab) if path.startswith(f"{PUBLIC}/single/")]
    assert f"{PUBLIC}/single/manifest.json" in here and len(here) == 4


def test_a_file(lab: Lab, cached: str) -> None:
    storage_info, sent = info(lab, LATEST), manifest(lab, "cgr")
    base = lab.state["artifactory"]["url"]
    assert (storage_info["repo"], storage_info["path"], storage_info["createdBy"]) == (
        "cgr-cache",
        f"/{LATEST}",
        "puller",
    )
    assert (storage_info["size"], storage_info["mimeType"]) == (str(len(sent.content)), sent.headers["content-type"])
    assert f"sha256:{storage_info['checksums']['sha256']}" == sent.headers["docker-content-digest"]
    assert storage_info["remoteUrl"] == f"https://cgr.dev/v2/{PUBLIC}/manifests/latest"
    assert storage_info["uri"] == f"{base}{STORAGE}/{LATEST}"
    assert STARTED <= epoch(storage_info["created"]) == epoch(storage_info["lastModified"]) <= time.time()


def test_times_follow_the_clock_and_a_revalidation_changes_last_updated(lab: Lab, cached: str) -> None:
    before = info(lab, LATEST)
    lab.advance(7200)
    manifest(lab, "cgr")
    after = info(lab, LATEST)
    assert after["created"] == before["created"] and after["lastModified"] == before["lastModified"]
    elapsed = time.time() - epoch(before["lastUpdated"])
    assert 7199 < epoch(after["lastUpdated"]) - epoch(before["lastUpdated"]) <= 7200 + elapsed


def test_a_folder(lab: Lab, cached: str) -> None:
    assert info(lab, "")["children"] == [{"uri": "/chainguard", "folder": True}]
    storage_info = info(lab, PUBLIC)
    assert {"uri": "/latest", "folder": True} in storage_info["children"] and "size" not in storage_info
    assert {"uri": "/manifest.json", "folder": False} in info(lab, cached)["children"]


def test_list_stats_and_last_modified(lab: Lab, cached: str) -> None:
    shallow = info(lab, cached, list="")["files"]
    deep = info(lab, "chainguard", list="", deep="1", listFolders="1")["files"]
    assert len(shallow) == 4 and {row["uri"] for row in shallow} > {"/manifest.json"}
    assert {f"chainguard{row['uri']}" for row in deep if not row["folder"]} == set(paths(lab))
    name = PUBLIC.partition("/")[2]
    assert {row["uri"] for row in deep if row["folder"]} == {
        f"/{name}",
        f"/{name}/latest",
        f"/{cached.partition('/')[2]}",
    }
    assert [row["uri"] for row in info(lab, "chainguard", list="", listFolders="1")["files"]] == [f"/{name}"]
    counted = info(lab, LATEST, stats="")
    assert (counted["downloadCount"], counted["lastDownloadedBy"]) == (2, "puller")
    assert info(lab, LATEST, lastModified="")["lastModified"] == info(lab, LATEST)["lastModified"]


def test_missing_files(lab: Lab, cached: str) -> None:
    for url in (f"{STORAGE}/no", "/artifactory/api/storage/cgr/chainguard", "/artifactory/api/storage/no-cache"):
        assert envelope(client(lab).get(url)) == (404, "Unable to find item")
    assert client(lab, "").get(STORAGE).status_code == 401


# --- delete ---


@pytest.mark.parametrize("key", ["cgr-cache", "cgr"])
def test_delete(lab: Lab, cached: str, key: str) -> None:
    url = f"/artifactory/{key}/{cached}"
    assert envelope(client(lab, "puller").delete(url)) == (403, "Forbidden")
    assert client(lab, "manager").delete(url).status_code == 204
    assert [path for path in paths(lab) if path.startswith(cached)] == [] != paths(lab)
    assert envelope(client(lab, "manager").delete(url)) == (404, "Unable to find item")
    assert client(lab, "manager").delete(f"/artifactory/{key}").status_code == 204
    assert paths(lab) == []
    assert manifest(lab, "cgr").status_code == 200


def test_deleting_a_repository_deletes_its_cache(lab: Lab, cached: str) -> None:
    count = len(paths(lab))
    assert client(lab).delete(f"{V1}/cgr").json()["deletedArtifactsCount"] == count
    assert client(lab).get(STORAGE).status_code == 404
    create(lab, "cgr", REMOTE)
    assert paths(lab) == []


# --- zap ---


def zap(lab: Lab, path: str, user: str = "manager") -> httpx.Response:
    return client(lab, user).post(f"{ZAP}/{path}")


def test_zap_revalidates_tags_and_keeps_binaries(lab: Lab, cached: str) -> None:
    old, before = manifest(lab, "cgr").headers["docker-content-digest"], paths(lab)
    new = publish(lab)
    response = zap(lab, f"cgr-cache/{PUBLIC}")
    assert (response.status_code, response.json()) == (
        200,
        {"Message": f"Completed zapping cache in path cgr-cache/{PUBLIC}"},
    )
    assert paths(lab) == before
    assert manifest(lab, "cgr").headers["docker-content-digest"] == new != old


def test_a_zapped_tag_is_still_served_when_the_upstream_fails(lab: Lab, cached: str) -> None:
    old = manifest(lab, "cgr").content
    zap(lab, "cgr-cache")
    lab.inject_fault(service="registry", action={"status": 404})
    assert manifest(lab, "cgr").content == old


@pytest.mark.parametrize(
    ("path", "forgets"),
    [
        ("cgr-cache", True),
        ("cgr-cache/chainguard", True),
        (f"cgr-cache/{PUBLIC}", True),
        (f"cgr-cache/{PUBLIC}/late", False),
        ("cgr-cache/chainguard/go", False),
    ],
)
def test_zap_clears_the_negative_cache_below_a_cached_path(lab: Lab, cached: str, path: str, forgets: bool) -> None:
    manifest(lab, "cgr", ref="late")
    before = count_requests(lab, "cgr")
    assert zap(lab, path).status_code == 200
    assert manifest(lab, "cgr", ref="late").status_code == 404
    assert (count_requests(lab, "cgr") != before) is forgets


@pytest.mark.parametrize(
    ("version", "user", "status"),
    [
        ("7.49.2", "admin", 404),
        ("7.49.3", "puller", 200),
        ("7.104.11", "puller", 200),
        ("7.104.12", "puller", 403),
        ("7.161.15", "manager", 200),
    ],
)
def test_who_may_zap_in_which_version(lab: Lab, cached: str, version: str, user: str, status: int) -> None:
    lab.configure(artifactory_version=version)
    assert zap(lab, f"cgr-cache/{PUBLIC}", user).status_code == status


def test_zap_needs_the_key_of_a_cache(lab: Lab, cached: str) -> None:
    assert zap(lab, "cgr").status_code == 400
    assert zap(lab, "no-cache").status_code == 404


# --- variants of storage info ---


def test_a_file_cannot_be_listed(lab: Lab, cached: str) -> None:
    assert client(lab).get(f"{STORAGE}/{LATEST}?list").status_code == 400


def test_there_are_no_properties(lab: Lab, cached: str) -> None:
    assert envelope(client(lab).get(f"{STORAGE}/{LATEST}?properties")) == (404, "No properties could be found.")


def test_storage_info_through_a_virtual_repository(lab: Lab, cached: str) -> None:
    create(lab, "all", {"rclass": "virtual", "packageType": "docker", "repositories": ["cgr"]})
    virtual = f"/artifactory/api/storage/all/{PUBLIC}/latest"
    assert client(lab).get(f"{virtual}/list.manifest.json").json()["repo"] == "cgr-cache"
    assert client(lab).get(f"{virtual}/missing").status_code == 404


# --- searches ---


def test_a_search_finds_markers(lab: Lab, cached: str) -> None:
    query = 'items.find({"repo":"cgr-cache","name":{"$match":"*.marker"}}).include("repo","path","name")'
    files = search(lab, query, "reader").json()
    assert files["range"] == {"start_pos": 0, "end_pos": 2, "total": 2}
    assert {row["path"] for row in files["results"]} == {cached}
    assert all(row.keys() == {"repo", "path", "name"} for row in files["results"])


@pytest.mark.parametrize(
    ("criteria", "count"),
    [
        ('{"name":"list.manifest.json"}', 1),
        ('{"name":{"$eq":"list.manifest.json"}}', 1),
        ('{"path":{"$match":"chainguard/*/latest"}}', 1),
        ('{"repo":"cgr"}', 0),
        ('{"name":{"$ne":"list.manifest.json"}}', 4),
        ('{"name":{"$nmatch":"*.marker"}}', 3),
        ('{"$or":[{"name":"manifest.json"},{"name":{"$match":"list.*"}}]}', 2),
        ('{"$and":[{"name":{"$match":"sha256__*"}},{"name":{"$match":"*.marker"}}]}', 2),
        ('{"name":{"$match":"*.json","$ne":"manifest.json"}}', 1),
        ("", 5),
    ],
)
def test_search_criteria(lab: Lab, cached: str, criteria: str, count: int) -> None:
    files = search(lab, f"items.find({criteria})").json()["results"]
    assert len(files) == count
    assert all({"repo", "path", "name", "type", "size", "created"} <= row.keys() for row in files)


def test_search_results_are_sorted_and_limited(lab: Lab, cached: str) -> None:
    def names(steps: str) -> list[str]:
        return [row["name"] for row in search(lab, f"items.find(){steps}").json()["results"]]

    ascending = names('.include("name").sort({"$asc":["name"]})')
    assert ascending == sorted(ascending) and len(ascending) == 5
    assert names('.sort({"$desc":["name"]}).offset(1).limit(2)') == ascending[::-1][1:3]
    assert search(lab, "items.find().limit(2)").json()["range"] == {
        "start_pos": 0,
        "end_pos": 2,
        "total": 2,
        "limit": 2,
    }


def test_checksums_are_returned_if_they_are_included(lab: Lab, cached: str) -> None:
    (row,) = search(lab, 'items.find({"name":"list.manifest.json"}).include("name","sha256")').json()["results"]
    assert row == {"name": "list.manifest.json", "sha256": info(lab, LATEST)["checksums"]["sha256"]}


@pytest.mark.parametrize(
    "query",
    [
        "",
        "builds.find()",
        "items.find({)",
        'items.find({"name":{"$gt":"x"}})',
        'items.find({"$msp":[{"name":"x"}]})',
        'items.find({"stat.downloads":1})',
        'items.find({"type":"folder"})',
        'items.find().include("archive")',
        "items.find().distinct(true)",
    ],
)
def test_invalid_searches(lab: Lab, public: str, query: str) -> None:
    status, message = envelope(search(lab, query))
    assert status == 400 and message.startswith("Failed to parse query")


def test_search_results_depend_on_permissions(lab: Lab, cached: str) -> None:
    assert envelope(search(lab, 'items.find().include("name")', "reader"))[0] == 400
    client(lab).delete("/access/api/v2/permissions/readers")
    assert search(lab, "items.find()", "reader").json()["results"] == []
    assert client(lab, "reader").get(STORAGE).status_code == 403


def test_kinds_in_the_request_log(lab: Lab, cached: str) -> None:
    lab.control("DELETE", "/request_log")
    info(lab, "")
    zap(lab, "cgr-cache")
    search(lab, "items.find()")
    manifest(lab, "cgr")
    client(lab).get(f"{V1}/cgr")
    client(lab).delete("/artifactory/cgr-cache")
    entries = [entry for entry in lab.request_log() if entry["service"] == "artifactory"]
    assert [(entry["kind"], entry["user"]) for entry in entries] == [
        ("storage.info", "reader"),
        ("cache.zap", "manager"),
        ("search.aql", "admin"),
        ("docker.manifest", "puller"),
        ("artifactory.repository.get", "admin"),
        ("cache.delete", "admin"),
    ]
