# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compares the documentation of a module that pulls with its options."""

from __future__ import annotations

import typing as t

import yaml

from ansible_collections.cgr.pull_through.plugins.module_utils._argspec import ARTIFACTORY_SPEC, HTTP_SPEC


def validate_documented_options(module: t.Any) -> None:
    """Raise AssertionError for an option whose documentation differs. Shared fragments document the others."""
    spec = module.ARGUMENTS["argument_spec"]
    own_options = {name: option for name, option in spec.items() if name not in {**ARTIFACTORY_SPEC, **HTTP_SPEC}}
    _compare(yaml.safe_load(module.DOCUMENTATION)["options"], own_options)


def _compare(documented: dict[str, t.Any], spec: dict[str, t.Any]) -> None:
    assert set(documented) == set(spec)
    for name, option in spec.items():
        for field in ("type", "elements", "default", "choices", "required"):
            assert documented[name].get(field) == option.get(field), f"{name}: {field}"
        if "options" in option:
            _compare(documented[name]["suboptions"], option["options"])
