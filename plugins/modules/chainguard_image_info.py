#!/usr/bin/python

# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: chainguard_image_info
short_description: List the images or charts of a Chainguard organization
version_added: 0.1.0
description:
  - Lists the images of an organization with their tags' present digests. Takes one listing of the images, and one more for each tag that is asked for.
  - Also tells how old images are that were pulled through a cache.
  - With O(kind=chart), the same for Helm charts, wherever images are spoken of.
author: cgr.pull_through contributors (@cgr)
extends_documentation_fragment:
  - cgr.pull_through._chainguard
  - cgr.pull_through._http
  - cgr.pull_through._attributes
  - cgr.pull_through._attributes.chainguard
  - cgr.pull_through._attributes.info
options:
  organization:
    description: Name or UID of the Chainguard organization.
    type: str
    required: true
  kind:
    version_added: 0.2.0
    description:
      - Whether to list container images, or Helm charts.
      - V(chart) looks into the organization's folders that are named C(charts) or end in C(-charts). This takes a listing of the folders,
        and one of the charts for each. The name of a chart begins with that of its folder, as in V(iamguarded-charts/redis).
      - That charts are found in this way was tried with a simulation only, and not with the real service.
    type: str
    choices: [image, chart]
    default: image
  images:
    description:
      - Only these images, each as C(name), C(name:tag), or with the organization's name in front as in a C(docker pull).
        Without a tag, V(latest) is meant, which charts need not have.
      - Without this option, all images of the organization that O(names), O(tags), O(changed_within) and O(limit) leave, which are
        those with the tag V(latest) by default, or all charts.
    type: list
    elements: str
  names:
    version_added: 0.2.0
    description: Only images whose name matches one of these shell patterns, such as V(python*). Without it, all.
    type: list
    elements: str
  tags:
    version_added: 0.2.0
    description:
      - The tags to list of each image, as shell patterns. An image can have several. Without this option, V(latest) of images, and of
        each chart the one tag that changed last, which takes a listing for each chart, with O(limit) for no more than so many that have tags.
      - Tags that never move, such as V(1.27.3-r1) and V(1.27.3-20260101), are found by their whole name and by no pattern.
      - A tag without V(*), V(?) and V([) takes one listing for all images. Patterns take one listing of all tags together, or where
        O(names) leaves no more than ten images, one for each.
    type: list
    elements: str
  changed_within:
    version_added: 0.2.0
    description: Only tags that got their present digest within this time, such as V(30d) or V(12h).
    type: str
  limit:
    version_added: 0.2.0
    description: At most so many, those that changed last.
    type: int
  compare_images:
    version_added: 0.2.0
    description:
      - What RV(cgr.pull_through.registry_pull#module:images) told of images that were just pulled through a cache. RV(tag_age) then
        tells how far they are behind Chainguard, and RV(images) are those that were pulled.
      - Only images with a tag are looked at, and those that came. Images of others are in RV(unknown).
      - This takes one more request for each image that is not the present build.
    type: list
    elements: dict
  cache_period:
    version_added: 0.2.0
    description:
      - For how many seconds the cache may keep a tag without asking Chainguard. It is C(retrievalCachePeriodSecs) of the remote
        repository in Artifactory. Within it, to be behind is normal.
      - Without it, RV(tag_age[].overdue) is set for present builds only.
    type: int
  size_platforms:
    version_added: 0.2.0
    description:
      - The platforms for which to tell how large each image is, as V(os/architecture), or V(all) alone for each that it has.
      - This takes a request for each image and platform. Charts have no platforms.
    type: list
    elements: str
  query:
    description:
      - JMESPath expression over the list of images. Its result is RV(result).
    type: str
requirements:
  - jmespath, for O(query)
notes:
  - The login needs the capabilities C(groups.list), C(repo.list) and C(tag.list), and C(manifest.metadata.list) for O(size_platforms).
seealso:
  - module: cgr.pull_through.registry_pull
"""

EXAMPLES = r"""
- name: What the organization can pull
  cgr.pull_through.chainguard_image_info:
    organization: example.com
  register: catalog

- name: Pull the present build of each image through Artifactory
  cgr.pull_through.registry_pull:
    artifactory_url: https://artifactory.example.com
    repository: cgr-private
    images: "{{ catalog.images | map(attribute='reference') }}"
  register: pull

- name: Is what came as new as it has to be?
  cgr.pull_through.chainguard_image_info:
    organization: example.com
    compare_images: "{{ pull.images }}"
    cache_period: 21600

- name: All versions of Python and Node.js that changed since last week
  cgr.pull_through.chainguard_image_info:
    organization: example.com
    names: [python*, node*]
    tags: ["[0-9]*"]
    changed_within: 7d

- name: The chart that changed last
  cgr.pull_through.chainguard_image_info:
    organization: example.com
    kind: chart
    limit: 1
"""

RETURN = r"""
images:
  description: The images that are there, sorted by name.
  returned: success
  type: list
  elements: dict
  contains:
    uid:
      description: UID of the tag.
      type: str
      version_added: 0.2.0
      sample: 45a0c61ea6fd977f050c5fb9ac06a69eed764595/bb0dbcf1e3b1f1d1/3f1c5ab2a4c1d0e9
    name:
      description: Name of the image. That of a chart begins with its folder.
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
    bytes:
      description:
        - Bytes of the layers and configurations for O(size_platforms). Layers that images or platforms share count for each. A platform
          that the image does not have counts nothing.
      returned: when O(size_platforms) is set
      type: int
      version_added: 0.2.0
      sample: 71303168
references_by_name:
  description: For each of O(images) that is there, as it was given, its reference with the digest.
  returned: success
  type: dict
  sample:
    nginx: example.com/nginx:latest@sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
not_found:
  description: Those of O(images) or O(compare_images) that the organization does not have, or not with this tag.
  returned: success
  type: list
  elements: str
  sample: []
tag_age:
  description: How far each of O(compare_images) is behind Chainguard.
  returned: when O(compare_images) is set
  type: list
  elements: dict
  version_added: 0.2.0
  contains:
    image:
      description: The image as it was pulled.
      type: str
      sample: example.com/nginx:latest
    digest:
      description: The digest that came.
      type: str
      sample: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
    upstream_digest:
      description: The digest that the tag has now.
      type: str
      sample: sha256:8e7c7e3d1d1f4b3b8a8d9c2f1a0e6b5c4d3e2f1a0b9c8d7e6f5a4b3c2d1e0f00
    builds_behind:
      description: How many builds came after the one that was pulled. Not set if the history of the tag does not know it.
      type: int
      sample: 2
    hours_behind:
      description: For how many hours it has been replaced. V(0) for the present build. Not set if that is not known.
      type: float
      sample: 30.5
    overdue:
      description:
        - Whether that is longer than O(cache_period), by more than five minutes. It then is a fault. Artifactory cannot get the present
          build, and hides that by serving an old copy.
        - Not set if it is not known.
      type: bool
      sample: true
    summary:
      description: The same in words.
      type: str
      sample: "nginx:latest is 2 builds and 3.5 hours behind Chainguard, within the 6.0 hours that the cache may keep a tag, which is normal."
result:
  description: What O(query) finds in RV(images).
  returned: when O(query) is set
  type: raw
  sample: []
organization:
  description: The organization.
  returned: success
  type: dict
  sample:
    name: example.com
    uid: 45a0c61ea6fd977f050c5fb9ac06a69eed764595
"""

import itertools
import re
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cgr.pull_through.plugins.module_utils._argspec import CHAINGUARD_SPEC, HTTP_SPEC
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._catalog import (
    DEFAULT_TAG,
    ImageCatalog,
    ImageFilter,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._iam import Iam, Resource
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._pull_tokens import seconds
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._tag_age import compare, digests_by_image
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError
from ansible_collections.cgr.pull_through.plugins.module_utils._jmespath import JMESPATH_MISSING, compile_query
from ansible_collections.cgr.pull_through.plugins.module_utils._module import (
    create_chainguard_session,
    create_sts_client,
    make_transport,
    require_libraries,
    run,
)

FILTERS = ("names", "tags", "changed_within", "limit")

SPEC: dict[str, dict[str, t.Any]] = {
    "organization": {"type": "str", "required": True},
    "kind": {"type": "str", "choices": ["image", "chart"], "default": "image"},
    "images": {"type": "list", "elements": "str"},
    "names": {"type": "list", "elements": "str"},
    "tags": {"type": "list", "elements": "str"},
    "changed_within": {"type": "str"},
    "limit": {"type": "int"},
    "compare_images": {"type": "list", "elements": "dict"},
    "cache_period": {"type": "int"},
    "size_platforms": {"type": "list", "elements": "str"},
    "query": {"type": "str"},
}


def build_image_filter(params: dict[str, t.Any]) -> ImageFilter:
    """Return which images are meant, or raise InputError."""
    for option in ("names", "tags"):
        if params[option] is not None and (not params[option] or "" in params[option]):
            raise InputError(f"{option} is empty, or has an empty pattern.", hint="Write * for all, or leave it out.")
    for option in ("limit", "cache_period"):
        if params[option] is not None and params[option] < (1 if option == "limit" else 0):
            raise InputError(f"{option} is {params[option]}.", hint="Set it to a positive number, or leave it out.")
    for platform in params["size_platforms"] or []:
        if platform != "all" and not re.fullmatch(r"[a-z0-9]+/[a-z0-9]+(/[a-z0-9]+)?", platform):
            raise InputError(
                f"size_platforms has {platform!r}.", hint="Write os/architecture, as in linux/amd64, or all."
            )
    if params["size_platforms"] and params["kind"] == "chart":
        raise InputError("size_platforms is set for charts.", hint="Charts have no platforms: leave it out.")
    within = seconds(params["changed_within"], "changed_within") if params["changed_within"] else 0
    names, tags = params["names"] or ["*"], params["tags"] or ([DEFAULT_TAG] if params["kind"] == "image" else [])
    return ImageFilter(tuple(names), tuple(tags), within, params["limit"] or 0)


def gather_images(
    catalog: ImageCatalog, params: dict[str, t.Any], choice: ImageFilter, came: dict[str, str]
) -> dict[str, t.Any]:
    """Return the part of the result that is about images. came: digests of what was pulled, by image."""
    if params["images"] is None and params["compare_images"] is None:
        return {"images": catalog.select(choice), "references_by_name": {}, "not_found": []}
    wanted: list[str] = params["images"] if params["compare_images"] is None else list(came)
    images, there = catalog.find(wanted)
    pinned: dict[str, Resource] = {one: image["reference"] for one, image in there.items()}
    found = {"images": images, "references_by_name": pinned, "not_found": [one for one in wanted if one not in there]}
    if params["compare_images"] is not None:
        found["tag_age"] = compare(catalog, came, there, params["cache_period"])
    return found


def execute(module: AnsibleModule) -> dict[str, t.Any]:
    """Read, filter, query."""
    params = module.params
    query = compile_query(params["query"]) if params["query"] else None
    choice, came = build_image_filter(params), digests_by_image(params["compare_images"] or [])
    transport = make_transport(module)
    session = create_chainguard_session(module, create_sts_client(module, transport), transport)
    organization = Iam(session).organization(params["organization"])
    catalog = ImageCatalog(session, organization, params["kind"])
    found = gather_images(catalog, params, choice, came)
    if params["size_platforms"]:
        found["images"] = [
            {**image, "bytes": catalog.size(image, params["size_platforms"])} for image in found["images"]
        ]
    named = {"name": organization["name"], "uid": organization["uid"]}
    result: dict[str, t.Any] = {"changed": False, **found, "organization": named}
    if query is not None:
        result["result"] = query(found["images"])
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec={**SPEC, **CHAINGUARD_SPEC, **HTTP_SPEC},
        mutually_exclusive=[("images", "compare_images"), *itertools.product(("images", "compare_images"), FILTERS)],
        required_by={"cache_period": ["compare_images"]},
        supports_check_mode=True,
    )
    require_libraries(module, ("jmespath", JMESPATH_MISSING if module.params["query"] else None))
    run(module, execute)


if __name__ == "__main__":
    main()
