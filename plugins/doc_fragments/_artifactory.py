# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    # URL and credentials of Artifactory.
    DOCUMENTATION = r"""
options:
  artifactory_url:
    description:
      - Base URL of Artifactory, such as V(https://myproject.jfrog.io). The URL of a page of the UI is also accepted. The path from
        V(/artifactory) or V(/ui) on, the query and the fragment are ignored.
      - Use the final URL. Redirects are not followed, because they turn a write into a read. The error names the URL to use.
      - Falls back to the environment variable E(ARTIFACTORY_URL). Credentials from the environment are sent to no other URL if it is set.
    type: str
  artifactory_access_token:
    description:
      - Access token. To manage repositories, use the token of an administrator of the platform, or for repositories of a project the token
        of an administrator of that project.
      - API keys are not accepted here. Set them as O(artifactory_password).
      - Falls back to the environment variable E(ARTIFACTORY_ACCESS_TOKEN).
    type: str
  artifactory_username:
    description:
      - User name for O(artifactory_password).
      - With O(artifactory_access_token), the user of that token. Container clients need this user name to log in.
      - Falls back to the environment variable E(ARTIFACTORY_USERNAME).
    type: str
  artifactory_password:
    description:
      - Password of O(artifactory_username). Not used when O(artifactory_access_token) is set.
      - Falls back to the environment variable E(ARTIFACTORY_PASSWORD).
    type: str
  client_cert:
    description:
      - PEM file with a TLS client certificate, if Artifactory requires one. The file can also contain the chain, after the certificate.
      - The certificate is sent only to Artifactory, at O(artifactory_url) and the URL of its registry, and never to the target of a redirect.
      - Falls back to the environment variable E(ARTIFACTORY_CLIENT_CERT).
    type: path
  client_key:
    description:
      - PEM file with the unencrypted private key of O(client_cert). Not required if the key is in the same file.
      - Falls back to the environment variable E(ARTIFACTORY_CLIENT_KEY).
    type: path
"""
