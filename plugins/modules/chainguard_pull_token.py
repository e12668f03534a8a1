#!/usr/bin/python

# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: chainguard_pull_token
short_description: Issue, rotate and revoke Chainguard pull tokens
version_added: 0.3.0
description:
  - Ensures that a pull token exists and remains valid for long enough. Issues a new one only when it is needed.
  - A pull token is an identity with a static key, directly under the organization, and a binding to one role. The module generates
    the key in memory, signs the token with it, and discards the key. The username is the UID of the identity, and the password
    is the signed token.
  - Before it issues a token, the module reads the capabilities of the credentials and reports each one that is missing.
  - The module tests a new token before it returns it, by exchanging it at Chainguard's token service. It revokes a token that does
    not pass.
  - When another run issued a token at the same time and the current token is valid, the module revokes its own token and keeps
    the current one.
  - Issuing a token revokes no other token. Use O(state=absent) for that when the new token is in use.
author: cgr.pull_through contributors (@cgr)
extends_documentation_fragment:
  - cgr.pull_through._chainguard
  - cgr.pull_through._http
  - cgr.pull_through._attributes
  - cgr.pull_through._attributes.chainguard
attributes:
  check_mode:
    support: full
    details: The UID of a new identity is not known in check mode. RV(username) is a placeholder then.
  diff_mode:
    support: full
    details: Shows the name, role, consumer and lifetime of the token, never its password.
  idempotent:
    support: full
    details: Except with O(force_rotation=true), which issues a new token in each run.
