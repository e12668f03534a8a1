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
      - PEM file with the certificate authorities to trust, for example those of your company.
      - If the option is not set, the environment variable E(PULL_THROUGH_CA_PATH) is used.
      - If neither is set, the file in E(REQUESTS_CA_BUNDLE) or E(SSL_CERT_FILE) is used.
      - If none of these is set, the bundle of C(requests) and the certificate authorities of the system are both trusted.
    type: path
  validate_certs:
    description:
      - Whether to validate TLS certificates.
      - Set it to V(false) only to examine a problem with a certificate. The connection is then not protected against attackers who read the credentials.
    type: bool
    default: true
  timeout:
    description:
      - Seconds to wait for a connection, and for each part of a response.
      - A response that is not complete after five minutes is an error, whatever this option is. For downloads, this applies to each MiB.
    type: int
    default: 30
  allow_plain_http:
    description:
      - Whether URLs may use plain http. Credentials are then readable in the network.
      - URLs of the same computer, such as V(http://localhost:8081), may always use it.
    type: bool
    default: false
notes:
  - Requests use the proxy in the environment variables E(HTTPS_PROXY), E(HTTP_PROXY) or E(ALL_PROXY), except for the hosts in
    E(NO_PROXY). Set credentials in the URL of the proxy, as C(http://USER:PASSWORD@HOST:PORT). Percent-encode special characters.
  - Options for the connection, numbers, booleans and options with choices that are empty count as not set.
  - No request goes to the metadata service of a cloud. A server with a public address cannot send requests to a private address.
    Behind a proxy, which resolves the names, only addresses in URLs are checked.
requirements:
  - requests >= 2.25
"""
