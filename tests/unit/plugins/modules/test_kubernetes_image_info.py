# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from scripted import ScriptedTransport

from ansible_collections.cgr.pull_through.plugins.module_utils._kubernetes._manifests import find_images, strip_prefix
from ansible_collections.cgr.pull_through.plugins.modules import kubernetes_image_info

DIGEST = f"sha256:{'a' * 64}"
POD = """
apiVersion: v1
kind: Pod
spec:
  initContainers: [{name: a, image: "cgr.dev/example.com/init"}]
  containers:
    - {name: b, image: "host:8443/cgr-private/example.com/nginx:1.27"}
    - {name: c, image: redis}
    - {name: d}
  ephemeralContainers: [{name: e, image: cgr.dev/example.com/busybox:latest-dev}]
  volumes: [{name: f, image: {reference: "cgr.dev/example.com/data:1", pullPolicy: Always}}, {name: g, emptyDir: {}}]
---
apiVersion: batch/v1
kind: CronJob
spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: a, image: "cgr.dev/example.com/job@DIGEST"}]}}}}}
---
"""
LIST = {
    "apiVersion": "v1",
    "kind": "List",
    "items": [{"spec": {"template": {"spec": {"containers": [{"image": "cgr.dev/example.com/init"}]}}}}],
}


@pytest.fixture
def find(run_module):
    def run(**options):
        return run_module(kubernetes_image_info, ScriptedTransport(), **options)

    return run


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "below").mkdir()
    (tmp_path / "pod.yaml").write_text(POD.replace("DIGEST", DIGEST), encoding="utf-8")
    (tmp_path / "below" / "list.json").write_text(json.dumps(LIST), encoding="utf-8")
    (tmp_path / "notes.txt").write_text(POD, encoding="utf-8")
    return tmp_path


def test_images_of_a_folder(find, folder):
    result = find(paths=[str(folder)], prefixes=["cgr.dev/", "host:8443/cgr-private"])
    assert result["images"] == [
        "example.com/busybox:latest-dev",
        "example.com/data:1",
        "example.com/init",
        f"example.com/job@{DIGEST}",
        "example.com/nginx:1.27",
    ]
    assert (result["others"], result["files"], result["unreadable"]) == (["redis"], 2, [])
    files = {entry["reference"]: entry["files"] for entry in result["references"]}
    assert files["cgr.dev/example.com/init"] == [str(folder / "below" / "list.json"), str(folder / "pod.yaml")]


def test_a_file_by_its_name(find, folder):
    assert find(paths=[str(folder / "notes.txt")])["files"] == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("a: {{ .Values.password }}\nb: c", "line 1"),
        ("a: hunter2\n  b: hunter2", "line 2"),
        ("a: !vault hunter2", "line 1"),
        ("a: 2026-13-45", "not valid YAML"),
        ("a: \x00", "not valid YAML"),
    ],
)
def test_an_invalid_manifest_is_reported_without_its_content(find, folder, content, reason):
    (folder / "bad.yml").write_text(content, encoding="utf-8")
    result = find(paths=[str(folder)])
    (bad,) = result["unreadable"]
    assert bad["path"] == str(folder / "bad.yml") and reason in bad["reason"]
    assert len(result["warnings"]) == 1 and "is ignored" in result["warnings"][0]
    assert "hunter2" not in json.dumps(result) and "Values" not in json.dumps(result)
    assert len(result["images"]) == 4


def test_references_that_are_not_valid_are_others(find, folder):
    (folder / "pod.yaml").write_text("containers: [{image: cgr.dev/Example/x}, {image: cgr.dev/}, {image: 7}]")
    assert find(paths=[str(folder / "pod.yaml")])["others"] == ["cgr.dev/", "cgr.dev/Example/x"]


def test_anchors_that_repeat_and_contain_themselves(find, folder):
    layers = "\n".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]" for n in range(1, 40))
    (folder / "pod.yaml").write_text(f"x0: &x0 {{containers: [{{image: cgr.dev/a/b}}]}}\n{layers}\ny: &y [*y]")
    assert find(paths=[str(folder / "pod.yaml")])["images"] == ["a/b"]


@pytest.mark.parametrize("document", [None, [], {"containers": "x"}, {"containers": [1]}, {"volumes": [{"image": 1}]}])
def test_documents_without_images(document):
    assert find_images(document) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [({"paths": ["/none"]}, "The file or folder /none does not exist"), ({"paths": ["/"], "prefixes": [""]}, "empty")],
)
def test_invalid_input(find, options, message):
    assert message in find(**options)["msg"]


@pytest.mark.parametrize(
    ("reference", "image"),
    [("a/b/c", "c"), ("a/c", "c"), ("ab/c", None), ("a", None)],
)
def test_strips_the_longest_prefix(reference, image):
    assert strip_prefix(reference, ["a", "a/b/"]) == image
