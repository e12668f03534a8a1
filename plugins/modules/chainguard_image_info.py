#!/usr/bin/python

# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: chainguard_image_info
short_description: List the images of a Chainguard organisation
version_added: 0.1.0
description:
  - Lists the images of an organisation with their tags' present digests. Takes one listing of the images, and one more for each tag that is asked for.
author: cgr.pull_through contributors (@cgr)
extends_documentation_fragment:
  - cgr.pull_through._chainguard
  - cgr.pull_through._http
  - cgr.pull_through._attributes
  - cgr.pull_through._attributes.chainguard
  - cgr.pull_through._attributes.info
options:
  organization:
    description: Name or UID of the Chainguard organisation.
    type: str
    required: true
  images:
    description:
      - Only these images, each as C(name), C(name:tag), or with the organisation's name in front as in a C(docker pull).
        Without a tag, V(latest) is meant.
      - Without this option, all images of the organisation with the tag V(latest).
    type: list
    elements: str
  query:
    description:
      - JMESPath expression over the list of images. Its result is RV(result).
    type: str
requirements:
  - jmespath, for O(query)
notes:
  - The login needs the capabilities C(groups.list), C(repo.list) and C(tag.list).
seealso:
  - module: cgr.pull_through.registry_pull
"""

EXAMPLES = r"""
- name: What the organisation can pull
  cgr.pull_through.chainguard_image_info:
    organization: example.com
  register: catalogue

- name: Pull the present build of each image through Artifactory
  cgr.pull_through.registry_pull:
    artifactory_url: https://artifactory.example.com
    repository: cgr-private
    images: "{{ catalogue.images | map(attribute='reference') }}"
"""

RETURN = r"""
images:
  description: The images that are there, sorted by name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the image.
      type: str
      sample: nginx
    reference:
      description: What to pull below the registry's host, with the present digest of the tag.
      type: str
      sample: example.com/nginx:latest@sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
    tag:
      description: The tag.
      type: str
      sample: latest
    digest:
      description: The digest that the tag has now.
      type: str
      sample: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
    updated:
      description: When the tag got this digest.
      type: str
      sample: "2026-11-20T04:12:09Z"
pinned:
  description: For each of O(images) that is there, as it was given, its reference with the digest.
  returned: success
  type: dict
  sample:
    nginx: example.com/nginx:latest@sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
unknown:
  description: Those of O(images) that the organisation does not have, or not with this tag.
  returned: success
  type: list
  elements: str
  sample: []
result:
  description: What O(query) finds in RV(images).
  returned: when O(query) is set
  type: raw
  sample: []
organization:
  description: The organisation.
  returned: success
  type: dict
  sample:
    name: example.com
    uid: 45a0c61ea6fd977f050c5fb9ac06a69eed764595
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.cgr.pull_through.plugins.module_utils._argspec import (
    CHAINGUARD_SPEC,
    HTTP_SPEC,
    make_transport,
    open_chainguard,
    open_sts,
    require_libraries,
    run,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._iam import Iam
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._images import find_images
from ansible_collections.cgr.pull_through.plugins.module_utils._query import JMESPATH_MISSING, compiled

SPEC: dict[str, dict[str, t.Any]] = {
    "organization": {"type": "str", "required": True},
    "images": {"type": "list", "elements": "str"},
    "query": {"type": "str"},
}


def execute(module: AnsibleModule) -> dict[str, t.Any]:
    """Read, filter, query."""
    params = module.params
    query = compiled(params["query"]) if params["query"] else None
    transport = make_transport(module)
    session = open_chainguard(module, open_sts(module, transport), transport)
    organization = Iam(session).organization(params["organization"])
    images, pinned = find_images(session, organization, params["images"])
    result: dict[str, t.Any] = {
        "changed": False,
        "images": images,
        "pinned": pinned,
        "unknown": [one for one in params["images"] or [] if one not in pinned],
        "organization": {"name": organization["name"], "uid": organization["uid"]},
    }
    if query is not None:
        result["result"] = query(images)
    return result


def main() -> None:
    module = AnsibleModule(argument_spec={**SPEC, **CHAINGUARD_SPEC, **HTTP_SPEC}, supports_check_mode=True)
    require_libraries(module, ("jmespath", JMESPATH_MISSING if module.params["query"] else None))
    run(module, execute)


if __name__ == "__main__":
    main()
