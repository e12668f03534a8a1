#!/usr/bin/python

# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: artifactory_virtual_repository
short_description: Manage virtual repositories of JFrog Artifactory
version_added: 0.3.0
description:
  - Creates, changes and deletes virtual repositories of any package type. A virtual repository serves the content of its members under
    one URL.
  - Only options that are set are compared and sent. All other settings stay as they are in Artifactory.
  - The module reads the members before it writes, with one request from Artifactory 7.61.3 on. It fails if a member does not exist or has
    another package type, and warns about unsafe combinations of members.
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
    details: Only warns about a member that does not exist, because an earlier task could create it outside of check mode.
  diff_mode:
    support: full
    details: Shows the settings that differ.
  idempotent:
    support: full
options:
  key:
    description:
      - Key of the repository. At most 64 characters.
      - One of O(key) and O(virtual_repositories) is required.
    type: str
  state:
    description:
      - Desired state of the repository.
      - V(absent) deletes it, but not its members.
    type: str
    choices: [present, absent]
    default: present
  package_type:
    description: Package type in the spelling of Artifactory's API, such as V(docker), V(alpine), V(maven), V(npm) or V(pypi).
    type: str
    default: docker
  repositories:
    description:
      - Keys of the members, in the order in which Artifactory searches them. Required to create the repository.
      - The order is compared too. O(members_mode) defines what happens to members that are not listed.
      - Artifactory searches local repositories before remote ones, whatever their position, and members with C(priorityResolution)
        before those without it.
      - As soon as a member with C(priorityResolution) has a package, Artifactory hides the versions that only other members have.
      - The module warns about a remote repository of C(libraries.cgr.dev) next to a remote repository of another host. If the former
        cannot serve a package, Artifactory silently serves it from the other host instead of Chainguard.
      - The module also warns about a Docker remote repository with C(dockerProjectId) that is not the only member. The names of its
        images lack a part, and can be the same as names of other images.
    type: list
    elements: str
  members_mode:
    description:
      - What happens to members that are not in O(repositories).
      - V(exact) removes them.
      - V(included) keeps them in their positions. Members of O(repositories) are added, and put in the given order relative to each
        other. A new member is placed after the one before it in O(repositories). If none of them is a member yet, they are added at the end.
    type: str
    choices: [exact, included]
    default: exact
  default_deployment_repository:
    description:
      - Key of the local repository that stores content deployed to the virtual repository.
      - It can be replaced but not removed.
    type: str
  description:
    description: Description of the repository in Artifactory.
    type: str
  settings:
    description:
      - Other settings, with the names and values of Artifactory's REST API, for example C(includesPattern),
        C(virtualRetrievalCachePeriodSecs) or C(resolveDockerTagsByTimestamp).
      - The text of a boolean or number is equal to the boolean or number.
      - After a change, the module reads the repository back and fails if a setting was not stored. Artifactory itself silently ignores
        settings that it does not have.
    type: dict
    default: {}
  virtual_repositories:
    description:
      - List of repositories to manage in one task, in the order of the list. Each item has the options of the single form. A repository
        can be a member of a later one.
      - Cannot be combined with options of the single form.
      - From Artifactory 7.61.3 on, one request reads all repositories.
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
      repositories:
        description: See O(repositories).
        type: list
        elements: str
      members_mode:
        description: See O(members_mode).
        type: str
        choices: [exact, included]
        default: exact
      default_deployment_repository:
        description: See O(default_deployment_repository).
        type: str
      description:
        description: See O(description).
        type: str
      settings:
        description: See O(settings).
        type: dict
        default: {}
notes:
  - A virtual repository has no permissions. Grant users the permission to pull on each of its members.
seealso:
  - module: cgr.pull_through.artifactory_remote_repository
  - module: cgr.pull_through.artifactory_permission
  - name: Repository configuration in JSON
    description: The names of the settings.
    link: https://jfrog.com/help/r/jfrog-rest-apis/repository-configuration-json
"""

EXAMPLES = r"""
- name: Ensure one repository for all Chainguard images
  cgr.pull_through.artifactory_virtual_repository:
    artifactory_url: https://artifactory.example.com
    artifactory_access_token: "{{ artifactory_access_token }}"
    key: cgr
    repositories: [cgr-private, cgr-public]

- name: Ensure a repository for Java libraries, remediated ones first
  cgr.pull_through.artifactory_virtual_repository:
    key: cgr-java-all
    package_type: maven
    repositories: [cgr-java-remediated, cgr-java]
    description: Java libraries that Chainguard built from source
    settings:
      pomRepositoryReferencesCleanupPolicy: discard_any_reference

- name: Ensure that a repository of another team contains the Chainguard images, and keep its other members
  cgr.pull_through.artifactory_virtual_repository:
    key: images
    repositories: [cgr-private, cgr-public]
    members_mode: included

- name: Ensure two repositories
  cgr.pull_through.artifactory_virtual_repository:
    virtual_repositories:
      - key: cgr-python-all
        package_type: pypi
        repositories: [cgr-python-remediated, cgr-python]
      - key: cgr-javascript-all
        package_type: npm
        repositories: [cgr-javascript]

