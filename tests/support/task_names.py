# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names of the role's tasks that tests search for. No other test file spells a task name of the role."""

from __future__ import annotations

ENSURE_REPOSITORIES = "Ensure the remote repositories"
DELETE_INVALID_CONTENT = "Delete the invalid files"
ENSURE_PERMISSION = "Ensure the permission"
CLIENT_SETUP = "Show the client setup commands"

# Verification: the pulls, the same as another user, and the report of their results.
PULLS = ("Pull images through Artifactory", "Pull artifacts through Artifactory")
USER_PULLS = ("Pull images through Artifactory as the user", "Pull artifacts through Artifactory as the user")
SUMMARY = "Report the result"
DETAILS = "Report the details of each verification"
FAILURES = "Fail if a source failed"

# The entry point `warm`.
LIST_IMAGES = "List the images of each organization"
WARM_PULLS = ("Pull the images through Artifactory",)
RESOLVE_TAGS = "Resolve the tags through Artifactory"
REPORT_OTHER_REGISTRIES = "Report images of other registries"
WARM_REPORT = "Report the warmed caches"
