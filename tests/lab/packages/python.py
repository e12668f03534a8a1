# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Python wheels and their simple indexes. The projects of UPSTREAM are not built by Chainguard."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from hashlib import sha256
from urllib.parse import quote

from .. import archives
from . import File, PackageIndex, Versions, mark_build

NAMES = ("lab-greeting",)
CUDA = ("cu126", "cu128", "cu129")
# Additional projects of a repository with their versions.
OTHERS: dict[str, dict[str, tuple[str, ...]]] = {
    "python": {"six": ("1.16.0", "1.17.0"), "urllib3": ("2.4.0", "2.5.0"), "lab-upstream": ("2.0.0",)},
    "python-remediated": {"werkzeug": ("3.0.2+cgr.1", "3.0.3+cgr.1")},
    **{root: {"torch": (f"2.7.1+{root}", f"2.8.0+{root}")} for root in CUDA},
}
UPSTREAM = ("lab-upstream",)


def build_packages(root: str, packages: Mapping[str, Versions]) -> PackageIndex:
    files = {f"/{root}/simple/": _page({name: f"/{root}/simple/{name}/" for name in packages})}
    for name, versions in packages.items():
        wheels = {
            wheel_path(name, version): File(_wheel(name, version, number)) for version, number in versions.items()
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


def wheel_path(name: str, version: str) -> str:
    """The path of a wheel, which is outside of the index."""
    file_name = f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    if name in UPSTREAM:
        return f"/python-upstream/simple/{name}/{version}/{file_name}"
    folder = sha256(file_name.encode()).hexdigest()
    return f"/files/{folder[:2]}/{folder[2:4]}/{name}/{file_name}"


def _wheel(name: str, version: str, number: int) -> bytes:
    module = name.replace("-", "_")
    folder = f"{module}-{version}.dist-info"
    files = {
        f"{module}.py": f'"""A greeting of the lab."""\n\nVERSION = "{version}"\n{_comment(number)}'.encode(),
        f"{folder}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{folder}/WHEEL": b"Wheel-Version: 1.0\nGenerator: lab\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},sha256={_digest(data)},{len(data)}\n" for path, data in files.items())
    return archives.pack_zip({**files, f"{folder}/RECORD": f"{record}{folder}/RECORD,,\n".encode()})


def _comment(number: int) -> str:
    return f"# {mark_build(number)}" if number else ""


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(sha256(data).digest()).rstrip(b"=").decode()
