# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A client for a registry, which verifies manifests and blobs by their digests while it reads them. Private to the collection."""

from __future__ import annotations

import contextlib
import functools
import re
import time
import typing as t
from urllib.parse import urlsplit

from ansible_collections.cgr.pull_through.plugins.module_utils._circuit_breaker import CircuitBreaker
from ansible_collections.cgr.pull_through.plugins.module_utils._credentials import Credentials
from ansible_collections.cgr.pull_through.plugins.module_utils._download import DownloadClient
from ansible_collections.cgr.pull_through.plugins.module_utils._download_errors import parse_error_response
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import ContentProblem, InvalidContentError
from ansible_collections.cgr.pull_through.plugins.module_utils._html import is_html
from ansible_collections.cgr.pull_through.plugins.module_utils._http import (
    MAX_ERROR_SIZE,
    StreamedResponse,
    Transport,
    redact_url,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._json_document import parse_json
from ansible_collections.cgr.pull_through.plugins.module_utils._origin import Origin
from ansible_collections.cgr.pull_through.plugins.module_utils._rate_limit import Limits
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._auth import Authorizer
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._manifest import (
    ACCEPT,
    OCI_INDEX,
    PLATFORM,
    Descriptor,
    Manifest,
    parse_manifest,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._reference import (
    digest_of,
    hash_for,
    is_digest,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._retry import retry_download
from ansible_collections.cgr.pull_through.plugins.module_utils._shape import NUMBER, Listing, has_shape
from ansible_collections.cgr.pull_through.plugins.module_utils._transfer_stats import TransferStats

_MAX_MANIFEST_SIZE = 4 << 20
_MAX_PAGES = 20
_MAX_REFERRERS = 10_000
# How registries and proxies respond to requests for an API that they do not have.
_MISSING_API_STATUSES = (400, 403, 404, 405, 406, 501)
_MAX_LINK = 8192

Result = t.TypeVar("Result")


class Registry:
    """A registry at the URL that container clients use, which has no path. Thread-safe.

    breaker: shared by all clients with the same server and credentials. limits: shared by the whole run.
    token_service_hosts: see Authorizer.
    """

    def __init__(
        self,
        base_url: str,
        credentials: Credentials,
        *,
        transport: Transport,
        breaker: CircuitBreaker | None = None,
        limits: Limits | None = None,
        token_service_hosts: t.Collection[str] = (),
        sleep: t.Callable[[float], None] = time.sleep,
        clock: t.Callable[[], float] = time.monotonic,
    ) -> None:
        self.base_url = base_url
        self.credentials = credentials
        # Registries with equal endpoints return the same content.
        self.endpoint = (base_url, credentials)
        self.stats = TransferStats()
        self._limits = limits or Limits()
        self._client = DownloadClient(base_url, transport, self.stats, self._limits)
        self._create_authorizer = functools.partial(
            Authorizer, base_url, credentials, self._client, token_service_hosts=token_service_hosts, clock=clock
        )
        self._authorizer = self._create_authorizer()
        self._breaker = breaker or CircuitBreaker(credentials)
        self._sleep = sleep

    @property
    def host(self) -> str:
        """Host and port, as in the reference of an image."""
        return self.base_url.partition("://")[2]

    def reset(self) -> None:
        """Drop tokens and counted failures, so that the next request logs in again."""
        self._authorizer = self._create_authorizer()
        self._breaker.reset()

    def get_manifest(self, name: str, reference: str, expected: Descriptor | None = None) -> Manifest:
        """Return the manifest or index with a tag or digest. expected: the descriptor that led to it.

        Raises TransportError, DownloadError, InvalidContentError, SkippedError, LimitExceededError.
        """
        return self._call_with_retry(lambda: self._read_manifest(name, reference, expected))

    def resolve(self, name: str, reference: str) -> Manifest:
        """Return digest, size and media type of a manifest or index. Raises the same exceptions as get_manifest()."""
        manifest = self._call_with_retry(lambda: self._read_head(name, reference))
        return manifest or self.get_manifest(name, reference)

    def list_referrers(self, name: str, digest: str) -> list[Descriptor] | None:
        """Return the referrers of a digest, such as signatures; None if the registry does not have the API.

        Raises the same exceptions as get_manifest().
        """
        referrers: list[Descriptor] = []
        url = self._url(name, "referrers", digest)
        listing = Listing("referrers", url, max_pages=_MAX_PAGES, max_entries=_MAX_REFERRERS)
        query = ""
        while True:
            page = self._call_with_retry(functools.partial(self._read_referrers, name, digest, query))
            if page is None:
                return None
            referrers += page[0].entries
            query = page[1]
            listing.add(len(page[0].entries), query)
            if not query:
                return referrers

    def download_blob(self, name: str, blob: Descriptor) -> None:
        """Download and verify a blob, and discard it. Raises the same exceptions as get_manifest()."""
        self._call_with_retry(lambda: self._stream_blob(name, blob, lambda chunk: None))

    def probe_blob(self, name: str, digest: str) -> None:
        """Request a blob once, and do not read it. Raises TransportError, DownloadError."""
        response, _final_url = self._get(name, "blobs", digest, "application/octet-stream")
        response.close()

    def get_config(self, name: str, blob: Descriptor) -> dict[str, t.Any]:
        """Return the verified configuration of an image. Raises the same exceptions as get_manifest()."""
        if blob.size > _MAX_MANIFEST_SIZE:
            message = f"the configuration is larger than {_MAX_MANIFEST_SIZE >> 20} MiB: {blob.size} bytes."
            raise InvalidContentError("content", message, url=self._url(name, "blobs", blob.digest))
        body = self._call_with_retry(lambda: self._read_blob(name, blob))
        try:
            document = parse_json(body)
        except ValueError:
            document = None
        return document if has_shape(document, PLATFORM) else {}

    def _call_with_retry(self, work: t.Callable[[], Result]) -> Result:
        return self._breaker.run(lambda: retry_download(work, self._wait))

    def _wait(self, seconds: float) -> None:
        """Wait before a retry, but not longer than the run may take."""
        self._sleep(self._limits.shorten(seconds))

    def _url(self, name: str, kind: str, reference: str) -> str:
        return f"{self.base_url}/v2/{name}/{kind}/{reference}"

    def _send(self, name: str, url: str, accept: str, method: str = "GET") -> tuple[StreamedResponse, str]:
        """Return a response and its URL after redirects. Respond to one challenge."""
        authorization = self._authorizer.authorization(name)
        response, final_url = self._client.get(url, accept=accept, authorization=authorization, method=method)
        if response.status == 401 and Origin.from_url(final_url) == self._client.origin:
            header = response.headers.get("WWW-Authenticate", "")
            refreshed = self._authorizer.refresh(name, header, rejected=authorization)
            if refreshed:
                response.read_start(MAX_ERROR_SIZE)  # only then the connection can be reused
                response, final_url = self._client.get(url, accept=accept, authorization=refreshed, method=method)
        return response, final_url

    def _get(self, name: str, kind: str, reference: str, accept: str) -> tuple[StreamedResponse, str]:
        """Return a response with status 200, and its URL after redirects."""
        response, final_url = self._send(name, self._url(name, kind, reference), accept)
        if response.status in (401, 403) and (error := self._authorizer.denied_error(response.status, final_url)):
            response.close()
            raise error
        if response.status != 200:
            raise parse_error_response(response, final_url)
        return response, final_url

    def _read_head(self, name: str, reference: str) -> Manifest | None:
        """Return a manifest from the headers of HEAD; None if they are not enough, or if HEAD failed.

        An error response without a body has no message, so the caller sends GET then.
        """
        response, _final_url = self._send(name, self._url(name, "manifests", reference), ACCEPT, "HEAD")
        response.read_start(MAX_ERROR_SIZE)  # only then the connection can be reused
        digest, size = response.headers.get("Docker-Content-Digest", ""), response.headers.get("Content-Length", "")
        # A digest that differs from the requested one is not verified, as there is no content.
        if response.status != 200 or not is_digest(digest) or (is_digest(reference) and digest != reference):
            return None
        media_type = response.headers.get("Content-Type", "").partition(";")[0].strip()
        return Manifest(digest, int(size) if NUMBER.fullmatch(size) else 0, media_type)

    def _read_referrers(self, name: str, digest: str, query: str) -> tuple[Manifest, str] | None:
        """Return a page of the referrers and the query of the next page; None if the API is missing."""
        response, final_url = self._send(name, self._url(name, "referrers", digest) + query, OCI_INDEX)
        if response.status != 200:
            error = parse_error_response(response, final_url)
            if response.status in _MISSING_API_STATUSES:
                return None
            raise error
        body = response.read(_MAX_MANIFEST_SIZE)
        self.stats.add(received=len(body))
        # Some proxies return a link with a wrong path, so only its query is used.
        next_query = _next_query(response.headers.get("Link", ""))
        page = parse_manifest(body, OCI_INDEX, digest=digest_of(body), url=redact_url(final_url))
        return page, f"?{next_query}" if next_query else ""

    def _read_manifest(self, name: str, reference: str, expected: Descriptor | None) -> Manifest:
        response, final_url = self._get(name, "manifests", reference, ACCEPT)
        url = redact_url(final_url)
        body = response.read(_MAX_MANIFEST_SIZE)
        self.stats.add(received=len(body))
        if is_html(response.headers, body[:80].decode("utf-8", "replace")):
            raise InvalidContentError("html", "the response is an HTML page instead of a manifest.", url=url)
        if expected is not None and len(body) != expected.size:
            message = f"the manifest has {len(body)} bytes instead of {expected.size}."
            raise InvalidContentError("size", message, url=url)
        digests = list(filter(is_digest, (reference, response.headers.get("Docker-Content-Digest", ""))))
        for digest in digests:
            if digest_of(body, like=digest) != digest:
                raise InvalidContentError("digest", f"the manifest does not match the digest {digest}.", url=url)
        digest = digests[0] if digests else digest_of(body)
        return parse_manifest(body, response.headers.get("Content-Type", ""), digest=digest, url=url)

    def _stream_blob(self, name: str, blob: Descriptor, sink: t.Callable[[bytes], object]) -> None:
        response, final_url = self._get(name, "blobs", blob.digest, "application/octet-stream")
        content_hash, size = hash_for(blob.digest), 0
        with contextlib.closing(response):
            for chunk in response.chunks():
                size += len(chunk)
                self.stats.add(received=len(chunk))
                self._limits.throttle(len(chunk))
                if size > blob.size:
                    message = f"the blob has more than the {blob.size} bytes in its manifest."
                    raise _mismatch(response, final_url, "size", message)
                content_hash.update(chunk)
                sink(chunk)
        if size != blob.size:
            raise _mismatch(response, final_url, "size", f"the blob has {size} bytes instead of {blob.size}.")
        if not blob.digest.endswith(f":{content_hash.hexdigest()}"):
            raise _mismatch(response, final_url, "digest", "the blob does not match its digest.")

    def _read_blob(self, name: str, blob: Descriptor) -> bytes:
        body = bytearray()
        self._stream_blob(name, blob, body.extend)
        return bytes(body)


def _next_query(header: str) -> str:
    """Return the query of the next page in a Link header. Empty without one."""
    for link in header[:_MAX_LINK].split("<")[1:]:
        target, bracket, parameters = link.partition(">")
        if bracket and re.search(r'\brel="?next\b', parameters.partition(",")[0]):
            try:
                return urlsplit(target).query
            except ValueError:
                return ""
    return ""


def _mismatch(response: StreamedResponse, url: str, reason: ContentProblem, message: str) -> InvalidContentError:
    """Return the error for a blob that does not match its descriptor."""
    if is_html(response.headers):
        return InvalidContentError("html", "the response is an HTML page instead of a blob.", url=redact_url(url))
    encoding = response.headers.get("Content-Encoding", "identity")
    hint = ""
    if encoding != "identity":
        hint = f"A proxy encodes the content ({encoding}). Disable that for the registry."
    return InvalidContentError(reason, message, url=redact_url(url), hint=hint)
