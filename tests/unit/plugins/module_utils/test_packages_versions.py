# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import itertools

import pytest

from ansible_collections.cgr.pull_through.plugins.module_utils._packages._versions import (
    is_prerelease,
    newest,
    newest_first,
)


@pytest.mark.parametrize(
    "ascending",
    [
        ["1.9", "1.9.1", "1.10", "2.0"],
        ["1.0.dev1", "1.0a1", "1.0b2", "1.0rc1", "1.0", "1.0.post1", "1.0.1"],
        ["1.0", "1.0+cgr.1", "1.0+cgr.2", "1.0+cgr.10", "1.0.1"],
        ["3.0.1+cgr.4", "3.0.2", "3.0.2+cgr.1", "3.0.3"],
        ["3.2.11-0.cgr.4", "3.2.12", "3.2.12-0.cgr.1", "3.2.12-0.cgr.10", "3.2.13"],
        ["v0.9.0-beta.2", "v0.9.0-rc.1", "v0.9.0", "v0.20.0"],
        ["1.2.3_rc1-r0", "1.2.3-r0", "1.2.3-r4", "1.2.3-r10", "1.2.3_p1-r0", "1.2.4-r0"],
        ["1.1.1-r0", "1.1.1b-r0", "1.1.1w-r0", "1.1.2-r0"],
        ["2.0-M1", "2.0-SNAPSHOT", "2.0", "2.0-jre"],
    ],
)
def test_newest_first(ascending):
    for versions in itertools.permutations(ascending) if len(ascending) < 6 else [ascending, ascending[::-1]]:
        assert newest_first(versions) == ascending[::-1]


def test_a_release_is_preferred_to_a_prerelease():
    assert newest(["1.0", "2.0-alpha", "2.0rc1"]) == "1.0"
    assert newest(["2.0-alpha", "2.0rc1"]) == "2.0rc1"
    assert newest([]) is None


def test_a_semantic_version_with_a_dash_is_a_prerelease():
    versions = ["1.0.0", "1.1.0+build-5", "1.2.0-nightly.5"]
    assert newest(versions, semantic=True) == "1.1.0+build-5"
    assert newest(["33.3-jre", "33.4-jre"]) == "33.4-jre"


@pytest.mark.parametrize(
    "version", ["1.0", "1.2.3-r4", "1.0+cgr.1", "3.2.12-0.cgr.1", "33.4.8-jre", "1.0+beta", "v2.0.0+incompatible"]
)
def test_versions_that_are_not_prereleases(version):
    assert not is_prerelease(version)
