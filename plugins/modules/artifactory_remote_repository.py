#!/usr/bin/python

# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: artifactory_remote_repository
short_description: Manage remote repositories of JFrog Artifactory
version_added: 0.1.0
description:
  - Creates, changes and deletes a remote repository, of any package type.
  - Only the options that are set are compared and sent. Everything else stays as it is in Artifactory.
  - The class and the package type of a repository are for life. When the key is taken by another kind, the module fails, and
    never deletes a repository to create it anew.
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
    details: Shows the settings that differ, and that a password was sent, but never the password.
  idempotent:
    support: partial
    details:
      - Artifactory never gives a password back, so it cannot be compared. It is sent when the user name changes, which for a
        Chainguard pull token is each time, or always with O(update_password=always).
options:
  key:
    description:
      - Key of the repository. At most 58 characters, so that there is room for C(-cache).
      - One of O(key) and O(repositories) is required.
    type: str
  state:
    description:
      - Whether the repository has to be there.
      - V(absent) deletes it with everything in its cache.
    type: str
    choices: [present, absent]
    default: present
  package_type:
    description: Type of the packages, as in Artifactory's API, such as V(docker), V(alpine), V(maven), V(npm), V(pypi) or V(helmoci).
    type: str
    default: docker
  url:
    description:
      - URL of the upstream. Needed to create the repository.
      - For a Docker repository it must not have a path. Artifactory ignores it, and each pull then ends with "manifest unknown".
    type: str
  username:
    description: User name for the upstream. For a Chainguard pull token this is the UID of its identity.
    type: str
  password:
    description:
      - Password for the upstream. It is sent with a creation and with a new O(username).
      - Once set, it stays until it is replaced.
    type: str
  update_password:
    description:
      - When to send O(password) to a repository that exists.
      - V(username_changed) sends it together with a user name that differs from the present one.
      - V(always) sends it each time, and each time reports a change.
    type: str
    choices: [username_changed, always]
    default: username_changed
  description:
    description: Text that Artifactory shows with the repository.
    type: str
  settings:
    description:
      - Any other settings, with the names and values of Artifactory's REST API, for example
        C(enableTokenAuthentication), C(blockMismatchingMimeTypes) or C(retrievalCachePeriodSecs).
      - A nested object is filled up with what the repository has, since Artifactory replaces it whole.
      - After a change the module reads the repository back, and fails when a setting was not stored. Artifactory itself ignores
        settings that it does not know.
    type: dict
    default: {}
  repositories:
    version_added: 0.2.0
    description:
      - Several repositories in one task, each with the options that a single one has.
      - All are read in one request from Artifactory 7.61.3 on. What has to be created is sent in batches from 7.84.3 on, and what has to
        be changed from 7.104.2 on. Older servers get a request for each, four at a time.
      - One that fails does not stop the others. The module fails in the end.
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
        choices: [present, absent]
        default: present
      package_type:
        description: See O(package_type).
        type: str
        default: docker
      url:
        description: See O(url).
        type: str
      username:
        description: See O(username).
        type: str
      password:
        description: See O(password).
        type: str
      update_password:
        description: See O(update_password).
        type: str
        choices: [username_changed, always]
        default: username_changed
      description:
        description: See O(description).
        type: str
      settings:
        description: See O(settings).
        type: dict
        default: {}
seealso:
  - module: cgr.pull_through.chainguard_pull_token
  - module: cgr.pull_through.artifactory_repository_info
  - name: Repository configuration in JSON
    description: The names of the settings.
    link: https://jfrog.com/help/r/jfrog-rest-apis/repository-configuration-json
"""

EXAMPLES = r"""
- name: Public Chainguard images
  cgr.pull_through.artifactory_remote_repository:
    artifactory_url: https://artifactory.example.com
    artifactory_access_token: "{{ artifactory_access_token }}"
    key: cgr-public
    url: https://cgr.dev/
    settings:
      includesPattern: "**/*"
      enableTokenAuthentication: true
      blockMismatchingMimeTypes: true

- name: Images of the organization, with a pull token
  cgr.pull_through.artifactory_remote_repository:
    key: cgr-private
    url: https://cgr.dev/
    username: "{{ pull_token.username }}"
    password: "{{ pull_token.password | default(omit) }}"
    settings:
      includesPattern: "**/*"
      enableTokenAuthentication: true
      blockMismatchingMimeTypes: true

