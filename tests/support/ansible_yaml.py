# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the YAML of playbooks and variables, which can contain Ansible's tag for text that is no template."""

from __future__ import annotations

import typing as t
from pathlib import Path

import yaml


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # yaml has no types
    """Reads what Ansible marks as unsafe as text."""


_Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(t.cast(yaml.ScalarNode, node)))


def parse_yaml(text: str) -> t.Any:
    """Return the content of a YAML document."""
    return yaml.load(text, Loader=_Loader)


def load_yaml(file: Path) -> t.Any:
    """Return the content of a YAML file."""
    return parse_yaml(file.read_text(encoding="utf-8"))
