#!/usr/bin/python

# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: chainguard_pull_token_info
short_description: List the pull tokens of a Chainguard organization
version_added: 0.3.0
description:
  - Lists the pull tokens of an organization, with their remaining lifetime, what they give access to, and whether this collection manages them.
  - Also lists pull tokens that C(chainctl) or other programs created. Chainguard has no separate type for pull tokens. The module
    recognizes them by their issuer.
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
    description: List only tokens with exactly this name.
    type: str
  consumer:
    description: List only tokens that this collection issued for this consumer. See M(cgr.pull_through.chainguard_pull_token).
    type: str
  site:
    description:
      - List only tokens that this collection issued for this site. V("") is for those whose marker names no site.
      - By default, the tokens of all sites are listed.
    type: str
  remotes:
    description:
      - Remote repositories, in the format of RV(cgr.pull_through.artifactory_repository_info#module:repositories). The result then
        shows which of them use each token. The module reads only their C(key) and C(username).
    type: list
    elements: dict
  query:
    description:
      - JMESPath expression that is applied to RV(tokens). Its result is RV(result).
    type: str
requirements:
  - jmespath, for O(query)
notes:
  - The credentials need the capabilities C(groups.list), C(identity.list) and C(role_bindings.list).
seealso:
  - module: cgr.pull_through.chainguard_pull_token
  - module: cgr.pull_through.artifactory_repository_info
"""

EXAMPLES = r"""
- name: List all pull tokens
  cgr.pull_through.chainguard_pull_token_info:
    organization: example.com
  register: tokens

- name: List the pull tokens that expire within two weeks
  cgr.pull_through.chainguard_pull_token_info:
    organization: example.com
    query: "[?days_left < `14`].{name: name, days_left: days_left, consumer: consumer}"
  register: expiring

- name: List the remote repositories in Artifactory
  cgr.pull_through.artifactory_repository_info:
    rclass: remote
  register: artifactory

- name: List the pull tokens that none of these repositories uses
  cgr.pull_through.chainguard_pull_token_info:
    organization: example.com
    remotes: "{{ artifactory.repositories }}"
    query: "[?length(used_by_repositories) == `0`].{uid: uid, name: name, managed: managed, days_left: days_left}"
  register: unused
"""

RETURN = r"""
tokens:
  description: The tokens, sorted by expiration time, earliest first.
  returned: success
  type: list
  elements: dict
  contains:
    uid:
      description: UID of the identity, which is the username of the token.
      type: str
      sample: 45a0c61ea6fd977f050c5fb9ac06a69eed764595/0011223344556677
    name:
      description: Name of the identity.
      type: str
      sample: pull cgr-private
    managed:
      description: Whether this collection issued the token.
      type: bool
      sample: true
    consumer:
      description: Consumer of the token. Empty for unmanaged tokens, and for tokens that were issued without one.
      type: str
      sample: https://artifactory.example.com/cgr-private
    site:
      description: Site of the token. Empty for unmanaged tokens, and for tokens that were issued without one.
      type: str
      sample: ""
    expires:
      description: When the token expires.
      type: str
      sample: "2026-12-23T00:00:00Z"
    days_left:
      description: Days until the token expires. Negative for an expired token.
      type: float
      sample: 30.0
    seconds_left:
      description: Seconds until the token expires. Negative for an expired token.
      type: int
      sample: 2592000
    roles:
      description: Names of the roles that the identity is bound to.
      type: list
      elements: str
      sample: [registry.pull]
    valid:
      description: Whether the token works. It has not expired, is bound to the role of a pull token, and has its key.
      type: bool
      sample: true
    summary:
      description: How long the token remains valid, or why it is not valid.
      type: str
      sample: 30.0 days are left
    ecosystems:
      description: What the token gives access to by its roles. The values are those of O(cgr.pull_through.chainguard_pull_token#module:ecosystem).
      type: list
      elements: str
      sample: [oci]
    used_by_repositories:
      description: Keys of the repositories in O(remotes) that use the token.
      returned: when O(remotes) is set
      type: list
      elements: str
      sample: [cgr-private]
result:
  description: Result of O(query).
  returned: when O(query) is set
  type: raw
  sample: []
organization:
  description: Name and UID of the organization.
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
)
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._time import (
    format_days_left,
    format_timestamp,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._jmespath import JMESPATH_MISSING, compile_query
from ansible_collections.cgr.pull_through.plugins.module_utils._module import (
    PullThroughModule,
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
    "site": {"type": "str"},
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
    """Return what a token gives access to, and whether it is valid. now: epoch seconds."""
    ecosystems = [token_type.ecosystem for token_type in TOKEN_TYPES.values() if token_type.role in roles]
    defect = ""
    if token.expires <= now:
        defect = f"it expired on {format_timestamp(token.expires)}"
    elif not token.has_key:
        defect = "its key was deleted or replaced"
    elif not ecosystems:
        defect = "it is not bound to the role of a pull token"
    summary = defect or format_days_left(token.expires - now)
    return {"roles": sorted(roles), "ecosystems": ecosystems, "valid": not defect, "summary": summary}


def repositories_using(uid: str, remotes: list[dict[str, t.Any]] | None) -> dict[str, t.Any]:
    """Return the keys of the repositories that use a token. Empty if remotes is None."""
    if remotes is None:
        return {}
    return {
        "used_by_repositories": sorted(str(remote.get("key")) for remote in remotes if remote.get("username") == uid)
    }


def matches(token: PullToken, params: dict[str, t.Any]) -> bool:
    """Return whether a token has the consumer and the site of the options."""
    site = params["site"]
    has_consumer = not params["consumer"] or token.consumer == params["consumer"]
    return has_consumer and (site is None or (token.managed and token.site == site))


def list_tokens(iam: Iam, organization: str, params: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    """Return the matching pull tokens with their roles and repositories, sorted by expiration time."""
    tokens = [
        token
        for token in map(PullToken.from_identity, iam.identities(organization, name=params["name"]))
        if token is not None and matches(token, params)
    ]
    roles = roles_by_identity(iam, organization)
    now = iam.server_time()
    return [
        {
            **token.to_result(now),
            **describe_access(token, roles.get(token.uid, []), now),
            **repositories_using(token.uid, params["remotes"]),
        }
        for token in sorted(tokens, key=lambda token: token.expires)
    ]


def execute(module: AnsibleModule) -> dict[str, t.Any]:
    """List the tokens and apply the query."""
    params = module.params
    query = compile_query(params["query"]) if params["query"] else None
    transport = make_transport(module)
    iam = Iam(create_chainguard_session(module, create_sts_client(module, transport), transport))
    organization = iam.organization(params["organization"])
    tokens = list_tokens(iam, organization["uid"], params)
    result: dict[str, t.Any] = {
        "changed": False,
        "tokens": tokens,
        "organization": {"name": organization["name"], "uid": organization["uid"]},
    }
    if query is not None:
        result["result"] = query(tokens)
    return result


def main() -> None:
    module = PullThroughModule(argument_spec={**SPEC, **CHAINGUARD_SPEC, **HTTP_SPEC}, supports_check_mode=True)
    require_libraries(module, ("jmespath", JMESPATH_MISSING if module.params["query"] else None))
    run(module, execute)


if __name__ == "__main__":
    main()
