# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A registry: manifests and blobs, each verified by its digest while it is read. Private to the collection."""

from __future__ import annotations

import contextlib
import json
import time
import typing as t

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import Unusable
from ansible_collections.cgr.pull_through.plugins.module_utils._exchange import (
    ERROR_LIMIT,
    Counter,
    Exchange,
    Login,
    Origin,
    is_html,
    read_refusal,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._http import Answer, Transport, shown_url
from ansible_collections.cgr.pull_through.plugins.module_utils._patience import CircuitBreaker, patiently
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._auth import Authorizer
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._manifest import (
    ACCEPT,
    Descriptor,
    Manifest,
    parse_manifest,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._reference import (
    digest_of,
    hash_for,
    is_digest,
)

_MANIFEST_LIMIT = 4 << 20

Result = t.TypeVar("Result")


class Registry:
    """One registry under the URL that a container client uses, without a path. Safe to use from several threads.

    breaker: shared by all that reach the same server with the same login.
    """

    def __init__(
        self,
        base_url: str,
        login: Login,
        *,
        transport: Transport,
        breaker: CircuitBreaker | None = None,
        sleep: t.Callable[[float], None] = time.sleep,
        clock: t.Callable[[], float] = time.monotonic,
    ) -> None:
        self.base_url = base_url
        self.login = login
        self.counter = Counter()
        self._exchange = Exchange(base_url, transport, self.counter)
        self._auth = Authorizer(base_url, login, self._exchange, clock=clock)
        self._breaker = breaker or CircuitBreaker(login)
        self._sleep = sleep

    @property
    def host(self) -> str:
        """The host and port as they stand before an image's name."""
        return self.base_url.partition("://")[2]

    def manifest(self, name: str, reference: str, expected: Descriptor | None = None) -> Manifest:
        """Return the manifest or index with a tag or digest. expected: the descriptor that led to it.

        Raises Unanswered, DownloadRefused, Unusable, Skipped.
        """
        return self._tried(lambda: self._manifest(name, reference, expected))

    def blob(self, name: str, blob: Descriptor) -> None:
        """Fetch a blob and verify it, without keeping it. Raises as manifest() does."""
        self._tried(lambda: self._stream(name, blob, lambda chunk: None))

    def config(self, name: str, blob: Descriptor) -> dict[str, t.Any]:
        """Return an image's configuration, verified. Raises as manifest() does."""
        if blob.size > _MANIFEST_LIMIT:
            raise Unusable(
                "content", f"a configuration of {blob.size} bytes.", url=self._url(name, "blobs", blob.digest)
            )
        body = self._tried(lambda: self._collected(name, blob))
        try:
            document = json.loads(body)
        except ValueError:
            document = None
        return document if isinstance(document, dict) else {}

    def _tried(self, work: t.Callable[[], Result]) -> Result:
        return self._breaker.run(lambda: patiently(work, self._sleep))

    def _url(self, name: str, kind: str, reference: str) -> str:
        return f"{self.base_url}/v2/{name}/{kind}/{reference}"

    def _get(self, name: str, kind: str, reference: str, accept: str) -> tuple[Answer, str]:
        """Return an answer with status 200, and the URL that gave it; answer one challenge on the way."""
        url = self._url(name, kind, reference)
        authorization = self._auth.authorization(name)
        answer, final = self._exchange.get(url, accept=accept, authorization=authorization)
        if answer.status == 401 and Origin.of(final) == self._exchange.origin:
            renewed = self._auth.renewed(name, answer.headers.get("WWW-Authenticate", ""), refused=authorization)
            if renewed:
                answer.read(ERROR_LIMIT)
                answer, final = self._exchange.get(url, accept=accept, authorization=renewed)
        if answer.status != 200:
            raise read_refusal(answer, final)
        return answer, final

    def _manifest(self, name: str, reference: str, expected: Descriptor | None) -> Manifest:
        answer, final = self._get(name, "manifests", reference, ACCEPT)
        url = shown_url(final)
        body = answer.read(_MANIFEST_LIMIT + 1)
        self.counter.add(received=len(body))
        if is_html(answer, body[:80].decode("utf-8", "replace")):
            raise Unusable("html", "an HTML page instead of a manifest.", url=url)
        if len(body) > _MANIFEST_LIMIT:
            raise Unusable("content", f"a manifest of more than {_MANIFEST_LIMIT >> 20} MiB.", url=url)
        if expected is not None and len(body) != expected.size:
            raise Unusable("size", f"the manifest has {len(body)} bytes instead of {expected.size}.", url=url)
        digests = [one for one in (reference, answer.headers.get("Docker-Content-Digest", "")) if is_digest(one)]
        for digest in digests:
            if digest_of(body, like=digest) != digest:
                raise Unusable("digest", f"the manifest does not have the digest {digest}.", url=url)
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


def _mismatch(answer: Answer, url: str, reason: str, message: str) -> Unusable:
    """Return the error for a blob that is not what was promised, with what its headers tell of the cause."""
    if is_html(answer, ""):
        return Unusable("html", "an HTML page instead of a blob.", url=shown_url(url))
    encoding = answer.headers.get("Content-Encoding", "identity")
    hint = (
        ""
        if encoding == "identity"
        else f"A proxy on the way encodes contents ({encoding}): switch that off for the registry."
    )
    return Unusable(reason, message, url=shown_url(url), hint=hint)
