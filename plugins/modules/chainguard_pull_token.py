#!/usr/bin/python

# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: chainguard_pull_token
short_description: Make, renew and revoke a Chainguard pull token
version_added: 0.1.0
description:
  - Makes sure that there is a pull token that lives long enough, and makes a new one only when there is none.
  - A pull token is an identity with a static key, directly under the organization, that is bound to one role. The key is made
    in memory, signs the token, and is forgotten. The user name is the UID of the identity, the password is the signed token.
  - Before anything is made, the module looks at what the login may do, and names each capability that is missing.
  - A new token is proved before it is returned. The module logs in with it at Chainguard's token service, and takes it back when that fails.
  - When two runs make a token at the same time, and there is one that works, the run that was overtaken takes its own back.
  - Nothing is revoked by making a new token. Use O(state=absent) for that, once the new one is in use.
author: cgr.pull_through contributors (@cgr)
extends_documentation_fragment:
  - cgr.pull_through._chainguard
  - cgr.pull_through._http
  - cgr.pull_through._attributes
  - cgr.pull_through._attributes.chainguard
attributes:
  check_mode:
    support: full
    details: The UID of an identity that would be made is not known yet. RV(username) is then a placeholder.
  diff_mode:
    support: full
    details: Shows the token's name, role, expiry and owner, never its password.
  idempotent:
    support: full
    details: Except with O(force_rotation=true), which makes a new token each time.
