# Copyright (c) 2026 cgr.pull_through contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One exchange with a registry: redirects, refusals, repetitions. Private to the collection.

Redirects are followed here and not by the HTTP library, which hands credentials on in some cases.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import json
import re
import threading
import time
import typing as t
from urllib.parse import urljoin, urlsplit

from ansible_collections.cgr.pull_through.plugins.module_utils._errors import PullThroughError, Refused, Unanswered
from ansible_collections.cgr.pull_through.plugins.module_utils._http import (
    Answer,
    Request,
    Transport,
    pause_before,
    shown_url,
)
from ansible_collections.cgr.pull_through.plugins.module_utils._registry._manifest import Unusable

TRIES = 3
_MOST_REDIRECTS = 5
ERROR_LIMIT = 64 << 10
_BUSY = frozenset({408, 429, 500, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HTML = re.compile(r"\s*<(!doctype html|html|head|body)\b", re.IGNORECASE)
_DEFAULT_PORTS = {"http": 80, "https": 443}

Result = t.TypeVar("Result")


class RegistryRefused(Refused):
    """An answer other than the one that was asked for.

    code: the registry's own error code, such as MANIFEST_UNKNOWN; empty if there is none.
    html: whether the answer was a web page, so not from a registry.
    by_token_service: whether it came from the token service and not from the registry itself.
    """

    def __init__(
        self,
        status: int,
        said: str,
        *,
        url: str,
        headers: t.Mapping[str, str],
        hint: str = "",
        code: str = "",
        html: bool = False,
    ) -> None:
        super().__init__(status, said, method="GET", url=shown_url(url), hint=hint)
        self.headers = headers
        self.code = code
        self.html = html
        self.by_token_service = False

    def details(self) -> dict[str, t.Any]:
        return {**super().details(), "code": self.code}


class Origin(t.NamedTuple):
    """What has to be equal for credentials to be sent."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Origin:
        """Return the origin of a URL; raise ValueError for one that cannot be used."""
        parts = urlsplit(url)
        if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
            raise ValueError(url)
        return cls(parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS[parts.scheme])

    @property
    def is_inside(self) -> bool:
        """Whether the host is written as an address that only means something on this machine or in this network."""
        try:
            return ipaddress.ip_address(self.host).is_private
        except ValueError:
            return self.host == "localhost"


def unsafe_hop(registry: Origin, target: str) -> str:
    """Return why a registry must not send us to a URL; empty when it may.

    Downgrades to plain HTTP, and addresses inside the network that a registry outside cannot know of.
    """
    try:
        there = Origin.of(target)
    except ValueError:
        return "that is no http or https URL"
    if registry.scheme == "https" and there.scheme == "http":
        return "that is not encrypted, while the registry is"
    if there.is_inside and there.host != registry.host and not registry.is_inside:
        return "that is an address inside a network, given by a registry with a public name"
    return ""


@dataclasses.dataclass
class Counter:
    """Requests sent and bytes of content received, by all threads."""

    requests: int = 0
    bytes: int = 0
    _lock: threading.Lock = dataclasses.field(default_factory=threading.Lock, repr=False)

    def add(self, *, requests: int = 0, received: int = 0) -> None:
        with self._lock:
            self.requests += requests
            self.bytes += received


class Exchange:
    """Sends GET requests for one registry. Its credentials go to its own origin, and nowhere else."""

    def __init__(self, base_url: str, transport: Transport, counter: Counter) -> None:
        self.origin = Origin.of(base_url)
        self._transport = transport
        self._counter = counter

    def get(self, url: str, *, accept: str, authorization: str = "") -> tuple[Answer, str]:
        """Return the answer, its body still unread, and the URL that gave it. Raises Unanswered, RegistryRefused."""
        for _hop in range(_MOST_REDIRECTS + 1):
            answer = self._send(url, accept, authorization if Origin.of(url) == self.origin else "")
            if answer.status not in _REDIRECTS:
                return answer, url
            answer.read(ERROR_LIMIT)  # a connection whose answer was read can be used again
            url = self._target(url, answer)
        raise RegistryRefused(answer.status, f"more than {_MOST_REDIRECTS} redirects", url=url, headers=answer.headers)

    def get_token(self, url: str, *, authorization: str) -> bytes:
        """Return the body of a token service's answer. A token service may live on any origin, and never redirects."""
        answer = self._send(url, "application/json", authorization)
        if answer.status != 200:
            refusal = read_refusal(answer, url)
            refusal.by_token_service = True
            raise refusal
        return answer.read(ERROR_LIMIT)

    def _send(self, url: str, accept: str, authorization: str) -> Answer:
        headers = {"Accept": accept, **({"Authorization": authorization} if authorization else {})}
        self._counter.add(requests=1)
        return self._transport.send(Request("GET", url, headers))

    def _target(self, url: str, answer: Answer) -> str:
        target = urljoin(url, answer.headers.get("Location", ""))
        why = unsafe_hop(self.origin, target) or unsafe_hop(Origin.of(url), target)
        if why:
            raise RegistryRefused(
                answer.status, f"a redirect to {shown_url(target)}: {why}", url=url, headers=answer.headers
            )
        return target


def is_html(answer: Answer, text: str) -> bool:
    """Return whether an answer is a web page: of a proxy, a login, or another site, but not of a registry."""
    return "html" in answer.headers.get("Content-Type", "") or bool(_HTML.match(text))


def read_refusal(answer: Answer, url: str) -> RegistryRefused:
    """Return an answer that is no success as an error, with the words of either JSON form."""
    text = answer.read(ERROR_LIMIT).decode("utf-8", "replace")
    if is_html(answer, text):
        title = re.search(r"<title>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
        said = f"an HTML page{f' titled {title[1].strip()!r}' if title else ''}"
        return RegistryRefused(answer.status, said, url=url, headers=answer.headers, html=True)
    errors = _errors(text)
    said = "; ".join(str(error.get("message") or error.get("code") or error) for error in errors) if errors else text
    code = next((str(error["code"]) for error in errors if error.get("code")), "")
    return RegistryRefused(answer.status, said, url=url, headers=answer.headers, code=code)


def _errors(text: str) -> list[dict[str, t.Any]]:
    try:
        found = json.loads(text)["errors"]
    except (ValueError, KeyError, TypeError):
        return []
    return [error for error in found if isinstance(error, dict)] if isinstance(found, list) else []


def patiently(work: t.Callable[[], Result], sleep: t.Callable[[float], None] = time.sleep) -> Result:
    """Do work, and do it again from the start when that can help: three times, or twice for a wrong digest or size.

    401, 403 and 404 are answers and not accidents. Asking again would only prolong Artifactory's negative cache.
    """
    mismatched = False
    for attempt in range(1, TRIES):
        try:
            return work()
        except PullThroughError as exc:
            mismatch = isinstance(exc, Unusable) and exc.reason in ("digest", "size")
            if not _is_passing(exc) and (not mismatch or mismatched):
                raise
            mismatched = mismatched or mismatch
            sleep(pause_before(attempt, exc.headers if isinstance(exc, RegistryRefused) else None))
    return work()


def _is_passing(error: PullThroughError) -> bool:
    if isinstance(error, Unanswered):
        return error.passing
    return isinstance(error, RegistryRefused) and error.status in _BUSY
