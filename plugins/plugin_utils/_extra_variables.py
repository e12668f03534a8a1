# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The extra variables of a run, which take precedence over those that the role pull_through sets itself."""

from __future__ import annotations


def internal_variable_error(_text: str = "") -> str:
    """Return a sentence if extra variables replace variables of the role's own, so that its checks cannot be skipped."""
    # Imported here because they import much, and the filters are imported for each task.
    from ansible.parsing.dataloader import DataLoader
    from ansible.utils.vars import load_extra_vars

    names = sorted(name for name in load_extra_vars(DataLoader()) if str(name).startswith("__pull_through_"))
    return f"{', '.join(names)[:500]} cannot be set: the role uses it itself. Remove it." if names else ""
