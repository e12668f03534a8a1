#!/usr/bin/python

# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: artifactory_permission
short_description: Manage who may pull from repositories of JFrog Artifactory
version_added: 0.2.0
description:
  - Creates, changes and deletes a permission, which says what users and groups may do with repositories.
  - Only the options that are set are compared and sent. Everything else stays as it is in Artifactory.
  - To pull through a remote repository takes the actions V(read) and V(write). With V(read) alone, only what is in the cache already can be
    pulled, and anything else ends with an error that does not say so. Where a tag moves to another image, V(delete) is
    needed to replace the old one in the cache.
  - A permission can also be about builds, release bundles and other things. The module leaves that part alone.
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
    details: Shows the options that differ. Patterns that are not the same for all repositories are shown for each.
  idempotent:
    support: full
options:
  name:
    description: Name of the permission. At most 64 characters. Needed without O(permissions).
    type: str
  state:
    description:
      - Whether there has to be a permission of that name for repositories.
      - V(absent) deletes it. When it is also about other things than repositories, only the part about repositories is deleted.
    type: str
    choices: [present, absent]
    default: present
  repositories:
    description:
      - Keys of the repositories, without C(-cache) for remote ones. Needed to create the permission.
      - V(ANY), V(ANY LOCAL) and V(ANY REMOTE) stand for all repositories, all local and all remote ones.
      - A virtual repository has no permissions of its own. Name its members.
      - Repositories that are not named are taken out.
    type: list
    elements: str
  include_patterns:
    description:
      - Ant patterns of the paths that the permission is about, such as V(example.com/**).
      - A new permission is about V(**), which is everything. A new repository in a permission gets the patterns of those that are in it
        already, if they all have the same.
    type: list
    elements: str
  exclude_patterns:
    description: Ant patterns of the paths that it is not about. An empty list takes them away.
    type: list
    elements: str
  users:
    description:
      - What which users may do. Users that are not named lose this permission. An empty list takes it from all users.
      - The user who is not logged in is called V(anonymous).
    type: list
    elements: dict
    suboptions: &grantee
      name:
        description: The name, as Artifactory shows it.
        type: str
        required: true
      actions:
        description:
          - V(read) is to pull what is in the repository or in its cache.
          - V(annotate) is to set properties.
          - V(write) is to deploy, and for a remote repository to fill its cache by pulling.
          - V(delete) is to delete and overwrite.
          - V(manage) is to give permissions on the repositories to others.
        type: list
        elements: str
        choices: [read, annotate, write, delete, manage]
        required: true
  groups:
    description: What which groups may do. Groups that are not named lose this permission. An empty list takes it from all groups.
    type: list
    elements: dict
    suboptions: *grantee
  permissions:
    version_added: 0.2.0
    description:
      - Several permissions in one task, each with the options that a single one has. Four are worked on at the same time.
      - One that fails does not stop the others. The module fails in the end.
    type: list
    elements: dict
    suboptions:
      name:
        description: See O(name).
        type: str
        required: true
      state:
        description: See O(state).
        type: str
        choices: [present, absent]
        default: present
      repositories:
        description: See O(repositories).
        type: list
        elements: str
      include_patterns:
        description: See O(include_patterns).
        type: list
        elements: str
      exclude_patterns:
        description: See O(exclude_patterns).
        type: list
        elements: str
      users:
        description: See O(users).
        type: list
        elements: dict
        suboptions: *grantee
      groups:
        description: See O(groups).
        type: list
        elements: dict
        suboptions: *grantee
notes:
  - From Artifactory 7.72.0 on, permissions are managed over the Access API, which takes an administrator's access token. Before, user name and
    password will do. The module asks the server for its version.
seealso:
  - module: cgr.pull_through.artifactory_virtual_repository
  - module: cgr.pull_through.registry_pull
"""

EXAMPLES = r"""
- name: Builds may pull Chainguard images
  cgr.pull_through.artifactory_permission:
    artifactory_url: https://artifactory.example.com
    artifactory_access_token: "{{ artifactory_access_token }}"
    name: pull-chainguard
    repositories: [cgr-public, cgr-private]
    groups:
      - name: builds
        actions: [read, write, delete]

- name: Some images of the organization, for one user more
  cgr.pull_through.artifactory_permission:
    name: pull-base-images
    repositories: [cgr-private]
    include_patterns:
      - example.com/python/**
      - example.com/nginx/**
    users:
      - name: ci
        actions: [read, write]
    groups:
      - name: developers
        actions: [read, write]
      - name: platform
        actions: [read, write, delete, manage]

- name: Several permissions in one task
  cgr.pull_through.artifactory_permission:
    permissions:
      - name: pull-images
        repositories: [cgr-public, cgr-private]
        groups:
          - name: builds
            actions: [read, write]
      - name: pull-libraries
        repositories: [cgr-python, cgr-java]
        groups:
          - name: developers
            actions: [read, write]

- name: A permission that is no longer needed
  cgr.pull_through.artifactory_permission:
    name: old-permission
    state: absent
"""

RETURN = r"""
permission:
  description: The permission as the module was asked for it, as it is now. Empty when there is none.
  returned: success, with O(name)
  type: dict
  sample:
    name: pull-chainguard
    repositories: [cgr-private, cgr-public]
    groups:
      builds: [delete, read, write]
permissions:
  version_added: 0.2.0
  description:
    - What came of each of O(permissions), in their order. Also returned when the module fails because of one.
    - Each has C(name), C(changed), C(failed), and C(permission) with C(diff), or C(msg) with C(error).
  returned: with O(permissions)
  type: list
  elements: dict
  sample:
    - name: pull-images
      failed: false
      changed: false
error:
  description: Details of the failure. The keys C(method), C(url), C(status) and C(response_message) are present when a request failed.
  returned: failure
  type: dict
  sample:
    message: "POST https://artifactory.example.com/access/api/v2/permissions: status 403: Forbidden."
    hint: "This login may not do that: it takes the token of an administrator, or for repositories that of the project's administrator."
    status: 403
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cgr.pull_through.plugins.module_utils._argspec import (
    ARTIFACTORY_SPEC,
    HTTP_SPEC,
    bulk_argument_spec,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._permission_spec import (
    ACTIONS,
    desired_permission,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._permissions import (
    Permission,
    PermissionsApi,
    permissions_api,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import (
    InputError,
    PullThroughError,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._module import (
    create_artifactory_session,
    exit_bulk,
    process_items,
    read_items,
    require_libraries,
    run,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._plan import (
    Config,
    Plan,
    plan_absent,
    plan_present,
    settings_not_applied,
)

GRANTEES: dict[str, t.Any] = {
    "type": "list",
    "elements": "dict",
    "options": {
        "name": {"type": "str", "required": True},
        "actions": {"type": "list", "elements": "str", "choices": list(ACTIONS), "required": True},
    },
}

SPEC: dict[str, dict[str, t.Any]] = {
    "name": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "repositories": {"type": "list", "elements": "str"},
    "include_patterns": {"type": "list", "elements": "str"},
    "exclude_patterns": {"type": "list", "elements": "str"},
    "users": GRANTEES,
    "groups": GRANTEES,
}


def make_plan(state: str, current: Permission | None, desired: Config) -> Plan:
    """Compare the current permission with the desired one."""
    grant = current.grant if current else None
    if state == "absent":
        return plan_absent(grant, ("name", "repositories", "users", "groups"))
    if grant is None and "repositories" not in desired:
        raise InputError(
            f"There is no permission {desired['name']!r} on repositories, and creating one needs repositories."
        )
    return plan_present(grant, desired)


def apply_plan(api: PermissionsApi, plan: Plan, desired: Config, current: Permission | None) -> None:
    """Send a plan, then read the permission back: a server may ignore names that it does not know."""
    if current is not None and plan.action == "delete":
        api.delete(desired["name"], current)
        return
    api.write(desired, current)
    stored = api.get(desired["name"])
    lost = settings_not_applied(desired, (stored and stored.grant) or {})
    if lost:
        raise PullThroughError(
            f"Artifactory accepted the permission {desired['name']!r} but did not store {', '.join(lost)} as sent.",
            hint="Check that the repositories, users and groups exist, and that their names are spelled as Artifactory shows them.",
        )


def converge(api: PermissionsApi, state: str, desired: Config, *, check_mode: bool) -> dict[str, t.Any]:
    """Plan one permission and, outside of check mode, apply the plan."""
    current = api.get(desired["name"])
    plan = make_plan(state, current, desired)
    if plan.changed and not check_mode:
        apply_plan(api, plan, desired, current)
    return {"changed": plan.changed, "permission": {} if state == "absent" else desired, "diff": plan.diff()}


def execute(module: AnsibleModule) -> dict[str, t.Any]:
    """Validate all items, then plan and, outside of check mode, apply each."""
    items = read_items(module, "permissions", "name")
    desired = {item["name"]: desired_permission(item) for item in items}
    api = permissions_api(create_artifactory_session(module))

    def apply(item: dict[str, t.Any]) -> dict[str, t.Any]:
        return converge(api, item["state"], desired[item["name"]], check_mode=module.check_mode)

    return exit_bulk(module, "permissions", process_items(items, "name", apply), list(desired))


def main() -> None:
    arguments = bulk_argument_spec(SPEC, "permissions", "name")
    arguments["argument_spec"].update(**ARTIFACTORY_SPEC, **HTTP_SPEC)
    module = AnsibleModule(**arguments, supports_check_mode=True)
    require_libraries(module)
    run(module, execute)


if __name__ == "__main__":
    main()
