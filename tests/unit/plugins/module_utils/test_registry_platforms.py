# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._platforms import (
    Platform,
    PlatformNotFoundError,
    parse_platforms,
    select_platforms,
)


def entries(*texts):
    return [(platform, str(platform)) for text in texts for platform in parse_platforms([text])]


def select(requested, *available):
    return list(select_platforms(entries(*available), parse_platforms(requested)))


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("linux/x86_64", "linux/amd64"),
        ("linux/amd64/v1", "linux/amd64"),
        ("linux/amd64/v2", "linux/amd64/v2"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/arm64/8", "linux/arm64"),
        ("linux/armhf", "linux/arm/v7"),
        ("linux/armel", "linux/arm/v6"),
        ("Linux/AMD64", "linux/amd64"),
    ],
)
def test_platforms_are_normalized(text, normal):
    (platform,) = parse_platforms([text]) or ()
    assert str(platform) == normal


def test_duplicates_are_dropped_and_all_is_none():
    assert len(parse_platforms(["linux/amd64", "linux/x86_64"]) or ()) == 1
    assert parse_platforms(["all"]) is None


@pytest.mark.parametrize("texts", [[], ["linux"], ["linux/"], ["a/b/c/d"], ["linux/amd 64"], ["all", "linux/amd64"]])
def test_invalid_platforms(texts):
    with pytest.raises(InputError):
        parse_platforms(texts)


@pytest.mark.parametrize(
    ("requested", "available", "result"),
    [
        (["linux/amd64"], ["linux/arm64", "linux/amd64"], ["linux/amd64"]),
        (["linux/arm"], ["linux/arm/v6", "linux/arm/v7"], ["linux/arm/v6"]),
        (["linux/arm/v7"], ["linux/arm/v6", "linux/arm/v7"], ["linux/arm/v7"]),
        (["linux/arm/v7"], ["linux/arm"], ["linux/arm"]),
        (["linux/arm64/v8"], ["linux/arm64"], ["linux/arm64"]),
        (["linux/amd64", "linux/arm64"], ["linux/arm64", "linux/amd64"], ["linux/amd64", "linux/arm64"]),
    ],
)
def test_first_match_is_selected(requested, available, result):
    assert select(requested, *available) == result


@pytest.mark.parametrize(
    ("requested", "available"),
    [("linux/arm/v7", "linux/arm/v6"), ("linux/amd64/v3", "linux/amd64/v2"), ("linux/amd64", "linux/386")],
)
def test_similar_platform_does_not_match(requested, available):
    with pytest.raises(PlatformNotFoundError) as caught:
        select([requested], available)
    assert caught.value.missing == requested and caught.value.available == available


def test_all_selects_the_first_entry_of_each_platform():
    amd64, windows = Platform("linux", "amd64"), Platform("windows", "amd64", os_version="10.0.1")
    assert select_platforms([(amd64, 1), (windows, 2), (amd64, 3)], None) == {
        "linux/amd64": 1,
        "windows(10.0.1)/amd64": 2,
    }


def test_index_without_platforms():
    with pytest.raises(PlatformNotFoundError, match="Available: none"):
        select_platforms([], None)
