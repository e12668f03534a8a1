# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    # Options of every module that sends a request.
    DOCUMENTATION = r"""
options:
  ca_path:
    description:
      - PEM file with the certificate authorities to trust, for example those of the company.
      - Without it, the CA bundle of C(requests) is used, or the one that E(REQUESTS_CA_BUNDLE) names.
      - Falls back to the environment variable E(PULL_THROUGH_CA_PATH).
    type: path
  validate_certs:
    description:
      - Whether TLS certificates are checked.
      - Set it to V(false) only to find out what is wrong with a certificate. Everyone on the way can then read the credentials.
    type: bool
    default: true
  timeout:
    description:
      - Seconds to wait for a connection, and for each piece of an answer.
    type: int
    default: 30
notes:
  - Requests go to the proxy that the environment variables E(HTTPS_PROXY), E(HTTP_PROXY) or E(ALL_PROXY) name, but for the hosts
    of E(NO_PROXY). A login goes into the proxy's URL, with special characters percent-encoded, as C(http://USER:PASSWORD@HOST:PORT).
requirements:
  - requests >= 2.25
"""
