# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The entry point warm: the caches contain everything requested, and the run reports what is missing and how old the tags are."""

from __future__ import annotations

import collections
import json
import re
import typing as t
from pathlib import Path

import pytest

from support.lab_client import Json, LabClient, basic_auth
from support.playbook_runner import PlaybookRunner, Run
from support.scenario import PRIVATE, PUBLIC
from support.task_names import (
    LIST_IMAGES,
    REPORT_OTHER_REGISTRIES,
    RESOLVE_TAGS,
    WARM_PULLS,
    WARM_REPORT,
)

BOTH = ("containers_public", "containers")
CATALOG = ["example.com/jdk", "example.com/nginx", "example.com/python"]
INDEX = "application/vnd.oci.image.index.v1+json"
ALL_PLATFORMS = {"warm_platforms": ["all"]}


class Site:
    """An Artifactory with both repositories, and runs that warm its caches."""

    def __init__(self, lab: LabClient, run_playbook: PlaybookRunner) -> None:
        self.lab = lab
        self._run_playbook = run_playbook
        self._log_position = 0
        run = self._run_playbook("cgr.pull_through.setup", lab.variables(*BOTH, depth="manifest"))
        assert run.code == 0, run.output

    def warm(self, *arguments: str, **variables: t.Any) -> Run:
        """Run warm. variables: as LabClient.variables() takes them."""
        self._log_position = self.lab.log_position()
        return self._run_playbook("cgr.pull_through.warm", self.lab.variables(*BOTH, **variables), "-v", *arguments)

    def warm_on_hosts(self, inventory: Json) -> Run:
        """Run warm on all hosts of an inventory."""
        self._log_position = self.lab.log_position()
        variables = {**self.lab.variables(*BOTH), "pull_through_hosts": "all"}
        return self._run_playbook("cgr.pull_through.warm", variables, "-v", inventory=inventory)

    def verify(self) -> Run:
        """Run verify for the private repository."""
        nginx = {"containers": {"images": ["nginx"]}}
        variables = self.lab.variables("containers", depth="manifest", source_overrides=nginx)
        return self._run_playbook("cgr.pull_through.verify", variables, "-v")

    def request_log(self) -> list[Json]:
        """Return the requests since the last run of warm began."""
        return self.lab.request_log(self._log_position)

    def count_requests(self) -> collections.Counter[str]:
        """Return the number of these requests by kind."""
        return collections.Counter(entry["kind"] for entry in self.request_log())

    def cached_paths(self, key: str) -> list[str]:
        return list(self.lab.control("GET", f"/artifactory/cache/{key}"))

    def clear_caches(self) -> None:
        for key in (PUBLIC, PRIVATE):
            self.lab.clear_cache(key)

    def publish(self, image: str) -> str:
        """Publish a new build, and return its digest."""
        return str(self.lab.control("POST", "/chainguard/images", {"name": image, "tag": "latest"})["digest"])


@pytest.fixture(scope="module")
def shared_site(running_lab: LabClient, run_playbook: PlaybookRunner) -> Site:
    running_lab.reset()
    return Site(running_lab, run_playbook)


@pytest.fixture
def site(shared_site: Site) -> Site:
    """The same site for all tests, with empty caches, and late enough that the negative caches have expired."""
    shared_site.lab.clear_faults()
    shared_site.lab.advance(days=0.1)
    shared_site.clear_caches()
    return shared_site


def pull_index(lab: LabClient, image: str) -> list[str]:
    """Pull the index of an image through Artifactory, and return the digests of the manifests in it."""
    headers = {"Authorization": basic_auth("puller", lab.users["puller"]["token"]), "Accept": INDEX}
    response = lab.request("GET", f"{lab.artifactory_url}/v2/{PRIVATE}/{image}/manifests/latest", headers=headers)
    return [manifest["digest"] for manifest in response.raise_for_status().json()["manifests"]]


def warm_report(run: Run) -> str:
    """Return the lines with which warm reports the content of the caches."""
    return "\n".join(run.task(WARM_REPORT).result["msg"])


def cached_images(site: Site, key: str) -> set[str]:
    """Return the images and tags in a cache."""
    files = [
        path.rpartition("/")[0].rpartition("/") for path in site.cached_paths(key) if path.endswith("manifest.json")
    ]
    return {f"{image}:{tag}" for image, _slash, tag in files if "__" not in tag}


def marker_paths(site: Site) -> list[str]:
    """Return the layers that are not cached, but have a marker."""
    return [path for key in (PUBLIC, PRIVATE) for path in site.cached_paths(key) if path.endswith(".marker")]


def test_the_entire_catalog_is_cached_and_a_second_run_downloads_nothing(site: Site) -> None:
    first = site.warm(**ALL_PLATFORMS)
    assert first.code == 0, first.output
    assert cached_images(site, PRIVATE) == {f"{image}:latest" for image in CATALOG}
    assert marker_paths(site) == []
    assert "3 of 3 images pulled" in warm_report(first) and "tags: 3, of which 3 current and 0 overdue" in warm_report(
        first
    )
    assert site.count_requests()["registry.blob"] > 0 and first.changed == []

    second = site.warm(**ALL_PLATFORMS)
    assert second.code == 0, second.output
    assert site.count_requests()["registry.blob"] == site.count_requests()["registry.manifest"] == 0
    assert "3 of 3 images pulled" in warm_report(second)


