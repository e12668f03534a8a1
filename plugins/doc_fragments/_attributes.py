# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    # Attributes of all modules. A module overrides the support where it differs.
    DOCUMENTATION = r"""
attributes:
  check_mode:
    description: Can run in check mode and predict changes without making them.
  diff_mode:
    description: Returns details on what has changed, or would change in check mode, when it runs in diff mode.
  idempotent:
    description: A second run with the same options makes no further changes.
  platform:
    description: Target platforms. The module requires Python 3.10 or newer on the target host, which must be able to reach the services.
    platforms: posix
    support: full
"""

    ARTIFACTORY = r"""
attributes:
  action_group:
    description: Use C(group/cgr.pull_through.artifactory) in C(module_defaults) to set the credentials once.
    support: full
    membership:
      - cgr.pull_through.artifactory
"""

    CHAINGUARD = r"""
attributes:
  action_group:
    description: Use C(group/cgr.pull_through.chainguard) in C(module_defaults) to set the credentials once.
    support: full
    membership:
      - cgr.pull_through.chainguard
"""

    INFO = r"""
attributes:
  check_mode:
    support: full
    details: Does not modify state.
  diff_mode:
    support: N/A
    details: Does not modify state.
  idempotent:
    support: full
"""
