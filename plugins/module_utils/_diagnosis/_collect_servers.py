# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Collects how servers answer the controller, without credentials. Private to the collection."""

from __future__ import annotations

import dataclasses
import email.utils
import time
from urllib.parse import urlsplit

from ansible_collections.cgr.pull_through.plugins.module_utils._connection_errors import Proxy
from ansible_collections.cgr.pull_through.plugins.module_utils._credentials import Credentials
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._evidence import (
    PUBLIC_ORGANIZATION,
    ServerEvidence,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._findings import Result
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._pull_rules import Failure
from ansible_collections.cgr.pull_through.plugins.module_utils._diagnosis._tls import TlsSession, read_tls
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import PullThroughError, RequestError
from ansible_collections.cgr.pull_through.plugins.module_utils._html import is_html
from ansible_collections.cgr.pull_through.plugins.module_utils._http import (
    MAX_ERROR_SIZE,
    Request,
    StreamedResponse,
    Transport,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._auth import parse_challenges
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._client import Registry

# Free, and so small that it is a few requests away from its first layer.
_PUBLIC_IMAGE = f"{PUBLIC_ORGANIZATION}/wolfi-base"


def probe_host(transport: Transport, url: str) -> ServerEvidence:
    """Return whether a server responds to the controller, whether it is a registry, and its clock and TLS session."""
    evidence = ServerEvidence(requested_reference=url, host=urlsplit(url).netloc)
    try:
        response = transport.send(Request("GET", f"{url}/v2/"))
        response.close()
    except PullThroughError as exc:
        return _with_failure(evidence, exc, url)
    challenges = parse_challenges(response.headers.get("WWW-Authenticate", ""))
    is_registry = response.status == 401 and any(challenge.scheme == "bearer" for challenge in challenges)
    return dataclasses.replace(
        evidence,
        clock_difference=_clock_difference(response),
        is_registry=is_registry,
        tls=read_tls(url) if url.startswith("https:") else TlsSession(),
    )


def is_published(transport: Transport, registry_url: str, name: str) -> bool:
    """Return whether Chainguard publishes an image of this name for everybody. False if that is not known."""
    registry = Registry(registry_url, Credentials(), transport=transport)
    try:
        registry.get_manifest(f"{PUBLIC_ORGANIZATION}/{name}", "latest")
    except PullThroughError:
        return False
    return True


def describe_host(evidence: ServerEvidence, url: str) -> Result:
    """Return the result about a server."""
    proxy, tls = Proxy.from_environment(url), evidence.tls
    return {
        "url": url,
        "responds": evidence.failure.problem == "other",
        "message": evidence.failure.message,
        "proxy": proxy.name.removeprefix("the proxy ") if proxy else "",
        "tls_version": tls.version,
        "certificates": [dataclasses.asdict(certificate) for certificate in tls.certificates],
        "has_all_certificates": tls.is_complete,
        "clock_difference": round(evidence.clock_difference),
    }


def probe_blob_host(transport: Transport, registry_url: str) -> ServerEvidence | None:
    """Return why the controller cannot get a layer from where a registry stores it; None if it can, or if that is not known."""
    registry = Registry(registry_url, Credentials(), transport=transport)
    try:
        manifest = registry.get_manifest(_PUBLIC_IMAGE, "latest")
        for entry in manifest.entries[:1]:
            manifest = registry.get_manifest(_PUBLIC_IMAGE, entry.digest, entry)
        if manifest.config is not None:
            registry.probe_blob(_PUBLIC_IMAGE, manifest.config.digest)
    except RequestError as exc:
        host = urlsplit(exc.url).netloc
        if host != registry.host:
            evidence = ServerEvidence(requested_reference=_PUBLIC_IMAGE, host=host, blobs_of=registry.host)
            return _with_failure(evidence, exc, f"{urlsplit(exc.url).scheme}://{host}")
    except PullThroughError:
        pass  # it has no such image
    return None


def probe_interception(public_trust: Transport, url: str) -> ServerEvidence | None:
    """Return the evidence about a server that the public CAs do not verify; None for another one.

    public_trust: does not trust the CA that users name.
    """
    try:
        public_trust.send(Request("HEAD", url)).close()
    except PullThroughError as exc:
        evidence = ServerEvidence(requested_reference=url, host=urlsplit(url).netloc)
        evidence = _with_failure(evidence, exc, url)
        return evidence if evidence.issuer else None
    return None


def _with_failure(evidence: ServerEvidence, error: PullThroughError, url: str) -> ServerEvidence:
    tls = read_tls(url) if "certificate" in error.message else TlsSession()
    return dataclasses.replace(evidence, failure=Failure.from_error(error), tls=tls)


def allows_anonymous(transport: Transport, artifactory_url: str) -> bool:
    """Return whether Artifactory responds without credentials. False if that is not known."""
    try:
        response = transport.send(Request("GET", f"{artifactory_url}/artifactory/api/system/version"))
        body = response.read_start(MAX_ERROR_SIZE).decode("utf-8", "replace")
    except PullThroughError:
        return False
    return response.status == 200 and not is_html(response.headers, body)


def _clock_difference(response: StreamedResponse) -> float:
    try:
        return email.utils.parsedate_to_datetime(response.headers.get("Date", "")).timestamp() - time.time()
    except (TypeError, ValueError):
        return 0.0
