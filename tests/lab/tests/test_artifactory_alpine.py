# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""APK packages through the simulated Artifactory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .conftest import Lab, PullToken
from .test_artifactory_docker import change
from .test_artifactory_files import MISSING, get
from .test_artifactory_rest import create, envelope
from .test_chainguard_apk import entries

ALPINE = {"rclass": "remote", "packageType": "alpine", "disableUrlNormalization": True}
INDEX, PACKAGE = "x86_64/APKINDEX.tar.gz", "x86_64/lab-private-1.0.0-r0.apk"


@pytest.fixture
def apk(lab: Lab, pull_token: Callable[..., PullToken]) -> str:
    """A remote repository with the settings of the guide."""
    token = pull_token("apk.pull")
    credentials = {"username": token.username, "password": token.password}
    create(lab, "apk", {**ALPINE, "url": "https://apk.cgr.dev/example.com", **credentials})
    return "apk"


def test_private_packages(lab: Lab, apk: str) -> None:
    first, _second = entries(get(lab, f"apk/{INDEX}").content)
    assert (first["P"], first["S"]) == ("lab-private", str(len(get(lab, f"apk/{PACKAGE}").content)))
    assert lab.control("GET", "/artifactory/cache/apk") == [INDEX, PACKAGE]


def test_public_packages(lab: Lab) -> None:
    create(lab, "extra", {**ALPINE, "url": f"https://virtualapk.cgr.dev/{lab.org}/extra-packages"})
    assert {entry["P"] for entry in entries(get(lab, f"extra/{INDEX}").content)} == {"lab-extra"}
    assert get(lab, "extra/x86_64/lab-extra-1.1.0-r0.apk").status_code == 200


def test_the_defaults_of_the_ui_work(lab: Lab, apk: str) -> None:
    change(lab, "apk", blockMismatchingMimeTypes=True, bypassHeadRequests=True)
    assert get(lab, f"apk/{PACKAGE}").status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": "https://apk.cgr.dev/"},
        {"url": "https://apk.cgr.dev/other.example.org"},
        {"username": "", "password": ""},
    ],
)
def test_a_wrong_setting_is_a_404(lab: Lab, apk: str, wrong: dict[str, Any]) -> None:
    change(lab, "apk", **wrong)
    assert envelope(get(lab, f"apk/{INDEX}")) == envelope(get(lab, f"apk/{PACKAGE}")) == MISSING


def test_url_normalization_breaks_packages_but_not_the_index(lab: Lab, apk: str) -> None:
    change(lab, "apk", disableUrlNormalization=False)
    assert get(lab, f"apk/{INDEX}").status_code == 200
    assert envelope(get(lab, f"apk/{PACKAGE}")) == MISSING


def test_the_index_expires(lab: Lab, apk: str) -> None:
    get(lab, f"apk/{INDEX}")
    lab.control("POST", "/chainguard/packages", {"repository": "apk", "version": "1.2.0"})
    assert len(entries(get(lab, f"apk/{INDEX}").content)) == 2
    change(lab, "apk", retrievalCachePeriodSecs=0)
    assert len(entries(get(lab, f"apk/{INDEX}").content)) == 3
