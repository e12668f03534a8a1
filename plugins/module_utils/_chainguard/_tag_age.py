# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How old cached images are, from the history of their tags at Chainguard. Private to the collection."""

from __future__ import annotations

import re

from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._catalog import ImageCatalog
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._iam import Resource
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._time import parse_timestamp
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError

_HOUR = 3600.0

# Allows for clock differences, and for the seconds between the pull and the comparison.
_CLOCK_TOLERANCE = 300.0

History = list[tuple[float, str]]


def digests_by_image(pulled: list[Resource]) -> dict[str, str]:
    """Return the digests of pulled images by reference. Omits failed pulls and references without a tag. Raises InputError."""
    for image in pulled:
        if not isinstance(image.get("image"), str) or "digest" not in image:
            raise InputError(
                "compare_images has an element without image and digest.",
                hint="Set it to the images that cgr.pull_through.registry_pull returned.",
            )
    digests = {image["image"]: image["digest"] for image in pulled if image["digest"]}
    return {
        reference: digest
        for reference, digest in digests.items()
        if "@" not in reference or ":" in reference.partition("@")[0]
    }


def cache_periods(pulled: list[Resource], default: int | None) -> dict[str, int | None]:
    """Return the seconds that the cache may keep a tag, by reference. An image can have its own. Raises InputError."""
    periods = {image["image"]: image.get("cache_period") for image in pulled}
    for reference, period in periods.items():
        if period is not None and not re.fullmatch("[0-9]{1,12}", str(period)):
            raise InputError(f"The cache_period of {reference} is {period!r}.", hint="Set it to a number of seconds.")
    return {reference: default if period is None else int(period) for reference, period in periods.items()}


def compare(
    catalog: ImageCatalog,
    digests: dict[str, str],
    images: dict[str, Resource],
    periods: dict[str, int | None],
) -> list[Resource]:
    """Return the age of each image. digests: of the pulled images, by reference. images: those at Chainguard, by reference.

    periods: see cache_periods(). Reads the history of a tag only if its digest differs.
    """
    ages = []
    for reference, image in images.items():
        digest = digests[reference]
        history = [] if digest == image["digest"] else catalog.history(image)
        age = describe_age(digest, image, history, catalog.server_time(), periods[reference])
        ages.append({"image": reference, **age})
    return ages


def describe_age(digest: str, image: Resource, history: History, now: float, cache_period: int | None) -> Resource:
    """Return how many builds and hours a digest is behind the current one, and whether that is too long. now: epoch seconds."""
    is_current = digest == image["digest"]
    builds, replaced = (0, now) if is_current else _find_replacement(digest, image, history)
    seconds = None if replaced is None else max(now - replaced, 0.0)
    hours = None if seconds is None else round(seconds / _HOUR, 1)
    overdue = False if is_current else _is_overdue(seconds, history, now, cache_period)
    return {
        "digest": digest,
        "upstream_digest": image["digest"],
        "builds_behind": builds,
        "hours_behind": hours,
        "overdue": overdue,
        "summary": f"{image['name']}:{image['tag']} {_summarize(builds, hours, overdue, cache_period)}",
    }


def _find_replacement(digest: str, image: Resource, history: History) -> tuple[int | None, float | None]:
    """Return how many builds followed a digest, and when the first of them did; None if this is unknown."""
    builds = _remove_repetitions([*history, (parse_timestamp(image["updated"]), image["digest"])])
    positions = [position for position, (_time, build) in enumerate(builds) if build == digest]
    if not positions:
        return None, None
    later = builds[positions[-1] + 1 :]
    return len(later), later[0][0] if later else None


def _remove_repetitions(history: History) -> History:
    """Return the history without records that repeat the digest of the previous one."""
    return [record for position, record in enumerate(history) if not position or history[position - 1][1] != record[1]]


def _is_overdue(seconds: float | None, history: History, now: float, cache_period: int | None) -> bool | None:
    if cache_period is None:
        return None
    if seconds is not None:
        return seconds > cache_period + _CLOCK_TOLERANCE
    # A digest that the history does not contain is older than the history.
    oldest = history[0][0] if history else now
    return True if now - oldest > cache_period + _CLOCK_TOLERANCE else None


def _summarize(builds: int | None, hours: float | None, overdue: bool | None, cache_period: int | None) -> str:
    if builds == 0:
        return "is the current build."
    if builds is None:
        behind = "is not the current build, and is not in the history of the tag"
    else:
        behind = f"is {builds} build{'s' if builds > 1 else ''} and {hours} hours behind Chainguard"
    if overdue is None:
        return f"{behind}."
    period = f"the {(cache_period or 0) / _HOUR:.1f} hours that the cache may keep a tag"
    if overdue:
        return (
            f"{behind}, longer than {period}: Artifactory cannot download the current build and serves an old copy. "
            "Check its pull token and its connection to Chainguard."
        )
    return f"{behind}, within {period}, which is normal."
