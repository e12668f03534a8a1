#!/usr/bin/python

# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: artifactory_repository_info
short_description: Read the configurations of repositories of JFrog Artifactory
version_added: 0.3.0
description:
  - Returns the configurations of repositories, without passwords.
  - Sends one request from Artifactory 7.61.3 on, and one request per repository to earlier versions.
author: cgr.pull_through contributors (@cgr)
extends_documentation_fragment:
  - cgr.pull_through._artifactory
  - cgr.pull_through._http
  - cgr.pull_through._attributes
  - cgr.pull_through._attributes.artifactory
  - cgr.pull_through._attributes.info
options:
  repository_keys:
    description:
      - Return only these repositories. Keys that do not exist are ignored.
      - An administrator of a project can read the repositories of that project in this way. Reading all repositories requires an administrator
        of the platform, or O(partial).
    type: list
    elements: str
  partial:
    description:
      - Whether to return repositories also if the user may read only a part of their configuration, which is the key, class, package type
        and description, and the URL or the members. Otherwise the module fails.
      - Without O(repository_keys), a user who is not an administrator of the platform gets the repositories that this user may read.
    type: bool
    default: false
  rclass:
    description: Return only repositories of this class.
    type: str
    choices: [local, remote, virtual, federated]
  package_type:
    description: Return only repositories of this package type, such as V(docker).
    type: str
  permissions:
    description:
      - Also return these permissions, which takes two more requests for one, and one for each further one.
      - Permissions that do not exist, and those that the credentials may not read, are left out.
    type: list
    elements: str
  query:
    description:
      - JMESPath expression that is applied to RV(repositories), for conditions that the other options do not support.
      - RV(result) contains its result.
    type: str
requirements:
  - jmespath, for O(query)
seealso:
  - module: cgr.pull_through.artifactory_remote_repository
  - module: cgr.pull_through.artifactory_permission
"""

EXAMPLES = r"""
- name: Read all repositories
  cgr.pull_through.artifactory_repository_info:
    artifactory_url: https://artifactory.example.com
    artifactory_access_token: "{{ artifactory_access_token }}"
  register: all_repositories

- name: Read the user names of Docker remote repositories that have credentials for Chainguard
  cgr.pull_through.artifactory_repository_info:
    rclass: remote
    package_type: docker
    query: "[?starts_with(url, 'https://cgr.dev') && username != ''].{key: key, username: username}"
  register: chainguard
"""

RETURN = r"""
repositories:
  description:
    - The matching repositories, sorted by key, with the setting names of Artifactory's REST API.
    - Versions before 7.61.3 return more settings, also those of other package types.
  returned: success
  type: list
  elements: dict
  sample:
    - key: cgr-public
      rclass: remote
      packageType: docker
      url: https://cgr.dev/
partial_repositories:
  description: Keys of the repositories of which only a part is in RV(repositories).
  returned: success
  type: list
  elements: str
  sample: []
login:
  description:
    - The user of the credentials. C(username) is empty if the credentials do not show it, as a reference token.
    - C(is_administrator) tells whether the user is an administrator of the platform. It is V(null) with O(repository_keys)
      or O(partial) and a version before 7.61.3, where no response shows it.
  returned: success
  type: dict
  sample:
    username: ci
    is_administrator: false
permissions:
  description: Those of O(permissions) that concern repositories, with the actions of each user and group.
  returned: when O(permissions) is set
  type: list
  elements: dict
  sample:
    - name: cgr-pull
      repositories: [cgr-private, cgr-public]
      include_patterns: ["**"]
      exclude_patterns: []
      users: {}
      groups: {developers: [read, write]}
result:
  description: Result of O(query).
  returned: when O(query) is set
  type: raw
  sample:
    - key: cgr-private
      username: 45a0c61ea6fd977f050c5fb9ac06a69eed764595/0011223344556677
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cgr.pull_through.plugins.module_utils._argspec import ARTIFACTORY_SPEC, HTTP_SPEC
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._authentication import decode_username
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._permissions import (
    get_permission,
    permissions_api,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repositories import RepositoriesApi
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repository_config import is_partial
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import HTTPStatusError
from ansible_collections.cgr.pull_through.plugins.module_utils._jmespath import JMESPATH_MISSING, compile_query
from ansible_collections.cgr.pull_through.plugins.module_utils._json_api import ApiSession
from ansible_collections.cgr.pull_through.plugins.module_utils._module import (
    PullThroughModule,
    create_artifactory_session,
    require_libraries,
    run,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._plan import Config

SPEC: dict[str, dict[str, t.Any]] = {
    "repository_keys": {"type": "list", "elements": "str", "no_log": False},
    "rclass": {"type": "str", "choices": ["local", "remote", "virtual", "federated"]},
    "partial": {"type": "bool", "default": False},
    "package_type": {"type": "str"},
    "permissions": {"type": "list", "elements": "str"},
    "query": {"type": "str"},
}

FORBIDDEN = (401, 403)


def matches(repository: Config, params: dict[str, t.Any]) -> bool:
    """Return whether a repository has the class and package type of the options."""
    conditions = {"rclass": params["rclass"], "packageType": params["package_type"] and params["package_type"].lower()}
    return all(not value or str(repository.get(name)).lower() == value for name, value in conditions.items())


def read_permissions(session: ApiSession, names: t.Sequence[str]) -> list[Config]:
    """Return the grants of the permissions that exist and may be read, sorted by name. Raises RequestError."""
    grants = []
    try:
        api = permissions_api(session)
        for name in sorted(set(names)):
            api, permission = get_permission(api, name)
            if permission is not None and permission.grant is not None:
                grants.append(permission.grant)
    except HTTPStatusError as exc:
        if exc.status not in FORBIDDEN:
            raise
    return grants


def execute(module: AnsibleModule) -> dict[str, t.Any]:
    """Read the repositories and the permissions, filter the repositories and apply the query."""
    query = compile_query(module.params["query"]) if module.params["query"] else None
    session = create_artifactory_session(module)
    api = RepositoriesApi(session)
    keys, partial = module.params["repository_keys"], module.params["partial"]
    if keys is None:
        read, is_admin = api.list_all(rclass=module.params["rclass"], partial=partial)
    else:
        read, is_admin = api.list_by_keys(keys, partial=partial)
    repositories = [repository for repository in read if matches(repository, module.params)]
    token = module.params["artifactory_access_token"]
    username = decode_username(token) if token else module.params["artifactory_username"]
    login = {"username": username, "is_administrator": is_admin}
    result: dict[str, t.Any] = {"changed": False, "repositories": repositories, "login": login}
    result["partial_repositories"] = [repository["key"] for repository in repositories if is_partial(repository)]
    if module.params["permissions"] is not None:
        result["permissions"] = read_permissions(session, module.params["permissions"])
    if query is not None:
        result["result"] = query(repositories)
    return result


def main() -> None:
    module = PullThroughModule(argument_spec={**SPEC, **ARTIFACTORY_SPEC, **HTTP_SPEC}, supports_check_mode=True)
    require_libraries(module, ("jmespath", JMESPATH_MISSING if module.params["query"] else None))
    run(module, execute)


if __name__ == "__main__":
    main()
