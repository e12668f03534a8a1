#!/usr/bin/python

# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: artifactory_access_token
short_description: Create and revoke short-lived access tokens of JFrog Artifactory
version_added: 0.3.0
description:
  - Creates an access token, for a pull check or as the password of a container client, as C(Set Up Docker Client) in the UI does.
  - The token cannot be refreshed. It expires after O(expires_in) seconds.
  - If there is no response to the creation, the module does not retry it. Artifactory may have created a token in that case. This
    token cannot be retrieved, and it expires.
author: cgr.pull_through contributors (@cgr)
extends_documentation_fragment:
  - cgr.pull_through._artifactory
  - cgr.pull_through._http
  - cgr.pull_through._attributes
  - cgr.pull_through._attributes.artifactory
attributes:
  check_mode:
    support: full
    details: With O(state=present), sends no requests and returns neither RV(access_token) nor RV(token_id).
  diff_mode:
    support: full
    details: Shows the user, scope and lifetime of the token, never the token.
  idempotent:
    support: none
    details:
      - Each run creates a new token, because Artifactory returns a token only once.
      - With O(state=absent), the module is idempotent.
options:
  state:
    description:
      - V(present) creates a token.
      - V(absent) revokes the token O(token_id). Artifactory does not store tokens with a lifetime of less than three hours, so it cannot
        revoke them. The module reports such a token as absent, and it remains valid until it expires.
    type: str
    choices: [present, absent]
    default: present
  username:
    description:
      - User of the token. Container clients log in with this user name.
      - The default is the user of the credentials. Only an administrator can create tokens for other users.
      - With O(groups), the user does not have to exist.
    type: str
  groups:
    description:
      - Groups whose permissions the token has. It has no other permissions.
      - Without O(groups) and O(scope), the token has the permissions of the user.
    type: list
    elements: str
  scope:
    description: Scope of the token, in the format of Artifactory's API. At most 500 characters.
    type: str
  expires_in:
    description:
      - Lifetime of the token in seconds. At least 1.
      - Artifactory can have an upper limit for users who are not administrators.
    type: int
    default: 3600
  description:
    description: Description of the token in Artifactory.
    type: str
  token_id:
    description: With O(state=absent), the ID of the token, which is the RV(token_id) that the module returned when it created the token.
    type: str
notes:
  - Set C(no_log) on the task, and do not print its result. It contains a password.
  - Requires Artifactory 7.21.1 or later. User name and password are sufficient only if an administrator has enabled token generation
    with basic authentication.
seealso:
  - module: cgr.pull_through.artifactory_permission
  - module: cgr.pull_through.registry_pull
"""

EXAMPLES = r"""
- name: Create a token with the permissions of a group for ten minutes
  cgr.pull_through.artifactory_access_token:
    artifactory_url: https://artifactory.example.com
    artifactory_access_token: "{{ artifactory_access_token }}"
    username: pull-check
    groups: [builds]
    expires_in: 600
    description: Pull check
  register: token
  no_log: true

- name: Verify that the group can pull
  cgr.pull_through.registry_pull:
    artifactory_url: https://artifactory.example.com
    artifactory_username: "{{ token.username }}"
    artifactory_access_token: "{{ token.access_token }}"
    repository: cgr-private
    images: [example.com/nginx]

- name: Revoke a token with a lifetime of one day
  cgr.pull_through.artifactory_access_token:
    token_id: "{{ daily_token.token_id }}"
    state: absent
"""

RETURN = r"""
access_token:
  description:
    - The token, which is also the password of RV(username) for container clients. It cannot be read again later.
    - Only C(no_log) on the task keeps it out of logs.
  returned: when a token was created
  type: str
  sample: eyJ…
token_id:
  description: ID of the token, for its revocation.
  returned: when a token was created
  type: str
  sample: 3b6f4d2e-5a0f-4c53-9a3e-4a5b7f0f8f51
expires_in:
  description: Lifetime of the token in seconds, as returned by Artifactory. If it does not return one, the value of O(expires_in).
  returned: with O(state=present)
  type: int
  sample: 600
username:
  description: User of the token. Empty in check mode if O(username) is not set.
  returned: with O(state=present)
  type: str
  sample: pull-check
error:
  description: Details of the failure. The keys C(method), C(url), C(status) and C(response_message) are present when a request failed.
  returned: failure
  type: dict
  sample:
    message: "POST https://artifactory.example.com/access/api/v1/tokens: status 403: Forbidden."
    hint: The user lacks the permission (403). Use the token of an administrator, or for repositories of an administrator of their project.
    status: 403
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cgr.pull_through.plugins.module_utils._argspec import ARTIFACTORY_SPEC, HTTP_SPEC
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._access_tokens import (
    TokensApi,
    build_scope,
    validate_token_id,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._authentication import decode_username
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError
from ansible_collections.cgr.pull_through.plugins.module_utils._module import (
    PullThroughModule,
    create_artifactory_session,
    require_libraries,
    run,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._plan import Config, plan_absent, plan_present

SPEC: dict[str, dict[str, t.Any]] = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "username": {"type": "str"},
    "groups": {"type": "list", "elements": "str"},
    "scope": {"type": "str"},
    "expires_in": {"type": "int", "default": 3600},
    "description": {"type": "str"},
    "token_id": {"type": "str", "no_log": False},
}


def desired_token(params: dict[str, t.Any]) -> Config:
    """Return the body of the request that creates the token, or raise InputError."""
    if params["expires_in"] < 1:
        raise InputError(
            f"expires_in is {params['expires_in']}.",
            hint="Set it to 1 or more: this module does not create tokens that never expire.",
        )
    optional = {name: params[name] for name in ("username", "description") if params[name]}
    scope = build_scope(params["scope"], params["groups"])
    return {**optional, "scope": scope, "expires_in": params["expires_in"], "refreshable": False}


def create_token(module: AnsibleModule, api: TokensApi, desired: Config) -> dict[str, t.Any]:
    """Create a token, except in check mode."""
    result = {
        "changed": True,
        "diff": plan_present(None, desired).diff(),
        "expires_in": desired["expires_in"],
        "username": desired.get("username", ""),
    }
    if module.check_mode:
        return result
    token = api.create(desired)
    returned: Config = {name: token[name] for name in ("access_token", "token_id", "expires_in") if name in token}
    username = result["username"] or decode_username(token["access_token"])
    return {**result, **returned, "username": username}


def revoke(module: AnsibleModule, api: TokensApi, token_id: str) -> dict[str, t.Any]:
    """Revoke a token, if Artifactory stores it."""
    plan = plan_absent(api.get(token_id), ("token_id", "subject", "description"))
    if plan.changed and not module.check_mode:
        api.revoke(token_id)
    return {"changed": plan.changed, "diff": plan.diff()}


def execute(module: AnsibleModule) -> dict[str, t.Any]:
    """Validate the options, then create or revoke a token."""
    if module.params["state"] == "absent":
        token_id = validate_token_id(module.params["token_id"])
        return revoke(module, TokensApi(create_artifactory_session(module)), token_id)
    desired = desired_token(module.params)
    return create_token(module, TokensApi(create_artifactory_session(module)), desired)


def main() -> None:
    module = PullThroughModule(
        argument_spec={**SPEC, **ARTIFACTORY_SPEC, **HTTP_SPEC},
        mutually_exclusive=[("scope", "groups")],
        required_if=[("state", "absent", ["token_id"])],
        supports_check_mode=True,
    )
    require_libraries(module)
    run(module, execute)


if __name__ == "__main__":
    main()
