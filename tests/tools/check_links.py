# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds links between the pages of a site whose file or anchor does not exist."""

from __future__ import annotations

import html.parser
import typing as t
from pathlib import Path
from urllib.parse import unquote, urlsplit


class _Page(html.parser.HTMLParser):
    """Reads the links and the anchors of a page."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.anchors: set[str] = {""}
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.anchors.add(values.get("id") or "")
        self.links |= {values.get(name) or "" for name in ("href", "src")}


def broken_links(folder: Path) -> list[str]:
    """Return a line for each broken link of the pages in a folder."""
    pages = {file.resolve(): _Page(file) for file in sorted(folder.rglob("*.html"))}
    return [line for file, page in pages.items() for line in _broken_links_of(file, page, pages, folder)]


def _broken_links_of(file: Path, page: _Page, pages: dict[Path, _Page], folder: Path) -> t.Iterator[str]:
    for link in sorted(page.links):
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
        if not target.is_file():
            yield f"{file.relative_to(folder.resolve())}: no file {link}"
        elif target in pages and unquote(parts.fragment) not in pages[target].anchors:
            yield f"{file.relative_to(folder.resolve())}: no anchor {link}"