options:
  organization:
    description: Name or UID of the Chainguard organization. Required with O(name). With O(tokens), the default for all of them.
    type: str
  name:
    description:
      - Name of the identity. 3 to 63 characters of a-z, 0-9, space, dot, underscore and dash.
      - One of O(name) and O(tokens) is required.
    type: str
  state:
    description:
      - V(present) ensures that the token exists.
      - V(absent) revokes the tokens with this name and marker, except those in O(keep).
      - Not allowed together with O(tokens), where each token has its own O(tokens[].state).
    type: str
    choices: [present, absent]
    default: present
  ecosystem:
    description:
      - What the token gives access to. V(oci) is for images, V(apk) for packages of the operating system, and the others are for
        libraries. One token has one role.
      - The values are those of C(chainctl auth pull-token create --repository).
    type: str
    choices: [oci, apk, java, python, javascript, dotnet, go]
    default: oci
  consumer:
    description:
      - What uses the token, for example the URL of the repository in Artifactory.
      - The module writes it into the description of the identity, as part of a marker. It manages only tokens with exactly this marker.
    type: str
  previous_consumers:
    description:
      - Earlier values of O(consumer). Tokens with these markers are also managed, so that they are revoked when they are superseded.
    type: list
    elements: str
    default: []
  site:
    description:
      - Who issues the token, if several teams or controllers share an organization. It is also a part of the marker. Up to 40 letters,
        digits, dashes, underscores and dots.
      - Tokens of another site are never revoked. One that is in use is kept until it is no longer valid, even when it is due, except
        with O(force_rotation=true).
      - A token whose marker names no site is kept while it remains valid for long enough, and is never revoked by a site.
    type: str
    default: ""
  active_identities:
    description:
      - UIDs of the identities that are in use, usually the current username of the remote repository. The module ignores values
        that are not UIDs of identities.
      - When this is set, the module keeps only one of these tokens. The password of any other token is lost.
      - A token without the marker is kept as well while it remains valid for long enough.
      - When this is not set, any valid token with the name and the marker is kept. You must have stored its password.
    type: list
    elements: str
  ttl:
    description:
      - Lifetime of a new token, such as V(720h) or V(30d). At most V(8760h).
        Chainguard's plan Starter allows at most V(720h), and Team V(168h).
    type: str
    default: 720h
  renew_before:
    description:
      - The module replaces a token when its remaining lifetime is this or less. The default is half of O(ttl).
      - Choose at least (number of runs that may be missed + 1) × the interval between runs.
    type: str
  run_interval:
    description:
      - Interval between runs, such as V(7d). The module warns when O(renew_before) is less than twice this interval, because
        a token could then expire after a single missed run.
    type: str
  force_rotation:
    description: Issue a new token even if the current one remains valid for long enough.
    type: bool
    default: false
  propagation_timeout:
    description: Maximum number of seconds to wait until a new identity is known throughout the Chainguard platform.
    type: int
    default: 30
  method:
    description:
      - V(api) issues the token with the Chainguard API.
      - V(chainctl) runs Chainguard's program O(chainctl) to issue the token, for sites that require it, or if the platform rejects
        tokens that the API issues. C(chainctl) must be logged in. All other requests still use the API.
    type: str
    choices: [api, chainctl]
    default: api
  revoke:
    description:
      - Whether these credentials will also revoke the tokens that a new token replaces. If so, the module fails before it issues
        a token that it could not revoke later.
      - With V(false), RV(superseded) is empty and the credentials do not need C(identity.delete). A new token that does not work
        then remains until it expires.
    type: bool
    default: true
  grace_period:
    description:
      - How long a new token must be in use before RV(superseded) lists the tokens that it replaced, such as V(1d). A later run can
        then revoke them.
    type: str
    default: 0s
  identities:
    description:
      - With O(state=absent), the UIDs of the tokens to revoke. The tokens must carry the marker.
      - By default, all tokens with the name and the marker are revoked.
    type: list
    elements: str
  keep:
    description: With O(state=absent), the UIDs of tokens that are never revoked, usually the token in use.
    type: list
    elements: str
    default: []
  unmanaged:
    description:
      - With O(state=absent) and O(identities), also revoke tokens that carry no marker, such as tokens that were created manually.
        Tokens that carry the marker of another consumer or site are never revoked.
    type: bool
    default: false
  tokens:
    description:
      - List of tokens to issue, keep or revoke in one task. Options that are not suboptions apply to all of them.
      - Mutually exclusive with O(name), O(state) and the other options of a single token.
      - The module reads the identities and role bindings of each organization once for all of its tokens.
      - A token that fails does not stop the others. The module fails at the end.
    type: list
    elements: dict
    suboptions:
      organization:
        description: Name or UID of the Chainguard organization. The default is O(organization).
        type: str
      name:
        description: See O(name).
        type: str
        required: true
      state:
        description: See O(state).
        type: str
        choices: [present, absent]
        default: present
      ecosystem:
        description: See O(ecosystem).
        type: str
        choices: [oci, apk, java, python, javascript, dotnet, go]
        default: oci
      consumer:
        description: See O(consumer).
        type: str
      previous_consumers:
        description: See O(previous_consumers).
        type: list
        elements: str
        default: []
      site:
        description: See O(site).
        type: str
        default: ""
      active_identities:
        description: See O(active_identities).
        type: list
        elements: str
      identities:
        description: See O(identities).
        type: list
        elements: str
      keep:
        description: See O(keep).
        type: list
        elements: str
        default: []
      unmanaged:
        description: See O(unmanaged).
        type: bool
        default: false
requirements:
  - cryptography
  - chainctl, for O(method=chainctl)
