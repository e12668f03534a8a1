# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    # Where Artifactory is, and how to log in.
    DOCUMENTATION = r"""
options:
  artifactory_url:
    description:
      - Base URL of Artifactory, such as V(https://myproject.jfrog.io). A trailing V(/artifactory) does no harm.
      - It must be the URL under which Artifactory really is. Redirects are not followed, since they turn a write into a read.
      - Falls back to the environment variable E(ARTIFACTORY_URL).
    type: str
  artifactory_access_token:
    description:
      - Access token. Repositories are managed with that of an administrator.
      - Falls back to the environment variable E(ARTIFACTORY_ACCESS_TOKEN).
    type: str
  artifactory_username:
    description:
      - User name, for a login with O(artifactory_password).
      - Beside O(artifactory_access_token) it names the user of that token, which Docker logins need.
      - Falls back to the environment variable E(ARTIFACTORY_USERNAME).
    type: str
  artifactory_password:
    description:
      - Password of O(artifactory_username). Not used when O(artifactory_access_token) is set.
      - Falls back to the environment variable E(ARTIFACTORY_PASSWORD).
    type: str
  client_cert:
    description:
      - PEM file with a TLS client certificate, for an Artifactory that demands one. The chain goes behind it in the same file.
      - It is shown to Artifactory, under O(artifactory_url) and its registry, and to no other server, whatever redirects there.
      - Falls back to the environment variable E(ARTIFACTORY_CLIENT_CERT).
    type: path
    version_added: 0.2.0
  client_key:
    description:
      - PEM file with the private key of O(client_cert), not encrypted. Not needed when the key is in the same file.
      - Falls back to the environment variable E(ARTIFACTORY_CLIENT_KEY).
    type: path
    version_added: 0.2.0
"""
