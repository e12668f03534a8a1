# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All sources and virtual repositories of the role's catalog, as the tests expect them."""

from __future__ import annotations

import dataclasses

from support.lab_client import Json
from support.scenario import PRIVATE, PUBLIC

LIBRARY = {
    "allowAnyHostAuth": False,
    "bypassHeadRequests": True,
    "blockMismatchingMimeTypes": False,
    "disableUrlNormalization": True,
}
JAVA = {**LIBRARY, "handleSnapshots": False}
PYTHON = {**LIBRARY, "url": "https://libraries.cgr.dev/", "pyPIRegistryUrl": "https://libraries.cgr.dev/"}
IMAGES = {
    "url": "https://cgr.dev/",
    "includesPattern": "**/*",
    "enableTokenAuthentication": True,
    "blockMismatchingMimeTypes": True,
}
APK = {"disableUrlNormalization": True}
CUDA = ("cu126", "cu128", "cu129")
FEED = "https://libraries.cgr.dev/dotnet/v3/index.json"
VIRTUAL_APK = "https://virtualapk.cgr.dev/{uid}"


@dataclasses.dataclass(frozen=True)
class Source:
    """A source as Chainguard's guides describe it, and what to pull from it in the lab.

    settings: what differs from Artifactory's defaults. pulls: the images or artifacts that verify it, as a source override.
    """

    key: str
    package_type: str
    settings: Json
    pulls: Json
    private: bool = True


SOURCES = {
    "containers_public": Source(PUBLIC, "docker", IMAGES, {}, private=False),
    "containers": Source(PRIVATE, "docker", IMAGES, {"images": ["nginx"]}),
    "charts": Source(
        "cgr-charts",
        "helmoci",
        {"url": "https://cgr.dev", "enableTokenAuthentication": True},
        {"images": ["example.com/iamguarded-charts/lab-greeting:1.1.0"]},
    ),
    "packages": Source(
        "cgr-apk",
        "alpine",
        {**APK, "url": "https://apk.cgr.dev/example.com"},
        {"artifacts": ["lab-private"]},
    ),
    "packages_chainguard": Source(
        "cgr-apk-chainguard",
        "alpine",
        {**APK, "url": f"{VIRTUAL_APK}/chainguard"},
        {"artifacts": ["lab-greeting"]},
        private=False,
    ),
    "packages_extra": Source(
        "cgr-apk-extra",
        "alpine",
        {**APK, "url": f"{VIRTUAL_APK}/extra-packages"},
        {"artifacts": ["lab-extra"]},
        private=False,
    ),
    "java": Source(
        "cgr-java",
        "maven",
        {**JAVA, "url": "https://libraries.cgr.dev/java/"},
        {"artifacts": ["com.example:lab-greeting"]},
    ),
    "java_remediated": Source(
        "cgr-java-remediated",
        "maven",
        {**JAVA, "url": "https://libraries.cgr.dev/java-remediated/", "priorityResolution": False},
        {"artifacts": ["com.example:lab-greeting"]},
    ),
    "python": Source(
        "cgr-python",
        "pypi",
        {**PYTHON, "pyPIRepositorySuffix": "python/simple"},
        {"artifacts": ["lab-greeting"]},
    ),
    "python_remediated": Source(
        "cgr-python-remediated",
        "pypi",
        {**PYTHON, "pyPIRepositorySuffix": "python-remediated/simple", "priorityResolution": False},
        {"artifacts": ["lab-greeting"]},
    ),
    **{
        f"python_{cuda}": Source(
            f"cgr-python-{cuda}",
            "pypi",
            {**PYTHON, "pyPIRepositorySuffix": f"{cuda}/simple"},
            {"artifacts": ["torch"]},
        )
        for cuda in CUDA
    },
    "javascript": Source(
        "cgr-javascript",
        "npm",
        {**LIBRARY, "url": "https://libraries.cgr.dev/javascript/"},
        {"artifacts": ["@example/greeting"]},
    ),
    "dotnet": Source(
        "cgr-dotnet",
        "nuget",
        {**LIBRARY, "url": FEED, "v3FeedUrl": FEED},
        {"artifacts": ["Lab.Greeting"]},
    ),
    "go": Source(
        "cgr-go",
        "go",
        {**LIBRARY, "url": "https://libraries.cgr.dev/go/"},
        {"artifacts": ["example.com/lab/greeting"]},
    ),
}
SOURCE_PULLS = {name: source.pulls for name, source in SOURCES.items()}
# Key, package type and members of each virtual repository.
VIRTUALS = {
    "containers": ("cgr-containers-all", "docker", [PRIVATE, PUBLIC]),
    "charts": ("cgr-charts-all", "helmoci", ["cgr-charts"]),
    "packages": ("cgr-apk-all", "alpine", ["cgr-apk", "cgr-apk-chainguard", "cgr-apk-extra"]),
    "java": ("cgr-java-all", "maven", ["cgr-java-remediated", "cgr-java"]),
    "python": (
        "cgr-python-all",
        "pypi",
        ["cgr-python-remediated", "cgr-python", *(f"cgr-python-{cuda}" for cuda in CUDA)],
    ),
    "javascript": ("cgr-javascript-all", "npm", ["cgr-javascript"]),
    "dotnet": ("cgr-dotnet-all", "nuget", ["cgr-dotnet"]),
    "go": ("cgr-go-all", "go", ["cgr-go"]),
}
