# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the entry point warm of the role pull_through pulls through which repository, and the report about it. No I/O."""

from __future__ import annotations

import re
import typing as t

from ansible.module_utils.common.text.formatters import bytes_to_human

from ansible_collections.cgr.pull_through.plugins.module_utils._text import count
from ansible_collections.cgr.pull_through.plugins.plugin_utils._shard import Shard
from ansible_collections.cgr.pull_through.plugins.plugin_utils._sources import Facts, Source


def plan_cache_warming(
    sources: t.Sequence[Source], catalogs: list[Facts], named: list[str] | None, shard: str = ""
) -> Facts:
    """Return the images of each repository of container images, and those that no repository serves.

    catalogs: results of chainguard_image_info, one for each organization. named: images by name; None for whole catalogs.
    shard: the part of the images to pull, such as 2/4; empty for all.
    The images of an organization go through its own repository, all others through the first public one.
    """
    part = Shard.from_text(shard)
    image_sources = [source for source in sources if source.package_type == "docker"]
    remaining = list(named or [])
    repositories = []
    for source in image_sources:
        if not source.pull_token:
            continue
        catalog = next(catalog for catalog in catalogs if source.organization in catalog["organization"].values())
        listed = [image["reference"] for image in catalog["images"]]
        images = listed if named is None else _images_of(catalog["organization"]["name"], remaining)
        remaining = [image for image in remaining if image not in images]
        repositories.append({"repository": source.key, "images": images, "catalog": catalog["images"]})
    public = [source.key for source in image_sources if not source.pull_token]
    if public:
        repositories.append({"repository": public[0], "images": remaining, "catalog": []})
    parts = [_part_of(repository, part) for repository in repositories]
    return {
        "repositories": [repository for repository in parts if repository["images"]],
        "unassigned": [] if public else remaining,
    }


def _part_of(repository: Facts, part: Shard) -> Facts:
    """Return what a shard pulls of the images of a repository."""
    return {
        **repository,
        "images": [image for image in repository["images"] if part.has(image)],
        "catalog": [image for image in repository["catalog"] if part.has(image["reference"])],
    }


def _images_of(organization: str, images: list[str]) -> list[str]:
    return [image for image in images if image.startswith(f"{organization}/")]


def warm_pulls(sources: t.Sequence[Source], plan: Facts, upstream_url: str) -> list[Facts]:
    """Return what registry_pull is asked for. upstream_url: where a prediction reads public images; else empty.

    A prediction has the sizes of an organization's images from its catalog.
    """
    private = {source.key for source in sources if source.pull_token}
    return [
        {
            "repository": repository["repository"],
            "images": repository["images"],
            **({"upstream_url": upstream_url} if upstream_url and repository["repository"] not in private else {}),
        }
        for repository in plan["repositories"]
    ]


def warmed_tags(sources: t.Sequence[Source], pull: Facts) -> list[Facts]:
    """Return what registry_pull resolves again, to compare the tags of an organization's images with Chainguard.

    Resolved right before they are compared: after a long warm-up what was pulled first could be overdue.
    """
    private = {source.key for source in sources if source.pull_token}
    tags = {
        result["repository"]: list(dict.fromkeys(image.partition("@")[0] for image in _pulled(result)))
        for result in pull.get("pulls") or []
        if result["repository"] in private
    }
    return [{"repository": key, "images": images} for key, images in tags.items() if images]


def missing_layers(_sources: t.Sequence[Source], pull: Facts, caches: Facts) -> list[Facts]:
    """Return what registry_pull fetches again: images that were pulled, of which a cache has only the markers of layers.

    Earlier pulls of other platforms or builds left them. caches: the result of artifactory_repository_cache_info.
    """
    pulls = []
    for result in pull.get("pulls") or []:
        markers, _others = _markers(result, caches)
        references = list(dict.fromkeys(marker["reference"] for marker in markers))
        if references:
            pulls.append({"repository": result["repository"], "images": references})
    return pulls


def _pulled(result: Facts) -> list[str]:
    return [image["image"] for image in result.get("images") or [] if image["ok"]]


def _markers(result: Facts, caches: Facts) -> tuple[list[Facts], int]:
    """Return the markers of layers of the images that were pulled, and how many others the cache has."""
    names = {re.sub("[:@].*", "", image) for image in _pulled(result)}
    keys = {cache["key"]: cache for cache in caches.get("repositories") or []}
    cache: Facts = keys.get(result["repository"], {})
    markers = cache.get("markers") or []
    own = [marker for marker in markers if marker["image"] in names]
    return own, len(markers) - len(own)


def cache_warming_report(
    sources: t.Sequence[Source], plan: Facts, pull: Facts, caches: Facts, planned: bool
) -> dict[str, list[str]]:
    """Return the lines that tell what was pulled, and what failed. planned: whether the pull is only planned, as in check mode."""
    lines = []
    results = {result["repository"]: result for result in pull.get("pulls") or []}
    sources_by_key = {source.key: source for source in sources}
    for repository in plan["repositories"]:
        key = repository["repository"]
        result = results.get(key, {"repository": key})
        texts = [_plan_line(repository, result, pull)] if planned else _result_lines(repository, result, pull, caches)
        if not planned and sources_by_key[key].pull_token and _pulled(result):
            texts.append(_tag_age_line(sources_by_key[key].tag_age))
        lines += [f"{key}: {text}" for text in texts]
    messages = [*([pull["msg"]] if pull.get("msg") else []), *(source.failure for source in sources if source.failure)]
    return {"lines": lines, "failures": list(dict.fromkeys(messages))}


def _plan_line(repository: Facts, result: Facts, pull: Facts) -> str:
    images, catalog = repository["images"], repository["catalog"]
    size = sum(image["bytes"] for image in result.get("images") or [] if image.get("bytes"))
    unknown = 0 if size else len(images) - len(catalog)
    more = f" and {unknown} of unknown size" if unknown > 0 else ""
    total = bytes_to_human(size or sum(image["bytes"] for image in catalog))
    return f"{count(len(images), 'image')} would be pulled, at most {total}{more}."


def _result_lines(repository: Facts, result: Facts, pull: Facts, caches: Facts) -> list[str]:
    totals = result.get("totals") or {}
    pulled = _pulled(result)
    limit = f" because of {pull['limit']}" if pull.get("limit") else ""
    size, seconds = bytes_to_human(totals.get("bytes") or 0), round(totals.get("seconds") or 0.0, 1)
    lines = [
        f"{len(pulled)} of {count(len(repository['images']), 'image')} pulled, {size} in {seconds} seconds; "
        f"{totals.get('skipped') or 0} skipped{limit}, {totals.get('failed') or 0} failed."
    ]
    if pulled:
        markers, others = _markers(result, caches)
        lines.append(
            f"layers of theirs that are not cached: {len(markers)}; layers of other images and builds: {others}."
        )
    return lines


def _tag_age_line(tags: list[Facts]) -> str:
    current = sum(tag.get("builds_behind") == 0 for tag in tags)
    overdue = sum(bool(tag.get("overdue")) for tag in tags)
    return f"tags: {len(tags)}, of which {current} current and {overdue} overdue."
