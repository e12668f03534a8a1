#!/usr/bin/python

# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubernetes_image_info
short_description: Find the images in Kubernetes manifests
version_added: 0.3.0
description:
  - Reads Kubernetes manifests and returns the images of all containers, init containers, ephemeral containers and image volumes, in
    objects of any kind.
  - Returns the images of given registries or repositories in the format of M(cgr.pull_through.registry_pull), for example to warm a cache.
  - Reads only files. Sends no requests to a cluster.
author: cgr.pull_through contributors (@cgr)
extends_documentation_fragment:
  - cgr.pull_through._attributes
  - cgr.pull_through._attributes.info
options:
  paths:
    description:
      - Files and folders to read. In a folder and its subfolders, all files with the extensions C(.yaml), C(.yml) and C(.json) are read.
      - A file can contain several documents.
    type: list
    elements: path
    required: true
  prefixes:
    description:
      - Prefixes of the images to return in RV(images). A prefix is the host of a registry, such as V(cgr.dev), or the host of an
        Artifactory with the key of a repository, such as V(myproject.jfrog.io/cgr-private).
    type: list
    elements: str
    default: [cgr.dev]
requirements:
  - PyYAML, which ansible-core installs
notes:
  - Templates, such as those of Helm charts, are not manifests. Render them first.
seealso:
  - module: cgr.pull_through.registry_pull
"""

EXAMPLES = r"""
- name: Find the images that our deployments use
  cgr.pull_through.kubernetes_image_info:
    paths: [deploy/]
    prefixes: [cgr.dev, myproject.jfrog.io/cgr-private]
  register: deployed

- name: Warm the cache with these images
  cgr.pull_through.registry_pull:
    artifactory_url: https://myproject.jfrog.io
    artifactory_access_token: "{{ artifactory_token }}"
    repository: cgr-private
    images: "{{ deployed.images }}"
"""

RETURN = r"""
images:
  description: The images with one of O(prefixes), without the prefix, sorted, without duplicates.
  returned: success
  type: list
  elements: str
  sample: [example.com/nginx:1.27]
others:
  description: The references of all other images, and references that are not valid, sorted, without duplicates.
  returned: success
  type: list
  elements: str
  sample: ["docker.io/library/redis:7"]
references:
  description: All references as they are written in the files, sorted.
  returned: success
  type: list
  elements: dict
  contains:
    reference:
      description: The reference.
      type: str
      sample: cgr.dev/example.com/nginx:1.27
    image:
      description: The image in RV(images). Not set if the reference is in RV(others).
      type: str
      sample: example.com/nginx:1.27
    files:
      description: The files that contain the reference.
      type: list
      elements: str
      sample: [deploy/web.yaml]
files:
  description: Number of files that were read.
  returned: success
  type: int
  sample: 12
unreadable:
  description: Files that cannot be read as YAML. The module ignores them with a warning.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: Path of the file.
      type: str
      sample: deploy/templates/web.yaml
    reason:
      description: Why it could not be read.
      type: str
      sample: found unhashable key in line 4
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError
from ansible_collections.cgr.pull_through.plugins.module_utils._kubernetes._manifests import (
    YAML_MISSING,
    InvalidManifestError,
    find_manifests,
    read_images,
    strip_prefix,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._module import PullThroughModule, require_libraries, run
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._reference import parse_reference

SPEC: dict[str, dict[str, t.Any]] = {
    "paths": {"type": "list", "elements": "path", "required": True},
    "prefixes": {"type": "list", "elements": "str", "default": ["cgr.dev"]},
}


def resolve_image(reference: str, prefixes: list[str]) -> str | None:
    """Return the image of a reference; None if it has none of the prefixes or is not valid."""
    image = strip_prefix(reference, prefixes)
    try:
        return parse_reference(image).text if image else None
    except InputError:
        return None


def execute(module: AnsibleModule) -> dict[str, t.Any]:
    """Read the images in all files, and sort them by prefix."""
    prefixes = module.params["prefixes"]
    if not all(prefix.strip("/") for prefix in prefixes):
        raise InputError(
            "prefixes contains an empty element.", hint="Use the host of a registry, and optionally a path."
        )
    files = find_manifests(module.params["paths"])
    files_by_reference: dict[str, list[str]] = {}
    unreadable = []
    for path in files:
        try:
            for reference in read_images(path):
                files_by_reference.setdefault(reference, []).append(path)
        except InvalidManifestError as exc:
            unreadable.append({"path": path, "reason": str(exc)})
            module.warn(f"{path} is not a manifest ({exc}), so it is ignored.")
    images = {reference: resolve_image(reference, prefixes) for reference in sorted(files_by_reference)}
    return {
        "changed": False,
        "images": sorted({image for image in images.values() if image}),
        "others": [reference for reference, image in images.items() if not image],
        "references": [
            {"reference": reference, "image": image, "files": files_by_reference[reference]}
            for reference, image in images.items()
        ],
        "files": len(files),
        "unreadable": unreadable,
    }


def main() -> None:
    module = PullThroughModule(argument_spec=SPEC, supports_check_mode=True)
    require_libraries(module, ("PyYAML", YAML_MISSING))
    run(module, execute)


if __name__ == "__main__":
    main()
