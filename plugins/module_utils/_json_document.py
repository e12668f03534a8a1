# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""JSON of a server, parsed with bounds on memory and nesting. No I/O. Private to the collection."""

from __future__ import annotations

import contextlib
import gc
import json
import math
import re
import sys
import typing as t

# Of the text and of all values. A dense document needs many times its size as Python objects.
_MAX_MEMORY = 400 << 20
# An object with one field needs the most for its two separators.
_MEMORY_PER_SEPARATOR = 120
_MAX_DIGITS = 100
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def parse_json(text: str | bytes) -> t.Any:
    """Return the value of a JSON document. Raises ValueError with a clause for messages."""
    if isinstance(text, bytes):
        text = text.decode("utf-8")
    separators = sum(text.count(separator) for separator in ",[{")
    if sys.getsizeof(text) + separators * _MEMORY_PER_SEPARATOR > _MAX_MEMORY:
        raise ValueError(f"it needs more than {_MAX_MEMORY >> 20} MiB of memory")
    try:
        with _garbage_collection_off():
            value = json.loads(
                text,
                parse_int=_parse_int,
                parse_float=_parse_float,
                parse_constant=_reject_constant,
                object_pairs_hook=_build_object,
            )
    except RecursionError as exc:
        raise ValueError("it is nested too deeply") from exc
    if _SURROGATE.search(text):
        _validate_unicode(value)
    return value


@contextlib.contextmanager
def _garbage_collection_off() -> t.Iterator[None]:
    """Run no finalizers of other objects, which would fail inside of a document that is nested too deeply."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _parse_int(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError(f"it has a number with more than {_MAX_DIGITS} digits")
    return int(digits)


def _parse_float(text: str) -> float:
    if len(text) > _MAX_DIGITS or math.isinf(number := float(text)):
        raise ValueError("it has a number that is too large")
    return number


def _reject_constant(name: str) -> t.NoReturn:
    raise ValueError(f"it has the number {name}")


def _build_object(pairs: list[tuple[str, t.Any]]) -> dict[str, t.Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("an object in it has a key twice")
    return result


def _validate_unicode(value: t.Any) -> None:
    """Raise ValueError for half of a surrogate pair, which cannot be encoded in a result."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as exc:
        raise ValueError("it has a text that is not valid Unicode") from exc