options:
  organization:
    description: Name or UID of the Chainguard organization. Required with O(name). With O(tokens), that of those which name none.
    type: str
  name:
    description:
      - Name of the identity. 3 to 63 of a-z, 0-9, space, dot, underscore and dash.
      - One of O(name) and O(tokens) is required.
    type: str
  repository:
    description: What the token gives access to, in the words of C(chainctl). One token has one role.
    type: str
    choices: [oci, apk, java, python, javascript, dotnet, go]
    default: oci
  consumer:
    description:
      - What logs in with the token, for example the URL of Artifactory and the key of the repository.
      - It goes into the identity's description, as a marker. Only tokens with exactly this marker count as made for this place, and only those are revoked.
    type: str
  active_identities:
    description:
      - UIDs of the identities that are known to be in use, usually the present user name of the remote repository. Anything
        that is not such a UID is left out.
      - When this is set, only these count. A token whose password nobody stored is of no use, however long it lives.
      - A token in use may also be one that was made by hand. It is kept while it lives long enough.
      - Without it, any live token with the name and the marker counts, and the caller is expected to have kept its password.
    type: list
    elements: str
  ttl:
    description:
      - How long a new token lives, such as V(720h) or V(30d). At most V(8760h). Chainguard allows less on some plans.
    type: str
    default: 720h
  renew_before:
    description:
      - A token is replaced when no more than this is left of its life. Half of O(ttl) unless it is set.
      - Choose at least (runs that may be missed + 1) × the interval between runs.
    type: str
  run_interval:
    description:
      - How often this runs, such as V(7d). The module then warns when O(renew_before) is less than twice that, since a token could
        then expire because a single run was missed.
    type: str
  force_rotation:
    description: Make a new token now, whatever is left of the present one.
    type: bool
    default: false
  propagation_timeout:
    description: Seconds to wait until all of Chainguard knows a new identity.
    type: int
    default: 30
  method:
    version_added: 0.2.0
    description:
      - V(api) makes the token over the Chainguard API.
      - V(chainctl) has Chainguard's own program O(chainctl) make it, for sites that want only that, or where the platform refuses
        the other. It has to be logged in by itself. Everything else is done over the API all the same.
    type: str
    choices: [api, chainctl]
    default: api
  revoke:
    version_added: 0.2.0
    description:
      - Whether what a new token replaces is going to be revoked with this login. The module then fails before it makes a token that
        it could not revoke later.
      - With V(false), RV(superseded) is empty, and the login does without C(identity.delete). A token that turns out not to work then
        stays until it expires.
    type: bool
    default: true
  grace_period:
    version_added: 0.2.0
    description:
      - How long a new token has to be in use before what it replaced is named in RV(superseded), such as V(1d). It is then up
        to a later run to revoke it.
    type: str
    default: 0s
  state:
    description:
      - V(present) makes sure that there is a token.
      - V(absent) revokes the tokens with this name and marker, except those of O(keep).
    type: str
    choices: [present, absent]
    default: present
  identities:
    description:
      - With O(state=absent), UIDs of the tokens to revoke. They must carry the marker.
      - Without it, all tokens with the name and the marker.
    type: list
    elements: str
  keep:
    description: With O(state=absent), UIDs of tokens that stay in any case, usually the one in use.
    type: list
    elements: str
    default: []
  unmanaged:
    version_added: 0.2.0
    description:
      - With O(state=absent) and O(identities), also revoke those that do not carry the marker, such as a token that somebody made by hand.
    type: bool
    default: false
  tokens:
    version_added: 0.2.0
    description:
      - Several tokens in one task, each with its own purpose. All other options count for each of them.
      - What there is in an organization is read once for all of its tokens.
      - One that fails does not stop the others. The module fails in the end.
    type: list
    elements: dict
    suboptions:
      organization:
        description: See O(organization).
        type: str
      name:
        description: See O(name).
        type: str
        required: true
      repository:
        description: See O(ecosystem).
        type: str
        choices: [oci, apk, java, python, javascript, dotnet, go]
        default: oci
      consumer:
        description: See O(consumer).
        type: str
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
  - "The login needs the capabilities C(groups.list), C(identity.list), C(role_bindings.list) and C(roles.list) to look, C(identity.create),
    C(role_bindings.create) and those of the role that it grants to make a token, and C(identity.delete) to revoke one. Of Chainguard's
    own roles only C(owner) has them all."
  - The README of the role P(cgr.pull_through.pull_through#role) has the command that makes a role which is just enough for images.
  - Set C(no_log) on the task, and do not print its result. It holds a password.
seealso:
  - module: cgr.pull_through.chainguard_pull_token_info
  - module: cgr.pull_through.artifactory_remote_repository
"""

EXAMPLES = r"""
- name: A token for the images of the organization
  cgr.pull_through.chainguard_pull_token:
    organization: example.com
    name: pull cgr-private
    consumer: https://artifactory.example.com/cgr-private
    active_identities: "{{ [repository.username | default('')] }}"
  register: pull_token
  no_log: true

- name: Tokens for several repositories in one task
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
  register: pull_tokens
  no_log: true

- name: Revoke what it replaced
  cgr.pull_through.chainguard_pull_token:
    organization: example.com
    name: pull cgr-private
    consumer: https://artifactory.example.com/cgr-private
    keep: "{{ [pull_token.username] }}"
    state: absent
"""

RETURN = r"""
username:
  description:
    - User name of the token, which is the UID of its identity.
    - In check mode, for a token that would be made, the organization's UID with C(/new-identity) behind.
  returned: with O(state=present)
  type: str
  sample: 45a0c61ea6fd977f050c5fb9ac06a69eed764595/0011223344556677
password:
  description: Password of the token. It cannot be read again later.
  returned: when a token was made, not in check mode
  type: str
  sample: eyJ…
reason:
  description: Why the token was kept, or why there had to be a new one.
  returned: with O(state=present)
  type: str
  sample: 26.0 days are left
due:
  description: Whether there had to be a new token.
  returned: with O(state=present)
  type: bool
  sample: false
valid:
  description: Whether there was a token that worked already, before this task. A token that is only due for renewal is live.
  returned: with O(state=present)
  type: bool
  sample: true
superseded:
  description:
    - UIDs of the other tokens with this name and marker, which can be revoked as soon as RV(username) is in use.
    - A token that is neither in use nor a quarter of an hour old is left out. Another run may be about to use it.
  returned: with O(state=present)
  type: list
  elements: str
  sample: [45a0c61ea6fd977f050c5fb9ac06a69eed764595/8899aabbccddeeff]
replaces:
  version_added: 0.2.0
  description: The token that was in use, when it is replaced. Empty when there was none.
  returned: with O(state=present)
  type: dict
  sample: {}
token:
  description: The token without its password. Empty in check mode for a token that would be made.
  returned: with O(state=present)
  type: dict
  sample:
    uid: 45a0c61ea6fd977f050c5fb9ac06a69eed764595/0011223344556677
    name: pull cgr-private
    managed: true
    consumer: https://artifactory.example.com/cgr-private
    expires: "2026-12-23T00:00:00Z"
    days_left: 30.0
organization:
  description: The organization.
  returned: success, with O(name)
  type: dict
  sample:
    name: example.com
    uid: 45a0c61ea6fd977f050c5fb9ac06a69eed764595
tokens:
  version_added: 0.2.0
  description:
    - What came of each of O(tokens), in their order. Also returned when the module fails because of one.
    - Each has C(name), C(changed), C(failed), and what is returned for a single one, or C(msg) with C(error).
  returned: with O(tokens)
  type: list
  elements: dict
  sample:
    - name: pull cgr-private
      failed: false
      changed: false
      username: 45a0c61ea6fd977f050c5fb9ac06a69eed764595/0011223344556677
revoked:
  description: UIDs of the tokens that were revoked, or in check mode would be.
  returned: with O(state=absent)
  type: list
  elements: str
  sample: [45a0c61ea6fd977f050c5fb9ac06a69eed764595/8899aabbccddeeff]
"""

import concurrent.futures
import dataclasses
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cgr.pull_through.plugins.module_utils._argspec import (
    CHAINGUARD_SPEC,
    HTTP_SPEC,
    bulk_argument_spec,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._auth import Sts
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._capabilities import LOOK, REVOKE
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._iam import Iam
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._issue import Chainctl
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._jwt import CRYPTOGRAPHY_MISSING
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._pull_tokens import (
    TOKEN_TYPES,
    PullToken,
    TokenSpec,
    marker,
    parse_lifetime,
    seconds,
    validate_name,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._rotation import (
    RotationPolicy,
    TokenRotation,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._snapshot import OrganizationSnapshot
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import (
    HTTPStatusError,
    InputError,
    PullThroughError,
    capture_failure,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._module import (
    create_chainguard_session,
    create_sts_client,
    exit_bulk,
    make_transport,
    require_libraries,
    run,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._plan import validate_unique

THREADS = 4

ORGANIZATION: dict[str, dict[str, t.Any]] = {"organization": {"type": "str"}}
TOKEN_SPEC: dict[str, dict[str, t.Any]] = {
    **ORGANIZATION,
    "name": {"type": "str"},
    "ecosystem": {"type": "str", "choices": list(TOKEN_TYPES), "default": "oci"},
    "consumer": {"type": "str"},
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
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


@dataclasses.dataclass(frozen=True)
class Context:
    """What all tokens of a task share."""

    module: AnsibleModule
    iam: Iam
    sts: Sts
    policy: RotationPolicy
    chainctl: Chainctl | None


def execute(module: AnsibleModule) -> dict[str, t.Any]:
    """Check the input, find the organizations, then make or revoke."""
    params = module.params
    items = [params] if params["tokens"] is None else params["tokens"]
    for item in items:
        validate_name(item["name"])
        marker(item["consumer"])
    platform = open_platform(module)
    if params["tokens"] is None:
        return one_token(
            platform, params, OrganizationSnapshot(platform.iam, platform.iam.organization(params["organization"]))
        )
    return all_tokens(
        platform, [{**item, "organization": item["organization"] or params["organization"]} for item in items]
    )


def open_platform(module: AnsibleModule) -> Context:
    """Check the options that all tokens share, and prepare the session. Sends nothing yet."""
    params = module.params
    grace_period = seconds(params["grace_period"], "grace_period")
    policy = RotationPolicy(
        *parse_lifetime(params["ttl"], params["renew_before"]),
        grace_period,
        params["propagation_timeout"],
        params["revoke"],
    )
    warn_if_interval_too_long(module, policy.renew_before)
    chainctl = find_chainctl(module)
    transport = make_transport(module)
    sts = create_sts_client(module, transport)
    return Context(module, Iam(create_chainguard_session(module, sts, transport)), sts, policy, chainctl)


def all_tokens(platform: Context, items: list[dict[str, t.Any]]) -> dict[str, t.Any]:
    """Do the same for several tokens, some at a time. What there is in an organization is read once for all of them."""
    snapshots: dict[str, OrganizationSnapshot | PullThroughError] = {}
    for item in items:
        if item["organization"] is None:
            raise InputError(f"organization is missing for the token {item['name']!r}.")
    # Two for one purpose would each make a token, and revoke that of the other.
    validate_unique(
        [f"{item['name']} for {item['consumer'] or 'no place'} in {item['organization']}" for item in items]
    )
    for name in dict.fromkeys(item["organization"] for item in items):
        try:
            snapshots[name] = OrganizationSnapshot(platform.iam, platform.iam.organization(name), whole=True)
        except PullThroughError as exc:
            snapshots[name] = exc

    def one(item: dict[str, t.Any]) -> dict[str, t.Any]:
        snapshot = snapshots[item["organization"]]
        if isinstance(snapshot, PullThroughError):
            raise snapshot
        return one_token(platform, item, snapshot)

    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        results = list(pool.map(lambda item: {"name": item["name"], **capture_failure(lambda: one(item))}, items))
    return exit_bulk(platform.module, "tokens", results, [item["name"] for item in items])


def one_token(platform: Context, item: dict[str, t.Any], snapshot: OrganizationSnapshot) -> dict[str, t.Any]:
    """Make or revoke the tokens for one purpose."""
    module, organization = platform.module, snapshot.organization
    purpose = TokenSpec(snapshot.uid, TOKEN_TYPES[item["ecosystem"]], item["name"], marker(item["consumer"]))
    upkeep = TokenRotation(snapshot, platform.sts, purpose, platform.policy, platform.chainctl)
    absent = module.params["state"] == "absent"
    try:
        result = revoke(module, item, snapshot.iam, upkeep) if absent else ensure(module, item, snapshot.iam, upkeep)
    except HTTPStatusError as exc:
        if exc.status == 403:
            upkeep.require_capabilities(LOOK | REVOKE if absent else LOOK)
        raise
    return {**result, "organization": {"name": organization["name"], "uid": organization["uid"]}}


def find_chainctl(module: AnsibleModule) -> Chainctl | None:
    """Return chainctl when it is to make the token, or raise InputError when it is not there."""
    params = module.params
    if params["method"] != "chainctl":
        return None
    program = module.get_bin_path(params["chainctl"])
    if program is None:
        raise InputError(
            f"The method chainctl needs the program {params['chainctl']}, which is not on PATH where this module runs.",
            hint="Install it, or set the option chainctl to its path.",
        )
    platform = (f"--api={params['chainguard_api_url']}", f"--issuer={params['chainguard_issuer_url']}")
    return Chainctl(program, platform, module.run_command)


def warn_if_interval_too_long(module: AnsibleModule, renew_before: int) -> None:
    """Warn when a token can expire because one run was missed."""
    interval = module.params["run_interval"]
    if interval and renew_before < 2 * seconds(interval, "run_interval"):
        module.warn(
            f"A pull token is renewed when {renew_before // 3600}h are left, which is less than two intervals of {interval}: "
            "one missed run can let it expire. Raise renew_before or ttl, or run this more often."
        )


def ensure(module: AnsibleModule, item: dict[str, t.Any], iam: Iam, upkeep: TokenRotation) -> dict[str, t.Any]:
    """Keep the token that may stay, else make one."""
    need = upkeep.plan(item["active_identities"], renew=module.params["force_rotation"])
    result = {"due": need.due, "valid": need.verdict.valid, "superseded": need.superseded, "replaces": {}}
    if need.kept_token is not None:
        return {"changed": False, **result, **format_kept_token(iam, need.kept_token, need.reason)}
    current = need.verdict.current
    result["replaces"] = current.shown(iam.now()) if current is not None else {}
    result["reason"] = need.reason
    result["diff"] = {"before": {}, "after": wanted(item, module.params["ttl"])}
    maker = upkeep.maker()
    if module.check_mode:
        return {"changed": True, **result, "username": f"{upkeep.purpose.organization}/new-identity", "token": {}}
    made = upkeep.renew(need, maker)
    if made is not None:
        shown = made.token.shown(iam.now())
        return {"changed": True, **result, "username": made.token.uid, "password": made.password, "token": shown}
    kept = format_kept_token(iam, current, "another run is replacing it right now") if current is not None else {}
    return {"changed": False, "due": True, "valid": True, "superseded": [], "replaces": {}, **kept}


def wanted(item: dict[str, t.Any], ttl: str) -> dict[str, t.Any]:
    """Return a new token as the diff shows it."""
    role = TOKEN_TYPES[item["ecosystem"]].role
    return {"name": item["name"], "role": role, "consumer": item["consumer"] or "", "ttl": ttl}


def format_kept_token(iam: Iam, token: PullToken, reason: str) -> dict[str, t.Any]:
    """Return a token that stays, as the result shows it."""
    reason = reason if token.managed else f"{reason}; somebody made it by hand"
    return {"username": token.uid, "token": token.shown(iam.now()), "reason": reason}


def revoke(module: AnsibleModule, item: dict[str, t.Any], iam: Iam, upkeep: TokenRotation) -> dict[str, t.Any]:
    """Revoke tokens of ours, or those that are named. One that is gone already is no change."""
    found = upkeep.tokens.select_revocable(item["identities"], item["keep"], unmanaged=item["unmanaged"])
    before = {token.uid: token.shown(iam.now()) for token in found}
    if not module.check_mode:
        found = [token for token in found if iam.delete_identity(token.uid)]
    return {"changed": bool(found), "revoked": [token.uid for token in found], "diff": {"before": before, "after": {}}}


def main() -> None:
    form = bulk_argument_spec(
        TOKEN_SPEC, "tokens", "name", common=COMMON_SPEC, required_if=[("unmanaged", True, ["identities"])]
    )
    form["argument_spec"]["tokens"]["no_log"] = False
    form["argument_spec"].update(**CHAINGUARD_SPEC, **HTTP_SPEC)
    module = AnsibleModule(**form, required_by={"name": ["organization"]}, supports_check_mode=True)
    require_libraries(module, ("cryptography", CRYPTOGRAPHY_MISSING))
    run(module, execute)


if __name__ == "__main__":
    main()
