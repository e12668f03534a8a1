# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the images in Kubernetes manifests. Private to the collection."""

from __future__ import annotations

import os
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError

try:
    import yaml

    YAML_MISSING: str | None = None
except ImportError as exc:
    YAML_MISSING = str(exc)

_EXTENSIONS = (".yaml", ".yml", ".json")
_CONTAINER_FIELDS = ("containers", "initContainers", "ephemeralContainers")


class InvalidManifestError(Exception):
    """A file that cannot be read as YAML. The message does not quote the file, which can contain secrets."""


def find_manifests(paths: t.Iterable[str]) -> list[str]:
    """Return the files, and the files with a manifest's extension in the folders and their subfolders, sorted. Raises InputError."""
    files: set[str] = set()
    for path in paths:
        if os.path.isfile(path):
            files.add(path)
        elif os.path.isdir(path):
            files.update(
                os.path.join(folder, name)
                for folder, _folders, names in os.walk(path)
                for name in names
                if name.endswith(_EXTENSIONS)
            )
        else:
            raise InputError(
                f"The file or folder {path} does not exist.",
                hint="It must be on the host where the module runs. Relative paths begin at the folder of the playbook.",
            )
    return sorted(files)


def read_images(path: str) -> list[str]:
    """Return the references of all images in a file, as they are written. Raises InvalidManifestError."""
    try:
        with open(path, "rb") as file:
            documents = list(yaml.load_all(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except yaml.MarkedYAMLError as exc:
        position = f" in line {exc.problem_mark.line + 1}" if exc.problem_mark else ""
        raise InvalidManifestError(f"{exc.problem or 'not valid YAML'}{position}") from exc
    except (yaml.YAMLError, ValueError, RecursionError) as exc:
        raise InvalidManifestError("not valid YAML") from exc
    except OSError as exc:
        raise InvalidManifestError(exc.strerror or "it cannot be opened") from exc
    return find_images(documents)


def find_images(document: t.Any) -> list[str]:
    """Return the references of all images in a document. Finds pods in any object, such as a CronJob, List, or custom resource.

    Visits each object once, even if YAML anchors repeat it or make it contain itself.
    """
    images: dict[str, None] = {}
    seen: set[int] = set()
    pending = [document]
    while pending:
        node = pending.pop()
        if not isinstance(node, (dict, list)) or id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, dict):
            images.update(dict.fromkeys(_pod_images(node)))
        pending += reversed(list(node.values()) if isinstance(node, dict) else node)
    return list(images)


def _pod_images(pod: dict[t.Any, t.Any]) -> t.Iterator[str]:
    for field in _CONTAINER_FIELDS:
        for container in _dicts(pod.get(field)):
            if isinstance(container.get("image"), str):
                yield container["image"].strip()
    for volume in _dicts(pod.get("volumes")):
        image = volume.get("image")
        if isinstance(image, dict) and isinstance(image.get("reference"), str):
            yield image["reference"].strip()


def _dicts(value: t.Any) -> list[dict[t.Any, t.Any]]:
    return [element for element in value if isinstance(element, dict)] if isinstance(value, list) else []


def strip_prefix(reference: str, prefixes: t.Iterable[str]) -> str | None:
    """Return the reference without the longest matching prefix; None if no prefix matches."""
    for prefix in sorted((prefix.strip("/") for prefix in prefixes), key=len, reverse=True):
        if reference.startswith(f"{prefix}/"):
            return reference[len(prefix) + 1 :]
    return None
