#!/usr/bin/python

# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: artifactory_access_token
short_description: Make and revoke a short-lived access token of JFrog Artifactory
version_added: 0.2.0
description:
  - Makes an access token, for a pull check or as the password of a container client, as C(Set Up Docker Client) of the web pages does.
  - The token cannot be refreshed, and ends by itself after O(expires_in) seconds.
  - A creation that gets no answer is never sent again. A token that it may have made is known to nobody, and ends by itself.
author: cgr.pull_through contributors (@cgr)
extends_documentation_fragment:
  - cgr.pull_through._artifactory
  - cgr.pull_through._http
  - cgr.pull_through._attributes
  - cgr.pull_through._attributes.artifactory
attributes:
  check_mode:
    support: full
    details: With O(state=present), nothing is sent, and there is neither RV(access_token) nor RV(token_id).
  diff_mode:
    support: full
    details: Shows what the token is for, never the token.
  idempotent:
    support: none
    details:
      - Each run makes a new token, since Artifactory shows a token only once.
      - With O(state=absent), running it again changes nothing more.
options:
  state:
    description:
      - V(present) makes a token.
      - V(absent) revokes the token O(token_id). Artifactory keeps no list of tokens that live for less than three hours, and so cannot
        revoke them. Such a token counts as absent, and lives until it ends by itself.
    type: str
    choices: [present, absent]
    default: present
  username:
    description:
      - The user whose token it is. Container clients log in with that name.
      - Without it, the user who is logged in. Only an administrator may make tokens for others.
      - With O(groups) there need not be such a user.
    type: str
  groups:
    description:
      - The token may do what these groups may, and nothing else.
      - Without it and without O(scope), the token may do what the user may.
    type: list
    elements: str
  scope:
    description: What the token may do, as a scope of Artifactory's API. At most 500 characters.
    type: str
  expires_in:
    description:
      - Seconds until the token ends. At least 1.
      - Artifactory can have a limit for users who are no administrators.
    type: int
    default: 3600
  description:
    description: Text that Artifactory shows with the token.
    type: str
  token_id:
    description: With O(state=absent), the ID of the token, as RV(token_id) told it when it was made.
    type: str
notes:
  - Set C(no_log) on the task, and do not print its result. It holds a password.
  - From Artifactory 7.21.1 on. A login with user name and password is only enough where an administrator has allowed to generate tokens that way.
seealso:
  - module: cgr.pull_through.artifactory_permission
  - module: cgr.pull_through.registry_pull
"""

EXAMPLES = r"""
- name: A token that may do what builds may, for ten minutes
  cgr.pull_through.artifactory_access_token:
    artifactory_url: https://artifactory.example.com
    artifactory_access_token: "{{ artifactory_access_token }}"
    username: pull-check
    groups: [builds]
    expires_in: 600
    description: Pull check
  register: token
  no_log: true

- name: Can builds pull?
  cgr.pull_through.registry_pull:
    artifactory_url: https://artifactory.example.com
    artifactory_username: "{{ token.username }}"
    artifactory_access_token: "{{ token.access_token }}"
    repository: cgr-private
    images: [example.com/nginx]

- name: Revoke a token that was made to live for a day
  cgr.pull_through.artifactory_access_token:
    token_id: "{{ token_of_the_day.token_id }}"
    state: absent
"""

RETURN = r"""
access_token:
  description:
    - The token, which is also the password of RV(username) for container clients. It cannot be read again later.
    - Only C(no_log) on the task keeps it out of logs.
  returned: when a token was made
  type: str
  sample: eyJ…
token_id:
  description: ID of the token, to revoke it with.
  returned: when a token was made
  type: str
  sample: 3b6f4d2e-5a0f-4c53-9a3e-4a5b7f0f8f51
expires_in:
  description: Seconds that the token lives, as Artifactory tells it, else those of O(expires_in).
  returned: with O(state=present)
  type: int
  sample: 600
username:
  description: The user whose token it is. In check mode empty without O(username), as the login does not tell.
  returned: with O(state=present)
  type: str
  sample: pull-check
error:
  description: What is known of the failure. The keys method, url, status and said are there when a request failed.
  returned: failure
  type: dict
  sample:
    message: "POST https://artifactory.example.com/access/api/v1/tokens: status 403, the service said: Forbidden."
    hint: "This login may not do that: it takes the token of an administrator, or for repositories that of the project's administrator."
    status: 403
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cgr.pull_through.plugins.module_utils._argspec import ARTIFACTORY_SPEC, HTTP_SPEC
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._access_tokens import (
    TokensApi,
    build_scope,
    user_of,
    validate_token_id,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError
from ansible_collections.cgr.pull_through.plugins.module_utils._module import (
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
    """Return the token as the API wants it, or raise InputError."""
    if params["expires_in"] < 1:
        raise InputError(
            f"expires_in is {params['expires_in']}.",
            hint="Set it to 1 or more: a token without an end is not short-lived.",
        )
    optional = {name: params[name] for name in ("username", "description") if params[name]}
    scope = build_scope(params["scope"], params["groups"])
    return {**optional, "scope": scope, "expires_in": params["expires_in"], "refreshable": False}


def create_token(module: AnsibleModule, api: TokensApi, wanted: Config) -> dict[str, t.Any]:
    """Make a token, outside of check mode."""
    result = {
        "changed": True,
        "diff": plan_present(None, wanted).diff(),
        "expires_in": wanted["expires_in"],
        "username": wanted.get("username", ""),
    }
    if module.check_mode:
        return result
    made = api.create(wanted)
    told: Config = {name: made[name] for name in ("access_token", "token_id", "expires_in") if name in made}
    return {**result, **told, "username": result["username"] or user_of(made["access_token"])}


def revoke(module: AnsibleModule, api: TokensApi, token_id: str) -> dict[str, t.Any]:
    """Revoke a token that Artifactory knows. One that it does not know is no change."""
    plan = plan_absent(api.get(token_id), ("token_id", "subject", "description"))
    if plan.changed and not module.check_mode:
        api.revoke(token_id)
    return {"changed": plan.changed, "diff": plan.diff()}


def execute(module: AnsibleModule) -> dict[str, t.Any]:
    """Check the input, then make or revoke."""
    if module.params["state"] == "absent":
        token_id = validate_token_id(module.params["token_id"])
        return revoke(module, TokensApi(create_artifactory_session(module)), token_id)
    wanted = desired_token(module.params)
    return create_token(module, TokensApi(create_artifactory_session(module)), wanted)


def main() -> None:
    module = AnsibleModule(
        argument_spec={**SPEC, **ARTIFACTORY_SPEC, **HTTP_SPEC},
        mutually_exclusive=[("scope", "groups")],
        required_if=[("state", "absent", ["token_id"])],
        supports_check_mode=True,
    )
    require_libraries(module)
    run(module, execute)


if __name__ == "__main__":
    main()
