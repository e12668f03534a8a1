# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of pull tokens that filters check too. Needs no HTTP client, so that filters load fast. Private to the collection."""

from __future__ import annotations

import re

from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._time import parse_duration
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError

SITE_PATTERN = r"[A-Za-z0-9._-]{1,40}"
MAX_TTL = 8760 * 3600
PLAN_LIMITS = (
    "Chainguard limits the lifetime by the plan of the organization: 720h for Starter, 168h for Team, 8760h for others. "
    "Set a ttl that the plan allows."
)


def parse_lifetime(ttl: str, renew_before: str | None) -> tuple[int, int]:
    """Return ttl and renew_before (half of ttl by default) in seconds. Raises InputError."""
    lifetime = parse_duration(ttl, "ttl")
    if not 0 < lifetime <= MAX_TTL:
        text = f"ttl must be more than 0 and at most {MAX_TTL // 3600}h, not {ttl!r}."
        raise InputError(text, hint=PLAN_LIMITS if lifetime > MAX_TTL else "")
    threshold = parse_duration(renew_before, "renew_before") if renew_before else lifetime // 2
    if threshold >= lifetime:
        raise InputError(
            f"renew_before ({renew_before}) must be less than ttl ({ttl}): otherwise each run issues a new token."
        )
    return lifetime, threshold


def validate_site(site: str, option: str) -> None:
    """Raise InputError if a marker cannot contain this site. option: where it was set."""
    if site and not re.fullmatch(SITE_PATTERN, site):
        raise InputError(
            f"{option} is not valid: {site!r}.", hint="Use up to 40 letters, digits, dashes, underscores and dots."
        )
