#!/usr/bin/python

# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: artifactory_repository_cache
short_description: Expire or delete cached content of remote repositories of JFrog Artifactory
version_added: 0.3.0
description:
  - Expires cached metadata, or deletes cached files, of one or more remote repositories.
  - Artifactory keeps a negative cache. By default, it does not request a file again for 30 minutes after the upstream did not return
    it. After wrong credentials or settings are fixed, pulls can therefore continue to fail. Expiring the cache also clears the negative
    cache.
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
    details: O(state=expired) is an action and reports a change each time.
options:
  key:
    description:
      - Key of the remote repository, without C(-cache).
      - One of O(key) and O(repositories) is required.
    type: str
  state:
    description:
      - V(expired) makes Artifactory check cached content that can change, such as tags, against the upstream on the next request, and
        clears the negative cache. Content that never changes stays cached. If the upstream does not respond, Artifactory serves the
        cached copy. This is what Artifactory calls zapping. It requires Artifactory 7.49.3 or later.
      - V(absent) deletes the paths from the cache.
      - Required with O(key).
    type: str
    choices: [expired, absent]
  paths:
    description:
      - Files and folders in the cache, such as V(example.com/nginx/latest). A folder includes everything below it.
      - With O(state=expired), the default is the entire cache. With O(state=absent), either this option or O(entire_cache) is required.
    type: list
    elements: str
  entire_cache:
    description:
      - With O(state=absent), delete all content of the cache. Artifactory must then download all of it from the upstream again.
      - Use this after wrong settings made Artifactory cache HTML pages instead of files.
    type: bool
    default: false
  repositories:
    description:
      - List of remote repositories whose caches are expired or deleted in one task. Each item has the options of the single form.
      - Cannot be combined with options of the single form.
      - Four repositories are processed at a time.
      - A failed item does not stop the others; the module fails at the end. If an option of an item is invalid, the module fails
        before it sends a request.
    type: list
    elements: dict
    suboptions:
      key:
        description: See O(key).
        type: str
        required: true
      state:
        description: See O(state).
        type: str
        choices: [expired, absent]
        required: true
      paths:
        description: See O(paths).
        type: list
        elements: str
      entire_cache:
        description: See O(entire_cache).
        type: bool
        default: false
notes:
  - V(expired) requires the Manage or Delete permission on the repository, and V(absent) requires Delete.
seealso:
  - module: cgr.pull_through.artifactory_remote_repository
  - module: cgr.pull_through.artifactory_repository_cache_info
"""

EXAMPLES = r"""
- name: Expire the cache after an expired pull token was replaced
  cgr.pull_through.artifactory_repository_cache:
    artifactory_url: https://artifactory.example.com
    artifactory_access_token: "{{ artifactory_access_token }}"
    key: cgr-private
    state: expired

- name: Delete a damaged image from the cache
  cgr.pull_through.artifactory_repository_cache:
    key: cgr-private
    paths: [example.com/nginx]
    state: absent

- name: Expire one cache and delete the content of another one
  cgr.pull_through.artifactory_repository_cache:
    repositories:
      - key: cgr-private
        state: expired
      - key: cgr-java
        entire_cache: true
        state: absent
"""

RETURN = r"""
key:
  description: Key of the repository.
  returned: with O(key)
  type: str
  sample: cgr-private
paths:
  description:
    - Paths that were expired or deleted. In check mode, paths that would be expired or deleted.
    - An empty path stands for the entire cache.
  returned: success, with O(key)
  type: list
  elements: str
  sample: [example.com/nginx]
repositories:
  description:
    - One result per item of O(repositories), in the same order. Also returned when the module fails because of an item.
    - Each result has C(key), C(changed) and C(failed). A successful result also has C(paths) and C(diff), a failed one C(msg) and
      C(error).
  returned: with O(repositories)
  type: list
  elements: dict
  sample:
    - key: cgr-private
      failed: false
      changed: true
      paths: [""]
