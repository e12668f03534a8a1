#!/usr/bin/python

# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: artifactory_permission
short_description: Manage permissions on repositories of JFrog Artifactory
version_added: 0.3.0
description:
  - Creates, changes and deletes permissions, which grant users and groups actions on repositories.
  - Only options that are set are compared and sent. All other settings stay as they are in Artifactory.
  - A user needs the actions V(read) and V(write) to pull through a remote repository. With V(read) alone, only cached content can be pulled,
    and the error for other content does not mention the permission. If a tag moves to another image, V(delete) is also needed, to
    replace the cached image.
  - If a user or group that is added to a permission does not exist, the module fails before Artifactory 7.72.0, and otherwise warns. It
    checks that only if the credentials may read users and groups.
  - A permission can also concern builds, release bundles and other resources. The module does not change that part.
author: cgr.pull_through contributors (@cgr)
extends_documentation_fragment:
  - cgr.pull_through._artifactory
  - cgr.pull_through._http
  - cgr.pull_through._attributes
  - cgr.pull_through._attributes.artifactory
attributes:
  check_mode:
    support: full
    details: Only warns about a user or group that does not exist, because an earlier task could create it outside of check mode.
  diff_mode:
    support: full
    details: Shows the options that differ. Patterns that are not the same for all repositories are shown by repository.
  idempotent:
    support: full
