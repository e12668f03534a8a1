# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The catalogs of sources and virtual repositories, and the user's changes to them. No I/O."""

from __future__ import annotations

import difflib
import typing as t

from ansible_collections.cgr.pull_through.plugins.plugin_utils._input import parse_value, quote

Facts = dict[str, t.Any]
Spec = t.Mapping[str, Facts]

_TEXT: Facts = {"type": "str"}
_LIST: Facts = {"type": "list", "elements": "str"}
_DICT: Facts = {"type": "dict"}
SOURCE_SPEC: Spec = {
    "key": {"type": "str", "required": True},
    "package_type": {"type": "str", "required": True},
    "url": {"type": "str", "required": True},
    "title": _TEXT,
    "settings": _DICT,
    "pull_token": _TEXT,
    "organization": _TEXT,
    "images": _LIST,
    "artifacts": _LIST,
    "upstream_url": _TEXT,
    "url_without_organization": _TEXT,
    "upstream_url_without_organization": _TEXT,
}
VIRTUAL_SPEC: Spec = {
    "key": {"type": "str", "required": True},
    "package_type": {"type": "str", "required": True},
    "members": {"type": "list", "elements": "str", "required": True},
    "settings": _DICT,
}


def nearest(name: str, names: t.Iterable[str]) -> str:
    """Return a question with the most similar name; empty if none is similar."""
    lower = {other.lower(): other for other in names}
    similar = difflib.get_close_matches(str(name).lower(), list(lower), 1, 0.6)
    return f" Did you mean {lower[similar[0]]}?" if similar else ""


def parse_overrides(overrides: Facts, spec: Spec) -> dict[str, Facts]:
    """Return the fields of each entry with their types. Fields that are null or not valid are left out."""
    entries = {name: entry for name, entry in overrides.items() if isinstance(entry, dict)}
    return {
        name: {field: value for field, value, error in _parse_fields(entry, spec) if not error}
        for name, entry in entries.items()
    }


def merge(catalog: dict[str, Facts], overrides: dict[str, Facts]) -> dict[str, Facts]:
    """Return the catalog with the fields of the overrides. Dictionaries are merged, everything else is replaced."""
    return {
        **catalog,
        **{name: _merge(_without_urls(catalog.get(name) or {}, entry), entry) for name, entry in overrides.items()},
    }


def _without_urls(entry: Facts, changes: Facts) -> Facts:
    """Return an entry without its other URL if the changes set the URL."""
    is_replaced = bool(changes.get("url"))
    return {
        field: value for field, value in entry.items() if not (is_replaced and field.endswith("_without_organization"))
    }


def _merge(entry: Facts, changes: Facts) -> Facts:
    merged = dict(entry)
    for field, value in changes.items():
        is_nested = isinstance(value, dict) and isinstance(merged.get(field), dict)
        merged[field] = _merge(merged[field], value) if is_nested else value
    return merged


def complete_entries(catalog: dict[str, Facts], spec: Spec) -> dict[str, Facts]:
    """Return the entries that have all required fields."""
    required = [field for field, option in spec.items() if option.get("required")]
    return {name: entry for name, entry in catalog.items() if all(entry.get(field) is not None for field in required)}


def override_errors(variable: str, overrides: Facts, catalog: dict[str, Facts], spec: Spec) -> t.Iterator[str]:
    """Yield a sentence for each entry and field that is not valid. catalog: without the overrides."""
    for name, entry in overrides.items():
        if entry is not None and not isinstance(entry, dict):
            yield f"{variable} has {quote(entry)} for {name}, but it must be a dictionary with fields."
            continue
        for field, _value, error in _parse_fields(entry or {}, spec):
            if error:
                yield f"{variable} {error.format(name=name, field=field)}"
        missing = [field for field, option in spec.items() if option.get("required") and field not in (entry or {})]
        if name not in catalog and missing:
            yield f"{variable} adds {name} without {', '.join(missing)}.{nearest(name, catalog)}"


def _parse_fields(entry: Facts, spec: Spec) -> t.Iterator[tuple[str, t.Any, str]]:
    """Yield name, value and error of each field. The error is a predicate with {name} and {field}."""
    for field, value in entry.items():
        if field not in spec:
            fields = nearest(field, spec) or f" The fields are {', '.join(spec)}."
            yield field, value, f"sets the unknown field {{field}} of {{name}}.{fields}"
        elif value is not None:
            try:
                yield field, _parse(value, spec[field]), ""
            except ValueError as exc:
                yield field, value, f"sets {{field}} of {{name}} to a value that is not valid: it must be {exc}."


def _parse(value: t.Any, option: Facts) -> t.Any:
    if isinstance(value, str) and not value.strip():
        return {"str": "", "list": [], "dict": {}}[option["type"]]
    return parse_value(value, option)
