# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Downloads of indexes and files from one repository, direct or through Artifactory. Private to the collection.

Each file is verified while it is read, and is not stored.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import re
import time
import typing as t
from urllib.parse import unquote, urlsplit

from ansible_collections.cgr.pull_through.plugins.module_utils._circuit_breaker import CircuitBreaker
from ansible_collections.cgr.pull_through.plugins.module_utils._credentials import Credentials
from ansible_collections.cgr.pull_through.plugins.module_utils._download import DownloadClient
from ansible_collections.cgr.pull_through.plugins.module_utils._download_errors import (
    DownloadError,
    parse_error_response,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._errors import ContentProblem, InvalidContentError
from ansible_collections.cgr.pull_through.plugins.module_utils._html import is_html
from ansible_collections.cgr.pull_through.plugins.module_utils._http import StreamedResponse, Transport, redact_url
from ansible_collections.cgr.pull_through.plugins.module_utils._json_document import parse_json
from ansible_collections.cgr.pull_through.plugins.module_utils._origin import Origin, origin_of, redirect_error
from ansible_collections.cgr.pull_through.plugins.module_utils._packages._model import (
    Checksum,
    DownloadedFile,
    RemoteFile,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._retry import retry_download
from ansible_collections.cgr.pull_through.plugins.module_utils._shape import ShapeError, validate_shape
from ansible_collections.cgr.pull_through.plugins.module_utils._transfer_stats import TransferStats

JSON = "application/json"
MAX_DOCUMENT_SIZE = 32 << 20  # of one package
_ANY_FILE = "application/octet-stream"
_MAX_CHECKSUM_SIZE = 64 << 10
_MAX_BODY_SIZE = 4 << 20  # of a file with next_files
_HEAD_SIZE = 256
_MAX_CHECKSUM_LINE = 1024
_NOT_FOUND_STATUSES = (404, 410)

Result = t.TypeVar("Result")


class Document(t.NamedTuple):
    """An index or another document. url: after redirects."""

    body: bytes
    url: str

    def error(self, message: str) -> InvalidContentError:
        """Return the error for content that is not valid."""
        return InvalidContentError("content", message, url=redact_url(self.url))


class RepositoryClient:
    """Downloads from one repository. Thread-safe.

    base_url: the URL that clients of the ecosystem are configured with.
    repository_url: for Artifactory, the prefix of all URLs of the repository; otherwise empty.
    breaker: shared by all clients with the same server and credentials.
    """

    def __init__(
        self,
        base_url: str,
        credentials: Credentials,
        *,
        transport: Transport,
        repository_url: str = "",
        breaker: CircuitBreaker | None = None,
        sleep: t.Callable[[float], None] = time.sleep,
    ) -> None:
        self.base_url = base_url
        self.credentials = credentials
        self.stats = TransferStats()
        self._repository_url = repository_url
        self._download = DownloadClient(base_url, transport, self.stats)
        self._breaker = breaker or CircuitBreaker(credentials)
        self._sleep = sleep

    @property
    def host(self) -> str:
        """Host and port."""
        return urlsplit(self.base_url).netloc

    def reset(self) -> None:
        """Drop counted failures, so that the next request is sent."""
        self._breaker.reset()

    def relative_path(self, url: str) -> str:
        """Return the path of a URL below the base URL."""
        return unquote(urlsplit(url).path).removeprefix(unquote(urlsplit(self.base_url).path)).lstrip("/")

    def rewrite_url(self, url: str) -> str:
        """Return the URL to fetch for a URL in an index.

        Artifactory writes URLs with its Custom Base URL, which can differ from the URL that the user set. Raises
        InvalidContentError if the URL leads out of the repository.
        """
        if not self._repository_url:
            if error := redirect_error(self._download.origin, url):
                raise self._outside_repository(f"the index leads to {redact_url(url)}: {error}.")
            return url
        if _has_dot_segments(url):
            raise self._outside_repository(f"the index leads to {redact_url(url)}, a path that is not normalized.")
        if self._is_in_repository(url):
            return url
        api_path = "/api/" + self._repository_url.partition("/artifactory/api/")[2] + "/"
        _base, separator, path = url.partition(api_path)
        if not separator:
            raise self._outside_repository(f"the index leads to {redact_url(url)}, which bypasses Artifactory.")
        return f"{self._repository_url}/{path}"

    def _is_in_repository(self, url: str) -> bool:
        """Return whether a URL has the origin and the key of the repository.

        Another API of Artifactory can serve files of the repository, such as NuGet's version 2.
        """
        prefix, _separator, path = self._repository_url.partition("/artifactory/")
        pattern = rf"{re.escape(urlsplit(prefix).path)}/artifactory/(api/[a-z]+/(v[0-9]+/)?)?{re.escape(path.rpartition('/')[2])}/"
        is_same_origin = origin_of(url) == Origin.from_url(self.base_url)
        return is_same_origin and re.match(pattern, urlsplit(url).path) is not None

    def get_document(
        self, url: str, accept: str, *, allow_html: bool = False, limit: int = MAX_DOCUMENT_SIZE
    ) -> Document:
        """Return a document. limit: its maximum size in bytes.

        Raises TransportError, DownloadError, InvalidContentError, and SkippedError.
        """
        return self._call_with_retry(lambda: self._read_document(url, accept, allow_html, limit))

    def get_json(self, url: str, shape: t.Any, accept: str = JSON) -> dict[str, t.Any]:
        """Return a JSON object. shape: see _shape.py. Raises the same exceptions as get_document()."""
        document = self.get_document(url, accept)
        try:
            content: dict[str, t.Any] = parse_json(document.body)
        except ValueError as exc:
            raise document.error(f"the index is not a valid JSON document ({exc}).") from exc
        try:
            validate_shape(content, shape)
        except ShapeError as exc:
            raise document.error(f"the index is something else than documented: {exc}.") from exc
        return content

    def get_document_or_none(self, url: str, accept: str, *, limit: int = MAX_DOCUMENT_SIZE) -> Document | None:
        """Return a document, or None if it does not exist. Raises the same exceptions as get_document()."""
        try:
            return self.get_document(url, accept, limit=limit)
        except DownloadError as exc:
            if exc.status not in _NOT_FOUND_STATUSES:
                raise
        return None

    def fetch(self, file: RemoteFile) -> DownloadedFile:
        """Fetch and verify a file. Raises the same exceptions as get_document()."""
        downloaded = self._call_with_retry(lambda: self._read_file(file))
        for algorithm, url in file.checksum_urls:
            # Clients also request the checksum after the file.
            document = self.get_document_or_none(url, "text/plain", limit=_MAX_CHECKSUM_SIZE)
            if document is not None:
                _verify_checksum_file(downloaded, algorithm, document)
                return dataclasses.replace(downloaded, verified_checksums=(*downloaded.verified_checksums, algorithm))
        return downloaded

    def _call_with_retry(self, work: t.Callable[[], Result]) -> Result:
        return self._breaker.run(lambda: retry_download(work, self._sleep))

    def _get(self, url: str, accept: str) -> tuple[StreamedResponse, str]:
        response, final_url = self._download.get(url, accept=accept, authorization=self.credentials.authorization)
        if response.status != 200:
            raise parse_error_response(response, final_url)
        return response, final_url

    def _read_document(self, url: str, accept: str, allow_html: bool, limit: int) -> Document:
        response, final_url = self._get(url, accept)
        body = response.read(limit)
        self.stats.add(received=len(body))
        if not allow_html:
            self._reject_html(response, body, final_url)
        return Document(body, final_url)

    def _read_file(self, file: RemoteFile) -> DownloadedFile:
        response, final_url = self._get(file.url, _ANY_FILE)
        algorithms = {"sha1", "sha256"}.union(checksum.algorithm for checksum in file.expected_checksums)
        hashes = {algorithm: hashlib.new(algorithm, usedforsecurity=False) for algorithm in algorithms}
        content_verifier = file.content_verifier() if file.content_verifier else None
        size, body = 0, bytearray()
        with contextlib.closing(response):
            for chunk in response.chunks():
                if not size:
                    self._reject_html(response, chunk, final_url)
                size += len(chunk)
                if file.size is not None and size > file.size:
                    raise _mismatch(
                        response, final_url, "size", f"{file.name} has at least {size} bytes instead of {file.size}."
                    )
                self.stats.add(received=len(chunk))
                for content_hash in hashes.values():
                    content_hash.update(chunk)
                if content_verifier:
                    content_verifier.update(chunk)
                if file.next_files and size <= _MAX_BODY_SIZE:
                    body += chunk
        digests = {algorithm: content_hash.hexdigest() for algorithm, content_hash in hashes.items()}
        if file.size not in (None, size):
            raise _mismatch(response, final_url, "size", f"{file.name} has {size} bytes instead of {file.size}.")
        _verify_digests(response, final_url, file, digests)
        verified_checksums = tuple(checksum.algorithm for checksum in file.expected_checksums)
        if content_verifier:
            if error := content_verifier.error():
                raise _mismatch(response, final_url, "digest", f"{file.name}: {error}.")
            verified_checksums += ("apk",)
        return DownloadedFile(file, size, digests, verified_checksums, bytes(body))

    def _reject_html(self, response: StreamedResponse, body: bytes, url: str) -> None:
        """Raise InvalidContentError if the body is an HTML page, which Artifactory may have cached."""
        if not is_html(response.headers, body[:_HEAD_SIZE].decode("utf-8", "replace")):
            return
        is_from_artifactory = any(name.lower().startswith(("x-artifactory", "x-jfrog")) for name in response.headers)
        raise InvalidContentError(
            "html_cached" if self._repository_url and is_from_artifactory else "html",
            "an HTML page instead of the file.",
            url=redact_url(url),
        )

    def _outside_repository(self, message: str) -> InvalidContentError:
        return InvalidContentError("outside_repository", message, url=self.base_url)


def _has_dot_segments(url: str) -> bool:
    """Return whether a server could resolve the path of a URL to another one. An encoded slash can be part of a name."""
    try:
        path = unquote(urlsplit(url).path)
    except ValueError:
        return True
    return not {".", ".."}.isdisjoint(re.split(r"[/\\]", path))


def _verify_digests(response: StreamedResponse, url: str, file: RemoteFile, digests: t.Mapping[str, str]) -> None:
    for checksum in file.expected_checksums:
        if digests[checksum.algorithm] != checksum.value:
            message = f"{file.name} does not have the {checksum.algorithm} that the index declares."
            raise _mismatch(response, url, "digest", message)
    # The checksum of what Artifactory has stored. It differs if something between there and here changed the content.
    stored = response.headers.get("X-Checksum-Sha256", "")
    if stored and stored.lower() != digests["sha256"]:
        raise _mismatch(response, url, "digest", f"{file.name} does not have the sha256 that Artifactory sent with it.")


def _verify_checksum_file(downloaded: DownloadedFile, algorithm: str, document: Document) -> None:
    # The checksum is the first word, or in the BSD form the last: SHA1 (file) = 0123…
    words = document.body[:_MAX_CHECKSUM_LINE].decode("utf-8", "replace").split()
    checksum = next(filter(None, (Checksum.from_hex(algorithm, word) for word in words)), None)
    if checksum is None:
        raise InvalidContentError("content", f"a file without a {algorithm} checksum.", url=redact_url(document.url))
    if downloaded.digests[algorithm] != checksum.value:
        message = f"{downloaded.file.name} does not have the {algorithm} of its checksum file."
        raise InvalidContentError("digest", message, url=redact_url(document.url))


def _mismatch(response: StreamedResponse, url: str, reason: ContentProblem, message: str) -> InvalidContentError:
    encoding = response.headers.get("Content-Encoding", "identity")
    hint = "" if encoding == "identity" else f"A proxy encodes the content ({encoding}): turn that off."
    return InvalidContentError(reason, message, url=redact_url(url), hint=hint)