notes:
  - "The credentials need these capabilities: C(groups.list), C(identity.list), C(role_bindings.list) and C(roles.list) to read,
    C(identity.create), C(role_bindings.create) and all capabilities of the role of the token to issue a token, and
    C(identity.delete) to revoke one. Of Chainguard's managed roles, only C(owner) has them all."
  - The README of the role P(cgr.pull_through.pull_through#role) shows how to create a role with the fewest capabilities that images need.
  - The result contains a password. Set C(no_log) on the task, and do not print its result.
seealso:
  - module: cgr.pull_through.chainguard_pull_token_info
  - module: cgr.pull_through.artifactory_remote_repository
"""

EXAMPLES = r"""
- name: Issue a token for the images of the organization
  cgr.pull_through.chainguard_pull_token:
    organization: example.com
    name: pull cgr-private
    consumer: https://artifactory.example.com/cgr-private
    active_identities: "{{ [repository.username | default('')] }}"
  register: pull_token
  no_log: true

- name: Revoke the tokens that it replaced
  cgr.pull_through.chainguard_pull_token:
    organization: example.com
    name: pull cgr-private
    consumer: https://artifactory.example.com/cgr-private
    keep: "{{ [pull_token.username] }}"
    state: absent

- name: Issue two tokens and revoke a third one
  cgr.pull_through.chainguard_pull_token:
    organization: example.com
    tokens:
      - name: pull cgr-java
        ecosystem: java
        consumer: https://artifactory.example.com/cgr-java
        active_identities: ["{{ java.username }}"]
      - name: pull cgr-python
        ecosystem: python
        consumer: https://artifactory.example.com/cgr-python
        active_identities: ["{{ python.username }}"]
      - name: pull cgr-go
        ecosystem: go
        consumer: https://artifactory.example.com/cgr-go
        state: absent
  register: pull_tokens
  no_log: true
"""

RETURN = r"""
name:
  description: Name of the token, from O(name).
  returned: with O(name)
  type: str
  sample: pull cgr-private
consumer:
  description: Consumer of the token, from O(consumer). Empty if it is not set.
  returned: with O(name)
  type: str
  sample: https://artifactory.example.com/cgr-private
username:
  description:
    - Username of the token, which is the UID of its identity.
    - In check mode, a new token has the UID of the organization and C(/new-identity).
  returned: with O(state=present)
  type: str
  sample: 45a0c61ea6fd977f050c5fb9ac06a69eed764595/0011223344556677
password:
  description: Password of the token. It cannot be read again later.
  returned: when a token was issued, not in check mode
  type: str
  sample: eyJ…
reason:
  description: Why the token was kept, or why a new one was needed.
  returned: with O(state=present)
  type: str
  sample: 26.0 days are left
due:
  description: Whether a new token was needed.
  returned: with O(state=present)
  type: bool
  sample: false
valid:
  description: Whether a valid token existed before this task. A token that is due for rotation is still valid.
  returned: with O(state=present)
  type: bool
  sample: true
superseded:
  description:
    - UIDs of the other tokens with this name and marker, which can be revoked as soon as RV(username) is in use.
    - A token that is not in use and less than 15 minutes old is not listed, because another run may be about to use it.
  returned: with O(state=present)
  type: list
  elements: str
  sample: [45a0c61ea6fd977f050c5fb9ac06a69eed764595/8899aabbccddeeff]
replaces:
  description: The token in use that the new one replaces. Empty when the token is kept, or when there was none.
  returned: with O(state=present)
  type: dict
  sample: {}
token:
  description: The token without its password. Empty in check mode for a new token.
  returned: with O(state=present)
  type: dict
  sample:
    uid: 45a0c61ea6fd977f050c5fb9ac06a69eed764595/0011223344556677
    name: pull cgr-private
    managed: true
    consumer: https://artifactory.example.com/cgr-private
    site: ""
    expires: "2026-12-23T00:00:00Z"
    days_left: 30.0
    seconds_left: 2592000
organization:
  description: Name and UID of the organization.
  returned: success, with O(name)
  type: dict
  sample:
    name: example.com
    uid: 45a0c61ea6fd977f050c5fb9ac06a69eed764595
revoked:
  description: UIDs of the tokens that were revoked. In check mode, of those that would be.
  returned: with O(state=absent)
  type: list
  elements: str
  sample: [45a0c61ea6fd977f050c5fb9ac06a69eed764595/8899aabbccddeeff]
tokens:
  description:
    - One result for each of O(tokens), in the same order. Also returned when the module fails because of one of them.
    - Each has C(name), C(consumer), C(changed), C(failed) and the other results of a single token. If it failed, it has C(msg) and
      C(error) instead.
  returned: with O(tokens)
  type: list
  elements: dict
  sample:
    - name: pull cgr-private
      consumer: https://artifactory.example.com/cgr-private
      failed: false
      changed: false
      username: 45a0c61ea6fd977f050c5fb9ac06a69eed764595/0011223344556677
unlisted:
  description:
    - The managed tokens in the organizations of O(tokens) whose consumer none of O(tokens) has.
      They were issued for a consumer that is no longer configured, or for one of another task or site.
    - Tokens of another O(tokens[].site) are listed only if their consumer is the same as that of one of O(tokens) up to its last slash.
    - Tokens have the form of RV(token).
  returned: with O(tokens)
  type: list
  elements: dict
  sample: []
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cgr.pull_through.plugins.module_utils._argspec import (
    CHAINGUARD_SPEC,
    HTTP_SPEC,
    bulk_argument_spec,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._auth import Sts
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._capabilities import READ, REVOKE
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._iam import Iam
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._issue import Chainctl, IssuedToken
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._jwt import CRYPTOGRAPHY_MISSING
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._pull_tokens import (
    TOKEN_TYPES,
    TokenSpec,
    list_unlisted,
    validate_consumer,
    validate_name,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._rotation import (
    RotationPlan,
    RotationPolicy,
    TokenRotation,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._snapshot import OrganizationSnapshot
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._time import parse_duration
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._token_options import (
    parse_lifetime,
    validate_site,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import (
    HTTPStatusError,
    InputError,
    PullThroughError,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._module import (
    PullThroughModule,
    create_chainguard_session,
    create_sts_client,
    exit_bulk,
    make_transport,
    process_items,
    require_libraries,
    run,
    validate_unique,
)

ORGANIZATION: dict[str, dict[str, t.Any]] = {"organization": {"type": "str"}}
TOKEN_SPEC: dict[str, dict[str, t.Any]] = {
    **ORGANIZATION,
    "name": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "ecosystem": {"type": "str", "choices": list(TOKEN_TYPES), "default": "oci"},
    "consumer": {"type": "str"},
    "previous_consumers": {"type": "list", "elements": "str", "default": []},
    "site": {"type": "str", "default": ""},
    "active_identities": {"type": "list", "elements": "str"},
    "identities": {"type": "list", "elements": "str"},
    "keep": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "unmanaged": {"type": "bool", "default": False},
}
COMMON_SPEC: dict[str, dict[str, t.Any]] = {
    **ORGANIZATION,
    "ttl": {"type": "str", "default": "720h"},
    "renew_before": {"type": "str"},
    "run_interval": {"type": "str"},
    "force_rotation": {"type": "bool", "default": False},
    "propagation_timeout": {"type": "int", "default": 30},
    "method": {"type": "str", "choices": ["api", "chainctl"], "default": "api"},
    "revoke": {"type": "bool", "default": True},
    "grace_period": {"type": "str", "default": "0s"},
}

Item = dict[str, t.Any]
Result = dict[str, t.Any]


class Context(t.NamedTuple):
    """What all tokens of a task share."""

    module: AnsibleModule
    iam: Iam
    sts: Sts
    policy: RotationPolicy
    chainctl: Chainctl | None


def execute(module: AnsibleModule) -> Result:
    """Ensure the state of each token. A token that fails does not stop the others."""
    items = validate_items(module)
    context = create_context(module)
    snapshots = open_snapshots(context.iam, items)
    results = process_items(items, "name", lambda item: ensure_state(context, item, snapshots[item["organization"]]))
    # Failed tokens have it too, so that a caller can join the results by it.
    joined = [{"consumer": item["consumer"] or "", **result} for item, result in zip(items, results)]
    unlisted = describe_unlisted(context.iam, items, results, snapshots)
    return exit_bulk(module, "tokens", joined, [item["name"] for item in items], more={"unlisted": unlisted})


def validate_items(module: AnsibleModule) -> list[Item]:
    """Return the options of each token, with its organization filled in. Raises InputError."""
    params = module.params
    options = [params] if params["tokens"] is None else params["tokens"]
    items = [{**item, "organization": item["organization"] or params["organization"]} for item in options]
    for item in items:
        validate_name(item["name"])
        for consumer in (item["consumer"] or "", *item["previous_consumers"]):
            validate_consumer(consumer)
        validate_site(item["site"] or "", "site")
        if item["organization"] is None:
            raise InputError(f"organization is missing for the token {item['name']!r}.")
    # Two items for the same token would both issue one, and a later run would revoke one of them.
    validate_unique(
        [f"{item['name']} for {item['consumer'] or 'no consumer'} in {item['organization']}" for item in items]
    )
    return items


def create_context(module: AnsibleModule) -> Context:
    """Validate the options that all tokens share, and create the session. Sends no requests."""
    params = module.params
    ttl, renew_before = parse_lifetime(params["ttl"], params["renew_before"])
    policy = RotationPolicy(
        ttl=ttl,
        renew_before=renew_before,
        grace_period=parse_duration(params["grace_period"], "grace_period"),
        propagation_timeout=params["propagation_timeout"],
        revoke=params["revoke"],
    )
    warn_if_interval_too_long(module, policy.renew_before)
    chainctl = find_chainctl(module)
    transport = make_transport(module)
    sts = create_sts_client(module, transport)
    return Context(module, Iam(create_chainguard_session(module, sts, transport)), sts, policy, chainctl)


def find_chainctl(module: AnsibleModule) -> Chainctl | None:
    """Return chainctl if it issues the tokens. Raises InputError if it is not installed."""
    params = module.params
    if params["method"] != "chainctl":
        return None
    program = module.get_bin_path(params["chainctl"])
    if program is None:
        raise InputError(
            f"The method chainctl needs the program {params['chainctl']}, which is not on PATH where this module runs.",
            hint="Install it, or set the option chainctl to its path.",
        )
    options = (f"--api={params['chainguard_api_url']}", f"--issuer={params['chainguard_issuer_url']}")
    return Chainctl(program, options, module.run_command)


def warn_if_interval_too_long(module: AnsibleModule, renew_before: int) -> None:
    """Warn if a token can expire after a single missed run."""
    interval = module.params["run_interval"]
    if interval and renew_before < 2 * parse_duration(interval, "run_interval"):
        module.warn(
            f"A pull token is rotated when {renew_before // 3600}h are left, which is less than two intervals of {interval}: "
            "the token can expire after one missed run. Increase renew_before or ttl, or run this more often."
        )


def open_snapshots(iam: Iam, items: list[Item]) -> dict[str, OrganizationSnapshot | PullThroughError]:
    """Return a snapshot of each organization, or the error that its tokens report."""
    snapshots: dict[str, OrganizationSnapshot | PullThroughError] = {}
    for name in dict.fromkeys(item["organization"] for item in items):
        try:
            snapshots[name] = OrganizationSnapshot(iam, iam.organization(name), bulk=len(items) > 1)
        except PullThroughError as exc:
            snapshots[name] = exc
    return snapshots


def create_spec(item: Item, organization: str) -> TokenSpec:
    """Return the desired token of an item. organization: UID."""
    previous = tuple(item["previous_consumers"])
    token_type = TOKEN_TYPES[item["ecosystem"]]
    return TokenSpec(organization, token_type, item["name"], item["consumer"] or "", item["site"] or "", previous)


def describe_unlisted(
    iam: Iam,
    items: list[Item],
    results: list[Result],
    snapshots: dict[str, OrganizationSnapshot | PullThroughError],
) -> list[Result]:
    """Return the managed tokens that none of the items is for, in the organizations whose tokens were read."""
    read = {item["organization"] for item, result in zip(items, results) if not result["failed"]}
    unlisted = {}
    for snapshot in (snapshots[name] for name in sorted(read)):
        if not isinstance(snapshot, PullThroughError):
            specs = [create_spec(item, snapshot.uid) for item in items]
            unlisted.update({token.uid: token.to_result(iam.server_time()) for token in list_unlisted(snapshot, specs)})
    return list(unlisted.values())


def ensure_state(context: Context, item: Item, snapshot: OrganizationSnapshot | PullThroughError) -> Result:
    """Issue, keep or revoke one token and return its result. Raises PullThroughError."""
    if isinstance(snapshot, PullThroughError):
        raise snapshot
    rotation = TokenRotation(snapshot, context.sts, create_spec(item, snapshot.uid), context.policy, context.chainctl)
    is_absent = item["state"] == "absent"
    try:
        result = (ensure_absent if is_absent else ensure_present)(context, item, rotation)
    except HTTPStatusError as exc:
        if exc.status == 403:
            rotation.require_capabilities(READ | REVOKE if is_absent else READ)
        raise
    return {**result, "organization": {"name": snapshot.organization["name"], "uid": snapshot.uid}}


def ensure_present(context: Context, item: Item, rotation: TokenRotation) -> Result:
    """Keep the current token if it remains valid for long enough, else issue a new one."""
    plan = rotation.plan(item["active_identities"], force=context.module.params["force_rotation"])
    if plan.kept_token is not None:
        return format_present(context, plan, rotation.spec)
    # In check mode too, to report missing capabilities.
    issuer = rotation.create_issuer()
    if context.module.check_mode:
        return format_present(context, plan, rotation.spec)
    issued = rotation.rotate(plan, issuer)
    return format_present(context, plan if issued else plan.postpone(), rotation.spec, issued)


def format_present(context: Context, plan: RotationPlan, spec: TokenSpec, issued: IssuedToken | None = None) -> Result:
    """Return the result of a plan: the kept token, the issued one, or a placeholder in check mode."""
    now, kept, current = context.iam.server_time(), plan.kept_token, plan.status.current
    result = {
        "changed": kept is None,
        "due": plan.due,
        "valid": plan.status.valid,
        "reason": plan.reason,
        "superseded": plan.superseded,
        "replaces": current.to_result(now) if current and not kept else {},
    }
    if kept is not None:
        return {**result, "username": kept.uid, "token": kept.to_result(now)}
    after = {
        "name": spec.name,
        "role": spec.token_type.role,
        "consumer": spec.consumer,
        "ttl": context.module.params["ttl"],
    }
    result["diff"] = {"before": {}, "after": after}
    if issued is None:
        return {**result, "username": f"{spec.organization}/new-identity", "token": {}}
    return {**result, "username": issued.token.uid, "password": issued.password, "token": issued.token.to_result(now)}


def ensure_absent(context: Context, item: Item, rotation: TokenRotation) -> Result:
    """Revoke the managed tokens, or those that `identities` names. A token that does not exist is no change."""
    tokens = rotation.store.select_revocable(item["identities"], item["keep"], unmanaged=item["unmanaged"])
    before = {token.uid: token.to_diff() for token in tokens}
    if not context.module.check_mode:
        tokens = [token for token in tokens if context.iam.delete_identity(token.uid)]
    return {
        "changed": bool(tokens),
        "revoked": [token.uid for token in tokens],
        "diff": {"before": before, "after": {}},
    }


def main() -> None:
    form = bulk_argument_spec(
        TOKEN_SPEC, "tokens", "name", common=COMMON_SPEC, required_if=[("unmanaged", True, ["identities"])]
    )
    form["argument_spec"]["tokens"]["no_log"] = False
    form["argument_spec"].update(**CHAINGUARD_SPEC, **HTTP_SPEC)
    module = PullThroughModule(**form, required_by={"name": ["organization"]}, supports_check_mode=True)
    require_libraries(module, ("cryptography", CRYPTOGRAPHY_MISSING))
    run(module, execute)


if __name__ == "__main__":
    main()
