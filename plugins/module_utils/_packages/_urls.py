# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""URLs of repositories in Artifactory, as clients use them. No I/O. Private to the collection."""

from __future__ import annotations

from urllib.parse import quote


class PathLayout:
    """A repository that serves files under their paths."""

    def repository_url(self, artifactory_url: str, key: str) -> str:
        """Return the prefix of all URLs of a repository in Artifactory."""
        return f"{artifactory_url}/artifactory/{key}"

    def base_url(self, repository_url: str) -> str:
        """Return the URL that clients of a repository in Artifactory are configured with."""
        return repository_url

    def upstream_file_url(self, base_url: str, path: str) -> str:
        """Return the URL of a file at the upstream. path: in the cache of Artifactory."""
        return f"{base_url}/{quote(path)}"


class ApiLayout:
    """A repository that serves files through the API of its ecosystem.

    api_path: the path of the API in Artifactory. index_path: the path below the repository that clients are configured
    with.
    """

    api_path = ""
    index_path = ""

    def repository_url(self, artifactory_url: str, key: str) -> str:
        """Return the prefix of all URLs of a repository in Artifactory."""
        return f"{artifactory_url}/artifactory/api/{self.api_path}/{key}"

    def base_url(self, repository_url: str) -> str:
        """Return the URL that clients of a repository in Artifactory are configured with."""
        return repository_url + self.index_path

    def upstream_file_url(self, base_url: str, path: str) -> str:
        """Return the URL of a file at the upstream. path: in the cache of Artifactory."""
        return f"{base_url.removesuffix(self.index_path)}/{quote(path, safe='/@!')}"
