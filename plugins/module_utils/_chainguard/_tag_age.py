# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far a cache is behind Chainguard, from the history of tags. Private to the collection."""

from __future__ import annotations

import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._catalog import ImageCatalog
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._iam import Resource
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._pull_tokens import timestamp
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError

_HOUR = 3600.0

# Seconds between the pull and this look, and clocks that are not quite alike.
_CLOCK_TOLERANCE = 300.0

Pulled = dict[str, t.Any]
History = list[tuple[float, str]]


def digests_by_image(pulled: list[Pulled]) -> dict[str, str]:
    """Return of pulled images with a tag the digest that came, by the image as it was written; raise InputError.

    What did not come, or was asked for by digest alone, is left out.
    """
    for one in pulled:
        if not isinstance(one.get("image"), str) or "digest" not in one:
            raise InputError(
                "compare_images has an element without image and digest.",
                hint="Set it to the images that cgr.pull_through.registry_pull returned.",
            )
    named = {one["image"]: one["digest"] for one in pulled if one["digest"]}
    return {image: digest for image, digest in named.items() if "@" not in image or ":" in image.partition("@")[0]}


def compare(
    catalog: ImageCatalog, came: dict[str, str], there: dict[str, Resource], period: int | None
) -> list[Resource]:
    """Return for each image that is there how old it came. period: seconds for which the cache may keep a tag.

    The history of a tag is asked for only where the digests differ.
    """
    found = []
    for written, image in there.items():
        history = [] if came[written] == image["digest"] else catalog.history(image)
        found.append({"image": written, **describe_age(came[written], image, history, catalog.now(), period)})
    return found


def describe_age(digest: str, image: Resource, history: History, now: float, period: int | None) -> Resource:
    """Return how far a digest is behind the present one, and whether that is too far, in numbers and in words."""
    builds, since = _behind(digest, image, history)
    outdated = None if since is None else max(now - since, 0.0)
    late = False if digest == image["digest"] else _is_late(outdated, history, now, period)
    hours = None if outdated is None else round(outdated / _HOUR, 1)
    if digest == image["digest"]:
        hours = 0.0
    return {
        "digest": digest,
        "upstream_digest": image["digest"],
        "builds_behind": builds,
        "hours_behind": hours,
        "overdue": late,
        "summary": f"{image['name']}:{image['tag']} {_words(builds, hours, late, period)}",
    }


def _behind(digest: str, image: Resource, history: History) -> tuple[int | None, float | None]:
    """Return how many builds came after a digest, and when the first of them did; None for both when it is not known."""
    if digest == image["digest"]:
        return 0, None
    builds = _without_repetitions([*history, (timestamp(image["updated"]), image["digest"])])
    places = [place for place, (_when, build) in enumerate(builds) if build == digest]
    if not places:
        return None, None
    after = builds[places[-1] + 1 :]
    return len(after), after[0][0] if after else None


def _without_repetitions(history: History) -> History:
    """Return the history without records that name the digest of the one before."""
    return [record for place, record in enumerate(history) if not place or history[place - 1][1] != record[1]]


def _is_late(outdated: float | None, history: History, now: float, period: int | None) -> bool | None:
    if period is None:
        return None
    if outdated is not None:
        return outdated > period + _CLOCK_TOLERANCE
    # The history does not know it, so all of the history came after it.
    oldest = history[0][0] if history else now
    return True if now - oldest > period + _CLOCK_TOLERANCE else None


def _words(builds: int | None, hours: float | None, late: bool | None, period: int | None) -> str:
    if builds == 0:
        return "is the present build."
    if builds is None:
        behind = "is not the present build, and its history does not know it"
    else:
        behind = f"is {builds} build{'s' if builds > 1 else ''} and {hours} hours behind Chainguard"
    if late is None:
        return f"{behind}."
    kept = f"the {(period or 0) / _HOUR:.1f} hours that the cache may keep a tag"
    if late:
        return (
            f"{behind}, longer than {kept}: Artifactory cannot get the present build, and serves an old copy. "
            "Look at its pull token and its way to Chainguard."
        )
    return f"{behind}, within {kept}, which is normal."
