# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documented shape of a response, and the bounds of a listing. No I/O. Private to the collection.

A shape is one of these:
    a type, such as str; a bool is not an int
    a compiled pattern, which all of a text must match
    a tuple of shapes, one of which must fit
    a list with the shape of each element
    a dict with the shape of each field. A field whose name ends with ? may be missing or null. The name * is for all others
    None for any value
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InvalidContentError

MAX_PAGES = 1000
MAX_ENTRIES = 200_000
# Of a list or an object in one document, such as all files of a cache.
MAX_ELEMENTS = 500_000

WORD = re.compile(r"\S+")
# As an Authorization header can hold it.
TOKEN = re.compile(r"[\x21-\x7e]*")
NUMBER = re.compile(r"[0-9]{1,15}", re.ASCII)

_NAMES = {str: "text", int: "a number", float: "a number", bool: "a boolean", dict: "an object", list: "a list"}
_MAX_NAME = 40


class ShapeError(ValueError):
    """A value without the documented shape. The message is a clause that names the field and does not quote the value."""


def validate_shape(value: t.Any, shape: t.Any, path: str = "") -> None:
    """Raise ShapeError if a value of a JSON document does not have a shape. path: of the value in the document."""
    if isinstance(shape, dict):
        _validate_object(value, shape, path)
    elif isinstance(shape, list):
        _validate_type(value, list, path)
        _validate_size(value, path)
        for index, element in enumerate(value):
            validate_shape(element, shape[0], f"{path}[{index}]")
    elif isinstance(shape, tuple):
        if not any(has_shape(value, alternative) for alternative in shape):
            raise ShapeError(f"{_field(path)} has a value that is not valid")
    elif isinstance(shape, re.Pattern):
        _validate_type(value, str, path)
        if not shape.fullmatch(value):
            raise ShapeError(f"{_field(path)} has a text that is not valid")
    elif shape is not None:
        _validate_type(value, shape, path)


def has_shape(value: t.Any, shape: t.Any) -> bool:
    """Return whether a value has a shape."""
    try:
        validate_shape(value, shape)
    except ShapeError:
        return False
    return True


def _validate_object(value: t.Any, shape: dict[str, t.Any], path: str) -> None:
    _validate_type(value, dict, path)
    for name, field in shape.items():
        if name == "*":
            continue
        key = name.removesuffix("?")
        nested = f"{path}.{key}".lstrip(".")
        if value.get(key) is not None:
            validate_shape(value[key], field, nested)
        elif key == name:
            raise ShapeError(f"{_field(nested)} is {'null' if key in value else 'missing'}")
    if "*" in shape:
        _validate_size(value, path)
        for key in value.keys() - {name.removesuffix("?") for name in shape}:
            validate_shape(value[key], shape["*"], f"{path}.{key[:_MAX_NAME]}".lstrip("."))


def _validate_size(value: t.Sized, path: str) -> None:
    if len(value) > MAX_ELEMENTS:
        raise ShapeError(f"{_field(path)} has more than {MAX_ELEMENTS} elements")


def _validate_type(value: t.Any, expected: type, path: str) -> None:
    if not isinstance(value, expected) or (isinstance(value, bool) and expected is not bool):
        actual = "null" if value is None else _NAMES.get(type(value), "another type")
        raise ShapeError(f"{_field(path)} is {actual} instead of {_NAMES[expected]}")


def _field(path: str) -> str:
    return f"field {path}" if path else "it"


class Listing:
    """The bounds of one listing. what: the name of its entries. url: for the error."""

    def __init__(self, what: str, url: str, *, max_pages: int = MAX_PAGES, max_entries: int = MAX_ENTRIES) -> None:
        self._what = what
        self._url = url
        self._max_pages = max_pages
        self._max_entries = max_entries
        self._pages = self._entries = 0
        self._tokens: set[str] = set()

    def add(self, entries: int, next_token: str = "") -> None:
        """Count a page. next_token: of the next page. Raises InvalidContentError if a bound is exceeded."""
        self._pages += 1
        self._entries += entries
        if self._entries > self._max_entries:
            raise self._error(f"has more than {self._max_entries} entries")
        if next_token and self._pages >= self._max_pages:
            raise self._error(f"has more than {self._max_pages} pages")
        if next_token in self._tokens:
            raise self._error("repeats a page")
        if next_token:
            self._tokens.add(next_token)

    def _error(self, message: str) -> InvalidContentError:
        return InvalidContentError("content", f"the list of {self._what} {message}.", url=self._url)
