#!/usr/bin/python

# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kubernetes_image_info
short_description: Find the images that Kubernetes manifests name
version_added: 0.2.0
description:
  - Reads files of Kubernetes manifests and returns the images of all containers, init containers, ephemeral containers and image volumes in
    them, in objects of any kind.
  - Those that a registry or a repository of yours serves are returned as M(cgr.pull_through.registry_pull) takes them, to warm its cache.
  - Reads files only, and asks no cluster.
author: cgr.pull_through contributors (@cgr)
extends_documentation_fragment:
  - cgr.pull_through._attributes
  - cgr.pull_through._attributes.info
options:
  paths:
    description:
      - Files, and folders of which all files that end in C(.yaml), C(.yml) and C(.json) are read, also those of folders below.
      - A file can hold several documents.
    type: list
    elements: path
    required: true
  prefixes:
    description:
      - What stands before the path of an image that is meant, such as V(cgr.dev), or V(myproject.jfrog.io/cgr-private), which is an
        Artifactory and the key of its repository.
    type: list
    elements: str
    default: [cgr.dev]
requirements:
  - PyYAML, which ansible-core brings
notes:
  - Templates, such as those of Helm, are no manifests. Render them first.
seealso:
  - module: cgr.pull_through.registry_pull
"""

EXAMPLES = r"""
- name: What our deployments run
  cgr.pull_through.kubernetes_image_info:
    paths: [deploy/]
    prefixes: [cgr.dev, myproject.jfrog.io/cgr-private]
  register: deployed

- name: Warm the cache for them
  cgr.pull_through.registry_pull:
    artifactory_url: https://myproject.jfrog.io
    artifactory_access_token: "{{ artifactory_token }}"
    repository: cgr-private
    images: "{{ deployed.images }}"
"""

RETURN = r"""
images:
  description: The images behind one of O(prefixes), without it, sorted, each once.
  returned: success
  type: list
  elements: str
  sample: [example.com/nginx:1.27]
others:
  description: The references of images that are from elsewhere, or not valid, sorted, each once.
  returned: success
  type: list
  elements: str
  sample: ["docker.io/library/redis:7"]
references:
  description: All references, as they are written, sorted.
  returned: success
  type: list
  elements: dict
  contains:
    reference:
      description: The reference.
      type: str
      sample: cgr.dev/example.com/nginx:1.27
    image:
      description: What it is in RV(images). Not set if it is in RV(others).
      type: str
      sample: example.com/nginx:1.27
    files:
      description: The files that name it.
      type: list
      elements: str
      sample: [deploy/web.yaml]
files:
  description: How many files were read.
  returned: success
  type: int
  sample: 12
unreadable:
  description: Files that hold no YAML. They are left out, with a warning.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: The file.
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
    images_of_file,
    manifest_files,
    strip_prefix,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._module import require_libraries, run
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._reference import parse_reference

SPEC: dict[str, dict[str, t.Any]] = {
    "paths": {"type": "list", "elements": "path", "required": True},
    "prefixes": {"type": "list", "elements": "str", "default": ["cgr.dev"]},
}


def image_of(reference: str, prefixes: list[str]) -> str | None:
    """Return the image that a reference means; None when it is from elsewhere, or not valid."""
    image = strip_prefix(reference, prefixes)
    try:
        return parse_reference(image).text if image else None
    except InputError:
        return None


def execute(module: AnsibleModule) -> dict[str, t.Any]:
    """Find the files, read them, tell the images from others."""
    prefixes = module.params["prefixes"]
    if not all(prefix.strip("/") for prefix in prefixes):
        raise InputError("prefixes has an empty element.", hint="Write a registry's host, and what stands behind it.")
    files = manifest_files(module.params["paths"])
    named: dict[str, list[str]] = {}
    unreadable = []
    for path in files:
        try:
            for reference in images_of_file(path):
                named.setdefault(reference, []).append(path)
        except InvalidManifestError as exc:
            unreadable.append({"path": path, "reason": str(exc)})
            module.warn(f"{path} holds no manifest ({exc}), and is left out.")
    found = {reference: image_of(reference, prefixes) for reference in sorted(named)}
    return {
        "changed": False,
        "images": sorted({image for image in found.values() if image}),
        "others": [reference for reference, image in found.items() if not image],
        "references": [
            {"reference": reference, "image": image, "files": named[reference]} for reference, image in found.items()
        ],
        "files": len(files),
        "unreadable": unreadable,
    }


def main() -> None:
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    require_libraries(module, ("PyYAML", YAML_MISSING))
    run(module, execute)


if __name__ == "__main__":
    main()