options:
  name:
    description:
      - Name of the permission. At most 64 characters.
      - One of O(name), O(permissions) and O(removed_repositories) is required.
    type: str
  state:
    description:
      - Desired state of the permission.
      - V(absent) deletes it. If the permission also concerns other resources than repositories, only the part that concerns
        repositories is deleted.
    type: str
    choices: [present, absent]
    default: present
  repositories:
    description:
      - Keys of the repositories, without C(-cache) for remote repositories. Required to create the permission.
      - V(ANY), V(ANY LOCAL) and V(ANY REMOTE) stand for all repositories, all local and all remote repositories.
      - A virtual repository has no permissions. List its members instead.
      - O(repositories_mode) defines what happens to repositories that are not listed.
    type: list
    elements: str
  repositories_mode:
    description:
      - What happens to repositories of the permission that are not in O(repositories).
      - V(exact) removes them from the permission.
      - V(included) keeps them, so that the module only adds repositories.
    type: str
    choices: [exact, included]
    default: exact
  include_patterns:
    description:
      - Ant patterns of the paths that the permission includes, such as V(example.com/**).
      - The default of a new permission is V(**), which is every path. A repository that is added to a permission gets the patterns
        that all its other repositories share, or the default if they differ.
    type: list
    elements: str
  exclude_patterns:
    description: Ant patterns of the paths that the permission excludes. An empty list removes all patterns.
    type: list
    elements: str
  users:
    description:
      - Actions granted to users. Users that are not listed lose this permission. An empty list removes all users.
      - If the option is not set, the users stay as they are.
      - V(anonymous) is the user of requests without credentials.
    type: list
    elements: dict
    suboptions: &grantee
      name:
        description: Name as shown in Artifactory.
        type: str
        required: true
      actions:
        description:
          - V(read) allows pulling content that is in the repository or its cache.
          - V(annotate) allows setting properties.
          - V(write) allows deploying content. For a remote repository, it allows filling the cache by pulling.
          - V(delete) allows deleting and overwriting content.
          - V(manage) allows changing the permissions of other users on the repositories.
        type: list
        elements: str
        choices: [read, annotate, write, delete, manage]
        required: true
  groups:
    description:
      - Actions granted to groups. Groups that are not listed lose this permission. An empty list removes all groups.
      - If the option is not set, the groups stay as they are.
    type: list
    elements: dict
    suboptions: *grantee
  permissions:
    description:
      - List of permissions to manage in one task. Each item has the options of the single form.
      - Cannot be combined with options of the single form.
      - Four permissions are processed at a time.
      - A failed item does not stop the others; the module fails at the end. If an option of an item is invalid, the module fails
        before it sends a request.
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
      repositories_mode:
        description: See O(repositories_mode).
        type: str
        choices: [exact, included]
        default: exact
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
  removed_repositories:
    description:
      - Keys of repositories to remove from all permissions, such as before they are deleted. A permission whose last repository is
        removed is deleted, as with O(state=absent).
      - Reads each permission of the server. Cannot be combined with O(name) and O(permissions).
    type: list
    elements: str
notes:
  - For Artifactory 7.72.0 and later, the module uses the Access API, for which JFrog requires the access token of an administrator. For
    earlier versions, and if that API rejects a login such as user name and password, it uses the classic API. The module reads the
    version from the server.
seealso:
  - module: cgr.pull_through.artifactory_virtual_repository
  - module: cgr.pull_through.registry_pull
"""

EXAMPLES = r"""
- name: Allow builds to pull Chainguard images
  cgr.pull_through.artifactory_permission:
    artifactory_url: https://artifactory.example.com
    artifactory_access_token: "{{ artifactory_access_token }}"
    name: pull-chainguard
    repositories: [cgr-public, cgr-private]
    groups:
      - name: builds
        actions: [read, write, delete]

- name: Allow a user and two groups to pull some images of the organization
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

- name: Ensure two permissions
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

- name: Add a repository to a permission, and keep its other repositories, users and groups
  cgr.pull_through.artifactory_permission:
    name: pull-libraries
    repositories: [cgr-javascript]
    repositories_mode: included

- name: Delete a permission
  cgr.pull_through.artifactory_permission:
    name: old-permission
    state: absent

- name: Remove a repository from all permissions
  cgr.pull_through.artifactory_permission:
    removed_repositories: [cgr-python]
"""

RETURN = r"""
name:
  description: Name of the permission.
  returned: with O(name)
  type: str
  sample: pull-chainguard
permission:
  description: The settings that the options define, as stored in Artifactory after the task. Empty with O(state=absent).
  returned: success, with O(name)
  type: dict
  sample:
    name: pull-chainguard
    repositories: [cgr-private, cgr-public]
    groups:
      builds: [delete, read, write]
rejected_grantees:
  description:
    - In check mode, the users and groups that do not exist, if Artifactory cannot store the permission with them. The task then fails
      outside of check mode.
  returned: success, with O(name)
  type: list
  elements: str
  sample: [user jenkins]
permissions:
  description:
    - One result per item of O(permissions), in the same order. Also returned when the module fails because of an item.
    - Each result has C(name), C(changed) and C(failed). A successful result also has C(permission) and C(diff), a failed one
      C(msg) and C(error).
    - With O(removed_repositories), one result per permission that had one of them.
  returned: with O(permissions) or O(removed_repositories)
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
    hint: The user lacks the permission (403). Use the token of an administrator, or for repositories of an administrator of their project.
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
    get_permission,
    list_permissions,
    permissions_api,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import (
    InputError,
    PullThroughError,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._module import (
    PullThroughModule,
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

REMOVED: dict[str, t.Any] = {"type": "list", "elements": "str"}
SPEC: dict[str, dict[str, t.Any]] = {
    "name": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "repositories": {"type": "list", "elements": "str"},
    "repositories_mode": {"type": "str", "choices": ["exact", "included"], "default": "exact"},
    "include_patterns": {"type": "list", "elements": "str"},
    "exclude_patterns": {"type": "list", "elements": "str"},
    "users": GRANTEES,
    "groups": GRANTEES,
}


def add_repositories(current: Permission, desired: Config) -> Config:
    """Return the desired permission with the current repositories added."""
    if not current.grant or "repositories" not in desired:
        return desired
    return {**desired, "repositories": sorted({*current.grant["repositories"], *desired["repositories"]})}


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


def check_grantees(
    module: AnsibleModule, api: PermissionsApi, current: Permission | None, desired: Config
) -> list[str]:
    """Warn about users and groups that do not exist, or raise InputError if the permission cannot be written with them.

    Return the latter in check mode.
    """
    missing = api.missing_grantees((current and current.grant) or {}, desired)
    if not missing:
        return []
    text = f"Artifactory has no {', no '.join(missing)}, which the permission {desired['name']!r} is for."
    hint = "Check the spelling. A user who logs in with SSO exists after the first login."
    if api.rejects_missing_grantees and not module.check_mode:
        raise InputError(text, hint=hint)
    module.warn(f"{text} {hint}")
    return missing if api.rejects_missing_grantees else []


def converge(module: AnsibleModule, api: PermissionsApi, item: dict[str, t.Any], desired: Config) -> dict[str, t.Any]:
    """Plan one permission and, outside of check mode, apply the plan."""
    api, current = get_permission(api, desired["name"])
    if item["repositories_mode"] == "included" and current:
        desired = add_repositories(current, desired)
    plan = make_plan(item["state"], current, desired)
    rejected = check_grantees(module, api, current, desired) if plan.action in ("create", "update") else []
    if plan.changed and not module.check_mode:
        apply_plan(api, plan, desired, current)
    return {
        "changed": plan.changed,
        "permission": {} if item["state"] == "absent" else desired,
        "rejected_grantees": rejected,
        "diff": plan.diff(),
    }


def remove_repositories(module: AnsibleModule) -> dict[str, t.Any]:
    """Remove repositories from all permissions. A permission is deleted with its last one."""
    removed = set(module.params["removed_repositories"])
    api, names = list_permissions(permissions_api(create_artifactory_session(module)))

    def apply(item: dict[str, t.Any]) -> dict[str, t.Any]:
        _api, current = get_permission(api, item["name"])
        keys = (current and current.grant or {}).get("repositories", [])
        remaining = [key for key in keys if key not in removed]
        if len(remaining) == len(keys):
            return {"changed": False}
        desired = {"name": item["name"], **({"repositories": remaining} if remaining else {})}
        state = "present" if remaining else "absent"
        return converge(module, api, {"state": state, "repositories_mode": "exact"}, desired)

    items = [{"name": name} for name in names]
    results = [result for result in process_items(items, "name", apply) if result["changed"] or result["failed"]]
    changed_names = [result["name"] for result in results]
    return exit_bulk(module, "removed_repositories", results, changed_names, result_name="permissions")


def execute(module: AnsibleModule) -> dict[str, t.Any]:
    """Validate all items, then plan and, outside of check mode, apply each."""
    if module.params["removed_repositories"] is not None:
        return remove_repositories(module)
    items = read_items(module, "permissions", "name")
    desired = {item["name"]: desired_permission(item) for item in items}
    api = permissions_api(create_artifactory_session(module))

    def apply(item: dict[str, t.Any]) -> dict[str, t.Any]:
        return converge(module, api, item, desired[item["name"]])

    return exit_bulk(module, "permissions", process_items(items, "name", apply), list(desired))


def main() -> None:
    arguments = bulk_argument_spec(SPEC, "permissions", "name")
    arguments["argument_spec"].update(removed_repositories=REMOVED, **ARTIFACTORY_SPEC, **HTTP_SPEC)
    arguments["required_one_of"] = [("name", "permissions", "removed_repositories")]
    arguments["mutually_exclusive"] += [(name, "removed_repositories") for name in (*SPEC, "permissions")]
    module = PullThroughModule(**arguments, supports_check_mode=True)
    require_libraries(module)
    run(module, execute)


if __name__ == "__main__":
    main()
