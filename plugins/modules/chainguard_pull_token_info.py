#!/usr/bin/python

# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: chainguard_pull_token_info
short_description: List the pull tokens of a Chainguard organization
version_added: 0.1.0
description:
  - Lists the pull tokens of an organization, with the days that they have left, what they give access to, and whether this collection made them.
  - Finds those that C(chainctl) and others made as well. The platform does not tell pull tokens from other identities with
    a static key. The module goes by the issuer that all pull tokens have.
author: cgr.pull_through contributors (@cgr)
extends_documentation_fragment:
  - cgr.pull_through._chainguard
  - cgr.pull_through._http
  - cgr.pull_through._attributes
  - cgr.pull_through._attributes.chainguard
  - cgr.pull_through._attributes.info
options:
  organization:
    description: Name or UID of the Chainguard organization.
    type: str
    required: true
  name:
    description: Only tokens with exactly this name.
    type: str
  consumer:
    description: Only tokens that this collection made for this place. See M(cgr.pull_through.chainguard_pull_token).
    type: str
  remotes:
    version_added: 0.2.0
    description:
      - Remote repositories, as RV(cgr.pull_through.artifactory_repository_info#module:repositories) has them. With them, the result
        tells which of them log in with which token. Only their V(key) and V(username) count.
    type: list
    elements: dict
  query:
    description:
      - JMESPath expression over the list of tokens. Its result is RV(result).
    type: str
requirements:
  - jmespath, for O(query)
notes:
  - The login needs the capabilities C(groups.list), C(identity.list) and C(role_bindings.list).
seealso:
  - module: cgr.pull_through.chainguard_pull_token
  - module: cgr.pull_through.artifactory_repository_info
"""

EXAMPLES = r"""
- name: All pull tokens
  cgr.pull_through.chainguard_pull_token_info:
    organization: example.com
  register: tokens

- name: Those that end within two weeks
  cgr.pull_through.chainguard_pull_token_info:
    organization: example.com
    query: "[?days_left < `14`].{name: name, days_left: days_left, consumer: consumer}"
  register: ending

- name: The remote repositories of Artifactory
  cgr.pull_through.artifactory_repository_info:
    rclass: remote
  register: artifactory

- name: Pull tokens that no repository there logs in with
  cgr.pull_through.chainguard_pull_token_info:
    organization: example.com
    remotes: "{{ artifactory.repositories }}"
    query: "[?length(used_by_repositories) == `0`].{uid: uid, name: name, managed: managed, days_left: days_left}"
  register: unused
"""

RETURN = r"""
tokens:
  description: The tokens, the one that ends first in front.
  returned: success
  type: list
  elements: dict
  contains:
    uid:
      description: UID of the identity, which is the token's user name.
      type: str
      sample: 45a0c61ea6fd977f050c5fb9ac06a69eed764595/0011223344556677
    name:
      description: Name of the identity.
      type: str
      sample: pull cgr-private
    managed:
      description: Whether this collection made it.
      type: bool
      sample: true
    consumer:
      description: The place that it was made for. Empty when it does not say.
      type: str
      sample: https://artifactory.example.com/cgr-private
    expires:
      description: When it ends.
      type: str
      sample: "2026-12-23T00:00:00Z"
    days_left:
      description: Days until then. Negative for a token that has ended.
      type: float
      sample: 30.0
    roles:
      description: Names of the roles that it is bound to.
      type: list
      elements: str
      sample: [registry.pull]
    valid:
      version_added: 0.2.0
      description: Whether it works, since it has not expired, is bound to the role of a pull token, and has its key.
      type: bool
      sample: true
    summary:
      version_added: 0.2.0
      description: How long it still works, or why it does not.
      type: str
      sample: 30.0 days are left
    ecosystems:
      version_added: 0.2.0
      description: What it gives access to by these roles, in the words of C(chainctl).
      type: list
      elements: str
      sample: [oci]
    used_by_repositories:
      version_added: 0.2.0
      description: Keys of those of O(remotes) that log in with it. Only there when O(remotes) is set.
      type: list
      elements: str
      sample: [cgr-private]
result:
  description: What O(query) finds in RV(tokens).
  returned: when O(query) is set
  type: raw
  sample: []
organization:
  description: The organization.
  returned: success
  type: dict
  sample:
    name: example.com
    uid: 45a0c61ea6fd977f050c5fb9ac06a69eed764595
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cgr.pull_through.plugins.module_utils._argspec import CHAINGUARD_SPEC, HTTP_SPEC
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._iam import Iam
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._pull_tokens import (
    TOKEN_TYPES,
    PullToken,
    build_marker,
    days,
    rfc3339,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._jmespath import JMESPATH_MISSING, compile_query
from ansible_collections.cgr.pull_through.plugins.module_utils._module import (
    create_chainguard_session,
    create_sts_client,
    make_transport,
    require_libraries,
    run,
)

SPEC: dict[str, dict[str, t.Any]] = {
    "organization": {"type": "str", "required": True},
    "name": {"type": "str"},
    "consumer": {"type": "str"},
    "remotes": {"type": "list", "elements": "dict"},
    "query": {"type": "str"},
}


def roles_by_identity(iam: Iam, organization: str) -> dict[str, list[str]]:
    """Return the names of the roles that each identity is bound to."""
    roles: dict[str, list[str]] = {}
    for binding in iam.bindings(organization):
        identity, role = binding.get("identity") or {}, binding.get("role") or {}
        roles.setdefault(str(identity.get("uid")), []).append(str(role.get("name")))
    return roles


def describe_access(token: PullToken, roles: list[str], now: float) -> dict[str, t.Any]:
    """Return what a token gives access to, and whether it does."""
    types = [kind.repository for kind in TOKEN_TYPES.values() if kind.role in roles]
    live = bool(types) and token.has_key and token.expires > now
    if live:
        standing = days(token.expires - now)
    elif token.expires <= now:
        standing = f"it expired on {rfc3339(token.expires)}"
    else:
        standing = "it is not bound to the role of a pull token" if token.has_key else "its key is gone"
    return {"roles": sorted(roles), "ecosystems": types, "valid": live, "summary": standing}


def repositories_using(uid: str, remotes: list[dict[str, t.Any]] | None) -> dict[str, t.Any]:
    """Return which repositories use a token, when there is something to tell it by."""
    if remotes is None:
        return {}
    return {
        "used_by_repositories": sorted(str(remote.get("key")) for remote in remotes if remote.get("username") == uid)
    }


def execute(module: AnsibleModule) -> dict[str, t.Any]:
    """Read tokens and role bindings, join them, query."""
    params = module.params
    query = compile_query(params["query"]) if params["query"] else None
    wanted = build_marker(params["consumer"]) if params["consumer"] else None
    transport = make_transport(module)
    iam = Iam(create_chainguard_session(module, create_sts_client(module, transport), transport))
    organization = iam.organization(params["organization"])
    found = (PullToken.of(one) for one in iam.identities(organization["uid"], name=params["name"]))
    tokens = [token for token in found if token is not None and wanted in (None, token.description)]
    roles = roles_by_identity(iam, organization["uid"])
    now = iam.now()
    shown = [
        {
            **token.shown(now),
            **describe_access(token, roles.get(token.uid, []), now),
            **repositories_using(token.uid, params["remotes"]),
        }
        for token in sorted(tokens, key=lambda token: token.expires)
    ]
    result: dict[str, t.Any] = {
        "changed": False,
        "tokens": shown,
        "organization": {"name": organization["name"], "uid": organization["uid"]},
    }
    if query is not None:
        result["result"] = query(shown)
    return result


def main() -> None:
    module = AnsibleModule(argument_spec={**SPEC, **CHAINGUARD_SPEC, **HTTP_SPEC}, supports_check_mode=True)
    require_libraries(module, ("jmespath", JMESPATH_MISSING if module.params["query"] else None))
    run(module, execute)


if __name__ == "__main__":
    main()
