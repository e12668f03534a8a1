# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTML pages that arrive instead of the expected content. Private to the collection."""

from __future__ import annotations

import re
import typing as t

# Servers begin the body of a redirect with the link. A cache can hold that body instead of the file.
_HTML = re.compile(r"\s*<(!doctype html|html\b|head\b|body\b|a href=)", re.IGNORECASE)
_MAX_HTML = 8192


def is_html(headers: t.Mapping[str, str], text: str = "") -> bool:
    """Return whether a response is an HTML page, for example of a proxy or a login. text: the start of its body."""
    return "html" in headers.get("Content-Type", "") or bool(_HTML.match(text))


def describe_html(text: str) -> str:
    """Return a phrase with the title of a page, which is all that its reader needs."""
    text = text[:_MAX_HTML]
    # str.lower() can change the length of a text.
    lower = "".join(character.lower() if character.isascii() else character for character in text)
    start = lower.find("<title>")
    end = lower.find("</title>", start)
    title = " ".join(text[start + len("<title>") : end].split()) if 0 <= start < end else ""
    return f"an HTML page{f' titled {title!r}' if title else ''}"
