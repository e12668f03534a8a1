# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    # URLs and credentials of Chainguard.
    DOCUMENTATION = r"""
options:
  chainguard_api_token:
    description:
      - Token for the Chainguard API, as printed by C(chainctl auth token). It is valid for at most one hour.
      - This is not the password of a pull token. The module does not read the environment variable E(CHAINGUARD_TOKEN),
        because C(chainctl auth pull-token -o env) uses this name for such a password.
      - The module uses the first of O(chainguard_api_token), O(chainguard_identity) and O(chainctl) that is available.
      - Falls back to the environment variable E(CHAINGUARD_API_TOKEN).
    type: str
  chainguard_identity:
    description:
      - UID of the Chainguard identity to assume. The module assumes it with the OIDC token in O(chainguard_identity_token) or
        O(chainguard_identity_token_file), from Kubernetes, GitLab, Vault or any other issuer that the identity trusts. For an identity
        with a static key, use the token that was signed with this key.
      - Falls back to the environment variable E(CHAINGUARD_IDENTITY).
    type: str
  chainguard_identity_token:
    description:
      - OIDC token for assuming O(chainguard_identity). Its audience is usually V(issuer.enforce.dev).
      - Falls back to the environment variable E(CHAINGUARD_IDENTITY_TOKEN).
    type: str
  chainguard_identity_token_file:
    description:
      - File with the OIDC token, such as a projected service account token of Kubernetes. The module reads it again in each task.
      - Falls back to the environment variable E(CHAINGUARD_IDENTITY_TOKEN_FILE).
    type: path
  chainctl:
    description:
      - Name or path of Chainguard's command line client. If it is installed and no other credentials are set, the module gets
        a token from C(chainctl auth token). You must be logged in with C(chainctl auth login).
      - Falls back to the environment variable E(CHAINCTL).
    type: str
    default: chainctl
  chainguard_api_url:
    description:
      - URL of the Chainguard API.
      - Falls back to the environment variable E(CHAINGUARD_API_URL). If it or E(CHAINGUARD_ISSUER_URL) is set, credentials from the
        environment, those of C(chainctl) among them, are sent to no other URLs than these and the defaults.
    type: str
    default: https://console-api.enforce.dev
  chainguard_issuer_url:
    description:
      - URL of Chainguard's token service.
      - Falls back to the environment variable E(CHAINGUARD_ISSUER_URL).
    type: str
    default: https://issuer.enforce.dev
"""
