# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""URLs with {organization_name} and {organization_uid}. No I/O. Private to the collection."""

from __future__ import annotations

import re

_PLACEHOLDER = re.compile(r"\{organization_(name|uid)\}")


def has_placeholder(template: str) -> bool:
    """Return whether a URL contains the name or the UID of an organization."""
    return _PLACEHOLDER.search(template) is not None


def fill_organization(template: str, organization: dict[str, str]) -> str:
    """Return the URL of an organization. organization: its C(name) and C(uid); what it lacks stays a placeholder."""
    return _PLACEHOLDER.sub(lambda match: organization.get(match[1]) or match[0], template)


def match_organization(template: str, url: str) -> dict[str, str] | None:
    """Return the C(name) and C(uid) that a URL has where the template has placeholders; None if it is another URL."""
    if not template:
        return None
    parts = _PLACEHOLDER.split(template.rstrip("/"))
    pattern = "".join(f"(?P<{part}>[^/]+)" if number % 2 else re.escape(part) for number, part in enumerate(parts))
    match = re.fullmatch(pattern, url.rstrip("/"))
    return match.groupdict() if match else None
