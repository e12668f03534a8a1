#!/usr/bin/python

# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: artifactory_repository_cache
short_description: Expire or delete what a remote repository of JFrog Artifactory has cached
version_added: 0.1.0
description:
  - Expires cached metadata, or deletes cached files, of a remote repository.
  - Artifactory remembers for a while what it did not find upstream, half an hour unless it is configured otherwise. After a wrong
    credential or setting was mended, pulls can go on failing for that long. Expiring the cache ends it.
author: cgr.pull_through contributors (@cgr)
extends_documentation_fragment:
  - cgr.pull_through._artifactory
  - cgr.pull_through._http
  - cgr.pull_through._attributes
  - cgr.pull_through._attributes.artifactory
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: With O(state=absent), shows the paths that are deleted.
  idempotent:
    support: partial
    details: O(state=expired) is an action, and reports a change each time.
options:
  key:
    description: Key of the remote repository, without C(-cache).
    type: str
    required: true
  paths:
    description:
      - Files and folders in the cache, such as V(example.com/nginx/latest). Everything below a folder is meant too.
      - With O(state=expired), the whole cache unless it is set. With O(state=absent), either this or O(entire_cache) is required.
    type: list
    elements: str
  entire_cache:
    version_added: 0.2.0
    description:
      - With O(state=absent), delete everything that is in the cache. All of it has to come from upstream again.
      - This is what helps when wrong settings had Artifactory keep web pages in the place of files.
    type: bool
    default: false
  state:
    description:
      - V(expired) makes Artifactory ask upstream again for what can change, such as tags, and forget what it did not find. Files that never
        change stay. When the upstream does not answer, the old copy is served. Artifactory calls it zapping, and can do it from 7.49.3 on.
      - V(absent) deletes the paths from the cache.
    type: str
    choices: [expired, absent]
    required: true
notes:
  - V(expired) needs the permission Manage or Delete on the repository, V(absent) needs Delete.
seealso:
  - module: cgr.pull_through.artifactory_remote_repository
"""

EXAMPLES = r"""
- name: Forget that pulls failed while the pull token was dead
  cgr.pull_through.artifactory_repository_cache:
    artifactory_url: https://artifactory.example.com
    artifactory_access_token: "{{ artifactory_access_token }}"
    key: cgr-private
    state: expired

- name: Remove a cached image that is damaged
  cgr.pull_through.artifactory_repository_cache:
    key: cgr-private
    paths: [example.com/nginx]
    state: absent

- name: Remove all that was cached while bypassHeadRequests was off
  cgr.pull_through.artifactory_repository_cache:
    key: cgr-java
    entire_cache: true
    state: absent
"""

RETURN = r"""
paths:
  description: The paths that were expired or deleted, or in check mode would be. The whole cache is an empty path.
  returned: success
  type: list
  elements: str
  sample: [example.com/nginx]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cgr.pull_through.plugins.module_utils._argspec import ARTIFACTORY_SPEC, HTTP_SPEC
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._cache import CacheApi
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repositories import (
    REMOTE_KEY_LIMIT,
    validate_key,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError
from ansible_collections.cgr.pull_through.plugins.module_utils._module import (
    create_artifactory_session,
    require_libraries,
    run,
)

SPEC: dict[str, dict[str, t.Any]] = {
    "key": {"type": "str", "required": True, "no_log": False},
    "paths": {"type": "list", "elements": "str"},
    "entire_cache": {"type": "bool", "default": False},
    "state": {"type": "str", "choices": ["expired", "absent"], "required": True},
}


def validate_paths(params: dict[str, t.Any]) -> list[str]:
    """Return the paths that are named, or raise InputError."""
    if params["state"] == "expired" and params["entire_cache"]:
        raise InputError("whole is for state=absent; state=expired is about the whole cache anyway, without paths.")
    if params["state"] == "absent" and params["paths"] is None and not params["entire_cache"]:
        raise InputError("state=absent needs paths, or whole.")
    paths = [path.strip("/") for path in params["paths"] or []]
    if params["state"] == "absent" and not all(paths):
        raise InputError("An empty path would delete the whole cache; name what is in it, or set whole.")
    return paths


def execute(module: AnsibleModule) -> dict[str, t.Any]:
    """Check the input, then expire or delete."""
    params = module.params
    key = validate_key(params["key"], limit=REMOTE_KEY_LIMIT)
    paths = validate_paths(params)
    cache = CacheApi(create_artifactory_session(module))
    if params["state"] == "absent":
        return delete(module, cache, key, cache.list_root(key) if params["entire_cache"] else paths)
    paths = paths or [""]
    if not module.check_mode:
        for path in paths:
            cache.expire(key, path)
    return {"changed": True, "paths": paths, "diff": {"before": {}, "after": {}}}


def delete(module: AnsibleModule, cache: CacheApi, key: str, paths: list[str]) -> dict[str, t.Any]:
    """Delete those of the paths that are there. Where the login may not look, deleting tells."""
    there = [path for path in paths if cache.has(key, path) is not False]
    if not module.check_mode:
        for path in there:
            cache.evict(key, path)
    return {"changed": bool(there), "paths": there, "diff": {"before": {"paths": there}, "after": {"paths": []}}}


def main() -> None:
    module = AnsibleModule(
        argument_spec={**SPEC, **ARTIFACTORY_SPEC, **HTTP_SPEC},
        mutually_exclusive=[("paths", "entire_cache")],
        supports_check_mode=True,
    )
    require_libraries(module)
    run(module, execute)


if __name__ == "__main__":
    main()
