# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Collects what container clients get at the addresses of a registry, without credentials. Private to the collection.

Artifactory has several forms of addresses, and a proxy decides which of them work.
"""

from __future__ import annotations

import dataclasses
from urllib.parse import urlsplit

from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._evidence import (
    AddressEvidence,
    AddressForm,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._pull_rules import Failure
from ansible_collections.cgr.pull_through.plugins.module_utils._download_errors import parse_error_response
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import PullThroughError
from ansible_collections.cgr.pull_through.plugins.module_utils._html import is_html
from ansible_collections.cgr.pull_through.plugins.module_utils._http import Request, Transport
from ansible_collections.cgr.pull_through.plugins.module_utils._origin import literal_address
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._auth import parse_challenges
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._options import KEY_PLACEHOLDER

_MAX_SIZE = 1 << 12


class AddressProber:
    """Probes the forms of the addresses of one Artifactory.

    registry_url: as users set it; {key} stands for the key of a repository. token_service_hosts: other hosts that a
    challenge may name.
    """

    def __init__(
        self, transport: Transport, artifactory_url: str, registry_url: str, token_service_hosts: frozenset[str]
    ) -> None:
        self._transport = transport
        self._artifactory_url = artifactory_url
        self._registry_url = registry_url
        self._token_service_hosts = token_service_hosts
        self.is_per_repository = KEY_PLACEHOLDER in registry_url

    def probe_registry(self, key: str) -> AddressEvidence:
        """Return the evidence about the address that users set."""
        return self._probe("subdomain" if self.is_per_repository else "path", self._registry_url, key)

    def probe_api(self, key: str) -> AddressEvidence:
        """Return the evidence about Artifactory's own form of the address, which needs no proxy."""
        return self._probe("api", f"{self._artifactory_url}/artifactory/api/docker/{KEY_PLACEHOLDER}", key)

    def probe_others(self, key: str) -> dict[str, AddressEvidence]:
        """Return the evidence about the other addresses that clients may be able to use, by the value of registry_url."""
        origin = urlsplit(self._artifactory_url)
        addresses: dict[str, AddressForm] = {f"{origin.scheme}://{origin.netloc}": "path"}
        for url in (self._artifactory_url, self._registry_url):
            parts = urlsplit(url)
            if KEY_PLACEHOLDER not in url and not literal_address(parts.hostname or ""):
                addresses[f"{parts.scheme}://{KEY_PLACEHOLDER}.{parts.netloc}"] = "subdomain"
        return {
            address: self._probe(form, address, key)
            for address, form in addresses.items()
            if address != self._registry_url
        }

    def _probe(self, form: AddressForm, address: str, key: str) -> AddressEvidence:
        url = f"{address.replace(KEY_PLACEHOLDER, key)}/v2/"
        hosts = self._token_service_hosts
        if form != "path":
            # Its token service may be that of the whole host.
            own = (urlsplit(address).netloc for address in (self._artifactory_url, self._registry_url))
            hosts |= {host.replace(KEY_PLACEHOLDER, key) for host in own}
        evidence = AddressEvidence(
            requested_reference=url,
            host=urlsplit(url).netloc,
            repository=key,
            url=url,
            form=form,
            token_service_hosts=hosts,
        )
        return _probe(self._transport, evidence)


def _probe(transport: Transport, evidence: AddressEvidence) -> AddressEvidence:
    """Return what Artifactory responds to a container client that is not logged in."""
    url = evidence.url
    try:
        response = transport.send(Request("GET", url, {"Accept": "application/json"}))
    except PullThroughError as exc:
        return dataclasses.replace(evidence, failure=Failure.from_error(exc))
    if response.status == 401:
        challenges = parse_challenges(response.headers.get("WWW-Authenticate", ""))
        response.close()
        realms = [challenge.parameters.get("realm", "") for challenge in challenges if challenge.scheme == "bearer"]
        return dataclasses.replace(evidence, realm=next(iter(realms), ""))
    if response.status == 200 and not is_html(response.headers, response.read(_MAX_SIZE).decode("utf-8", "replace")):
        return evidence
    if response.status == 200:
        return dataclasses.replace(evidence, failure=Failure("html", "the response is an HTML page."))
    return dataclasses.replace(evidence, failure=Failure.from_error(parse_error_response(response, url)))
