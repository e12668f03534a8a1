# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NuGet packages in a v3 feed: service index, registration and flat container."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .. import archives
from . import ORIGIN, File, PackageIndex, Versions, mark_build, newest

NAMES = ("Lab.Greeting", "Newtonsoft.Json")
_NUSPEC = "http://schemas.microsoft.com/packaging/2013/05/nuspec.xsd"
_CONTENT_TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"


def build_packages(root: str, packages: Mapping[str, Versions]) -> PackageIndex:
    feed = f"/{root}/v3"
    flat, registration = f"{feed}/flatcontainer", f"{feed}/registration"
    resources = {"PackageBaseAddress/3.0.0": f"{flat}/", "RegistrationsBaseUrl/3.6.0": f"{registration}/"}
    rows = [{"@id": f"{ORIGIN}{path}", "@type": name} for name, path in resources.items()]
    files = {
        f"{feed}/index.json": _document({"version": "3.0.0", "resources": rows}),
    }
    for name, versions in packages.items():
        files |= _files(name, versions, f"{flat}/{name.lower()}", f"{registration}/{name.lower()}")
    return files


def _files(name: str, versions: Versions, flat: str, registration: str) -> PackageIndex:
    """The files of one package in the flat container and the registrations."""
    files = {f"{flat}/index.json": _document({"versions": list(versions)})}
    leaves = []
    for version, number in versions.items():
        path = f"{flat}/{version}/{name.lower()}.{version}.nupkg"
        files[path] = File(_package(name, version, number))
        url = f"{ORIGIN}{registration}/{version}.json"
        entry = {"@id": url, "id": name, "version": version, "description": "A greeting of the lab.", "listed": True}
        leaves.append({"@id": url, "catalogEntry": entry, "packageContent": f"{ORIGIN}{path}"})
    files[f"{registration}/index.json"] = _document(_registration(f"{ORIGIN}{registration}", leaves, versions))
    return files


def _document(value: object) -> File:
    return File(json.dumps(value).encode(), "application/json", stored=False)


def _registration(url: str, leaves: list[dict[str, Any]], versions: Versions) -> dict[str, Any]:
    limits = {"lower": next(iter(versions)), "upper": newest(versions)}
    page = {"@id": f"{url}/index.json#page", "count": len(leaves), **limits, "items": leaves}
    return {"@id": f"{url}/index.json", "count": 1, "items": [page]}


def _package(name: str, version: str, number: int) -> bytes:
    metadata = (
        f"<id>{name}</id><version>{version}</version><authors>lab</authors><description>A greeting.</description>"
    )
    types = "".join(
        f'<Default Extension="{extension}" ContentType="application/octet"/>' for extension in ("rels", "nuspec", "txt")
    )
    relation = f'<Relationship Id="R1" Type="{_RELATIONS}/manifest" Target="/{name}.nuspec"/>'
    return archives.pack_zip(
        {
            "[Content_Types].xml": f'<Types xmlns="{_CONTENT_TYPES}">{types}</Types>'.encode(),
            "_rels/.rels": f'<Relationships xmlns="{_RELATIONS}">{relation}</Relationships>'.encode(),
            f"{name}.nuspec": f'<package xmlns="{_NUSPEC}"><metadata>{metadata}</metadata></package>'.encode(),
            "content/version.txt": f"{version}{mark_build(number)}".encode(),
        }
    )
