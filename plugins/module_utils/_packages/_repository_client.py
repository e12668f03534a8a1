# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One place that files come from, directly or through Artifactory. Private to the collection.

Each file is verified while it is read, and not kept.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import time
import typing as t
from urllib.parse import unquote, urlsplit

from ansible_collections.cgr.pull_through.plugins.module_utils._download import (
    Credentials,
    DownloadClient,
    DownloadError,
    Origin,
    TransferStats,
    is_html,
    parse_error_response,
    redirect_error,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import InvalidContentError
from ansible_collections.cgr.pull_through.plugins.module_utils._http import StreamedResponse, Transport, redact_url
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._model import (
    Checksum,
    DownloadedFile,
    RemoteFile,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._retry import CircuitBreaker, retry

JSON = "application/json"
_FILE = "application/octet-stream"
_INDEX_LIMIT = 64 << 20
_KEPT_LIMIT = 4 << 20
_HEAD = 256
_MISSING = (404, 410)

Result = t.TypeVar("Result")


@dataclasses.dataclass(frozen=True)
class Document:
    """An index or another document that was read whole. url is the one that gave it, after redirects."""

    body: bytes
    url: str


class RepositoryClient:
    """One place that files come from. Safe to use from several threads.

    root: the URL that a client of the ecosystem is configured with.
    home: for Artifactory, what all URLs of the repository begin with. Empty for another place.
    breaker: shared by all that reach the same server with the same login.
    """

    def __init__(
        self,
        root: str,
        login: Credentials,
        *,
        transport: Transport,
        repository_url: str = "",
        breaker: CircuitBreaker | None = None,
        sleep: t.Callable[[float], None] = time.sleep,
    ) -> None:
        self.root = root
        self.login = login
        self.counter = TransferStats()
        self._repository_url = repository_url
        self._exchange = DownloadClient(root, transport, self.counter)
        self._breaker = breaker or CircuitBreaker(login)
        self._sleep = sleep

    @property
    def host(self) -> str:
        """Host and port."""
        return urlsplit(self.root).netloc

    def path(self, url: str) -> str:
        """Return a URL below the root as a path relative to it."""
        return unquote(urlsplit(url).path).removeprefix(unquote(urlsplit(self.root).path)).lstrip("/")

    def rewrite_url(self, url: str) -> str:
        """Return a URL that an index names, as it is to be fetched. Raises Unusable for one that leads elsewhere.

        Artifactory writes such URLs with the base URL that its administrator set, which can be another of its names.
        """
        if not self._repository_url:
            if why := redirect_error(self._exchange.origin, url):
                raise InvalidContentError("elsewhere", f"the index leads to {redact_url(url)}: {why}.", url=self.root)
            return url
        # Another API of Artifactory can serve a file of the repository, such as NuGet's of version 2.
        same, key = Origin.of(self.root), self._repository_url.rpartition("/")[2]
        if url.startswith(f"{self._repository_url}/") or (_origin(url) == same and f"/{key}/" in urlsplit(url).path):
            return url
        marker = "/api/" + self._repository_url.partition("/artifactory/api/")[2] + "/"
        _host, found, rest = url.partition(marker)
        if not found:
            raise InvalidContentError(
                "elsewhere", f"the index leads to {redact_url(url)}, past Artifactory.", url=self.root
            )
        return f"{self._repository_url}/{rest}"

    def document(self, url: str, accept: str, *, html: bool = False) -> Document:
        """Return a document. html: whether it is one. Raises Unanswered, DownloadRefused, Unusable, Skipped."""
        return self._call_with_retry(lambda: self._document(url, accept, html))

    def json(self, url: str, accept: str = JSON) -> dict[str, t.Any]:
        """Return a JSON object. Raises as document() does."""
        document = self.document(url, accept)
        try:
            found = json.loads(document.body)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise InvalidContentError("content", "an index that is no JSON object.", url=redact_url(document.url))
        return found

    def get_document_or_none(self, url: str, accept: str) -> Document | None:
        """Return a document, or None if there is none. Raises as document() does."""
        try:
            return self.document(url, accept)
        except DownloadError as exc:
            if exc.status not in _MISSING:
                raise
        return None

    def fetch(self, file: RemoteFile) -> DownloadedFile:
        """Fetch a file and verify it by all that is promised of it. Raises as document() does."""
        fetched = self._call_with_retry(lambda: self._stream(file))
        for algorithm, url in file.checksum_urls:
            # As clients do, the checksum comes after the file.
            document = self.get_document_or_none(url, "text/plain")
            if document is not None:
                self._compare(fetched, algorithm, document)
                return dataclasses.replace(fetched, expected_checksums=(*fetched.expected_checksums, algorithm))
        return fetched

    def _call_with_retry(self, work: t.Callable[[], Result]) -> Result:
        return self._breaker.run(lambda: retry(work, self._sleep))

    def _get(self, url: str, accept: str) -> tuple[StreamedResponse, str]:
        answer, final = self._exchange.get(url, accept=accept, authorization=self.login.authorization)
        if answer.status != 200:
            raise parse_error_response(answer, final)
        return answer, final

    def _document(self, url: str, accept: str, html: bool) -> Document:
        answer, final = self._get(url, accept)
        body = answer.read(_INDEX_LIMIT + 1)
        self.counter.add(received=len(body))
        if len(body) > _INDEX_LIMIT:
            raise InvalidContentError(
                "content", f"an index of more than {_INDEX_LIMIT >> 20} MiB.", url=redact_url(final)
            )
        if not html and is_html(answer, body[:_HEAD].decode("utf-8", "replace")):
            raise self._web_page(answer, final)
        return Document(body, final)

    def _stream(self, file: RemoteFile) -> DownloadedFile:
        answer, final = self._get(file.url, _FILE)
        wanted = {"sha1", "sha256"}.union(promise.algorithm for promise in file.expected_checksums)
        hashes = {algorithm: hashlib.new(algorithm, usedforsecurity=False) for algorithm in wanted}
        content_verifier = file.content_verifier() if file.content_verifier else None
        size, kept = 0, bytearray()
        with contextlib.closing(answer):
            for chunk in answer.chunks():
                if not size and is_html(answer, chunk[:_HEAD].decode("utf-8", "replace")):
                    raise self._web_page(answer, final)
                size += len(chunk)
                self.counter.add(received=len(chunk))
                for hashed in hashes.values():
                    hashed.update(chunk)
                if content_verifier:
                    content_verifier.update(chunk)
                if file.next_files and size <= _KEPT_LIMIT:
                    kept += chunk
        digests = {algorithm: hashed.hexdigest() for algorithm, hashed in hashes.items()}
        if file.size not in (None, size):
            raise _mismatch(answer, final, "size", f"{file.name} has {size} bytes instead of {file.size}.")
        self._check(answer, final, file, digests)
        if content_verifier and (error := content_verifier.error()):
            raise _mismatch(answer, final, "digest", f"{file.name}: {error}.")
        expected_checksums = tuple(promise.algorithm for promise in file.expected_checksums) + (
            ("apk",) if content_verifier else ()
        )
        return DownloadedFile(file, size, digests, expected_checksums, bytes(kept))

    def _check(self, answer: StreamedResponse, url: str, file: RemoteFile, digests: t.Mapping[str, str]) -> None:
        for promise in file.expected_checksums:
            if digests[promise.algorithm] != promise.value:
                raise _mismatch(
                    answer, url, "digest", f"{file.name} does not have the {promise.algorithm} that the index promises."
                )
        # Artifactory sends along what it stored. Where that differs, something on the way changed the content.
        told = answer.headers.get("X-Checksum-Sha256", "")
        if told and told.lower() != digests["sha256"]:
            raise _mismatch(answer, url, "digest", f"{file.name} does not have the sha256 that Artifactory sent along.")

    def _compare(self, fetched: DownloadedFile, algorithm: str, document: Document) -> None:
        words = document.body[:_HEAD].decode("utf-8", "replace").split()
        promise = Checksum.of(algorithm, words[0]) if words else None
        if promise is None:
            raise InvalidContentError(
                "content", f"a file without a {algorithm} checksum.", url=redact_url(document.url)
            )
        if fetched.digests[algorithm] != promise.value:
            message = f"{fetched.file.name} does not have the {algorithm} that is served beside it."
            raise InvalidContentError("digest", message, url=redact_url(document.url))

    def _web_page(self, answer: StreamedResponse, url: str) -> InvalidContentError:
        """Return the error for a web page in place of what was asked for, which Artifactory itself may have kept."""
        kept = bool(self._repository_url) and any(
            name.lower().startswith(("x-artifactory", "x-jfrog")) for name in answer.headers
        )
        return InvalidContentError(
            "kept_html" if kept else "html", "a web page in place of the file.", url=redact_url(url)
        )


def _origin(url: str) -> Origin | None:
    try:
        return Origin.of(url)
    except ValueError:
        return None


def _mismatch(answer: StreamedResponse, url: str, reason: str, message: str) -> InvalidContentError:
    encoding = answer.headers.get("Content-Encoding", "identity")
    hint = "" if encoding == "identity" else f"A proxy on the way encodes contents ({encoding}): switch that off."
    return InvalidContentError(reason, message, url=redact_url(url), hint=hint)
