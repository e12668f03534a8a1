# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    # Where Chainguard is, and how to log in.
    DOCUMENTATION = r"""
options:
  chainguard_api_token:
    description:
      - Token for the Chainguard API, as C(chainctl auth token) prints it. It is valid for an hour at most.
      - This is not the password of a pull token. The environment variable E(CHAINGUARD_TOKEN) is not read,
        since C(chainctl auth pull-token -o env) uses that name for such a password.
      - The first of O(chainguard_api_token), O(chainguard_identity) and O(chainctl) that is there is used.
      - Falls back to the environment variable E(CHAINGUARD_API_TOKEN).
    type: str
  chainguard_identity:
    description:
      - UID of the Chainguard identity that the module acts as. It is assumed with the OIDC token of
        O(chainguard_identity_token) or O(chainguard_identity_token_file), from Kubernetes, GitLab, Vault or any other issuer that
        the identity trusts, or with the token of an identity with a static key.
      - Falls back to the environment variable E(CHAINGUARD_IDENTITY).
    type: str
  chainguard_identity_token:
    description:
      - OIDC token to assume O(chainguard_identity) with. Its audience is usually V(issuer.enforce.dev).
      - Falls back to the environment variable E(CHAINGUARD_IDENTITY_TOKEN).
    type: str
  chainguard_identity_token_file:
    description:
      - File that holds the OIDC token, such as a projected service account token of Kubernetes. It is read anew in each task.
      - Falls back to the environment variable E(CHAINGUARD_IDENTITY_TOKEN_FILE).
    type: path
  chainctl:
    description:
      - Name or path of Chainguard's command line client. When it is installed, and no other login is given, the module asks it
        for a token with C(chainctl auth token). It has to be logged in.
      - Falls back to the environment variable E(CHAINCTL).
    type: str
    default: chainctl
  chainguard_api_url:
    description:
      - URL of the Chainguard API.
      - Falls back to the environment variable E(CHAINGUARD_API_URL).
    type: str
    default: https://console-api.enforce.dev
  chainguard_issuer_url:
    description:
      - URL of Chainguard's token service, which exchanges tokens.
      - Falls back to the environment variable E(CHAINGUARD_ISSUER_URL).
    type: str
    default: https://issuer.enforce.dev
"""
