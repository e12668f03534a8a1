# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A registry: manifests and blobs, each verified by its digest while it is read. Private to the collection."""

from __future__ import annotations

import contextlib
import functools
import json
import re
import time
import typing as t
from urllib.parse import urlsplit

from ansible_collections.cgr.pull_through.plugins.module_utils._circuit_breaker import CircuitBreaker
from ansible_collections.cgr.pull_through.plugins.module_utils._credentials import Credentials
from ansible_collections.cgr.pull_through.plugins.module_utils._download import DownloadClient
from ansible_collections.cgr.pull_through.plugins.module_utils._download_errors import (
    MAX_ERROR_SIZE,
    parse_error_response,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import ContentProblem, InvalidContentError
from ansible_collections.cgr.pull_through.plugins.module_utils._html import is_html
from ansible_collections.cgr.pull_through.plugins.module_utils._http import StreamedResponse, Transport, redact_url
from ansible_collections.cgr.pull_through.plugins.module_utils._origin import Origin
from ansible_collections.cgr.pull_through.plugins.module_utils._rate_limit import Limits
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._auth import Authorizer
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._manifest import (
    ACCEPT,
    OCI_INDEX,
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
from ansible_collections.cgr.pull_through.plugins.module_utils._transfer_stats import TransferStats

_MANIFEST_LIMIT = 4 << 20
_MAX_PAGES = 20
# How registries and proxies answer to an API that they do not have.
_NO_API = (400, 403, 404, 405, 406, 501)
_NEXT = re.compile(r'<([^>]*)>\s*;[^,]*rel="?next"?')

Result = t.TypeVar("Result")


class Registry:
    """One registry under the URL that a container client uses, without a path. Safe to use from several threads.

    breaker: shared by all that reach the same server with the same login. limits: shared by the whole run.
    """

    def __init__(
        self,
        base_url: str,
        login: Credentials,
        *,
        transport: Transport,
        breaker: CircuitBreaker | None = None,
        limits: Limits | None = None,
        sleep: t.Callable[[float], None] = time.sleep,
        clock: t.Callable[[], float] = time.monotonic,
    ) -> None:
        self.base_url = base_url
        self.login = login
        self.counter = TransferStats()
        self._limits = limits or Limits()
        self._exchange = DownloadClient(base_url, transport, self.counter, self._limits)
        # Registries with equal endpoints serve the same content to the same user.
        self.endpoint = (base_url, login)
        self._clock = clock
        self._auth = Authorizer(base_url, login, self._exchange, clock=clock)
        self._breaker = breaker or CircuitBreaker(login)
        self._sleep = sleep

    @property
    def host(self) -> str:
        """The host and port as they stand before an image's name."""
        return self.base_url.partition("://")[2]

    def reset(self) -> None:
        """Drop tokens and counted failures, so that the next request logs in again."""
        self._auth = Authorizer(self.base_url, self.login, self._exchange, clock=self._clock)
        self._breaker.reset()

    def manifest(self, name: str, reference: str, expected: Descriptor | None = None) -> Manifest:
        """Return the manifest or index with a tag or digest. expected: the descriptor that led to it.

        Raises Unanswered, DownloadRefused, Unusable, Skipped.
        """
        return self._call_with_retry(lambda: self._manifest(name, reference, expected))

    def resolve(self, name: str, reference: str) -> Manifest:
        """Return digest, size and media type of a manifest or index, without its content. Raises as manifest() does."""
        return self._call_with_retry(lambda: self._head(name, reference)) or self.manifest(name, reference)

    def referrers(self, name: str, digest: str) -> list[Descriptor] | None:
        """Return what refers to a digest, such as signatures; None where the registry has no API for that.

        Raises as manifest() does.
        """
        found: list[Descriptor] = []
        query = ""
        for _page in range(_MAX_PAGES):
            page = self._call_with_retry(functools.partial(self._referrers, name, digest, query))
            if page is None:
                return None
            found += page[0].entries
            query = page[1]
            if not query:
                break
        return found

    def blob(self, name: str, blob: Descriptor) -> None:
        """Fetch a blob and verify it, without keeping it. Raises as manifest() does."""
        self._call_with_retry(lambda: self._stream(name, blob, lambda chunk: None))

    def config(self, name: str, blob: Descriptor) -> dict[str, t.Any]:
        """Return an image's configuration, verified. Raises as manifest() does."""
        if blob.size > _MANIFEST_LIMIT:
            raise InvalidContentError(
                "content", f"a configuration of {blob.size} bytes.", url=self._url(name, "blobs", blob.digest)
            )
        body = self._call_with_retry(lambda: self._collected(name, blob))
        try:
            document = json.loads(body)
        except ValueError:
            document = None
        return document if isinstance(document, dict) else {}

    def _call_with_retry(self, work: t.Callable[[], Result]) -> Result:
        return self._breaker.run(lambda: retry_download(work, self._sleep))

    def _url(self, name: str, kind: str, reference: str) -> str:
        return f"{self.base_url}/v2/{name}/{kind}/{reference}"

    def _ask(self, name: str, url: str, accept: str, method: str = "GET") -> tuple[StreamedResponse, str]:
        """Return an answer and the URL that gave it; answer one challenge on the way."""
        authorization = self._auth.authorization(name)
        answer, final = self._exchange.get(url, accept=accept, authorization=authorization, method=method)
        if answer.status == 401 and Origin.from_url(final) == self._exchange.origin:
            refresh = self._auth.refresh(name, answer.headers.get("WWW-Authenticate", ""), refused=authorization)
            if refresh:
                answer.read(MAX_ERROR_SIZE)
                answer, final = self._exchange.get(url, accept=accept, authorization=refresh, method=method)
        return answer, final

    def _get(self, name: str, kind: str, reference: str, accept: str) -> tuple[StreamedResponse, str]:
        """Return an answer with status 200, and the URL that gave it."""
        answer, final = self._ask(name, self._url(name, kind, reference), accept)
        if answer.status != 200:
            raise parse_error_response(answer, final)
        return answer, final

    def _head(self, name: str, reference: str) -> Manifest | None:
        """Return what HEAD tells of a manifest; None if it does not: a refusal without a body explains nothing."""
        answer, _final = self._ask(name, self._url(name, "manifests", reference), ACCEPT, "HEAD")
        answer.read(MAX_ERROR_SIZE)  # there is none, but only then the connection is kept
        digest, size = answer.headers.get("Docker-Content-Digest", ""), answer.headers.get("Content-Length", "")
        # By digest, that it is there says nothing new of its content.
        if answer.status != 200 or not is_digest(digest) or (is_digest(reference) and digest != reference):
            return None
        media_type = answer.headers.get("Content-Type", "").partition(";")[0].strip()
        return Manifest(digest, int(size) if size.isdigit() else 0, media_type)

    def _referrers(self, name: str, digest: str, query: str) -> tuple[Manifest, str] | None:
        """Return a page of the referrers and the query of the next; None where there is no such API."""
        url = self._url(name, "referrers", digest) + query
        answer, final = self._ask(name, url, OCI_INDEX)
        if answer.status != 200:
            refusal = parse_error_response(answer, final)
            if answer.status in _NO_API:
                return None
            raise refusal
        body = answer.read(_MANIFEST_LIMIT)
        self.counter.add(received=len(body))
        # Through some proxies the path of the link is wrong, so only its query is taken.
        link = _NEXT.search(answer.headers.get("Link", ""))
        following = urlsplit(link[1]).query if link else ""
        page = parse_manifest(body, OCI_INDEX, digest=digest_of(body), url=redact_url(final))
        return page, f"?{following}" if following else ""

    def _manifest(self, name: str, reference: str, expected: Descriptor | None) -> Manifest:
        answer, final = self._get(name, "manifests", reference, ACCEPT)
        url = redact_url(final)
        body = answer.read(_MANIFEST_LIMIT + 1)
        self.counter.add(received=len(body))
        if is_html(answer.headers, body[:80].decode("utf-8", "replace")):
            raise InvalidContentError("html", "an HTML page instead of a manifest.", url=url)
        if len(body) > _MANIFEST_LIMIT:
            raise InvalidContentError("content", f"a manifest of more than {_MANIFEST_LIMIT >> 20} MiB.", url=url)
        if expected is not None and len(body) != expected.size:
            raise InvalidContentError(
                "size", f"the manifest has {len(body)} bytes instead of {expected.size}.", url=url
            )
        digests = [one for one in (reference, answer.headers.get("Docker-Content-Digest", "")) if is_digest(one)]
        for digest in digests:
            if digest_of(body, like=digest) != digest:
                raise InvalidContentError("digest", f"the manifest does not have the digest {digest}.", url=url)
        return parse_manifest(
            body, answer.headers.get("Content-Type", ""), digest=(digests or [digest_of(body)])[0], url=url
        )

    def _stream(self, name: str, blob: Descriptor, sink: t.Callable[[bytes], object]) -> None:
        answer, final = self._get(name, "blobs", blob.digest, "application/octet-stream")
        hashed, size = hash_for(blob.digest), 0
        with contextlib.closing(answer):
            for chunk in answer.chunks():
                size += len(chunk)
                self.counter.add(received=len(chunk))
                self._limits.received(len(chunk))
                if size > blob.size:
                    raise _mismatch(
                        answer, final, "size", f"the blob has more than the {blob.size} bytes of its manifest."
                    )
                hashed.update(chunk)
                sink(chunk)
        if size != blob.size:
            raise _mismatch(answer, final, "size", f"the blob has {size} bytes instead of {blob.size}.")
        if not blob.digest.endswith(f":{hashed.hexdigest()}"):
            raise _mismatch(answer, final, "digest", "the blob does not have the digest that it was asked for with.")

    def _collected(self, name: str, blob: Descriptor) -> bytes:
        body = bytearray()
        self._stream(name, blob, body.extend)
        return bytes(body)


def _mismatch(answer: StreamedResponse, url: str, reason: ContentProblem, message: str) -> InvalidContentError:
    """Return the error for a blob that is not what was promised, with what its headers tell of the cause."""
    if is_html(answer.headers, ""):
        return InvalidContentError("html", "an HTML page instead of a blob.", url=redact_url(url))
    encoding = answer.headers.get("Content-Encoding", "identity")
    hint = (
        ""
        if encoding == "identity"
        else f"A proxy on the way encodes contents ({encoding}): switch that off for the registry."
    )
    return InvalidContentError(reason, message, url=redact_url(url), hint=hint)
