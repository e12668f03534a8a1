# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documents that do not have the documented shape, or exceed a bound: always an error with the URL, never a traceback."""

from __future__ import annotations

import copy
import json

import pytest
from fake_packages import ARTIFACTORY, KEY, FakeServers, create_pull

from ansible_collections.cgr.pull_through.plugins.module_utils._packages import _maven

# The value of each position of a document is replaced by each of these.
VALUES = [None, True, 5, 1e300, "", "x", "https://[", "\u202e\u0000", [], [5], [[]], {}, {"a": 5}]
PATHS = {"npm": f"/artifactory/api/npm/{KEY}", "nuget": f"/artifactory/api/nuget/v3/{KEY}"}

NPM = {
    "/lab": {
        "dist-tags": {"latest": "1.0.0"},
        "versions": {
            version: {
                "dist": {
                    "tarball": f"{ARTIFACTORY}{PATHS['npm']}/lab/-/lab-{version}.tgz",
                    "shasum": "0",
                    "integrity": "sha512-AA==",
                }
            }
            for version in ("1.0.0", "0.9.0")
        },
    }
}
_ENTRY = {"version": "1.0.0", "packageHash": "AA==", "packageHashAlgorithm": "SHA512"}
NUGET = {
    "/index.json": {"resources": [{"@type": "RegistrationsBaseUrl", "@id": f"{ARTIFACTORY}{PATHS['nuget']}/r"}]},
    "/r/lab/index.json": {
        "items": [
            {"items": [{"catalogEntry": _ENTRY, "packageContent": f"{ARTIFACTORY}{PATHS['nuget']}/lab.nupkg"}]},
            {"@id": f"{ARTIFACTORY}{PATHS['nuget']}/r/lab/page.json"},
        ]
    },
    "/r/lab/page.json": {"items": []},
}
FLAT = {
    "/index.json": {"resources": [{"@type": "PackageBaseAddress", "@id": f"{ARTIFACTORY}{PATHS['nuget']}/f"}]},
    "/f/lab/index.json": {"versions": ["1.0.0"]},
}


def changed(value):
    """Yield copies of a JSON value with another value at one position."""
    yield from VALUES
    for key in value if isinstance(value, dict) else range(len(value) if isinstance(value, list) else 0):
        for other in changed(value[key]):
            copied = copy.copy(value)
            copied[key] = other
            yield copied
        if isinstance(value, dict):
            yield {name: content for name, content in value.items() if name != key}


@pytest.mark.parametrize(("package_type", "documents"), [("npm", NPM), ("nuget", NUGET), ("nuget", FLAT)])
def test_no_shape_of_a_document_is_a_traceback(run_module, package_type, documents):
    for path, document in documents.items():
        for number, other in enumerate(changed(document)):
            servers = FakeServers(package_type, PATHS[package_type])
            for each, content in {**documents, path: other}.items():
                servers.repository.add(f"{PATHS[package_type]}{each}", json.dumps(content))
            (artifact,) = create_pull(servers, run_module, package_type)("lab")["artifacts"]
            assert artifact["ok"] is False and artifact["diagnosis"]["cause"], (number, other)


@pytest.mark.parametrize(
    ("package_type", "path", "artifact", "body", "message"),
    [
        ("npm", f"{PATHS['npm']}/lab", "lab", b" " * ((32 << 20) + 1), "more than 32 MiB"),
        ("npm", f"{PATHS['npm']}/lab", "lab", b'{"a":' * 100_000, "nested too deeply"),
        ("npm", f"{PATHS['npm']}/lab", "lab", b"[]", "a list instead of an object"),
        ("go", f"/artifactory/api/go/{KEY}/lab.example/a/@v/list", "lab.example/a", b"v1.0.0\n" * 100_001, "versions"),
        ("maven", f"/artifactory/{KEY}/a/b/maven-metadata.xml", "a:b", b"<!DOCTYPE m><metadata/>", "document type"),
        ("pypi", f"/artifactory/api/pypi/{KEY}/simple/lab/", "lab", b"<a href='x", "a link that is not complete"),
        ("alpine", f"/artifactory/{KEY}/x86_64/APKINDEX.tar.gz", "lab", b"xxxx", "not a valid gzip file"),
        ("alpine", f"/artifactory/{KEY}/x86_64/APKINDEX.tar.gz", "lab", b"x" * ((64 << 20) + 1), "more than 64 MiB"),
    ],
)
def test_a_bound_is_an_error_with_the_url(run_module, package_type, path, artifact, body, message):
    servers = FakeServers(package_type, path)
    servers.repository.add(path, body)
    (result,) = create_pull(servers, run_module, package_type)(artifact)["artifacts"]
    assert result["ok"] is False and message in result["diagnosis"]["cause"]
    assert (result["error"]["method"], result["error"]["url"].partition("?")[0]) == ("GET", f"{ARTIFACTORY}{path}") or (
        package_type == "go"
    )


def test_an_unexpected_error_of_one_artifact_leaves_the_others(run_module, monkeypatch):
    servers = FakeServers("maven", f"/artifactory/{KEY}")
    metadata = "<metadata><versioning><versions><version>1</version></versions></versioning></metadata>"
    for name in ("a", "b"):
        servers.repository.add(f"/artifactory/{KEY}/g/{name}/maven-metadata.xml", metadata)
    servers.repository.add(f"/artifactory/{KEY}/g/b/1/b-1.pom", "<project><packaging>pom</packaging></project>")
    parse = _maven._parse_metadata

    def fail(document):
        if "/g/a/" in document.url:
            raise IndexError("broken")
        return parse(document)

    monkeypatch.setattr(_maven, "_parse_metadata", fail)
    first, second = create_pull(servers, run_module, "maven")("g:a", "g:b")["artifacts"]
    assert (first["ok"], second["ok"]) == (False, True)
    assert "something else than documented (IndexError: broken)" in first["diagnosis"]["cause"]
