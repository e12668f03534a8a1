# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Warming: the caches hold all that was asked for, and the run tells what they do not hold and how old they are."""

from __future__ import annotations

import collections
import json
import re
import typing as t
from pathlib import Path

import pytest

from support.lab_client import Json, LabClient, basic
from support.playbook_runner import PlaybookRunner, Run

PUBLIC, PRIVATE = "cgr-public", "cgr-private"
BOTH = ("containers_public", "containers")
CATALOG = ["example.com/jdk", "example.com/nginx", "example.com/python"]
INDEX = "application/vnd.oci.image.index.v1+json"
EVERYTHING = {"warm_platforms": ["all"]}


class Site:
    """A set-up Artifactory, and warm-ups of it."""

    def __init__(self, lab: LabClient, run_playbook: PlaybookRunner) -> None:
        self.lab = lab
        self._play = run_playbook
        self._mark = 0
        done = self._play("cgr.pull_through.setup", lab.variables(*BOTH, depth="manifest"))
        assert done.code == 0, done.output

    def warm(self, *arguments: str, **variables: t.Any) -> Run:
        self._mark = self.lab.log_position()
        return self._play("cgr.pull_through.warm", self.lab.variables(*BOTH, **variables), *arguments)

    def check(self) -> Run:
        nginx = {"containers": {"images": ["nginx"]}}
        return self._play(
            "cgr.pull_through.verify", self.lab.variables("containers", depth="manifest", source_overrides=nginx)
        )

    def request_log(self) -> list[Json]:
        """Return the requests that the last warm-up led to."""
        return self.lab.request_log(self._mark)

    def sent(self) -> collections.Counter[str]:
        """Return how many of them are of each kind."""
        return collections.Counter(entry["kind"] for entry in self.request_log())

    def cached(self, key: str) -> list[str]:
        return list(self.lab.control("GET", f"/artifactory/cache/{key}"))

    def empty(self) -> None:
        for key in (PUBLIC, PRIVATE):
            self.lab.control("DELETE", f"/artifactory/cache/{key}")

    def publish(self, image: str) -> str:
        return str(self.lab.control("POST", "/chainguard/images", {"name": image, "tag": "latest"})["digest"])


@pytest.fixture(scope="module")
def set_up(running_lab: LabClient, run_playbook: PlaybookRunner) -> Site:
    running_lab.reset()
    return Site(running_lab, run_playbook)


@pytest.fixture
def site(set_up: Site) -> Site:
    """The same for all tests, with empty caches, and so much later that no miss is remembered."""
    set_up.lab.clear_faults()
    set_up.lab.advance(days=0.1)
    set_up.empty()
    return set_up


def platforms(lab: LabClient, image: str) -> list[str]:
    """Return the digests of the manifests of an image's platforms, and cache its index."""
    headers = {"Authorization": basic("puller", lab.users["puller"]["token"]), "Accept": INDEX}
    answer = lab.request("GET", f"{lab.artifactory_url}/v2/{PRIVATE}/{image}/manifests/latest", headers=headers)
    return [one["digest"] for one in answer.raise_for_status().json()["manifests"]]


def told(run: Run) -> str:
    return "\n".join(run.task("What is warm now").result["msg"])


def manifests_of(site: Site, key: str) -> set[str]:
    """Return the images and tags that a cache holds."""
    files = [path.rpartition("/")[0].rpartition("/") for path in site.cached(key) if path.endswith("manifest.json")]
    return {f"{image}:{tag}" for image, _slash, tag in files if "__" not in tag}


def markers(site: Site) -> list[str]:
    return [path for key in (PUBLIC, PRIVATE) for path in site.cached(key) if path.endswith(".marker")]


