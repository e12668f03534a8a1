#!/usr/bin/python

# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: chainguard_image_info
short_description: List the images or charts of a Chainguard organization
version_added: 0.3.0
description:
  - Lists the images of an organization with the current digests of their tags. Reads one listing of the images, and one for each requested tag.
  - Can also report how old images are that were pulled through a cache.
  - With O(kind=chart), does the same for Helm charts. Everything that is documented for images then applies to charts.
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
    description:
      - Whether to list container images or Helm charts.
      - V(chart) reads the folders of the organization that are named C(charts) or whose names end in C(-charts). This takes one listing
        of the folders, and one of the charts in each. The name of a chart begins with its folder, such as V(iamguarded-charts/redis).
      - Finding charts this way was tested only with a simulation, not with the real service.
    type: str
    choices: [image, chart]
    default: image
  images:
    description:
      - List only these images. Each is C(name), C(name:tag), or has the name of the organization as a prefix, as in C(docker pull).
        The default tag is V(latest), which charts may not have.
      - By default, the module lists the images that match O(names), O(tags), O(changed_within) and O(limit). Without these options,
        it lists all images with the tag V(latest), or all charts.
    type: list
    elements: str
  names:
    description: List only images whose names match one of these shell patterns, such as V(python*). By default, all names match.
    type: list
    elements: str
  tags:
    description:
      - Shell patterns of the tags to list. An image can have several matching tags. The default for images is V(latest). The default for
        charts is the tag of each chart that changed last, which takes one listing for each chart, or with O(limit), for only as many as needed.
      - Tags that never move, such as V(1.27.3-r1) and V(1.27.3-20260101), match only their full name, not a pattern.
      - A tag without V(*), V(?) and V([) takes one listing for all images. Patterns take one listing of all tags, or one listing for
        each image if O(names) matches at most ten images.
    type: list
    elements: str
  changed_within:
    description: List only tags that got their current digest within this time, such as V(30d) or V(12h).
    type: str
  limit:
    description: Maximum number of images to list. Those that changed last are listed.
    type: int
  compare_images:
    description:
      - Images that were just pulled through a cache, in the format of RV(cgr.pull_through.registry_pull#module:images). RV(tag_age) then
        reports how far each of them is behind Chainguard, and RV(images) lists these images.
      - The module ignores images without a tag and images whose pull failed. Images of other organizations are in RV(not_found).
      - An image can also have a C(cache_period) of its own, which overrides O(cache_period).
      - This takes one more request for each image that is not the current build.
    type: list
    elements: dict
  cache_period:
    description:
      - Number of seconds that the cache may keep a tag before it checks Chainguard. In Artifactory, this is C(retrievalCachePeriodSecs)
        of the remote repository. Within this period, it is normal that an image is behind.
      - Without it, RV(tag_age[].overdue) is set only for current builds.
    type: int
  size_platforms:
    description:
      - Platforms for which to return the size of each image, as V(os/architecture), or only V(all) for all platforms of each image.
      - This takes one request for each image and platform. Charts have no platforms.
    type: list
    elements: str
  query:
    description:
      - JMESPath expression that is applied to RV(images). Its result is RV(result).
    type: str
requirements:
  - jmespath, for O(query)
notes:
  - The credentials need the capabilities C(groups.list), C(repo.list) and C(tag.list), and C(manifest.metadata.list) for O(size_platforms).
seealso:
  - module: cgr.pull_through.registry_pull
"""

EXAMPLES = r"""
- name: List the images that the organization can pull
  cgr.pull_through.chainguard_image_info:
    organization: example.com
  register: catalog

- name: Pull the current build of each image through Artifactory
  cgr.pull_through.registry_pull:
    artifactory_url: https://artifactory.example.com
    repository: cgr-private
    images: "{{ catalog.images | map(attribute='reference') }}"
  register: pull

- name: Report how old the pulled images are
  cgr.pull_through.chainguard_image_info:
    organization: example.com
    compare_images: "{{ pull.images }}"
    cache_period: 21600

- name: List all versions of Python and Node.js that changed within a week
  cgr.pull_through.chainguard_image_info:
    organization: example.com
    names: [python*, node*]
    tags: ["[0-9]*"]
    changed_within: 7d

- name: List the chart that changed last
  cgr.pull_through.chainguard_image_info:
    organization: example.com
    kind: chart
    limit: 1
"""

RETURN = r"""
images:
  description: The images, sorted by name and tag.
  returned: success
  type: list
  elements: dict
  contains:
    uid:
      description: UID of the tag.
      type: str
      sample: 45a0c61ea6fd977f050c5fb9ac06a69eed764595/bb0dbcf1e3b1f1d1/3f1c5ab2a4c1d0e9
    name:
      description: Name of the image. The name of a chart begins with its folder.
      type: str
      sample: nginx
    reference:
      description: Reference to pull, without the host of the registry, with the current digest of the tag.
      type: str
      sample: example.com/nginx:latest@sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
    tag:
      description: The tag.
      type: str
      sample: latest
    digest:
      description: The current digest of the tag.
      type: str
      sample: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
    updated:
      description: When the tag got this digest.
      type: str
      sample: "2026-11-20T04:12:09Z"
    bytes:
      description:
        - Size of the layers and configurations for O(size_platforms). Layers that images or platforms share are counted for each of them.
          A platform that the image does not have counts as 0.
      returned: when O(size_platforms) is set
      type: int
      sample: 71303168
references_by_name:
  description: The reference with the digest for each of O(images) or O(compare_images) that exists.
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
  contains:
    image:
      description: The reference of the pulled image.
      type: str
      sample: example.com/nginx:latest
    digest:
      description: The digest of the pulled image.
      type: str
      sample: sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
    upstream_digest:
      description: The current digest of the tag.
      type: str
      sample: sha256:8e7c7e3d1d1f4b3b8a8d9c2f1a0e6b5c4d3e2f1a0b9c8d7e6f5a4b3c2d1e0f00
    builds_behind:
      description: Number of builds that followed the pulled one. Not set if the pulled build is not in the history of the tag.
      type: int
      sample: 2
    hours_behind:
      description: Hours since the pulled build was replaced. V(0) for the current build. Not set if this is unknown.
      type: float
      sample: 30.5
    overdue:
      description:
        - Whether this is more than five minutes longer than O(cache_period). This is a fault. Artifactory cannot download the current
          build, and serves an old copy without an error.
        - Not set if this is unknown.
      type: bool
      sample: true
    summary:
      description: The same information as text.
      type: str
      sample: "nginx:latest is 2 builds and 3.5 hours behind Chainguard, within the 6.0 hours that the cache may keep a tag, which is normal."
result:
  description: Result of O(query).
  returned: when O(query) is set
  type: raw
  sample: []
organization:
  description: Name and UID of the organization.
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
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._iam import Iam
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._tag_age import (
    cache_periods,
    compare,
    digests_by_image,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._time import parse_duration
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError
from ansible_collections.cgr.pull_through.plugins.module_utils._jmespath import JMESPATH_MISSING, compile_query
from ansible_collections.cgr.pull_through.plugins.module_utils._module import (
    PullThroughModule,
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


def validate_filters(params: dict[str, t.Any]) -> None:
    """Raise InputError if an option has a value that selects nothing."""
    for option in ("names", "tags"):
        if params[option] is not None and (not params[option] or "" in params[option]):
            raise InputError(f"{option} is empty or contains an empty pattern.", hint="Use * for all, or omit it.")
    for option, minimum in (("limit", 1), ("cache_period", 0)):
        if params[option] is not None and params[option] < minimum:
            raise InputError(f"{option} is {params[option]}.", hint="Set it to a positive number, or omit it.")
    for platform in params["size_platforms"] or []:
        if platform != "all" and not re.fullmatch(r"[a-z0-9]+/[a-z0-9]+(/[a-z0-9]+)?", platform):
            raise InputError(
                f"size_platforms contains {platform!r}.", hint="Use os/architecture, such as linux/amd64, or all."
            )
    if params["size_platforms"] and params["kind"] == "chart":
        raise InputError("size_platforms is set for charts.", hint="Charts have no platforms. Omit it.")


def build_image_filter(params: dict[str, t.Any]) -> ImageFilter:
    """Return the filter that the options describe. Raises InputError."""
    validate_filters(params)
    changed_within = parse_duration(params["changed_within"], "changed_within") if params["changed_within"] else 0
    default_tags = [DEFAULT_TAG] if params["kind"] == "image" else []
    return ImageFilter(
        names=tuple(params["names"] or ["*"]),
        tags=tuple(params["tags"] or default_tags),
        changed_within=changed_within,
        limit=params["limit"] or 0,
    )


def gather_images(
    catalog: ImageCatalog, params: dict[str, t.Any], image_filter: ImageFilter, digests: dict[str, str]
) -> dict[str, t.Any]:
    """Return the results about images. digests: of compare_images, by reference."""
    if params["images"] is None and params["compare_images"] is None:
        return {"images": catalog.select(image_filter), "references_by_name": {}, "not_found": []}
    references: list[str] = list(digests) if params["images"] is None else params["images"]
    images, by_reference = catalog.find(references)
    result = {
        "images": images,
        "references_by_name": {reference: image["reference"] for reference, image in by_reference.items()},
        "not_found": [reference for reference in references if reference not in by_reference],
    }
    if params["compare_images"] is not None:
        periods = cache_periods(params["compare_images"], params["cache_period"])
        result["tag_age"] = compare(catalog, digests, by_reference, periods)
    return result


def execute(module: AnsibleModule) -> dict[str, t.Any]:
    """List the images, add their sizes, and apply the query."""
    params = module.params
    query = compile_query(params["query"]) if params["query"] else None
    image_filter, digests = build_image_filter(params), digests_by_image(params["compare_images"] or [])
    transport = make_transport(module)
    session = create_chainguard_session(module, create_sts_client(module, transport), transport)
    organization = Iam(session).organization(params["organization"])
    catalog = ImageCatalog(session, organization, params["kind"])
    result = {
        "changed": False,
        **gather_images(catalog, params, image_filter, digests),
        "organization": {"name": organization["name"], "uid": organization["uid"]},
    }
    if params["size_platforms"]:
        result["images"] = [
            {**image, "bytes": catalog.size(image, params["size_platforms"])} for image in result["images"]
        ]
    if query is not None:
        result["result"] = query(result["images"])
    return result


def main() -> None:
    module = PullThroughModule(
        argument_spec={**SPEC, **CHAINGUARD_SPEC, **HTTP_SPEC},
        mutually_exclusive=[("images", "compare_images"), *itertools.product(("images", "compare_images"), FILTERS)],
        required_by={"cache_period": ["compare_images"]},
        supports_check_mode=True,
    )
    require_libraries(module, ("jmespath", JMESPATH_MISSING if module.params["query"] else None))
    run(module, execute)


if __name__ == "__main__":
    main()
