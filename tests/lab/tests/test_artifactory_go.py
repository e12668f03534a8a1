# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Go modules through the simulated Artifactory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .conftest import Lab, PullToken
from .test_artifactory_docker import change
from .test_artifactory_files import GUIDE, MISSING, get
from .test_artifactory_rest import create, envelope
from .test_chainguard_libraries import fetch

GO = {"rclass": "remote", "packageType": "go", "url": "https://libraries.cgr.dev/go/", **GUIDE}
MODULE = "example.com/lab/greeting"
ZIP = f"{MODULE}/@v/v1.0.0.zip"


@pytest.fixture
def token(pull_token: Callable[..., PullToken]) -> PullToken:
    return pull_token("libraries.go.pull")


@pytest.fixture
def go(lab: Lab, token: PullToken) -> str:
    """A remote repository with the settings of the guide."""
    create(lab, "go", {**GO, "username": token.username, "password": token.password})
    return "go"


def test_a_module_under_both_urls(lab: Lab, go: str, token: PullToken) -> None:
    for base in ("api/go/go", "go"):
        assert get(lab, f"{base}/{MODULE}/@v/list").text == "v1.0.0\nv1.1.0\n"
        assert get(lab, f"{base}/{MODULE}/@latest").json()["Version"] == "v1.1.0"
        assert get(lab, f"{base}/{MODULE}/@v/v1.0.0.info").json()["Version"] == "v1.0.0"
        assert get(lab, f"{base}/{MODULE}/@v/v1.0.0.mod").text.startswith(f"module {MODULE}\n")
        assert get(lab, f"{base}/{ZIP}").content == fetch(lab, f"/go/{ZIP}", token)
    assert envelope(get(lab, "api/go/go/example.com/nothing/@v/list")) == MISSING


def test_the_list_expires(lab: Lab, go: str) -> None:
    get(lab, f"go/{MODULE}/@v/list")
    lab.control("POST", "/chainguard/packages", {"repository": "go", "version": "1.2.0"})
    change(lab, "go", retrievalCachePeriodSecs=0)
    assert "v1.2.0" in get(lab, f"go/{MODULE}/@v/list").text
    assert get(lab, f"go/{MODULE}/@v/v1.2.0.zip").status_code == 200


@pytest.mark.parametrize(
    "wrong", [{"allowAnyHostAuth": True}, {"disableUrlNormalization": False}, {"blockMismatchingMimeTypes": True}]
)
def test_a_wrong_setting_breaks_the_source_but_not_the_list(lab: Lab, go: str, wrong: dict[str, Any]) -> None:
    change(lab, "go", **wrong)
    assert get(lab, f"go/{MODULE}/@v/list").status_code == 200
    assert get(lab, f"go/{ZIP}").status_code == 404


def test_a_head_request_caches_html_as_the_source(lab: Lab, go: str) -> None:
    change(lab, "go", bypassHeadRequests=False)
    assert get(lab, f"go/{ZIP}").text.startswith("<a href=")
