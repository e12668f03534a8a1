# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    # What holds for all modules; a module overrides the support where it differs.
    DOCUMENTATION = r"""
attributes:
  check_mode:
    description: Can run in check mode and tell what would change, without changing anything.
  diff_mode:
    description: Tells what changed, or in check mode would change, in diff mode.
  idempotent:
    description: Running it again with the same options changes nothing more.
  platform:
    description: Where it runs. It needs Python 3.10 or newer there, and no access to the services from elsewhere.
    platforms: posix
    support: full
"""

    ARTIFACTORY = r"""
attributes:
  action_group:
    description: Use C(group/cgr.pull_through.artifactory) in C(module_defaults) to set the login once.
    support: full
    membership:
      - cgr.pull_through.artifactory
"""

    CHAINGUARD = r"""
attributes:
  action_group:
    description: Use C(group/cgr.pull_through.chainguard) in C(module_defaults) to set the login once.
    support: full
    membership:
      - cgr.pull_through.chainguard
"""

    INFO = r"""
attributes:
  check_mode:
    support: full
    details: Only reads.
  diff_mode:
    support: N/A
    details: Only reads.
  idempotent:
    support: full
"""
