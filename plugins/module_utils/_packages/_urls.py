# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where clients of Artifactory find its repositories. Pure. Private to the collection."""

from __future__ import annotations


class PathLayout:
    """A repository whose files have their own paths as URLs."""

    def repository_url(self, base: str, key: str) -> str:
        """Return what the URLs of a repository in Artifactory begin with."""
        return f"{base}/artifactory/{key}"

    def root(self, repository_url: str) -> str:
        """Return the URL that a client is configured with, for a repository in Artifactory."""
        return repository_url


class ApiLayout:
    """A repository with the API of its ecosystem. api: the API's name; index: what clients are configured with in it."""

    api = ""
    index = ""

    def repository_url(self, base: str, key: str) -> str:
        """Return what the URLs of a repository in Artifactory begin with."""
        return f"{base}/artifactory/api/{self.api}/{key}"

    def root(self, repository_url: str) -> str:
        """Return the URL that a client is configured with, for a repository in Artifactory."""
        return repository_url + self.index