def test_the_whole_catalogue_and_then_nothing_more(site: Site) -> None:
    first = site.warm(**EVERYTHING)
    assert first.code == 0, first.output
    assert manifests_of(site, PRIVATE) == {f"{image}:latest" for image in CATALOG}
    assert markers(site) == []
    assert "3 of 3 images came" in told(first) and "3 of 3 tags are the present build" in told(first)
    before = site.sent()
    assert before["registry.blob"] > 0 and first.changed == []

    second = site.warm(**EVERYTHING)
    assert second.code == 0, second.output
    assert site.sent()["registry.blob"] == site.sent()["registry.manifest"] == 0
    assert "3 of 3 images came" in told(second)


def test_signatures_come_along(site: Site) -> None:
    wanted = {"name": "example.com/nginx", "tag": "latest"}
    signature = str(site.lab.control("POST", "/chainguard/signatures", wanted)["digest"])
    run = site.warm(warm_names=["nginx"])
    assert run.code == 0, run.output
    folder = f"example.com/nginx/{signature.replace(':', '__')}/"
    found = [path for path in site.cached(PRIVATE) if path.startswith(folder)]
    assert len(found) == 3 and markers(site) == []


def test_a_run_that_was_stopped_goes_on(site: Site, tmp_path: Path) -> None:
    remembered = {"warm_resume_file": str(tmp_path / "warm"), **EVERYTHING}
    stopped = site.warm(warm_max_bytes="3M", warm_names=["nginx", "python"], **remembered)
    assert stopped.code == 0, stopped.output
    before = site.sent()["docker.blob"]
    assert "1 of 2 images came" in told(stopped) and "1 were skipped because of max_bytes" in told(stopped)

    rest = site.warm(warm_names=["nginx", "python"], **remembered)
    assert rest.code == 0, rest.output
    assert "2 of 2 images came" in told(rest) and markers(site) == []
    asked = [entry["path"] for entry in site.request_log() if entry["kind"] == "docker.blob"]
    assert before > 0 and asked and not [path for path in asked if "example.com/nginx" in path]

    again = site.warm(warm_names=["nginx", "python"], **remembered)
    assert again.code == 0 and site.sent()["docker.blob"] == 0

    # What the file remembers is not there any more: the look for markers finds out.
    site.empty()
    anew = site.warm(warm_names=["nginx", "python"], **remembered)
    assert anew.code == 0, anew.output
    assert markers(site) == [] and site.sent()["docker.blob"] > 0


def test_what_other_pulls_left_behind_is_fetched(site: Site) -> None:
    lab = site.lab
    for image, count in (("example.com/nginx", 4), ("example.com/python", 1)):
        for digest in platforms(lab, image)[:count]:
            assert lab.pull(PRIVATE, image, digest) == 200
    assert markers(site) != []
    run = site.warm(warm_names=["nginx"])
    assert run.code == 0, run.output
    left = {path.partition("/sha256__")[0] for path in markers(site)}
    assert left == {"example.com/python"}
    assert "0 layers of them are not there yet, and 4 of other images" in told(run)


def test_check_mode_sends_nothing_through_artifactory(site: Site) -> None:
    run = site.warm("--check", warm_tags=["latest", "1.27"], warm_limit=3)
    assert run.code == 0, run.output
    (words,) = told(run).splitlines()
    assert re.fullmatch("cgr-private: 3 images would be pulled, [0-9.]+ MB at most\\.", words)
    assert not [kind for kind in site.sent() if kind.startswith(("docker.", "registry.", "blobs."))]
    assert site.cached(PRIVATE) == []


def test_the_prediction_is_what_comes(site: Site) -> None:
    """Nothing is shared here but the layers of one image, so that the sizes add up."""
    predicted = site.warm("--check", warm_names=["nginx", "python"])
    real = site.warm(warm_names=["nginx", "python"])
    sizes = predicted.task("Look at the catalog of each organization").result["results"][0]["images"]
    pulled = real.task(f"Pull through Artifactory | {PRIVATE}").result["images"]
    assert [one["reference"] for one in sizes] == [one["image"] for one in pulled]
    for one, other in zip(sizes, pulled):
        # Manifests are not counted in advance.
        assert 0 < other["bytes"] - one["bytes"] < 10_000