def test_signatures_are_cached_too(site: Site) -> None:
    image = {"name": "example.com/nginx", "tag": "latest"}
    signature = str(site.lab.control("POST", "/chainguard/signatures", image)["digest"])
    run = site.warm(warm_names=["nginx"])
    assert run.code == 0, run.output
    folder = f"example.com/nginx/{signature.replace(':', '__')}/"
    paths = [path for path in site.cached_paths(PRIVATE) if path.startswith(folder)]
    assert len(paths) == 3 and marker_paths(site) == []


def test_the_next_run_resumes_a_stopped_one(site: Site, tmp_path: Path) -> None:
    resumable = {"warm_resume_file": str(tmp_path / "warm"), **ALL_PLATFORMS}
    stopped = site.warm(warm_max_bytes="3M", warm_names=["nginx", "python"], **resumable)
    assert stopped.code == 0, stopped.output
    before = site.count_requests()["docker.blob"]
    assert "1 of 2 images pulled" in warm_report(stopped)
    assert "1 skipped because of max_bytes" in warm_report(stopped)

    resumed = site.warm(warm_names=["nginx", "python"], **resumable)
    assert resumed.code == 0, resumed.output
    assert "2 of 2 images pulled" in warm_report(resumed) and marker_paths(site) == []
    blobs = [entry["path"] for entry in site.request_log() if entry["kind"] == "docker.blob"]
    assert before > 0 and blobs and not [path for path in blobs if "example.com/nginx" in path]

    again = site.warm(warm_names=["nginx", "python"], **resumable)
    assert again.code == 0 and site.count_requests()["docker.blob"] == 0

    # The cache no longer contains what the file lists: the search for markers detects that.
    site.clear_caches()
    refilled = site.warm(warm_names=["nginx", "python"], **resumable)
    assert refilled.code == 0, refilled.output
    assert marker_paths(site) == [] and site.count_requests()["docker.blob"] > 0


def test_layers_that_other_pulls_did_not_cache_are_fetched(site: Site) -> None:
    lab = site.lab
    for image, count in (("example.com/nginx", 4), ("example.com/python", 1)):
        for digest in pull_index(lab, image)[:count]:
            assert lab.pull(PRIVATE, image, digest) == 200
    assert marker_paths(site) != []
    run = site.warm(warm_names=["nginx"])
    assert run.code == 0, run.output
    remaining = {path.partition("/sha256__")[0] for path in marker_paths(site)}
    assert remaining == {"example.com/python"}
    assert "layers of theirs that are not cached: 0; layers of other images and builds: 4." in warm_report(run)


def test_check_mode_pulls_nothing(site: Site) -> None:
    run = site.warm("--check", warm_tags=["latest", "1.27"], warm_limit=3)
    assert run.code == 0, run.output
    (line,) = warm_report(run).splitlines()
    assert re.fullmatch("cgr-private: 3 images would be pulled, at most [0-9.]+ MB\\.", line)
    assert not [kind for kind in site.count_requests() if kind.startswith(("docker.", "registry.", "blobs."))]
    assert site.cached_paths(PRIVATE) == []


def test_check_mode_predicts_the_size_of_each_image(site: Site) -> None:
    """These images share no layers, so the sizes add up."""
    predicted = site.warm("--check", warm_names=["nginx", "python"])
    run = site.warm(warm_names=["nginx", "python"])
    sizes = predicted.task(LIST_IMAGES).result["results"][0]["images"]
    pulled = run.pull_results(PRIVATE, names=WARM_PULLS)
    assert [size["reference"] for size in sizes] == [image["image"] for image in pulled]
    for size, image in zip(sizes, pulled):
        # The prediction does not include manifests.
        assert 0 < image["bytes"] - size["bytes"] < 10_000


def test_the_run_stops_if_the_first_image_cannot_be_pulled(site: Site) -> None:
    site.lab.inject_fault({"status": 404}, service="registry", kind="registry.manifest")
    run = site.warm()
    assert run.code == 2
    manifests = {entry["path"] for entry in site.request_log() if entry["kind"] == "docker.manifest"}
    assert not [path for path in manifests if "example.com/python" in path]
    assert "0 of 3 images pulled" in warm_report(run) and "images failed" in run.failure()


def test_hosts_share_the_work_by_shards(site: Site) -> None:
    """Each image is pulled once. The first of the three shards has none, and its host does nothing."""
    hosts = {f"shard{number}": {"pull_through_warm_shard": f"{number}/3"} for number in (1, 2, 3)}
    run = site.warm_on_hosts(hosts)
    assert run.code == 0, run.output
    assert cached_images(site, PRIVATE) == {f"{image}:latest" for image in CATALOG} and marker_paths(site) == []
    blobs = [entry["path"] for entry in site.request_log() if entry["kind"] == "docker.blob"]
    assert len(blobs) == len(set(blobs)) > 0


