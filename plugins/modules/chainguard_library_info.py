#!/usr/bin/python

# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: chainguard_library_info
short_description: List the libraries that Chainguard remediates
version_added: 0.3.0
description:
  - Lists the libraries of which Chainguard serves remediated versions, from the public OpenVEX feed of Chainguard Libraries.
  - Sends one request, without credentials.
author: cgr.pull_through contributors (@cgr)
extends_documentation_fragment:
  - cgr.pull_through._http
  - cgr.pull_through._attributes
  - cgr.pull_through._attributes.info
options:
  chainguard_libraries_url:
    description: URL of Chainguard Libraries.
    type: str
    default: https://libraries.cgr.dev
seealso:
  - module: cgr.pull_through.artifact_pull
"""

EXAMPLES = r"""
- name: List the remediated libraries
  cgr.pull_through.chainguard_library_info:
  register: libraries

- name: Show the names of those for Python
  ansible.builtin.debug:
    msg: "{{ libraries.remediated | selectattr('ecosystem', 'eq', 'pypi') | map(attribute='name') }}"
"""

RETURN = r"""
remediated:
  description: The remediated libraries, sorted by ecosystem and name. Entries of the feed that name no library are left out.
  returned: success
  type: list
  elements: dict
  contains:
    ecosystem:
      description: The ecosystem, as the feed names it.
      type: str
      sample: pypi
    name:
      description: Name of the library.
      type: str
      sample: werkzeug
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cgr.pull_through.plugins.module_utils._argspec import HTTP_SPEC
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._libraries import list_remediated
from ansible_collections.cgr.pull_through.plugins.module_utils._http import validate_base_url
from ansible_collections.cgr.pull_through.plugins.module_utils._module import (
    PullThroughModule,
    make_transport,
    require_libraries,
    run,
)

SPEC: dict[str, dict[str, t.Any]] = {
    "chainguard_libraries_url": {"type": "str", "default": "https://libraries.cgr.dev"},
}


def execute(module: AnsibleModule) -> dict[str, t.Any]:
    """List the libraries."""
    url = validate_base_url(module.params["chainguard_libraries_url"], "chainguard_libraries_url")
    return {"changed": False, "remediated": list_remediated(url, make_transport(module))}


def main() -> None:
    module = PullThroughModule(argument_spec={**SPEC, **HTTP_SPEC}, supports_check_mode=True)
    require_libraries(module)
    run(module, execute)


if __name__ == "__main__":
    main()