def test_a_first_image_that_does_not_come_stops_the_others(site: Site) -> None:
    site.lab.inject_fault({"status": 404}, service="registry", kind="registry.manifest")
    run = site.warm()
    assert run.code == 2
    asked = {entry["path"] for entry in site.request_log() if entry["kind"] == "docker.manifest"}
    assert not [path for path in asked if "example.com/python" in path]
    assert "0 of 3 images came" in told(run) and "could not be pulled" in run.failure()


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


def test_what_kubernetes_manifests_name(site: Site, tmp_path: Path) -> None:
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "all.yaml").write_text(MANIFESTS.format(host=site.lab.host), encoding="utf-8")
    run = site.warm(warm_manifests=[str(tmp_path)], virtuals=["containers"])
    assert run.code == 0, run.output
    assert manifests_of(site, PRIVATE) == {"example.com/python:3.13", "example.com/nginx:1.27"}
    assert manifests_of(site, PUBLIC) == {"chainguard/go:latest"}
    assert "docker.io/library/redis:7" in run.task("What is from elsewhere").message
    assert markers(site) == []


def test_an_image_of_no_repository(site: Site) -> None:
    run = site.warm(sources=["containers"], warm_images=["other.example.org/nginx"])
    assert (
        run.code == 2
        and "No repository of pull_through_sources has these images: other.example.org/nginx" in run.failure()
    )
    assert site.sent()["docker.manifest"] == 0


def test_a_cache_that_is_behind(site: Site) -> None:
    """Within the cache period it is no fault. Beyond it, Artifactory hides that upstream refuses."""
    wanted = {"warm_images": ["example.com/nginx"]}
    assert site.warm(**wanted).code == 0
    new = site.publish("example.com/nginx")
    normal = site.warm(**wanted)
    assert normal.code == 0, normal.output
    assert "1 build and 0.0 hours behind" in normal.output and "which is normal" in normal.output

    site.lab.inject_fault({"status": 404}, service="registry", kind="registry.manifest")
    site.lab.advance(days=1)
    late = site.warm(**wanted)
    assert late.code == 2
    assert "1 build and 24.0 hours behind" in late.failure() and "serves an old copy" in late.failure()
    assert "1 are too old" in told(late)

    site.lab.clear_faults()
    mended = site.warm(**wanted)
    assert mended.code == 0, mended.output
    assert json.dumps(mended.task("Ask for the tags | cgr-private").result).count(new) > 0


def test_the_check_tells_of_a_tag_that_is_behind(site: Site) -> None:
    """The proof asks for the present digest, which comes. The tag does not move, since upstream refuses it alone."""
    assert site.warm(warm_images=["example.com/nginx"]).code == 0
    site.publish("example.com/nginx")
    normal = site.check()
    assert normal.code == 0, normal.output
    assert "1 build and 0.0 hours behind" in normal.output and "which is normal" in normal.output

    site.lab.inject_fault({"status": 404}, service="registry", path="/manifests/latest$")
    site.lab.advance(days=1)
    late = site.check()
    assert late.code == 2
    assert "1 build and 24.0 hours behind" in late.failure() and "serves an old copy" in late.failure()


def test_no_secret_is_shown(site: Site) -> None:
    run = site.warm("-vvv", "--diff", warm_names=["nginx"])
    secrets = [site.lab.admin_token, site.lab.api_tokens["owner"], site.lab.repositories()[PRIVATE]["password"]]
    assert run.code == 0 and not [one for one in secrets if one in run.output]


def test_variables_of_the_role(site: Site) -> None:
    run = site.warm(warm_tags=["latest*"], warm_names=["[jn]*"], warm_limit=3, warm_changed_within="3650d")
    assert run.code == 0, run.output
    assert len(manifests_of(site, PRIVATE)) == 3
    assert all(
        one.startswith(("example.com/jdk:latest", "example.com/nginx:latest")) for one in manifests_of(site, PRIVATE)
    )