MANIFESTS = """
apiVersion: apps/v1
kind: Deployment
spec:
  template:
    spec:
      initContainers: [{{name: a, image: "{host}/cgr-private/example.com/python:3.13"}}]
      containers: [{{name: b, image: "cgr.dev/chainguard/go"}}]
---
apiVersion: batch/v1
kind: CronJob
spec:
  jobTemplate: {{spec: {{template: {{spec: {{containers: [{{name: c, image: "docker.io/library/redis:7"}}]}}}}}}}}
---
apiVersion: v1
kind: List
items:
  - spec: {{containers: [{{name: d, image: "{host}/cgr-containers-all/example.com/nginx:1.27"}}]}}
"""


def test_the_images_of_kubernetes_manifests_are_cached(site: Site, tmp_path: Path) -> None:
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "all.yaml").write_text(MANIFESTS.format(host=site.lab.host), encoding="utf-8")
    run = site.warm(warm_manifests=[str(tmp_path)], virtuals=["containers"])
    assert run.code == 0, run.output
    assert cached_images(site, PRIVATE) == {"example.com/python:3.13", "example.com/nginx:1.27"}
    assert cached_images(site, PUBLIC) == {"chainguard/go:latest"}
    assert "docker.io/library/redis:7" in run.task(REPORT_OTHER_REGISTRIES).message
    assert marker_paths(site) == []


def test_an_image_that_no_repository_serves_is_rejected(site: Site) -> None:
    run = site.warm(sources=["containers"], warm_images=["other.example.org/nginx"])
    assert run.code == 2
    assert "No repository of pull_through_sources serves these images: other.example.org/nginx" in run.failure()
    assert site.count_requests()["docker.manifest"] == 0


def test_an_outdated_tag_is_an_error_once_it_is_overdue(site: Site) -> None:
    """An outdated tag is normal within the cache period. After it, Artifactory hides that upstream rejects requests."""
    nginx = {"warm_images": ["example.com/nginx"]}
    assert site.warm(**nginx).code == 0
    digest = site.publish("example.com/nginx")
    outdated = site.warm(**nginx)
    assert outdated.code == 0, outdated.output
    assert "1 build and 0.0 hours behind" in outdated.output and "which is normal" in outdated.output

    site.lab.inject_fault({"status": 404}, service="registry", kind="registry.manifest")
    site.lab.advance(days=1)
    overdue = site.warm(**nginx)
    assert overdue.code == 2
    assert "1 build and 24.0 hours behind" in overdue.failure() and "serves an old copy" in overdue.failure()
    assert "1 overdue" in warm_report(overdue)

    site.lab.clear_faults()
    fixed = site.warm(**nginx)
    assert fixed.code == 0, fixed.output
    assert digest in json.dumps(fixed.task(RESOLVE_TAGS).result)


def test_verify_reports_an_overdue_tag(site: Site) -> None:
    """verify pulls the current digest, which works. The tag stays outdated, since upstream rejects only the tag."""
    assert site.warm(warm_images=["example.com/nginx"]).code == 0
    site.publish("example.com/nginx")
    outdated = site.verify()
    assert outdated.code == 0, outdated.output
    assert "1 build and 0.0 hours behind" in outdated.output and "which is normal" in outdated.output

    site.lab.inject_fault({"status": 404}, service="registry", path="/manifests/latest$")
    site.lab.advance(days=1)
    overdue = site.verify()
    assert overdue.code == 2
    assert "1 build and 24.0 hours behind" in overdue.failure() and "serves an old copy" in overdue.failure()


def test_no_secret_is_shown(site: Site) -> None:
    run = site.warm("-vvv", "--diff", warm_names=["nginx"])
    secrets = [site.lab.admin_token, site.lab.api_tokens["owner"], site.lab.repositories()[PRIVATE]["password"]]
    assert run.code == 0 and not [secret for secret in secrets if secret in run.output]


def test_the_role_variables_filter_the_catalog(site: Site) -> None:
    run = site.warm(warm_tags=["latest*"], warm_names=["[jn]*"], warm_limit=3, warm_changed_within="3650d")
    assert run.code == 0, run.output
    images = cached_images(site, PRIVATE)
    assert len(images) == 3
    assert all(image.startswith(("example.com/jdk:latest", "example.com/nginx:latest")) for image in images)


@pytest.mark.parametrize("arguments", [(), ("--check",)], ids=["run", "check"])
def test_repositories_that_are_not_set_up_yet_are_named_once(site: Site, arguments: tuple[str, ...]) -> None:
    keys = {"containers_public": {"key": "new-public"}, "containers": {"key": "new-private"}}
    run = site.warm(*arguments, source_overrides=keys)
    assert run.code == 2
    assert run.failure() == (
        "Artifactory has no repository new-public, new-private. The playbook cgr.pull_through.setup creates what is missing."
    )
    assert site.count_requests()["docker.manifest"] == 0


def test_sources_without_container_images_have_nothing_to_warm(site: Site) -> None:
    run = site.warm(sources=["python"])
    assert run.code == 2
    assert run.failure() == "There is nothing to warm: pull_through_sources names no source of container images."
    assert site.count_requests()["docker.manifest"] == 0
