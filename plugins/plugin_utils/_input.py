# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What surveys, pipelines and the command line send for the variables of the role pull_through: text. No I/O."""

from __future__ import annotations

import re
import typing as t

import yaml
from ansible.module_utils.common.text.formatters import human_to_bytes
from ansible.module_utils.parsing.convert_bool import boolean

_MAX_QUOTED = 60


class ItemError(ValueError):
    """An item of a list does not have its type: the item, and what it must be, for the end of a sentence."""


def is_empty(value: t.Any) -> bool:
    """Return whether a value is what a question of a survey without an answer becomes: null, or text without characters."""
    return value is None or (isinstance(value, str) and not value.strip())


def quote(value: t.Any) -> str:
    """Return how a message shows a value. What is in lists and dictionaries is not shown."""
    if isinstance(value, (dict, list, tuple)):
        return "a dictionary" if isinstance(value, dict) else "a list"
    text = str(value)
    return repr(text if len(text) <= _MAX_QUOTED else f"{text[:_MAX_QUOTED]}…")


def to_list(value: t.Any) -> list[t.Any]:
    """Return a list that can have arrived as text: JSON or YAML in brackets, or items with commas or line breaks between them.

    Nothing, and an empty text, is an empty list. Text is never a list of its characters.
    """
    if value is None:
        return []
    if not isinstance(value, str):
        return [item.strip() if isinstance(item, str) else item for item in value]
    text = value.strip()
    if text.startswith("["):
        loaded = _load(text)
        if isinstance(loaded, list):
            return to_list(loaded)
    return [item.strip() for item in re.split("[,\n]", text) if item.strip()]


def parse_value(value: t.Any, option: t.Mapping[str, t.Any]) -> t.Any:
    """Return a value that is not empty with the type of an option of an argument specification.

    Raises ValueError with what it must be, for the end of a sentence, and ItemError for an item of a list.
    """
    parsed = _PARSERS[option.get("type", "str")](value)
    if option.get("type") == "list":
        parsed = [_parse_item(item, option.get("elements", "str")) for item in parsed]
    choices = option.get("choices")
    if choices and any(item not in choices for item in (parsed if isinstance(parsed, list) else [parsed])):
        raise ValueError(f"{'some' if isinstance(parsed, list) else 'one'} of {', '.join(choices)}")
    return parsed


def validate_path(path: str) -> str:
    """Return a path that is not relative. Relative ones begin at the folder of the playbook, which can be that of the collection.

    Raises ValueError with what it must be, for the end of a sentence.
    """
    if not path.startswith(("/", "~")):
        raise ValueError("an absolute path, which begins with / or ~/")
    return path


def parse_dict(value: t.Any) -> dict[t.Any, t.Any]:
    """Return a dictionary that can have arrived as JSON or YAML; empty if it is none."""
    try:
        return dict(_parse_dict(value))
    except ValueError:
        return {}


def _load(text: str) -> t.Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return None


def _parse_item(item: t.Any, kind: str) -> t.Any:
    try:
        return _PARSERS[kind](item)
    except ValueError as exc:
        raise ItemError(f"{quote(item)}, which must be {exc}") from None


def _parse_text(value: t.Any) -> str:
    if isinstance(value, (dict, list, tuple)):
        raise ValueError("text")
    return str(value).strip()


def _parse_path(value: t.Any) -> str:
    return validate_path(_parse_text(value))


def _parse_int(value: t.Any) -> int:
    # Templates turn numbers into text, such as 30.0.
    number = _parse_float(value)
    if number != int(number):
        raise ValueError("a whole number")
    return int(number)


def _parse_float(value: t.Any) -> float:
    if isinstance(value, bool) or not re.fullmatch(r"[+-]?\d+(\.\d+)?", str(value).strip(), re.ASCII):
        raise ValueError("a number")
    return float(value)


def _parse_bool(value: t.Any) -> bool:
    try:
        return bool(boolean(value.strip() if isinstance(value, str) else value, strict=True))
    except TypeError:
        raise ValueError("true or false") from None


def _parse_bytes(value: t.Any) -> t.Any:
    try:
        human_to_bytes(str(value).strip())
    except ValueError:
        raise ValueError("a number of bytes, such as 50M") from None
    return str(value).strip()


def _parse_list(value: t.Any) -> list[t.Any]:
    if isinstance(value, dict):
        raise ValueError("a list, or text with commas")
    return to_list(value if isinstance(value, (str, list, tuple)) else [value])


def _parse_dict(value: t.Any) -> t.Any:
    loaded = _load(value) if isinstance(value, str) else value
    if not isinstance(loaded, dict):
        raise ValueError("a dictionary")
    return loaded


_PARSERS: dict[str, t.Callable[[t.Any], t.Any]] = {
    "str": _parse_text,
    "path": _parse_path,
    "int": _parse_int,
    "float": _parse_float,
    "bool": _parse_bool,
    "bytes": _parse_bytes,
    "list": _parse_list,
    "dict": _parse_dict,
}
