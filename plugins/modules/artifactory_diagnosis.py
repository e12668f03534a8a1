#!/usr/bin/python

# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: artifactory_diagnosis
short_description: Find out why pulls through remote repositories of JFrog Artifactory fail
version_added: 0.3.0
description:
  - Reads the settings of repositories, what Artifactory reports about a download, the pull tokens at Chainguard, and how the servers
    respond, and returns what is wrong, the worst first.
  - Artifactory returns the same 404 for most causes. This module tells them apart as far as the credentials allow, and returns what it
    could not read.
  - Sends only GET and HEAD requests, and requests for tokens. Nothing is changed.
  - Fills no cache unless O(pull=true). For repositories of packages, it asks Artifactory to trace the download of a path that does not
    exist, which Artifactory requests from the upstream once, and with O(pull=true) of what is missing.
author: cgr.pull_through contributors (@cgr)
extends_documentation_fragment:
  - cgr.pull_through._artifactory
  - cgr.pull_through._chainguard
  - cgr.pull_through._http
  - cgr.pull_through._attributes
  - cgr.pull_through._attributes.artifactory
  - cgr.pull_through._attributes.chainguard
  - cgr.pull_through._attributes.info
options:
  sources:
    description: Repositories to diagnose, and what they should be.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the source in the results. The default is O(sources[].key).
        type: str
      key:
        description: Key of the remote or virtual repository.
        type: str
        required: true
      package_type:
        description: Package type that the repository should have.
        type: str
        required: true
        choices: [alpine, docker, go, helmoci, maven, npm, nuget, oci, pypi]
      url:
        description:
          - URL that the repository should fetch from.
          - C({organization_name}) and C({organization_uid}) stand for those of the organization.
        type: str
      alternative_url:
        description: URL at which the upstream serves the same, which the repository may have instead of O(sources[].url).
        type: str
      settings:
        description: Settings that the repository should have, with the names of Artifactory's REST API.
        type: dict
      pull_token:
        description: Ecosystem of the pull token that the repository needs. Not set if the upstream needs none.
        type: str
        choices: [oci, apk, java, python, javascript, dotnet, go]
      organization:
        description: Name or UID of the organization at Chainguard. The default is O(organization).
        type: str
      images:
        description:
          - Images to pull, for a repository of images or charts. For those of an organization, its name can be omitted.
          - By default, the image of the organization that changed last.
        type: list
        elements: str
      artifacts:
        description: Artifacts to pull, for a repository of packages, as in O(cgr.pull_through.artifact_pull#module:artifacts).
        type: list
        elements: str
      upstream_url:
        description: URL at which the controller finds the same without Artifactory. Used for a public upstream only.
        type: str
      members:
        description:
          - Keys of the repositories that a virtual repository should have.
          - With O(pull), it also pulls what the sources before it in the list name for these repositories.
        type: list
        elements: str
  organization:
    description: Name or UID of the organization at Chainguard, for sources without one of their own.
    type: str
  pull:
    description:
      - Whether to also pull the images and artifacts of each source, which shows most causes.
      - Pulled content is cached, and failures are cached too.
      - It pulls in check mode too, since nothing else shows what a repair of cached content would change.
    type: bool
    default: false
  registry_url:
    description:
      - URL of the registry as container clients address it. The default is O(artifactory_url).
      - If Artifactory has a sub-domain for each repository, write C({key}) instead of the repository key, as in
        V(https://{key}.example.com).
    type: str
  token_service_hosts:
    description: Other hosts that get the credentials if the registry names them as its token service, as V(host) or V(host:port).
    type: list
    elements: str
    default: []
  hosts:
    description:
      - URLs of Chainguard's servers that are contacted from the controller. Empty if it cannot reach them.
      - A layer of a public image is requested from the registry, and not read, to see whether the place where it stores layers can be reached.
    type: list
    elements: str
    default: []
notes:
  - A finding does not fail the module.
  - Without credentials for Chainguard, or without those of an administrator of Artifactory, fewer causes are found. RV(unknown)
    names what could not be read.
seealso:
  - module: cgr.pull_through.registry_pull
  - module: cgr.pull_through.artifact_pull
"""

EXAMPLES = r"""
- name: Diagnose a repository
  cgr.pull_through.artifactory_diagnosis:
    artifactory_url: https://artifactory.example.com
    artifactory_access_token: "{{ artifactory_access_token }}"
    sources:
      - key: cgr-private
        package_type: docker
        url: https://cgr.dev/
        pull_token: oci
        organization: example.com
        images: [nginx]
    hosts: [https://cgr.dev]
  register: diagnosis

- name: Show what is wrong
  ansible.builtin.debug:
    msg: "{{ diagnosis.findings }}"
"""

RETURN = r"""
findings:
  description: What is wrong, the worst first. Empty if nothing was found.
  returned: success
  type: list
  elements: dict
  contains:
    source:
      description: Name of the source. Empty if the finding is not about a single one.
      type: str
      sample: containers
    code:
      description: Identifier of the cause. The page of the diagnosis codes lists all.
      type: str
      sample: token_expired
    severity:
      description: V(error) if it prevents pulls, V(warning) otherwise.
      type: str
      sample: error
    certainty:
      description: V(known) if the evidence shows the cause. V(likely) or V(possible) if other causes have the same evidence.
      type: str
      sample: known
    cause:
      description: What is wrong.
      type: str
      sample: The pull token of cgr-private has expired.
    evidence:
      description: The setting, response or time that shows it.
      type: str
      sample: "expired: 2031-01-21T00:00:00Z"
    path:
      description: Path of invalid content in the cache of the repository. Empty if the finding is about something else.
      type: str
      sample: ""
    fix:
      description: What to do.
      type: str
      sample: Rotate the pull token of cgr-private (ansible-playbook cgr.pull_through.rotate), then wait 1800 seconds.
unknown:
  description: What could not be read, and why.
  returned: success
  type: list
  elements: str
  sample: ["Nothing was pulled. Set pull_through_diagnose_pull to true for that."]
addresses:
  description: The addresses for container clients that were tried. Others than those of O(registry_url) and Artifactory's own form are tried
    only if that of O(registry_url) does not work.
  returned: success
  type: list
  elements: dict
  contains:
    form:
      description: How the address names the repository. V(path) after C(/v2/), V(subdomain) in the host name, V(api) in Artifactory's own path.
      type: str
      sample: path
    url:
      description: The URL that was requested, without credentials.
      type: str
      sample: https://artifactory.example.com/v2/
    realm:
      description: The token service that Artifactory names there. Empty if it names none.
      type: str
      sample: https://artifactory.example.com/v2/token
    works:
      description: Whether clients can log in there.
      type: bool
      sample: true
hosts:
  description: How each server of O(hosts) responds to the controller. Artifactory has its own connection.
  returned: success
  type: list
  elements: dict
  contains:
    url:
      description: The URL.
      type: str
      sample: https://cgr.dev
    responds:
      description: Whether it responds.
      type: bool
      sample: true
    message:
      description: Why it does not respond. Empty if it does.
      type: str
      sample: ""
    proxy:
      description: Host and port of the proxy that the environment sets for it. Empty without one.
      type: str
      sample: proxy.example.com:3128
    tls_version:
      description: Version of TLS. Empty without TLS, and if there is no connection.
      type: str
      sample: TLSv1.3
    certificates:
      description:
        - C(subject) and C(issuer) of each certificate that it sent, its own first. If the issuer is the CA of a company, a proxy
          intercepts the connection.
        - Only the first one if RV(hosts[].has_all_certificates) is false.
      type: list
      elements: dict
      sample: [{"subject": "CN=cgr.dev", "issuer": "CN=WE1,O=Google Trust Services,C=US"}]
    has_all_certificates:
      description: Whether RV(hosts[].certificates) has all of them, for which the module needs Python 3.13 or later.
      type: bool
      sample: false
    clock_difference:
      description: Seconds by which its clock is ahead of that of the controller. 0 if that is not known.
      type: int
      sample: 0
sources:
  description: One result per item of O(sources), in the same order.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: See O(sources[].name).
      type: str
      sample: containers
    key:
      description: See O(sources[].key).
      type: str
      sample: cgr-private
    url:
      description:
        - URL that the repository should fetch from, with the name and the UID of the organization as far as they are known.
        - Empty for a virtual repository, and if the repository fetches from O(sources[].alternative_url).
      type: str
      sample: https://cgr.dev/
    token:
      description:
        - When the pull token of the repository expires, with C(expires) and C(seconds_left).
        - Empty if the repository needs none, or if it could not be read.
      type: dict
      sample: {expires: "2031-01-21T00:00:00Z", seconds_left: 1296000}
    can_pull:
      description: Whether pulls work. Not set if nothing was pulled and no finding shows that they fail.
      type: bool
      sample: false
    findings:
      description: Number of RV(findings) about the source.
      type: int
      sample: 1
error:
  description: Details of the failure. The keys C(method), C(url), C(status) and C(response_message) are present when a request failed.
  returned: failure
  type: dict
  sample:
    message: Credentials for Artifactory are missing.
    hint: Set artifactory_access_token.
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.cgr.pull_through.plugins.module_utils._argspec import (
    ARTIFACTORY_SPEC,
    CHAINGUARD_SPEC,
    HTTP_SPEC,
    Spec,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._artifactory._repository_spec import (
    MAX_KEY_LENGTH,
    validate_key,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._chainguard._pull_tokens import TOKEN_TYPES
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._collect_addresses import AddressProber
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._collect_chainguard import ChainguardReader
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._diagnoser import Diagnoser, Source
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InputError
from ansible_collections.cgr.pull_through.plugins.module_utils._http import Transport
from ansible_collections.cgr.pull_through.plugins.module_utils._module import (
    PullThroughModule,
    create_artifactory_session,
    create_chainguard_session,
    create_sts_client,
    make_transport,
    require_libraries,
    run,
    validate_unique,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._options import (
    KEY_PLACEHOLDER,
    registry_url,
)

if t.TYPE_CHECKING:
    from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._collect_pulls import Puller

SOURCE_SPEC: Spec = {
    "name": {"type": "str"},
    "key": {"type": "str", "required": True, "no_log": False},
    "package_type": {
        "type": "str",
        "required": True,
        "choices": ["alpine", "docker", "go", "helmoci", "maven", "npm", "nuget", "oci", "pypi"],
    },
    "url": {"type": "str"},
    "alternative_url": {"type": "str"},
    "settings": {"type": "dict"},
    "pull_token": {"type": "str", "choices": list(TOKEN_TYPES), "no_log": False},
    "organization": {"type": "str"},
    "images": {"type": "list", "elements": "str"},
    "artifacts": {"type": "list", "elements": "str"},
    "upstream_url": {"type": "str"},
    "members": {"type": "list", "elements": "str"},
}
SPEC: Spec = {
    "sources": {"type": "list", "elements": "dict", "options": SOURCE_SPEC, "required": True},
    "organization": {"type": "str"},
    "pull": {"type": "bool", "default": False},
    "registry_url": {"type": "str"},
    "token_service_hosts": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "hosts": {"type": "list", "elements": "str", "default": []},
}


def read_sources(module: AnsibleModule) -> list[Source]:
    """Return the sources, each with a name. Raises InputError."""
    sources: list[Source] = module.params["sources"]
    validate_unique([validate_key(source["key"], max_length=MAX_KEY_LENGTH) for source in sources])
    default = module.params["organization"]
    return [
        {**source, "name": source["name"] or source["key"], "organization": source["organization"] or default}
        for source in sources
    ]


def create_chainguard_reader(module: AnsibleModule, transport: Transport) -> ChainguardReader:
    """Return what reads Chainguard's API. Without credentials it reads nothing, and knows why."""
    try:
        session = create_chainguard_session(module, create_sts_client(module, transport), transport)
    except InputError as exc:
        return ChainguardReader(None, str(exc))
    return ChainguardReader(session)


def create_address_prober(module: AnsibleModule, transport: Transport, artifactory_url: str) -> AddressProber:
    """Return what probes the addresses of the registry. Raises InputError."""
    # The key of no repository: it remains what stands for a key.
    url = registry_url({**module.params, "repository": KEY_PLACEHOLDER})
    hosts = frozenset(host.lower() for host in module.params["token_service_hosts"])
    return AddressProber(transport, artifactory_url, url, hosts)


def create_puller(module: AnsibleModule, transport: Transport) -> Puller:
    """Return what pulls from the sources."""
    # Imported here because it needs the engines of both pull modules, and imports delay the start of a module.
    from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._collect_pulls import Puller

    return Puller(module, transport)


def execute(module: AnsibleModule) -> dict[str, t.Any]:
    """Collect the evidence, judge it, and return the findings."""
    sources, transport = read_sources(module), make_transport(module)
    session = create_artifactory_session(module, transport)
    puller = create_puller(module, transport) if module.params["pull"] else None
    addresses = create_address_prober(module, transport, session.base_url)
    chainguard = create_chainguard_reader(module, transport)
    public_trust = make_transport(module, with_ca_path=False) if module.params["ca_path"] else None
    diagnoser = Diagnoser(session, transport, chainguard, puller, addresses, public_trust)
    return diagnoser.diagnose(sources, module.params["hosts"]).to_result(sources)


def main() -> None:
    module = PullThroughModule(
        argument_spec={**SPEC, **ARTIFACTORY_SPEC, **CHAINGUARD_SPEC, **HTTP_SPEC}, supports_check_mode=True
    )
    require_libraries(module)
    run(module, execute)


if __name__ == "__main__":
    main()