error:
  description: Details of the failure. The keys C(method), C(url), C(status) and C(response_message) are present when a request failed.
  returned: failure
  type: dict
  sample:
    message: "POST https://artifactory.example.com/artifactory/api/zap/cgr-private-cache/: status 403: Forbidden."
    hint: The user lacks the permission.
    status: 403
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cgr.pull_through.plugins.module_utils._argspec import (
    ARTIFACTORY_SPEC,
    HTTP_SPEC,
    bulk_argument_spec,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._cache import CacheApi
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repository_spec import (
    MAX_REMOTE_KEY_LENGTH,
    validate_key,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError
from ansible_collections.cgr.pull_through.plugins.module_utils._module import (
    PullThroughModule,
    create_artifactory_session,
    exit_bulk,
    process_items,
    read_items,
    require_libraries,
    run,
)

SPEC: dict[str, dict[str, t.Any]] = {
    "key": {"type": "str", "no_log": False},
    "state": {"type": "str", "choices": ["expired", "absent"], "required": True},
    "paths": {"type": "list", "elements": "str"},
    "entire_cache": {"type": "bool", "default": False},
}


def validate_paths(item: dict[str, t.Any]) -> list[str]:
    """Return the paths of an item, or raise InputError."""
    if item["state"] == "expired" and item["entire_cache"]:
        raise InputError(
            "entire_cache is for state=absent.", hint="Without paths, state=expired expires the entire cache."
        )
    if item["state"] == "absent" and item["paths"] is None and not item["entire_cache"]:
        raise InputError("state=absent needs paths, or entire_cache.")
    paths = [path.strip("/") for path in item["paths"] or []]
    if item["state"] == "absent" and not all(paths):
        raise InputError(
            "An empty path would delete the entire cache.", hint="Name what is in it, or set entire_cache."
        )
    return paths


def expire(cache: CacheApi, key: str, paths: list[str], *, check_mode: bool) -> dict[str, t.Any]:
    """Expire the paths, or the entire cache."""
    paths = paths or [""]
    if not check_mode:
        for path in paths:
            cache.expire(key, path)
    return {"changed": True, "paths": paths, "diff": {"before": {}, "after": {}}}


def delete(cache: CacheApi, key: str, paths: list[str], *, check_mode: bool) -> dict[str, t.Any]:
    """Delete the paths that are cached. A path that the user may not read is deleted without a check."""
    cached = [path for path in paths if cache.has(key, path) is not False]
    if not check_mode:
        for path in cached:
            cache.evict(key, path)
    return {"changed": bool(cached), "paths": cached, "diff": {"before": {"paths": cached}, "after": {"paths": []}}}


def execute(module: AnsibleModule) -> dict[str, t.Any]:
    """Validate all items, then expire or delete."""
    items = read_items(module, "repositories", "key")
    paths = {validate_key(item["key"], max_length=MAX_REMOTE_KEY_LENGTH): validate_paths(item) for item in items}
    cache = CacheApi(create_artifactory_session(module))

    def apply(item: dict[str, t.Any]) -> dict[str, t.Any]:
        key = item["key"]
        if item["state"] == "expired":
            return expire(cache, key, paths[key], check_mode=module.check_mode)
        to_delete = cache.list_folder(key) if item["entire_cache"] else paths[key]
        return delete(cache, key, to_delete, check_mode=module.check_mode)

    return exit_bulk(module, "repositories", process_items(items, "key", apply), list(paths))


def main() -> None:
    arguments = bulk_argument_spec(SPEC, "repositories", "key", mutually_exclusive=[("paths", "entire_cache")])
    arguments["argument_spec"].update(**ARTIFACTORY_SPEC, **HTTP_SPEC)
    module = PullThroughModule(**arguments, supports_check_mode=True)
    require_libraries(module)
    run(module, execute)


if __name__ == "__main__":
    main()