- name: Several repositories in one task
  cgr.pull_through.artifactory_remote_repository:
    repositories:
      - key: cgr-public
        url: https://cgr.dev/
      - key: cgr-python
        package_type: pypi
        url: https://libraries.cgr.dev/
        settings:
          pyPIRepositorySuffix: python/simple

- name: A repository that is no longer needed
  cgr.pull_through.artifactory_remote_repository:
    key: old-mirror
    state: absent
"""

RETURN = r"""
repository:
  description: The settings that the module was asked for, as they are now, without the password. Empty when there is no repository.
  returned: success, with O(key)
  type: dict
  sample:
    key: cgr-private
    rclass: remote
    packageType: docker
    url: https://cgr.dev/
    username: 45a0c61ea6fd977f050c5fb9ac06a69eed764595/0011223344556677
repositories:
  version_added: 0.2.0
  description:
    - What came of each of O(repositories), in their order. Also returned when the module fails because of one.
    - Each has C(key), C(changed), C(failed), and C(repository) with C(diff), or C(msg) with C(error).
  returned: with O(repositories)
  type: list
  elements: dict
  sample:
    - key: cgr-public
      failed: false
      changed: false
error:
  description: Details of the failure. The keys C(method), C(url), C(status) and C(response_message) are present when a request failed.
  returned: failure
  type: dict
  sample:
    message: "GET https://artifactory.example.com/artifactory/api/repositories/cgr-public: status 401: Bad Credentials."
    hint: "Artifactory does not know this login: check artifactory_access_token."
    status: 401
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cgr.pull_through.plugins.module_utils._argspec import (
    ARTIFACTORY_SPEC,
    HTTP_SPEC,
    bulk_argument_spec,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._bulk import apply_all, repositories_api
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repositories import (
    REMOTE_KEY_LIMIT,
    RepositoriesApi,
    validate_key,
    validate_upstream_url,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repository_plans import (
    desired_config,
    plan_removal,
    plan_repository,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._module import (
    create_artifactory_session,
    exit_bulk,
    read_items,
    require_libraries,
    run,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._plan import Config, Plan

SPEC: dict[str, dict[str, t.Any]] = {
    "key": {"type": "str", "no_log": False},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "package_type": {"type": "str", "default": "docker"},
    "url": {"type": "str"},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "update_password": {
        "type": "str",
        "choices": ["username_changed", "always"],
        "default": "username_changed",
        "no_log": False,
    },
    "description": {"type": "str"},
    "settings": {"type": "dict", "default": {}},
}


def desired_repository(params: dict[str, t.Any]) -> Config:
    """Return what the user wants, in the names of the REST API, or raise InputError."""
    validate_key(params["key"], limit=REMOTE_KEY_LIMIT)
    url = params["url"] and validate_upstream_url(params["url"], params["package_type"].lower())
    typed = {"url": url, "username": params["username"], "description": params["description"]}
    return desired_config("remote", params, typed)


def make_plan(api: RepositoriesApi, item: dict[str, t.Any], desired: Config) -> tuple[Config, Plan]:
    """Return the configuration after the change, and the plan. Only reads."""
    if item["state"] == "absent":
        return {}, plan_removal(api, desired)
    secret = {"password": item["password"]} if item["password"] else None
    force_secret = item["update_password"] == "always"
    return desired, plan_repository(api, desired, needed="url", secret=secret, force_secret=force_secret)


def execute(module: AnsibleModule) -> dict[str, t.Any]:
    """Validate all items, then plan and, outside of check mode, apply each."""
    items = {item["key"]: item for item in read_items(module, "repositories", "key")}
    desired = {key: desired_repository(item) for key, item in items.items()}
    api = repositories_api(create_artifactory_session(module), bulk=module.params["repositories"] is not None)
    results = apply_all(
        api, list(items), lambda key: make_plan(api, items[key], desired[key]), check_mode=module.check_mode
    )
    return exit_bulk(module, "repositories", results, list(items))


def main() -> None:
    arguments = bulk_argument_spec(SPEC, "repositories", "key", required_by={"password": ["username"]})
    arguments["argument_spec"].update(**ARTIFACTORY_SPEC, **HTTP_SPEC)
    module = AnsibleModule(**arguments, supports_check_mode=True)
    require_libraries(module)
    run(module, execute)


if __name__ == "__main__":
    main()
