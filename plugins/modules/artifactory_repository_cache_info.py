#!/usr/bin/python

# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: artifactory_repository_cache_info
short_description: Find the layers that a remote repository of JFrog Artifactory has not cached yet
version_added: 0.2.0
description:
  - Finds the markers in the cache of a remote repository of container images. For each layer that a cached manifest names and that nobody
    has fetched yet, Artifactory keeps an empty file C(sha256__….marker). Such a layer comes as long as upstream can be reached, and
    fails when it cannot.
  - Also counts what is cached.
  - Takes two requests, a look at the cache's root and one search in AQL. Where searches are refused, the plain listing of all files is read.
author: cgr.pull_through contributors (@cgr)
extends_documentation_fragment:
  - cgr.pull_through._artifactory
  - cgr.pull_through._http
  - cgr.pull_through._attributes
  - cgr.pull_through._attributes.artifactory
  - cgr.pull_through._attributes.info
options:
  key:
    description: Key of the remote repository, without C(-cache).
    type: str
    required: true
  count_files:
    description:
      - Whether to count the files and their bytes as well.
      - Artifactory then names each file that is cached, which is a long answer for a large cache.
    type: bool
    default: false
notes:
  - The login needs to read the repository. What it may not read is not found.
seealso:
  - module: cgr.pull_through.artifactory_repository_cache
  - module: cgr.pull_through.registry_pull
"""

EXAMPLES = r"""
- name: Which layers would fail without upstream?
  cgr.pull_through.artifactory_repository_cache_info:
    artifactory_url: https://artifactory.example.com
    artifactory_access_token: "{{ artifactory_access_token }}"
    key: cgr-private
  register: cache

- name: Fetch them
  cgr.pull_through.registry_pull:
    artifactory_url: https://artifactory.example.com
    artifactory_access_token: "{{ artifactory_access_token }}"
    repository: cgr-private
    images: "{{ cache.references }}"
    platforms: [all]
  when: cache.count > 0
"""

RETURN = r"""
markers:
  description: The layers that are not cached yet, sorted by path. One that several manifests name can be there several times.
  returned: success
  type: list
  elements: dict
  contains:
    image:
      description: Name of the image.
      type: str
      sample: example.com/nginx
    reference:
      description: The manifest that names the layer. Pulling it fetches the layer.
      type: str
      sample: example.com/nginx@sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
    digest:
      description: Digest of the layer.
      type: str
      sample: sha256:8e7c7e3d1d1f4b3b8a8d9c2f1a0e6b5c4d3e2f1a0b9c8d7e6f5a4b3c2d1e0f00
    path:
      description: Where the marker is in the cache.
      type: str
      sample: example.com/nginx/sha256__6c3c624b…/sha256__8e7c7e3d….marker
references:
  description: Each RV(markers[].reference) once.
  returned: success
  type: list
  elements: str
  sample: ["example.com/nginx@sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b"]
count:
  description: How many markers there are.
  returned: success
  type: int
  sample: 1
method:
  description: How they were found, V(aql) or V(list).
  returned: success
  type: str
  sample: aql
files:
  description: How many files are cached, without markers.
  returned: when O(count_files) is true
  type: int
  sample: 812
bytes:
  description: Their bytes. What is there under several paths counts several times, though Artifactory stores it once.
  returned: when O(count_files) is true
  type: int
  sample: 31138512896
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cgr.pull_through.plugins.module_utils._argspec import ARTIFACTORY_SPEC, HTTP_SPEC
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._cache import CacheApi
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._markers import of_files
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repositories import (
    REMOTE_KEY_LIMIT,
    validate_key,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import PullThroughError
from ansible_collections.cgr.pull_through.plugins.module_utils._module import (
    create_artifactory_session,
    require_libraries,
    run,
)

SPEC: dict[str, dict[str, t.Any]] = {
    "key": {"type": "str", "required": True, "no_log": False},
    "count_files": {"type": "bool", "default": False},
}


def require_cache(cache: CacheApi, key: str) -> None:
    """Raise PullThroughError unless this login sees the cache: a search finds nothing then, and says so as if all were well."""
    seen = cache.has(key, "")
    if seen is None:
        raise PullThroughError(f"This login may not look into {key}-cache.", hint="It takes the permission Read on it.")
    if not seen:
        raise PullThroughError(
            f"Artifactory shows this login no {key}-cache.",
            hint="Check the key. Only a remote repository has a cache; of a virtual one, ask its members.",
        )


def execute(module: AnsibleModule) -> dict[str, t.Any]:
    """Look, search, count."""
    key, counting = validate_key(module.params["key"], limit=REMOTE_KEY_LIMIT), module.params["count_files"]
    cache = CacheApi(create_artifactory_session(module))
    require_cache(cache, key)
    files, searched = cache.files(key, only_markers=not counting)
    markers = of_files(files)
    result = {
        "changed": False,
        "markers": markers,
        "references": sorted({marker["reference"] for marker in markers}),
        "count": len(markers),
        "method": "aql" if searched else "list",
    }
    if counting:
        stored = [file for file in files if not file.is_marker]
        result.update(files=len(stored), bytes=sum(file.size or 0 for file in stored))
    return result


def main() -> None:
    module = AnsibleModule(argument_spec={**SPEC, **ARTIFACTORY_SPEC, **HTTP_SPEC}, supports_check_mode=True)
    require_libraries(module)
    run(module, execute)


if __name__ == "__main__":
    main()
