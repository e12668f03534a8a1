#!/usr/bin/python

# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: artifactory_repository_cache_info
short_description: Find layers that remote repositories of JFrog Artifactory have not cached
version_added: 0.3.0
description:
  - Finds the marker files in the cache of one or more remote repositories of container images. Artifactory creates an empty file
    C(sha256__….marker) for each layer that a cached manifest names and that was never pulled. A pull of such a layer succeeds only
    while Artifactory can reach the upstream.
  - Can also count the cached files and their size.
  - Sends two requests per repository, one for the root of the cache and one AQL search. If Artifactory rejects the search, the module
    reads the list of all cached files instead.
author: cgr.pull_through contributors (@cgr)
extends_documentation_fragment:
  - cgr.pull_through._artifactory
  - cgr.pull_through._http
  - cgr.pull_through._attributes
  - cgr.pull_through._attributes.artifactory
  - cgr.pull_through._attributes.info
options:
  key:
    description:
      - Key of the remote repository, without C(-cache).
      - One of O(key) and O(repository_keys) is required, and they are mutually exclusive.
    type: str
  repository_keys:
    description:
      - Keys of remote repositories, without C(-cache), to read in one task.
      - Four repositories are read at a time.
      - A failed repository does not stop the others; the module fails at the end. If a key is invalid, the module fails before it
        sends a request.
    type: list
    elements: str
  count_files:
    description:
      - Whether to count the cached files and their size.
      - Artifactory then returns the name of every cached file, which is a large response for a large cache.
    type: bool
    default: false
notes:
  - The user needs the Read permission on the repository. Files that the user cannot read are not found.
seealso:
  - module: cgr.pull_through.artifactory_repository_cache
  - module: cgr.pull_through.registry_pull
"""

EXAMPLES = r"""
- name: Find layers that are not cached
  cgr.pull_through.artifactory_repository_cache_info:
    artifactory_url: https://artifactory.example.com
    artifactory_access_token: "{{ artifactory_access_token }}"
    key: cgr-private
  register: cache

- name: Pull the missing layers
  cgr.pull_through.registry_pull:
    artifactory_url: https://artifactory.example.com
    artifactory_access_token: "{{ artifactory_access_token }}"
    repository: cgr-private
    images: "{{ cache.references }}"
    platforms: [all]
  when: cache.count > 0

- name: Find layers that are not cached in two repositories
  cgr.pull_through.artifactory_repository_cache_info:
    repository_keys: [cgr-private, cgr-public]
  register: caches
"""

RETURN = r"""
key:
  description: Key of the repository.
  returned: with O(key)
  type: str
  sample: cgr-private
markers:
  description: Layers that are not cached, sorted by path. A layer that several manifests name can be listed more than once.
  returned: success, with O(key)
  type: list
  elements: dict
  contains:
    image:
      description: Name of the image.
      type: str
      sample: example.com/nginx
    reference:
      description: The manifest that names the layer. A pull of this reference caches the layer.
      type: str
      sample: example.com/nginx@sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b
    digest:
      description: Digest of the layer.
      type: str
      sample: sha256:8e7c7e3d1d1f4b3b8a8d9c2f1a0e6b5c4d3e2f1a0b9c8d7e6f5a4b3c2d1e0f00
    path:
      description: Path of the marker in the cache.
      type: str
      sample: example.com/nginx/sha256__6c3c624b…/sha256__8e7c7e3d….marker
references:
  description: Unique values of RV(markers[].reference).
  returned: success, with O(key)
  type: list
  elements: str
  sample: ["example.com/nginx@sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b"]
count:
  description: Number of RV(markers).
  returned: success, with O(key)
  type: int
  sample: 1
method:
  description: How the markers were found, either V(aql) or V(list).
  returned: success, with O(key)
  type: str
  sample: aql
files:
  description: Number of cached files, without markers.
  returned: success, with O(key) and O(count_files=true)
  type: int
  sample: 812
