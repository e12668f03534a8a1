# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Python wheels and their simple indexes. lab-upstream is a wheel that Chainguard did not build."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from hashlib import sha256
from urllib.parse import quote

from .. import archives
from . import File, PackageIndex

UPSTREAM_VERSION = "2.0.0"
# Additional projects of a repository with their versions.
OTHERS = {"python": {"six": ("1.16.0", "1.17.0")}, "python-remediated": {"werkzeug": ("3.0.2+cgr.1", "3.0.3+cgr.1")}}


def build_packages(root: str, versions: Sequence[str]) -> PackageIndex:
    projects = {
        name: dict.fromkeys(project_versions, root)
        for name, project_versions in {"lab-greeting": versions, **OTHERS[root]}.items()
    }
    if root == "python":
        projects["lab-upstream"] = {UPSTREAM_VERSION: "python-upstream"}
    files = {f"/{root}/simple/": _page({name: f"/{root}/simple/{name}/" for name in projects})}
    for name, locations in projects.items():
        wheels = {
            f"/{location}/simple/{name}/{version}/{_file_name(name, version)}": File(_wheel(name, version))
            for version, location in locations.items()
        }
        links = {
            path.rpartition("/")[2]: f"{quote(path)}#sha256={sha256(wheel.body).hexdigest()}"
            for path, wheel in wheels.items()
        }
        files |= {f"/{root}/simple/{name}/": _page(links), **wheels}
    return files


def _page(links: Mapping[str, str]) -> File:
    rows = "\n".join(f'<a href="{target}">{text}</a><br>' for text, target in links.items())
    page = f"<!DOCTYPE html>\n<html><head><title>Links</title></head><body>\n{rows}\n</body></html>\n"
    return File(page.encode(), "text/html", stored=False)


def _file_name(name: str, version: str) -> str:
    return f"{name.replace('-', '_')}-{version}-py3-none-any.whl"


def _wheel(name: str, version: str) -> bytes:
    module = name.replace("-", "_")
    folder = f"{module}-{version}.dist-info"
    files = {
        f"{module}.py": f'"""A greeting of the lab."""\n\nVERSION = "{version}"\n'.encode(),
        f"{folder}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{folder}/WHEEL": b"Wheel-Version: 1.0\nGenerator: lab\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},sha256={_digest(data)},{len(data)}\n" for path, data in files.items())
    return archives.pack_zip({**files, f"{folder}/RECORD": f"{record}{folder}/RECORD,,\n".encode()})


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(sha256(data).digest()).rstrip(b"=").decode()
