# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names of the role's tasks that tests search for. No other test file spells a task name of the role."""

from __future__ import annotations

ENSURE_REPOSITORY = "Create or mend the repository"
DELETE_INVALID_CONTENT = "Delete what wrong settings spoiled"
ENSURE_PERMISSION = "Let users and groups pull"
CLIENT_SETUP = "What to type next"

# Verification: the pulls, and the report of their results.
PULLS = ("Pull images through Artifactory", "Pull files through Artifactory")
REPORT = "What this proves"

# The entry point `warm`.
LIST_IMAGES = "Look at the catalog of each organization"
WARM_PULL = "Pull through Artifactory"
RESOLVE_TAGS = "Ask for the tags"
REPORT_OTHER_REGISTRIES = "What is from elsewhere"
WARM_REPORT = "What is warm now"


def for_repository(task_name: str, key: str) -> str:
    """Return the name of a task that runs for one repository."""
    return f"{task_name} | {key}"