- name: Delete a repository
  cgr.pull_through.artifactory_virtual_repository:
    key: old-virtual
    state: absent
"""

RETURN = r"""
key:
  description: Key of the repository.
  returned: with O(key)
  type: str
  sample: cgr
repository:
  description: The settings that the options define, as stored in Artifactory after the task. Empty with O(state=absent).
  returned: success, with O(key)
  type: dict
  sample:
    key: cgr
    rclass: virtual
    packageType: docker
    repositories: [cgr-private, cgr-public]
virtual_repositories:
  description:
    - One result per item of O(virtual_repositories), in the same order. Also returned when the module fails because of an item.
    - Each result has C(key), C(changed) and C(failed). A successful result also has C(repository) and C(diff), a failed one C(msg)
      and C(error).
  returned: with O(virtual_repositories)
  type: list
  elements: dict
  sample:
    - key: cgr
      failed: false
      changed: false
error:
  description: Details of the failure. The keys C(method), C(url), C(status) and C(response_message) are present when a request failed.
  returned: failure
  type: dict
  sample:
    message: There is no repository cgr-privat, which is a member of cgr.
    hint: Create it first, or check the spelling.
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
    MAX_KEY_LENGTH,
    validate_key,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._snapshot import RepositorySnapshot
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._virtual_members import (
    add_members,
    member_warnings,
    validate_member_kinds,
    validate_members,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError
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
    "repositories": {"type": "list", "elements": "str"},
    "members_mode": {"type": "str", "choices": ["exact", "included"], "default": "exact"},
    "default_deployment_repository": {"type": "str"},
    "description": {"type": "str"},
    "settings": {"type": "dict", "default": {}},
}


def desired_repository(params: dict[str, t.Any]) -> Config:
    """Return the desired configuration, with the setting names of the REST API, or raise InputError."""
    validate_key(params["key"], max_length=MAX_KEY_LENGTH)
    members = params["repositories"]
    typed = {
        "repositories": None if members is None else validate_members(params["key"], members),
        "defaultDeploymentRepo": params["default_deployment_repository"],
        "description": params["description"],
    }
    return desired_config("virtual", params, typed)


def make_plan(
    module: AnsibleModule,
    snapshot: RepositorySnapshot,
    item: dict[str, t.Any],
    desired: Config,
    created: t.Collection[str],
) -> tuple[Config, Plan]:
    """Return the configuration after the change, and the plan. Sends no writes. created: earlier repositories of the list."""
    current = snapshot.get(item["key"])
    if item["state"] == "absent":
        return {}, plan_removal(current, desired)
    before = (current or {}).get("repositories") or []
    if desired.get("repositories") and item["members_mode"] == "included":
        desired = {**desired, "repositories": add_members(before, desired["repositories"])}
    plan = plan_repository(snapshot, current, desired, needed="repositories")
    if desired.get("repositories"):
        check_members(module, snapshot, desired, {*created, *before})
    return desired, plan


def check_members(
    module: AnsibleModule, snapshot: RepositorySnapshot, desired: Config, existing: t.Collection[str]
) -> None:
    """Warn about unsafe combinations of members. Raises InputError for a member that is missing or has another type.

    existing: keys of repositories that exist, or will, even if the user may not read them.
    """
    members = snapshot.resolve_members(desired["repositories"])
    validate_member_kinds(desired, members)
    for text in member_warnings(members):
        module.warn(text)
    missing = [key for key in desired["repositories"] if key not in members and key not in existing]
    if not missing:
        return
    text = f"There is no repository {', '.join(missing)}, which is a member of {desired['key']}."
    if not module.check_mode:
        raise InputError(text, hint="Create it first, or check the spelling.")
    module.warn(f"{text} Outside of check mode, the module fails unless an earlier task creates it.")


def execute(module: AnsibleModule) -> dict[str, t.Any]:
    """Validate all items, then plan and, outside of check mode, apply each, in order, since one can be a member of the next."""
    items = {item["key"]: item for item in read_items(module, "virtual_repositories", "key")}
    desired = {key: desired_repository(item) for key, item in items.items()}
    api = RepositoriesApi(create_artifactory_session(module))
    snapshot = RepositorySnapshot(api, bulk=module.params["virtual_repositories"] is not None)
    created: list[str] = []

    def plan(key: str) -> tuple[Config, Plan]:
        planned = make_plan(module, snapshot, items[key], desired[key], created)
        if items[key]["state"] == "present":
            created.append(key)
        return planned

    results = apply_all(snapshot, list(items), plan, check_mode=module.check_mode, in_order=True)
    return exit_bulk(module, "virtual_repositories", results, list(items))


def main() -> None:
    arguments = bulk_argument_spec(SPEC, "virtual_repositories", "key")
    arguments["argument_spec"].update(**ARTIFACTORY_SPEC, **HTTP_SPEC)
    module = PullThroughModule(**arguments, supports_check_mode=True)
    require_libraries(module)
    run(module, execute)


if __name__ == "__main__":
    main()