bytes:
  description:
    - Total size of the cached files in bytes.
    - A file that is cached under several paths is counted for each path, although Artifactory stores it once.
  returned: success, with O(key) and O(count_files=true)
  type: int
  sample: 31138512896
repositories:
  description:
    - One result per item of O(repository_keys), in the same order. Also returned when the module fails because of a repository.
    - Each result has C(key), C(changed) and C(failed). A successful result also has RV(markers), RV(references), RV(count),
      RV(method) and, with O(count_files=true), RV(files) and RV(bytes). A failed one has C(msg) and C(error).
  returned: with O(repository_keys)
  type: list
  elements: dict
  sample:
    - key: cgr-private
      failed: false
      changed: false
      markers: []
      references: []
      count: 0
      method: aql
error:
  description: Details of the failure. The keys C(method), C(url), C(status) and C(response_message) are present when a request failed.
  returned: failure
  type: dict
  sample:
    message: Artifactory does not show cgr-privat-cache to this user.
    hint: Check the key.
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cgr.pull_through.plugins.module_utils._argspec import ARTIFACTORY_SPEC, HTTP_SPEC
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._cache import CacheApi
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._markers import parse_markers
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repository_spec import (
    MAX_REMOTE_KEY_LENGTH,
    validate_key,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import PullThroughError
from ansible_collections.cgr.pull_through.plugins.module_utils._module import (
    PullThroughModule,
    create_artifactory_session,
    exit_bulk,
    process_items,
    require_libraries,
    run,
    validate_unique,
)

SPEC: dict[str, dict[str, t.Any]] = {
    "key": {"type": "str", "no_log": False},
    "repository_keys": {"type": "list", "elements": "str", "no_log": False},
    "count_files": {"type": "bool", "default": False},
}


def require_cache(cache: CacheApi, key: str) -> None:
    """Raise PullThroughError unless the user can read the cache. Without this check, a search would succeed and find nothing."""
    is_readable = cache.has(key, "")
    if is_readable is None:
        raise PullThroughError(
            f"The user lacks the permission to read {key}-cache (403).", hint="It requires the Read permission."
        )
    if not is_readable:
        raise PullThroughError(
            f"Artifactory does not show {key}-cache to this user.",
            hint="Check the key. Only a remote repository has a cache; for a virtual repository, use the keys of its members.",
        )


def read_cache(cache: CacheApi, key: str, *, count_files: bool) -> dict[str, t.Any]:
    """Return the markers in the cache of one repository and, with count_files, how much is cached."""
    require_cache(cache, key)
    files, is_search_result = cache.files(key, only_markers=not count_files)
    markers = parse_markers(files)
    result = {
        "changed": False,
        "markers": markers,
        "references": sorted({marker["reference"] for marker in markers}),
        "count": len(markers),
        "method": "aql" if is_search_result else "list",
    }
    if count_files:
        cached = [file for file in files if not file.is_marker]
        result.update(files=len(cached), bytes=sum(file.size or 0 for file in cached))
    return result


def execute(module: AnsibleModule) -> dict[str, t.Any]:
    """Read the cache of each repository."""
    params = module.params
    keys = [params["key"]] if params["repository_keys"] is None else params["repository_keys"]
    validate_unique(keys)
    items = [{"key": validate_key(key, max_length=MAX_REMOTE_KEY_LENGTH)} for key in keys]
    cache = CacheApi(create_artifactory_session(module))
    results = process_items(
        items, "key", lambda item: read_cache(cache, item["key"], count_files=params["count_files"])
    )
    return exit_bulk(module, "repository_keys", results, keys, result_name="repositories")


def main() -> None:
    module = PullThroughModule(
        argument_spec={**SPEC, **ARTIFACTORY_SPEC, **HTTP_SPEC},
        required_one_of=[("key", "repository_keys")],
        mutually_exclusive=[("key", "repository_keys")],
        supports_check_mode=True,
    )
    require_libraries(module)
    run(module, execute)


if __name__ == "__main__":
    main()
