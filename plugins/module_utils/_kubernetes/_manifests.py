# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The images that Kubernetes manifests name. Private to the collection."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError

try:
    import yaml

    YAML_MISSING: str | None = None
except ImportError as exc:
    YAML_MISSING = str(exc)

_ENDINGS = (".yaml", ".yml", ".json")
_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")


class InvalidManifestError(Exception):
    """A file that holds no YAML; says where and why without its content, which can be a secret."""


def manifest_files(paths: t.Iterable[str]) -> list[str]:
    """Return the files, and those with a manifest's ending in and below the folders, sorted; raise InputError."""
    found: set[str] = set()
    for path in paths:
        if os.path.isfile(path):
            found.add(path)
        elif os.path.isdir(path):
            found.update(
                os.path.join(folder, name)
                for folder, _folders, names in os.walk(path)
                for name in names
                if name.endswith(_ENDINGS)
            )
        else:
            raise InputError(f"There is no file or folder {path}.", hint="It has to be where the module runs.")
    return sorted(found)


def images_of_file(path: str) -> list[str]:
    """Return the references of all images that the documents of a file name, as they are written; raise Unreadable."""
    try:
        with open(path, "rb") as file:
            documents = list(yaml.load_all(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except yaml.MarkedYAMLError as exc:
        where = f" in line {exc.problem_mark.line + 1}" if exc.problem_mark else ""
        raise InvalidManifestError(f"{exc.problem or 'no YAML'}{where}") from exc
    except (yaml.YAMLError, ValueError, RecursionError) as exc:
        raise InvalidManifestError("no YAML") from exc
    except OSError as exc:
        raise InvalidManifestError(exc.strerror or "it cannot be opened") from exc
    return images_of(documents)


def images_of(document: t.Any) -> list[str]:
    """Return the references of all images in a document, in pods of whatever kind: a CronJob, a List, a resource of one's own.

    Each object is looked at once, however often YAML's anchors repeat it.
    """
    found: dict[str, None] = {}
    seen: set[int] = set()
    pending = [document]
    while pending:
        node = pending.pop()
        if not isinstance(node, (dict, list)) or id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, dict):
            found.update(dict.fromkeys(_named(node)))
        pending += reversed(list(node.values()) if isinstance(node, dict) else node)
    return list(found)


def _named(pod: dict[t.Any, t.Any]) -> t.Iterator[str]:
    for field in _CONTAINERS:
        for container in _members(pod.get(field)):
            if isinstance(container.get("image"), str):
                yield container["image"].strip()
    for volume in _members(pod.get("volumes")):
        image = volume.get("image")
        if isinstance(image, dict) and isinstance(image.get("reference"), str):
            yield image["reference"].strip()


def _members(value: t.Any) -> list[dict[t.Any, t.Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def strip_prefix(reference: str, prefixes: t.Iterable[str]) -> str | None:
    """Return what stands behind the longest of the prefixes; None when none of them fits."""
    for prefix in sorted((prefix.strip("/") for prefix in prefixes), key=len, reverse=True):
        if reference.startswith(f"{prefix}/"):
            return reference[len(prefix) + 1 :]
    return None
