# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What surveys, pipelines and the command line send for the variables of the role pull_through: text. No I/O."""

from __future__ import annotations

import re
import typing as t

import yaml


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
        try:
            loaded = yaml.safe_load(text)
        except yaml.YAMLError:
            loaded = None
        if isinstance(loaded, list):
            return to_list(loaded)
    return [item.strip() for item in re.split("[,\n]", text) if item.strip()]
