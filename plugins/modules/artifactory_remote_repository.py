#!/usr/bin/python

# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: artifactory_remote_repository
short_description: Manage remote repositories of JFrog Artifactory
version_added: 0.3.0
description:
  - Creates, changes and deletes remote repositories of any package type.
  - Only options that are set are compared and sent. All other settings stay as they are in Artifactory.
  - The class and the package type of a repository cannot be changed after creation. If a repository with the key but another class or
    package type exists, the module fails. It does not recreate repositories.
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
      - Artifactory does not return passwords, so the module cannot compare them. It sends the password when the user name changes, which
        each new Chainguard pull token does, or always with O(update_password=always).
options:
  key:
    description:
      - Key of the repository. At most 58 characters, so that the suffix C(-cache) fits.
      - One of O(key) and O(repositories) is required.
    type: str
  state:
    description:
      - Desired state of the repository.
      - V(absent) deletes it, with all cached content.
    type: str
    choices: [present, absent]
    default: present
  package_type:
    description: Package type in the spelling of Artifactory's API, such as V(docker), V(alpine), V(maven), V(npm), V(pypi) or V(helmoci).
    type: str
    default: docker
  url:
    description:
      - URL of the upstream. Required to create the repository.
      - For a Docker repository, the URL must not have a path. Artifactory ignores the path, and each pull fails with "manifest unknown".
    type: str
  username:
    description: User name for the upstream. For a Chainguard pull token, this is the UID of its identity.
    type: str
  password:
    description:
      - Password for the upstream. It is sent when the repository is created and when O(username) changes.
      - It can be replaced but not removed.
    type: str
  update_password:
    description:
      - When to send O(password) to an existing repository.
      - V(username_changed) sends it together with a user name that differs from the current one.
      - V(always) sends it, and reports a change, each time.
    type: str
    choices: [username_changed, always]
    default: username_changed
  description:
    description: Description of the repository in Artifactory.
    type: str
  settings:
    description:
      - Other settings, with the names and values of Artifactory's REST API, for example C(enableTokenAuthentication),
        C(blockMismatchingMimeTypes) or C(retrievalCachePeriodSecs).
      - Nested objects are merged into the current ones.
      - The text of a boolean or number is equal to the boolean or number.
      - Values that Artifactory does not return as they were sent are sent only with a new repository, or with other differences of the same
        setting. Examples are the values of sensitive C(customHttpHeaders), and C(v3FeedUrl) in some versions.
      - The module warns if C(v3FeedUrl) of a NuGet repository leads elsewhere than O(url). Artifactory would get packages from there. The
        default of C(v3FeedUrl) is the feed of C(nuget.org).
      - The module warns if C(retrievalCachePeriodSecs) is from 1 to 29. The minimum of Artifactory in the cloud is 30 seconds.
      - After a change, the module reads the repository back and fails if a setting was not stored. Artifactory itself silently ignores
        settings that it does not have.
    type: dict
    default: {}
  repositories:
    description:
      - List of repositories to manage in one task. Each item has the options of the single form.
      - Cannot be combined with options of the single form.
      - From Artifactory 7.61.3 on, one request reads all repositories. Creations are sent in batch requests from 7.84.3 on, and changes
        from 7.104.2 on. Earlier versions get one request per repository, four at a time.
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
- name: Ensure a repository for public Chainguard images
  cgr.pull_through.artifactory_remote_repository:
    artifactory_url: https://artifactory.example.com
    artifactory_access_token: "{{ artifactory_access_token }}"
    key: cgr-public
    url: https://cgr.dev/
    settings:
      includesPattern: "**/*"
      enableTokenAuthentication: true
      blockMismatchingMimeTypes: true

- name: Ensure a repository for images of the organization, with a pull token
  cgr.pull_through.artifactory_remote_repository:
    key: cgr-private
    url: https://cgr.dev/
    username: "{{ pull_token.username }}"
    password: "{{ pull_token.password | default(omit) }}"
    settings:
      includesPattern: "**/*"
      enableTokenAuthentication: true
      blockMismatchingMimeTypes: true

