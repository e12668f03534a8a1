#!/usr/bin/python

# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: grace_period_wait
short_description: Wait until Artifactory uses a new pull token everywhere
version_added: 0.3.0
description:
  - Artifactory caches the bearer tokens that it gets from Chainguard for up to four minutes, whichever credentials are stored. Until then a
    pull can still use the previous pull token.
  - Waits for a grace period after a rotation, so that a verification then shows the new pull token, and the previous one can be revoked.
  - Sends no requests. Does not wait in check mode.
author: cgr.pull_through contributors (@cgr)
extends_documentation_fragment:
  - cgr.pull_through._attributes
  - cgr.pull_through._attributes.info
options:
  grace_period:
    description: How long to wait, such as V(5m) or V(90s). At most ten minutes. Leave longer grace periods to a later run.
    type: str
    required: true
seealso:
  - module: cgr.pull_through.chainguard_pull_token
"""

EXAMPLES = r"""
- name: Wait until Artifactory uses the new pull token
  cgr.pull_through.grace_period_wait:
    grace_period: 5m

- name: Revoke the previous pull token
  cgr.pull_through.chainguard_pull_token:
    organization: example.com
    name: pull-cgr-private
    identities: "{{ pull_token.superseded }}"
    state: absent
"""

RETURN = r"""
seconds:
  description: The number of seconds that the module waited. V(0) in check mode.
  returned: success
  type: int
  sample: 300
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cgr.pull_through.plugins.module_utils import _wait
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._time import parse_duration
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError
from ansible_collections.cgr.pull_through.plugins.module_utils._module import run


def execute(module: AnsibleModule) -> dict[str, t.Any]:
    """Wait, outside of check mode."""
    seconds = parse_duration(module.params["grace_period"], "grace_period")
    if seconds > _wait.MAX_SECONDS:
        raise InputError(
            f"grace_period is {module.params['grace_period']}, more than {_wait.MAX_SECONDS // 60} minutes.",
            hint="Leave the revocation to a later run.",
        )
    if module.check_mode:
        seconds = 0
    _wait.sleep(seconds)
    return {"changed": False, "seconds": seconds}


def main() -> None:
    module = AnsibleModule(
        argument_spec={"grace_period": {"type": "str", "required": True}},
        supports_check_mode=True,
    )
    run(module, execute)


if __name__ == "__main__":
    main()
