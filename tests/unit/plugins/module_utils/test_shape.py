# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re

import pytest

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InvalidContentError
from ansible_collections.cgr.pull_through.plugins.module_utils._json_document import parse_json
from ansible_collections.cgr.pull_through.plugins.module_utils._shape import (
    Listing,
    ShapeError,
    has_shape,
    validate_shape,
)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b"[" + b"[]," * 4_000_000 + b"[]]", "more than 400 MiB of memory"),
        (b'{"a": 1, "a": 2}', "a key twice"),
        (b'{"a": "\\ud800"}', "not valid Unicode"),
        (b'{"\\udfff": 1}', "not valid Unicode"),
        (b'{"a": ' + b"9" * 5000 + b"}", "more than 100 digits"),
        (b'{"a": NaN}', "the number NaN"),
        (b'{"a": -Infinity}', "the number -Infinity"),
        (b'{"a": 1', "delimiter"),
        (b"\xff\xfe\xfd", "codec"),
        (b"", "Expecting value"),
    ],
)
def test_invalid_json(body, message):
    with pytest.raises(ValueError, match=message):
        parse_json(body)


def test_valid_json():
    assert parse_json(b'{"a": [1, 1.5, null, "x,[{"]}') == {"a": [1, 1.5, None, "x,[{"]}
    assert parse_json('"\\ud83d\\ude00 \\\\ud800"') == "\U0001f600 \\ud800"


@pytest.mark.parametrize(
    ("value", "shape", "message"),
    [
        ([], {}, "it is a list instead of an object"),
        (None, str, "it is null instead of text"),
        (True, int, "it is a boolean instead of a number"),
        ({}, {"a": str}, "field a is missing"),
        ({"a": None}, {"a": str}, "field a is null"),
        ({"a": [{"b": 1}]}, {"a": [{"b": str}]}, r"field a\[0\].b is a number instead of text"),
        ({"a": {"x": [1]}}, {"a": {"*": [str]}}, r"field a.x\[0\] is a number instead of text"),
        ({"a": "1 2"}, {"a": re.compile(r"\S+")}, "field a has a text that is not valid"),
        ([None] * 500_001, [str], "it has more than 500000 elements"),
        ({"a": []}, {"a?": (int, re.compile("[0-9]+"))}, "field a has a value that is not valid"),
    ],
)
def test_values_without_the_shape(value, shape, message):
    with pytest.raises(ShapeError, match=message):
        validate_shape(value, shape)


def test_values_with_the_shape():
    shape = {"a?": str, "b": [(int, re.compile("[0-9]+"))], "c?": {"*": None}}
    assert has_shape({"b": [1, "2"]}, shape)
    assert has_shape({"a": None, "b": [], "c": {"x": None}, "d": 1}, shape)


def test_the_bounds_of_a_listing():
    url = "https://api.example.com/tags"
    listing = Listing("tags", url, max_pages=3, max_entries=10)
    listing.add(5, "a")
    with pytest.raises(InvalidContentError, match=f"GET {url}: the list of tags repeats a page"):
        listing.add(1, "a")
    with pytest.raises(InvalidContentError, match="the list of tags has more than 10 entries"):
        listing.add(9)
    with pytest.raises(InvalidContentError, match="the list of tags has more than 1 pages"):
        Listing("tags", url, max_pages=1).add(1, "a")