- name: Ensure two repositories
  cgr.pull_through.artifactory_remote_repository:
    repositories:
      - key: cgr-public
        url: https://cgr.dev/
      - key: cgr-python
        package_type: pypi
        url: https://libraries.cgr.dev/
        settings:
          pyPIRepositorySuffix: python/simple

- name: Delete a repository
  cgr.pull_through.artifactory_remote_repository:
    key: old-mirror
    state: absent
"""

RETURN = r"""
key:
  description: Key of the repository.
  returned: with O(key)
  type: str
  sample: cgr-private
repository:
  description: The settings that the options define, as stored in Artifactory after the task, without the password. Empty with O(state=absent).
  returned: success, with O(key)
  type: dict
  sample:
    key: cgr-private
    rclass: remote
    packageType: docker
    url: https://cgr.dev/
    username: 45a0c61ea6fd977f050c5fb9ac06a69eed764595/0011223344556677
repositories:
  description:
    - One result per item of O(repositories), in the same order. Also returned when the module fails because of an item.
    - Each result has C(key), C(changed) and C(failed). A successful result also has C(repository) and C(diff), a failed one C(msg)
      and C(error).
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
    hint: "Artifactory rejected artifactory_username and artifactory_password (401): the password is wrong, or the user is locked."
    status: 401
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cgr.pull_through.plugins.module_utils._argspec import (
    ARTIFACTORY_SPEC,
    HTTP_SPEC,
    bulk_argument_spec,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._bulk import apply_all
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repositories import (
    RepositoriesApi,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repository_plans import (
    desired_config,
    plan_removal,
    plan_repository,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repository_spec import (
    MAX_REMOTE_KEY_LENGTH,
    validate_key,
    validate_upstream_url,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._snapshot import RepositorySnapshot
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._stored_values import (
    cache_period_warning,
    nuget_warning,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._module import (
    PullThroughModule,
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
    """Return the desired configuration, with the setting names of the REST API, or raise InputError."""
    validate_key(params["key"], max_length=MAX_REMOTE_KEY_LENGTH)
    url = params["url"] and validate_upstream_url(params["url"], params["package_type"].lower())
    typed = {"url": url, "username": params["username"], "description": params["description"]}
    return desired_config("remote", params, typed)


def make_plan(
    module: AnsibleModule, snapshot: RepositorySnapshot, item: dict[str, t.Any], desired: Config
) -> tuple[Config, Plan]:
    """Return the configuration after the change, and the plan. Sends no writes."""
    current = snapshot.get(item["key"])
    if item["state"] == "absent":
        return {}, plan_removal(current, desired)
    secret = {"password": item["password"]} if item["password"] else None
    force_secret = item["update_password"] == "always"
    plan = plan_repository(snapshot, current, desired, needed="url", secret=secret, force_secret=force_secret)
    for warning in filter(None, (nuget_warning(current, desired), cache_period_warning(desired))):
        module.warn(warning)
    return desired, plan


def execute(module: AnsibleModule) -> dict[str, t.Any]:
    """Validate all items, then plan and, outside of check mode, apply each."""
    items = {item["key"]: item for item in read_items(module, "repositories", "key")}
    desired = {key: desired_repository(item) for key, item in items.items()}
    api = RepositoriesApi(create_artifactory_session(module))
    snapshot = RepositorySnapshot(api, bulk=module.params["repositories"] is not None)

    def plan(key: str) -> tuple[Config, Plan]:
        return make_plan(module, snapshot, items[key], desired[key])

    results = apply_all(snapshot, list(items), plan, check_mode=module.check_mode)
    return exit_bulk(module, "repositories", results, list(items))


def main() -> None:
    arguments = bulk_argument_spec(SPEC, "repositories", "key", required_by={"password": ["username"]})
    arguments["argument_spec"].update(**ARTIFACTORY_SPEC, **HTTP_SPEC)
    module = PullThroughModule(**arguments, supports_check_mode=True)
    require_libraries(module)
    run(module, execute)


if __name__ == "__main__":
    main()
